"""What is made from the kit: a zip for Gradescope, and the homework as students get it."""

from autograder.data import ROOT


class ReleaseError(Exception):
    """Why nothing was written, in a sentence."""


def pinned_packages() -> bytes:
    """The first section of requirements.txt, what the kit runs on; the others are for its staff."""
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    return text.partition("\n\n")[0].encode() + b"\n"
