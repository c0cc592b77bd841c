"""The page of a class of 300, in a real browser."""

import json
import re
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest

from autograder import classroom
from autograder.classroom.graded import Graded, Person
from autograder.classroom.overview import overview
from autograder.classroom.statistics import statistics
from autograder.record import Check, Mistake, Record, Result, read_rubric, start_record
from autograder.report import gradescope
from tests.autograder.test_page import BEWARE, CONTRASTS, HOSTILE, SIZES

SCRIPT = Path(classroom.__file__).with_name("overview.js")
STUB = Mistake("stub", "It still is the starter's stub.", "Write it.")
ALL_ROWS = Mistake("all_rows", "The loss is over all K+1 rows.", "Look at preds[:, -1].")
MISTAKES = {"1.1": STUB, "2.1": STUB, "3.2": ALL_ROWS}
FACTS = {"made": "21 November 2026", "seed": 7}


def a_submission(number, random):
    """The student's ability decides; check 3.4 punishes the able."""
    record, ability = start_record(), random.normal(1, 1.2)
    for old in list(record.results):
        check, failed = old.check, {r.check.id for r in record.results if r.status != "passed"}
        if waits := failed.intersection(check.waits_for):
            result = Result(check, "waiting", f"Not run: waiting for {' and '.join(waits)}.")
        elif random.normal(-ability if check.number == "3.4" else ability) > -0.5:
            result = Result(check, "passed", "")
        else:
            result = Result(check, "failed", "Expected\n5.", MISTAKES.get(check.number))
        record.put(result)
    record.seconds = random.uniform(5, 90)
    if number % 60 == 0:
        record.look = ["4.1: the accuracy is within its interval of passing.", "It hung."]
    names = [f"student {number:03}"] + number % 50 // 49 * [f"partner {number:03}"]
    people = tuple(Person(name, str(1000 + number)) for name in names)
    return Graded(f"hw1 {number:03}", people, json.loads(json.dumps(gradescope(record))))


@pytest.fixture(scope="module")
def a_class():
    random = np.random.default_rng(0)
    return [a_submission(number, random) for number in random.permutation(300).tolist()]


@pytest.fixture
def show(open_page):
    """A function that opens the page of a class."""
    return lambda graded, *size, **settings: open_page(overview(graded, FACTS), *size, **settings)


@pytest.fixture
def tab(show, a_class):
    return show(a_class)


def column(tab, number):
    """The texts of a column of the table of submissions, as they stand in it."""
    return tab.evaluate(
        """number => [...document.querySelectorAll("#submissions tbody tr")]
            .filter(row => row.checkVisibility())
            .map(row => row.cells[number].innerText.trim())""",
        number,
    )


def headers(tab):
    return tab.locator("#submissions thead th")


# What it says


def test_the_class_in_figures(tab, a_class):
    scores = [one.results["score"] for one in a_class]
    assert tab.title() == "300 submissions – few-shot homework"
    assert tab.locator(".score").inner_text() == "300 submissions"
    mean, median = np.mean(scores), np.median(scores)
    said = f"Mean {mean:.1f}, median {median:.1f} of 100 points"
    assert said in tab.locator("header").inner_text()
    assert tab.locator("footer dl").inner_text().split("\n") == [
        "made",
        "21 November 2026",
        "seed",
        "7",
    ]


def test_the_histogram_counts_every_submission(tab, a_class):
    bins = statistics(a_class).bins
    assert sum(bins) == 300
    said = tab.get_by_role("img").get_attribute("aria-label")
    assert [int(count) for count in re.findall(r"to \d+: (\d+)", said)] == bins
    bars = [bar.bounding_box()["height"] for bar in tab.locator("rect").all()]
    assert np.allclose(np.divide(bars, max(bars)), np.divide(bins, max(bins)), atol=0.01)
    shown = tab.locator("svg text:not(.edge)").all_text_contents()
    assert shown == [str(count or "") for count in bins]
    assert tab.locator("svg .edge").all_text_contents() == [str(n) for n in range(0, 101, 10)]


def test_the_checks(tab, a_class):
    checks = statistics(a_class).checks
    rows = tab.locator("section[aria-labelledby=checks] tbody tr")
    assert rows.count() == len(checks) == len(read_rubric())
    widths = [bar.bounding_box()["width"] for bar in rows.locator(".bar > span").all()]
    full = rows.locator(".bar").first.evaluate("bar => bar.clientWidth")
    assert np.allclose(widths, [full * check.passed for check in checks], atol=1)
    for row, check in zip(rows.all(), checks, strict=True):
        title, passed, discrimination = row.locator("th, td").all_inner_texts()
        assert title.split() == f"{check.number} {check.title} {check.points:g} points".split()
        waiting = f" {check.waiting} waiting" if check.waiting else ""
        assert " ".join(passed.split()) == f"{100 * check.passed:.0f} %{waiting}"
        marks = {"3.4": ("\u2212", " ✗ negative"), "0.1": ("–", "")}
        sign, mark = marks.get(check.number, ("0.", ""))
        assert discrimination.startswith(sign)
        assert discrimination.endswith(mark)
        if check.discrimination is not None:
            assert f"{abs(check.discrimination):.2f}" in discrimination
            assert ("low" in discrimination) == (0 <= check.discrimination < 0.2)


def test_low_discrimination_is_marked(show):
    def of(*numbers):
        record = start_record()
        for result in list(record.results):
            if result.check.number in numbers:
                record.put(Result(result.check, "passed", ""))
        return Graded(" ".join(numbers), (Person("student"),), gradescope(record))

    tab = show([of("1.1", "1.2", "3.1"), of("3.1"), of("1.1"), of(), of("1.1")])
    values = {"1.1": "0.06 low", "1.2": "0.77", "1.3": "–", "3.1": "0.10 low"}
    for number, value in values.items():
        row = tab.locator("tr", has=tab.locator("th", has_text=f"{number} "))
        assert row.locator("td").last.inner_text() == value, "as computed by hand"


def test_the_mistakes_the_slowest_and_those_to_look_at(tab, a_class):
    found = statistics(a_class)
    shown = tab.locator(".mistakes li").all_inner_texts()
    assert len(shown) == len(found.mistakes) == 3
    for text, mistake in zip(shown, found.mistakes, strict=True):
        assert text.split()[:4] == [
            str(mistake.count),
            f"{100 * mistake.share:.0f}",
            "%",
            mistake.id,
        ]
        assert f"{mistake.check} {mistake.title}" in text
        assert mistake.help in text
    slow = tab.locator("section[aria-labelledby=slowest] li").all_inner_texts()
    assert [float(text.split()[-2]) for text in slow] == [
        round(one.results["execution_time"], 1) for one in found.slowest
    ]
    assert slow[0].startswith("student")
    look = tab.locator(".look")
    assert look.locator("dt").all_inner_texts() == [one.people[0].name for one in found.look]
    assert len(found.look) == 5
    assert look.locator("dd").all_inner_texts() == 5 * found.look[0].results["extra_data"]["look"]


def test_the_table_has_every_submission_and_links_to_it(tab, a_class):
    rows = tab.evaluate("""[...document.querySelectorAll("#submissions tbody tr")].map(row =>
        [...row.cells].map(cell => cell.innerText)
            .concat(row.querySelector("a").getAttribute("href")))""")
    assert headers(tab).all_inner_texts() == [
        "Name",
        "Score / 100",
        "Sampler / 35",
        "Forward / 25",
        "Loss / 20",
        "Accuracy / 20",
        "Mistakes",
        "Seconds",
        "Feedback",
    ]
    for row, one in zip(rows, a_class, strict=True):
        names, score, *parts, mistakes, seconds, folder, link = row
        assert names == ", ".join(person.name for person in one.people)
        assert float(score) == one.results["score"] == sum(map(float, parts))
        named = {test["extra_data"]["mistake"] for test in one.results["tests"]} - {None}
        assert set(mistakes.split(", ")) - {""} == named
        assert float(seconds) == round(one.results["execution_time"], 1)
        assert folder == one.folder
        assert link == one.folder.replace(" ", "%20") + "/feedback.html"
    assert sum(", partner" in row[0] for row in rows) == 6


def test_a_class_that_was_graded_with_two_rubrics(show, a_class):
    check = Check("style/names", "style", "5.1", "Names", 4.0, public=True)
    later = gradescope(Record([Result(check, "passed", "")]))
    tab = show([a_class[0], Graded("later", (Person("student 301"),), later)])
    assert "Style / 4" in headers(tab).all_inner_texts()
    assert column(tab, 6) == ["0", "4"]
    assert column(tab, 1)[1] == "4"


# What it does


def test_a_click_sorts_and_another_one_turns_it_round(tab):
    for place, header in enumerate(headers(tab).all()):
        key = float if place in (1, 2, 3, 4, 5, 7) else str
        before = column(tab, place)
        header.get_by_role("button").click()
        assert column(tab, place) == sorted(before, key=key) != before
        assert header.get_attribute("aria-sort") == "ascending"
        header.get_by_role("button").click()
        assert column(tab, place) == sorted(before, key=key, reverse=True)
        assert header.get_attribute("aria-sort") == "descending"
        assert tab.locator("[aria-sort]").count() == 1


def test_numbers_are_sorted_as_numbers(show):
    points = [2.5, 10, 2.25]
    checks = [Check("loss/a", "loss", "3.1", "", worth, public=True) for worth in points]
    tab = show(
        [
            Graded(str(n), (Person("student"),), gradescope(Record([Result(check, "passed", "")])))
            for n, check in enumerate(checks)
        ]
    )
    headers(tab).nth(1).get_by_role("button").click()
    assert column(tab, 1) == ["2.25", "2.5", "10"]


def test_the_keyboard_sorts_too(tab):
    headers(tab).nth(0).get_by_role("button").focus()
    tab.keyboard.press("Enter")
    assert column(tab, 0)[:2] == ["student 000", "student 001"]
    tab.keyboard.press("Tab")
    tab.keyboard.press("Space")
    scores = [float(score) for score in column(tab, 1)]
    assert scores == sorted(scores)
    assert headers(tab).nth(0).get_attribute("aria-sort") is None
    assert headers(tab).nth(1).get_attribute("aria-sort") == "ascending"
    same = [name for name, score in zip(column(tab, 0), scores, strict=True) if score == 100]
    assert len(same) > 2
    assert same == sorted(same), "those with the same score stay in the order of names"


def test_the_search_finds_names_folders_and_mistakes(tab, a_class):
    def find(text):
        tab.get_by_role("searchbox").fill(text)
        found = column(tab, 0)
        assert tab.locator("output").inner_text() == f"{len(found)} of 300"
        return found

    everyone = column(tab, 0)
    assert find("017") == ["student 017"]
    assert find(" STUDENT  017 ") == ["student 017"]
    assert all("17" in name for name in find("17")), "scores and seconds are not searched"
    assert find("hw1 123") == ["student 123"]
    assert find("partner 149") == ["student 149, partner 149"]
    with_mistake = [one for one in a_class if "all_rows" in json.dumps(one.results)]
    assert find("all_rows") == [
        ", ".join(person.name for person in one.people) for one in with_mistake
    ]
    headers(tab).nth(0).get_by_role("button").click()
    assert find("all_rows") == sorted(find("all_rows"))
    assert find("nobody") == []
    assert sorted(find("")) == sorted(everyone)
    assert len(everyone) == 300


def test_without_javascript_everything_is_there(show, a_class):
    tab = show(a_class, java_script_enabled=False)
    assert tab.locator("#submissions tbody tr:visible").count() == 300
    assert not tab.get_by_role("searchbox").is_visible()
    assert tab.get_by_role("button").count() == 0


# What it withstands


def hostile_class(text):
    record = start_record()
    record.put(Result(record.results[1].check, "failed", text, Mistake(text, text, text)))
    record.look = [text]
    named = Graded(f"a#b?c/%41 {text}", (Person(text), Person(text)), gradescope(record))
    return [named, Graded("b", (Person("student 017"),), gradescope(start_record()))]


@pytest.mark.parametrize("size", SIZES)
def test_what_a_student_wrote_is_shown_and_inert(open_page, size):
    graded = hostile_class(HOSTILE)
    tab = open_page(overview(graded, {HOSTILE: HOSTILE}), size)
    text = " ".join(tab.locator("body").inner_text().split())
    shown = " ".join(HOSTILE.split())
    assert text.count(shown) == 14, "6 names, 1 folder, 1 reason, 2 facts, 2 ids, 2 lines of help"
    assert tab.locator("script").count() == 1
    assert tab.locator("script").text_content() == SCRIPT.read_text()
    assert tab.locator("img, main svg[onload]").count() == 0
    link = tab.locator("#submissions a").first
    folder, file = link.get_attribute("href").split("/")
    assert (unquote(folder), file) == (graded[0].folder, "feedback.html")
    assert re.fullmatch("[A-Za-z0-9%._~-]+", folder)
    tab.get_by_role("searchbox").fill("alert(")
    headers(tab).nth(0).get_by_role("button").click()
    assert tab.locator("output").inner_text() == "0 of 2"


def test_no_script_but_ours_would_run(browser, tmp_path, a_class):
    html = overview(a_class[:3], FACTS)
    for old, new in [
        ("<footer>", "<script>document.title = 'ran'</script><footer>"),
        ("<main>", "<main onclick='document.title = \"ran\"'>"),
    ]:
        assert old in html
        html = html.replace(old, new)
    file = tmp_path / "page.html"
    file.write_text(html)
    tab = browser.new_page()
    tab.goto(file.as_uri())
    tab.locator("h1").click()
    assert tab.title() == "3 submissions – few-shot homework"
    assert tab.locator("output").inner_text() == "3 of 3", "and ours did"
    tab.close()


def test_control_characters_do_not_reach_the_page(show):
    graded = [Graded("a", (Person(BEWARE),), gradescope(Record([], look=[BEWARE])))]
    html = overview(graded, {BEWARE: BEWARE})
    assert all(sign.isprintable() or sign == "\n" for sign in html)
    assert "�[31m" in show(graded).locator("#submissions").inner_text()


def test_a_class_of_nobody(show):
    tab = show([])
    assert tab.locator(".score").inner_text() == "0 submissions"
    assert tab.locator("output").inner_text() == "0 of 0"
    assert "Mean" not in tab.content()


# How it looks


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("media", ["screen", "print"])
def test_nothing_is_wider_than_the_window_but_inside_a_box(show, a_class, size, media):
    tab = show([*hostile_class(300 * "long" + HOSTILE), *a_class], size)
    tab.emulate_media(media=media)
    assert tab.evaluate("document.documentElement.scrollWidth") <= size[0]
    assert (
        tab.evaluate(
            "[...document.body.querySelectorAll(':not(.box *)')].filter(part =>"
            "    part.getBoundingClientRect().right > innerWidth).map(part => part.outerHTML)"
        )
        == []
    )


def test_on_a_desktop_the_tables_need_no_scrolling(tab):
    headers(tab).nth(3).get_by_role("button").click()  # which adds an arrow
    for box in tab.locator(".box").all():
        assert box.evaluate("box => box.scrollWidth <= box.clientWidth")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_the_contrast_that_wcag_asks_for(show, a_class, scheme):
    tab = show(a_class, color_scheme=scheme)
    tab.locator("script").evaluate("script => script.remove()")  # its text is not shown
    ratios = tab.evaluate(CONTRASTS)
    assert len(ratios) > 2000
    assert [ratio for ratio in ratios if ratio[0] < 4.5] == []
