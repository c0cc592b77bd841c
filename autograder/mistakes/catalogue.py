"""The list of known mistakes, and the one that fits."""

from collections.abc import Callable

from autograder.record import Mistake

STUB = Mistake(
    "stub",
    "The function still is the starter's stub.",
    "Write it in place of the line that raises NotImplementedError or returns None.",
)

Fits = Callable[..., bool]
CATALOGUE: list[tuple[tuple[str, ...], Mistake, Fits]] = []


def mistake(*checks: str, why: str, look: str) -> Callable[[Fits], Fits]:
    """Put a function in the catalogue.

    Args:
        checks: ids of the checks whose evidence it understands.
        why: what the student's code does instead of the handout's, a sentence.
        look: where to look, a sentence.
    """

    def register(fits: Fits) -> Fits:
        CATALOGUE.append((checks, Mistake(fits.__name__, why, look), fits))
        return fits

    return register


def find_mistake(check: str, evidence: object) -> Mistake | None:
    """The first known mistake that fits the evidence of a failed check; None if none does."""
    if evidence is None:
        return None
    for checks, known, fits in CATALOGUE:
        if check in checks and fits(evidence):
            return known
    return None
