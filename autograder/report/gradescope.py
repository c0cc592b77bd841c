"""A record as Gradescope's results.json."""

import json

from autograder.record import Record, Result
from autograder.report.words import clean, not_graded_here


def gradescope(record: Record) -> dict:
    """The whole of results.json, ready for `json.dumps`.

    Scores are rounded to two decimals and times are in seconds. Outputs are plain text, which
    nothing that a student's code says can turn into more, and hidden checks are named only in
    their own, which students see once grades are published.
    """
    notes = [f"Note: {note}" for note in record.notes]
    closing = [not_graded_here(record)] if record.public_only else []
    protections = "Protections: " + (", ".join(record.protections) or "none")
    return {
        "score": _points(record.score),
        "execution_time": round(float(record.seconds), 2),
        "output": _text([*notes, protections, *closing]),
        "output_format": "text",
        "test_output_format": "text",
        "test_name_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "extra_data": _plain(
            {
                **record.facts,
                "protections": record.protections,
                "notes": record.notes,
                "look": record.look,
            }
        ),
        "tests": [_test(result) for result in record.results],
        "leaderboard": [
            {
                "name": f"Accuracy, {_setting(result)}",
                "value": round(result.curve.accuracies[-1], 3),
                "order": "desc",
            }
            for result in record.results
            if result.curve and result.check.settings.get("leaderboard")
        ],
    }


def as_text(results: dict) -> str:
    """The text of the file."""
    return json.dumps(results, indent=2, ensure_ascii=False) + "\n"


def _test(result: Result) -> dict:
    check, mistake = result.check, result.mistake
    help_lines = [mistake.why, f"Where to look: {mistake.look}"] if mistake else []
    return {
        "score": _points(result.score),
        "max_score": _points(check.points),
        "status": "passed" if result.status == "passed" else "failed",
        "name": check.title,
        "name_format": "text",
        "number": check.number,
        "output": _text([result.message, *help_lines]),
        "output_format": "text",
        "tags": [check.part],
        "visibility": "visible" if check.public else "after_published",
        "extra_data": {
            "check": check.id,
            "mistake": mistake.id if mistake else None,
            "seconds": round(float(result.seconds), 2),
        },
    }


def _setting(result: Result) -> str:
    return f"K = {result.check.settings['shot']}, N = {result.check.settings['way']}"


def _points(points: float) -> float:
    return round(float(points), 2)


def _text(texts: list[str]) -> str:
    """A line or more for each text."""
    return "\n".join(clean(text).strip() for text in texts if text.strip())


def _plain(value: object) -> object:
    """Facts as JSON can hold them."""
    match value:
        case dict():
            return {clean(str(key)): _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case None | bool() | int() | float():
            return value
    return clean(str(value))
