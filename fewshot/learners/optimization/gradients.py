"""Gradients as inputs of a network (Andrychowicz et al., 2016, appendix A)."""

import math

import torch

P = 10  # what is below e^-10 counts as small


def preprocess(gradients: torch.Tensor) -> torch.Tensor:
    """Magnitude and sign, for gradients differ by orders of magnitude:

        x → (log|x| / p, sign x)    if |x| ≥ e⁻ᵖ
            (-1, eᵖ x)              otherwise

    Args:
        gradients: float [...].

    Returns:
        float [..., 2], about within [-1, 1].
    """
    size = gradients.abs()
    large = size >= math.exp(-P)
    magnitude = torch.where(large, size.clamp(min=math.exp(-P)).log() / P, -1.0)
    sign = torch.where(large, gradients.sign(), math.exp(P) * gradients)
    return torch.stack([magnitude, sign], dim=-1)
