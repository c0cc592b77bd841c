"""Matching networks with full context embeddings (Vinyals et al., 2016)."""

import math

import torch
import torch.nn.functional as F
from torch import nn

from fewshot.learners.convnet import ConvNet
from fewshot.learners.learner import Learner, on_query_row


class FullContext(nn.Module):
    """Embeds every example in the light of the whole support set (appendix A of the paper).

    The support examples are read by an LSTM in both directions:

        g(xᵢ) = h→ᵢ + h←ᵢ + g'(xᵢ)

    Each query x̂ is read K times by another LSTM, which attends to the support (eq. 3 to 6):

        aₖ₋₁   = softmax over i of hₖ₋₁ᵀ g(xᵢ)
        rₖ₋₁   = Σᵢ aₖ₋₁,ᵢ g(xᵢ)
        ĥₖ, cₖ = LSTM(f'(x̂), [hₖ₋₁, rₖ₋₁], cₖ₋₁)
        hₖ     = ĥₖ + f'(x̂)
        f(x̂)   = h_K

    from ĥ₀ = c₀ = 0. No query is seen by another or by the support.

    Args:
        width: D of all embeddings.
        steps: K, of the attention.
    """

    def __init__(self, width: int, steps: int) -> None:
        super().__init__()
        self.steps = steps
        self.read_support = nn.LSTM(width, width, bidirectional=True, batch_first=True)
        # The gates are linear in what comes in: it is the same whether r stands beside the
        # input or, as in the paper, beside the state.
        self.read_query = nn.LSTMCell(2 * width, width)

    def forward(
        self, support: torch.Tensor, query: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """g' of the support [B, S, D] and f' of the queries [B, Q, D] → g and f, alike in shape."""
        forth, back = self.read_support(support)[0].chunk(2, dim=-1)
        g = forth + back + support

        h, c = query, query.new_zeros(query.shape).flatten(0, 1)
        for _ in range(self.steps):
            r = (h @ g.mT).softmax(dim=-1) @ g
            drive = torch.cat([query, r], dim=-1).flatten(0, 1)
            h_hat, c = self.read_query(drive, (h.flatten(0, 1), c))
            h = h_hat.view_as(query) + query
        return g, h


class Matching(Learner):
    """A query's label is a mean of the support's labels, weighted by attention.

        a(x̂, xᵢ) = softmax over i of β·cos(f(x̂), g(xᵢ))      (section 2.1.1)
        p(n | x̂) = Σᵢ a(x̂, xᵢ) yᵢₙ                           (eq. 1)
        logit    = log p(n | x̂),  so that the cross entropy is -log p of the class

    β, which is learned, is not in the paper: without it the softmax of a cosine of 1 among 19 of 0
    is .125, and the loss of an answer as right as that is still 2.08.

    Args:
        num_classes: N of the task; any number can be answered.
        num_shot: K.
        filters: of the embedding's convolutions.
    """

    setting = "batch norm: running"
    steps = 5  # of attention

    def __init__(self, num_classes: int, num_shot: int, filters: int = 64) -> None:
        super().__init__()
        self.embed = ConvNet(filters)
        self.context = FullContext(filters, self.steps)
        self.log_scale = nn.Parameter(torch.tensor(math.log(10.0)))

    def forward(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """As of `Learner`; the logits are log-probabilities."""
        embedded = self.embed(images)
        answer = self.match(
            embedded[:, :-1].flatten(1, 2), labels[:, :-1].flatten(1, 2), embedded[:, -1]
        )
        return on_query_row(answer, images.shape[1] - 1)

    def match(
        self, support: torch.Tensor, labels: torch.Tensor, query: torch.Tensor
    ) -> torch.Tensor:
        """Answer queries from what the network sees in them.

        Args:
            support: [B, S, D], embedded by `embed`, in the order in which the LSTM reads them.
            labels: one-hot [B, S, N].
            query: [B, Q, D], embedded likewise.

        Returns:
            log-probabilities [B, Q, N].
        """
        g, f = self.context(support, query)
        cosine = F.normalize(f, dim=-1) @ F.normalize(g, dim=-1).mT
        return log_probability(self.log_scale.exp() * cosine, labels)


def log_probability(scores: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """log Σᵢ softmax(scores)ᵢ yᵢ: [B, Q, S] and one-hot [B, S, N] → [B, Q, N]."""
    others = labels[:, None] == 0
    attention = scores.log_softmax(dim=-1)[..., None].masked_fill(others, -torch.inf)
    return attention.logsumexp(dim=2)
