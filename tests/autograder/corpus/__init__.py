"""The grader's own exam: submissions whose outcome is known, each a few lines on the reference.

Attacks are text. Nothing but a sandbox under test may ever run one.
"""

from .attacks import ATTACKS
from .case import PARTS, REFERENCE, STUBS, Case, named, write
from .correct import CORRECT
from .mutants import MUTANTS
from .unusable import UNUSABLE

__all__ = [
    "ATTACKS",
    "CORRECT",
    "MUTANTS",
    "PARTS",
    "REFERENCE",
    "STUBS",
    "UNUSABLE",
    "Case",
    "named",
    "write",
]
