"""The record of a grading: one result for every check of the rubric, whatever happened.

Everything a person or a course page sees is made from it (`report`). It starts as zeros and a
check replaces its own result, so a check that never ran has lost its points.
"""

import tomllib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

RUBRIC = Path(__file__).parent / "rubric.toml"


@dataclass(frozen=True)
class Check:
    """One row of the rubric.

    Attributes:
        id: stable name, "PART/NAME"; the function `test_NAME` of `checks/test_PART.py`, or of
            that file in `checks/hidden`, which students do not get.
        part: "submission", "sampler", "forward", "loss" or "accuracy".
        number: as the student sees it, "1.4".
        title: what holds when the check passes.
        points: its worth.
        public: students may run it; hidden checks run only in `grade`.
        waits_for: ids of checks that must have passed before this one makes sense.
        settings: what else the check needs to know: K, N and threshold of an accuracy check.
    """

    id: str
    part: str
    number: str
    title: str
    points: float
    public: bool
    waits_for: tuple[str, ...] = ()
    settings: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Mistake:
    """A known wrong implementation: its id, why it is wrong and where to look, a sentence each."""

    id: str
    why: str
    look: str


@dataclass(frozen=True)
class Task:
    """A task that the student's sampler drew, to be shown as a picture.

    Attributes:
        images: float [K+1, N, 784], ink 1 and paper 0.
        labels: the label under each image, text [K+1][N].
        marked: the (row, column) cells that are wrong.
        caption: a sentence.
    """

    images: np.ndarray
    labels: list[list[str]]
    marked: list[tuple[int, int]]
    caption: str


@dataclass(frozen=True)
class Curve:
    """How training went.

    Attributes:
        steps: [P], steps at which the accuracy was measured.
        accuracies: [P], query accuracy on secret tasks.
        interval: half the width of the 95 % interval around the last one.
        threshold: what it should reach.
        losses: [S], the training loss at every step.
    """

    steps: list[int]
    accuracies: list[float]
    interval: float
    threshold: float
    losses: list[float]


@dataclass(frozen=True)
class Result:
    """What came of one check.

    Attributes:
        check: the rubric's row.
        status: "passed", "failed", "waiting" for another check, or "not graded".
        message: plain sentences: what was expected and what came, or why there are no points.
        mistake: the known mistake that fits exactly, if one does.
        seconds: how long it took.
        task: a picture to look at.
        curve: of an accuracy check.
    """

    check: Check
    status: str
    message: str
    mistake: Mistake | None = None
    seconds: float = 0.0
    task: Task | None = None
    curve: Curve | None = None

    @property
    def score(self) -> float:
        """All the points or none."""
        return self.check.points if self.status == "passed" else 0.0


@dataclass
class Record:
    """A whole grading.

    Attributes:
        results: in the rubric's order.
        public_only: the student's own run, without the hidden checks.
        notes: what was unusual about the submission and yet taken, a sentence each.
        look: why a person should look at this submission, a sentence each; usually empty.
        protections: what kept the student's code apart, a phrase each.
        facts: seed, versions, threads, data and the command that gives this record again.
        seconds: of the whole grading.
    """

    results: list[Result]
    public_only: bool = False
    notes: list[str] = field(default_factory=list)
    look: list[str] = field(default_factory=list)
    protections: list[str] = field(default_factory=list)
    facts: dict = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def score(self) -> float:
        return sum(result.score for result in self.results)

    @property
    def max_score(self) -> float:
        return sum(result.check.points for result in self.results)

    def put(self, result: Result) -> None:
        """Replace the result of one check."""
        place = next(i for i, old in enumerate(self.results) if old.check.id == result.check.id)
        self.results[place] = result


def read_rubric() -> list[Check]:
    """All checks, in the order in which students see them."""
    with RUBRIC.open("rb") as file:
        rows = tomllib.load(file)["check"]
    known = {"id", "number", "title", "points", "public", "waits_for"}
    return [
        Check(
            id=row["id"],
            part=row["id"].partition("/")[0],
            number=row["number"],
            title=row["title"],
            points=float(row["points"]),
            public=row["public"],
            waits_for=tuple(row.get("waits_for", ())),
            settings={name: value for name, value in row.items() if name not in known},
        )
        for row in rows
    ]


def start_record(public_only: bool = False) -> Record:
    """Zeros for every check that is to run."""
    checks = [check for check in read_rubric() if check.public or not public_only]
    return Record(
        [Result(check, "not graded", "The grading stopped before this check.") for check in checks],
        public_only,
    )
