"""One grading of a class, as a worker does it, perhaps on another machine."""

import os
import shlex
from dataclasses import dataclass, replace
from pathlib import Path

from autograder.classroom.fingerprint import data_digest, grader_digest
from autograder.classroom.roster import Handed
from autograder.data import find_data
from autograder.grading import grade_submission
from autograder.record import Record, start_record
from autograder.report import gradescope, page
from autograder.sandbox import SandboxError
from fewshot.data.errors import DataError
from fewshot.workers import BUSY


class WorkerError(Exception):
    """Why no worker of this kind can grade anything, in a sentence."""


@dataclass(frozen=True)
class Order:
    """What the gradings of a class have in common.

    Attributes:
        submissions: where they come from, as the instructor wrote it.
        data: the image folder, by a name that every worker knows.
        train: "resume", "scratch" or "off".
        seed: of everything that is drawn, secret tasks included.
        grader: its digest; a worker with another one refuses.
        images: likewise.
    """

    submissions: str
    data: Path
    train: str
    seed: int
    grader: str
    images: str

    def command(self, folder: str) -> str:
        """What gives one of the records again."""
        words = ["python", "-m", "autograder", "grade", self.submissions, "--out", "again"]
        words += ["--only", folder, "--data", str(self.data), "--train", self.train]
        return shlex.join([*words, "--seed", str(self.seed)])


def grade_one(handed: Handed, order: Order) -> tuple[dict, str]:
    """Grade one submission.

    Returns:
        results.json and the page for the student.

    Raises:
        WorkerError: no submission can be graded here as it should be.
    """
    with BUSY:
        check_worker(order)
        record = start_record()
        try:
            grade_submission(
                handed.submission,
                record,
                order.data,
                order.train,
                order.seed,
                order.command(handed.folder),
            )
        except (DataError, SandboxError) as error:
            raise WorkerError(str(error)) from None
        except KeyboardInterrupt:  # told to stop; by now the submission has been
            os._exit(1)
        except Exception as error:
            record = not_graded(f"The grader itself stopped with {type(error).__name__}: {error}")
        return faces(record)


def check_worker(order: Order) -> None:
    """Whether this is the grader that the run wants, and these its images."""
    if grader_digest() != order.grader:
        raise WorkerError("A worker has another version of the grader: install the same on all.")
    try:
        images = data_digest(find_data(order.data))
    except DataError as error:
        raise WorkerError(f"A worker cannot use the images: {error}") from None
    if images != order.images:
        raise WorkerError(f"{order.data} on a worker holds other images: copy them to all.")


def not_graded(reason: str) -> Record:
    """Zeros that a person has to look at."""
    record = start_record()
    reason = f"{reason}. This is not the student's fault: please report it."
    record.results = [replace(result, message=reason) for result in record.results]
    record.look = [reason]
    return record


def faces(record: Record) -> tuple[dict, str]:
    """What is kept of a record."""
    return gradescope(record), page(record)
