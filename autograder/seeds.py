"""Numbers that both sides of a grading start from, and that do not give each other away."""

import hashlib

ROUNDS = 200_000  # a tenth of a second


def stretch(seed: int, purpose: str) -> int:
    """A number below 2**63 for one purpose.

    The child is told its own. From it neither the seed nor the judge's number can be found, for
    trying a seed takes a tenth of a second.
    """
    digest = hashlib.pbkdf2_hmac("sha256", str(seed).encode(), purpose.encode(), ROUNDS)
    return int.from_bytes(digest[:8], "big") >> 1
