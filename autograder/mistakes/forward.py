"""Wrong ways to run the network that public checks meet."""

from autograder.mistakes.catalogue import mistake

GRADIENT = "forward/gradient"


@mistake(
    GRADIENT,
    why="No gradient comes out of forward, so nothing would be learnt.",
    look="Look for .detach(), .numpy(), .data, torch.no_grad() or torch.tensor(…).",
)
def no_gradient(reached: dict[str, bool]) -> bool:
    return not any(reached.values())


@mistake(
    GRADIENT,
    why="Layer 1 gets no gradient, so it would not learn.",
    look="Look for .detach(), .data, torch.tensor(…) or torch.no_grad() between the two layers, "
    "and for requires_grad = False.",
)
def layer1_detached(reached: dict[str, bool]) -> bool:
    return reached["layer2"] and not reached["layer1"]
