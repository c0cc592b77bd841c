"""What the judge asks of a submission, with input that it makes itself.

Public and hidden checks share it, so there is no right answer in it.
"""

import numpy as np
import torch
from torch import nn

from autograder.context import Context
from autograder.judge import Failure
from autograder.mistakes.loss import LossCase
from autograder.student import StudentError, clean
from autograder.tasks import Tasks

SAMPLE_SIZES = [(1, 2), (2, 3), (3, 5), (1, 20)]  # K, N
SAMPLE_COUNT = 60  # tasks of each size
HIDDEN = 32  # width of the networks
LOSS_SIZES = [(2, 1, 3), (1, 2, 4), (3, 1, 5), (4, 2, 3), (2, 1, 2)]  # B, K, N
# A permutation that is its own inverse would hide that targets and logits are transposed.
QUERY = {2: [1, 0], 3: [1, 2, 0], 4: [1, 2, 3, 0], 5: [2, 0, 3, 4, 1]}

Weights = dict[str, torch.Tensor]


def ask_tasks(context: Context) -> list[Tasks]:
    """Training tasks of all sizes."""
    return [context.draw(shot, way, "train", SAMPLE_COUNT) for shot, way in SAMPLE_SIZES]


def make_weights(way: int, random: torch.Generator) -> Weights:
    """Weights under which images, labels and memory all matter."""
    layers = {"layer1": nn.LSTM(784 + way, HIDDEN), "layer2": nn.LSTM(HIDDEN, way)}
    weights = {}
    for name, parameter in nn.ModuleDict(layers).named_parameters():
        weights[name] = 0.3 * torch.randn(parameter.shape, generator=random)
        if name == "layer1.weight_ih_l0":
            weights[name] += 0.7 * torch.randn(parameter.shape, generator=random) / 6
    return weights


def make_tasks(
    batch: int, shot: int, way: int, random: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Images of random ink, soft as in a training, and labels with a shuffled query row."""
    shape = (batch, shot + 1, way, 784)
    ink = torch.randint(1, 10, shape, generator=random) / 9
    images = ink * (torch.rand(shape, generator=random) < 0.15)
    labels = torch.eye(way).repeat(batch, shot + 1, 1, 1)
    for task in labels:
        task[-1] = task[-1, torch.randperm(way, generator=random)]
    return images, labels


def ask_forward(
    context: Context,
    shot: int,
    way: int,
    tasks: list[tuple[torch.Tensor, torch.Tensor]],
    weights: Weights | None = None,
    direction: torch.Tensor | None = None,
    training: bool = True,
) -> tuple[dict, dict[str, np.ndarray]]:
    """What forward gives for some batches, one after the other.

    Raises:
        StudentError: nothing, or predictions of another shape or type.
    """
    arrays = {name: weight.numpy() for name, weight in (weights or {}).items()}
    for call, (images, labels) in enumerate(tasks):
        arrays |= {f"images{call}": images.numpy(), f"labels{call}": labels.numpy()}
    if direction is not None:
        arrays["direction"] = direction.numpy()
    header = {"shot": shot, "way": way, "hidden": HIDDEN, "calls": len(tasks), "training": training}
    answer, values = context.student.ask("forward", header, arrays)
    for call, (_, labels) in enumerate(tasks):
        given = values.get(f"predictions{call}", np.zeros((), np.float32))
        shape = given.shape
        if shape != labels.shape:
            raise StudentError(
                f"For labels of shape {list(labels.shape)} the predictions should have the same "
                f"shape; they have {list(shape)}."
            )
        if given.dtype != np.float32:
            raise StudentError(f"The predictions should be float32; they are {given.dtype}.")
    return answer, values


def predict(
    context: Context,
    shot: int,
    way: int,
    tasks: tuple[torch.Tensor, torch.Tensor],
    weights: Weights,
    training: bool = True,
) -> torch.Tensor:
    """The predictions for one batch."""
    _, values = ask_forward(context, shot, way, [tasks], weights, training=training)
    return torch.tensor(values["predictions0"])


def expect_layers(answer: dict) -> None:
    """Raise a Failure unless the network that answered has the handout's layers."""
    if answer.get("layers") is not True:
        raise Failure(
            "MANN should have the handout's two layers and no others, an LSTM from 784+N to "
            f"hidden_dim and one from there to N; it has {clean(answer.get('found')):.200}."
        )


def ask_loss(context: Context, factor: float, purpose: int) -> LossCase:
    """What loss_function gives for several sizes, two draws of logits each.

    Raises:
        StudentError: nothing.
    """
    asked, answered, gradients, changed = [], [], [], set()
    for number, (batch, shot, way) in enumerate(LOSS_SIZES):
        random = context.random(purpose, number)
        labels = torch.eye(way).repeat(batch, shot + 1, 1, 1)
        labels[:, -1] = labels[:, -1, QUERY[way]]
        pairs = [
            (factor * torch.randn(labels.shape, generator=random), part)
            for part in (
                labels,
                torch.cat([labels[:, :-1], labels[:, -1:].roll(1, dims=-1)], dim=1),
            )
        ]
        arrays = {}
        for call, (preds, part) in enumerate(pairs):
            arrays |= {f"predictions{call}": preds.numpy(), f"labels{call}": part.numpy()}
        header = {"shot": shot, "way": way, "calls": len(pairs)}
        _, values = context.student.ask("loss", header, arrays)
        asked += pairs
        for call in range(len(pairs)):
            given = values.get(f"loss{call}", np.zeros(0)), values.get(f"gradient{call}")
            if given[0].size > labels.numel():
                raise StudentError(
                    "The loss should be one number; it has the shape "
                    f"{clean(list(given[0].shape))}."
                )
            # Doubles, for torch cannot compute with every type that a loss may have.
            given = [part if part is None else torch.tensor(part).double() for part in given]
            answered.append(given[0])
            fits = given[1] is not None and given[1].shape == labels.shape
            gradients.append(given[1] if fits else None)
            changed |= {
                part
                for part in ("predictions", "labels")
                if not np.array_equal(values.get(f"{part}{call}"), arrays[f"{part}{call}"])
            }
    return LossCase(asked, answered, gradients, sorted(changed))
