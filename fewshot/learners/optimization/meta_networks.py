"""Meta networks (Munkhdalai and Yu, 2017)."""

import torch
import torch.nn.functional as F
from torch import nn
from torch.func import grad, vmap

from fewshot.learners.convnet import ConvNet
from fewshot.learners.learner import Learner, on_query_row
from fewshot.learners.optimization.gradients import preprocess

Weights = dict[str, torch.Tensor]
WIDTH = 64  # of the eye and of the dense layers
HIDDEN = 20  # of the networks that turn gradients into fast weights


class MetaNetworks(Learner):
    """Fast weights, made in one go from the gradients of the support examples.

    Two networks see the images: u, with slow weights Q, for the key under which a support example
    is remembered, and b, with slow weights W, for the class. From the support examples (x'ᵢ, y'ᵢ)

        ∇ᵢ  = ∇_Q loss(u(Q, x'ᵢ), y'ᵢ),    Q*  = d(∇₁ … ∇_T)              (eq. 1, 2)
        ∇ᵢ  = ∇_W loss(b(W, x'ᵢ), y'ᵢ),    W*ᵢ = m(∇ᵢ)                    (eq. 3, 4)
        r'ᵢ = u(Q, Q*, x'ᵢ)                                               (eq. 5)

    and for each query x, which reads the memory of W*ᵢ by its keys r'ᵢ,

        r  = u(Q, Q*, x),    W* = Σᵢ softmax over i of cos(r'ᵢ, r) · W*ᵢ  (eq. 6 to 8)
        logits = b(W, W*, x)                                              (eq. 9)

    d is an LSTM and m a small network; both treat every weight alike. The gradients are inputs: no
    gradient flows through them. Q* is made from one example of each class.

    Here u and b are two dense layers each, on one convolutional eye that has slow weights only:
    its batch norm needs all images together, and the rest is cheap for single examples. And cos
    has a learned strength, since a softmax of cosines alone is nearly flat.

    Args:
        num_classes: N of the task.
        num_shot: K.
    """

    batch = 8
    setting = "batch norm: running"

    def __init__(self, num_classes: int, num_shot: int) -> None:
        super().__init__()
        self.eye = ConvNet(WIDTH)
        self.u = dense(WIDTH)
        self.b = dense(num_classes)
        # What the loss of u compares a representation with. A class is another character in each
        # task, so there is nothing in these to learn.
        self.register_buffer("names", torch.randn(num_classes, WIDTH) / WIDTH**0.5)
        self.d = nn.LSTM(2, HIDDEN, batch_first=True)
        self.d_out = nn.Linear(HIDDEN, 1)
        self.m = nn.Sequential(nn.Linear(2, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 1))
        self.strength = nn.Parameter(torch.tensor(10.0))

    def key_loss(self, slow: Weights, seen: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        """The loss of u on one example, [width] and one-hot [N] → a scalar."""
        return F.cross_entropy(self.names @ augmented(seen, slow), label)

    def name_loss(self, slow: Weights, seen: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        """The loss of b on one example, [width] and one-hot [N] → a scalar."""
        return F.cross_entropy(augmented(seen, slow), label)

    def fast_keys(self, gradient: torch.Tensor) -> torch.Tensor:
        """d: the gradients of one weight tensor, [B, T, *shape] → Q* [B, *shape]."""
        sequences = preprocess(gradient.flatten(2)).transpose(1, 2)  # [B, weights, T, 2]
        _, (last, _) = self.d(sequences.flatten(0, 1))
        return self.d_out(last[0]).view(len(gradient), *gradient.shape[2:])

    def forward(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """As of `Learner`."""
        seen = self.eye(images)
        support, told, query = seen[:, :-1].flatten(1, 2), labels[:, :-1].flatten(1, 2), seen[:, -1]
        u, b = dict(self.u), dict(self.b)

        one_shot = slice(labels.shape[2])
        found = gradients(self.key_loss, u, support[:, one_shot], told[:, one_shot])
        fast_u = {name: self.fast_keys(gradient) for name, gradient in found.items()}
        found = gradients(self.name_loss, b, support, told)
        memory = {name: self.m(preprocess(each)).squeeze(-1) for name, each in found.items()}

        key = vmap(lambda seen, fast: augmented(seen, u, fast))
        keys, asked = (F.normalize(key(each, fast_u), dim=-1) for each in (support, query))
        attention = (self.strength * asked @ keys.mT).softmax(dim=-1)
        read = {
            name: torch.einsum("bqs,bs...->bq...", attention, each) for name, each in memory.items()
        }
        logits = vmap(vmap(lambda seen, fast: augmented(seen, b, fast)))(query, read)
        return on_query_row(logits, images.shape[1] - 1)


def dense(outputs: int) -> nn.ParameterDict:
    """The weights of two dense layers, `WIDTH` → `WIDTH` → outputs."""
    first, second = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, outputs)
    return nn.ParameterDict(
        {"w1": first.weight, "b1": first.bias, "w2": second.weight, "b2": second.bias}
    )


def augmented(seen: torch.Tensor, *weights: Weights) -> torch.Tensor:
    """Two dense layers, slow and fast ones side by side, [..., width] → [..., outputs]:

    h = relu(W₁ x) + relu(W₁* x),    W₂ h + W₂* h                          (section 3.3)
    """
    hidden = sum(F.linear(seen, each["w1"], each["b1"]).relu() for each in weights)
    return sum(F.linear(hidden, each["w2"], each["b2"]) for each in weights)


def gradients(loss, weights: Weights, seen: torch.Tensor, labels: torch.Tensor) -> Weights:
    """The gradient of each example by itself, as a constant: [B, S, ...] by name."""
    examples = vmap(vmap(grad(loss), (None, 0, 0)), (None, 0, 0))
    found = examples(weights, seen, labels)
    return {name: gradient.detach() for name, gradient in found.items()}
