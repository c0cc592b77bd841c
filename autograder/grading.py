"""One grading: a submission goes in, a record comes out, whatever the submission does."""

import contextlib
import ctypes
import functools
import os
import platform
import shlex
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from autograder.data import find_data
from autograder.record import Check, Record
from autograder.sandbox import Sandbox, choose_sandbox
from autograder.seeds import stretch
from autograder.student import Student
from autograder.submission import Submission, read_submission, write_files

CHECKS = Path(__file__).parent / "checks"
M_MMAP_THRESHOLD = -3
THREADS = 1  # on two cores no slower than two, and not ten times slower beside other work
SECONDS = {"off": 900, "resume": 1800, "scratch": 14400}  # for the submission, in each mode


def no_news(*news: object) -> None:
    """Nobody watches."""


def grade(
    path: Path,
    record: Record,
    data: Path | None,
    train: str,
    seed: int,
    announce: Callable[[Check], None] = no_news,
    progress: Callable[[int, int], None] = no_news,
    verbose: bool = False,
) -> Record:
    """Run the checks of `record` on the submission at `path` and put what came of them in it.

    Args:
        path: a folder or a zip.
        verbose: let pytest show its own account of the checks.

    The others and what is raised as for `grade_submission`, and

    Raises:
        SubmissionError: there is nothing at `path` that could be a submission.
    """
    submission, data = read_submission(path), find_data(data)
    command = ["python", "-m", "autograder", "grade", str(path), "--data", str(data)]
    command += ["--train", train, "--seed", str(seed)]
    return grade_submission(
        submission, record, data, train, seed, shlex.join(command), announce, progress, verbose
    )


def grade_submission(
    submission: Submission,
    record: Record,
    data: Path,
    train: str,
    seed: int,
    command: str,
    announce: Callable[[Check], None] = no_news,
    progress: Callable[[int, int], None] = no_news,
    verbose: bool = False,
) -> Record:
    """The same for a submission that has been read.

    Args:
        record: zeros, as `start_record` makes them.
        data: an image folder, as `python -m fewshot.data` makes it.
        train: "resume", "scratch" or "off".
        seed: of everything that is drawn, secret tasks included.
        command: what gives this record again.
        announce: told of each check before it starts.
        progress: told (done, of) while a training runs.
        verbose: as above.

    Raises:
        DataError: the images cannot be used.
        SandboxError: the sandbox that was asked for does not work here.
    """
    started = time.monotonic()
    sandbox = try_sandbox(os.environ.get("AUTOGRADER_SANDBOX"))
    record.protections = list(sandbox.protections)
    record.notes = list(submission.notes)
    with started_student(submission, sandbox, data, seed, SECONDS[train]) as student:
        run_checks(record, student, data, seed, train, announce, progress, verbose)
    record.notes += student.notes
    record.look = [*student.alarms, *record.look, *find_doubts(record, student.problems)]
    record.facts = facts(data, train, seed, command)
    record.seconds = time.monotonic() - started
    return record


@contextlib.contextmanager
def started_student(
    submission: Submission, sandbox: Sandbox, data: Path, seed: int, seconds: float
) -> Iterator[Student]:
    """A submission in its sandbox, until the end of the block.

    Args:
        data: an image folder.
        seed: as of `grade_submission`.
        seconds: for all its answers together.
    """
    with tempfile.TemporaryDirectory(prefix="grading-") as temporary:
        homework, code = Path(temporary, "homework"), Path(temporary, "code")
        homework.mkdir()
        code.mkdir()
        write_files(submission, homework)
        problems, told = name_problems(submission), stretch(seed, "child")
        student = Student(
            sandbox, homework, problems, data.absolute(), code, THREADS, told, seconds
        )
        try:
            student.spawn()  # it imports torch while we do
            yield student
        finally:
            student.end()


# The trial run is once a process, which may grade a class.
try_sandbox = functools.cache(choose_sandbox)


def name_problems(submission: Submission) -> dict[str, str]:
    """File name → why it cannot be graded."""
    problems = {}
    for name in ("load_data.py", "hw1.py"):
        about = [problem for problem in submission.problems if name in problem]
        if about:
            problems[name] = about[0]
        elif name not in submission.files:
            problems[name] = " ".join(submission.problems) or f"{name} is missing."
    return problems


def run_checks(
    record: Record,
    student: Student,
    data: Path,
    seed: int,
    train: str,
    announce: Callable[[Check], None],
    progress: Callable[[int, int], None],
    verbose: bool,
) -> None:
    """Let pytest run the checks; the judge writes what came of them into the record."""
    # Not at the top: the child should start before this process spends a second on torch.
    import pytest
    import torch

    from autograder.context import Context
    from autograder.judge import Judge
    from autograder.tasks import load_library

    with contextlib.suppress(OSError, AttributeError):  # not glibc
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, 8 << 20)  # large arrays go back to the system
    torch.set_num_threads(THREADS)
    context = Context(
        student, load_library(data.absolute()), stretch(seed, "judge"), train, progress
    )
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    os.environ.pop("PYTEST_ADDOPTS", None)
    options = ["-p", "no:cacheprovider", "--import-mode=importlib", "-c", os.devnull]
    options += ["--rootdir", str(CHECKS), "-p", "no:faulthandler"]
    options += ["-p", "no:unraisableexception"]  # it collects garbage twice, .1 s each
    options += ["-v", "--tb=short"] if verbose else ["-p", "no:terminal"]
    judge = Judge(record, context, announce)
    ended = pytest.main([*options, str(CHECKS)], plugins=[judge])
    if ended == pytest.ExitCode.INTERRUPTED:
        raise KeyboardInterrupt  # which pytest keeps to itself
    if ended not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        record.notes.append("The grader itself failed, so checks were not run: please report it.")
        record.look.append(record.notes[-1])


def find_doubts(record: Record, problems: dict[str, str]) -> list[str]:
    """What a person may see differently from the grader."""
    doubts = list(dict.fromkeys(problems.values()))
    for result in record.results:
        curve = result.curve
        if curve and curve.threshold - curve.interval < curve.accuracies[-1] <= curve.threshold:
            doubts.append(f"{result.check.number}: the accuracy is within its interval of passing.")
    return doubts


def facts(data: Path, train: str, seed: int, command: str) -> dict:
    """What it takes to get this record again."""
    packages = ("torch", "numpy", "pytest", "fewshot-homework")
    return {
        "seed": seed,
        "versions": {"python": platform.python_version()} | {p: find_version(p) for p in packages},
        "threads": THREADS,
        "data": data.name,
        "train": train,
        "command": command,
    }


def find_version(package: str) -> str:
    """The version of a package; the kit itself may run without being installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
