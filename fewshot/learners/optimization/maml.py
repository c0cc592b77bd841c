"""Model-agnostic meta-learning (Finn, Abbeel and Levine, 2017)."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call, grad, vmap

from fewshot.data.episodes import Episodes
from fewshot.learners.learner import Learner, on_query_row
from fewshot.learners.optimization.nets import TRANSDUCTIVE, fully_connected

Weights = dict[str, torch.Tensor]


def adapt(
    loss: Callable[[Weights], torch.Tensor],
    weights: Weights,
    steps: int,
    rate: float,
    first_order: bool = False,
) -> Weights:
    """Inner steps of gradient descent, through which gradients flow:

        θ' = θ - α ∇ L(θ)                                             (section 2.2), `steps` times

    Args:
        loss: of weights like `weights`, a scalar: L, the loss of one task's support set.
        weights: θ, by name. They are not changed.
        steps: how many; 0 gives θ.
        rate: α.
        first_order: whether ∇L counts as a constant, so that ∂θ'/∂θ is the identity and the
            meta-gradient needs no second derivatives (section 5.2).

    Returns:
        θ', by name.
    """
    for _ in range(steps):
        gradients = grad(loss)(weights)
        if first_order:
            gradients = {name: gradient.detach() for name, gradient in gradients.items()}
        weights = {
            name: torch.sub(weight, gradients[name], alpha=rate) for name, weight in weights.items()
        }
    return weights


class MAML(Learner):
    """An initialisation from which a few steps of gradient descent learn a task.

    For each task, with the network f, its weights θ, the support set S and the query Q,

        θ'     = θ - α ∇_θ L_S(f_θ), a few times                      (`adapt`)
        logits = f_θ'(Q)
        θ      ← Adam(∇_θ mean over tasks of L_Q(f_θ'))               (eq. 1, in `step`)

    where L is cross entropy. Tasks are adapted side by side, by `vmap`.

    Args:
        num_classes: N of the task.
        num_shot: K.
        first_order: as of `adapt`.
        net: f, images [images, 784] → logits [images, N]; the paper's fully connected one if None.
    """

    batch = 8
    rate = 1e-3
    queries = 5  # at most, of each class in the meta-loss, in groups of one of each, as in a test
    setting = TRANSDUCTIVE

    def __init__(
        self,
        num_classes: int,
        num_shot: int,
        first_order: bool = False,
        net: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.first_order = first_order
        self.net = net or fully_connected(num_classes)
        # The paper's for 5 and 20 classes: one step of 0.4, or five of 0.1; in evaluation, three
        # of the former.
        few = num_classes <= 5
        self.inner_rate = 0.4 if few else 0.1
        self.inner_steps = 1 if few else 5
        self.test_steps = 3 if few else 5

    def support_loss(
        self, weights: Weights, images: torch.Tensor, labels: torch.Tensor
    ) -> torch.Tensor:
        """L_S: the mean cross entropy of images [S, 784] with one-hot labels [S, N], a scalar."""
        return F.cross_entropy(functional_call(self.net, weights, (images,)), labels)

    def answer(
        self, images: torch.Tensor, labels: torch.Tensor, groups: torch.Tensor
    ) -> torch.Tensor:
        """Adapt to one task: support [S, 784], its labels [S, N], groups of query images, each
        normalised by itself, [G, Q, 784] → [G, Q, N]."""
        weights = adapt(
            lambda weights: self.support_loss(weights, images, labels),
            dict(self.net.named_parameters()),
            self.inner_steps if self.training else self.test_steps,
            self.inner_rate,
            self.first_order,
        )
        return vmap(lambda query: functional_call(self.net, weights, (query,)))(groups)

    def forward(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """As of `Learner`. It adapts to the support set under `torch.no_grad` as well."""
        support, told = images[:, :-1].flatten(1, 2), labels[:, :-1].flatten(1, 2)
        logits = vmap(self.answer)(support, told, images[:, -1:])
        return on_query_row(logits[:, 0], images.shape[1] - 1)

    def step(self, train: Episodes, spent: float) -> float:
        """As of `Learner`, with several query images of each class, which cost little more."""
        shots = train.num_shot
        queries = min(self.queries, train.per_character - shots)
        images, _, classes = train.sequences(self.batch, shots + queries)
        by_class = images.take_along_dim(classes.argsort(dim=1)[..., None], dim=1)
        rows = by_class.unflatten(1, (train.num_classes, -1)).transpose(1, 2)  # [B, K+G, N, 784]
        told = torch.eye(train.num_classes).repeat(self.batch, shots, 1)
        logits = vmap(self.answer)(rows[:, :shots].flatten(1, 2), told, rows[:, shots:])
        named = torch.arange(train.num_classes).repeat(self.batch * queries)
        return self.descend(F.cross_entropy(logits.flatten(0, 2), named), spent)
