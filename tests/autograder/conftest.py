"""Pages in a real browser."""

import pytest


@pytest.fixture
def open_page(browser, tmp_path):
    """A function that opens a page. Afterwards, nothing was said or asked for."""
    events, tabs = [], []

    def opened(html, size=(1280, 900), **settings):
        file = tmp_path / "page.html"
        file.write_text(html, encoding="utf-8")
        tab = browser.new_page(viewport={"width": size[0], "height": size[1]}, **settings)
        tabs.append(tab)
        tab.on("console", lambda message: events.append(message.text))
        tab.on("pageerror", lambda error: events.append(str(error)))
        tab.on("dialog", lambda dialog: events.append(dialog.message))
        tab.on("request", lambda request: events.append(request.url))
        tab.goto(file.as_uri())
        events.remove(file.as_uri())
        return tab

    yield opened
    assert [event for event in events if not event.startswith("data:")] == []
    for tab in tabs:
        tab.close()
