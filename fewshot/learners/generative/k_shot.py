"""Discriminative k-shot learning with probabilistic models (Bauer et al., 2017)."""

import torch
import torch.nn.functional as F
from torch import nn

from fewshot.data.episodes import Episodes
from fewshot.learners.convnet import ConvNet
from fewshot.learners.learner import Learner, on_query_row

BATCH = 128  # training images in a step
STEPS = 200  # of the search for the new weights


class KShot(Learner):
    """Learn to name the training characters; expect the weights of new ones to look like theirs.

    1. Representation learning. A ConvNet f under a softmax names the C training characters:

           p(c | x) ∝ exp(w_c · f(x))

    2. Concept learning. A Gaussian with the moments of their weights is the concept of what a
       character's weights are; one variance serves all directions:

           μ = mean of w_c,    σ² = mean of ‖w_c - μ‖²/D

    3. K-shot learning. The new characters' weights are the most probable ones given the support:

           W* = argmin_W  -Σ_i log softmax(W f(x_i))[y_i] + Σ_n ‖w_n - μ‖²/2σ²

    4. K-shot testing. A query is named by the softmax with W*.

    f is never changed after phase 1, and phase 3 looks at the support alone. Phase 2 is a closed
    form that costs next to nothing beside a step of phase 1, so it is done after every one:
    training can stop at any time. The paper also tries richer concepts and averages over the
    posterior of W; its isotropic Gaussian with W* alone is what is here.

    Args:
        num_classes: N of the task; any number can be answered.
        num_shot: K; any number as well.
    """

    setting = "batch norm: running"
    prior = True
    rate = 3e-3

    def __init__(self, num_classes: int, num_shot: int) -> None:
        super().__init__()
        self.embed = ConvNet()
        self.known = Rows(64)
        self.register_buffer("mean", torch.zeros(64))
        self.register_buffer("variance", torch.ones(()))

    def step(self, train: Episodes, spent: float) -> float:
        """Phases 1 and 2, on images of any of the training characters."""
        index = torch.randint(
            len(train.images), (BATCH,), generator=train.generator, device=train.generator.device
        )
        self.known.grow(train.num_characters)
        images = train.images[index].to(torch.float32) / 255
        loss = F.cross_entropy(self.known(self.embed(images)), index // train.per_character)
        value = self.descend(loss, spent)
        self.mean, self.variance = concept(self.known.weight.detach())
        return value

    def forward(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Phases 3 and 4, as of `Learner`; no gradient goes through phase 3."""
        embedded = self.embed(images)
        weights = most_probable(
            embedded[:, :-1].flatten(1, 2).detach(),
            labels[:, :-1].flatten(1, 2),
            self.mean,
            self.variance if self.prior else None,
        )
        return on_query_row(embedded[:, -1] @ weights.mT, images.shape[1] - 1)


class KShotPlain(KShot):
    """The same features and the same search from W = 0, without a prior: a plain softmax."""

    prior = False


class Rows(nn.Module):
    """A softmax's weights, a row for each character, which are counted when the first one comes."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(0, width))

    def grow(self, rows: int) -> None:
        """Draw the weights, if that has not been done."""
        if not len(self.weight):
            self.weight.data = self.weight.new_empty(rows, self.weight.shape[1]).normal_(0, 0.1)

    def forward(self, embedded: torch.Tensor) -> torch.Tensor:
        """Logits [..., rows]."""
        return embedded @ self.weight.T

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *others) -> None:
        # A learner that goes on has not seen the characters yet.
        self.weight.data = torch.empty_like(state_dict[prefix + "weight"])
        super()._load_from_state_dict(state_dict, prefix, *others)


def concept(weights: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Phase 2: weights [C, D] → their mean [D], and their variance about it, a scalar."""
    mean = weights.mean(dim=0)
    return mean, (weights - mean).square().mean()


def most_probable(
    embedded: torch.Tensor,
    labels: torch.Tensor,
    mean: torch.Tensor,
    variance: torch.Tensor | None,
    steps: int = STEPS,
) -> torch.Tensor:
    """Phase 3: Nesterov's gradient method, for all tasks at once.

    With V = (W - μ)/σ the objective is the cross entropy of V·σf plus ½‖V‖². It is 1-strongly
    convex, and smooth with the constant 1 + ½λ, where λ is the largest eigenvalue of the Gram
    matrix of the support's σf. That gives the rate and the momentum, without a choice to make.

    Args:
        embedded: the support, [B, K·N, D].
        labels: one-hot [B, K·N, N].
        mean: μ, [D].
        variance: σ², a scalar; None for no prior, with V = W and without ½‖V‖².
        steps: of the method.

    Returns:
        W* [B, N, D].
    """
    deviation = 1.0 if variance is None else variance.sqrt()
    convexity = 0.0 if variance is None else 1.0
    scaled = deviation * embedded
    smooth = convexity + torch.linalg.matrix_norm(scaled, 2, keepdim=True).square() / 2
    momentum = (smooth.sqrt() - convexity) / (smooth.sqrt() + convexity)
    weights = ahead = embedded.new_zeros(len(embedded), labels.shape[2], embedded.shape[2])
    for _ in range(steps):
        # μᵀσf is in every logit alike, so the softmax does not see μ.
        error = (scaled @ ahead.mT).softmax(-1) - labels
        after = ahead - (error.mT @ scaled + convexity * ahead) / smooth
        ahead = after + momentum * (after - weights)
        weights = after
    return weights if variance is None else mean + deviation * weights
