"""MNIST's handwritten digits (LeCun, Cortes and Burges), from a folder of its IDX files."""

import gzip
import zlib
from pathlib import Path

import numpy as np
import torch

from fewshot.data.errors import DataError

SIDE = 28
PARTS = ("train", "t10k")
IMAGES, LABELS = 0x0803, 0x0801  # IDX's magic numbers: bytes in 3 dimensions, in 1
SOURCE = "https://ossci-datasets.s3.amazonaws.com/mnist"


def load(folder: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """The digits of every part of MNIST that the folder holds, `train` before `t10k`.

    A part is two files, for instance t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte, each
    with or without .gz.

    Returns:
        images uint8 [digits, 784], ink 255, and labels int64 [digits].

    Raises:
        DataError: a part is incomplete, a file is damaged, or there is no part.
    """
    images, labels = [], []
    for part in PARTS:
        of_images, of_labels = f"{part}-images-idx3-ubyte", f"{part}-labels-idx1-ubyte"
        if not (find(folder, of_images) or find(folder, of_labels)):
            continue
        pixels = read(folder, of_images, IMAGES).reshape(-1, SIDE * SIDE)
        digits = read(folder, of_labels, LABELS)
        if len(pixels) != len(digits):
            raise DataError(
                f"{folder} has {len(pixels):,} images and {len(digits):,} labels in {part}: "
                f"get both files again from {SOURCE}."
            )
        images.append(pixels)
        labels.append(digits)
    if not images:
        raise DataError(
            f"{folder} holds no MNIST: put t10k-images-idx3-ubyte.gz and "
            f"t10k-labels-idx1-ubyte.gz from {SOURCE} there, or name another folder with --data."
        )
    return (
        torch.from_numpy(np.concatenate(images)),
        torch.from_numpy(np.concatenate(labels).astype(np.int64)),
    )


def find(folder: Path, name: str) -> Path | None:
    """The file of that name, or its .gz; None if there is neither."""
    files = (folder / name, folder / f"{name}.gz")
    return next((file for file in files if file.exists()), None)


def read(folder: Path, name: str, magic: int) -> np.ndarray:
    """An IDX file of bytes: big-endian int32 magic number and length of each axis, then the data.

    Raises:
        DataError: the file is missing or not what its name says.
    """
    file = find(folder, name)
    if file is None:
        raise DataError(f"{folder} lacks {name} or {name}.gz: get it from {SOURCE}.")
    try:
        content = file.read_bytes()
        if file.suffix == ".gz":
            content = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{file} cannot be read: get it again from {SOURCE}.") from error
    start = 4 * (1 + (magic & 0xFF))  # the magic number ends in the number of axes
    header = np.frombuffer(content[:start], ">i4") if len(content) >= start else [0]
    shape = tuple(int(length) for length in header[1:])
    data = np.frombuffer(content, np.uint8)[start:]
    if header[0] != magic or shape[1:] not in ((), (SIDE, SIDE)) or len(data) != np.prod(shape):
        raise DataError(f"{file} is damaged or no {name}: get it again from {SOURCE}.")
    return data.reshape(shape)
