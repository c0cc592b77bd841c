"""Imports point one way: autograder → solutions, fewshot.data and work; those → nothing here."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MAY_IMPORT = {
    "autograder": {"autograder", "solutions", "fewshot.data", "fewshot.work", "fewshot.workers"},
    "fewshot": {"fewshot"},
    "solutions": {"solutions", "hw1", "load_data"},
}
OURS = ("autograder", "fewshot", "solutions", "hw1", "load_data", "benchmarks", "tests")


def imports(file, top_level_only=False):
    """The modules that a file imports."""
    tree = ast.parse(file.read_text())
    for node in tree.body if top_level_only else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: imports are absolute"
            yield node.module


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_rooms_import_only_what_they_may(room):
    for file in (ROOT / room).rglob("*.py"):
        for module in imports(file):
            if module.split(".")[0] in OURS:
                allowed = MAY_IMPORT[room]
                assert any(f"{module}.".startswith(f"{name}.") for name in allowed), (file, module)


@pytest.mark.parametrize("name", ["hw1.py", "load_data.py"])
def test_a_student_can_carry_the_two_files_away(name):
    needed = {module.split(".")[0] for module in imports(ROOT / name, top_level_only=True)}
    given = {"torch", "numpy", "imageio", "tensorboard", "tqdm", "load_data"}
    assert needed - given <= set(sys.stdlib_module_names)
