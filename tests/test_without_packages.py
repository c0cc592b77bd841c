"""A shell in which `.venv` was not activated: every command says so in a line."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    "words",
    [
        "hw1.py --num_shot 1 --num_classes 2",
        "-m fewshot.data omniglot",
        "-m fewshot.analysis problem3",
        "-m fewshot.experiments.compare",
        "-m autograder check",
        "-m autograder submit",
        "-m autograder grade .",
    ],
)
def test_a_forgotten_environment_is_one_line(words):
    # -S: without site-packages.
    command = [sys.executable, "-S", *words.split()]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert not done.stdout
    (line,) = done.stderr.splitlines()
    assert line.startswith("Not installed for this Python: numpy, PIL, ")
    assert "source .venv/bin/activate" in line
