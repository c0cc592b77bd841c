"""What the hidden checks work with. Who has no hidden checks has no mistakes of theirs either."""

import pytest

import autograder.mistakes.hidden  # noqa: F401, entries enter the catalogue


@pytest.fixture
def failed(judge) -> list[str]:
    """The numbers of the checks of the three functions that have not passed."""
    parts = ("sampler", "forward", "loss")
    results = [result for result in judge.record.results if result.check.part in parts]
    return [result.check.number for result in results if result.status != "passed"]
