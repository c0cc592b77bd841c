"""Who handed in what: a folder or a zip of many submissions, in the forms in which they come.

Gradescope's export has a folder for each submission and a list of their authors. Canvas's download
has all files of all students in one folder, Moodle's a folder or a file for each student, and each
name holds the student's. Anything else has a folder or a zip for each.
"""

import lzma
import os
import re
import struct
import tempfile
import unicodedata
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path, PurePosixPath

import yaml

from autograder.classroom.graded import Person
from autograder.handed_in.choice import WANTED, match_name
from autograder.handed_in.names import clean
from autograder.handed_in.sizes import MAX_INNER_BYTES
from autograder.handed_in.unpack import LISTED, Entry, Unusable, is_ignored, read_file
from autograder.submission import (
    Submission,
    SubmissionError,
    list_handed_in,
    read_entries,
    read_submission,
)

GRADESCOPE = "submission_metadata.yml"
# Student One_123456_assignsubmission_file_, or the same with the name of the file behind it
MOODLE = re.compile(r"(?P<name>.+?)_(?P<id>\d+)_assignsubmission_(?P<kind>[a-z]+)_?(?P<file>.*)")
# onestudent_LATE_4711_812345_hw1-2.py, the third upload of hw1.py, with a number of its own
CANVAS = re.compile(r"(?P<name>[^_]+)_(?:LATE_)?(?P<user>\d+)_(?P<upload>\d+)_(?P<file>.+)")
AGAIN = re.compile(r"-\d+(?=\.[^.]+$)")
LONGEST = 80  # characters of a folder's name
LONGEST_PATH = 2000  # bytes of a path in a zip
JOURNAL = "journal.sqlite"  # in a folder of grades, as are these
LISTS = ("index.html", "grades.csv", "scores.csv", JOURNAL, f"{JOURNAL}-wal", f"{JOURNAL}-shm")

MAX_CLASS = 8 << 30  # bytes of what is copied out of a zip: enough for a thousand full submissions
DAMAGED = (EOFError, ValueError, RuntimeError, NotImplementedError, zipfile.BadZipFile)
DAMAGED += (zlib.error, lzma.LZMAError, struct.error)
ARCHIVES = (".zip", ".rar", ".7z", ".tar", ".tgz", ".gz")

Files = dict[str, Path]  # what a file is to be called, and where it is
Found = Iterator[tuple[str, tuple[Person, ...], Submission]]


@dataclass(frozen=True)
class Handed:
    """One submission of a class.

    Attributes:
        folder: where its grades go: different for each, safe in a path.
        people: who handed in.
        submission: what.
    """

    folder: str
    people: tuple[Person, ...]
    submission: Submission


def seems_a_class(path: Path) -> bool:
    """Whether the names at a path are those of several submissions. No file in it is opened."""
    with ExitStack() as stack:
        try:
            entries = list_handed_in(path, defaultdict(list), stack)
        except (Unusable, SubmissionError):
            return False
    wanted = [x for x in entries if match_name(x) or x.path.suffix.lower() in ARCHIVES]
    names = [entry.path.parts for entry in wanted]
    while len({first for first, *_ in names}) == 1 and min(map(len, names)) > 1:
        names = [rest for _, *rest in names]  # a zip of the folder
    owners = set()
    for first, *rest in names:
        alone = MOODLE.fullmatch(first) or CANVAS.fullmatch(first)
        if not rest and not alone and not first.lower().endswith(ARCHIVES):
            return False  # hw1.py itself
        owners.add(alone["name"] if alone else first)
    return len(owners) > 1


def read_class(path: Path) -> list[Handed]:
    """Everything handed in at `path`, sorted by folder. No student code runs.

    Raises:
        SubmissionError: there is nothing, or it cannot be read, or it is one submission alone.
    """
    with unpacked(path) as folder:
        found = list(find(folder, clean(str(path))))
    if not found:
        raise SubmissionError(f"{clean(str(path))} holds no submissions: give a folder of them.")
    found.sort(key=lambda one: (one[0].casefold(), one[0]))
    taken, handed = {name.casefold() for name in LISTS}, []
    for name, people, submission in found:
        numbered = (f"{name}-{number}" if number > 1 else name for number in count(1))
        name = next(one for one in numbered if one.casefold() not in taken)
        taken.add(name.casefold())
        handed.append(Handed(name, people, submission))
    return handed


@contextmanager
def unpacked(path: Path) -> Iterator[Path]:
    """The folder at `path`; of a zip, one with what may matter of it, for a while."""
    if path.is_dir():
        yield path
        return
    shown = clean(str(path))
    if not path.is_file():
        raise SubmissionError(f"{shown} does not exist: give a folder or a zip of submissions.")
    with tempfile.TemporaryDirectory(prefix="class-") as folder:
        try:
            with zipfile.ZipFile(path) as archive:
                room = MAX_CLASS
                for info in archive.infolist():
                    room -= unpack(archive, info, Path(folder))
                    if room < 0:
                        raise SubmissionError(
                            f"{shown} holds more than {MAX_CLASS >> 30} GiB: unpack it first."
                        )
        except OSError as error:
            raise SubmissionError(f"{shown} cannot be unpacked: {error.strerror}.") from None
        except DAMAGED:
            raise SubmissionError(
                f"{shown} is no zip or a damaged one: download it again, or unpack it first."
            ) from None
        yield Path(folder)


def unpack(archive: zipfile.ZipFile, info: zipfile.ZipInfo, folder: Path) -> int:
    """Make a folder, copy a file that a submission may consist of, or leave another empty.

    Returns:
        How many bytes were written.
    """
    path = PurePosixPath(info.filename.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or is_ignored(path):
        return 0
    if max((len(os.fsencode(part)) for part in path.parts), default=256) > 255:
        return 0
    if len(os.fsencode(path)) > LONGEST_PATH:
        return 0
    try:
        if info.is_dir():
            (folder / path).mkdir(parents=True, exist_ok=True)
            return 0
        (folder / path.parent).mkdir(parents=True, exist_ok=True)
        (folder / path).touch()  # whoever handed in a PDF alone has handed in
    except (FileExistsError, NotADirectoryError):  # there is a file of a folder's name
        return 0
    if (folder / path).is_dir():
        return 0
    if path.name != GRADESCOPE and not path.name.lower().endswith(LISTED):
        return 0
    with archive.open(info) as file:
        return (folder / path).write_bytes(file.read(MAX_INNER_BYTES + 1))


def find(folder: Path, shown: str) -> Found:
    """The name of a folder for the grades, the people and the submission of each."""
    names = list_names(folder, shown)
    while len(names) == 1 and (folder / names[0]).is_dir():  # a zip of the folder
        inner = list_names(folder / names[0], shown)
        if not inner or {*WANTED} & {*inner}:
            break
        folder, names = folder / names[0], inner
    if GRADESCOPE in names:
        return find_gradescope(folder, names)
    moodle = [match for match in map(MOODLE.fullmatch, names) if match]
    canvas = [match for match in map(CANVAS.fullmatch, names) if match]
    if moodle and len(moodle) >= len(canvas):  # a student may call a file like one of Moodle's
        return find_moodle(folder, moodle)
    if canvas and not any((folder / match.string).is_dir() for match in canvas):
        return find_canvas(folder, canvas)
    if {*WANTED} & {*names}:
        raise SubmissionError(f"{shown} is a single submission: grade it without --out.")
    return find_plain(folder, names)


def list_names(folder: Path, shown: str) -> list[str]:
    """The names in a folder, without those of tools and without a folder of grades."""
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        raise SubmissionError(f"{shown} cannot be opened: make it readable.") from None
    return [
        name
        for name in names
        if not is_ignored(PurePosixPath(name)) and not is_of_grades(folder / name)
    ]


def is_of_grades(folder: Path) -> bool:
    """Whether an earlier run has made a folder, and no student with a journal of that name."""
    with suppress(OSError):
        names = os.listdir(folder)
        return JOURNAL in names and not {*WANTED} & {*names}
    return False


def find_plain(folder: Path, names: list[str]) -> Found:
    """A folder or a zip for each; other archives are told what is wrong with them."""
    for name in names:
        path = folder / name
        if path.is_dir() or path.suffix.lower() in ARCHIVES:
            called = name if path.is_dir() else path.stem
            try:
                submission = read_submission(path)
            except SubmissionError as error:
                submission = Submission(problems=[str(error)])
            yield safe(called), (Person(clean(called)),), submission


def find_gradescope(folder: Path, names: list[str]) -> Found:
    """The folders that Gradescope's list names, and those that it does not."""
    try:
        listed = yaml.load((folder / GRADESCOPE).read_bytes(), TolerantLoader)
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        raise SubmissionError(f"{GRADESCOPE} cannot be read: export it again.") from None
    listed = listed if isinstance(listed, dict) else {}
    for name in names:
        if not (folder / name).is_dir():
            continue
        about = listed.get(name)
        authors = about.get(":submitters") if isinstance(about, dict) else None
        people = tuple(
            Person(
                clean(text(author.get(":name"))) or clean(name),
                sis=clean(text(author.get(":sid"))),
                email=clean(text(author.get(":email"))),
            )
            for author in (authors if isinstance(authors, list) else [])
            if isinstance(author, dict)
        )
        people = people or (Person(clean(name)),)
        called = f"{people[0].name}_{name.removeprefix('submission_')}"
        yield safe(called), people, read_submission(folder / name)


def text(value: object) -> str:
    """A number or a name in YAML."""
    return str(value) if isinstance(value, str | int) else ""


class TolerantLoader(yaml.SafeLoader):
    """Takes Ruby's own types for what they are made of."""


def plainly(loader: yaml.SafeLoader, tag: str, node: yaml.Node) -> object:
    """A node without its tag."""
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_scalar(node)


TolerantLoader.add_multi_constructor("!", plainly)


def find_moodle(folder: Path, matches: list[re.Match]) -> Found:
    """A folder for each student, or a file; texts typed into a form are not code."""
    groups = defaultdict(list)
    for match in matches:
        if match["kind"] == "file":
            groups[match["name"], match["id"]].append(match)
    for (name, number), found in groups.items():
        people = (Person(clean(name)),)
        folders = [match for match in found if (folder / match.string).is_dir()]
        if folders:
            submission = read_submission(folder / folders[-1].string)
        else:
            submission = read_files({match["file"]: folder / match.string for match in found}, name)
        yield safe(f"{name}_{number}"), people, submission


def find_canvas(folder: Path, matches: list[re.Match]) -> Found:
    """All files of a student, whose names begin alike; of a file uploaded twice, the later."""
    groups = defaultdict(list)
    for match in matches:
        groups[match["name"], match["user"]].append(match)
    for (name, user), found in groups.items():
        found.sort(key=lambda match: int(match["upload"]))
        files = {AGAIN.sub("", match["file"]): folder / match.string for match in found}
        yield safe(f"{name}_{user}"), (Person(clean(name), canvas=user),), read_files(files, name)


def read_files(files: Files, name: str) -> Submission:
    """A submission of single files, under the names that the student gave them."""
    entries = [
        Entry(PurePosixPath(called), partial(read_file, path))
        for called, path in files.items()
        if called.lower().endswith(LISTED) and path.is_file() and not path.is_symlink()
    ]
    return read_entries(clean(name), entries, defaultdict(list))


def safe(name: str) -> str:
    """A name of a folder: letters and digits of any script, and no surprises."""
    name = unicodedata.normalize("NFC", name)
    kept = "".join(sign if sign.isalnum() or sign in "-_." else "-" for sign in name)
    kept = kept[:LONGEST].encode()[: 2 * LONGEST].decode(errors="ignore")
    return kept.strip("-.") or "unnamed"
