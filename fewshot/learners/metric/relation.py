"""Relation networks (Sung et al., 2018)."""

import torch
import torch.nn.functional as F
from torch import nn

from fewshot.data.store import SIDE
from fewshot.learners.learner import Learner, on_query_row


class Relation(Learner):
    """The comparison is learned as well: a network says how much a query is like a class.

    With features f of 64×5×5, C their concatenation and g the relation module (eq. 1, section 3.2),

        f_n   = sum over the shots of f(support image of class n)
        score = g(C(f_n, f(query)))        in [0, 1]
        loss  = mean of (score - [query is of class n])²        (eq. 2)

    g's first convolution is linear in the concatenation: it is done for classes and queries on
    their own, with its two halves, and added up for their N² pairs.

    Args:
        num_classes: N of the task; any number can be answered.
        num_shot: K.
    """

    setting = "batch norm: running"
    rate = 2e-3
    clip = 0.5

    def __init__(self, num_classes: int, num_shot: int) -> None:
        super().__init__()
        self.batch = max(1, 160 // num_classes)  # 160 queries in a step
        # The sides of an image: 28, 13, 5, 5, 5.
        self.embed = nn.Sequential(
            *block(1, padding=0, pool=True),
            *block(64, padding=0, pool=True),
            *block(64, padding=1, pool=False),
            *block(64, padding=1, pool=False),
        )
        self.embed.to(memory_format=torch.channels_last)
        self.of_class = nn.Conv2d(64, 64, 3, padding=1)
        self.of_query = nn.Conv2d(64, 64, 3, padding=1, bias=False)
        # Of a pair: 5, 2, 1.
        self.relation = nn.Sequential(
            nn.BatchNorm2d(64),
            nn.ReLU(),
            nn.MaxPool2d(2),
            *block(64, padding=1, pool=True),
            nn.Flatten(),
            nn.Linear(64, 8),
            nn.ReLU(),
            nn.Linear(8, 1),
            nn.Sigmoid(),
        )

    def forward(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """As of `Learner`; the logits are relation scores."""
        B, rows, N, _ = images.shape
        pictures = images.reshape(-1, 1, SIDE, SIDE)
        maps = self.embed(pictures).unflatten(0, (B, rows, N))
        sums = torch.einsum("bkn...,bknc->bc...", maps[:, :-1], labels[:, :-1])
        of_class = self.of_class(sums.flatten(0, 1)).unflatten(0, (B, 1, N))
        of_query = self.of_query(maps[:, -1].flatten(0, 1)).unflatten(0, (B, N, 1))
        scores = self.relation((of_class + of_query).flatten(0, 2)).view(B, N, N)
        return on_query_row(scores, rows - 1)

    def loss(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """The mean squared error of the scores, a scalar."""
        return F.mse_loss(self(images, labels)[:, -1], labels[:, -1])


def block(channels: int, padding: int, pool: bool) -> list[nn.Module]:
    """3×3 convolution to 64 maps, batch norm, ReLU, and 2×2 max-pooling if asked for."""
    layers = [nn.Conv2d(channels, 64, 3, padding=padding), nn.BatchNorm2d(64), nn.ReLU()]
    return [*layers, nn.MaxPool2d(2)] if pool else layers
