"""What a sampler drew, as the judge sees it: every image is looked up in the data by its pixels."""

import functools
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from autograder.record import Task
from fewshot.data.store import Store

UNKNOWN = -1


class Library:
    """The images of a data folder, to be found by their pixels.

    Six pairs of Omniglot's 28×28 images are identical, each within one character, so a pattern
    has a character and a number of copies.

    Attributes:
        store: the folder's images.
        copies: [patterns], how many images look like this one.
        characters: [patterns], the character that it shows, an index into `store.characters`.
        drawings: [patterns], which of that character's images it is.
    """

    def __init__(self, folder: Path) -> None:
        self.store = Store.load(folder)
        images = self.store.images.numpy()
        patterns, first, self.copies = np.unique(
            _items(np.packbits(images > 127, axis=-1)), return_index=True, return_counts=True
        )
        self.characters, self.drawings = np.divmod(first, images.shape[1])
        self.number = {pattern.tobytes(): number for number, pattern in enumerate(patterns)}

    def find(self, ink: np.ndarray) -> np.ndarray:
        """The pattern of each image: packed bits [..., 98] → int [...], UNKNOWN if not there."""
        numbers = [self.number.get(item.tobytes(), UNKNOWN) for item in _items(ink)]
        return np.array(numbers, dtype=np.int64).reshape(ink.shape[:-1])


@functools.lru_cache(maxsize=1)
def load_library(folder: Path) -> Library:
    """The library of a folder; who grades many submissions reads it once."""
    return Library(folder)


def _items(bits: np.ndarray) -> np.ndarray:
    """uint8 [..., 98] → one opaque item an image."""
    return np.ascontiguousarray(bits).view(f"V{bits.shape[-1]}").ravel()


@dataclass(frozen=True)
class Tasks:
    """T tasks of one kind. Of a pixel it is kept whether it is ink: the data has no grey.

    Attributes:
        library: where the images are looked up.
        shot, way, split: what was asked for.
        paper, ink: the two values of a pixel as the sampler returned them, lowest and highest,
            the other way round where dark is high.
        bits: uint8 [T, K+1, N, 98], a bit a pixel, set where it is ink.
        grey: bool [T, K+1, N], whether an image has a pixel that is neither.
        labels: [T, K+1, N, N], as they came.
    """

    library: Library
    shot: int
    way: int
    split: str
    paper: float
    ink: float
    bits: np.ndarray
    grey: np.ndarray
    labels: np.ndarray

    @cached_property
    def patterns(self) -> np.ndarray:
        """Which image of the library: int [T, K+1, N]."""
        return self.library.find(self.bits)

    @cached_property
    def characters(self) -> np.ndarray:
        """Which character: int [T, K+1, N], UNKNOWN for an image that is not in the data."""
        found = self.library.characters[self.patterns]
        return np.where(self.patterns == UNKNOWN, UNKNOWN, found)

    @cached_property
    def classes(self) -> np.ndarray:
        """The class in each label: int [T, K+1, N]."""
        return self.labels.argmax(axis=-1)

    @cached_property
    def one_hot(self) -> np.ndarray:
        """Whether each label is a one-hot vector: bool [T, K+1, N]."""
        exact = (self.labels == 0) | (self.labels == 1)
        return exact.all(axis=-1) & (self.labels.sum(axis=-1) == 1)

    @property
    def size(self) -> str:
        """K and N in words."""
        return f"K = {self.shot}, N = {self.way}"

    @property
    def kind(self) -> str:
        """The same, and the split unless it is that of training."""
        return self.size if self.split == "train" else f"{self.size} and the {self.split} split"

    def where(self, those: np.ndarray) -> "Tasks":
        """Some of the tasks: bool [T]."""
        return replace(
            self, bits=self.bits[those], grey=self.grey[those], labels=self.labels[those]
        )

    def picture(self, wrong: np.ndarray, caption: str) -> Task:
        """The first task in which bool `wrong` [T, K+1, N] marks a cell, to look at."""
        task = int(wrong.any(axis=(1, 2)).argmax())
        labels = [
            [f"class {c}" if proper else "not one-hot" for c, proper in zip(*row, strict=True)]
            for row in zip(self.classes[task], self.one_hot[task], strict=True)
        ]
        cells = [(int(row), int(column)) for row, column in np.argwhere(wrong[task])]
        images = np.unpackbits(self.bits[task], axis=-1).astype(np.float32)
        return Task(images, labels, cells, caption)


def see(library: Library, shot: int, way: int, split: str, chunks: list[dict]) -> Tasks:
    """Tasks from the arrays that a sampler returned, in several chunks of equal kind.

    Whether high values are ink is told by which of the two is found in the data.
    """
    low = min(float(chunk["images"].min()) for chunk in chunks)
    high = max(float(chunk["images"].max()) for chunk in chunks)
    middle = (low + high) / 2
    bright = np.concatenate([np.packbits(chunk["images"] > middle, axis=-1) for chunk in chunks])
    grey = np.concatenate([has_grey(chunk["images"], low, high) for chunk in chunks])
    labels = np.concatenate([chunk["labels"] for chunk in chunks])
    few = bright[:5]
    inverted = (library.find(~few) != UNKNOWN).sum() > (library.find(few) != UNKNOWN).sum()
    if inverted:
        return Tasks(library, shot, way, split, high, low, ~bright, grey, labels)
    return Tasks(library, shot, way, split, low, high, bright, grey, labels)


def has_grey(images: np.ndarray, low: float, high: float) -> np.ndarray:
    """Whether an image has a pixel that is a tenth or more from both: [..., 784] → bool [...]."""
    margin = (high - low) / 10
    return ((images > low + margin) & (images < high - margin)).any(axis=-1)
