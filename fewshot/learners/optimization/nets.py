"""The networks that are adapted to a task, small enough to have weights of its own for each.

Their batch norm always uses the batch at hand: running statistics of other tasks would be wrong
for this one, and `vmap` over tasks could not update them. So the support set is normalised by
itself, and so are the query images, all together: the query is seen transductively.
"""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn

from fewshot.data.soften import blur
from fewshot.data.store import SIDE

TRANSDUCTIVE = "batch norm: of the batch, transductive"


class BatchNorm(nn.Module):
    """Batch norm over the batch at hand, then a gain and a bias for each channel.

    `nn.BatchNorm1d` is the same, but with its own gain and bias inside `vmap` its second
    derivatives are wrong in PyTorch 2.13: MAML's meta-gradient is off by up to 1 %.

    Args:
        channels: of the input, [images, channels, ...].
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[images, channels, ...] → the same shape."""
        shape = (-1,) + (1,) * (x.dim() - 2)
        normal = F.batch_norm(x, None, None, training=True)
        return normal * self.weight.view(shape) + self.bias.view(shape)


class Blur(nn.Module):
    """Softens images, [images, 784] → the same shape."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Twice the mean of 3×3 pixels."""
        return blur(blur(images))


def fully_connected(num_classes: int) -> nn.Sequential:
    """784 → 256 → 128 → 64 → 64 → N with batch norm and ReLU (Finn et al. 2017, section 5.2).

    It has no eye, so it sees softened images, as those of the paper were: the course's are 1-bit.
    """
    widths = (SIDE * SIDE, 256, 128, 64, 64)
    layers = [Blur()]
    for before, after in pairwise(widths):
        layers += [nn.Linear(before, after), BatchNorm(after), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(widths[-1], num_classes))


def convolutional(num_classes: int, filters: int) -> nn.Sequential:
    """Four 3×3 convolutions of stride 2, 28 → 14 → 7 → 4 → 2, with batch norm and ReLU; → N.

    Strides in place of pooling, as in Finn et al. 2017 and Nichol et al. 2018 for Omniglot: they
    cost a quarter.
    """
    layers = [nn.Unflatten(-1, (1, SIDE, SIDE))]
    for channels in (1, filters, filters, filters):
        layers += [
            nn.Conv2d(channels, filters, 3, stride=2, padding=1),
            BatchNorm(filters),
            nn.ReLU(),
        ]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(filters * 4, num_classes))
