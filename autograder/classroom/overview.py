"""A class as one HTML page that needs nothing else: no request, no folder but those it links to."""

import base64
import hashlib
from pathlib import Path
from urllib.parse import quote

from jinja2 import FileSystemLoader
from markupsafe import Markup

from autograder.classroom.graded import Graded
from autograder.classroom.statistics import EDGES, mistakes, most, reasons, seconds, statistics
from autograder.report.page import TEMPLATES
from autograder.report.words import amount

FOLDER = Path(__file__).parent
PAGES = TEMPLATES.overlay(
    loader=FileSystemLoader([FOLDER, FOLDER.parent / "report"])  # which has page.css
)

# Of the histogram, in its own pixels.
WIDTH, HEIGHT = 36, 120  # a bin, and the highest bar
BOTTOM = 134


def overview(graded: list[Graded], facts: dict) -> str:
    """The whole page, HTML. It links to `feedback.html` in the folder of each submission.

    Args:
        graded: the submissions.
        facts: what else there is to say about the run, shown as it is.
    """
    found = statistics(graded)
    parts = {}
    for one in graded:
        parts |= _parts(one, "max_score")
    script = (FOLDER / "overview.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return PAGES.get_template("overview.html").render(
        graded=graded,
        facts=facts,
        found=found,
        worth=max((most(one) for one in graded), default=0),
        bars=_bars(found.bins),
        parts=parts,
        script=Markup(script),
        digest=digest,  # so that no other script runs
        amount=amount,
        names=_names,
        link=_link,
        points=lambda one: _parts(one, "score"),
        mistakes=mistakes,
        reasons=reasons,
        seconds=seconds,
    )


def _names(one: Graded) -> str:
    """The authors; the folder if no name is known."""
    return ", ".join(person.name for person in one.people if person.name) or one.folder


def _link(one: Graded) -> str:
    return f"{quote(one.folder, safe='')}/feedback.html"


def _parts(one: Graded, field: str) -> dict[str, float]:
    """The sum of a field for each part that is worth points."""
    sums = {}
    for test in one.results["tests"]:
        if test["max_score"]:
            part = test["tags"][0]
            sums[part] = sums.get(part, 0) + test[field]
    return sums


def _bars(bins: list[int]) -> list[dict]:
    """Where the bars of the histogram go."""
    tallest = max(bins) or 1
    return [
        {
            "x": WIDTH * place,
            "y": round(BOTTOM - HEIGHT * count / tallest, 1),
            "height": round(HEIGHT * count / tallest, 1),
            "count": count,
            "from": EDGES[place],
            "to": EDGES[place + 1],
        }
        for place, count in enumerate(bins)
    ]
