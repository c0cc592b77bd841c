"""Twenty people copy a character: the same plan, another hand."""

from dataclasses import dataclass

import numpy as np

from fewshot.data.glyphs.chance import bell, rotate
from fewshot.data.glyphs.character import CENTRE
from fewshot.data.glyphs.ink import PEN, SIDE
from fewshot.data.glyphs.shapes import POINTS
from fewshot.data.glyphs.stroke import Stroke, middle, place

DRAWERS = 20

# More of any of these makes the drawings of one character differ more, and tasks harder.
MOTOR_NOISE = 0.072  # bends of a piece of a stroke, in parts of its length
TREMOR = 0.12  # of every point, pixels
START_JITTER = 1.05  # where a stroke begins, pixels
STROKE_SCALE = 0.13  # size of a stroke in relation to the others
STROKE_ROTATION = 0.05  # of a stroke, half tangent
ROTATION = 0.03  # of a whole drawing, half tangent
SLANT = 0.08  # of a whole drawing, x per y
SCALE_SPREAD = 0.12  # of width and height
SHIFT = 0.85  # of the whole drawing, pixels
PEN_SPREAD = 0.13  # of the width of the line, pixels
ROUNDING = 0.25  # how far a hasty hand cuts corners
MARGIN = 2.0  # pixels that drawings keep from the edge
HABIT = 0.4  # the share of the whole drawing's spread that a drawer keeps for all characters


@dataclass(frozen=True)
class Hands:
    """The drawers of one alphabet: what each does to every character, float64 [20, ...]."""

    scale: np.ndarray  # [20, 2]
    slant: np.ndarray  # [20]
    rotation: np.ndarray  # [20]
    shift: np.ndarray  # [20, 2]
    haste: np.ndarray  # [20], a factor on all motor noise
    rounding: np.ndarray  # [20]
    pressure: np.ndarray  # [20]


def hands(rng: np.random.Generator) -> Hands:
    """Hire the twenty drawers of an alphabet."""
    return Hands(
        scale=_both(bell(rng, DRAWERS, 1), bell(rng, DRAWERS, 2)),
        slant=bell(rng, DRAWERS),
        rotation=bell(rng, DRAWERS),
        shift=bell(rng, DRAWERS, 2),
        haste=0.5 + rng.random(DRAWERS),
        rounding=ROUNDING * rng.random(DRAWERS),
        pressure=bell(rng, DRAWERS),
    )


def copies(rng: np.random.Generator, strokes: list[Stroke], drawers: Hands) -> np.ndarray:
    """All drawers draw one character: float64 [20, pieces, 7, 2] pixels on the image."""
    haste = drawers.haste[:, None]
    drawn: list[np.ndarray] = []
    for stroke in strokes:
        points = _scrawl(rng, stroke.points, drawers)
        anchor = points.reshape(DRAWERS, -1, 2)[:, stroke.own]
        start = START_JITTER * haste * bell(rng, DRAWERS, 2)
        if stroke.parent is None:
            start = start + stroke.points.reshape(-1, 2)[stroke.own]
        else:
            parent = drawn[stroke.parent].reshape(DRAWERS, -1, 2)
            start = start + parent[:, stroke.there] + np.array(stroke.offset)
        drawn.append(points + (start - anchor)[:, None, None])
    return _whole(rng, np.concatenate(drawn, axis=1) - middle(place(strokes)), drawers)


def pens(rng: np.random.Generator, drawers: Hands) -> np.ndarray:
    """float64 [20], the width of the line in a drawing by each."""
    width = PEN + PEN_SPREAD * _both(drawers.pressure, bell(rng, DRAWERS))
    return np.minimum(np.maximum(width, 1.0), 1.9)  # thinner lines would have gaps


def _scrawl(rng: np.random.Generator, points: np.ndarray, drawers: Hands) -> np.ndarray:
    """A stroke [pieces, 7, 2] by every hand: [20, pieces, 7, 2]."""
    pieces = len(points)
    haste = drawers.haste[:, None, None, None]
    spread = points - points[0, 0]
    size = 1 + STROKE_SCALE * haste * bell(rng, DRAWERS, 1, 1, 2)
    spread = rotate(spread * size, STROKE_ROTATION * haste[..., 0] * bell(rng, DRAWERS, 1, 1))
    # Slow bends: noise at the start, middle and end of a piece, and a parabola in between.
    length = np.abs(points - points[:, :1]).max(axis=(1, 2))[None, :, None, None]
    knots = MOTOR_NOISE * length * bell(rng, DRAWERS, pieces, 3, 2)
    start, mid, stop = knots[:, :, :1], knots[:, :, 1:2], knots[:, :, 2:]
    t = (np.arange(POINTS) / (POINTS - 1))[:, None]
    bend = start * (1 - t) * (1 - 2 * t) + mid * 4 * t * (1 - t) + stop * t * (2 * t - 1)
    bend[:, 1:, 0] = bend[:, :-1, -1]  # the pen is not lifted between pieces
    trembling = TREMOR * bell(rng, DRAWERS, pieces, POINTS, 2)
    trembling[:, 1:, 0] = trembling[:, :-1, -1]
    return _rounded(spread + haste * (bend + trembling), drawers.rounding)


def _rounded(points: np.ndarray, amount: np.ndarray) -> np.ndarray:
    """Cut the corners of [20, pieces, 7, 2] strokes: every point moves towards its neighbours."""
    pieces = points.shape[1]
    # One chain through all pieces: where two pieces meet, the point appears in both.
    chain = np.concatenate([points[:, :1, :1], points[:, :, 1:].reshape(DRAWERS, 1, -1, 2)], axis=2)
    chain = chain[:, 0]
    inner = (chain[:, :-2] + chain[:, 2:]) / 2 - chain[:, 1:-1]
    chain[:, 1:-1] += amount[:, None, None] * inner
    index = np.arange(POINTS) + (POINTS - 1) * np.arange(pieces)[:, None]
    return chain[:, index]


def _whole(rng: np.random.Generator, points: np.ndarray, drawers: Hands) -> np.ndarray:
    """What happens to a drawing as one: size, slant, rotation, place."""

    def mixed(habit: np.ndarray) -> np.ndarray:
        return _both(habit, bell(rng, *habit.shape))

    scale = 1 + SCALE_SPREAD * mixed(drawers.scale)[:, None, None]
    points = points * scale
    slant = SLANT * mixed(drawers.slant)[:, None, None]
    points = np.stack([points[..., 0] - slant * points[..., 1], points[..., 1]], axis=-1)
    points = rotate(points, ROTATION * mixed(drawers.rotation)[:, None, None])
    points = points + CENTRE + SHIFT * mixed(drawers.shift)[:, None, None]
    # Nobody writes over the edge of the paper.
    over = np.maximum(points.max(axis=(1, 2)) - (SIDE - MARGIN), 0)
    under = np.maximum(MARGIN - points.min(axis=(1, 2)), 0)
    return points + (under - over)[:, None, None]


def _both(habit: np.ndarray, now: np.ndarray) -> np.ndarray:
    """A habit and a mood, together as spread as either: the weights' squares add up to one."""
    return habit * np.sqrt(HABIT) + now * np.sqrt(1 - HABIT)
