"""The zip that a student hands in: what the grader will take, and the report."""

import sys
import tempfile
from pathlib import Path

from autograder.check import check
from autograder.handed_in.choice import WANTED
from autograder.handed_in.names import join
from autograder.report import print_record, write_atomically
from autograder.submission import Submission, read_submission
from autograder.zips import zip_bytes

ARCHIVE = "hw1_submission.zip"
REPORT = "report.pdf"
MAX_REPORT = 50_000_000  # bytes


class SubmitError(Exception):
    """Why there is no zip, in a sentence."""


def submit(folder: Path, report: Path | None, data: Path | None) -> int:
    """Write the zip beside the homework, run the public checks on it and say what it holds.

    Args:
        folder: where hw1.py and load_data.py are.
        report: a PDF to put in too.
        data: an image folder; None takes a usual one.

    Returns:
        0 if there is a zip, whatever came of the checks; 1 after a sentence that says why not.
    """
    try:
        names = write_submission(folder, report)
    except SubmitError as error:
        print(error, file=sys.stderr)
        return 1
    try:
        print_record(check(folder / ARCHIVE, data))
    finally:  # whatever happens to the checks, the zip is there
        print(f"\nTo hand in: {folder / ARCHIVE} with {join(names)}.")
        if report is None:
            print("There is no report in it: to add one, python -m autograder submit --report PDF")
    return 0


def write_submission(folder: Path, report: Path | None) -> list[str]:
    """Write the zip, whole or not at all.

    Returns:
        The names in it.

    Raises:
        SubmitError: something is missing, or no report.
    """
    submission = read_submission(folder)
    for name in WANTED:
        if not (folder / name).is_file() or (folder / name).is_symlink():
            raise SubmitError(f"{name} is missing: there is no such file in {folder.absolute()}.")
    files = {name: (folder / name).read_bytes() for name in {*WANTED, *submission.files}}
    if report:
        files[REPORT] = read_report(report)
    content = zip_bytes(files)
    if read_zip(content).files != submission.files:
        raise SubmitError(
            f"The grader would not take the same from a zip as from {folder}: zip "
            f"{join(sorted(files))} yourself, and please report it."
        )
    write_atomically(folder / ARCHIVE, content)
    return sorted(files)


def read_report(path: Path) -> bytes:
    """A PDF.

    Raises:
        SubmitError: it is none, is too large, or cannot be read.
    """
    try:
        if path.stat().st_size > MAX_REPORT:
            raise SubmitError(f"{path} is larger than {MAX_REPORT // 10**6} MB: make it smaller.")
        content = path.read_bytes()
    except OSError as error:
        raise SubmitError(f"{path} cannot be read ({error.strerror}).") from error
    if not content.startswith(b"%PDF-"):
        raise SubmitError(f"{path} is not a PDF: export your report as one.")
    return content


def read_zip(content: bytes) -> Submission:
    """What the grader takes from a zip."""
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder, ARCHIVE)
        archive.write_bytes(content)
        return read_submission(archive)
