"""Where the lines of a training curve go on paper; `chart.svg` draws them."""

import math
from collections.abc import Sequence

import numpy as np

from autograder.record import Curve

# Of the drawing, in its own pixels: accuracy above, loss below.
LEFT, RIGHT = 34, 350
ACCURACY_BOTTOM, ACCURACY_TOP = 150, 14
LOSS_BOTTOM, LOSS_TOP = 226, 180
LOSS_POINTS = 150  # more could not be told apart


def chart(curve: Curve) -> dict:
    """Coordinates and labels for the template.

    The losses are those of the steps up to the last measurement: a training that was resumed
    starts at its first loss. Losses that are not finite have no place and are left out.
    """
    last = curve.steps[-1] if curve.steps else len(curve.losses)
    before = last - len(curve.losses)
    first = min([before, *curve.steps])
    lowest = min([curve.threshold, *curve.accuracies])
    floor = max(math.floor(10 * lowest - 0.5), 0)  # in tenths, as the ticks

    losses = zip(_means(range(before + 1, last + 1)), _means(curve.losses), strict=True)
    losses = [(step, loss) for step, loss in losses if math.isfinite(loss)]
    highest = max((loss for _, loss in losses), default=0) or 1

    def x(step: float) -> float:
        return round(LEFT + (RIGHT - LEFT) * (step - first) / max(last - first, 1), 1)

    def accuracy_y(accuracy: float) -> float:
        height = (10 * min(max(accuracy, floor / 10), 1) - floor) / (10 - floor)
        return round(ACCURACY_BOTTOM + (ACCURACY_TOP - ACCURACY_BOTTOM) * height, 1)

    def loss_y(loss: float) -> float:
        return round(LOSS_BOTTOM + (LOSS_TOP - LOSS_BOTTOM) * max(loss, 0) / highest, 1)

    drawing = {
        "left": LEFT,
        "right": RIGHT,
        "loss_bottom": LOSS_BOTTOM,
        "loss_top": LOSS_TOP,
        "ticks": [
            (f"{tick / 10:.1f}", accuracy_y(tick / 10))
            for tick in range(10, floor - 1, -1 if floor > 4 else -2)
        ],
        "threshold": accuracy_y(curve.threshold),
        "losses": [(x(step), loss_y(loss)) for step, loss in losses],
        "highest": f"{highest:.2g}",
        "first": f"{first:,}",
        "last": f"{last:,}",
        "accuracies": [],
        "summary": "Training stopped before the first measurement.",
    }
    if curve.steps:
        measured = zip(curve.steps, curve.accuracies, strict=True)
        end = curve.accuracies[-1]
        drawing["accuracies"] = [(x(step), accuracy_y(accuracy)) for step, accuracy in measured]
        drawing["interval"] = accuracy_y(end - curve.interval), accuracy_y(end + curve.interval)
        drawing["summary"] = (
            f"Accuracy {end:.3f} ± {curve.interval:.3f} after {last:,} steps; "
            f"the threshold is {curve.threshold:.2f}."
        )
    return drawing


def _means(values: Sequence[float]) -> list[float]:
    """The means of at most LOSS_POINTS stretches of equal length."""
    values = np.asarray(values, dtype=np.float64)
    return [stretch.mean() for stretch in np.array_split(values, LOSS_POINTS) if stretch.size]
