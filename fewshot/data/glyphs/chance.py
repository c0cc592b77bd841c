"""Random draws that are the same bits on every machine.

Only integers and uniform numbers come from the generator; what looks Gaussian is a sum of
uniforms, because a normal draw goes through the platform's logarithm. For the same reason
angles are never named: a rotation is given by the tangent of its half.
"""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

Item = TypeVar("Item")


def generator(*key: int) -> np.random.Generator:
    """An own stream for each key, whatever else was drawn before."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(list(key))))


def bell(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """float64 [*shape], mean 0, standard deviation 1, bounded by 3."""
    uniform = rng.random((3, *shape))
    return (uniform[0] + uniform[1] + uniform[2] - 1.5) * 2


def between(rng: np.random.Generator, low: float, high: float) -> float:
    """A uniform number in [low, high)."""
    return low + (high - low) * float(rng.random())


def choose(rng: np.random.Generator, items: Sequence[Item]) -> Item:
    """One item, all alike."""
    return items[int(rng.integers(len(items)))]


def total(numbers: Sequence[float]) -> float:
    """The sum from left to right; Python's own rounds differently from version to version."""
    result = 0.0
    for number in numbers:
        result += number
    return result


def weighted(rng: np.random.Generator, weights: Sequence[float]) -> int:
    """An index, with a probability in proportion to its weight."""
    left = float(rng.random()) * total(weights)
    for index, weight in enumerate(weights):
        left -= weight
        if left < 0:
            return index
    return len(weights) - 1


def rotate(points: np.ndarray, half_tangent: np.ndarray | float) -> np.ndarray:
    """Turn [..., 2] points about the origin by the angle whose half has this tangent."""
    square = half_tangent * half_tangent
    cosine, sine = (1 - square) / (1 + square), 2 * half_tangent / (1 + square)
    x, y = points[..., 0], points[..., 1]
    return np.stack([cosine * x - sine * y, sine * x + cosine * y], axis=-1)
