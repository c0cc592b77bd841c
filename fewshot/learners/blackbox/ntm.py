"""The Neural Turing Machine (Graves, Wayne and Danihelka, 2014, arXiv 1410.5401).

A controller, a network without a large memory of its own, works on a memory M of slots × width
through one read head (r) and one write head (w). A head is where its weights are: w ≥ 0 over the
slots, Σ w = 1. At each step

    h = controller([input, r])         r is what was read in the step before
    k, β, γ, g, s = linear(h)          for each head: a key, and β = softplus, γ = 1 + softplus,
                                       g = σ, s = softmax of three
    c = softmax(β · cos(k, M))         look for the key in the memory,          (eq. 5 and 6)
    w = g c + (1 - g) w                or stay where the head was;              (eq. 7)
    w(i) = Σⱼ w(i - j) s(j)            move by j = -1, 0 or 1 slots in a ring;  (eq. 8)
    w(i) = w(i)^γ / Σ w^γ              sharpen what moving has blurred          (eq. 9)
    r = w_rᵀ M                         read                                     (eq. 2)
    M = M ∘ (1 - w_w eᵀ) + w_w aᵀ      erase e = σ, then add a                  (eq. 3 and 4)
    output = [h, r]

Both heads look at the memory as the step before has left it. The paper leaves open how a
sequence begins. Here every slot holds the same small number, so that nothing can be learned by
heart about the memory, and both heads are in slot 0; what the controller and the read head
begin with is learned.
"""

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from fewshot.learners.blackbox.addressing import by_content

EMPTY = 1e-6  # in every slot at the beginning; with 0 a slot has no direction, and no gradient
TINY = 1e-16  # a weight of 0 has no logarithm
READ, WRITE = 0, 1


class State(NamedTuple):
    """What an NTM knows between two steps."""

    memory: torch.Tensor  # [B, slots, width]
    weights: torch.Tensor  # [B, 2, slots], of the read head and of the write head
    read: torch.Tensor  # [B, width]
    controller: Any  # the state of the controller, which is a cell as well


class LSTMController(nn.Module):
    """An LSTM with the interface of a cell; its first state is learned."""

    def __init__(self, inputs: int, units: int):
        super().__init__()
        self.output_size = units
        self.lstm = nn.LSTMCell(inputs, units)
        self.first = nn.Parameter(torch.zeros(2, units))

    def zero_state(self, batch_size: int) -> tuple[torch.Tensor, torch.Tensor]:
        """h and c before the first step, each [B, units]."""
        h, c = self.first
        return h.expand(batch_size, -1), c.expand(batch_size, -1)

    def forward(self, x: torch.Tensor, state: tuple) -> tuple[torch.Tensor, tuple]:
        """[B, inputs] → [B, units]."""
        h, c = self.lstm(x, state)
        return h, (h, c)


class FeedForwardController(nn.Module):
    """Two layers with the interface of a cell; all that it remembers is in the NTM's memory."""

    def __init__(self, inputs: int, hidden: int, outputs: int):
        super().__init__()
        self.output_size = outputs
        self.layers = nn.Sequential(
            nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, outputs), nn.ReLU()
        )

    def zero_state(self, batch_size: int) -> tuple[()]:
        """There is none."""
        return ()

    def forward(self, x: torch.Tensor, state: tuple[()]) -> tuple[torch.Tensor, tuple[()]]:
        """[B, inputs] → [B, outputs]."""
        return self.layers(x), ()


class NTM(nn.Module):
    """The machine as a cell for `unroll`; equations above.

    Args:
        controller: a cell that takes the input and what was read, [B, inputs + width], and says
            in `output_size` how wide its output is.
        slots: of the memory.
        width: of a slot.
    """

    def __init__(self, controller: nn.Module, slots: int, width: int):
        super().__init__()
        self.controller = controller
        self.slots, self.width = slots, width
        self.output_size = controller.output_size + width
        # Of each head its key, β and γ, g, three shifts; then e and a.
        self.sizes = [2 * (width + 6), width, width]
        self.heads = nn.Linear(controller.output_size, sum(self.sizes))
        self.first_read = nn.Parameter(torch.zeros(width))

    def zero_state(self, batch_size: int) -> State:
        """An empty memory, both heads in slot 0."""
        weights = self.first_read.new_zeros(batch_size, 2, self.slots)
        weights[:, :, 0] = 1
        return State(
            self.first_read.new_full((batch_size, self.slots, self.width), EMPTY),
            weights,
            self.first_read.expand(batch_size, -1),
            self.controller.zero_state(batch_size),
        )

    def forward(self, input: torch.Tensor, state: State) -> tuple[torch.Tensor, State]:
        """One step: input [B, inputs] → output [B, output_size]."""
        memory, weights, read, inner = state
        h, inner = self.controller(torch.cat([input, read], dim=1), inner)
        where, erase, add = self.heads(h).split(self.sizes, dim=1)
        weights = self.address(where.unflatten(1, (2, -1)), memory, weights)
        read = (weights[:, READ, None] @ memory).squeeze(1)
        # Erasing and adding at once, M + w (a - M ∘ e), goes over the memory fewer times.
        change = add.unsqueeze(1) - memory * erase.sigmoid().unsqueeze(1)
        memory = memory + weights[:, WRITE].unsqueeze(2) * change
        return torch.cat([h, read], dim=1), State(memory, weights, read, inner)

    def address(
        self, where: torch.Tensor, memory: torch.Tensor, weights: torch.Tensor
    ) -> torch.Tensor:
        """Where the heads go.

        Args:
            where: [B, 2, width + 6], what the controller says to each head.
            memory: [B, slots, width].
            weights: [B, 2, slots], where they were.

        Returns:
            [B, 2, slots], ≥ 0; each row sums to one.
        """
        key, positive, gate, shift = where.split([self.width, 2, 1, 3], dim=2)
        strength, sharpness = F.softplus(positive).split(1, dim=2)
        weights = weights.lerp(by_content(key, memory, strength), gate.sigmoid())
        back, stay, on = shift.softmax(dim=2).split(1, dim=2)
        weights = weights.roll(-1, 2) * back + weights * stay + weights.roll(1, 2) * on
        # w^γ / Σ w^γ = softmax(γ log w), which no large γ can make 0 / 0
        return ((1 + sharpness) * (weights + TINY).log()).softmax(dim=2)
