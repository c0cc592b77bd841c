"""What every learner is: a module that answers blocks, and that knows how to learn from them."""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import nn

from fewshot.data.episodes import Episodes


class Learner(nn.Module):
    """Learns to name query images from a few labelled support images.

    A subclass has `forward`, and whatever else of this class its paper does otherwise. `compare`
    calls `start` once, then `step` until the time is spent, then `forward` in evaluation mode.

    Attributes:
        train_way: classes of a training episode; None for as many as the task has.
        batch: training episodes in a step.
        rate: the learning rate at the start; it falls to 0 along a cosine.
        clip: the largest norm of a gradient; None for any.
        normalised: whether it is given images that were normalised (fewshot/data/normalise.py).
        setting: what a number of this learner depends on, for the table: batch norm's mode,
            and whether query images are seen together (transductive).
        optimizer: made by `start`; None in a learner that has nothing to learn.
    """

    train_way: int | None = None
    batch: int = 16
    rate: float = 1e-3
    clip: float | None = None
    normalised: bool = True
    setting: str = ""
    optimizer: torch.optim.Optimizer | None = None

    def forward(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Answer a block. The labels of the query row are never looked at.

        Args:
            images: float32 [B, K+1, N, 784], ink 1; the last row is the query.
            labels: one-hot float32 [B, K+1, N, N].

        Returns:
            logits float32 [B, K+1, N, N]; only those of the query row have to mean anything.
        """
        raise NotImplementedError

    def loss(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """What training makes small: the mean cross entropy of the query row, a scalar."""
        return query_loss(self(images, labels), labels)

    def start(self) -> None:
        """Make the optimizer."""
        self.optimizer = torch.optim.Adam(self.parameters(), self.rate)

    def step(self, train: Episodes, spent: float) -> float:
        """Learn from the next training episodes.

        Args:
            train: where to draw from.
            spent: how much of the time for training has gone by, in [0, 1).

        Returns:
            The loss before the step.
        """
        return self.descend(self.loss(*train.blocks(self.batch)), spent)

    def descend(self, loss: torch.Tensor, spent: float) -> float:
        """One step of the optimizer down a loss, a scalar; its value before the step."""
        self.optimizer.param_groups[0]["lr"] = self.rate * cosine(spent)
        self.optimizer.zero_grad()
        loss.backward()
        if self.clip is not None:
            nn.utils.clip_grad_norm_(self.parameters(), self.clip)
        self.optimizer.step()
        return loss.item()


def cosine(spent: float) -> float:
    """From 1 at the start to 0 at the end: what a learning rate is multiplied by."""
    return (1 + torch.cos(torch.tensor(torch.pi * spent)).item()) / 2


def query_loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """The mean cross entropy of the query row: [B, K+1, N, N] twice → a scalar."""
    return F.cross_entropy(logits[:, -1].flatten(0, 1), labels[:, -1].argmax(-1).flatten())


def accuracy(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """The part of each task's query images that is named right: [B, K+1, N, N] twice → [B]."""
    right = logits[:, -1].argmax(-1) == labels[:, -1].argmax(-1)
    return right.to(torch.float32).mean(dim=1)


def tasks(images: torch.Tensor, labels: torch.Tensor) -> Iterator[tuple[torch.Tensor, ...]]:
    """A block's tasks one by one, for learners that adapt to one task at a time.

    Yields:
        support images [K·N, 784], their one-hot labels [K·N, N], and query images [N, 784].
    """
    for image, label in zip(images, labels, strict=True):
        yield image[:-1].flatten(0, 1), label[:-1].flatten(0, 1), image[-1]


def on_query_row(logits: torch.Tensor, shots: int) -> torch.Tensor:
    """Logits of the query images [B, N, N] as the last row of a block's, [B, K+1, N, N].

    The support rows are 0: most learners have no opinion about images whose label they were told.
    """
    return F.pad(logits[:, None], (0, 0, 0, 0, shots, 0))
