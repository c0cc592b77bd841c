"""From runs to what the report of a problem needs: figures, a table, and places for both."""

import os
import re
from collections.abc import Iterable
from pathlib import Path

from fewshot.analysis import AnalysisError
from fewshot.analysis.events import choose, read_runs
from fewshot.analysis.figures import draw
from fewshot.analysis.settings import PROBLEMS, TABLES
from fewshot.analysis.tables import table


def write_problem(
    problem: str, seeds: Iterable[int], folder: Path, steps: int | None, out: Path, report: Path
) -> list[str]:
    """Draw the figures of which there are runs, write the table, and fill the report.

    Args:
        problem: "problem3" or "problem4".
        seeds: those wanted of each setting.
        folder: of runs.
        steps: those that a run was to have; None takes any.
        out: the folder of figures.
        report: a Markdown file with places for figures; if there is none, none is filled.

    Returns:
        What to tell: what is damaged, what is missing, what was written.

    Raises:
        AnalysisError: there is no run at all, or a file cannot be written.
    """
    there = read_runs(folder)
    lines = [line for run in there for line in run.damaged]
    runs = {}
    for setting in TABLES[problem].values():
        found = [choose(there, setting, seed, steps) for seed in seeds]
        if found := [run for run in found if run and run.steps]:
            runs[setting] = found
    if not runs:
        raise AnalysisError(
            "\n".join([*lines, f"{folder} has no run of {problem} with these seeds and steps."])
        )
    content = {problem: table(TABLES[problem], runs)}
    try:
        out.mkdir(parents=True, exist_ok=True)
        for figure in PROBLEMS[problem]:
            name = f"{problem}_{figure.name}"
            missing = [label for label, one in figure.settings.items() if one not in runs]
            if missing:
                lines.append(f"{name}: no run of {', '.join(missing)} in {folder}.")
            if len(missing) < len(figure.settings):
                shown = {one: runs[one] for one in figure.settings.values() if one in runs}
                draw(figure, shown, out / name)
                content[name] = f"![{figure.title}]({relative(out, report)}/{name}.png)"
        (out / f"{problem}.md").write_text(f"{content[problem]}\n", encoding="utf-8")
        filled = fill(report, content)
    except OSError as error:
        raise AnalysisError(f"Cannot write {error.filename} ({error.strerror}).") from error
    lines.append(f"{len(content) - 1} figures and a table are in {out}.")
    if filled:
        lines.append(f"{filled} places of {report} are filled.")
    return lines


def relative(out: Path, report: Path) -> str:
    """The folder of figures, as the report names it."""
    return Path(os.path.relpath(out, report.parent)).as_posix()


def fill(report: Path, content: dict[str, str]) -> int:
    """Put each content between `<!-- NAME -->` and `<!-- end of NAME -->`, whatever was there.

    Returns:
        How many places there were.
    """
    if not report.is_file():
        return 0
    text, filled = report.read_text(encoding="utf-8"), 0
    for name, new in content.items():
        place = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end of {name} -->)", re.DOTALL)
        text, count = place.subn(lambda found, new=new: f"{found[1]}{new}\n{found[2]}", text)
        filled += count
    partial = report.with_suffix(".partial")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, report)
    return filled
