"""The other Python files that a submission imports."""

import ast
import sys
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from pathlib import PurePosixPath

from autograder.handed_in.names import clean
from autograder.handed_in.sizes import MAX_FILES, MAX_PACKED, MAX_TOTAL, packed, size
from autograder.handed_in.syntax import parse
from autograder.handed_in.text import read_text
from autograder.handed_in.unpack import Entry, LeftOut, Unusable

# With sys.stdlib_module_names, what the homework and the grader's child import. Not autograder:
# that is beside the homework of whoever hands in the whole kit, and the child has its own by then.
LIBRARIES = {
    *("torch", "torchgen", "numpy", "imageio", "tensorboard", "tqdm", "PIL"),
    *("absl", "fsspec", "google", "packaging", "setuptools", "sympy"),
    *("typing_extensions", "pytest", "conftest", "sitecustomize", "usercustomize"),
    *("child", "hw1", "load_data"),
}
IMPORTERS = ("import_module", "__import__")
HIDES = "files of that name would be imported in the place of others, so rename them"
CROWDED = (
    f"a submission has room for {MAX_FILES} Python files with {MAX_TOTAL >> 10} KiB together, and "
    f"{MAX_PACKED >> 10} KiB when they are compressed"
)


def read_companions(
    entries: list[Entry],
    chosen: dict[str, Entry],
    files: dict[str, str],
    notes: list[str],
    left_out: LeftOut,
) -> None:
    """Add the other Python files that the chosen ones can import to `files`, which has theirs."""
    companions = find_companions(entries, chosen)
    by_name = group_by_name(companions, left_out)
    texts, seen = list(files.values()), set()
    room, tried = MAX_TOTAL - sum(map(size, texts)), len(texts)
    packed_room = MAX_PACKED - sum(map(packed, texts))
    for text in texts:  # grows meanwhile
        found = [path for name in find_imports(text) for path in by_name.get(name, [])]
        for path in dict.fromkeys(found):
            if path in seen:
                continue
            seen.add(path)
            tried += 1
            if tried > MAX_FILES:
                left_out[CROWDED].append(str(path))
                continue
            try:
                code, odd = read_text(companions[path])
            except Unusable as error:
                notes.append(f"{clean(str(path))} {error}.")
                continue
            needed, packed_needed = size(code), packed(code)
            if needed > room or packed_needed > packed_room:
                left_out[CROWDED].append(str(path))
                continue
            room -= needed
            packed_room -= packed_needed
            texts.append(code)
            files[str(path)] = code
            notes.extend(f"{clean(str(path))} {note}." for note in odd)


def find_companions(entries: list[Entry], chosen: dict[str, Entry]) -> dict[PurePosixPath, Entry]:
    """Path below the folder of a chosen file → the file."""
    companions = {}
    for source in {entry.path.parent: None for entry in chosen.values()}:
        for entry in entries:
            if entry.path.parent == source and entry in chosen.values():
                continue
            if source in entry.path.parents and is_importable(entry.path.relative_to(source)):
                companions.setdefault(entry.path.relative_to(source), entry)
    return companions


def group_by_name(
    companions: Iterable[PurePosixPath], left_out: LeftOut
) -> dict[str, list[PurePosixPath]]:
    """As in `import NAME` → its file, or the files of its folder.

    A file in a folder has its own name as well, for the code may put the folder on Python's path.
    """
    outer, inner = defaultdict(list), defaultdict(list)
    for path in sorted(companions, key=lambda path: (len(path.parts), path)):
        name, *below = path.with_suffix("").parts
        if not is_taken(name):
            outer[name].append(path)
            for part in {*below} - {"__init__"}:
                if not is_taken(part):
                    inner[part].append(path)
        elif str(path) in (f"{name}.py", f"{name}/__init__.py"):
            left_out[HIDES].append(str(path))
    return inner | outer


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
