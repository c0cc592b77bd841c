"""A synthetic Omniglot: alphabets nobody has seen, from a seed, without a download.

After the generative model of Lake, Salakhutdinov and Tenenbaum, "Human-level concept learning
through probabilistic program induction" (2015): an alphabet is a library of pen movements
(`alphabet`), a character is strokes (`character`) and their relations (`stroke`), a drawing the
same plan with motor noise and another hand (`drawer`), and an image its ink (`ink`).

The images are the same bytes on every machine: draws are uniform or whole numbers (`chance`),
arithmetic is element-wise + - * / and square roots, which IEEE 754 rounds alike everywhere, and
ink is whole numbers.
"""

import numpy as np
from tqdm import tqdm

from fewshot.data.errors import DataError
from fewshot.data.glyphs.alphabet import design
from fewshot.data.glyphs.chance import generator
from fewshot.data.glyphs.character import characters
from fewshot.data.glyphs.drawer import DRAWERS, copies, hands, pens
from fewshot.data.glyphs.ink import curve, draw
from fewshot.data.glyphs.names import names

VERSION = 1  # one more whenever the images change

# The characters of Omniglot's alphabets.
# fmt: off
SIZES = (55, 52, 48, 47, 47, 46, 46, 45, 45, 45, 43, 42, 42, 41, 41, 41, 40, 40, 40, 40, 34, 33, 33,
         30, 29, 28, 26, 26, 26, 26, 26, 26, 26, 26, 26, 26, 26, 25, 24, 24, 23, 23, 22, 22, 20, 20,
         17, 16, 14, 14)
# fmt: on


def source(seed: int) -> str:
    """What a folder of these images is said to be made from."""
    return f"glyphs {VERSION} seed {seed}"


def generate(seed: int) -> dict[str, np.ndarray]:
    """All images of a seed, laid out as Omniglot: 50 alphabets, 1,623 characters, 20 drawers.

    Args:
        seed: any whole number from 0.

    Returns:
        "ALPHABET/characterNN/XXXX_YY.png" → uint8 [28, 28], ink 255 and paper 0.

    Raises:
        DataError: the seed is negative or no whole number.
    """
    if not isinstance(seed, int | np.integer) or seed < 0:
        raise DataError(f"--seed must be a whole number from 0, not {seed!r}.")
    common = generator(int(seed), len(SIZES))  # alphabets have the numbers below
    order = np.argsort(common.random(len(SIZES)), kind="stable")
    sizes = [SIZES[index] for index in order]
    images, number = {}, 0
    for index, name in enumerate(tqdm(names(common, len(SIZES)), "drawing", unit="alphabet")):
        drawings = alphabet_images(int(seed), index, sizes[index])
        for character, by_drawer in enumerate(drawings, start=1):
            number += 1
            for drawer, image in enumerate(by_drawer, start=1):
                path = f"{name}/character{character:02d}/{number:04d}_{drawer:02d}.png"
                images[path] = image
    return images


def alphabet_images(seed: int, index: int, count: int) -> np.ndarray:
    """One alphabet, the same whether or not the others are made.

    Args:
        seed: as for `generate`.
        index: which of its 50 alphabets, from 0.
        count: of characters.

    Returns:
        uint8 [count, 20, 28, 28], ink 255 and paper 0.
    """
    rng = generator(seed, index)
    alphabet = design(rng)
    drawers = hands(rng)
    paths, owners, widths = [], [], []
    for character, strokes in enumerate(characters(rng, alphabet, count)):
        path = curve(copies(rng, strokes, drawers)).reshape(DRAWERS, -1, 2)
        paths.append(path.reshape(-1, 2))
        owners.append(np.repeat(character * DRAWERS + np.arange(DRAWERS), path.shape[1]))
        widths.append(pens(rng, drawers))
    drawn = draw(np.concatenate(owners), np.concatenate(paths), np.concatenate(widths))
    return drawn.reshape(count, DRAWERS, *drawn.shape[1:])
