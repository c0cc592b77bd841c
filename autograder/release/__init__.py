"""What is made from the kit: a zip for Gradescope, and the homework as students get it."""


class ReleaseError(Exception):
    """Why nothing was written, in a sentence."""
