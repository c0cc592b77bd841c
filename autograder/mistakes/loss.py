"""Wrong losses that public checks meet."""

from dataclasses import dataclass, field

import torch

from autograder.mistakes.catalogue import mistake

SCALAR = "loss/scalar"
FINITE = "loss/finite"


@dataclass(frozen=True)
class LossCase:
    """What `loss_function` answered.

    Attributes:
        asked: (predictions, labels) of each call, both [B, K+1, N, N].
        answered: the loss of each call.
        gradients: with respect to the predictions; None where there was none.
        changed: which of its inputs it has written into, "predictions" and "labels".
    """

    asked: list[tuple[torch.Tensor, torch.Tensor]]
    answered: list[torch.Tensor]
    gradients: list[torch.Tensor | None]
    changed: list[str] = field(default_factory=list)


@mistake(
    SCALAR,
    why="Your loss is one number for each image instead of their mean.",
    look='Leave out reduction="none", or take the mean.',
)
def not_reduced(case: LossCase) -> bool:
    return all(
        answer.numel() in (len(labels) * labels.shape[2], labels[..., 0].numel())
        for (_, labels), answer in zip(case.asked, case.answered, strict=True)
    )


@mistake(
    SCALAR,
    why="Your loss is a number without a gradient, so nothing can be learnt from it.",
    look="Look for argmax, .detach(), .item(), .numpy(), torch.no_grad() or torch.tensor(…).",
)
def detached(case: LossCase) -> bool:
    return all(answer.numel() == 1 for answer in case.answered) and not any(
        gradient is not None for gradient in case.gradients
    )


@mistake(
    SCALAR,
    why="Your loss is 0 whatever the predictions are.",
    look="Either an axis of length 1 is taken for the classes, as [:, -1:] keeps one (write "
    "[:, -1] and give F.cross_entropy [B·N, N]), or the labels of the query are all zeros: the "
    "zeros are for forward alone.",
)
def always_zero(case: LossCase) -> bool:
    return not any(answer.any() for answer in case.answered)


@mistake(
    FINITE,
    why="The loss becomes infinite or no number at large logits: exp or log goes out of range.",
    look="Use F.cross_entropy, or F.log_softmax instead of torch.log(torch.softmax(…)).",
)
def overflow(case: LossCase) -> bool:
    return any(not bool(answer.isfinite().all()) for answer in case.answered)
