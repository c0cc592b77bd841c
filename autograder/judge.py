"""pytest runs the checks; this plugin turns what came of each into a result of the record."""

from collections.abc import Callable

import pytest

from autograder.mistakes import STUB, find_mistake
from autograder.record import Check, Record, Result, Task
from autograder.student import StudentError

SHOWN = pytest.StashKey[dict]()  # fields of Result that a check sets, whatever comes of it


class NotGraded(Exception):
    """A check that this run leaves out; the message says why."""


class Failure(Exception):
    """A check has failed; the message says what was expected and what came.

    Args:
        message: whole sentences.
        evidence: what the catalogue of mistakes is searched with.
        task: a picture.
    """

    def __init__(self, message: str, evidence: object = None, task: Task | None = None) -> None:
        super().__init__(message)
        self.evidence, self.task = evidence, task


class Waiting(Exception):
    """A check that this one builds on has not passed."""


class Judge:
    """A pytest plugin around one record.

    Args:
        record: where results go.
        context: what the fixtures of the checks need.
        announce: told of each check before it starts.
    """

    def __init__(self, record: Record, context: object, announce: Callable[[Check], None]) -> None:
        self.record, self.context, self.announce = record, context, announce
        self.checks = {result.check.id: result.check for result in record.results}

    @pytest.fixture(scope="session")
    def judge(self) -> "Judge":
        """This plugin, for the fixtures of the checks."""
        return self

    def pytest_configure(self, config: pytest.Config) -> None:
        """Nobody reads pytest's tracebacks where it does not print: the cheapest kind is enough."""
        vars(config.option).setdefault("tbstyle", "native")

    def check_of(self, item: pytest.Item) -> Check | None:
        """The rubric's row of a test function; None if this run leaves it out."""
        part = item.path.stem.removeprefix("test_")
        callspec = getattr(item, "callspec", None)
        name = callspec.id if callspec else item.originalname.removeprefix("test_")
        return self.checks.get(f"{part}/{name}")

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Only the checks of this run, in the rubric's order."""
        order = list(self.checks)
        items[:] = [item for item in items if self.check_of(item)]
        items.sort(key=lambda item: order.index(self.check_of(item).id))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """A check waits for those it builds on."""
        check = self.check_of(item)
        self.announce(check)
        passed = {result.check.id for result in self.record.results if result.status == "passed"}
        numbers = [self.checks[x].number for x in check.waits_for if x not in passed]
        if numbers:
            raise Waiting(f"Not run: waiting for {' and '.join(numbers)}.")

    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo) -> None:
        """Put what came of a check in the record; without an exception it has passed."""
        if call.when == "call" or (call.when == "setup" and call.excinfo):
            error = call.excinfo.value if call.excinfo else None
            try:
                found = judgement(self.check_of(item), error)
            except Exception as fault:  # in the catalogue of mistakes
                found = judgement(self.check_of(item), fault)
            if found.status == "not graded" and not isinstance(error, NotGraded):
                self.record.look.append(f"{found.check.number}: {found.message}")
            shown = {"message": "", "seconds": call.duration} | item.stash.get(SHOWN, {})
            said = {name: value for name, value in vars(found).items() if value}
            self.record.put(Result(**(shown | said)))


def judgement(check: Check, error: BaseException | None) -> Result:
    """The result of a check that ended with `error`."""
    if error is None:
        return Result(check, "passed", "")
    message = str(error)
    if isinstance(error, Failure):
        mistake = find_mistake(check.id, error.evidence)
        return Result(check, "failed", message, mistake, task=error.task)
    if isinstance(error, StudentError):
        return Result(check, "failed", message, STUB if error.stub else None)
    if isinstance(error, Waiting):
        return Result(check, "waiting", message)
    if isinstance(error, NotGraded):
        return Result(check, "not graded", message)
    return Result(
        check,
        "not graded",
        f"The grader itself stopped here with {type(error).__name__}: {message}. This is not the "
        "student's fault: please report it.",
    )
