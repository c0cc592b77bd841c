"""Real Omniglot for the tests: archives named by $OMNIGLOT_ARCHIVES, and the folder from them."""

import os
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


def pytest_report_header() -> str:
    """Say which images the tests run on."""
    if os.environ.get("OMNIGLOT_ARCHIVES"):
        return "images: real Omniglot"
    return "images: generated glyphs; set $OMNIGLOT_ARCHIVES for real Omniglot"
