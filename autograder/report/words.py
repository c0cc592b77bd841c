"""What all faces of a record say alike."""

from itertools import groupby

from autograder.record import Record, Result, read_rubric

LONGEST = 4000  # characters of one text; an exception may carry megabytes
SIGNS = {"passed": "✓", "failed": "✗", "waiting": "…", "not graded": "–"}
PARTS = {
    "submission": "The files",
    "sampler": "Problem 1: DataGenerator._sample",
    "forward": "Problem 2a: MANN.forward",
    "loss": "Problem 2b: MANN.loss_function",
    "accuracy": "All three together",
}


def clean(text: str) -> str:
    """Text that cannot move a cursor, reverse the writing or break a file.

    Lines stay lines; other blanks become spaces; control and format characters and halves of
    surrogate pairs become "�".
    """
    if len(text) > LONGEST:
        text = f"{text[:LONGEST]} … ({len(text) - LONGEST:,} more characters)"
    return "".join(
        sign if sign == "\n" or sign.isprintable() else " " if sign.isspace() else "�"
        for sign in text
    )


def amount(points: float) -> str:
    """Points as a person writes them: "3", "2.5"."""
    return f"{round(points, 2):g}"


def sections(record: Record) -> list[tuple[str, list[Result]]]:
    """The results by part, in the rubric's order, each part with its title."""
    parts = groupby(record.results, key=lambda result: result.check.part)
    return [(PARTS.get(part, part), list(results)) for part, results in parts]


def not_graded_here(record: Record) -> str:
    """The last line of a student's own run: what it did not look at."""
    rubric = read_rubric()
    public = sum(check.points for check in rubric if check.public)
    hidden = sum(check.points for check in rubric if not check.public)
    return (
        f"Public checks {amount(record.score)}/{amount(public)}. "
        f"Hidden checks ({amount(hidden)} points) are not graded here."
    )
