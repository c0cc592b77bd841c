"""The ways to feed the handout's network that are all right, and how they compare to ours.

The handout says that image and label are concatenated and that the N·K support images come
before the N query images. It leaves open which of the two comes first, whether the support set is
read shot by shot or class by class, and whether pixels that go up to 255 are divided in `forward`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch

PIXELS = 784
Weights = dict[str, torch.Tensor]  # "layer1.weight_ih_l0" and so on
Network = Callable[[torch.nn.Module, torch.Tensor, torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Layout:
    """One of them.

    Attributes:
        labels_first: the label before the image.
        by_class: all shots of class 0, then of class 1, and so on.
        scale: what `forward` multiplies images by.
    """

    labels_first: bool = False
    by_class: bool = False
    scale: float = 1.0

    def to_ours(self, weights: Weights, way: int) -> Weights:
        """Weights of such a network as those of ours."""
        return self._swap(weights, way)

    def from_ours(self, weights: Weights) -> Weights:
        """Weights of our network as those of such a one."""
        return self._swap(weights, PIXELS)

    def _swap(self, weights: Weights, first: int) -> Weights:
        """The first `first` input columns of layer 1 moved behind the others."""
        if not self.labels_first:
            return weights
        columns = weights["layer1.weight_ih_l0"]
        swapped = torch.cat([columns[:, first:], columns[:, :first]], dim=1)
        return weights | {"layer1.weight_ih_l0": swapped}

    def run(
        self, network: Network, model: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor
    ) -> torch.Tensor:
        """What `network` predicts if it is fed in this order.

        Args:
            network: a function of a model of ours, images and labels, for example its forward.
            model: a MANN of ours.
            images: [B, K+1, N, 784].
            labels: [B, K+1, N, N].

        Returns:
            [B, K+1, N, N], in the order of the images.
        """
        images = images * self.scale
        if not self.by_class:
            return network(model, images, labels)
        order = self._steps(images.shape[1], images.shape[2])

        def reorder(tensor, steps):
            return tensor.flatten(1, 2)[:, steps].view(tensor.shape)

        predictions = network(model, reorder(images, order), reorder(labels, order))
        return reorder(predictions, order.argsort())

    def _steps(self, rows: int, way: int) -> torch.Tensor:
        """int64 [(K+1)·N]: the cell that is read at each step, support class by class."""
        cells = torch.arange(rows * way).view(rows, way)
        return torch.cat([cells[:-1].T.flatten(), cells[-1]])


LAYOUTS = [
    Layout(labels_first, by_class, scale)
    for scale in (1.0, 1 / 255)
    for by_class in (False, True)
    for labels_first in (False, True)
]


def close(given: torch.Tensor, expected: torch.Tensor) -> bool:
    """Whether two results are the same but for rounding in single precision."""
    return given.shape == expected.shape and torch.allclose(
        given.double(), expected.double(), rtol=1e-4, atol=1e-5
    )
