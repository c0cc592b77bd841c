"""A record as Gradescope's results.json."""

import re

from autograder.record import Record, Result
from autograder.report.words import clean, not_graded_here

# Whatever some dialect of Markdown or HTML may take for more than text: its marks, what makes a
# link of brackets or of an address, and anything but a letter at the start of a line.
MARKUP = re.compile(
    r"[\\`*_{}<>&|~$^@]|(?<=\])[\[(]|:(?=//)|(?<=www)\.|^[^a-z]", re.MULTILINE | re.IGNORECASE
)


def gradescope(record: Record) -> dict:
    """The whole of results.json, ready for `json.dumps`.

    Scores are rounded to two decimals and times are in seconds. What the checks found is in
    Markdown and names hidden checks only in their own outputs, which students see once grades
    are published.
    """
    notes = [f"Note: {note}" for note in record.notes]
    closing = [not_graded_here(record)] if record.public_only else []
    protections = "Protections: " + (", ".join(record.protections) or "none")
    return {
        "score": _points(record.score),
        "execution_time": round(float(record.seconds), 2),
        "output": _markdown([*notes, protections, *closing]),
        "output_format": "md",
        "test_output_format": "md",
        "test_name_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "extra_data": _plain(
            {**record.facts, "protections": record.protections, "notes": record.notes}
        ),
        "tests": [_test(result) for result in record.results],
    }


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
        "output": _markdown([result.message, *help_lines]),
        "output_format": "md",
        "tags": [check.part],
        "visibility": "visible" if check.public else "after_published",
        "extra_data": {
            "check": check.id,
            "mistake": mistake.id if mistake else None,
            "seconds": round(float(result.seconds), 2),
        },
    }


def _points(points: float) -> float:
    return round(float(points), 2)


def _markdown(texts: list[str]) -> str:
    """One paragraph for each text, in which every character stands for itself."""
    paragraphs = []
    for text in texts:
        lines = [line.strip() for line in clean(text).splitlines() if line.strip()]
        paragraph = MARKUP.sub(lambda mark: f"&#{ord(mark[0])};", "\n".join(lines))
        paragraphs.append(paragraph.replace("\n", "  \n"))  # two spaces keep the line's end
    return "\n\n".join(filter(None, paragraphs))


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
