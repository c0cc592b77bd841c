"""The starter is the solution with stubs, and nothing a student wrote is overwritten."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
FILES = ("hw1.py", "load_data.py")


def run_starter(folder):
    return subprocess.run(
        [sys.executable, "-m", "autograder", "starter", "--out", folder],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("name", FILES)
def test_the_files_at_the_top_are_the_starter_of_the_solutions(name, tmp_path):
    assert run_starter(tmp_path).returncode == 0
    assert (tmp_path / name).read_text() == (ROOT / name).read_text(), "run: make starter"


def test_the_starter_holds_no_answer_and_three_stubs():
    for name, stubs in (("hw1.py", 2), ("load_data.py", 1)):
        solution = (ROOT / "solutions" / name).read_text()
        starter = (ROOT / name).read_text()
        ast.parse(starter)
        assert starter.count("#### YOUR CODE GOES HERE ####") == stubs
        assert starter.count("raise NotImplementedError(") == stubs
        assert "SOLUTION" not in starter
        answers = [part.split("# END")[0] for part in solution.split("# BEGIN SOLUTION")[1:]]
        assert len(answers) == stubs
        for line in "\n".join(answers).splitlines()[1:]:
            if len(line.strip()) > 30:
                assert line not in starter


def test_outside_the_answers_starter_and_solution_are_the_same():
    for name in FILES:
        solution = (ROOT / "solutions" / name).read_text().splitlines()
        starter = (ROOT / name).read_text().splitlines()
        kept = [line for line in starter if "raise NotImplementedError(" not in line]
        remaining = iter(solution)
        assert all(line in remaining for line in kept)


def test_filled_in_files_are_not_overwritten(tmp_path):
    assert run_starter(tmp_path).returncode == 0
    assert run_starter(tmp_path).returncode == 0, "untouched starters may be written again"
    filled = (ROOT / "solutions" / "hw1.py").read_text()
    (tmp_path / "hw1.py").write_text(filled)
    (tmp_path / "load_data.py").unlink()
    result = run_starter(tmp_path)
    assert result.returncode == 1
    assert result.stderr.strip().endswith(
        "hw1.py has been filled in: move it away before making a new one."
    )
    assert (tmp_path / "hw1.py").read_text() == filled
    assert not (tmp_path / "load_data.py").exists()


def test_a_stub_that_is_commented_out_counts_as_filled_in(tmp_path):
    assert run_starter(tmp_path).returncode == 0
    text = (tmp_path / "hw1.py").read_text()
    answered = text.replace("        raise NotImpl", "        return 1\n        # raise NotImpl", 1)
    (tmp_path / "hw1.py").write_text(answered)
    assert run_starter(tmp_path).returncode == 1
    assert (tmp_path / "hw1.py").read_text() == answered
