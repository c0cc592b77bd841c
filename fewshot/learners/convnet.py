"""The four-block convolutional network of Vinyals et al. 2016, the eye of most learners here."""

import torch
from torch import nn

from fewshot.data.store import SIDE


class ConvNet(nn.Sequential):
    """Four times: 3×3 convolution, batch norm, ReLU, 2×2 max-pooling; 28 → 14 → 7 → 3 → 1.

    Args:
        filters: of each convolution, and the width of an embedding. The papers have 64.
        running: whether batch norm keeps running statistics and uses them in evaluation; if not,
            it uses those of the batch at hand, always.
    """

    def __init__(self, filters: int = 64, running: bool = True) -> None:
        layers = []
        for channels in (1, filters, filters, filters):
            layers += [
                nn.Conv2d(channels, filters, 3, padding=1),
                nn.BatchNorm2d(filters, track_running_stats=running),
                nn.MaxPool2d(2),  # before the ReLU: the same, with a quarter of the work for it
                nn.ReLU(),
            ]
        super().__init__(*layers)
        self.to(memory_format=torch.channels_last)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Embed images: float32 [..., 784], ink 1 → [..., filters]."""
        pictures = images.reshape(-1, 1, SIDE, SIDE).contiguous(memory_format=torch.channels_last)
        return super().forward(pictures).view(*images.shape[:-1], -1)
