"""`python -m fewshot.experiments.iris_knn`: nearest neighbours and a network on 30 irises.

With 24 flowers to learn from, the three nearest neighbours, which learn nothing, beat a network
with three hidden layers that has ten passes to learn in. The source ("Hands-On One-shot Learning
with Python") shows it on six test flowers, of which one more or less is 17 points. Here it is also
repeated on many other draws of 30.
"""

import argparse
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from sklearn.base import ClassifierMixin
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import confusion_matrix
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from tqdm import tqdm

from fewshot.analysis.figures import STYLE
from fewshot.commands import CommandError, Parser, positive, results_in, run, seed

POINTS = 30
TEST = 0.2  # of the points
LEARNERS: dict[str, Callable[[int], ClassifierMixin]] = {
    "3 nearest neighbours": lambda seed: KNeighborsClassifier(3),
    "network 13-13-13": lambda seed: MLPClassifier((13, 13, 13), max_iter=10, random_state=seed),
}
SHOWN = (0, 1, 2)  # of the four measurements, in the scatter plot
MARKS = [("#004488", "o"), ("#bb5566", "^"), ("#ddaa33", "s")]  # different in hue, grey and shape


def draw(seed: int) -> list[np.ndarray]:
    """30 flowers at random, cut in two: train [24, 4], test [6, 4], and their species [24], [6]."""
    flowers, species = load_iris(return_X_y=True)
    chosen = np.random.default_rng(seed).choice(len(flowers), POINTS, replace=False)
    return train_test_split(
        flowers[chosen], species[chosen], test_size=TEST, random_state=seed % 2**32
    )


def confusions(seed: int) -> np.ndarray:
    """Each learner's confusion matrix on one draw: int [learners, species, named]."""
    train, test, species, truth = draw(seed)
    matrices = []
    for make in LEARNERS.values():
        with warnings.catch_warnings():
            # Ten passes are the point of it.
            warnings.simplefilter("ignore", ConvergenceWarning)
            named = make(seed % 2**32).fit(train, species).predict(test)
        matrices.append(confusion_matrix(truth, named, labels=range(3)))
    return np.stack(matrices)


def accuracy(confusion: np.ndarray) -> np.ndarray:
    """The diagonal's part: [..., species, named] → [...]."""
    return confusion.trace(axis1=-2, axis2=-1) / confusion.sum(axis=(-2, -1))


def report(results: np.ndarray) -> str:
    """What came out, [draws, learners, species, named], in words; the first draw alone as well."""
    lines = [f"One draw, {results[0, 0].sum()} test flowers:"]
    lines += [f"  {name}: {100 * accuracy(results[0, i]):.2f} %" for i, name in enumerate(LEARNERS)]
    if len(results) > 1:
        lines.append(f"{len(results):,} draws, mean with its 95 % interval and the middle 90 %:")
        for i, name in enumerate(LEARNERS):
            all_draws = 100 * accuracy(results[:, i])
            margin = 1.96 * all_draws.std(ddof=1) / len(all_draws) ** 0.5
            low, high = np.percentile(all_draws, [5, 95])
            lines.append(
                f"  {name}: {all_draws.mean():.2f} ± {margin:.2f} %, from {low:.0f} to {high:.0f}"
            )
        difference = accuracy(results[:, 0]) - accuracy(results[:, 1])
        lines.append(
            f"  the neighbours are better in {(difference > 0).mean():.1%} of the draws, "
            f"as good in {(difference == 0).mean():.1%}"
        )
    return "\n".join(lines)


def draw_flowers(seed: int, file: Path) -> None:
    """The 30 flowers in three of their four measurements; the test flowers are hollow."""
    iris = load_iris()
    train, test, species, truth = draw(seed)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(5.6, 4.6))
        figure.suptitle(f"{POINTS} irises, of which {len(test)} to be named (hollow)")
        axes = figure.add_subplot(projection="3d")
        for which, (color, mark) in enumerate(MARKS):
            for flowers, names, hollow in ((train, species, False), (test, truth, True)):
                axes.scatter(
                    *flowers[names == which][:, SHOWN].T,
                    marker=mark,
                    s=34,
                    facecolors="white" if hollow else color,
                    edgecolors=color,
                    linewidths=1.4,
                    depthshade=False,
                    label="" if hollow else iris.target_names[which],
                )
        axes.set(**{f"{a}label": iris.feature_names[i] for a, i in zip("xyz", SHOWN, strict=True)})
        axes.view_init(elev=22, azim=-60)
        axes.yaxis.set_major_locator(mpl.ticker.MaxNLocator(4))
        figure.legend(loc="outside lower center", ncols=3)
        figure.savefig(file)


def draw_confusions(results: np.ndarray, file: Path) -> None:
    """A row for the first draw and one for all: which species was taken for which."""
    rows = {"one draw": results[0]}
    if len(results) > 1:
        rows[f"{len(results):,} draws"] = results.sum(axis=0)
    species = load_iris().target_names
    with mpl.rc_context(STYLE | {"axes.grid": False}):
        figure = Figure(figsize=(6.6, 0.6 + 2.8 * len(rows)))
        grid = figure.subplots(len(rows), len(LEARNERS), squeeze=False)
        for (draws, matrices), line in zip(rows.items(), grid, strict=True):
            for name, matrix, axes in zip(LEARNERS, matrices, line, strict=True):
                axes.set_title(f"{name}, {draws}: {100 * accuracy(matrix):.1f} %", fontsize=9)
                part = matrix / matrix.sum(axis=1, keepdims=True).clip(1)
                axes.imshow(part, cmap="Greys", vmin=0, vmax=1)
                for (i, j), count in np.ndenumerate(matrix):
                    color = "white" if part[i, j] > 0.5 else "black"
                    axes.text(j, i, f"{count:,}", ha="center", va="center", color=color)
                axes.set_xticks(range(3), species)
                axes.set_yticks(range(3), species)
        for axes in grid[:, 0]:
            axes.set_ylabel("species")
        for axes in grid[-1]:
            axes.set_xlabel("named as")
        figure.savefig(file)


def main(argv: list[str] | None = None) -> int:
    """Learn, print and draw; the exit status is 2 or 130 after one line of what went wrong."""
    parser = Parser(
        prog="python -m fewshot.experiments.iris_knn",
        description="Nearest neighbours and a network learn to name irises from 24 flowers.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add(
        "--draws",
        type=positive,
        default=1000,
        metavar="N",
        help="of 30 flowers; the first is shown alone",
    )
    add("--seed", type=seed, default=42, help="of the first draw; the next have the next seeds")
    add("--out", type=Path, default=Path("runs/iris_knn"), metavar="FOLDER", help="of the figures")
    options = parser.parse_args(argv)

    def command() -> int:
        seeds = range(options.seed, options.seed + options.draws)
        files = options.out / "flowers.png", options.out / "confusion.png"
        with results_in(options.out):
            results = np.stack(
                [confusions(seed) for seed in tqdm(seeds, unit="draw", leave=False, disable=None)]
            )
            print(report(results))
            draw_flowers(options.seed, files[0])
            draw_confusions(results, files[1])
        print("Figures:", *files)
        return 0

    return run(command, (CommandError,))


if __name__ == "__main__":
    sys.exit(main())
