"""A record as one HTML page that needs nothing else: no script, no request, no folder beside it."""

import base64
import io
from pathlib import Path

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image

from autograder.record import Record, Result, Task
from autograder.report.chart import chart
from autograder.report.words import SIGNS, amount, clean, not_graded_here, sections

TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    finalize=lambda value: value if isinstance(value, Markup) else clean(str(value)),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def page(record: Record) -> str:
    """The whole page, HTML."""
    return TEMPLATES.get_template("page.html").render(
        record=record,
        sections=sections(record),
        start=_start(record),
        closing=not_graded_here(record) if record.public_only else None,
        signs=SIGNS,
        amount=amount,
        rows=_rows,
        chart=chart,
    )


def _start(record: Record) -> Result | None:
    """What to mend first: nothing that waits for something else."""
    open_results = [result for result in record.results if result.status != "passed"]
    failed = [result for result in open_results if result.status == "failed"]
    return next(iter(failed + open_results), None)


def _rows(task: Task) -> list[dict]:
    """The task's images row by row, the query last."""
    last = len(task.images) - 1
    marked = {tuple(cell) for cell in task.marked}
    return [
        {
            "name": "Query" if row == last else f"Shot {row + 1}",
            "query": row == last,
            "cells": [
                {"source": _png(image), "label": str(label), "marked": (row, column) in marked}
                for column, (image, label) in enumerate(zip(images, labels, strict=True))
            ],
        }
        for row, (images, labels) in enumerate(zip(task.images, task.labels, strict=True))
    ]


def _png(ink: np.ndarray) -> Markup:
    """A data URI of one image, float [784], black on white; what is not in 0 to 1 is clipped."""
    ink = np.clip(np.nan_to_num(np.asarray(ink, dtype=np.float64)), 0, 1)
    pixels = np.round(255 * (1 - ink)).astype(np.uint8).reshape(28, 28)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="PNG", optimize=True)
    return Markup("data:image/png;base64," + base64.b64encode(file.getvalue()).decode())
