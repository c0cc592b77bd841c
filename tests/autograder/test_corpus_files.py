"""The corpus is what it says: enough of everything, and no mutant that changes nothing by chance.

Nothing here runs an attack.
"""

import ast
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.autograder.corpus import (
    ATTACKS,
    CORRECT,
    MUTANTS,
    PARTS,
    REFERENCE,
    STUBS,
    UNUSABLE,
    Case,
    write,
)

PROBE = Path(__file__).parent / "corpus" / "probe.py"
EVERY = [REFERENCE, STUBS, *CORRECT, *MUTANTS, *ATTACKS, *UNUSABLE]


def named(cases):
    return [pytest.param(case, id=case.name) for case in cases]


def test_there_is_enough_of_everything_under_names_of_its_own():
    mutants = Counter(case.part for case in MUTANTS)
    assert mutants["sampler"] >= 20
    assert mutants["forward"] >= 15
    assert mutants["loss"] >= 13
    assert mutants.keys() == PARTS
    assert len(CORRECT) >= 20
    assert len(ATTACKS) >= 24
    assert len(UNUSABLE) >= 18
    assert [name for name, n in Counter(case.name for case in EVERY).items() if n > 1] == []


@pytest.mark.parametrize("case", named([REFERENCE, STUBS, *CORRECT, *MUTANTS, *ATTACKS]))
def test_a_usable_submission_is_two_files_that_compile(case, tmp_path):
    handed_in = write(case, tmp_path)
    assert handed_in.exists()
    for file in (tmp_path / case.name).glob("*.py"):
        ast.parse(file.read_text(encoding="utf-8"))
    assert {"hw1.py", "load_data.py"} <= {file.name for file in (tmp_path / case.name).iterdir()}


@pytest.mark.parametrize("case", named(UNUSABLE))
def test_an_unusable_submission_can_be_written(case, tmp_path):
    assert write(case, tmp_path).exists()
    assert case.graded <= PARTS
    assert case.says or case.graded == PARTS, "only a whole submission may go without a sentence"


def test_an_edit_that_misses_is_an_error(tmp_path):
    with pytest.raises(ValueError, match=r"typo: hw1.py has 'class Main' 0 times"):
        write(Case("typo", edits=(("hw1.py", "class Main", ""),)), tmp_path)


def test_the_reference_is_the_solution_without_its_marks(tmp_path):
    home = write(REFERENCE, tmp_path)
    for name in ("hw1.py", "load_data.py"):
        solution = (Path(__file__).parents[2] / "solutions" / name).read_text(encoding="utf-8")
        lines = [line for line in solution.splitlines() if " SOLUTION" not in line]
        assert (home / name).read_text(encoding="utf-8").splitlines() == lines


@pytest.mark.parametrize("case", named(ATTACKS))
def test_an_attack_is_its_base_and_a_trick(case, tmp_path):
    assert case.base in [REFERENCE, STUBS, *MUTANTS]
    trick, base = write(case, tmp_path / "trick"), write(case.base, tmp_path / "base")
    assert trick.is_file() or files(trick) != files(base)


def files(home):
    """Every file of a folder with its content; a link counts as one."""
    found = (path for path in home.rglob("*") if path.is_symlink() or path.is_file())
    return {
        path.relative_to(home): os.readlink(path) if path.is_symlink() else path.read_bytes()
        for path in found
    }


@pytest.fixture(scope="module")
def lacks(data_folder, tmp_path_factory):
    """Case → part → the first property that it lacks, measured without the autograder."""
    folder = tmp_path_factory.mktemp("corpus")
    homes = [write(case, folder) for case in [REFERENCE, *CORRECT, *MUTANTS]]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", PROBE, data_folder, *homes],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("case", named([REFERENCE, *CORRECT]))
def test_a_correct_variant_lacks_nothing(case, lacks):
    assert lacks[case.name], "it differs from the reference"
    assert set(lacks[case.name].values()) == {None}


@pytest.mark.parametrize("case", named(MUTANTS))
def test_a_mutant_lacks_something_in_its_own_part_alone(case, lacks):
    lack = dict(lacks[case.name])
    own = lack.pop(case.part)
    assert own
    assert own.startswith("crash") == case.stops, own
    assert set(lack.values()) <= {None}
