"""The judge's side of a child: questions to a submission, and answers that have been checked."""

import os
import select
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from autograder import wire
from autograder.sandbox import Child, Sandbox

HERE = Path(__file__).parent
LOAD_SECONDS = 60
CALL_SECONDS = 60  # for a question, with the constructor of a generator or a network
TRAIN_SECONDS = 300  # for a training of up to 1,000 steps, and as much for every further 1,000
MOST_NOTES = 20

FUNCTIONS = {
    "sample": "Problem 1: DataGenerator._sample",
    "batch": "Problem 1: a DataLoader over DataGenerator",
    "forward": "Problem 2a: MANN.forward",
    "loss": "Problem 2b: MANN.loss_function",
    "train": "Training with the three functions",
}
FILES = {"sample": "load_data", "batch": "load_data", "forward": "hw1", "loss": "hw1"}


class StudentError(Exception):
    """Why there is no answer, in a sentence for the student.

    Attributes:
        stub: the function has not been filled in.
    """

    def __init__(self, message: str, stub: bool = False) -> None:
        super().__init__(message)
        self.stub = stub


class Stopped(Exception):
    """The child ended, hung or answered nonsense; the message goes on after "MANN.forward"."""


class Student:
    """A submission in its sandbox, started when it is first needed and again after it has died.

    Args:
        sandbox: where to start it.
        homework: folder with hw1.py, load_data.py and modules of the student's own.
        problems: what is known to be wrong with the two files: file name → sentence.
        data: the image folder.
        work: an empty folder for the program that runs beside the submission.
        threads: for torch.
        seed: of the random generators in the child.
        seconds: for all questions together, so that a slow submission cannot hold up a class.

    Attributes:
        notes: what was unusual when the files were imported, a sentence each.
        problems: file name → why it cannot be used.
        alarms: when the child ended, hung or sent nonsense, a sentence each.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        homework: Path,
        problems: dict[str, str],
        data: Path,
        work: Path,
        threads: int,
        seed: int,
        seconds: float,
    ) -> None:
        self.sandbox, self.homework, self.data = sandbox, homework, data
        self.threads, self.seed = threads, seed
        self.seconds, self.deadline = seconds, time.monotonic() + seconds
        self.notes: list[str] = []
        self.alarms: list[str] = []
        self.problems = dict(problems)
        self.hung: dict[str, str] = {}  # a question that never came back is not asked again
        self.child: Child | None = None
        self.loaded = self.noted = False
        self.only_definitions = False  # how the files can be imported
        self.code = work
        copy_child(work)

    def ask(
        self,
        question: str,
        header: dict,
        arrays: dict[str, np.ndarray] | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> tuple[dict, dict[str, np.ndarray]]:
        """One question and its answer.

        Raises:
            StudentError: there is no answer.
        """
        function = FUNCTIONS[question]
        self.load()
        for file in [FILES[question]] if question in FILES else ["load_data", "hw1"]:
            if f"{file}.py" in self.problems:
                raise StudentError(f"{function.split(':')[0]}: {self.problems[f'{file}.py']}")
        if question in self.hung:
            raise StudentError(self.hung[question])
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise StudentError(
                f"{function} was not run: the {self.seconds / 60:.0f} minutes for this submission "
                "are over."
            )
        limit = CALL_SECONDS
        if question == "train":
            limit = TRAIN_SECONDS * (1 + header["steps"] // 1000)
        limit = min(limit, left)
        request = {"do": question, "seed": self.seed} | header
        try:
            answer, values = self._talk(request, arrays or {}, limit, progress)
        except TimeoutError:
            self.end()
            self.hung[question] = self._alarm(f"{function} took more than {limit:.0f} seconds.")
            raise StudentError(self.hung[question]) from None
        except Stopped as stopped:
            raise StudentError(self._alarm(f"{function} {stopped}")) from None
        self.hear(answer)
        if "refused" in answer:
            raise StudentError(f"{function} returned {clean(answer['refused']).rstrip('.')}.")
        if "error" in answer:
            raise self._explain(function, answer)
        return answer, values

    def _alarm(self, sentence: str) -> str:
        """Keep a sentence for whoever looks after the class."""
        if sentence not in self.alarms and len(self.alarms) < MOST_NOTES:
            self.alarms.append(sentence)
        return sentence

    def _explain(self, function: str, answer: dict) -> StudentError:
        """The exception that a submission raised, as a sentence."""
        problem, _, name = function.partition(": ")
        file, line = clean(answer.get("file", "")), clean(answer.get("line", ""))
        place = f" ({file}:{line})" if file else ""
        if answer.get("stub") is True:
            return StudentError(f"{problem} is not filled in: {name}{place}.", stub=True)
        error = clean(answer["error"]).rstrip(".")
        return StudentError(f"{function}{place} stopped with {error}.")

    def spawn(self) -> None:
        """Start the child, which takes a second to import torch, without waiting for it."""
        self.child = self.sandbox.start(self.code, self.homework, self.data, self.threads)
        self.loaded = False

    def load(self) -> None:
        """Import the submission, unless that has been done.

        Where this ends or hangs the child, a second one takes the functions and classes alone.
        """
        hopeless = {"hw1.py", "load_data.py"} <= self.problems.keys()
        if hopeless or (self.loaded and self.child and self.child.alive):
            return
        if self.loaded or not (self.child and self.child.alive):
            self.end()
            self.spawn()
        self.loaded = True
        request = {"do": "load", "only_definitions": self.only_definitions}
        try:
            answer, _ = self._talk(request, {}, LOAD_SECONDS)
        except (TimeoutError, Stopped) as stopped:
            self.end()
            why = str(stopped) or f"takes more than {LOAD_SECONDS} seconds"
            if self.only_definitions:
                sentence = f"Importing it {why}, so nothing of it can be graded."
                self.problems |= {"hw1.py": sentence, "load_data.py": sentence}
                return
            self.only_definitions = True
            self._alarm(f"Importing the two files {why}.")
            self.notes.append(
                f"Importing the two files {why}: only their functions and classes are taken. Put "
                'the rest under if __name__ == "__main__".'
            )
            self.load()
        else:
            self.hear(answer)
            self._note(answer)

    def hear(self, answer: dict) -> None:
        """Keep the notes of an answer, each once."""
        for note in map(clean, texts(answer, "notes")):
            if note not in self.notes and len(self.notes) < MOST_NOTES:
                self.notes.append(note)

    def _note(self, answer: dict) -> None:
        """Keep what the first import said about the two files."""
        if self.noted:
            return
        self.noted = True
        if missing := texts(answer, "missing"):
            self.notes.append(
                f"{clean(', '.join(missing))}: not installed here. A stand-in that does nothing "
                "takes its place, which is enough unless the three functions need it."
            )
        for problem in texts(answer, "problems"):
            self.problems.setdefault(clean(problem).partition(" ")[0], clean(problem))

    def _talk(
        self,
        request: dict,
        arrays: dict[str, np.ndarray],
        limit: float,
        progress: Callable[[int, int], None] | None = None,
    ) -> tuple[dict, dict[str, np.ndarray]]:
        """Send a frame and wait for the frame that answers it.

        Raises:
            TimeoutError: there was none in time.
            Stopped: the child ended or sent something else.
        """
        line = Line(self.child, time.monotonic() + limit)
        try:
            wire.write_frame(line, request, arrays)
            while True:
                header, values = wire.read_frame(line.read)
                if "steps" not in header:
                    return header, values
                step = header.get("step")
                if progress and type(step) is int and 0 <= step <= request["steps"]:
                    progress(step, request["steps"])
        except wire.FrameError as error:
            self.end()
            raise Stopped(f"sent an answer that cannot be read: {clean(error)}") from None
        except (EOFError, BrokenPipeError):
            raise Stopped(f"ended the Python process: it {self.end()}") from None

    def end(self) -> str:
        """Stop the child, if there is one, and say how it had ended."""
        child, self.child = self.child, None
        return child.end() if child else "was not running"


def copy_child(folder: Path) -> None:
    """Put `child.py` and what it imports of this package into a folder, and nothing else."""
    shutil.copy(HERE / "child.py", folder)
    package = folder / HERE.name
    shutil.copytree(
        HERE / "beside", package / "beside", ignore=shutil.ignore_patterns("__pycache__")
    )
    for name in ("__init__.py", "wire.py"):
        shutil.copy(HERE / name, package / name)


class Line:
    """The two pipes of a child, with a deadline."""

    def __init__(self, child: Child, deadline: float) -> None:
        self.child, self.deadline = child, deadline
        os.set_blocking(child.stdin.fileno(), False)

    def write(self, data: bytes) -> None:
        """Send all of `data`."""
        view = memoryview(data)
        while view:
            self._wait([], [self.child.stdin])
            view = view[os.write(self.child.stdin.fileno(), view[: 1 << 16]) :]

    def flush(self) -> None:
        """Nothing is held back."""

    def read(self, count: int) -> bytes:
        """Exactly `count` bytes."""
        parts = []
        while count:
            self._wait([self.child.stdout], [])
            part = os.read(self.child.stdout.fileno(), min(count, 1 << 20))
            if not part:
                raise EOFError
            parts.append(part)
            count -= len(part)
        return b"".join(parts)

    def _wait(self, readable: list, writable: list) -> None:
        left = self.deadline - time.monotonic()
        if left <= 0 or not any(select.select(readable, writable, [], left)):
            raise TimeoutError


def clean(text: object) -> str:
    """Text from a child in one line without control characters, shortened."""
    printable = "".join(letter if letter.isprintable() else " " for letter in str(text))
    line = " ".join(printable.split())
    return line if len(line) <= 300 else line[:299] + "…"


def texts(answer: dict, name: str) -> list[str]:
    """A list of at most ten strings in an answer."""
    value = answer.get(name)
    return [item for item in value if isinstance(item, str)][:10] if isinstance(value, list) else []
