"""The parts of `child.py`, the program beside the student's code, which runs in its folder."""

from pathlib import Path

HOME = Path.cwd()  # where the submission is; it may go elsewhere
