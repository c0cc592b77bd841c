"""Problem 2a, as far as the submission's own network tells."""

import math

import numpy as np
import torch

from autograder.judge import Failure
from autograder.questions import (
    Weights,
    ask_forward,
    expect_layers,
    make_tasks,
    make_weights,
    predict,
)

DRAWS = 3  # of weights and tasks; one draw in thirty does not show that the graph is cut
STEP = 3e-3  # the length of a step in the space of the weights
TOLERANCE = 2e-3  # of a slope: in 3,000 draws rounding and curvature made 3e-4 at most


def test_shape(context):
    """Shape, single precision and finite numbers for several B, K and N."""
    for batch, shot, way in [(1, 1, 2), (4, 1, 2), (2, 2, 3), (3, 3, 5), (1, 1, 20)]:
        tasks = make_tasks(batch, shot, way, context.random(1, batch, shot, way))
        _, values = ask_forward(context, shot, way, [tasks])
        given = values["predictions0"]
        if not np.isfinite(given).all():
            raise Failure(
                f"The predictions should be finite numbers; for B = {batch}, K = {shot}, "
                f"N = {way} some are not."
            )


def test_support_labels(context):
    """Other support labels, or images, change the predictions for the query images."""
    batch, shot, way = 2, 1, 3
    random = context.random(4)
    weights = make_weights(way, random)
    images, labels = make_tasks(batch, shot, way, random)
    other_labels = labels.clone()
    other_labels[:, :-1] = labels[:, :-1].roll(1, dims=2)
    before, *after = (
        predict(context, shot, way, task, weights)[:, -1]
        for task in ((images, labels), (images, other_labels), (images.roll(1, dims=2), labels))
    )
    for what, given in zip(("support labels", "images"), after, strict=True):
        if torch.allclose(before, given, atol=1e-6):
            raise Failure(
                f"The predictions for the query images should depend on the {what}; they are the "
                f"same when the {what} are exchanged."
            )


def test_gradient(context):
    """Both layers get a gradient, and it is the slope of the predictions."""
    shot, way = 2, 3
    for number in range(DRAWS):
        random = context.random(6, number)
        weights = make_weights(way, random)
        tasks = make_tasks(2, shot, way, random)
        direction = torch.randn(tasks[1].shape, generator=random)
        answer, values = ask_forward(context, shot, way, [tasks], weights, direction)
        expect_layers(answer)
        gradient = read_gradient(values, weights)
        reached = {
            layer: any(float(part.norm()) for name, part in gradient.items() if layer in name)
            for layer in ("layer1", "layer2")
        }
        if not all(reached.values()):
            missing = [layer for layer, there in reached.items() if not there]
            none = f"{missing[0]} gets none" if len(missing) == 1 else "they get none"
            raise Failure(f"Both layers should get a gradient; {none}.", reached)

        length = float(torch.cat([part.flatten() for part in gradient.values()]).norm())
        if not math.isfinite(length):
            raise Failure("The gradient should be finite numbers; it has others.")
        sums = []
        for side in (STEP, -STEP):
            moved = {name: w + side / length * gradient[name] for name, w in weights.items()}
            moved = {name: weight.float() for name, weight in moved.items()}
            given = predict(context, shot, way, tasks, moved)
            sums.append(float((given.double() * direction).sum()))
        slope = (sums[0] - sums[1]) / (2 * STEP)
        if not math.isclose(slope, length, rel_tol=TOLERANCE):
            raise Failure(
                "A small step along the gradient should change the predictions as much as the "
                "gradient says; it does not, as where the graph is cut in forward, or numbers are "
                "rounded or far too large."
            )


def read_gradient(values: dict[str, np.ndarray], weights: Weights) -> Weights:
    """The gradient that came back: float64, zeros for weights that got none."""
    gradient = {name: torch.zeros_like(weight).double() for name, weight in weights.items()}
    for name, weight in weights.items():
        given = values.get(f"gradient.{name}")
        if given is not None and given.shape == weight.shape:
            gradient[name] += torch.tensor(given)
    return gradient
