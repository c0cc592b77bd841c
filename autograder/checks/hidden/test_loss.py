"""Problem 2b, against the reference."""

import torch

from autograder.judge import Failure
from autograder.layout import close
from autograder.mistakes.loss import LossCase
from autograder.questions import ask_loss
from solutions import hw1


def expected(preds: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """The reference's loss."""
    return hw1.MANN(labels.shape[-1], labels.shape[1], 4).loss_function(preds, labels)


def test_value(case, context):
    """The query row's mean cross entropy over the classes, the last axis, at logits up to 30.

    And at some thousand if it is finite there, which is another check's question; a logarithm with
    an epsilon in it is. And nothing is written into predictions and labels.
    """
    far = ask_loss(context, 1e3, 13)
    for some in (case, ask_loss(context, 8.0, 12), far):
        for (preds, labels), answer in zip(some.asked, some.answered, strict=True):
            if some is far and not answer.isfinite().all():
                continue
            if answer.numel() != 1 or not close(answer.reshape(()), expected(preds, labels)):
                batch, rows, way = labels.shape[:3]
                numbers = [answer.reshape(-1)[:1].squeeze() for answer in some.answered]
                raise Failure(
                    "The loss should be the mean cross entropy of the query row, the last one, "
                    f"over the classes, the last axis; for B = {batch}, K = {rows - 1}, N = {way} "
                    f"and logits up to {preds.abs().max():.0f} it is another number "
                    f"({answer.reshape(-1)[:1].tolist()}).",
                    LossCase(some.asked, numbers, some.gradients),
                )
        if some.changed:
            raise Failure(
                "loss_function should leave its inputs as they are; it changes the "
                f"{' and '.join(some.changed)}.",
                some,
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
