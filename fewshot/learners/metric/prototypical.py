"""Prototypical networks (Snell, Swersky and Zemel, 2017)."""

import torch

from fewshot.learners.convnet import ConvNet
from fewshot.learners.learner import Learner, on_query_row


class Prototypical(Learner):
    """A class is the mean of its embedded support images; a query belongs to the nearest.

    With the embedding f,

        c_n   = mean over the shots of f(support image of class n)         (eq. 1)
        logit = -‖f(query) - c_n‖²                                         (eq. 2)

    The distance is squared Euclidean, which makes the answer a linear classifier on f with weights
    2·c_n and biases -‖c_n‖² (section 2.4). It is trained on more classes than it is asked about.

    Args:
        num_classes: N of the task; any number can be answered.
        num_shot: K.
    """

    setting = "batch norm: running"
    batch = 2
    rate = 2e-3

    def __init__(self, num_classes: int, num_shot: int) -> None:
        super().__init__()
        self.train_way = max(60, num_classes)  # as in the paper
        self.embed = ConvNet()

    def forward(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """As of `Learner`."""
        embedded = self.embed(images)
        prototypes = class_means(embedded[:, :-1], labels[:, :-1])
        difference = embedded[:, -1, :, None] - prototypes[:, None]
        return on_query_row(-difference.square().sum(-1), images.shape[1] - 1)


def class_means(embedded: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """The mean of each class: [B, K, N, D] and one-hot [B, K, N, N] → [B, N, D], by class."""
    return torch.einsum("bknd,bknc->bcd", embedded, labels) / embedded.shape[1]
