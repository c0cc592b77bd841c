"""Siamese networks: one network embeds both images of a pair, and a distance compares them."""

import torch
import torch.nn.functional as F

from fewshot.learners.convnet import ConvNet
from fewshot.learners.learner import Learner
from fewshot.learners.metric.nearest import nearest


class Siamese(Learner):
    """Pairs of the same character are drawn together, others are pushed a margin apart.

    With f the embedding, scaled to length 1,

        d    = ‖f(a) - f(b)‖
        loss = ½·[y·d² + (1 - y)·max(0, margin - d)²]      y = 1: the same character

    (Hadsell, Chopra and LeCun, 2006, eq. 4, where y = 0 means the same). The pairs are those of
    each query with each support image of an episode. One in N is of the same character, so the
    two kinds are averaged apart and count the same, as in pairs drawn half and half (Koch, Zemel
    and Salakhutdinov, 2015). A query is of the class of its nearest support image.

    Args:
        num_classes: N of the task; any number can be answered.
        num_shot: K.
    """

    setting = "batch norm: running"
    batch = 8
    rate = 2e-3
    margin = 1.0

    def __init__(self, num_classes: int, num_shot: int) -> None:
        super().__init__()
        self.train_way = max(20, num_classes)
        self.embed = ConvNet()

    def distances(self, images: torch.Tensor) -> torch.Tensor:
        """Of each query to each support image: [B, K+1, N, 784] → [B, N, K·N]."""
        embedded = F.normalize(self.embed(images), dim=-1)
        return distance(embedded[:, -1, :, None], embedded[:, None, :-1].flatten(2, 3))

    def forward(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """As of `Learner`; the logits are negative distances."""
        return nearest(-self.distances(images), labels)

    def loss(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """The contrastive loss of an episode's pairs, a scalar."""
        same = same_class(labels)
        losses = contrastive(self.distances(images), same, self.margin)
        return (losses[same].mean() + losses[~same].mean()) / 2


class SiameseTriplet(Siamese):
    """A query has to be nearer to its own character than to every other, by a margin.

        loss = max(0, ‖f(a) - f(p)‖² - ‖f(a) - f(n)‖² + margin)

    where a is a query, p a support image of its character and n one of another (Schroff,
    Kalenichenko and Philbin, 2015, eq. 3). All triplets of an episode count; the mean is over
    those whose loss is not 0, because soon most of them have nothing to teach.
    """

    margin = 0.2

    def loss(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """The triplet loss of an episode's triplets, a scalar."""
        same = same_class(labels)
        squares = self.distances(images).square()
        losses = (squares[..., :, None] - squares[..., None, :] + self.margin).clamp_min(0)
        losses = losses[same[..., :, None] & ~same[..., None, :]]
        return losses.sum() / (losses > 0).sum().clamp_min(1)


def distance(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Euclidean: [..., D] twice → [...]. At 0 its gradient is 0, and not 0/0 as that of a root."""
    return torch.linalg.vector_norm(a - b, dim=-1)


def contrastive(distance: torch.Tensor, same: torch.Tensor, margin: float) -> torch.Tensor:
    """The contrastive loss of each pair: distances [...] and bool [...] → [...]."""
    return torch.where(same, distance, (margin - distance).clamp_min(0)).square() / 2


def same_class(labels: torch.Tensor) -> torch.Tensor:
    """Whether a query and a support image are of one class: [B, K+1, N, N] → bool [B, N, K·N]."""
    return labels[:, -1] @ labels[:, :-1].flatten(1, 2).mT > 0.5
