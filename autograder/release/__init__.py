"""What is made from the kit: a zip for Gradescope, and the homework as students get it."""

from autograder.data import ROOT


class ReleaseError(Exception):
    """Why nothing was written, in a sentence."""


def pinned_packages(sections: int) -> bytes:
    """The first sections of requirements.txt: what the kit runs on, what draws, and so on."""
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    return "\n\n".join(text.split("\n\n")[:sections]).encode() + b"\n"
