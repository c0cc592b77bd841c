"""Real Omniglot for the tests, from the archives that $OMNIGLOT_ARCHIVES names; a real browser."""

import os
import shutil
from pathlib import Path

import pytest

from fewshot.data.__main__ import main


@pytest.fixture(scope="session")
def omniglot_archives() -> Path:
    """The folder that holds the two official archives."""
    if not os.environ.get("OMNIGLOT_ARCHIVES"):
        pytest.skip("needs the official archives: set $OMNIGLOT_ARCHIVES to their folder")
    return Path(os.environ["OMNIGLOT_ARCHIVES"]).absolute()


@pytest.fixture(scope="session")
def omniglot_folder(omniglot_archives, tmp_path_factory) -> Path:
    """omniglot_resized with its packed twin, made by the command; tests only read it."""
    folder = tmp_path_factory.mktemp("data") / "omniglot_resized"
    assert main(["omniglot", "--archives", str(omniglot_archives), "--out", str(folder)]) == 0
    return folder


@pytest.fixture(scope="session")
def data_folder(request, tmp_path_factory) -> Path:
    """Real Omniglot where its archives are, generated glyphs elsewhere."""
    if os.environ.get("OMNIGLOT_ARCHIVES"):
        return request.getfixturevalue("omniglot_folder")
    folder = tmp_path_factory.mktemp("data") / "glyphs"
    assert main(["glyphs", "--out", str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def browser():
    """Debian's Chromium, driven by playwright."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("needs Debian's chromium: apt-get install chromium")
    from playwright.sync_api import sync_playwright  # here: most tests do without it

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox"] if os.geteuid() == 0 else []
        )
        yield browser
        browser.close()


def pytest_report_header() -> str:
    """Say which images the tests run on."""
    if os.environ.get("OMNIGLOT_ARCHIVES"):
        return "images: real Omniglot"
    return "images: generated glyphs; set $OMNIGLOT_ARCHIVES for real Omniglot"
