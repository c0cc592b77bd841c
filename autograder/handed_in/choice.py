"""Which of the files are hw1.py and load_data.py."""

import re
from collections import defaultdict
from pathlib import PurePosixPath

from autograder.handed_in.names import clean, join, show_folder
from autograder.handed_in.notebook import is_notebook
from autograder.handed_in.sizes import MAX_FILE
from autograder.handed_in.unpack import Entry, Unusable

WANTED = ("hw1.py", "load_data.py")
BOTH = "hw1.py and load_data.py"

# alice_12345_678901_hw1.py, alice_LATE_12345_678901_hw1-2.py, hw1 (1).py, HW1_final.py, hw1.py.txt
ALIKE = re.compile(
    r"(?:(?P<owner>.+?)_(?:late_)?(?P<user>\d+)_\d+_)?(?:copy of )?(?P<stem>hw1|load_data)"
    r"(?:[ _-]*\(\d+\)|[ _-]+\d+|[ _-]*(?:copy|final|submission|solution|v)\d*)*"
    r"\.(?:py|ipynb)(?:\.txt)?",
    re.IGNORECASE | re.ASCII,
)


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
        answered = sum(not has_stub(files[0]) for files in folders[folder].values())
        depth, name = -len(folder.parts), str(folder)
        return len(folders[folder]), scripts, depth, answered, numbers(folder), name

    worth = {folder: worth_of_folder(folder) for folder in folders}  # reads files, so once
    chosen, notes, owners = {}, [], set()
    for wanted in WANTED:
        holders = [folder for folder, found in folders.items() if wanted in found]
        if not holders:
            continue
        files = folders[max(holders, key=worth.get)][wanted]
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
    """The parts of a name that is meant to be hw1.py or load_data.py."""
    return ALIKE.fullmatch(entry.path.name)


def worth_of_file(entry: Entry) -> tuple:
    """Scripts before notebooks, the exact name before others, then the highest number."""
    exact = entry.path.stem in ("hw1", "load_data")
    return not is_notebook(entry), exact, numbers(entry.path), entry.path.name


def has_stub(entry: Entry) -> bool:
    """Whether a file still has a stub of the starter's."""
    try:
        return b'raise NotImplementedError("Problem' in entry.read(MAX_FILE)
    except Unusable:
        return False


def is_zip(path: PurePosixPath) -> bool:
    """Whether a name is that of a zip."""
    return path.suffix.lower() == ".zip"


def numbers(path: PurePosixPath) -> tuple[int, ...]:
    """The numbers in a name: the second upload, or the tenth copy, has the larger ones."""
    return tuple(int(number) for number in re.findall("[0-9]{1,18}", path.name))


def name_missing(name: str, chosen: dict[str, Entry], entries: list[Entry]) -> list[str]:
    """Why a wanted file was not found and what to do, a sentence each."""
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
