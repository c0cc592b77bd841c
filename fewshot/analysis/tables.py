"""What the runs ended with, as Markdown."""

import numpy as np

from fewshot.analysis.events import Run
from fewshot.analysis.settings import Setting

LAST = 10  # points of a curve behind its last value
HEADER = "| | accuracy | over seeds | test loss | training loss | steps | seeds |"
RULE = "|---|--:|--:|--:|--:|--:|--:|"
LOSSES = ("Loss/test", "Loss/train")


def table(settings: dict[str, Setting], runs: dict[Setting, list[Run]]) -> str:
    """A row for each setting of which there are runs.

    The accuracy is hw1.py's last measurement, on 2,000 tasks, with the 95 % interval of the mean
    over seeds for these networks; for runs without one, the mean of the last points of the curve.
    """
    rows = [row(label, runs[one]) for label, one in settings.items() if runs.get(one)]
    return "\n".join([HEADER, RULE, *rows])


def row(label: str, runs: list[Run]) -> str:
    """One setting."""
    accuracies = [accuracy(run) for run in runs]
    said = f"{np.mean(accuracies):.3f}"
    intervals = [end(run, "Final/interval", 1) for run in runs]
    if all(run.finished for run in runs):
        said += f" ± {np.hypot.reduce(intervals) / len(runs):.3f}"
    span = f"{min(accuracies):.3f}–{max(accuracies):.3f}" if len(runs) > 1 else "–"
    losses = [f"{np.mean([end(run, tag, LAST) for run in runs]):.3f}" for tag in LOSSES]
    cells = [label, said, span, *losses, steps(runs), str(len(runs))]
    return f"| {' | '.join(cells)} |"


def accuracy(run: Run) -> float:
    """At the end, on characters that the run has not seen."""
    return end(run, "Final/accuracy", 1) if run.finished else end(run, "Accuracy/test", LAST)


def end(run: Run, tag: str, points: int) -> float:
    """The mean of the last points of a curve; NaN without any."""
    last = sorted(run.curves.get(tag, {}).items())[-points:]
    return float(np.mean([value for _, value in last])) if last else float("nan")


def steps(runs: list[Run]) -> str:
    """How many steps they have, and of how many if they are not at their end."""
    have = min(run.steps for run in runs)
    planned = max(run.planned or 0 for run in runs)
    return f"{have:,}" if have >= planned else f"{have:,.0f} of {planned:,.0f}"
