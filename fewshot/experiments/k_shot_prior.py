"""`python -m fewshot.experiments.k_shot_prior`: what the prior over softmax weights is worth.

Discriminative k-shot learning (Bauer et al., 2017) on Omniglot: one representation, learned by
naming the training characters, and on the same tasks three ways to name new ones with it: the
softmax with the prior that the training characters' weights give, the same softmax without, and
the nearest class mean. Only differences on the same tasks and features say what a prior does.
"""

import argparse
import sys
from pathlib import Path

import matplotlib as mpl
import torch
from matplotlib.figure import Figure
from tqdm import tqdm

from fewshot.analysis.figures import STYLE
from fewshot.checkpoint import Checkpoint
from fewshot.commands import CommandError, Parser, positive, results_in, run, seed, several
from fewshot.data.episodes import Episodes
from fewshot.data.errors import DataError
from fewshot.data.store import Store
from fewshot.data.turns import quarter_turns
from fewshot.intervals import half_interval
from fewshot.learners.generative.k_shot import KShot, KShotPlain
from fewshot.learners.learner import Learner, accuracy
from fewshot.learners.metric.prototypical import Prototypical

TASKS = {"5-way 1-shot": (5, 1), "5-way 5-shot": (5, 5), "20-way 1-shot": (20, 1)}
AT_ONCE = 50  # tasks
SAVE_EVERY = 100  # steps
STYLES = {  # different in hue, in lightness and in shape
    "prior": ("#004488", "o"),
    "plain softmax": ("#bb5566", "s"),
    "nearest class mean": ("#ddaa33", "^"),
}


def characters(store: Store, *parts: str) -> Store:
    """The characters of parts of the Vinyals split, and their quarter turns."""
    return quarter_turns(store, torch.cat([store.split("vinyals", part) for part in parts]))


def episodes(store: Store, N: int, K: int, seed: int) -> Episodes:
    """Episodes over all of a store."""
    return Episodes(store, torch.arange(len(store.characters)), N, K, seed)


def train(learner: KShot, store: Store, options: argparse.Namespace) -> None:
    """Phases 1 and 2, from where the last run has saved them."""
    settings = {"steps": options.steps, "seed": options.seed}
    settings |= {"data": options.data.resolve().name}
    drawn = episodes(characters(store, "train", "val"), 5, 1, options.seed)
    learner.start()
    file = options.out / "checkpoint.pt"
    checkpoint = Checkpoint(file, settings, learner, learner.optimizer, drawn.generator)
    if done := checkpoint.restore().get("done", 0):
        print(f"Going on after {done:,} steps.", flush=True)
    with tqdm(total=options.steps, initial=done, desc="representation", unit="step") as bar:
        while done < options.steps:
            loss = learner.step(drawn, done / options.steps)
            done += 1
            bar.update()
            bar.set_postfix_str(f"loss {loss:.2f}")
            if done % SAVE_EVERY == 0 or done == options.steps:
                checkpoint.save(done=done)


@torch.no_grad()
def examine(
    learner: KShot, store: Store, count: int, seed: int
) -> dict[str, dict[str, torch.Tensor]]:
    """Task → way of naming → accuracy of each of `count` tasks, the same for all ways: [count]."""
    plain, means = KShotPlain(5, 1), Prototypical(5, 1)
    plain.load_state_dict(learner.state_dict())
    means.embed.load_state_dict(learner.embed.state_dict())
    ways: list[Learner] = [learner.eval(), plain.eval(), means.eval()]
    unseen = characters(store, "test")
    results = {}
    for task, (N, K) in TASKS.items():
        drawn = episodes(unseen, N, K, seed)
        right = [[] for _ in ways]
        for start in tqdm(range(0, count, AT_ONCE), task, unit="batch"):
            images, labels = drawn.blocks(min(AT_ONCE, count - start))
            for found, way in zip(right, ways, strict=True):
                found.append(accuracy(way(images, labels), labels))
        results[task] = dict(zip(STYLES, map(torch.cat, right), strict=True))
    return results


def interval(values: torch.Tensor) -> tuple[float, float]:
    """The mean and half its 95 % interval, in percent."""
    return 100 * values.mean().item(), 100 * half_interval(values).item()


def report(learner: KShot, results: dict, options: argparse.Namespace) -> None:
    """Print the table, keep it, and draw it."""
    prior, plain, _ = STYLES
    lines = [
        f"Percent right on {options.tasks:,} tasks of unseen characters, with 95 % intervals;",
        f"the training characters' weights have a variance of {learner.variance:.3f}:",
        "",
        f"| | {' | '.join(STYLES)} | prior less plain, pairwise |",
        "|---|--:|--:|--:|--:|",
    ]
    for task, right in results.items():
        cells = ["{:.1f} ± {:.1f}".format(*interval(right[way])) for way in STYLES]
        gain = "{:+.2f} ± {:.2f}".format(*interval(right[prior] - right[plain]))
        lines.append(f"| {task} | {' | '.join(cells)} | {gain} |")
    print("\n".join(lines))
    (options.out / "table.md").write_text("\n".join(lines) + "\n")
    print("Picture:", picture(results, options.out / "k_shot_prior.png"))


def picture(results: dict, file: Path) -> Path:
    """Draw the accuracies, and what the prior adds."""
    prior, plain, _ = STYLES
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(7.2, 3))
        left, right = figure.subplots(1, 2, width_ratios=[3, 2], sharey=True)
        for row, by_way in enumerate(results.values()):
            for number, (way, (color, marker)) in enumerate(STYLES.items()):
                mean, half = interval(by_way[way])
                left.errorbar(
                    mean,
                    row + 0.2 * (number - 1),
                    xerr=half,
                    color=color,
                    marker=marker,
                    capsize=3,
                    linestyle="",
                    label=way if row == 0 else None,
                )
            mean, half = interval(by_way[prior] - by_way[plain])
            right.errorbar(mean, row, xerr=half, color="#333333", marker="o", capsize=3)
        right.axvline(0, color="#888888", linewidth=0.8, linestyle=":")
        left.set_yticks(range(len(results)), results)
        left.set_ylim(len(results) - 0.5, -0.5)
        left.set_xlabel("percent right")
        left.set_title("the same features, three ways", fontsize=9)
        right.set_xlabel("points")
        right.set_title("prior less plain softmax, task by task", fontsize=9)
        figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=3)
        figure.savefig(file)
    return file


def main(argv: list[str] | None = None) -> int:
    """Train and compare; the exit status is 2 or 130 after one line of what went wrong."""
    parser = Parser(
        prog="python -m fewshot.experiments.k_shot_prior",
        description="What a prior over softmax weights adds to few-shot learning on Omniglot.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--data", type=Path, default=Path("omniglot_resized"), metavar="FOLDER", help="of images")
    add("--steps", type=positive, default=1200, metavar="N", help="of the representation")
    add("--tasks", type=several, default=1000, metavar="N", help="of each kind, in the test")
    add("--seed", type=seed, default=1, help="of the weights, the images and the tasks")
    add(
        "--out",
        type=Path,
        default=Path("runs/k_shot_prior"),
        metavar="FOLDER",
        help="of checkpoint and results",
    )
    options = parser.parse_args(argv)

    def command() -> int:
        torch.manual_seed(options.seed)
        store = Store.load(options.data)
        learner = KShot(5, 1)
        with results_in(options.out):
            train(learner, store, options)
            results = examine(learner, store, options.tasks, 1000 + options.seed)
            report(learner, results, options)
        return 0

    return run(command, (CommandError, DataError))


if __name__ == "__main__":
    sys.exit(main())
