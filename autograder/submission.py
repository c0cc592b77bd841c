"""Find a student's hw1.py and load_data.py in whatever was handed in, without running any of it.

Students hand in folders, zips, zips in folders, downloads of Canvas and Gradescope, "hw1 (1).py",
notebooks. What can be made out is taken, with a note; what cannot is a problem with its way out.
"""

import io
from collections import defaultdict
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from autograder.handed_in.choice import BOTH, WANTED, choose, is_zip, name_missing
from autograder.handed_in.companions import read_companions
from autograder.handed_in.names import clean, join
from autograder.handed_in.sizes import MAX_INNER_BYTES, MAX_INNER_ZIPS, MAX_PACKED, packed
from autograder.handed_in.syntax import parse
from autograder.handed_in.text import read_text
from autograder.handed_in.unpack import (
    Entry,
    LeftOut,
    Unusable,
    limit_number,
    list_folder,
    list_zip,
)


class SubmissionError(Exception):
    """Why a path cannot be a submission and what to give instead, in a sentence."""


@dataclass(frozen=True)
class Submission:
    """What a student handed in, as far as it concerns the grading.

    Attributes:
        files: the texts of hw1.py and load_data.py where they were found, and of the Python files
            beside them that they import; keys are relative paths with "/", line ends are "\\n".
        problems: what cannot be graded, why, and the way out, a sentence each. One about hw1.py or
            load_data.py alone holds its name and not the other's.
        notes: what was unusual and yet taken, or was left out, a sentence each.
    """

    files: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def read_submission(path: Path) -> Submission:
    """Read a folder or a zip. Nothing is written anywhere, and no student code runs.

    Raises:
        SubmissionError: there is nothing at `path`, or neither a folder nor a zip.
    """
    left_out, name = defaultdict(list), clean(path.absolute().name)
    with ExitStack() as stack:
        try:
            entries = list_handed_in(path, left_out, stack)
        except Unusable as error:
            return Submission(problems=[f"{name} {error}."])
        return read_entries(name, entries, left_out)


def read_entries(name: str, entries: list[Entry], left_out: LeftOut) -> Submission:
    """Read a submission of files that were listed already; `name` is what to call it."""
    submission = Submission()
    try:
        chosen, notes = choose(entries)
        inner_problems = []
        if len(chosen) < len(WANTED):
            inner, inner_problems = list_inner_zips(entries, left_out)
            entries = entries + inner
            chosen, notes = choose(entries)
    except Unusable as error:
        return Submission(problems=[f"{name} {error}."])
    if not chosen and inner_problems:
        return Submission(problems=inner_problems)
    submission.notes.extend(notes + inner_problems)
    submission.problems.extend(name_missing(name, chosen, entries))
    read_chosen(chosen, submission)
    read_companions(entries, chosen, submission.files, submission.notes, left_out)
    submission.notes.extend(
        f"{join(names)} {'was' if len(names) == 1 else 'were'} left out: {why}."
        for why, names in left_out.items()
    )
    return submission


def write_files(submission: Submission, folder: Path) -> None:
    """Write the files of a submission into a folder, as UTF-8."""
    for name, text in submission.files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8", newline="\n")


def list_handed_in(path: Path, left_out: LeftOut, stack: ExitStack) -> list[Entry]:
    shown = clean(str(path))
    try:
        if path.is_dir():
            return list_folder(path, left_out)
        if not path.exists():
            raise SubmissionError(f"{shown} does not exist: give the folder or zip with {BOTH}.")
        if not path.is_file():
            raise SubmissionError(f"{shown} is no folder and no zip: give one with {BOTH}.")
        file = stack.enter_context(path.open("rb"))
        if path.suffix.lower() != ".zip" and file.read(2) != b"PK":
            raise SubmissionError(f"{shown} is a single file: give the folder or zip with {BOTH}.")
    except OSError:
        raise Unusable("cannot be opened: make it readable") from None
    return list_zip(file, left_out)


def list_inner_zips(entries: list[Entry], left_out: LeftOut) -> tuple[list[Entry], list[str]]:
    """The files of the zips among the entries, as if each zip were a folder, and problems."""
    inner, problems, room = [], [], MAX_INNER_BYTES
    zips = [entry for entry in entries if is_zip(entry.path)]
    for entry in zips[:MAX_INNER_ZIPS]:
        try:
            data = entry.read(room + 1)
            if len(data) > room:
                raise Unusable(f"is larger than {MAX_INNER_BYTES >> 20} MiB: hand in {BOTH} alone")
            room -= len(data)
            found = list_zip(io.BytesIO(data), left_out)
            found = [Entry(entry.path / file.path, file.read) for file in found]
            inner = limit_number(inner + found)
        except Unusable as error:
            problems.append(f"{clean(str(entry.path))} {error}.")
    return inner, problems


def read_chosen(chosen: dict[str, Entry], submission: Submission) -> None:
    room = MAX_PACKED
    for wanted, entry in chosen.items():
        name = clean(entry.path.name)
        if name != wanted:
            name = f"{name}, taken as {wanted},"
        try:
            text, notes = read_text(entry)
            if not text.strip():
                raise Unusable("is empty: hand in the file with your code")
            needed = packed(text)
            if needed > room:
                raise Unusable(
                    f"holds more than {room >> 10} KiB even when it is compressed, as weights or "
                    "data do: hand in the code without them"
                )
            room -= needed
        except Unusable as error:
            submission.problems.append(f"{name} {error}.")
            continue
        submission.files[wanted] = text
        submission.notes.extend(f"{name} {note}." for note in notes)
        try:
            parse(text)
        except Unusable as error:
            submission.problems.append(f"{name} {error}.")
