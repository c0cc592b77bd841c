"""Import a submission's files, whatever they do when they are imported."""

import ast
import importlib.util
import sys
from pathlib import Path

from autograder.beside import stand_in
from autograder.beside.errors import summary, where
from autograder.beside.import_effects import fills_something, runs_something, trains

HERE = Path(__file__).parent


def load_file(path, only_definitions, notes):
    """Run a file as a module; where that fails, run its statements one by one.

    What was left out is added to the notes. `only_definitions` leaves out what runs something.
    """
    name = path.stem
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text, str(path))

    def stays_out(statement):
        if not runs_something(statement, tree):
            return False
        return only_definitions or (
            trains(statement, tree) and not fills_something(statement, tree)
        )

    left_out = [statement for statement in tree.body if stays_out(statement)]
    tree.body = [statement for statement in tree.body if statement not in left_out]
    for statement in left_out:
        first = text.split("\n")[statement.lineno - 1].strip()
        notes.append(
            f"{path.name} line {statement.lineno} runs something when it is imported "
            f'({first:.60}), which was left out: put it under if __name__ == "__main__".'
        )
    if not only_definitions:
        try:
            return run_statements(name, path, [tree])
        except BaseException as error:  # SystemExit too
            notes.append(
                f"{path.name} line {where(error)[1]} stopped with {summary(error)} when it was "
                "imported: that part was left out."
            )
    future = [x for x in tree.body if getattr(x, "module", "") == "__future__"]
    definitions = [
        ast.Module([*future, statement], [])  # compiled apart, each under the same rules
        for statement in tree.body
        if not isinstance(statement, ast.Expr | ast.For | ast.While)
        or fills_something(statement, tree)
    ]
    return run_statements(name, path, definitions, forgive=True)


def run_statements(name, path, trees, forgive=False):
    """Run parsed code as module `name`; `forgive` goes on after a part that fails."""
    spec = importlib.util.spec_from_file_location(name, path.absolute())
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    for tree in trees:
        try:
            exec(compile(tree, str(path.absolute()), "exec"), module.__dict__)
        except BaseException:
            if not forgive:
                raise
    return module


def run_starter(texts):
    """The given code of the starter's hw1.py, whatever the submission made of its own."""
    names = ("load_data", "hw1")
    theirs = {name: sys.modules[name] for name in names}
    given = {}
    for name in names:
        path = HERE / "starter" / f"{name}.py"  # not in the submission's folder
        given[name] = run_statements(name, path, [ast.parse(texts[path.name])])
    sys.modules.update(theirs)
    return given["hw1"]


def makes_objects(value):
    """Whether a value is a class, or stands for one as `functools.partial` does."""
    return callable(value) and not isinstance(value, stand_in.Anything)


def made(make, call, *arguments):
    """What a class of the submission makes; if it takes other arguments, say which it is given."""
    try:
        return make(*arguments)
    except TypeError as error:
        if where(error)[1]:  # inside it
            raise
        raise TypeError(f"{error}; as in the starter, it is called as {call}") from error
