"""The taste of an alphabet: the movements its letters are made of, and where they may go."""

from dataclasses import dataclass

import numpy as np

from fewshot.data.glyphs.chance import bell, between, choose, total, weighted
from fewshot.data.glyphs.shapes import CLOSED, CURVED, FLOW, STRAIGHT, shape

PRIMITIVES_PER_ALPHABET = 3  # shapes; fewer: letters of an alphabet look more alike, harder
MOTIFS_PER_ALPHABET = 6  # strokes that come back in many letters; fewer: harder
HEIGHT, WIDTH = 15.0, 13.2  # of the box that letters fill, pixels
BOX_SPREAD = 2.2  # of both between alphabets, pixels
LARGEST = 18.0  # pixels

Step = tuple[int, int]  # columns to the right and rows down


@dataclass(frozen=True)
class Motif:
    """A stroke, as steps from node to node of the grid.

    Each step has its shape, between (0, 0) and (1, 0); a stroke without shapes flows through its
    nodes without corners.
    """

    steps: list[Step]
    shapes: list[np.ndarray]  # each [7, 2]


@dataclass(frozen=True)
class Alphabet:
    """What the letters of one alphabet have in common."""

    columns: np.ndarray  # x of the nodes that strokes go between, pixels
    rows: np.ndarray  # y
    primitives: list[np.ndarray]  # each [7, 2]
    moves: list[Step]
    flowing: float  # the share of strokes without corners
    motifs: list[Motif]  # grows when a large alphabet runs out of letters
    strokes: list[float]  # weights of letters of 1, 2, ... strokes
    relations: list[float]  # weights, in the order of stroke.RELATIONS
    dots: float  # how often a letter carries a dot
    head: Motif | None  # a stroke that nearly every letter has, such as a head line


def design(rng: np.random.Generator) -> Alphabet:
    """Invent an alphabet."""
    curviness, boldness = float(rng.random()), float(rng.random())
    columns = _lines(rng, WIDTH, 0.3, even=True)
    rows = _lines(rng, HEIGHT, 0.5, even=False)
    flowing = max(0.0, curviness * 1.5 - 0.75)
    few = (0.6 - 0.5 * boldness) * (1 + 2 * flowing)
    alphabet = Alphabet(
        columns=columns,
        rows=rows,
        primitives=[_primitive(rng, curviness, k > 0) for k in range(PRIMITIVES_PER_ALPHABET)],
        moves=_moves(rng, len(columns) - 1, len(rows) - 1),
        flowing=flowing,
        motifs=[],
        strokes=[few, 1.5, 0.4 + 2.2 * boldness, 2.2 * boldness * boldness],
        relations=[between(rng, 0.2, 1) * weight for weight in (1.4, 1.1, 0.6, 0.2, 0.9, 1.1)],
        dots=choose(rng, (0.0, 0.0, 0.05, 0.25)),
        head=_head(rng, len(columns) - 1) if rng.random() < 0.2 else None,
    )
    for _ in range(MOTIFS_PER_ALPHABET):
        enrich(rng, alphabet)
    return alphabet


def enrich(rng: np.random.Generator, alphabet: Alphabet) -> None:
    """Give an alphabet one more motif."""
    flows = rng.random() < alphabet.flowing
    alphabet.motifs.append(
        _flow(rng) if flows else _chain(rng, alphabet.primitives, alphabet.moves)
    )


def _lines(rng: np.random.Generator, extent: float, fourth: float, even: bool) -> np.ndarray:
    """float64 [3 or 4] places of the grid's lines; uneven gaps give letters their proportions."""
    size = min(extent + BOX_SPREAD * float(bell(rng, 1)[0]), LARGEST)
    count = 3 if rng.random() < fourth and size > 13 else 2
    gaps = [1.0 if even else between(rng, 0.7, 1.4) for _ in range(count)]
    places = [0.0]
    for gap in gaps:
        places.append(places[-1] + gap * size / total(gaps))
    return np.array(places)


def _primitive(rng: np.random.Generator, curviness: float, closed: bool) -> np.ndarray:
    """A shape bent to taste; rings and curls only where `closed` allows them."""
    kinds = (STRAIGHT, CURVED, CLOSED)
    weights = (1.3 - curviness, 0.1 + curviness, (0.04 + 0.2 * curviness) * closed)
    kind = weighted(rng, weights)
    points = shape(choose(rng, kinds[kind]))
    if kind:  # a line stays straight
        points = points * np.array([1.0, between(rng, 0.75, 1.2) * choose(rng, (-1, 1))])
        points[1:-1] += 0.02 * bell(rng, len(points) - 2, 2)
    return points


def _moves(rng: np.random.Generator, right: int, down: int) -> list[Step]:
    """The few steps that an alphabet's strokes take; most go down or to the right."""
    upright = [(0, down), (0, down), (right, 0), (right, 0), (0, down - 1), (right - 1, 0), (0, 1)]
    slanted = [(1, down), (-1, down), (1, 1), (-1, 1), (right, down), (-right, down), (1, -1)]
    slants = int(rng.integers(0, 5))
    return upright[: 7 - slants // 2] + [choose(rng, slanted) for _ in range(slants)]


def _chain(rng: np.random.Generator, primitives: list[np.ndarray], moves: list[Step]) -> Motif:
    """One to three steps with corners or smooth joints between them."""
    steps, shapes = [choose(rng, moves)], [choose(rng, primitives)]
    for _ in range(weighted(rng, (1.2, 1.3, 0.7))):
        step = choose(rng, moves)
        if rng.random() < 0.4:
            step = (-step[0], -step[1])
        before = steps[-1]
        if step[0] * before[1] == step[1] * before[0] or not _open(shapes[-1]):
            break  # back or on along the same line
        steps.append(step)
        shapes.append(choose(rng, primitives))
    return Motif(steps, shapes)


def _open(points: np.ndarray) -> bool:
    return bool(points[-1, 0] == 1.0 and points[-1, 1] == 0.0)


def _flow(rng: np.random.Generator) -> Motif:
    """A walk over neighbouring nodes that keeps turning the same way for a while."""
    heading, turn = int(rng.integers(8)), choose(rng, (-1, 1))
    steps = []
    for _ in range(choose(rng, (2, 4, 4, 4, 6))):  # two steps make a piece
        steps.append(FLOW[heading % 8])
        if rng.random() < 0.2:
            turn = -turn
        heading += turn * (1 + weighted(rng, (1, 2, 0.3)))
    return Motif(steps, [])


def _head(rng: np.random.Generator, right: int) -> Motif:
    return Motif([(right, 0)], [shape(choose(rng, ("line", "line", "bow", "wave")))])
