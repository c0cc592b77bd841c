"""The zip that a student hands in."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from autograder import submit as submitting
from autograder.submission import read_submission
from autograder.submit import ARCHIVE, submit
from tests.autograder.corpus import REFERENCE, STUBS, Case, write

ROOT = Path(__file__).parents[2]
PDF = b"%PDF-1.7\n1 0 obj\n"
LAST = "Public checks {}/30. Hidden checks (70 points) are not graded here."


@pytest.fixture
def home(tmp_path) -> Path:
    return write(REFERENCE, tmp_path)


@pytest.fixture
def unchecked(monkeypatch):
    """Without the public checks, which one test runs."""
    monkeypatch.setattr(submitting, "check", lambda path, data: None)
    monkeypatch.setattr(submitting, "print_record", lambda record: None)


def run(*words: object, cwd: Path = ROOT) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "autograder", "submit", *map(str, words)],
        cwd=cwd,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )


def names(home: Path) -> list[str]:
    with zipfile.ZipFile(home / ARCHIVE) as archive:
        assert archive.testzip() is None
        return archive.namelist()


def test_the_two_files_and_the_report(home, data_folder, tmp_path):
    report = tmp_path / "My Report.pdf"
    report.write_bytes(PDF)
    done = run("--report", report, "--data", data_folder, cwd=home)
    assert done.returncode == 0, done.stderr
    assert LAST.format(30) in done.stdout
    last = done.stdout.strip().splitlines()[-1]
    assert last == f"To hand in: {ARCHIVE} with hw1.py, load_data.py and report.pdf."
    assert names(home) == ["hw1.py", "load_data.py", "report.pdf"]
    assert zipfile.ZipFile(home / ARCHIVE).read("report.pdf") == PDF


def test_failing_checks_do_not_prevent_the_zip(data_folder, tmp_path):
    home = write(STUBS, tmp_path)
    done = run(home, "--data", data_folder)
    assert done.returncode == 0, done.stderr
    assert "Problem 1 is not filled in" in done.stdout
    assert LAST.format(0) in done.stdout
    assert "There is no report in it" in done.stdout.strip().splitlines()[-1]
    assert names(home) == ["hw1.py", "load_data.py"]


def test_checks_that_cannot_run_do_not_prevent_it_either(home):
    done = run(home, "--data", "no/such/images")
    assert done.returncode == 2
    assert "no/such/images" in done.stderr
    assert f"To hand in: {home / ARCHIVE}" in done.stdout
    assert names(home) == ["hw1.py", "load_data.py"]


@pytest.mark.parametrize("name", ["hw1.py", "load_data.py"])
def test_without_one_of_the_files_nothing_is_written(name, home, unchecked, capsys):
    assert submit(home, None, None) == 0
    before = (home / ARCHIVE).read_bytes()
    (home / name).unlink()  # it still is in the older zip, which is no reason to take it
    assert submit(home, None, None) == 1
    said = capsys.readouterr().err
    assert said == f"{name} is missing: there is no such file in {home}.\n"
    assert (home / ARCHIVE).read_bytes() == before
    (home / ARCHIVE).unlink()
    assert submit(home, None, None) == 1
    assert not (home / ARCHIVE).exists()


def test_a_link_is_not_a_file_that_can_be_handed_in(home, unchecked, capsys):
    (home / "hw1.py").rename(home / "elsewhere.py")
    (home / "hw1.py").symlink_to("elsewhere.py")
    assert submit(home, None, None) == 1
    assert "hw1.py is missing" in capsys.readouterr().err


def test_modules_that_are_imported_are_in_it_and_nothing_else(tmp_path, unchecked, capsys):
    files = {
        "mine.py": "import parts.deeper\n",
        "parts/__init__.py": "",
        "parts/deeper.py": "ONE = 1\n",
        "notes.txt": "secret",
        "unused.py": "",
        "runs/2_1_123_128/model.pt": b"weights",
    }
    edit = ("hw1.py", "import argparse\n", "import argparse\nimport mine\n")
    home = write(Case("with_modules", edits=(edit,), files=files), tmp_path)
    assert submit(home, None, None) == 0
    expected = ["hw1.py", "load_data.py", "mine.py", "parts/__init__.py", "parts/deeper.py"]
    assert names(home) == expected
    said = capsys.readouterr().out
    assert "hw1.py, load_data.py, mine.py and 2 more" in said
    assert read_submission(home / ARCHIVE).files == read_submission(home).files


def test_bytes_are_not_changed(home, unchecked):
    content = "# -*- coding: latin-1 -*-\r\n# Übung\r\nclass MANN: ...\r\n".encode("latin-1")
    (home / "hw1.py").write_bytes(content)
    assert submit(home, None, None) == 0
    with zipfile.ZipFile(home / ARCHIVE) as archive:
        assert archive.read("hw1.py") == content


@pytest.mark.parametrize("content", [b"not python (", b"x" * 300_000, b"\0\1", b""])
def test_a_file_that_cannot_be_graded_is_handed_in_all_the_same(content, home, unchecked):
    (home / "load_data.py").write_bytes(content)
    assert submit(home, None, None) == 0
    with zipfile.ZipFile(home / ARCHIVE) as archive:
        assert archive.read("load_data.py") == content


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"PK\3\4", "is not a PDF: export your report as one."),
        (b"", "is not a PDF: export your report as one."),
        (None, "cannot be read (No such file or directory)."),
    ],
)
def test_what_is_no_report_is_one_sentence(content, said, home, unchecked, tmp_path, capsys):
    report = tmp_path / "report.pdf"
    if content is not None:
        report.write_bytes(content)
    assert submit(home, report, None) == 1
    assert capsys.readouterr().err == f"{report} {said}\n"
    assert not (home / ARCHIVE).exists()


def test_a_report_may_be_of_50_megabytes_and_no_more(home, unchecked, tmp_path, capsys):
    report = tmp_path / "report.pdf"
    report.write_bytes(PDF)
    os.truncate(report, 50_000_000)
    assert submit(home, report, None) == 0
    os.truncate(report, 50_000_001)
    assert submit(home, report, None) == 1
    assert "is larger than 50 MB" in capsys.readouterr().err


def test_a_folder_that_is_not_there_is_one_line(tmp_path):
    done = run(tmp_path / "nowhere")
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert done.stdout == ""


def test_what_the_grader_would_not_take_is_not_handed_in(home, unchecked, monkeypatch, capsys):
    other = submitting.zip_bytes({"hw1.py": b"pass"})
    monkeypatch.setattr(submitting, "zip_bytes", lambda files: other)
    assert submit(home, None, None) == 1
    assert "would not take the same" in capsys.readouterr().err
    assert not (home / ARCHIVE).exists()


def test_no_partial_file_stays_where_it_cannot_be_written(home, unchecked):
    (home / ARCHIVE).mkdir()
    (home / ARCHIVE / "taken").touch()
    done = run(home)
    assert done.returncode == 2
    assert done.stderr.startswith("Cannot write")
    assert not list(home.glob(".partial-*"))
