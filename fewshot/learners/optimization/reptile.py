"""Reptile (Nichol, Achiam and Schulman, 2018)."""

import copy

import torch
import torch.nn.functional as F
from torch import nn

from fewshot.data.episodes import Episodes
from fewshot.learners.learner import Learner, on_query_row, tasks
from fewshot.learners.optimization.nets import TRANSDUCTIVE, convolutional


class Reptile(Learner):
    """An initialisation near the weights that each task ends at.

    With the network f and its weights φ, for each of a few tasks

        φ̃ = φ after some steps of Adam on minibatches of the task     (with β₁ = 0)

    and then, once,

        φ ← φ + ε (mean over tasks of φ̃ - φ)                          (algorithm 2)

    with ε falling from 1 to 0: a step along φ - mean φ̃ in place of a gradient. No task is split
    into support and query: a training task has more images of each class than the test task shows,
    and each is seen once.

    Args:
        num_classes: N of the task.
        num_shot: K.
        net: f, images [images, 784] → logits [images, N]; the convolutional one if None.
    """

    batch = 3
    rate = 2e-3  # of the inner Adam
    setting = TRANSDUCTIVE
    images_per_class = 12  # of a training task
    minibatch = 10
    test_steps = 20

    def __init__(self, num_classes: int, num_shot: int, net: nn.Module | None = None) -> None:
        super().__init__()
        self.net = net or convolutional(num_classes, filters=64)

    def start(self) -> None:
        """Make the outer optimizer; every task has an inner one of its own."""
        self.optimizer = torch.optim.SGD(self.net.parameters(), lr=1.0)

    def inner_optimizer(self, net: nn.Module) -> torch.optim.Optimizer:
        """Adam without momentum: what it takes from one task to the next would be noise."""
        return torch.optim.Adam(net.parameters(), self.rate, betas=(0.0, 0.999), fused=True)

    def adapted(self, batches: list[tuple[torch.Tensor, torch.Tensor]]) -> tuple[nn.Module, float]:
        """A copy of the network after a step on each batch.

        Args:
            batches: of images [S, 784] and their classes, int64 [S].

        Returns:
            The copy, and the mean loss before the steps.
        """
        net = copy.deepcopy(self.net)
        optimizer = self.inner_optimizer(net)
        total = 0.0
        for images, classes in batches:
            loss = F.cross_entropy(net(images), classes)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        return net, total / len(batches)

    def step(self, train: Episodes, spent: float) -> float:
        """As of `Learner`; the loss is the mean over the inner steps."""
        images, _, classes = train.sequences(self.batch, self.images_per_class)
        nets, losses = zip(
            *(
                self.adapted(
                    list(zip(one.split(self.minibatch), its.split(self.minibatch), strict=True))
                )
                for one, its in zip(images, classes, strict=True)
            ),
            strict=True,
        )
        adapted = zip(*(net.parameters() for net in nets), strict=True)
        with torch.no_grad():
            for weight, theirs in zip(self.net.parameters(), adapted, strict=True):
                weight.grad = weight - torch.stack(theirs).mean(0)
        self.optimizer.param_groups[0]["lr"] = 1 - spent
        self.optimizer.step()
        self.optimizer.zero_grad()
        return sum(losses) / len(losses)

    def forward(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """As of `Learner`. A copy is adapted to each task, under `torch.no_grad` as well."""
        answers = []
        for support, told, query in tasks(images, labels):
            with torch.enable_grad():
                net, _ = self.adapted([(support, told.argmax(-1))] * self.test_steps)
            with torch.no_grad():
                answers.append(net(query))
        return on_query_row(torch.stack(answers), images.shape[1] - 1)
