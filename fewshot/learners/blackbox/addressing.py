"""Find memory cells by what is in them (Graves et al., 2014, section 3.3.1)."""

import torch
import torch.nn.functional as F


def cosine(keys: torch.Tensor, memory: torch.Tensor) -> torch.Tensor:
    """The cosine of every key with every cell: keys [B, R, W], memory [B, M, W] → [B, R, M].

    A cell of zeros has the cosine 0 with everything, and a finite gradient.
    """
    return F.normalize(keys, dim=-1) @ F.normalize(memory, dim=-1).transpose(1, 2)


def by_content(
    keys: torch.Tensor, memory: torch.Tensor, strength: torch.Tensor | float = 1.0
) -> torch.Tensor:
    """Weights of the cells for each key, softmax(β · cosine) over the cells.

    Args:
        keys: [B, R, W], R keys of the cells' width.
        memory: [B, M, W], M cells.
        strength: β, one for all or [B, R, 1]. With β = 1 no cell of M can weigh more than
            e² / (e² + M - 1), .055 of 128 cells.

    Returns:
        [B, R, M]; each row sums to one.
    """
    return (strength * cosine(keys, memory)).softmax(dim=-1)
