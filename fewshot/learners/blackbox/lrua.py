"""A recurrent cell that writes where it has read or where nobody reads any more."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from fewshot.learners.blackbox.addressing import by_content
from fewshot.learners.blackbox.controller import lstm


class MANNState(NamedTuple):
    """What the cell knows between two steps.

    Attributes:
        output: [B, lstm_size + R·W], hₜ and the R reads: the cell's output, which it is fed again.
        carry: [B, lstm_size], the controller's cₜ.
        memory: [B, M, W].
        reads: [B, R, M], the read weights wʳ.
        usage: [B, M], wᵘ; no gradient flows through it.
    """

    output: torch.Tensor
    carry: torch.Tensor
    memory: torch.Tensor
    reads: torch.Tensor
    usage: torch.Tensor


class MANNCell(nn.Module):
    """An LSTM with an external memory and least recently used access.

    Santoro et al. 2016, "Meta-learning with memory-augmented neural networks". At step t, with
    R heads that each read once and write once, and n = R:

        hₜ, cₜ = LSTM([xₜ, hₜ₋₁, rₜ₋₁], cₜ₋₁)             controller
        kₜ, aₜ = tanh(linear(hₜ))                         for each head, what to look for and write
        αₜ     = linear(hₜ)                               for each head, where to write
        wˡᵘ    = 1 at the n smallest of wᵘₜ₋₁, else 0     the least used cells
        wʷₜ    = σ(αₜ) wʳₜ₋₁ + (1 - σ(αₜ)) wˡᵘ            write what was read last, or least
        Mₜ     = Mₜ₋₁, its least used cell set to zero, + Σ_heads wʷₜ aₜᵀ
        wʳₜ    = softmax over the cells of cos(kₜ, Mₜ)
        rₜ     = wʳₜ Mₜ
        wᵘₜ    = γ wᵘₜ₋₁ + Σ_heads wʳₜ + Σ_heads wʷₜ
        output = [hₜ, rₜ]

    where xₜ holds the image and the label of the step before. With `strength`, each head also has
    βₜ = 1 + softplus(linear(hₜ)), and reads with the softmax of βₜ cos(kₜ, Mₜ): without it no
    cell of 128 can weigh more than .055.

    The paper leaves open what k and a are of h, and how all begins. tanh bounds what can pile up
    in a cell; memory begins at 1e-6, with the first cell as the one that was read and used. Cells
    that nothing was written to are alike, so it does not matter which of them are the least used.

    Args:
        input_size: width of x.
        lstm_size: of h.
        memory_size: M, cells.
        memory_dim: W, width of a cell.
        nb_reads: R.
        gamma: γ, what is left of a usage one step later.
        strength: learn β.

    Raises:
        ValueError: R is above M.
    """

    def __init__(
        self,
        input_size: int,
        lstm_size: int = 200,
        memory_size: int = 128,
        memory_dim: int = 40,
        nb_reads: int = 4,
        gamma: float = 0.95,
        strength: bool = False,
    ) -> None:
        super().__init__()
        if nb_reads > memory_size:
            raise ValueError(f"{nb_reads} reads need as many cells, and there are {memory_size}")
        self.lstm_size = lstm_size
        self.memory_size = memory_size
        self.memory_dim = memory_dim
        self.nb_reads = nb_reads
        self.gamma = gamma
        self.strength = strength
        self.output_size = lstm_size + nb_reads * memory_dim
        self._words = 2 * nb_reads * memory_dim
        # Of the four gates: forget, input, output, and what is let in.
        self.from_input = nn.Linear(input_size, 4 * lstm_size)
        self.from_output = nn.Linear(self.output_size, 4 * lstm_size, bias=False)
        # Of each head: a key and what to write, then α and, if wanted, β.
        self.heads = nn.Linear(lstm_size, nb_reads * (2 * memory_dim + 1 + strength))
        nn.init.xavier_uniform_(self.from_input.weight)
        nn.init.xavier_uniform_(self.from_output.weight)
        nn.init.zeros_(self.from_input.bias)
        nn.init.ones_(self.from_input.bias[:lstm_size].detach())  # do not forget at first
        nn.init.uniform_(self.heads.weight, -0.1, 0.1)
        nn.init.zeros_(self.heads.bias)

    def zero_state(self, batch_size: int) -> MANNState:
        """The state before the first step."""
        new = self.heads.weight.new_zeros
        first = new(batch_size, self.memory_size)
        first[:, 0] = 1
        return MANNState(
            output=new(batch_size, self.output_size),
            carry=new(batch_size, self.lstm_size),
            memory=new(batch_size, self.memory_size, self.memory_dim) + 1e-6,
            reads=first[:, None].repeat(1, self.nb_reads, 1),
            usage=first,
        )

    def forward(self, input: torch.Tensor, state: MANNState) -> tuple[torch.Tensor, MANNState]:
        """One step: input [B, input_size] → output [B, lstm_size + R·W], and the next state."""
        return self.step(self.from_input(input), state)

    def step(self, drive: torch.Tensor, state: MANNState) -> tuple[torch.Tensor, MANNState]:
        """One step, given drive [B, 4·lstm_size], `from_input` of x.

        As that does not depend on the state, a sequence's can be computed for all steps at once:

            unroll(cell.step, cell.from_input(inputs), cell.zero_state(len(inputs)))
        """
        hidden, carry = lstm(drive + self.from_output(state.output), state.carry)

        words, scalars = self.heads(hidden).tensor_split([self._words], dim=1)
        keys, adds = words.tanh().unflatten(1, (2, self.nb_reads, self.memory_dim)).unbind(dim=1)
        scalars = scalars.unflatten(1, (1 + self.strength, self.nb_reads, 1))
        strength = 1 + F.softplus(scalars[:, 1]) if self.strength else 1.0

        least = state.usage.topk(self.nb_reads, largest=False).indices  # the least used first
        unused = torch.zeros_like(state.usage).scatter_(1, least, 1)[:, None]
        writes = torch.lerp(unused, state.reads, scalars[:, 0].sigmoid())
        emptied = least[:, :1, None].expand(-1, -1, self.memory_dim)
        memory = state.memory.scatter(1, emptied, 0)
        memory = torch.baddbmm(memory, writes.transpose(1, 2), adds)

        reads = by_content(keys, memory, strength)
        output = torch.cat([hidden, (reads @ memory).flatten(1)], dim=1)
        with torch.no_grad():  # only an order is taken from it
            usage = self.gamma * state.usage + (reads + writes).sum(dim=1)
        return output, MANNState(output, carry, memory, reads, usage)
