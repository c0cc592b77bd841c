"""What the checks work with."""

from collections.abc import Callable

import pytest

from autograder.context import Context
from autograder.judge import SHOWN
from autograder.mistakes.loss import LossCase
from autograder.questions import ask_loss, ask_tasks
from autograder.record import Check
from autograder.tasks import Tasks


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


@pytest.fixture(scope="session")
def tasks(context) -> list[Tasks]:
    """Training tasks of all sizes."""
    return ask_tasks(context)


@pytest.fixture(scope="session")
def case(context) -> LossCase:
    """What loss_function gives for ordinary logits."""
    return ask_loss(context, 2.0, 10)
