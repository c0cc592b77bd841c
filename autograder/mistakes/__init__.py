"""Known wrong implementations, so that a failed check can say which one it has met.

An entry is a function under `@mistake(checks, why=…, look=…)`; its name is the id. It returns
whether the evidence of a failed check is exactly what this mistake makes. The first entry that
fits is named, so the more particular come first. Those of hidden checks are in `hidden`.
"""

from autograder.mistakes import forward, loss, sampler  # noqa: F401, entries enter the catalogue
from autograder.mistakes.catalogue import STUB, find_mistake

__all__ = ["STUB", "find_mistake"]
