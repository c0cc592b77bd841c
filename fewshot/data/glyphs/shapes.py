"""The shapes that a pen makes without stopping: seven points that a smooth curve runs through.

Every shape starts at (0, 0) and heads for (1, 0). Alphabets do not use these as they are but bend
each to their own taste.
"""

import numpy as np

POINTS = 7

STRAIGHT = ("line",)
CURVED = ("bow", "bow", "bowl", "bowl", "arch", "wave", "hook", "bumps")
CLOSED = ("ring", "curl", "loop", "spiral")

SHAPES = {
    "line": [(0, 0), (0.17, 0), (0.33, 0), (0.5, 0), (0.67, 0), (0.83, 0), (1, 0)],
    "bow": [(0, 0), (0.16, 0.11), (0.33, 0.18), (0.5, 0.2), (0.67, 0.18), (0.84, 0.11), (1, 0)],
    "bowl": [(0, 0), (0.07, 0.25), (0.25, 0.43), (0.5, 0.5), (0.75, 0.43), (0.93, 0.25), (1, 0)],
    "arch": [(0, 0), (-0.02, 0.4), (0.1, 0.7), (0.5, 0.85), (0.9, 0.7), (1.02, 0.4), (1, 0)],
    "wave": [(0, 0), (0.14, 0.17), (0.32, 0.17), (0.5, 0), (0.68, -0.17), (0.86, -0.17), (1, 0)],
    "hook": [(0, 0), (0.3, 0), (0.6, 0.01), (0.83, 0.06), (0.97, 0.2), (0.92, 0.38), (0.72, 0.42)],
    "bumps": [(0, 0), (0.1, 0.3), (0.38, 0.3), (0.5, 0.02), (0.62, 0.3), (0.9, 0.3), (1, 0)],
    "ring": [(0, 0), (0.25, 0.43), (0.75, 0.43), (1, 0), (0.75, -0.43), (0.25, -0.43), (0, 0)],
    "curl": [(0, 0), (0.45, 0), (0.8, 0.03), (1, 0.25), (0.8, 0.5), (0.55, 0.3), (0.65, 0)],
    "loop": [(0, 0), (0.5, 0.1), (0.76, 0.4), (0.5, 0.68), (0.24, 0.4), (0.5, 0.1), (1, 0)],
    "spiral": [(0, 0), (0.05, 0.5), (0.45, 0.75), (0.9, 0.5), (0.85, 0), (0.5, -0.05), (0.4, 0.3)],
}

# The eight neighbours of a node, in turn.
FLOW = ((1, 0), (1, 1), (0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1))


def shape(name: str) -> np.ndarray:
    """float64 [7, 2], the points of a shape."""
    return np.array(SHAPES[name], dtype=np.float64)
