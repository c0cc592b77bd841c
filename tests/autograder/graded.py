"""Grade submissions of the corpus as an instructor would, several at a time."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from .corpus import Case, write

AT_ONCE = os.cpu_count() or 1
LONGEST = 900  # seconds for one grading


@dataclass(frozen=True)
class Graded:
    """What came of one submission.

    Attributes:
        returncode: of the command.
        output: what the terminal showed.
        record: the results.json that was left.
    """

    returncode: int
    output: str
    record: dict

    def lost(self) -> dict[str, float]:
        """Check id → points lost, where some were."""
        return {
            test["extra_data"]["check"]: test["max_score"] - test["score"]
            for test in self.record["tests"]
            if test["score"] < test["max_score"]
        }

    def lost_parts(self) -> set[str]:
        """The parts that lost points."""
        return {check.partition("/")[0] for check in self.lost()}

    def mistakes(self) -> set[str]:
        """The ids of the mistakes that were named."""
        return {test["extra_data"]["mistake"] for test in self.record["tests"]} - {None}


def grade_case(
    case: Case, folder: Path, data: Path, options: tuple[str, ...], level: str | None = None
) -> Graded:
    """One grading in a process of its own, with `--train off` unless the options say otherwise."""
    place = folder / f"{case.name}-{level}"
    place.mkdir(parents=True)
    report = place / "results.json"
    command = [sys.executable, "-m", "autograder", "grade", write(case, place), "--json", report]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    if level:
        environment["AUTOGRADER_SANDBOX"] = level
    done = subprocess.run(
        [*command, "--data", data, *options],
        capture_output=True,
        text=True,
        env=environment,
        stdin=subprocess.DEVNULL,
        timeout=LONGEST,
    )
    record = json.loads(report.read_text()) if report.exists() else {}
    return Graded(done.returncode, done.stdout + done.stderr, record)


def grade_cases(
    cases: Iterable[Case],
    folder: Path,
    data: Path,
    *options: str,
    level: str | None = None,
) -> dict[str, Graded]:
    """Case name → what came of it."""
    cases = list(cases)
    options = options or ("--train", "off", "--seed", "1")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        graded = pool.map(lambda case: grade_case(case, folder, data, options, level), cases)
        return {case.name: result for case, result in zip(cases, graded, strict=True)}
