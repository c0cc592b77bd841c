"""The synthetic Omniglot: its layout, its bytes and its likeness to the real one."""

import os
import re
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest

from fewshot.data.errors import DataError
from fewshot.data.folder import digest
from fewshot.data.glyphs import SIZES, alphabet_images, generate, source
from fewshot.data.glyphs.names import names

# To renew it after a change that is meant to change the images, count VERSION up and run
#   python -c "from fewshot.data.glyphs import *; from fewshot.data.folder import digest;
#              print(digest(generate(0)))"
DIGEST = "391576c4b3895b0d9b453ace9a1cc2832684ee2faf617ce7ef4485e3287994c7"

# Measured on all 1,623 x 20 images of Omniglot at 28 x 28, resized by nearest neighbour.
# name: (Omniglot, how far the glyphs may be from it). Drawers differ more in size and place than
# Omniglot's, on purpose: with real spreads the network finds glyphs easier (docs/glyphs.md).
OMNIGLOT = {
    "ink, mean": (63.4, 6),
    "ink, spread between characters": (20.2, 5),
    "ink, spread between drawers": (11.1, 3),
    "height, mean": (15.9, 1.2),
    "height, spread": (4.3, 0.8),
    "height, spread between drawers": (2.1, 1.0),
    "width, mean": (14.8, 1.2),
    "width, spread": (4.4, 0.8),
    "width, spread between drawers": (2.2, 1.0),
    "centre, spread": (1.5, 0.4),
    "neighbours of an ink pixel": (3.8, 0.35),
    "distance within a character": (9.4, 0.6),
    "distance between characters": (10.1, 0.6),
    "nearest neighbour, 5-way": (0.383, 0.06),
    "nearest neighbour, 20-way": (0.179, 0.05),
}


@pytest.fixture(scope="session")
def glyphs() -> dict[str, np.ndarray]:
    return generate(0)


@pytest.fixture(scope="session")
def ink(glyphs) -> np.ndarray:
    """uint8 [1623, 20, 28, 28], ink 1."""
    images = np.stack([glyphs[path] for path in sorted(glyphs)])
    return (images.reshape(1623, 20, 28, 28) == 255).astype(np.uint8)


def test_layout_is_that_of_omniglot(glyphs):
    paths = sorted(glyphs)
    alphabets = Counter(path.split("/")[0] for path in paths)
    assert len(paths) == 32460
    assert sorted(count // 20 for count in alphabets.values()) == sorted(SIZES)
    assert sum(SIZES) == 1623
    for alphabet in alphabets:
        assert re.fullmatch("[A-Z][a-z]+", alphabet)
    number, nth, before = 0, 0, ("", "")
    for index, path in enumerate(paths):
        alphabet, character, file = path.split("/")
        if (alphabet, character) != before:
            nth = nth + 1 if alphabet == before[0] else 1
            number, before = number + 1, (alphabet, character)
        assert character == f"character{nth:02d}"
        assert file == f"{number:04d}_{index % 20 + 1:02d}.png"


def test_images_are_black_and_white_and_neither_empty_nor_full(glyphs, ink):
    for image in glyphs.values():
        assert image.shape == (28, 28)
        assert image.dtype == np.uint8
    assert set(np.unique(np.stack(list(glyphs.values())))) == {0, 255}
    count = ink.sum(axis=(2, 3), dtype=int)
    assert count.min() >= 5
    assert count.max() <= 250


def test_no_two_images_are_the_same(glyphs):
    assert len({image.tobytes() for image in glyphs.values()}) == len(glyphs)


def test_characters_of_an_alphabet_are_distinct(glyphs, ink):
    """Seen through all drawers: the mean images of two characters are never close."""
    mean = ink.mean(axis=1).reshape(1623, -1)
    alphabet = np.array([path.split("/")[0] for path in sorted(glyphs)[::20]])
    for name in set(alphabet):
        own = mean[alphabet == name]
        gaps = np.sqrt(((own[:, None] - own[None]) ** 2).sum(-1))
        assert gaps[~np.eye(len(own), dtype=bool)].min() > 0.9


def test_pinned_digest(glyphs):
    assert digest(glyphs) == DIGEST


def test_same_bytes_in_another_process_with_other_threads():
    code = (
        "from fewshot.data.glyphs import generate; from fewshot.data.folder import digest;"
        "print(digest(generate(0)))"
    )
    many = {"OMP_NUM_THREADS": "7", "OPENBLAS_NUM_THREADS": "7", "PYTHONHASHSEED": "9"}
    run = [sys.executable, "-c", code]
    found = subprocess.run(run, env=os.environ | many, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == DIGEST


def test_another_seed_makes_other_images(glyphs):
    known = {image.tobytes() for image in glyphs.values()}
    other = alphabet_images(1, 0, 55).reshape(-1, 28, 28)
    assert not any(image.tobytes() in known for image in other)
    assert source(1) != source(0)


def test_an_alphabet_does_not_depend_on_the_others(glyphs):
    name = sorted(glyphs)[-1].split("/")[0]
    last = np.stack([glyphs[path] for path in sorted(glyphs) if path.startswith(f"{name}/")])
    assert np.array_equal(alphabet_images(0, 49, len(last) // 20).reshape(last.shape), last)


@pytest.mark.parametrize("seed", [-1, 0.5, "0", None])
def test_a_wrong_seed_is_refused_by_name(seed):
    with pytest.raises(DataError, match="--seed"):
        generate(seed)


def test_names_are_distinct_for_any_seed():
    for seed in range(50):
        found = names(np.random.default_rng(seed), 50)
        assert len({name.lower() for name in found}) == 50  # some disks ignore capitals


def test_looks_like_omniglot(ink):
    found = statistics(ink)
    apart = {
        name: (found[name], real)
        for name, (real, allowed) in OMNIGLOT.items()
        if not abs(found[name] - real) <= allowed
    }
    assert not apart, "glyphs against Omniglot"


def statistics(ink: np.ndarray) -> dict[str, float]:
    """The numbers of OMNIGLOT for [1623, 20, 28, 28] images with ink 1."""
    count = ink.sum(axis=(2, 3), dtype=float)
    rows, columns = ink.any(axis=3), ink.any(axis=2)
    top, left = rows.argmax(2), columns.argmax(2)
    bottom, right = 27 - rows[:, :, ::-1].argmax(2), 27 - columns[:, :, ::-1].argmax(2)
    height, width = bottom - top + 1.0, right - left + 1.0
    padded = np.pad(ink, ((0, 0), (0, 0), (1, 1), (1, 1)))
    around = sum(padded[:, :, y : y + 28, x : x + 28] for y in range(3) for x in range(3)) - ink
    rng = np.random.default_rng(0)
    flat = ink.reshape(1623, 20, 784).astype(np.float32)
    one, other = rng.integers(1623, size=(2, 4000))
    return {
        "ink, mean": count.mean(),
        "ink, spread between characters": count.mean(axis=1).std(),
        "ink, spread between drawers": np.sqrt(count.var(axis=1).mean()),
        "height, mean": height.mean(),
        "height, spread": height.std(),
        "height, spread between drawers": np.sqrt(height.var(axis=1).mean()),
        "width, mean": width.mean(),
        "width, spread": width.std(),
        "width, spread between drawers": np.sqrt(width.var(axis=1).mean()),
        "centre, spread": np.concatenate([top + bottom, left + right]).std() / 2,
        "neighbours of an ink pixel": around[ink == 1].mean(),
        "distance within a character": _distance(flat[one, 3], flat[one, 12]),
        "distance between characters": _distance(flat[one, 3], flat[other, 12]),
        "nearest neighbour, 5-way": _nearest(flat, 5, rng),
        "nearest neighbour, 20-way": _nearest(flat, 20, rng),
    }


def _distance(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.sqrt(((one - other) ** 2).sum(-1)).mean())


def _nearest(flat: np.ndarray, ways: int, rng: np.random.Generator, tasks: int = 1500) -> float:
    """Accuracy of the nearest of `ways` single examples."""
    hits = 0
    for _ in range(tasks):
        classes = rng.choice(len(flat), ways, replace=False)
        known, asked = rng.choice(20, 2, replace=False)
        gaps = ((flat[classes, asked][:, None] - flat[classes, known][None]) ** 2).sum(-1)
        hits += int((gaps.argmin(1) == np.arange(ways)).sum())
    return hits / (tasks * ways)
