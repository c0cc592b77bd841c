"""A class as tables of scores: for Canvas's gradebook, and for any spreadsheet."""

import csv
import io

from autograder.classroom.graded import Graded
from autograder.classroom.statistics import mistakes, most, reasons
from autograder.report.words import clean

ASSIGNMENT = "Homework 1"
# With these a spreadsheet takes text for a formula; the last four are those of full width.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def canvas_csv(graded: list[Graded]) -> str:
    """What Canvas's gradebook imports, with a line for each person."""
    worth = max((most(one) for one in graded), default=0)
    rows = [
        ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", ASSIGNMENT],
        ["    Points Possible", "", "", "", "", _number(worth)],
    ]
    for one in graded:
        for person in one.people:
            known = person.name, person.canvas, person.sis, person.email
            rows.append([*map(_text, known), "", _number(one.results["score"])])
    return _csv(rows)


def plain_csv(graded: list[Graded]) -> str:
    """Everything there is in numbers, with a line for each person."""
    checks = list(dict.fromkeys(test["number"] for one in graded for test in one.results["tests"]))
    rows = [["folder", "name", "canvas", "sis", "email", "score", "max"]]
    rows[0] += [*checks, "mistakes", "look"]
    for one in graded:
        points = {test["number"]: _number(test["score"]) for test in one.results["tests"]}
        for person in one.people:
            known = one.folder, person.name, person.canvas, person.sis, person.email
            row = [*map(_text, known), _number(one.results["score"]), _number(most(one))]
            row += [points.get(number, "") for number in checks]  # the rubric may have changed
            rows.append([*row, _text(" ".join(mistakes(one))), len(reasons(one))])
    return _csv(rows)


def _csv(rows: list[list[str | float]]) -> str:
    """Text in quotes, so that no other separator splits it, and numbers without."""
    file = io.StringIO()
    csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC).writerows(rows)
    return file.getvalue()


def _text(text: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    return clean(f"'{text}" if text.startswith(FORMULA) else text)


def _number(points: float) -> float:
    """Points as a whole number where they are one."""
    points = round(float(points), 2)
    return int(points) if points.is_integer() else points
