"""Every image in memory: one uint8 tensor, and the published ways to split its characters.

    split      train  val  test
    cs330       1100  100   423   the homework's: by name, then shuffled with seed 1
    lake         964    –   659   30 background and 20 evaluation alphabets
    vinyals     1028  172   423   33, 5 and 13 alphabets; Gurmukhi lends 41 to train, 4 to test

`lake` is the split of Lake et al. 2015 ("Human-level concept learning through probabilistic
program induction"), exactly.

`vinyals` is that of Vinyals et al. 2016 ("Matching networks for one shot learning") as published
by Snell et al. 2017 ("Prototypical networks for few-shot learning"), rebuilt from its counts.
Test: in the order background, evaluation, each by name, the last 423 characters begin at
Gurmukhi's character42 and touch 13 alphabets, which is what was published. Train and val
together are therefore the first 1200. Which five of their alphabets are val does not follow
from the counts (5,410 choices have 172 characters): here it is the first choice by name, which
need not be the published one. So compare numbers from training on train and val together;
numbers from train alone are those of a close relative.

A folder of 1623 characters with other names (the generated glyphs) is cut at the same sizes,
in the order of its names; for `vinyals` val comes before train.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from fewshot.data.errors import DataError
from fewshot.data.folder import read_folder, read_packed

SIDE = 28
OMNIGLOT_CHARACTERS = 1623
MAKE = "`python -m fewshot.data omniglot`"

PARTS = {
    "cs330": {"train": slice(0, 1100), "val": slice(1100, 1200), "test": slice(1200, None)},
    "lake": {"train": slice(0, 964), "test": slice(964, None)},
    "vinyals": {"val": slice(0, 172), "train": slice(172, 1200), "test": slice(1200, None)},
}

EVALUATION = {
    "Angelic",
    "Atemayar_Qelisayer",
    "Atlantean",
    "Aurek-Besh",
    "Avesta",
    "Ge_ez",
    "Glagolitic",
    "Gurmukhi",
    "Kannada",
    "Keble",
    "Malayalam",
    "Manipuri",
    "Mongolian",
    "Old_Church_Slavonic_(Cyrillic)",
    "Oriya",
    "Sylheti",
    "Syriac_(Serto)",
    "Tengwar",
    "Tibetan",
    "ULOG",
}

VINYALS_VALIDATION = {
    "Alphabet_of_the_Magi",
    "Angelic",
    "Anglo-Saxon_Futhorc",
    "Gujarati",
    "Tifinagh",
}


@dataclass(frozen=True)
class Store:
    """The images of a folder.

    Attributes:
        images: uint8 [characters, 20, 784], ink 255; a character's images in order of file name.
        characters: "ALPHABET/characterNN", sorted; the first axis of `images`.
    """

    images: torch.Tensor
    characters: list[str]

    @classmethod
    def load(cls, folder: str | Path) -> "Store":
        """The images of `folder`, from its packed twin if that lists the same files.

        Raises:
            DataError: there is no such folder, it holds no ALPHABET/character/*.png, its
                characters have different numbers of images, or an image is not 28×28.
        """
        folder = Path(folder)
        if not folder.is_dir():
            raise DataError(f"There is no folder {folder}: make it with {MAKE}.")
        files = _list(folder)
        images = _packed(folder, files) or read_folder(folder)
        per_character = len(next(iter(files.values())))
        paths = [path for character in files.values() for path in character]
        for path in paths:
            if images[path].shape not in ((SIDE, SIDE), (SIDE * SIDE,)):
                raise DataError(
                    f"{folder / path} has {images[path].size} pixels and not {SIDE}x{SIDE}: "
                    f"make a folder of small images with {MAKE}."
                )
        pixels = np.stack([images[path].reshape(-1) for path in paths])
        return cls(
            torch.from_numpy(pixels).view(len(files), per_character, SIDE * SIDE), list(files)
        )

    def split(self, name: str, part: str) -> torch.Tensor:
        """The characters of one part of a named split.

        Args:
            name: "cs330", "lake" or "vinyals".
            part: "train", "val" ("lake" has none) or "test".

        Returns:
            int64 [characters of the part], indices into `characters`.

        Raises:
            DataError: no such split or part, or a folder too small for it.
        """
        if part not in PARTS.get(name, {}):
            known = ", ".join(f"{split} {'/'.join(PARTS[split])}" for split in PARTS)
            raise DataError(f"There is no split {name} {part}: there are {known}.")
        count = len(self.characters)
        if name != "cs330" and count != OMNIGLOT_CHARACTERS:
            raise DataError(
                f"The split {name} is of {OMNIGLOT_CHARACTERS} characters and the folder has "
                f"{count}: take cs330."
            )
        indices = torch.tensor(_order(self.characters, name)[PARTS[name][part]])
        if not len(indices):
            raise DataError(f"The folder's {count} characters leave none for {name} {part}.")
        return indices


def _list(folder: Path) -> dict[str, list[str]]:
    """Character → its relative paths, both sorted as strings, as the homework sorts them."""
    files = {
        character.relative_to(folder).as_posix(): sorted(
            file.relative_to(folder).as_posix() for file in character.glob("*.png")
        )
        for character in folder.glob("*/*")
        if character.is_dir()
    }
    if not any(files.values()):
        raise DataError(f"{folder} holds no ALPHABET/character/*.png: make it with {MAKE}.")
    typical = max(map(len, files.values()))
    for character, paths in files.items():
        if len(paths) != typical:
            raise DataError(
                f"{folder / character} holds {len(paths)} images where others hold {typical}: "
                f"make the folder again with {MAKE}."
            )
    return dict(sorted(files.items()))


def _packed(folder: Path, files: Mapping[str, list[str]]) -> dict[str, np.ndarray] | None:
    """Relative path → uint8 [784] of the twin; None if it is missing, damaged or of other files."""
    packed = read_packed(folder)
    listed = {path for paths in files.values() for path in paths}
    return packed[1] if packed and packed[1].keys() == listed else None


def _order(characters: list[str], split: str) -> list[int]:
    """The characters' indices in the order in which `split` is cut into its parts."""
    order = list(range(len(characters)))
    alphabets = [character.partition("/")[0] for character in characters]
    if split == "cs330":
        random.Random(1).shuffle(order)
    elif split == "lake":
        order.sort(key=lambda i: alphabets[i] in EVALUATION)
    elif split == "vinyals":
        order.sort(
            key=lambda i: (alphabets[i] not in VINYALS_VALIDATION, alphabets[i] in EVALUATION)
        )
    return order
