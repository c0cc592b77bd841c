"""Problem 2b, on predictions and labels that the judge makes."""

from autograder.judge import Failure
from autograder.questions import ask_loss


def test_scalar(case):
    """One number with a gradient."""
    for answer, gradient in zip(case.answered, case.gradients, strict=True):
        if answer.numel() != 1:
            raise Failure(
                f"The loss should be one number; it has the shape {list(answer.shape)}.", case
            )
        if gradient is None:
            raise Failure("The loss should have a gradient; it has none.", case)
        if not gradient.any():
            raise Failure("The loss should have a gradient; it is zero everywhere.", case)


def test_finite(context):
    """Logits of some ten thousand give a finite loss and gradient."""
    case = ask_loss(context, 1e4, 11)
    for answer, gradient in zip(case.answered, case.gradients, strict=True):
        if answer.numel() != 1:
            raise Failure(
                "At logits of some ten thousand the loss should still be one number; it has the "
                f"shape {list(answer.shape)}."
            )
        if not (answer.isfinite().all() and (gradient is None or gradient.isfinite().all())):
            raise Failure(
                "At logits of some ten thousand the loss and its gradient should still be finite "
                f"numbers; the loss is {answer.reshape(-1)[0].item():g}"
                f"{', and its gradient is not finite' * bool(answer.isfinite().all())}.",
                case,
            )
