"""Find a student's hw1.py and load_data.py in whatever was handed in, without running any of it.

Students hand in folders, zips, zips in folders, downloads of Canvas and Gradescope, "hw1 (1).py",
notebooks. What can be made out is taken, with a note; what cannot is a problem with its way out.
"""

import ast
import codecs
import io
import json
import re
import sys
import warnings
from collections import defaultdict
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from autograder.unpack import Entry, LeftOut, Unusable, limit_number, list_folder, list_zip

WANTED = ("hw1.py", "load_data.py")
BOTH = "hw1.py and load_data.py"

# Homework is small, and whoever has no room cannot hand in trained weights as text: 470,000 of them
# take more than MAX_TOTAL as text, at four bits each.
MAX_FILE = 128 << 10  # bytes of one Python file
MAX_NOTEBOOK = 4 << 20  # bytes of one notebook, pictures included
MAX_FILES = 50
MAX_TOTAL = 256 << 10  # bytes of all Python files together
MAX_INNER_ZIPS = 20  # zips in what was handed in
MAX_INNER_BYTES = 32 << 20  # of all of them together

# With sys.stdlib_module_names, what the homework and the grader's child import.
LIBRARIES = {
    *("torch", "torchgen", "numpy", "imageio", "tensorboard", "tqdm", "PIL"),
    *("absl", "fsspec", "google", "packaging", "setuptools", "sympy"),
    *("typing_extensions", "pytest", "conftest", "sitecustomize", "usercustomize"),
    *("child", "import_effects", "stand_in", "wire", "hw1", "load_data"),
}
IMPORTERS = ("import_module", "__import__")
HIDES = "files of that name would be imported in the place of others, so rename them"
CROWDED = f"a submission has room for {MAX_FILES} Python files with {MAX_TOTAL >> 10} KiB together"

# alice_12345_678901_hw1.py, alice_LATE_12345_678901_hw1-2.py, hw1 (1).py, HW1_final.py, hw1.py.txt
ALIKE = re.compile(
    r"(?:(?P<owner>.+?)_(?:late_)?(?P<user>\d+)_\d+_)?(?:copy of )?(?P<stem>hw1|load_data)"
    r"(?:[ _-]*\(\d+\)|[ _-]+\d+|[ _-]*(?:copy|final|submission|solution|v)\d*)*"
    r"\.(?:py|ipynb)(?:\.txt)?",
    re.IGNORECASE | re.ASCII,
)
NOT_PYTHON = {  # how it starts, in lower case
    b"%pdf": "a PDF",
    b"pk\x03\x04": "a zip or a Word file",
    b"\xd0\xcf\x11\xe0": "a Word file",
    b"{\\rtf": "an RTF text",
    b"\x89png": "a picture",
    b"<!doctype": "a web page",
    b"<html": "a web page",
}
# What Python takes for a declaration of the encoding, in one of the first two lines.
COOKIE = re.compile(r"\A((?:[ \t\f]*(?:#.*)?\n)?[ \t\f]*#.*?coding[:=][ \t]*)([-\w.]+)", re.ASCII)
# Those of editors; others, such as punycode, are attacks or make text that UTF-8 cannot hold.
DECLARED = {"utf-8", "ascii", "iso8859-1", "iso8859-15", "cp1250", "cp1251", "cp1252", "koi8-r"} | {
    *("gbk", "gb2312", "gb18030", "big5", "shift_jis", "cp932", "euc_jp", "euc_kr", "cp949"),
}
# %matplotlib inline, !pip install, ?torch, torch.cat??, files = !ls
MAGIC = re.compile(r"%{1,2}[A-Za-z]|[!?]|[\w.]+\?{1,2}\s*$|[\w, ]+=\s*(?:!|%[A-Za-z])")
CELL_MAGIC = re.compile(r"%%(?!time|capture)")  # %%bash and its like: the cell is not Python


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
    read_companions(entries, chosen, submission, left_out)
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


# What there is


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


# What to take


def choose(entries: list[Entry]) -> tuple[dict[str, Entry], list[str]]:
    """Pick a file for each wanted name, from one folder if it can be, and say what was unusual.

    Raises:
        Unusable: the files are those of several students.
    """
    folders = defaultdict(lambda: defaultdict(list))  # folder → wanted name → its files
    for entry in sorted(filter(match_name, entries), key=worth_of_file, reverse=True):
        folders[entry.path.parent][f"{match_name(entry)['stem'].lower()}.py"].append(entry)

    def worth_of_folder(folder: PurePosixPath) -> tuple:
        scripts = sum(not is_notebook(files[0]) for files in folders[folder].values())
        return len(folders[folder]), scripts, -len(folder.parts), numbers(folder), str(folder)

    chosen, notes, owners = {}, [], set()
    for wanted in WANTED:
        holders = [folder for folder, found in folders.items() if wanted in found]
        if not holders:
            continue
        files = folders[max(holders, key=worth_of_folder)][wanted]
        chosen[wanted], *others = files
        name = chosen[wanted].path.name
        if name != wanted:
            owners |= {(match_name(file)["owner"], match_name(file)["user"]) for file in files}
        if name != wanted or others:
            how = "" if name == wanted else f" as {wanted}"
            cells = ", its code cells without IPython commands" if is_notebook(files[0]) else ""
            instead = f", not {join([file.path.name for file in others])}" if others else ""
            notes.append(f"{clean(name)} was taken{how}{cells}{instead}.")

    owners.discard((None, None))
    if len(owners) > 1:
        names = join(sorted(owner for owner, _ in owners))
        raise Unusable(f"holds the files of several students, {names}: give those of one")
    sources = {entry.path.parent for entry in chosen.values()}
    if len(sources) > 1:
        places = join([str(entry.path) for entry in chosen.values()])
        notes.append(f"Files from different folders were taken together: {places}.")
    elif others := folders.keys() - sources:
        notes.append(
            f"The files of {show_folder(*sources)} were taken, not those of "
            f"{join(sorted(map(show_folder, others)))}."
        )
    return chosen, notes


def match_name(entry: Entry) -> re.Match | None:
    return ALIKE.fullmatch(entry.path.name)


def worth_of_file(entry: Entry) -> tuple:
    """Scripts before notebooks, the exact name before others, then the highest number."""
    exact = entry.path.stem in ("hw1", "load_data")
    return not is_notebook(entry), exact, numbers(entry.path), entry.path.name


def is_notebook(entry: Entry) -> bool:
    return ".ipynb" in entry.path.name.lower()


def is_zip(path: PurePosixPath) -> bool:
    return path.suffix.lower() == ".zip"


def numbers(path: PurePosixPath) -> tuple[int, ...]:
    """The numbers in a name: the second upload, or the tenth copy, has the larger ones."""
    return tuple(int(number) for number in re.findall("[0-9]{1,18}", path.name))


def name_missing(name: str, chosen: dict[str, Entry], entries: list[Entry]) -> list[str]:
    folders = {part for entry in entries for part in entry.path.parts[:-1]}
    if not chosen and any(is_zip(x.path) and any(map(is_zip, x.path.parents)) for x in entries):
        return [f"{name} holds zips within zips: hand in {BOTH} in one zip."]
    if not chosen and not folders & {*WANTED}:
        return [
            f"{name} holds neither hw1.py nor load_data.py: hand in a folder or a zip with these "
            "two files (a .rar, .7z or .tar cannot be opened)."
        ]
    return [
        f"{wanted} is a folder: hand in a file of that name."
        if wanted in folders
        else f"{wanted} is missing: hand it in together with your other file."
        for wanted in WANTED
        if wanted not in chosen
    ]


# What is in it


def read_chosen(chosen: dict[str, Entry], submission: Submission) -> None:
    for wanted, entry in chosen.items():
        name = clean(entry.path.name)
        if name != wanted:
            name = f"{name}, taken as {wanted},"
        try:
            text, notes = read_text(entry)
            if not text.strip():
                raise Unusable("is empty: hand in the file with your code")
        except Unusable as error:
            submission.problems.append(f"{name} {error}.")
            continue
        submission.files[wanted] = text
        submission.notes.extend(f"{name} {note}." for note in notes)
        try:
            parse(text)
        except Unusable as error:
            submission.problems.append(f"{name} {error}.")


def read_companions(
    entries: list[Entry], chosen: dict[str, Entry], submission: Submission, left_out: LeftOut
) -> None:
    """Take the other Python files that the chosen ones can import."""
    companions = {}
    for source in {entry.path.parent: None for entry in chosen.values()}:
        for entry in entries:
            if entry.path.parent == source and entry in chosen.values():
                continue
            if source in entry.path.parents and is_importable(entry.path.relative_to(source)):
                companions.setdefault(entry.path.relative_to(source), entry)

    by_name = defaultdict(list)  # as in `import NAME` → its file, or the files of its folder
    inner = defaultdict(list)  # the same for a folder that the code may put on Python's path
    for path in sorted(companions, key=lambda path: (len(path.parts), path)):
        name, *below = path.with_suffix("").parts
        if not is_taken(name):
            by_name[name].append(path)
            for part in {*below} - {"__init__"}:
                if not is_taken(part):
                    inner[part].append(path)
        elif str(path) in (f"{name}.py", f"{name}/__init__.py"):
            left_out[HIDES].append(str(path))

    texts, seen = list(submission.files.values()), set()
    room, tried = MAX_TOTAL - sum(map(size, texts)), len(texts)
    for text in texts:  # grows meanwhile
        found = [by_name.get(name) or inner.get(name, []) for name in find_imports(text)]
        for path in dict.fromkeys(path for paths in found for path in paths):
            if path in seen:
                continue
            seen.add(path)
            tried += 1
            if tried > MAX_FILES:
                left_out[CROWDED].append(str(path))
                continue
            try:
                code, notes = read_text(companions[path])
            except Unusable as error:
                submission.notes.append(f"{clean(str(path))} {error}.")
                continue
            needed = size(code)
            if needed > room:
                left_out[CROWDED].append(str(path))
                continue
            room -= needed
            texts.append(code)
            submission.files[str(path)] = code
            submission.notes.extend(f"{clean(str(path))} {note}." for note in notes)


def find_imports(text: str) -> list[str]:
    """The first names of all imports, a.b.c counts as a, in the order of the alphabet.

    Also of those by a function, import_module("a.b"), and of files that are named, "a.py".
    """
    names = set()
    with suppress(Unusable):
        for node in ast.walk(parse(text)):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module.partition(".")[0])
            elif (
                isinstance(node, ast.Call)
                and getattr(node.func, "attr", getattr(node.func, "id", "")) in IMPORTERS
                and node.args
                and isinstance(getattr(node.args[0], "value", None), str)
            ):
                names.add(node.args[0].value.partition(".")[0])
            elif (
                isinstance(node, ast.Constant)
                and isinstance(node.value, str)  # the text of a number can be too long to write
                and node.value.endswith(".py")
            ):
                names.add(PurePosixPath(node.value).stem)  # loaded by its path
    return sorted(names)


def is_taken(name: str) -> bool:
    """Whether a module of that name would be imported in the place of another."""
    return name in LIBRARIES or name in sys.stdlib_module_names


def is_importable(path: PurePosixPath) -> bool:
    """Whether `import` finds a file of this name, which also makes it safe to write."""
    names = path.with_suffix("").parts
    return (
        path.suffix == ".py"
        and len(str(path).encode(errors="replace")) <= 200
        and all(name.isidentifier() for name in names)
    )


def read_text(entry: Entry) -> tuple[str, list[str]]:
    """The Python code of a script or a notebook with "\\n" line ends, and what was unusual.

    Raises:
        Unusable: it is too large, or not text.
    """
    limit = MAX_NOTEBOOK if is_notebook(entry) else MAX_FILE
    data = entry.read(limit + 1)
    if len(data) > limit:
        raise too_large(limit)
    text, notes = decode(data)
    if is_notebook(entry):
        text = take_cells(text)
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = COOKIE.sub(r"\1utf-8", text)  # as which it will be written
    if "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        raise Unusable("is not text: save it as UTF-8 text")
    if size(text) > MAX_FILE:
        raise too_large(MAX_FILE)
    return text, notes


def size(text: str) -> int:
    """Bytes of a text as it will be written."""
    return len(text.encode())


def too_large(limit: int) -> Unusable:
    return Unusable(f"is larger than {limit >> 10} KiB: hand in the code without weights or data")


def decode(data: bytes) -> tuple[str, list[str]]:
    start = data[:20].lstrip().lower()
    for mark, kind in NOT_PYTHON.items():
        if start.startswith(mark):
            raise Unusable(f"is {kind} and not Python code: hand in the script itself")
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        trusted, guesses = ["utf-16"], []
    elif data.startswith(codecs.BOM_UTF8):
        trusted, guesses = ["utf-8-sig"], []
    else:
        trusted, guesses = [*find_declared(data), "utf-8"], ["cp1252", "latin-1"]
    for encoding in trusted + guesses:
        with suppress(UnicodeDecodeError):
            text = data.decode(encoding)
            return text, [f"is not UTF-8 and was read as {encoding}"] * (encoding not in trusted)
    raise Unusable("is not text: save it as UTF-8 text")


def find_declared(data: bytes) -> list[str]:
    head = data[:1000].decode("latin-1").replace("\r\n", "\n").replace("\r", "\n")
    if cookie := COOKIE.match(head):
        with suppress(LookupError):
            name = codecs.lookup(cookie[2]).name
            return [name] if name in DECLARED else []
    return []


def take_cells(notebook: str) -> str:
    try:
        cells = json.loads(notebook)["cells"]
        sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    except (ValueError, LookupError, TypeError, RecursionError):
        raise Unusable("is not a notebook that can be read: hand in its code as a script") from None
    sources = ["" if CELL_MAGIC.match(source.lstrip()) else source for source in sources]
    if sum(map(len, sources)) > MAX_FILE:
        raise too_large(MAX_FILE)
    return "\n\n".join(map(leave_out_magics, sources)) + "\n"


def leave_out_magics(cell: str) -> str:
    """Replace IPython's own lines by `pass`, so that blocks stay blocks."""
    with suppress(Unusable):  # a line that starts with % can be plain Python
        parse(cell)
        return cell
    lines = [(line, line.lstrip()) for line in cell.split("\n")]
    return "\n".join(
        line[: len(line) - len(code)] + "pass" if MAGIC.match(code) else line
        for line, code in lines
    )


def parse(text: str) -> ast.Module:
    """Only parse: compiling a few hundred bytes of nested `finally` can take many seconds.

    Raises:
        Unusable: Python cannot read it.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except SyntaxError as error:
        raise Unusable(
            f"has a syntax error in line {error.lineno} ({clean(error.msg)}): correct it and run "
            f"it once with Python {sys.version_info.major}.{sys.version_info.minor}"
        ) from None
    except (ValueError, RecursionError, MemoryError, OverflowError):
        raise Unusable("is nested too deeply for Python: write it in simpler steps") from None


# How to say it


def clean(name: str) -> str:
    """A name from a student, fit for a message: no control characters, and not long."""
    name = "".join(letter if letter.isprintable() else "?" for letter in name)
    return name if len(name) <= 80 else f"{name[:40]}…{name[-39:]}"


def join(names: list[str]) -> str:
    shown = [clean(name) for name in names[:3]]
    if len(names) > 3:
        shown.append(f"{len(names) - 3} more")
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)


def show_folder(folder: PurePosixPath) -> str:
    return f"folder {folder}" if folder.parts else "the top folder"
