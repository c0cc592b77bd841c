"""What a submission stopped with, and where."""

import os
import sys
import traceback

from autograder.beside import HOME
from autograder.beside.words import shorten

INSIDE = f"{HOME}{os.sep}"


def where(error):
    """(file, line) of the deepest line of the submission in a traceback."""
    frames = traceback.extract_tb(error.__traceback__, limit=sys.maxsize)
    for frame in reversed(frames):
        if frame.filename.startswith(INSIDE):
            return frame.filename.removeprefix(INSIDE), frame.lineno
    return "", 0


def summary(error):
    """Type and message of an exception in one line."""
    text = f"{type(error).__name__}: {error}"
    if "DataLoader worker" in text:  # the real error is the last line of the worker's traceback
        text = text.strip().splitlines()[-1]
    return shorten(" ".join(text.split()).rstrip(": "))


def raised_by_submission(error):
    """Whether a line of the submission raised it, and no library."""
    frames = traceback.extract_tb(error.__traceback__, limit=-1)
    return bool(frames) and frames[-1].filename.startswith(INSIDE)
