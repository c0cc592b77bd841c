"""Names for alphabets that nobody has heard of."""

import numpy as np

from fewshot.data.glyphs.chance import choose

ONSETS = (*"bdfghklmnprstvz", "br", "dr", "kr", "sh", "th", "tr")
VOWELS = (*"aeiou", "ae", "ia")
ENDINGS = ("l", "n", "r", "sk", "th", "mar", "ndi", "nic", "ri", "ssa")


def names(rng: np.random.Generator, count: int) -> list[str]:
    """`count` distinct names in alphabetical order, each a capital and small letters a-z."""
    found: set[str] = set()
    while len(found) < count:
        syllables = [choose(rng, ONSETS) + choose(rng, VOWELS) for _ in range(rng.integers(2, 4))]
        found.add(("".join(syllables) + choose(rng, ENDINGS)).capitalize())
    return sorted(found)
