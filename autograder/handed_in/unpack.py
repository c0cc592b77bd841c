"""List and read what may be Python in a folder or a zip: no link is followed, no header believed.

A student made every byte, name and size here. The files of a folder and those of a zip look the
same afterwards: a path and a way to read it into memory.
"""

import io
import os
import stat
import zipfile
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import BinaryIO

LISTED = (".py", ".ipynb", ".py.txt", ".ipynb.txt", ".zip")  # how names end
MAX_LISTED = 2000
MAX_DIRECTORY = 10 << 20  # bytes of a zip's table of contents: enough for Omniglot twice
IGNORED = {"__MACOSX", "__pycache__", "node_modules", "site-packages"}  # and all with a dot first
LINK = "links are not followed, so hand in what they point to"
SPECIAL = "this is neither a file nor a folder"
OUTSIDE = "the name leads out of the zip"
MAX_DEPTH = 64
DEEP = f"it lies in more than {MAX_DEPTH} folders"
UNREADABLE = "it cannot be opened"

ALONE = "hand in hw1.py, load_data.py and what they import"

LeftOut = defaultdict[str, list[str]]  # why → the names of what was left out


class Unusable(Exception):
    """Why a file cannot be used and the way out, to follow its name in a sentence."""


@dataclass(frozen=True)
class Entry:
    """One file.

    Attributes:
        path: below the folder or the zip that was listed.
        read: its first bytes, at most as many as asked for; raises Unusable.
    """

    path: PurePosixPath
    read: Callable[[int], bytes]


def list_folder(folder: Path, left_out: LeftOut) -> list[Entry]:
    """The files below a folder, the shallow ones first.

    Raises:
        Unusable: it cannot be opened, or holds too many files.
    """
    entries, folders = [], [PurePosixPath()]
    for parent in folders:  # grows meanwhile
        try:
            with os.scandir(folder / parent) as scan:
                found = sorted(scan, key=lambda item: item.name)
        except OSError:
            if not parent.parts:
                raise Unusable("cannot be opened: make it readable") from None
            left_out[UNREADABLE].append(str(parent))
            continue
        for item in found:
            path = parent / item.name
            if is_ignored(path):
                continue
            if item.is_symlink():
                left_out[LINK].append(str(path))
            elif item.is_dir(follow_symlinks=False):
                folders.append(path)
            elif not item.is_file(follow_symlinks=False):  # opening a pipe could wait for ever
                left_out[SPECIAL].append(str(path))
            elif item.name.lower().endswith(LISTED):
                entries.append(Entry(path, partial(read_file, folder / path)))
    return limit_number(entries)


def read_file(path: Path, limit: int) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(limit)
    except OSError:
        raise Unusable("cannot be opened: make it readable") from None


def list_zip(file: BinaryIO, left_out: LeftOut) -> list[Entry]:
    """The files in a zip. `file` must stay open while they are read.

    Raises:
        Unusable: it is not a zip, is damaged, or holds too many files.
    """
    try:
        archive = zipfile.ZipFile(_WaryReader(file))
    except Unusable:
        raise
    except Exception:  # damage has many names
        raise Unusable("is damaged or not a zip: zip hw1.py and load_data.py again") from None
    entries = {}  # of two files with one name the later counts, as it does for unzip
    for info in archive.infolist():
        name = info.filename.replace("\\", "/")  # some Windows tools write these
        if name.count("/") > MAX_DEPTH:  # a thousand levels take seconds to look at
            left_out[DEEP].append("…" + name[-40:])
            continue
        path = PurePosixPath(name)
        kind = stat.S_IFMT(info.external_attr >> 16)
        if path.is_absolute() or ".." in path.parts or name[1:2] == ":":
            left_out[OUTSIDE].append(info.filename)
        elif name.endswith("/") or kind == stat.S_IFDIR or is_ignored(path):
            continue
        elif kind == stat.S_IFLNK:
            left_out[LINK].append(name)
        elif kind not in (0, stat.S_IFREG):
            left_out[SPECIAL].append(name)
        elif name.lower().endswith(LISTED):
            entries[path] = Entry(path, partial(read_member, archive, info))
    return limit_number(list(entries.values()))


def read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, limit: int) -> bytes:
    if info.flag_bits & 0x1:
        raise Unusable("is encrypted: zip it again without a password")
    # Bzip2 and LZMA take memory without a bound before their first byte comes out.
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise Unusable("is packed in an unusual way: zip it again with your system's own tool")
    try:
        with archive.open(info) as file:
            return file.read(limit)
    except Exception:  # a wrong checksum, a cut stream, a header that lies
        raise Unusable("is damaged in the zip: zip it again") from None


def is_ignored(path: PurePosixPath) -> bool:
    """Whether a file comes from a tool, not from a student: ._hw1.py, .git, __MACOSX, …"""
    return any(part.startswith(".") or part in IGNORED for part in path.parts)


def limit_number(entries: list[Entry]) -> list[Entry]:
    if len(entries) > MAX_LISTED:
        raise Unusable(f"holds more than {MAX_LISTED} Python files: {ALONE}")
    return entries


class _WaryReader(io.BufferedReader):
    """Refuses a table of contents that would fill the memory: `ZipFile` reads it in one piece."""

    def read(self, size: int = -1) -> bytes:
        if size > MAX_DIRECTORY:
            raise Unusable(f"holds more files than can be listed: {ALONE}")
        return super().read(size if size >= 0 else MAX_DIRECTORY)
