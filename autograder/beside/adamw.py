"""The optimizer of a training."""

import torch


def adamw(parameters, decay):
    """A function of the learning rate that makes one step of AdamW (Loshchilov and Hutter 2019).

    torch.optim has it, and brings 60 MB of compiler along.
    """
    first, second = ([torch.zeros_like(p) for p in parameters] for _ in range(2))
    steps = 0

    @torch.no_grad()
    def update(rate):
        nonlocal steps
        steps += 1
        for p, m, v in zip(parameters, first, second, strict=True):
            if p.grad is not None:
                m.lerp_(p.grad, 0.1)
                v.mul_(0.999).addcmul_(p.grad, p.grad, value=0.001)
                size = (v / (1 - 0.999**steps)).sqrt_().add_(1e-8)
                p.mul_(1 - rate * decay).addcdiv_(m, size, value=-rate / (1 - 0.9**steps))
                p.grad = None

    return update
