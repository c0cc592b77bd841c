"""The program beside the student's code: it does what the judge asks and sends numbers back.

It runs in the sandbox, in a folder with the submission and `omniglot_resized`; of this package only
`wire.py` and `beside/` are there too. It decides nothing: a submission may do to it what it likes,
and the judge checks whatever comes up.
"""

import os
import sys
from pathlib import Path

# Answers leave by a descriptor of their own, so that what a submission prints is not in them.
requests = os.fdopen(os.dup(0), "rb")
answers = os.fdopen(os.dup(1), "wb")
nothing = os.open(os.devnull, os.O_RDWR)
for descriptor in (0, 1, 2):
    os.dup2(nothing, descriptor)

sys.path.insert(0, str(Path(__file__).parent))  # python -P leaves it out
from autograder import wire  # noqa: E402
from autograder.beside.errors import raised_by_submission, summary, where  # noqa: E402
from autograder.beside.homework import Homework  # noqa: E402
from autograder.beside.values import NotFilledIn, Refused  # noqa: E402
from autograder.beside.words import shorten  # noqa: E402


def main():
    """Answer requests until there are no more."""
    homework = Homework(report)
    while True:
        header, arrays = wire.read_frame(read_exactly)
        try:
            with_arrays = getattr(homework, header["do"])(header, arrays)
        except Refused as refused:
            with_arrays = {"refused": shorten(str(refused))}, {}
        except BaseException as error:  # a submission may raise anything, SystemExit too
            file, line = where(error)
            stub = isinstance(error, NotFilledIn) or (
                isinstance(error, NotImplementedError) and raised_by_submission(error)
            )
            failed = {"error": summary(error), "file": file, "line": line, "stub": stub}
            with_arrays = failed, {}
        try:
            answer, values = with_arrays
            wire.write_frame(answers, {"notes": homework.notes} | answer, values)
        except wire.FrameError as error:
            wire.write_frame(answers, {"refused": str(error)}, {})


def report(step, steps):
    """How far a training has come."""
    wire.write_frame(answers, {"step": step, "steps": steps}, {})


def read_exactly(count):
    """`count` bytes of a request; the judge has gone when there are no more."""
    data = requests.read(count)
    if len(data) < count:
        sys.exit()
    return data


if __name__ == "__main__":
    main()
