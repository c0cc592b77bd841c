"""Learning to learn by gradient descent by gradient descent (Andrychowicz et al., 2016).

An optimizer that is itself a network. Every coordinate of what it optimizes has a state of its own,
and all share the weights (section 2.1), so a coordinate is a batch entry here. A state is the
(h, c) of an `nn.LSTM`; `zero_state` is the one before the first step.
"""

import math

import torch
from torch import nn

from fewshot.learners.optimization.gradients import preprocess

HIDDEN = 20
SCALE = 0.1  # of an update, so that the first ones are small

State = tuple[torch.Tensor, torch.Tensor]


class LearnedOptimizer(nn.Module):
    """A two-layer LSTM over the steps says what to add:

        (g_t, h_t) = LSTM(preprocess(∇f(θ_t)), h_{t-1})
        θ_{t+1}    = θ_t + g_t                                              (eq. 3)

    with g_t a linear read-out, a hundredth of a unit wide at the start.
    """

    layers = 2

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(2, HIDDEN, self.layers)
        self.update = nn.Linear(HIDDEN, 1)

    def zero_state(self, coordinates: int) -> State:
        """The state before the first step."""
        zero = self.update.weight.new_zeros(self.layers, coordinates, HIDDEN)
        return zero, zero

    def forward(
        self, theta: torch.Tensor, gradient: torch.Tensor, state: State
    ) -> tuple[torch.Tensor, State]:
        """One step of the optimizer.

        Args:
            theta: [..., D]; with what comes before, so many coordinates.
            gradient: of the same shape; taken as a constant (the dropped edges of figure 2).
            state: of as many coordinates.

        Returns:
            the next theta and the next state.
        """
        hidden, state = self.look(gradient, state)
        return theta + SCALE * self.update(hidden).view_as(theta), state

    def look(self, gradient: torch.Tensor, state: State) -> tuple[torch.Tensor, State]:
        """What the LSTM makes of the gradients so far: [coordinates, 20]; and its next state."""
        inputs = preprocess(gradient.detach()).view(1, -1, 2)
        hidden, state = self.lstm(inputs, state)
        return hidden[0], state


class TwoLSTMs(LearnedOptimizer):
    """The variant with a second LSTM: one over the gradients, and one whose memory is θ itself.

    Gradient descent has the form of an LSTM's memory cell (Ravi and Larochelle, 2017, eq. 2): θ is
    the memory, the forget gate is 1, the input gate the learning rate, and what comes in -∇f(θ).
    Here the first LSTM, over time, makes of all the gradients so far what comes in, as momentum
    would, and both gates:

        h_t     = LSTM(preprocess(∇f(θ_t)), h_{t-1})
        m_t     = the linear read-out of h_t
        f_t     = σ(a·h_t + b),    i_t = σ(a'·h_t + b')
        θ_{t+1} = f_t·θ_t + i_t·m_t

    b starts high, so that θ is kept. The first LSTM has one layer: there are two as it is.
    """

    layers = 1

    def __init__(self) -> None:
        super().__init__()
        self.gates = nn.Linear(HIDDEN, 2)
        with torch.no_grad():
            self.gates.bias.copy_(torch.tensor([6.0, -math.log(1 / SCALE - 1)]))

    def forward(
        self, theta: torch.Tensor, gradient: torch.Tensor, state: State
    ) -> tuple[torch.Tensor, State]:
        """As of `LearnedOptimizer`."""
        hidden, state = self.look(gradient, state)
        keep, take = self.gates(hidden).sigmoid().unbind(dim=1)
        theta = keep.view_as(theta) * theta + (take * self.update(hidden)[:, 0]).view_as(theta)
        return theta, state
