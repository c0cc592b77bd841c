"""What the gradings of a class say together: scores, checks, mistakes, and what is unusual."""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from autograder.classroom.graded import Graded

EDGES = range(0, 101, 10)  # of the bins of scores
SLOWEST = 10  # gradings that are listed
WAITING = "Not run: waiting for "  # so the judge begins the message of a check that waits


@dataclass(frozen=True)
class CheckStatistics:
    """How a check went.

    Attributes:
        number, title, points: as in the rubric.
        passed: the share of submissions that passed.
        waiting: in how many it was not run, because another check had not passed.
        discrimination: correlation of passing with the points for all other checks; None where
            there is none: all or nobody passed, the others vary as little, or it has no points.
    """

    number: str
    title: str
    points: float
    passed: float
    waiting: int
    discrimination: float | None


@dataclass(frozen=True)
class MistakeStatistics:
    """How often a known mistake was named by a check.

    Attributes:
        id: of the mistake; two parts may use the same.
        check: the check's number.
        title: the check's.
        count: submissions with it.
        share: of all submissions.
        help: what the students read about it.
    """

    id: str
    check: str
    title: str
    count: int
    share: float
    help: str


@dataclass(frozen=True)
class Statistics:
    """A class.

    Attributes:
        bins: submissions with a score from each edge to the next; the highest score is in the last.
        mean, median: of the scores; None without submissions.
        checks: in the rubric's order.
        mistakes: the most frequent first.
        slowest: the slowest gradings, slowest first.
        look: those that a person should look at.
    """

    bins: list[int]
    mean: float | None
    median: float | None
    checks: list[CheckStatistics]
    mistakes: list[MistakeStatistics]
    slowest: list[Graded]
    look: list[Graded]


def statistics(graded: list[Graded]) -> Statistics:
    """All figures."""
    scores = np.array([one.results["score"] for one in graded])
    return Statistics(
        bins=np.histogram(scores, EDGES)[0].tolist(),
        mean=float(scores.mean()) if graded else None,
        median=float(np.median(scores)) if graded else None,
        checks=_checks(graded),
        mistakes=_mistakes(graded),
        slowest=sorted(graded, key=seconds, reverse=True)[:SLOWEST],
        look=[one for one in graded if reasons(one)],
    )


def seconds(one: Graded) -> float:
    """How long the grading took."""
    return one.results["execution_time"]


def most(one: Graded) -> float:
    """The points there were to get."""
    return sum(test["max_score"] for test in one.results["tests"])


def mistakes(one: Graded) -> list[str]:
    """The ids of the mistakes that were named, each once."""
    named = [test["extra_data"]["mistake"] for test in one.results["tests"]]
    return list(dict.fromkeys(name for name in named if name))


def reasons(one: Graded) -> list[str]:
    """Why a person should look at it."""
    return one.results["extra_data"].get("look", [])


def _checks(graded: list[Graded]) -> list[CheckStatistics]:
    """Each check among those who were graded with it: the rubric may have changed meanwhile."""
    columns = {}
    for one in graded:
        total = sum(test["score"] for test in one.results["tests"])
        for test in one.results["tests"]:
            columns.setdefault(test["number"], []).append((test, total - test["score"]))
    return [_check(*zip(*column, strict=True)) for column in columns.values()]


def _check(tests: tuple[dict, ...], others: tuple[float, ...]) -> CheckStatistics:
    """What came of one check, and the points for the others."""
    passed = np.array([test["status"] == "passed" for test in tests])
    points = tests[0]["max_score"]
    return CheckStatistics(
        number=tests[0]["number"],
        title=tests[0]["name"],
        points=points,
        passed=float(passed.mean()),
        waiting=sum(test["output"].startswith(WAITING) for test in tests),
        discrimination=_correlation(passed, np.array(others)) if points else None,
    )


def _correlation(passed: np.ndarray, others: np.ndarray) -> float | None:
    """Between passing a check and the points for the others; None if one of the two is constant."""
    others = np.round(others, 2)  # as scores are; what sums leave behind must not count
    if np.ptp(passed.astype(int)) == 0 or np.ptp(others) == 0:
        return None
    return float(np.corrcoef(passed, others)[0, 1])


def _mistakes(graded: list[Graded]) -> list[MistakeStatistics]:
    counts, tests = Counter(), {}
    for one in graded:
        for test in one.results["tests"]:
            if name := test["extra_data"]["mistake"]:
                counts[test["number"], name] += 1
                tests[test["number"], name] = test
    return [
        MistakeStatistics(
            id=name,
            check=number,
            title=tests[number, name]["name"],
            count=counts[number, name],
            share=counts[number, name] / len(graded),
            help=_help(tests[number, name]),
        )
        for number, name in sorted(counts, key=lambda key: (-counts[key], key))
    ]


def _help(test: dict) -> str:
    """The last two lines of an output: why it is a mistake, and where to look."""
    return "\n".join(test["output"].split("\n")[-2:])
