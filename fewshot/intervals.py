"""How far a mean over test tasks may be from that over all of them."""

import torch


def half_interval(values: torch.Tensor) -> torch.Tensor:
    """Half the width of the 95 % interval of a mean over tasks, by the normal approximation.

    Args:
        values: float [tasks, ...], of at least 2 tasks.

    Returns:
        [...], in the unit of the values.
    """
    return 1.96 * values.std(dim=0) / len(values) ** 0.5
