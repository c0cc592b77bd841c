"""Grade submissions of the corpus, several at a time.

By the same function as the command line, but many in a process: importing torch takes longer than
a grading. `test_grading` runs the command itself.
"""

import os
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from autograder.grading import grade
from autograder.record import start_record
from autograder.report import gradescope

from .corpus import Case, write

AT_ONCE = os.cpu_count() or 1


@dataclass(frozen=True)
class Graded:
    """What came of one submission: its results.json."""

    record: dict

    def lost(self) -> dict[str, float]:
        """Check id → points lost, where some were."""
        return {
            test["extra_data"]["check"]: test["max_score"] - test["score"]
            for test in self.record["tests"]
            if test["score"] < test["max_score"]
        }

    def mistakes(self) -> set[str]:
        """The ids of the mistakes that were named."""
        return {test["extra_data"]["mistake"] for test in self.record["tests"]} - {None}

    def texts(self) -> str:
        """Everything that is said."""
        outputs = [test["output"] for test in self.record["tests"]]
        return "\n".join([*outputs, *self.record["extra_data"]["notes"]])


def grade_one(submission: Path, data: Path, train: str, seed: int) -> Graded:
    """One grading."""
    record = start_record()
    grade(submission, record, data, train, seed)
    return Graded(gradescope(record))


def grade_cases(
    cases: Iterable[Case],
    folder: Path,
    data: Path,
    train: str = "off",
    seed: int = 1,
    level: str | None = None,
) -> dict[str, Graded]:
    """Case name → what came of it."""
    written = {case.name: write(case, folder) for case in cases}
    one = partial(grade_one, data=data, train=train, seed=seed)
    with graders(level) as pool:
        return dict(zip(written, pool.map(one, written.values()), strict=True))


def graders(level: str | None = None) -> ProcessPoolExecutor:
    """Processes that grade, each of which reads the data once."""
    return ProcessPoolExecutor(
        AT_ONCE, mp_context=get_context("spawn"), initializer=choose_level, initargs=(level,)
    )


def choose_level(level: str | None) -> None:
    """In a worker: all its gradings are at this level of the sandbox."""
    os.environ["OMP_NUM_THREADS"] = "1"
    if level:
        os.environ["AUTOGRADER_SANDBOX"] = level
