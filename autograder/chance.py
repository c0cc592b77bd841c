"""How improbable a count is, for checks that draw at random.

Every bound here is one that holds for certain, not an approximation, so that the probability of
failing a correct submission can be stated: `UNLIKELY` times the number of comparisons.
"""

import math

UNLIKELY = 1e-9  # of one comparison


def divergence(part: float, p: float) -> float:
    """Kullback-Leibler divergence of two coins, in nats."""
    terms = [(part, p), (1 - part, 1 - p)]
    return sum(a * math.log(a / b) if b > 0 else math.inf for a, b in terms if a > 0)


def improbable(count: int, n: int, p: float) -> bool:
    """Whether `count` of `n` at probability `p` each is too far from n·p on either side.

    By the Chernoff bound, exp(-n · divergence), for each side (Hoeffding 1963); it holds for
    negatively associated draws too, such as which characters a sample without replacement leaves
    out (Dubhashi and Ranjan 1998). Of no draws, nothing is improbable.
    """
    if n == 0:
        return False
    return math.exp(-n * divergence(count / n, p)) < UNLIKELY / 2
