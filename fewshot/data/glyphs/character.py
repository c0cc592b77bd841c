"""The types of an alphabet's characters: strokes that look like a letter, and like a new one."""

import numpy as np

from fewshot.data.glyphs.alphabet import Alphabet, enrich
from fewshot.data.glyphs.chance import choose, weighted
from fewshot.data.glyphs.ink import PEN, SIDE, curve, draw
from fewshot.data.glyphs.stroke import Stroke, begin, dotted, middle, more, place

VARIATION = 0.7  # how often a letter is an earlier one with one stroke changed; more: harder
DIFFERENCE = 0.08  # least part of the ink by which two letters of an alphabet differ; less: harder
CENTRE = 13.5  # of a letter, pixels
SMALLEST, LARGEST = 9.0, 19.5  # longer side of a letter, pixels
INK = (24, 128)  # pixels of a letter
GAPS = 8  # most pixels of paper between two of ink
OVERLAP = 0.16  # most of the ink that strokes may share
LOOSE = 0.45  # the share of letters with strokes that touch no other which are kept
PATIENCE = 80  # failures until an alphabet gets another motif


def characters(rng: np.random.Generator, alphabet: Alphabet, count: int) -> list[list[Stroke]]:
    """Invent `count` characters that look different from each other."""
    made: list[list[Stroke]] = []
    looks = np.zeros((count, SIDE, SIDE), bool)
    broad = looks.copy()
    failures = 0
    while len(made) < count:
        varied = made and rng.random() < VARIATION
        strokes = _variation(rng, alphabet, choose(rng, made)) if varied else _fresh(rng, alphabet)
        look = _look(rng, strokes) if strokes else None
        if look is not None and _new(look, looks[: len(made)], broad[: len(made)]):
            looks[len(made)], broad[len(made)] = look, _thicken(look)
            made.append(strokes)
            continue
        failures += 1
        if failures % PATIENCE == 0:
            enrich(rng, alphabet)
    return made


def _fresh(rng: np.random.Generator, alphabet: Alphabet) -> list[Stroke]:
    """A new character, or no strokes when none fits."""
    strokes = begin(rng, alphabet)
    count = len(strokes) + weighted(rng, alphabet.strokes) + 1
    for _ in range(10):  # not every motif fits everywhere
        if len(strokes) < count:
            strokes = more(rng, alphabet, strokes) or strokes
    with_dot = strokes and rng.random() < alphabet.dots
    return dotted(rng, alphabet, strokes) if with_dot else strokes


def _variation(rng: np.random.Generator, alphabet: Alphabet, strokes: list[Stroke]) -> list[Stroke]:
    """An earlier character with its last stroke changed, or with one more."""
    kept = strokes[:-1] if len(strokes) > 1 and rng.random() < 0.6 else strokes
    return more(rng, alphabet, kept)


def _look(rng: np.random.Generator, strokes: list[Stroke]) -> np.ndarray | None:
    """bool [28, 28], the character as its designer meant it; None if it makes no good letter."""
    loose = any(stroke.offset != (0.0, 0.0) for stroke in strokes)
    if loose and rng.random() > LOOSE:
        return None
    placed = place(strokes)
    points = np.concatenate(placed).reshape(-1, 2)
    width, height = points.max(axis=0) - points.min(axis=0)
    if not SMALLEST < max(width, height) < LARGEST:
        return None
    shift = CENTRE - middle(placed)
    paths = curve(np.concatenate(placed) + shift)
    owners = np.repeat(np.arange(len(placed)), [len(part) * paths.shape[1] for part in placed])
    inks = draw(owners, paths.reshape(-1, 2), np.full(len(placed), PEN)) > 0
    union = np.logical_or.reduce(inks)
    ink = np.count_nonzero(union)
    # Strokes that run along each other, or a pixel apart, make a blot and not a letter.
    if ink < (1 - OVERLAP) * np.count_nonzero(inks) or not INK[0] < ink < INK[1]:
        return None
    across = union[:, :-2] & ~union[:, 1:-1] & union[:, 2:]
    down = union[:-2] & ~union[1:-1] & union[2:]
    return None if np.count_nonzero(across) + np.count_nonzero(down) > GAPS else union


def _new(look: np.ndarray, looks: np.ndarray, broad: np.ndarray) -> bool:
    """Whether enough ink lies further than a pixel from that of each earlier character's."""
    alone = np.count_nonzero(look & ~broad, axis=(1, 2))
    alone += np.count_nonzero(looks & ~_thicken(look), axis=(1, 2))
    ink = np.count_nonzero(look) + np.count_nonzero(looks, axis=(1, 2))
    return bool((alone > DIFFERENCE * ink).all())


def _thicken(ink: np.ndarray) -> np.ndarray:
    wide = ink.copy()
    wide[1:] |= ink[:-1]
    wide[:-1] |= ink[1:]
    tall = wide.copy()
    tall[:, 1:] |= wide[:, :-1]
    tall[:, :-1] |= wide[:, 1:]
    return tall
