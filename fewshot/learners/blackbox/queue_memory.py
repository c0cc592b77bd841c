"""A recurrent cell with a queue for a memory: what is written goes in front, the oldest falls out.

Nothing is overwritten, so a network has only to learn what to write and what to look for, not
where. With a cell of memory for every step of an episode nothing is ever lost.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from fewshot.learners.blackbox.controller import lstm


class QueueState(NamedTuple):
    """What the cell knows between two steps.

    Attributes:
        output: [B, lstm_size + R·W], hₜ and the R reads: the cell's output, which it is fed again.
        carry: [B, lstm_size], the controller's cₜ.
        memory: [B, M, W], the newest cell of memory first; zeros where none is written yet.
        directions: [B, M, W], the same at length one. What is in the queue never changes, so it is
            normalised when it is written and not each time it is looked at.
    """

    output: torch.Tensor
    carry: torch.Tensor
    memory: torch.Tensor
    directions: torch.Tensor


class QueueMemoryCell(nn.Module):
    """The memory-augmented LSTM of "learning to learn", an assignment of NPFL114.

    At step t, with R heads that read and a memory of M cells of width W:

        hₜ, cₜ = LSTM([xₜ, hₜ₋₁, rₜ₋₁], cₜ₋₁)     controller
        wₜ, kₜ = tanh(linear(hₜ))                 what to write; for each head, what to look for
        rₜ     = softmax over the cells of cos(kₜ, Mₜ₋₁), times Mₜ₋₁
        Mₜ     = [wₜ, Mₜ₋₁ without its last cell]
        output = [hₜ, rₜ]

    where xₜ is the image beside the label of the step before. The source's cell ends with
    tanh(linear([hₜ, rₜ])); no state depends on it, so here it is the model's, which has it for
    all steps at once.

    The weights begin as the source's do, by the defaults of Keras: Xavier, those of hₜ₋₁
    orthogonal, and biases of zero, one for the forget gate.

    Args:
        input_size: width of xₜ.
        lstm_size: of the controller.
        memory_size: M.
        memory_dim: W.
        nb_reads: R.
    """

    def __init__(
        self,
        input_size: int,
        lstm_size: int = 256,
        memory_size: int = 50,
        memory_dim: int = 40,
        nb_reads: int = 1,
    ) -> None:
        super().__init__()
        self.lstm_size = lstm_size
        self.memory_size = memory_size
        self.memory_dim = memory_dim
        self.nb_reads = nb_reads
        self.output_size = lstm_size + nb_reads * memory_dim
        # Of the four gates: forget, input, output, and what is let in.
        self.from_input = nn.Linear(input_size, 4 * lstm_size)
        self.from_output = nn.Linear(self.output_size, 4 * lstm_size, bias=False)
        # What to write, then a key for each head.
        self.heads = nn.Linear(lstm_size, (1 + nb_reads) * memory_dim)
        # To Keras, xₜ and rₜ₋₁ are one input.
        bound = (6 / (input_size + nb_reads * memory_dim + 4 * lstm_size)) ** 0.5
        nn.init.uniform_(self.from_input.weight, -bound, bound)
        nn.init.uniform_(self.from_output.weight, -bound, bound)
        nn.init.orthogonal_(self.from_output.weight[:, :lstm_size].detach())
        nn.init.zeros_(self.from_input.bias)
        nn.init.ones_(self.from_input.bias[:lstm_size].detach())
        nn.init.xavier_uniform_(self.heads.weight)
        nn.init.zeros_(self.heads.bias)

    def zero_state(self, batch_size: int) -> QueueState:
        """The state before the first step."""
        new = self.heads.weight.new_zeros
        empty = new(batch_size, self.memory_size, self.memory_dim)
        return QueueState(
            output=new(batch_size, self.output_size),
            carry=new(batch_size, self.lstm_size),
            memory=empty,
            directions=empty,
        )

    def forward(self, input: torch.Tensor, state: QueueState) -> tuple[torch.Tensor, QueueState]:
        """One step: input [B, input_size] → output [B, lstm_size + R·W], and the next state."""
        return self.step(self.from_input(input), state)

    def step(self, drive: torch.Tensor, state: QueueState) -> tuple[torch.Tensor, QueueState]:
        """One step, given drive [B, 4·lstm_size], `from_input` of x.

        As that does not depend on the state, a sequence's can be computed for all steps at once:

            unroll(cell.step, cell.from_input(inputs), cell.zero_state(len(inputs)))
        """
        hidden, carry = lstm(drive + self.from_output(state.output), state.carry)

        values = self.heads(hidden).tanh().unflatten(1, (1 + self.nb_reads, self.memory_dim))
        directions = F.normalize(values, dim=-1)
        cosines = directions[:, 1:] @ state.directions.transpose(1, 2)
        reads = cosines.softmax(dim=-1) @ state.memory

        memory = torch.cat([values[:, :1], state.memory[:, :-1]], dim=1)
        directions = torch.cat([directions[:, :1], state.directions[:, :-1]], dim=1)
        output = torch.cat([hidden, reads.flatten(1)], dim=1)
        return output, QueueState(output, carry, memory, directions)
