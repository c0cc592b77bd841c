"""Omniglot (Lake et al., 2015) from its two archives, known by content and not by zip bytes."""

import io
import re
import stat
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from fewshot.data import archives
from fewshot.data.errors import DataError
from fewshot.data.folder import digest

NAMES = ("images_background.zip", "images_evaluation.zip")
SOURCE = "omniglot"
SIZE = 28

# Digests of the 28 by 28 images (`folder.digest`): of both archives together, and of each half.
DIGEST = "25c0ab2011a0e95811bc6e102acaffddae2d39f254738d8e616980b2a19dc3f5"
HALVES = {
    "background": (
        range(1, 965),
        "3304be05aeb7210a54d6f96092aeda0b750ed6a217eead2f327d4f1622c65a54",
    ),
    "evaluation": (
        range(965, 1624),
        "4b1ebc3e5417e43d8b931953d663aba91de9e3fe122044b35fe6c6f033ef1e9c",
    ),
}

OFFICIAL_SIZE = (105, 105)
MAX_ENTRY_BYTES = 1 << 13  # compressed or not; the largest official PNG has 522 bytes
IMAGE = re.compile(r"(?:.*/)?([^/]+/character\d\d/(\d{4}_\d\d)\.png)")


def load(given: Path | None, cache: Path) -> dict[str, np.ndarray]:
    """All 1,623 characters: "ALPHABET/characterNN/XXXX_YY.png" → uint8 [28, 28], ink 255.

    Args:
        given: folder of the archives; None to look in $OMNIGLOT_ARCHIVES, then to download.
        cache: folder where downloaded archives are kept.

    Raises:
        DataError: an archive is missing, damaged or not the official one.
    """
    images = {}
    for name in NAMES:
        images |= archives.get(name, given, cache, read_archive)
    if digest(images) != DIGEST:  # each archive is a whole half, so it is the same one
        raise DataError(
            f"{' and '.join(NAMES)} hold the same images: replace the wrong one with the "
            f"official one of {archives.OFFICIAL_URL}."
        )
    return images


def read_archive(file: Path, called: str) -> dict[str, np.ndarray]:
    """The images of one archive, verified to be a whole half of Omniglot.

    Args:
        file: the zip archive; entries may be compressed, ordered and prefixed in any way.
        called: what messages call it.

    Returns:
        "ALPHABET/characterNN/XXXX_YY.png" → uint8 [28, 28], ink 255 and paper 0.

    Raises:
        DataError: `called` and its fault, without the way out and the full stop.
    """
    with _open(file, called) as archive:
        paths, half = _contents(archive, called)
        images = {
            path: _read_image(archive, entry, called)
            for path, entry in tqdm(paths.items(), f"reading {half}", unit="image")
        }
    if digest(images) != HALVES[half][1]:
        raise DataError(f"{called} holds other pixels or names than the official {half} images")
    return images


def _open(file: Path, called: str) -> zipfile.ZipFile:
    try:
        if file.stat().st_size > archives.MAX_BYTES:
            raise DataError(f"{called} is far larger than the official archive")
        with file.open("rb") as start:
            head = start.read(512).lstrip()
    except OSError as error:
        raise DataError(f"{called} cannot be read ({error.strerror})") from error
    try:
        return zipfile.ZipFile(file)
    except Exception as error:  # zipfile names damage in many ways
        if not head:
            fault = "is empty"
        elif head.startswith(b"<"):
            fault = "is a web page, not a zip archive"
        elif head.startswith(b"PK"):
            fault = "is a zip archive cut short or damaged"
        else:
            fault = "is not a zip archive"
        raise DataError(f"{called} {fault}") from error


def _contents(archive: zipfile.ZipFile, called: str) -> tuple[dict[str, zipfile.ZipInfo], str]:
    """The images by path, and the half that they are; refuses all others unread."""
    paths, found = {}, set()
    for entry in archive.infolist():
        name = entry.orig_filename
        parts = name.split("/")
        # Nothing is written under these names, but an honest archive has none of them.
        leaves = name.startswith("/") or ".." in parts or re.search(r"\\|^[A-Za-z]:|\0", name)
        if leaves or stat.S_ISLNK(entry.external_attr >> 16):
            raise DataError(f"{called} holds an entry that leads out of its folder ({name!r})")
        hidden = any(part.startswith(".") or part == "__MACOSX" for part in parts)
        if hidden or not name.endswith(".png"):
            continue
        match = IMAGE.fullmatch(name)
        if not match:
            raise DataError(f"{called} holds an image that is not Omniglot's ({name!r})")
        path, drawing = match.groups()
        if drawing in found:
            raise DataError(f"{called} holds image {drawing} twice")
        paths[path] = entry
        found.add(drawing)

    drawings = {
        half: {f"{character:04}_{drawer:02}" for character in characters for drawer in range(1, 21)}
        for half, (characters, _) in HALVES.items()
    }
    half = max(drawings, key=lambda half: len(drawings[half] & found))
    if missing := drawings[half] - found:
        raise DataError(
            f"{called} lacks {len(missing):,} of the {len(drawings[half]):,} {half} images "
            f"(the first is {min(missing)}.png)"
        )
    if foreign := found - drawings[half]:
        raise DataError(f"{called} holds an image that is not Omniglot's ({min(foreign)}.png)")
    return paths, half


def _read_image(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, called: str) -> np.ndarray:
    size = max(entry.file_size, entry.compress_size)
    if size > MAX_ENTRY_BYTES:
        raise DataError(f"{called} holds {entry.filename} of {size:,} bytes, too many for a PNG")
    try:
        with archive.open(entry) as file:
            png = file.read(MAX_ENTRY_BYTES)  # a bound, for the sizes above may be lies
        with Image.open(io.BytesIO(png), formats=["PNG"]) as image:
            if image.size != OFFICIAL_SIZE or image.mode != "1":
                width, height = image.size
                raise DataError(
                    f"{called} holds {entry.filename} as {width} by {height} pixels of mode "
                    f"{image.mode}, not as 105 by 105 of 1 bit"
                )
            small = image.resize((SIZE, SIZE), Image.Resampling.NEAREST)
    except DataError:
        raise
    except Exception as error:  # zipfile, its compressions and Pillow name damage in many ways
        raise DataError(f"{called} is damaged at {entry.filename} ({error})") from error
    return 255 - np.asarray(small.convert("L"))
