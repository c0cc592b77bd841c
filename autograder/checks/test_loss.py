"""Problem 2b, on predictions and labels that the judge makes."""

import numpy as np
import pytest
import torch

from autograder.context import Context
from autograder.judge import Failure
from autograder.layout import close
from autograder.mistakes.loss import LossCase
from solutions import hw1

SIZES = [(2, 1, 3), (1, 2, 4), (3, 1, 5), (4, 2, 3), (2, 1, 2)]  # B, K, N
# A permutation that is its own inverse would hide that targets and logits are transposed.
QUERY = {2: [1, 0], 3: [1, 2, 0], 4: [1, 2, 3, 0], 5: [2, 0, 3, 4, 1]}


def make_case(context: Context, factor: float, purpose: int) -> LossCase:
    """What loss_function gives for several sizes, two draws of logits each.

    Raises:
        StudentError: nothing.
    """
    asked, answered, gradients = [], [], []
    for number, (batch, shot, way) in enumerate(SIZES):
        random = context.random(purpose, number)
        labels = torch.eye(way).repeat(batch, shot + 1, 1, 1)
        labels[:, -1] = labels[:, -1, QUERY[way]]
        pairs = [
            (factor * torch.randn(labels.shape, generator=random), part)
            for part in (labels, labels.roll(1, dims=-1))
        ]
        arrays = {}
        for call, (preds, part) in enumerate(pairs):
            arrays |= {f"predictions{call}": preds.numpy(), f"labels{call}": part.numpy()}
        header = {"shot": shot, "way": way, "calls": len(pairs)}
        _, values = context.student.ask("loss", header, arrays)
        asked += pairs
        for call in range(len(pairs)):
            answered.append(torch.tensor(values.get(f"loss{call}", np.zeros(0))))
            gradient = values.get(f"gradient{call}")
            gradients.append(None if gradient is None else torch.tensor(gradient))
    return LossCase(asked, answered, gradients)


@pytest.fixture(scope="session")
def case(context) -> LossCase:
    """Ordinary logits."""
    return make_case(context, 2.0, 10)


def expected(preds: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """The reference's loss."""
    return hw1.MANN(labels.shape[-1], labels.shape[1], 4).loss_function(preds, labels)


def test_scalar(case):
    """One number with a gradient."""
    for answer, gradient in zip(case.answered, case.gradients, strict=True):
        if answer.numel() != 1:
            raise Failure(
                f"The loss should be one number; it has the shape {list(answer.shape)}.", case
            )
        if gradient is None:
            raise Failure("The loss should have a gradient; it has none.", case)


def test_value(case):
    """The query row's mean cross entropy over the classes, the last axis."""
    for (preds, labels), answer in zip(case.asked, case.answered, strict=True):
        if not close(answer.reshape(()), expected(preds, labels)):
            batch, rows, way = labels.shape[:3]
            raise Failure(
                "The loss should be the mean cross entropy of the query row, the last one, over "
                f"the classes, the last axis; for B = {batch}, K = {rows - 1}, N = {way} it is "
                f"another number ({answer.item():.4g}).",
                LossCase(case.asked, [a.reshape(()) for a in case.answered], case.gradients),
            )


def test_gradient(case):
    """The gradient with respect to the predictions, exactly zero outside of the query row."""
    for (preds, labels), gradient in zip(case.asked, case.gradients, strict=True):
        preds = preds.clone().requires_grad_()
        expected(preds, labels).backward()
        if gradient[:, :-1].any():
            raise Failure(
                "The gradient should be zero on the support rows: the loss is about the query row "
                "alone; it is not zero there."
            )
        if not close(gradient, preds.grad):
            batch, rows, way = labels.shape[:3]
            raise Failure(
                "The gradient should be that of the query row's mean cross entropy; for "
                f"B = {batch}, K = {rows - 1}, N = {way} it is another one."
            )


def test_finite(context):
    """Logits of some ten thousand give a finite loss and gradient."""
    case = make_case(context, 1e4, 11)
    for answer, gradient in zip(case.answered, case.gradients, strict=True):
        if not (answer.isfinite().all() and (gradient is None or gradient.isfinite().all())):
            raise Failure(
                "At logits of some ten thousand the loss and its gradient should still be finite "
                f"numbers; the loss is {answer.reshape(-1)[0].item()}.",
                case,
            )
