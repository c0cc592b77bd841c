"""The LSTM inside a cell that has a memory beside it."""

import torch


def lstm(gates: torch.Tensor, carry: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """One step, once its four gates are weighed:

        cₜ = σ(f) cₜ₋₁ + σ(i) tanh(g)
        hₜ = σ(o) tanh(cₜ)

    `nn.LSTMCell` does the weighing as well; where a sequence's inputs are known beforehand,
    theirs is cheaper for all steps at once.

    Args:
        gates: f, i, o and g side by side, [B, 4·units].
        carry: cₜ₋₁, [B, units].

    Returns:
        hₜ and cₜ, [B, units] each.
    """
    opened, let_in = gates.tensor_split([3 * carry.shape[1]], dim=1)
    forget, admit, expose = opened.sigmoid().chunk(3, dim=1)
    carry = forget * carry + admit * let_in.tanh()
    return expose * carry.tanh(), carry
