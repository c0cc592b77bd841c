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

    with ε falling from 1 to 0. No task is split into support and query: a training task has 12
    images of each class, however many a test task shows, and each is seen once.

    Adam's second moment goes on from task to task, into the test tasks as well, as in the authors'
    code. Begun anew, its first step would move every weight as far, whether its gradient says
    anything or not.

    Args:
        num_classes: N of the task.
        num_shot: K.
        net: f, images [images, 784] → logits [images, N]; the convolutional one if None.
    """

    batch = 3
    rate = 2e-3  # of Adam
    setting = TRANSDUCTIVE
    images_per_class = 12  # of a training task
    minibatch = 10
    test_steps = 20

    def __init__(self, num_classes: int, num_shot: int, net: nn.Module | None = None) -> None:
        super().__init__()
        self.net = net or convolutional(num_classes, filters=64)
        self.start()  # untrained, it answers with the same steps

    def start(self) -> None:
        """Make the inner optimizer, without momentum: from another task it would be noise."""
        self.optimizer = torch.optim.Adam(
            self.net.parameters(), self.rate, betas=(0.0, 0.999), fused=True
        )

    def step(self, train: Episodes, spent: float) -> float:
        """As of `Learner`; the loss is the mean over the inner steps."""
        images, _, classes = train.sequences(self.batch, self.images_per_class)
        weights = list(self.net.parameters())
        before = [weight.detach().clone() for weight in weights]
        total = [torch.zeros_like(weight) for weight in weights]
        losses = []
        for one, its in zip(images, classes, strict=True):
            for some, their in zip(
                one.split(self.minibatch), its.split(self.minibatch), strict=True
            ):
                losses.append(inner_step(self.net, self.optimizer, some, their))
            with torch.no_grad():
                for weight, old, sum_ in zip(weights, before, total, strict=True):
                    sum_ += weight
                    weight.copy_(old)
        with torch.no_grad():
            for weight, sum_ in zip(weights, total, strict=True):
                weight.lerp_(sum_ / self.batch, 1 - spent)
        return sum(losses) / len(losses)

    def forward(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """As of `Learner`. A copy is adapted to each task, under `torch.no_grad` as well."""
        answers = []
        for support, told, query in tasks(images, labels):
            net, optimizer = copy.deepcopy((self.net, self.optimizer))
            classes = told.argmax(-1)
            with torch.enable_grad():
                for _ in range(self.test_steps):
                    inner_step(net, optimizer, support, classes)
            with torch.no_grad():
                answers.append(net(query))
        return on_query_row(torch.stack(answers), images.shape[1] - 1)


def inner_step(
    net: nn.Module, optimizer: torch.optim.Optimizer, images: torch.Tensor, classes: torch.Tensor
) -> float:
    """One step on images [S, 784] and their classes, int64 [S]; the loss before it."""
    loss = F.cross_entropy(net(images), classes)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()
