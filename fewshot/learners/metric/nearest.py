"""Nearest neighbours: the baselines of Vinyals et al. 2016, on pixels and on embeddings."""

import torch
import torch.nn.functional as F
from torch import nn

from fewshot.data.episodes import Episodes
from fewshot.data.store import OMNIGLOT_CHARACTERS
from fewshot.learners.convnet import ConvNet
from fewshot.learners.learner import Learner, on_query_row

ROOM = 4 * OMNIGLOT_CHARACTERS  # every character of Omniglot, and its quarter turns


class NearestPixels(Learner):
    """A query is of the class of the support image whose pixels have the highest cosine with its.

    There is nothing to learn (Table 1 of the paper, "Pixels", "Cosine"), and images are as they
    were drawn, as in the paper: normalised ones it tells apart far more often.

    Args:
        num_classes: N; not used.
        num_shot: K; not used.
    """

    normalised = False
    setting = "nothing to learn; images as they were drawn"

    def __init__(self, num_classes: int, num_shot: int) -> None:
        super().__init__()

    def start(self) -> None:
        """There is nothing to optimize."""

    def step(self, train: Episodes, spent: float) -> float:
        """There is nothing to learn either, and no loss."""
        return 0.0

    def forward(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """As of `Learner`; the logits are cosines."""
        return nearest(cosines(images), labels)


class NearestEmbeddings(Learner):
    """The same on the features of a network that was trained to name the training characters.

    Training knows no episodes: a linear layer on the features and the softmax cross entropy over
    all training characters ("Baseline classifier" of Table 1). The layer is not used afterwards.

    Args:
        num_classes: N; not used.
        num_shot: K; not used.
    """

    setting = "batch norm: running"
    batch = 256  # images
    rate = 3e-3

    def __init__(self, num_classes: int, num_shot: int) -> None:
        super().__init__()
        self.embed = ConvNet()
        self.name = nn.Linear(64, ROOM)

    def step(self, train: Episodes, spent: float) -> float:
        """As of `Learner`, on single images; their characters must be at most `ROOM`."""
        index = torch.randint(
            len(train.images),
            (self.batch,),
            generator=train.generator,
            device=train.images.device,
        )
        features = self.embed(train.images[index].to(torch.float32) / 255)
        logits = self.name(features)[:, : train.num_characters]
        loss = F.cross_entropy(logits, index // train.per_character)
        return self.descend(loss, spent)

    def forward(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """As of `Learner`; the logits are cosines."""
        return nearest(cosines(self.embed(images)), labels)


def cosines(vectors: torch.Tensor) -> torch.Tensor:
    """Of each query with each support example: [B, K+1, N, D] → [B, N, K·N]."""
    vectors = F.normalize(vectors, dim=-1)
    return vectors[:, -1] @ vectors[:, :-1].flatten(1, 2).mT


def nearest(similarity: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Score each class by its support example that is most like the query.

    Args:
        similarity: [B, N, K·N], of queries and support examples; higher is nearer.
        labels: one-hot [B, K+1, N, N]; those of the queries are not looked at.

    Returns:
        [B, K+1, N, N], with zeros for the support.
    """
    others = labels[:, None, :-1].flatten(2, 3) == 0
    best = similarity[..., None].masked_fill(others, -torch.inf).amax(dim=2)
    return on_query_row(best, labels.shape[1] - 1)
