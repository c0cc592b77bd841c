"""Wrong losses: each entry is a formula, and fits if it gives the submission's values."""

from collections.abc import Callable

import torch
import torch.nn.functional as F

from autograder.layout import close
from autograder.mistakes.catalogue import Fits, mistake
from autograder.mistakes.loss import LossCase

VALUE = "loss/value"

Formula = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


@mistake(
    VALUE,
    why="loss_function writes into the predictions or labels that it is given.",
    look="Take the query row, preds[:, -1] and labels[:, -1], instead of zeroing the others.",
)
def loss_changes_inputs(case: LossCase) -> bool:
    return bool(case.changed)


def formula(*checks: str, why: str, look: str) -> Callable[[Formula], Fits]:
    """An entry that fits if the function gives every answer of the case."""

    def register(function: Formula) -> Fits:
        def fits(case: LossCase) -> bool:
            pairs = zip(case.asked, case.answered, strict=True)
            return all(close(answer, function(*question)) for question, answer in pairs)

        fits.__name__ = function.__name__
        return mistake(*checks, why=why, look=look)(fits)

    return register


def entropy(preds: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Mean cross entropy over the last axis of rows of any shape."""
    return -(labels * preds.log_softmax(-1)).sum(-1).mean()


@formula(
    VALUE,
    why="Your loss is the cross entropy over all K+1 rows. The handout asks for the last row only.",
    look="Look at the indexing in loss_function: preds[:, -1] and labels[:, -1] are the query row.",
)
def all_rows(preds, labels):
    return entropy(preds, labels)


@formula(
    VALUE,
    why="Your loss is the cross entropy of the support rows; the handout asks for the query row.",
    look="preds[:, -1] and labels[:, -1] are the query row; [:, :-1] is the support set.",
)
def support_rows(preds, labels):
    return entropy(preds[:, :-1], labels[:, :-1])


@formula(
    VALUE,
    why="Your loss is the cross entropy of the first row; the query row is the last one.",
    look="Look at the index of the second axis: it should be -1.",
)
def first_row(preds, labels):
    return entropy(preds[:, 0], labels[:, 0])


@formula(
    VALUE,
    why="Your loss is the cross entropy of row 1, which is the query row for K = 1 alone.",
    look="Look at the index of the second axis: -1 is the query row for every K.",
)
def second_row(preds, labels):
    return entropy(preds[:, 1], labels[:, 1])


@formula(
    VALUE,
    why="The softmax runs over the examples instead of the classes: F.cross_entropy takes axis 1 "
    "of [B, N, N] as the classes, and yours are on the last axis.",
    look="Flatten to [B·N, N], or swap the last two axes of predictions and labels.",
)
def softmax_over_examples(preds, labels):
    return F.cross_entropy(preds[:, -1], labels[:, -1])


@formula(
    VALUE,
    why="The logits are transposed: the softmax runs over the examples instead of the classes.",
    look="With targets [B, N], F.cross_entropy wants the classes on axis 1: swap the last axes.",
)
def transposed_logits(preds, labels):
    return F.cross_entropy(preds[:, -1], labels[:, -1].argmax(-1))


@formula(
    VALUE,
    why="The targets are taken along the wrong axis of the labels.",
    look="labels[:, -1].argmax(dim=-1) gives the class of each query image; dim=1 does not.",
)
def transposed_targets(preds, labels):
    return entropy(preds[:, -1], labels[:, -1].transpose(-1, -2))


@formula(
    VALUE,
    why="Your loss is the sum over the query images; the handout asks for the mean.",
    look='Divide by B·N, or leave out reduction="sum".',
)
def sum_not_mean(preds, labels):
    return entropy(preds[:, -1], labels[:, -1]) * labels[:, -1].sum()


@formula(
    VALUE,
    why="Your loss is divided by the number of tasks B alone; the mean is over B·N images.",
    look="Divide by B·N.",
)
def mean_over_tasks(preds, labels):
    return entropy(preds[:, -1], labels[:, -1]) * labels.shape[2]


@formula(
    VALUE,
    why="The query row's loss is divided by all (K+1)·N images instead of the N query images.",
    look="Take the query row first and then the mean.",
)
def divided_by_all_rows(preds, labels):
    return entropy(preds[:, -1], labels[:, -1]) / labels.shape[1]


@formula(
    VALUE,
    why="The query row's loss is divided by K as well, which changes it for K > 1.",
    look="The mean is over the B·N query images; the support set has no part in it.",
)
def divided_by_shots(preds, labels):
    return entropy(preds[:, -1], labels[:, -1]) / (labels.shape[1] - 1)


@formula(
    VALUE,
    why="The softmax is taken twice: F.cross_entropy takes logits and applies its own.",
    look="Give the predictions to F.cross_entropy as they are.",
)
def softmax_twice(preds, labels):
    return entropy(preds[:, -1].softmax(-1), labels[:, -1])


@formula(
    VALUE,
    why="Your loss is the squared difference of predictions and labels, not the cross entropy.",
    look="Use F.cross_entropy.",
)
def mean_squared(preds, labels):
    return F.mse_loss(preds[:, -1], labels[:, -1])


@formula(
    VALUE,
    why="Your loss is a binary cross entropy for each class; the handout's is over all classes.",
    look="Use F.cross_entropy.",
)
def binary(preds, labels):
    return F.binary_cross_entropy_with_logits(preds[:, -1], labels[:, -1])


@formula(
    VALUE,
    why="F.nll_loss is given logits: it needs log-probabilities.",
    look="Apply F.log_softmax over the last axis first, or use F.cross_entropy.",
)
def nll_without_log(preds, labels):
    return -(preds[:, -1] * labels[:, -1]).sum(-1).mean()


@formula(
    VALUE,
    why="Your loss has the wrong sign: training would make the right class less likely.",
    look="The cross entropy is minus the mean log-probability of the right class.",
)
def negative(preds, labels):
    return -entropy(preds[:, -1], labels[:, -1])


@formula(
    VALUE,
    why="The targets are the classes that the network predicts, not the labels.",
    look="Take the targets from labels, not from preds.",
)
def targets_from_predictions(preds, labels):
    query = preds[:, -1]
    return F.cross_entropy(query.flatten(0, 1), query.argmax(-1).flatten())
