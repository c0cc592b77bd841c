"""The outcomes of several learners, as a table and as a figure."""

from collections.abc import Iterable
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

from fewshot.analysis.figures import STYLE
from fewshot.experiments.compare.trial import Outcome

COLUMNS = ("learner", "accuracy", "parameters", "steps", "training", "a task", "depends on")
# Of each family, what tells it from the others: in hue, in lightness and in shape.
MARKS = {
    "blackbox": ("#004488", "o"),
    "metric": ("#bb5566", "s"),
    "optimization": ("#ddaa33", "^"),
    "generative": ("#117733", "D"),
}


def ranked(outcomes: Iterable[Outcome]) -> list[Outcome]:
    """The best first."""
    return sorted(outcomes, key=lambda outcome: -outcome.accuracy)


def cells(outcome: Outcome) -> tuple[str, ...]:
    """A row of the table."""
    return (
        outcome.learner,
        f"{100 * outcome.accuracy:.1f} ± {100 * outcome.interval:.1f}",
        f"{outcome.parameters:,}",
        f"{outcome.steps:,}",
        f"{outcome.seconds / 60:.1f} min" if outcome.steps else "–",
        f"{outcome.milliseconds:.1f} ms" if outcome.milliseconds >= 0.1 else "< 0.1 ms",
        outcome.setting or "–",
    )


def print_table(title: str, outcomes: Iterable[Outcome]) -> None:
    """The table, on the terminal."""
    table = Table(title=title, title_justify="left", title_style="bold")
    for column in COLUMNS[:-1]:  # the last one is for wider pages
        table.add_column(column, justify="left" if column == "learner" else "right", no_wrap=True)
    for outcome in ranked(outcomes):
        table.add_row(*cells(outcome)[:-1])
    Console().print(table)


def write_table(file: Path, title: str, outcomes: Iterable[Outcome]) -> None:
    """The table, in Markdown."""
    rows = [COLUMNS, ("---", *["--:"] * 5, "---"), *map(cells, ranked(outcomes))]
    lines = [f"| {' | '.join(row)} |" for row in rows]
    file.write_text(f"{title}\n\n" + "\n".join(lines) + "\n")


def draw(file: Path, title: str, chance: float, outcomes: Iterable[Outcome]) -> None:
    """Every learner's accuracy and its interval, as PNG."""
    outcomes = ranked(outcomes)[::-1]
    with mpl.rc_context(STYLE):
        canvas = Figure(figsize=(7.2, 1.3 + 0.27 * len(outcomes)))
        axes = canvas.subplots()
        for family, (color, marker) in MARKS.items():
            rows = [i for i, outcome in enumerate(outcomes) if outcome.family == family]
            if rows:
                axes.errorbar(
                    [100 * outcomes[i].accuracy for i in rows],
                    rows,
                    xerr=[100 * outcomes[i].interval for i in rows],
                    color=color,
                    fmt=marker,
                    markersize=5,
                    capsize=2,
                    label=family,
                )
        for i, outcome in enumerate(outcomes):
            right = 100 * (outcome.accuracy + outcome.interval)
            axes.text(right + 1.2, i, f"{100 * outcome.accuracy:.1f}", va="center", fontsize=7.5)
        axes.axvline(100 * chance, color="#888888", linewidth=0.8, linestyle=":")
        axes.text(100 * chance + 0.6, len(outcomes) - 0.4, "guessing", fontsize=7, color="#666666")
        axes.set_yticks(range(len(outcomes)), [outcome.learner for outcome in outcomes])
        axes.set_ylim(-0.7, len(outcomes) - 0.1)
        axes.set_xlim(0, 106)
        axes.set_xticks(range(0, 101, 20))
        axes.set_xlabel("query accuracy on unseen characters (%), with its 95 % interval")
        axes.grid(axis="y", visible=False)
        axes.set_title(title, fontsize=9, fontweight="bold", loc="left")
        canvas.legend(loc="outside lower center", ncols=4)
        canvas.savefig(file)
