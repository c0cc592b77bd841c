"""Whether the two files can be used at all."""

from autograder.judge import Failure


def test_files(context):
    """hw1.py and load_data.py are there, are Python, and can be imported as they are."""
    context.student.load()
    if context.student.problems:
        raise Failure(" ".join(dict.fromkeys(context.student.problems.values())))
    if context.student.only_definitions:
        raise Failure("Importing hw1.py and load_data.py should run nothing; see the notes.")
