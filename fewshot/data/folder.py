"""An image folder in the course's layout, written whole or not at all, and its packed twin.

    omniglot_resized/ALPHABET/characterNN/XXXX_YY.png     1-bit PNGs, ink black on white
    omniglot_resized.npz                                  the same images as one array

The twin lies beside the folder, not in it, because homework code lists the folder and
expects alphabets only. In memory an image is uint8, ink 255 and paper 0, so that
dividing by 255 gives the homework's ink 1.
"""

import contextlib
import glob
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from fewshot.data.errors import DataError

# What Pillow raises for a damaged file: the word depends on where the damage is.
UNREADABLE = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)


def packed_path(folder: Path) -> Path:
    """Where the packed twin of `folder` lies."""
    return folder.with_name(folder.name + ".npz")


def digest(images: Mapping[str, np.ndarray]) -> str:
    """SHA-256 of a folder's pixels, whatever the bytes of its files.

    Args:
        images: relative POSIX path → uint8 image, ink 255.
    """
    sha = hashlib.sha256()
    for path in sorted(images):
        paper = images[path].reshape(-1) <= 127
        sha.update(path.encode() + b"\0" + np.packbits(paper).tobytes())
    return sha.hexdigest()


def read_folder(folder: Path, describe: str = "reading") -> dict[str, np.ndarray]:
    """Every PNG under `folder`: relative POSIX path → uint8 [height, width], ink 255.

    Raises:
        DataError: a file is not an image.
    """
    images = {}
    for file in tqdm(_pngs(folder).values(), describe, unit="image", leave=False):
        try:
            with Image.open(file) as image:
                images[file.relative_to(folder).as_posix()] = 255 - np.asarray(image.convert("L"))
        except UNREADABLE as error:
            raise DataError(f"{file} is not a readable image: delete it and run again.") from error
    return images


def read_packed(folder: Path) -> tuple[str, dict[str, np.ndarray]] | None:
    """What the twin of `folder` was made from, and relative POSIX path → uint8 [784], ink 255.

    None without a whole twin.
    """
    try:
        with np.load(packed_path(folder)) as packed:
            images = dict(zip(packed["paths"].tolist(), packed["images"], strict=True))
            return str(packed["source"]), images
    except Exception:  # NumPy, zipfile and zlib name damage in many ways
        return None


def packed_source(folder: Path) -> str | None:
    """What `folder` was made from, as its twin says; None without a whole twin."""
    packed = read_packed(folder)
    return packed and packed[0]


def is_complete(folder: Path, source: str) -> bool:
    """Whether `folder` and its twin are there, of the same images, and made from `source`.

    The files are listed, not decoded: `publish` writes them all alike, so that one which was
    emptied or cut short has another size.
    """
    packed = read_packed(folder)
    if packed is None or packed[0] != source:
        return False
    files = _pngs(folder)
    sizes = {file.lstat().st_size for file in files.values()}
    return files.keys() == packed[1].keys() and len(sizes) == 1 and sizes != {0}


def publish(folder: Path, images: Mapping[str, np.ndarray], source: str) -> None:
    """Write `images` as `folder` and its twin; each appears under its name only when whole.

    A folder that is already there is kept when its pixels are the same, and replaced when it
    holds nothing but files of the same names.

    Args:
        folder: where to write; its parent is made if it is missing.
        images: relative POSIX path → uint8 [height, width], ink 255 and paper 0.
        source: what the images were made from, kept in the twin.

    Raises:
        DataError: `folder` holds files that are not of these images, another run writes it at
            the same time, or the disk refuses.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _staging(folder) as staging:
            keep = _same(folder, images)
            if not keep:
                _refuse_foreign(folder, images)
                _write_pngs(staging / "folder", images, folder.name)
            _write_packed(staging / "packed", images, source)
            if not keep:
                packed_path(folder).unlink(missing_ok=True)  # first: no twin outlives its folder
                if folder.exists():
                    os.rename(folder, staging / "replaced")
                os.rename(staging / "folder", folder)
            os.replace(staging / "packed", packed_path(folder))
    except FileNotFoundError as error:
        raise DataError(
            f"Another run is writing {folder}: let it finish, then run again."
        ) from error
    except OSError as error:
        raise DataError(
            f"Cannot write {folder} ({error.strerror or error}): make room or choose another --out."
        ) from error


@contextlib.contextmanager
def _staging(folder: Path) -> Iterator[Path]:
    """A new directory beside `folder`; those that killed runs left are removed.

    A run that is still alive loses its directory at once, by a rename, and so stops with an
    error where two runs sharing one directory could publish half a folder.
    """
    prefix = f".{folder.name}-partial-"
    staging = Path(tempfile.mkdtemp(prefix=prefix, dir=folder.parent))
    try:
        for left in folder.parent.glob(glob.escape(prefix) + "*"):
            if left != staging:
                with contextlib.suppress(FileNotFoundError):
                    os.rename(left, staging / left.name)
                shutil.rmtree(staging / left.name, ignore_errors=True)
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _pngs(folder: Path) -> dict[str, Path]:
    return {file.relative_to(folder).as_posix(): file for file in sorted(folder.rglob("*.png"))}


def _same(folder: Path, images: Mapping[str, np.ndarray]) -> bool:
    if _pngs(folder).keys() != images.keys():
        return False
    try:
        found = read_folder(folder, f"checking {folder.name}")
    except DataError:
        return False  # a damaged file: the folder is written again
    return all(np.array_equal(found[path], images[path]) for path in images)


def _refuse_foreign(folder: Path, images: Mapping[str, np.ndarray]) -> None:
    if folder.exists() and not folder.is_dir():
        raise DataError(f"{folder} is a file: remove it or choose another --out.")
    for file in folder.rglob("*"):
        path = file.relative_to(folder)
        if path.as_posix() not in images and (file.is_symlink() or not file.is_dir()):
            raise DataError(
                f"{folder} holds other files ({path}): move it away or choose another --out."
            )


def _write_pngs(folder: Path, images: Mapping[str, np.ndarray], name: str) -> None:
    # All directories first, so that a run whose staging is taken away fails at its next file.
    for parent in {(folder / path).parent for path in images}:
        parent.mkdir(parents=True, exist_ok=True)
    for path, image in tqdm(images.items(), f"writing {name}", unit="image"):
        # Uncompressed: zlib's bytes differ between its versions, stored blocks do not.
        Image.fromarray(255 - image).convert("1").save(folder / path, compress_level=0)


def _write_packed(packed: Path, images: Mapping[str, np.ndarray], source: str) -> None:
    paths = sorted(images)
    with open(packed, "wb") as file:
        np.savez_compressed(
            file,
            paths=np.array(paths),
            images=np.stack([images[path].reshape(-1) for path in paths]),
            source=np.array(source),
        )
