"""Run a cell over a sequence.

A cell is a module with

    forward(input [B, inputs], state) → (output [B, outputs], the next state)
    zero_state(batch_size) → the state before the first step
    output_size, the width of its outputs

where a state is a named tuple of tensors whose first axis is the batch.
"""

from typing import Any

import torch
from torch import nn


def unroll(cell: nn.Module, inputs: torch.Tensor, state: Any = None) -> tuple[torch.Tensor, Any]:
    """Feed a sequence to a cell.

    Args:
        cell: as above.
        inputs: [B, T, inputs].
        state: where an earlier call ended; None begins anew.

    Returns:
        outputs [B, T, outputs], and the state after the last step.
    """
    if state is None:
        state = cell.zero_state(len(inputs))
    outputs = []
    for step in inputs.unbind(dim=1):
        output, state = cell(step, state)
        outputs.append(output)
    return torch.stack(outputs, dim=1), state
