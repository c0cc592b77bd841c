"""Curves, as figures that also work in grey and for the colour-blind."""

import math
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from fewshot.analysis.events import Run
from fewshot.analysis.settings import Figure, Setting

# Different in hue, in lightness and in dashes.
LINES = [("#004488", "-"), ("#bb5566", "--"), ("#ddaa33", (0, (4, 1, 1, 1)))]
STYLE = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e6e6e6",
    "axes.axisbelow": True,
    "legend.frameon": False,
    "lines.linewidth": 1.3,
    "figure.constrained_layout.use": True,
    "savefig.dpi": 160,
}
FORMATS = ("png", "pdf")


@dataclass(frozen=True)
class Curve:
    """One quantity over the seeds of a setting: each array is [points]."""

    steps: np.ndarray
    mean: np.ndarray
    lowest: np.ndarray
    highest: np.ndarray


def over_seeds(runs: list[Run], tag: str) -> Curve | None:
    """Mean and range over runs, as far as the shortest has come; None without any point."""
    curves = [sorted(run.curves[tag].items()) for run in runs if run.curves.get(tag)]
    if not curves:
        return None
    pairs = [np.array(curve, float).T for curve in curves]
    end = min(steps[-1] for steps, _ in pairs)
    grid = max((steps[steps <= end] for steps, _ in pairs), key=len)
    values = np.stack([np.interp(grid, steps, curve) for steps, curve in pairs])
    return Curve(grid, values.mean(0), values.min(0), values.max(0))


def draw(figure: Figure, runs: dict[Setting, list[Run]], out: Path) -> None:
    """Write a figure as PNG and PDF.

    Args:
        figure: what to draw.
        runs: those of each of its settings, a seed each; at least one.
        out: the files to write, without their suffix.
    """
    with mpl.rc_context(STYLE):
        canvas = Canvas(figsize=(7.2, 3.4))
        left, right = canvas.subplots(1, 2)
        if len(figure.settings) == 1:
            draw_one(left, right, *figure.settings.values(), runs)
        else:
            draw_several(left, right, figure, runs)
        for axes in (left, right):
            axes.set_xlabel("training step")
            axes.xaxis.set_major_formatter(lambda step, _: f"{step:,.0f}")
            axes.xaxis.set_major_locator(mpl.ticker.MaxNLocator(5, steps=[1, 2, 5, 10]))
            axes.set_xlim(0)
        canvas.suptitle(f"{figure.title}\n", fontweight="bold")
        canvas.text(0.5, 0.89, describe(runs), ha="center", fontsize=8, color="#555555")
        canvas.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=3)
        for suffix in FORMATS:
            canvas.savefig(out.with_suffix(f".{suffix}"))


def draw_one(left: Axes, right: Axes, setting: Setting, runs: dict[Setting, list[Run]]) -> None:
    """Both losses, and the accuracy."""
    for tag, label, line in (("Loss/train", "training", 0), ("Loss/test", "test", 1)):
        add_line(left, over_seeds(runs[setting], tag), label, line)
    add_chance(left, math.log(setting.num_classes))
    left.set_ylabel("cross entropy of the query (nats)")
    left.set_ylim(0)
    add_line(right, over_seeds(runs[setting], "Accuracy/test"), "test", 1)
    add_chance(right, 1 / setting.num_classes)
    right.set_ylabel("query accuracy, unseen characters")
    right.set_ylim(0, 1)


def draw_several(left: Axes, right: Axes, figure: Figure, runs: dict[Setting, list[Run]]) -> None:
    """The accuracy and the loss on unseen characters, of each setting."""
    for number, (label, setting) in enumerate(figure.settings.items()):
        add_line(left, over_seeds(runs.get(setting, []), "Accuracy/test"), label, number)
        add_line(right, over_seeds(runs.get(setting, []), "Loss/test"), label, number)
    chances = {setting.num_classes for setting in runs}
    for N in chances:
        add_chance(left, 1 / N, "" if len(chances) == 1 else f", N = {N}")
    left.set_ylabel("query accuracy, unseen characters")
    left.set_ylim(0, 1)
    right.set_ylabel("test loss (nats)")
    right.set_ylim(0)


def add_line(axes: Axes, curve: Curve | None, label: str, number: int) -> None:
    """One curve, with its band if there are several seeds; a dot if there is one point."""
    if curve is None:
        return
    color, dashes = LINES[number]
    how = {"marker": "o", "clip_on": False} if len(curve.steps) == 1 else {}
    axes.plot(curve.steps, curve.mean, color=color, linestyle=dashes, label=label, **how)
    if (curve.lowest < curve.highest).any():
        axes.fill_between(curve.steps, curve.lowest, curve.highest, color=color, alpha=0.18, lw=0)


def add_chance(axes: Axes, value: float, which: str = "") -> None:
    """Where guessing is."""
    axes.axhline(value, color="#888888", linewidth=0.8, linestyle=":")
    axes.annotate(
        f"guessing{which}",
        (0.99, value),
        xycoords=("axes fraction", "data"),
        ha="right",
        va="bottom",
        fontsize=7,
        color="#666666",
    )


def describe(runs: dict[Setting, list[Run]]) -> str:
    """What the lines have in common."""
    said = []
    for name, words in (("hidden_dim", "hidden {}"), ("learning_rate", "learning rate {:g}")):
        values = {getattr(setting, name) for setting in runs}
        said += [words.format(value) for value in values if len(values) == 1]
    shown = [run for several in runs.values() for run in several]
    batches = {run.settings.get("meta_batch_size") for run in shown}
    said += [f"{batch:g} tasks a step" for batch in batches - {None} if len(batches) == 1]
    seeds = {len(several) for several in runs.values()}
    many = f"mean of {' or '.join(map(str, sorted(seeds)))} seeds, band from lowest to highest"
    said.append("one seed" if seeds == {1} else many)
    return ", ".join(said)
