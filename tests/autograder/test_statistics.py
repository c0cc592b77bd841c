"""The figures of a class, against what was computed by hand."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from autograder.classroom.graded import Graded, Person
from autograder.classroom.statistics import MistakeStatistics, mistakes, most, reasons, statistics
from autograder.judge import Judge, Waiting, judgement
from autograder.record import Check, Mistake, Record, Result, start_record
from autograder.report import gradescope

EASY = Check("sampler/easy", "sampler", "1.1", "Easy", 10.0, public=True)
HARD = Check("sampler/hard", "sampler", "1.2", "Hard", 20.0, public=False)
ODD = Check("loss/odd", "loss", "3.1", "Odd", 5.0, public=False)
FREE = Check("submission/free", "submission", "0.1", "Free", 0.0, public=True)
ALL_ROWS = Mistake("all_rows", "The loss is over all K+1 rows.", "Look at preds[:, -1].")
SWAPPED = Mistake("swapped", "The axes are swapped.", "Swap them.")

#            EASY HARD ODD FREE
PASSED = [(1, 1, 0, 1), (1, 1, 0, 0), (1, 0, 1, 1), (0, 0, 1, 0)]


def graded(*results, **fields):
    record = Record(list(results), **fields)
    return Graded("folder", (Person("student"),), json.loads(json.dumps(gradescope(record))))


def a_class(table=PASSED, checks=(EASY, HARD, ODD, FREE)):
    return [
        graded(
            *(
                Result(check, "passed" if passed else "failed", "")
                for check, passed in zip(checks, row, strict=True)
            )
        )
        for row in table
    ]


def worth(*points):
    return [Check(f"loss/{n}", "loss", f"3.{n}", "", p, True) for n, p in enumerate(points)]


def test_scores():
    found = statistics(a_class())
    assert (found.mean, found.median) == (20.0, 22.5), "of 30, 30, 15 and 5"
    assert found.bins == [1, 1, 0, 2, 0, 0, 0, 0, 0, 0]


def test_a_score_between_two_bins_counts_above_and_100_in_the_last():
    scores = [0, 9.99, 10, 55, 89.99, 90, 99.99, 100]
    submissions = [graded(Result(check, "passed", "")) for check in worth(*scores)]
    assert statistics(submissions).bins == [2, 1, 0, 0, 0, 1, 0, 0, 1, 3]


def test_checks():
    checks = statistics(a_class()).checks
    assert [(check.number, check.title, check.points) for check in checks] == [
        ("1.1", "Easy", 10),
        ("1.2", "Hard", 20),
        ("3.1", "Odd", 5),
        ("0.1", "Free", 0),
    ]
    assert [check.passed for check in checks] == [0.75, 0.5, 0.5, 0.5]
    assert [check.waiting for check in checks] == [0, 0, 0, 0]


def test_discrimination_is_the_correlation_with_all_other_points():
    easy, hard, odd, free = [check.discrimination for check in statistics(a_class()).checks]
    assert easy == pytest.approx(3**-0.5)
    assert easy == np.corrcoef([1, 1, 1, 0], [20, 20, 5, 5])[0, 1]
    assert hard == pytest.approx(0, abs=1e-15), "of 1, 1, 0, 0 and 10, 10, 15, 5"
    assert odd == pytest.approx(-5 / 27**0.5)
    assert odd == np.corrcoef([0, 0, 1, 1], [30, 30, 10, 0])[0, 1]
    assert free is None, "it has no points"


@pytest.mark.parametrize(
    "table",
    [
        [(1, 1), (1, 0), (1, 1)],  # all passed the first check
        [(0, 1), (0, 0), (0, 1)],  # nobody did
        [(1, 1), (0, 1), (1, 1)],  # the others have the same points
        [(1, 0)],
    ],
)
def test_no_discrimination_where_nothing_varies(table):
    assert statistics(a_class(table, (EASY, HARD))).checks[0].discrimination is None


def test_what_sums_leave_behind_is_no_variation():
    first, *others = worth(0.7, 0.1, 0.2, 0.3)
    assert 0.7 + 0.1 + 0.2 - 0.7 != 0.3
    submissions = a_class([(1, 1, 1, 0), (0, 0, 0, 1)], (first, *others))
    assert statistics(submissions).checks[0].discrimination is None


def test_a_check_that_came_later_counts_where_it_is():
    found = statistics([*a_class([(1, 1), (0, 1)], (EASY, HARD)), *a_class()])
    assert [check.number for check in found.checks] == ["1.1", "1.2", "3.1", "0.1"]
    assert [check.passed for check in found.checks] == [4 / 6, 4 / 6, 0.5, 0.5]
    assert found.checks[2].discrimination == pytest.approx(-5 / 27**0.5)


def test_a_check_that_waits_is_counted_by_the_judges_own_sentence():
    record = start_record()
    judge = Judge(record, None, lambda check: None)
    item = SimpleNamespace(path=SimpleNamespace(stem="test_forward"), originalname="test_value")
    with pytest.raises(Waiting) as caught:
        judge.pytest_runtest_setup(item)
    record.put(judgement(judge.checks["forward/value"], caught.value))
    found = statistics([Graded("folder", (), gradescope(record))])
    assert {check.number: check.waiting for check in found.checks if check.waiting} == {"2.2": 1}


def test_mistakes_come_by_frequency_with_their_help():
    def with_mistakes(*pairs):
        return graded(*(Result(check, "failed", "Got\n[1, 2].", known) for check, known in pairs))

    found = statistics(
        [
            with_mistakes((EASY, SWAPPED), (ODD, None)),
            with_mistakes((EASY, ALL_ROWS), (ODD, ALL_ROWS)),
            with_mistakes((EASY, None), (ODD, ALL_ROWS)),
            with_mistakes((EASY, None), (ODD, None)),
        ]
    )
    rows = "The loss is over all K+1 rows.\nWhere to look: Look at preds[:, -1]."
    axes = "The axes are swapped.\nWhere to look: Swap them."
    assert found.mistakes == [
        MistakeStatistics("all_rows", "3.1", "Odd", 2, 0.5, rows),
        MistakeStatistics("all_rows", "1.1", "Easy", 1, 0.25, rows),
        MistakeStatistics("swapped", "1.1", "Easy", 1, 0.25, axes),
    ]


def test_slow_ones_and_those_to_look_at():
    submissions = [graded(Result(EASY, "passed", ""), seconds=(7 * n) % 12) for n in range(12)]
    submissions += [graded(Result(EASY, "passed", ""), look=["It hung.", "It sent nonsense."])]
    found = statistics(submissions)
    times = [one.results["execution_time"] for one in found.slowest]
    assert times == [11, 10, 9, 8, 7, 6, 5, 4, 3, 2]
    assert found.look == submissions[-1:]
    assert reasons(submissions[-1]) == ["It hung.", "It sent nonsense."]
    assert reasons(Graded("old", (), {"extra_data": {}})) == []


def test_a_submission():
    one = graded(
        Result(EASY, "failed", "", SWAPPED),
        Result(HARD, "failed", "", ALL_ROWS),
        Result(ODD, "failed", "", SWAPPED),
        Result(FREE, "passed", ""),
    )
    assert most(one) == 35
    assert mistakes(one) == ["swapped", "all_rows"]


def test_nothing_to_count():
    found = statistics([])
    assert (found.mean, found.median, found.checks, found.mistakes) == (None, None, [], [])
    assert found.bins == [0] * 10
