"""Strokes and their relations: where each begins on, or beside, an earlier one."""

from dataclasses import dataclass

import numpy as np

from fewshot.data.glyphs.alphabet import Alphabet, Motif
from fewshot.data.glyphs.chance import between, choose, weighted
from fewshot.data.glyphs.ink import SAMPLES, curve
from fewshot.data.glyphs.shapes import POINTS, shape

ATTACHED = 2.2  # pixels; strokes that come as near as this are meant to touch

RELATIONS = ("start", "end", "middle", "apart", "mirror", "bridge")
Node = tuple[int, int]  # column and row


@dataclass(frozen=True)
class Stroke:
    """One pen-down movement.

    Its point `own` lies at the point `there` of the earlier stroke `parent`, plus `offset`.
    """

    points: np.ndarray  # [pieces, 7, 2] pixels
    nodes: list[Node]  # of the grid that it was laid out on
    parent: int | None = None
    there: int = 0  # an index into the parent's pieces * 7 points
    own: int = 0
    offset: tuple[float, float] = (0.0, 0.0)


def place(strokes: list[Stroke]) -> list[np.ndarray]:
    """The strokes where they belong: a list of float64 [pieces, 7, 2]."""
    placed = []
    for stroke in strokes:
        points = stroke.points
        if stroke.parent is not None:
            parent = placed[stroke.parent].reshape(-1, 2)[stroke.there]
            points = points + (parent + stroke.offset - points.reshape(-1, 2)[stroke.own])
        placed.append(points)
    return placed


def middle(placed: list[np.ndarray]) -> np.ndarray:
    """float64 [2], the centre of the box around placed strokes."""
    points = np.concatenate(placed).reshape(-1, 2)
    return (points.max(axis=0) + points.min(axis=0)) / 2


def begin(rng: np.random.Generator, alphabet: Alphabet) -> list[Stroke]:
    """The strokes that a letter starts from: none, or the head that its alphabet is known by."""
    if alphabet.head is None or rng.random() > 0.9:
        return []
    return _laid(alphabet, [], alphabet.head, (0, 0))


def more(rng: np.random.Generator, alphabet: Alphabet, strokes: list[Stroke]) -> list[Stroke]:
    """The strokes and one more; nothing if there is no room for it."""
    favour = [1 / (1 + rank) for rank in range(len(alphabet.motifs))]
    motif = alphabet.motifs[weighted(rng, favour)]
    size = (len(alphabet.columns), len(alphabet.rows))
    anywhere = (int(rng.integers(size[0])), int(rng.integers(size[1])))
    if not strokes:
        return _laid(alphabet, [], motif, anywhere)
    used = [node for stroke in strokes for node in stroke.nodes]
    relation = RELATIONS[weighted(rng, alphabet.relations)]
    if relation == "mirror":
        return _mirrored(rng, alphabet, strokes)
    if relation == "bridge":
        start, stop = choose(rng, used), choose(rng, used)
        if start == stop:
            return []
        step = (stop[0] - start[0], stop[1] - start[1])
        across = Motif([step], [choose(rng, alphabet.primitives)])
        return _laid(alphabet, strokes, across, start)
    if relation == "apart":
        return [] if anywhere in used else _laid(alphabet, strokes, motif, anywhere)
    back = {"start": 0, "end": len(motif.steps), "middle": len(motif.steps) // 2}[relation]
    start = choose(rng, used)
    for right, down in motif.steps[:back]:
        start = (start[0] - right, start[1] - down)
    return _laid(alphabet, strokes, motif, start)


def dotted(rng: np.random.Generator, alphabet: Alphabet, strokes: list[Stroke]) -> list[Stroke]:
    """The strokes and a dot beside the first."""
    gap = alphabet.rows[-1] * between(rng, 0.22, 0.35)
    offset = choose(rng, ((gap, gap), (-gap, gap), (gap, -gap), (0.0, -gap), (0.0, gap)))
    there = choose(rng, (0, strokes[0].points.shape[0] * POINTS // 2))
    return [*strokes, Stroke(shape("line")[None] * 0.9, [], 0, there, 0, offset)]


def _laid(alphabet: Alphabet, strokes: list[Stroke], motif: Motif, start: Node) -> list[Stroke]:
    """Add a motif that starts at a node; nothing if it leaves the grid."""
    nodes = [start]
    for right, down in motif.steps:
        nodes.append((nodes[-1][0] + right, nodes[-1][1] + down))
    columns, rows = len(alphabet.columns), len(alphabet.rows)
    if not all(0 <= column < columns and 0 <= row < rows for column, row in nodes):
        return []
    corners = np.array([(alphabet.columns[column], alphabet.rows[row]) for column, row in nodes])
    if motif.shapes:
        pieces = zip(corners[:-1], corners[1:], motif.shapes, strict=True)
        points = np.stack([_stretched(*piece) for piece in pieces])
    else:
        chain = curve(corners)[:: SAMPLES // 3]
        points = np.stack([chain[k : k + POINTS] for k in range(0, len(chain) - 1, POINTS - 1)])
    return [*strokes, _related(strokes, points, nodes)]


def _stretched(start: np.ndarray, stop: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Turn and scale a shape so that (0, 0) → (1, 0) becomes start → stop."""
    along = stop - start
    x, y = points[:, 0], points[:, 1]
    turned = [along[0] * x - along[1] * y, along[1] * x + along[0] * y]
    return np.stack(turned, axis=-1) + start


def _mirrored(rng: np.random.Generator, alphabet: Alphabet, strokes: list[Stroke]) -> list[Stroke]:
    """Add the mirror image of the last stroke, sideways or rarely upside down."""
    axis = 1 if rng.random() < 0.2 else 0
    lines = (alphabet.columns, alphabet.rows)[axis]
    points = place(strokes)[-1].copy()
    points[..., axis] = lines[-1] - points[..., axis]
    nodes = []
    for node in strokes[-1].nodes:
        flipped = list(node)
        flipped[axis] = len(lines) - 1 - node[axis]
        nodes.append((flipped[0], flipped[1]))
    return [*strokes, _related(strokes, points, nodes)]


def _related(strokes: list[Stroke], points: np.ndarray, nodes: list[Node]) -> Stroke:
    """Tie a stroke to the earlier one that its start, end or middle comes closest to."""
    if not strokes:
        return Stroke(points, nodes)
    mine = points.reshape(-1, 2)
    best = None
    for own in (0, len(mine) - 1, len(mine) // 2):
        for parent, other in enumerate(place(strokes)):
            gaps = other.reshape(-1, 2) - mine[own]
            squares = gaps[:, 0] * gaps[:, 0] + gaps[:, 1] * gaps[:, 1]
            there = int(np.argmin(squares))
            if best is None or squares[there] < best[0]:
                best = (float(squares[there]), parent, there, own)
        if best[0] < ATTACHED * ATTACHED:
            return Stroke(points, nodes, *best[1:])
    first = strokes[0].points[0, 0]
    return Stroke(points, nodes, 0, 0, 0, tuple(float(v) for v in mine[0] - first))
