"""The LSTM meta-learner (Ravi and Larochelle, 2017)."""

import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call, grad_and_value, vmap

from fewshot.learners.learner import Learner, on_query_row
from fewshot.learners.optimization.gradients import preprocess
from fewshot.learners.optimization.nets import TRANSDUCTIVE, convolutional

HIDDEN = 20
CLIP = 0.25  # of the meta-gradient's norm


class MetaLSTM(Learner):
    """An LSTM whose cell state is the weights of another network, the one that names images.

    With that network's loss L on the support set, the cell c = θ, and each weight by itself,

        h_t = LSTM([∇L, L], h_{t-1})                           preprocessed (`preprocess`)
        f_t = σ(W_F [h_t, θ_{t-1}, f_{t-1}] + b_F)             how much of the weight stays
        i_t = σ(W_I [h_t, θ_{t-1}, i_{t-1}] + b_I)             its learning rate
        c_t = f_t ⊙ c_{t-1} + i_t ⊙ (-∇L)                      (eq. 2 to 4)

    All weights share one LSTM and its gates (section 3.2). The first cell c₀ is learned, which is
    MAML's initialisation. At the start b_F is large and b_I small: c_t is gradient descent with a
    small rate (section 3.5). ∇L and L count as constants, so that there are no second derivatives
    (section 3.4).

    Args:
        num_classes: N of the task.
        num_shot: K.
        net: of θ, images [images, 784] → logits [images, N]; a small convolutional one if None.
    """

    batch = 4
    clip = CLIP
    setting = TRANSDUCTIVE
    steps = 8

    def __init__(self, num_classes: int, num_shot: int, net: nn.Module | None = None) -> None:
        super().__init__()
        self.net = net or convolutional(num_classes, filters=16)
        self.lstm = nn.LSTMCell(4, HIDDEN)
        self.forget = nn.Linear(HIDDEN + 2, 1)
        self.input = nn.Linear(HIDDEN + 2, 1)
        nn.init.uniform_(self.forget.bias, 4, 6)
        nn.init.uniform_(self.input.bias, -5, -4)
        for gate in (self.forget, self.input):
            nn.init.uniform_(gate.weight, -0.01, 0.01)

    def run(self, cell: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
        """The network with weights θ [P] on images [images, 784] → logits [images, N]."""
        named = dict(self.net.named_parameters())
        parts = cell.split([weight.numel() for weight in named.values()])
        weights = {
            name: part.view(weight.shape)
            for (name, weight), part in zip(named.items(), parts, strict=True)
        }
        return functional_call(self.net, weights, (images,))

    def adapted(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """The cell after all steps, for tasks side by side.

        Args:
            images: the support sets, float32 [B, S, 784].
            labels: one-hot float32 [B, S, N].

        Returns:
            float32 [B, P], where P is the number of the network's weights.
        """
        descend = vmap(
            grad_and_value(
                lambda cell, images, labels: F.cross_entropy(self.run(cell, images), labels)
            )
        )
        first = torch.cat([weight.flatten() for weight in self.net.parameters()])
        cell = first.expand(len(images), -1)
        hidden = cell.new_zeros(2, cell.numel(), HIDDEN)
        # At first nothing is forgotten and nothing is learned.
        forget, learn = torch.ones_like(cell), torch.zeros_like(cell)
        for _ in range(self.steps):
            gradient, loss = descend(cell.detach(), images, labels)
            seen = torch.stack([gradient, loss[:, None].expand_as(gradient)], dim=-1).detach()
            hidden = self.lstm(preprocess(seen).flatten(-2).flatten(0, 1), tuple(hidden))
            state = hidden[0].view(*cell.shape, HIDDEN)
            forget = self.gate(self.forget, state, cell, forget)
            learn = self.gate(self.input, state, cell, learn)
            cell = forget * cell - learn * gradient.detach()
        return cell

    @staticmethod
    def gate(
        layer: nn.Linear, state: torch.Tensor, cell: torch.Tensor, before: torch.Tensor
    ) -> torch.Tensor:
        """f or i of every weight: h [B, P, hidden], θ and the gate before [B, P] → [B, P]."""
        seen = torch.cat([state, cell[..., None], before[..., None]], dim=-1)
        return layer(seen).squeeze(-1).sigmoid()

    def forward(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """As of `Learner`. It adapts to the support set under `torch.no_grad` as well."""
        cell = self.adapted(images[:, :-1].flatten(1, 2), labels[:, :-1].flatten(1, 2))
        return on_query_row(vmap(self.run)(cell, images[:, -1]), images.shape[1] - 1)
