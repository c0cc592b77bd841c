"""What the checks work with."""

from collections.abc import Callable

import pytest

from autograder.context import Context
from autograder.judge import SHOWN
from autograder.record import Check


@pytest.fixture(scope="session")
def context(judge) -> Context:
    """The submission in its sandbox, the data, and what was found out so far."""
    return judge.context


@pytest.fixture
def check(judge, request) -> Check:
    """The rubric's row of the check that runs."""
    return judge.check_of(request.node)


@pytest.fixture
def show(request) -> Callable[..., None]:
    """Set fields of the check's result: a message, a task to look at, a curve."""

    def remember(**shown: object) -> None:
        request.node.stash[SHOWN] = shown

    return remember


@pytest.fixture
def failed(judge) -> list[str]:
    """The numbers of the checks of the three functions that have not passed."""
    parts = ("sampler", "forward", "loss")
    results = [result for result in judge.record.results if result.check.part in parts]
    return [result.check.number for result in results if result.status != "passed"]
