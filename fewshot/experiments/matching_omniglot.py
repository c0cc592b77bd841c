"""`python -m fewshot.experiments.matching_omniglot`: a matching network, 20 ways, one shot.

The experiment of "Hands-On One-shot Learning with Python": 1,000 updates in 100 epochs, each of
20 tasks, on 1,200 of Omniglot's characters; 211 others are looked at after every epoch and 212 at
the end. The network is the paper's (Vinyals et al., 2016). The source's network is behind
`--source`, and so is its way to look, which learns from validation and test tasks as well.
"""

import argparse
import math
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import mean

import matplotlib as mpl
import torch
from matplotlib.figure import Figure
from tqdm import tqdm

from fewshot.analysis.figures import LINES, STYLE
from fewshot.checkpoint import Checkpoint
from fewshot.commands import CommandError, Parser, positive, results_in, run, seed, several
from fewshot.data.episodes import Episodes
from fewshot.data.errors import DataError
from fewshot.data.store import Store
from fewshot.experiments.matching_source import SourceMatching
from fewshot.intervals import half_interval
from fewshot.learners.metric.matching import Matching

WAY, SHOT = 20, 1
PARTS = {"train": 1200, "validation": 211, "test": 212}  # characters
BATCHES = 10  # in an epoch
TASKS = 20  # in a batch
QUERIES = 5  # of a task's 20 that training looks at, for time
SOURCE_QUERIES = 1
RATE = 1e-3  # of Adam
LOOKED_AT = 20  # validation tasks after an epoch
SAVE_EVERY = 5  # epochs
# Blocks → their mean loss, and every task's accuracy [B].
Ask = Callable[[tuple[torch.Tensor, torch.Tensor]], tuple[float, torch.Tensor]]


class Experiment:
    """A network, its optimizer and its tasks, which can be saved after any epoch.

    Args:
        options: of the command line.

    Raises:
        DataError: there are no such images, or too few.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        store = Store.load(options.data)
        if len(store.characters) < sum(PARTS.values()):
            raise DataError(
                f"{options.data} holds {len(store.characters)} characters and "
                f"{sum(PARTS.values())} are needed: make it with `python -m fewshot.data omniglot`."
            )
        shuffle = torch.Generator().manual_seed(options.seed)
        order = torch.randperm(len(store.characters), generator=shuffle)
        self.train, self.validation, self.test = (
            Episodes(store, characters, WAY, SHOT, options.seed + i)
            for i, characters in enumerate(order[: sum(PARTS.values())].split([*PARTS.values()]))
        )
        torch.manual_seed(options.seed)
        self.source = options.source
        self.queries = SOURCE_QUERIES if options.source else QUERIES
        self.model = SourceMatching(TASKS) if options.source else Matching(WAY, SHOT)
        self.optimizer = torch.optim.Adam(self.model.parameters(), RATE)
        self.seen = self.validation.blocks(LOOKED_AT)  # the same after every epoch
        self.history: list[dict[str, float]] = []

    def epoch(self, progress: tqdm) -> None:
        """Ten updates, and a look at the validation tasks; adds to the history."""
        learned = []
        for _ in range(BATCHES):
            learned.append(self.update(self.train.blocks(TASKS)))
            progress.update()
        if self.source:
            looks = [self.update(self.validation.blocks(TASKS)) for _ in range(BATCHES)]
        else:
            looks = [self.look(self.seen)]
        self.history.append(
            {
                "train loss": mean(loss for loss, _ in learned),
                "validation loss": mean(loss for loss, _ in looks),
                "validation accuracy": mean(right.mean().item() for _, right in looks),
            }
        )

    def update(self, blocks: tuple[torch.Tensor, torch.Tensor]) -> tuple[float, torch.Tensor]:
        """A step down the loss of some queries; the loss, and every task's accuracy, before it."""
        self.model.train()
        loss, right = self.ask(*blocks, self.queries)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item(), right

    @torch.no_grad()
    def look(self, blocks: tuple[torch.Tensor, torch.Tensor]) -> tuple[float, torch.Tensor]:
        """The loss of all queries, and every task's accuracy; nothing is learned here."""
        self.model.eval()
        loss, right = self.ask(*blocks, WAY)
        return loss.item(), right

    @torch.no_grad()
    def watch(self, blocks: tuple[torch.Tensor, torch.Tensor]) -> tuple[float, torch.Tensor]:
        """As `update`, with the batch's statistics, but without the step."""
        self.model.train()
        loss, right = self.ask(*blocks, self.queries)
        return loss.item(), right

    def ask(
        self, images: torch.Tensor, labels: torch.Tensor, queries: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean loss and accuracy [B] of a shuffled row's first queries."""
        embedded = self.model.embed(torch.cat([images[:, 0], images[:, 1, :queries]], dim=1))
        answer = self.model.match(embedded[:, :WAY], labels[:, 0], embedded[:, WAY:])
        wanted = labels[:, 1, :queries]
        right = answer.argmax(-1) == wanted.argmax(-1)
        return -(answer * wanted).sum(-1).mean(), right.to(torch.float32).mean(dim=1)

    def examine(self, tasks: int, ask: Ask) -> tuple[float, float]:
        """Accuracy on new test tasks and half of its 95 % interval.

        Args:
            tasks: how many.
            ask: `look`, or as the source `watch` and `update`.
        """
        results = []
        for done in tqdm(range(0, tasks, TASKS), "test", unit="batch", leave=False, disable=None):
            results.append(ask(self.test.blocks(min(TASKS, tasks - done)))[1])
        results = torch.cat(results)
        return results.mean().item(), half_interval(results).item()


def learn(experiment: Experiment, options: argparse.Namespace) -> None:
    """Train from where the run stands to its last epoch; a line for every tenth.

    Raises:
        CommandError: the checkpoint is damaged, of other settings, or cannot be written.
    """
    settings = {"seed": options.seed, "data": options.data.resolve().name, "source": options.source}
    checkpoint = Checkpoint(
        options.out / "checkpoint.pt",
        settings,
        experiment.model,
        experiment.optimizer,
        experiment.train.generator,
    )
    if found := checkpoint.restore():
        experiment.history = found["history"]
        experiment.validation.generator.set_state(found["validation"])
        print(f"Going on after epoch {len(experiment.history)}.", flush=True)
    history = experiment.history
    with tqdm(
        total=options.epochs * BATCHES,
        initial=len(history) * BATCHES,
        unit="update",
        leave=False,
        disable=None,
    ) as progress:
        while len(history) < options.epochs:
            experiment.epoch(progress)
            done = len(history)
            if done % SAVE_EVERY == 0 or done == options.epochs:
                checkpoint.save(
                    history=history, validation=experiment.validation.generator.get_state()
                )
            if done % 10 == 0 or done == options.epochs:
                said = ", ".join(f"{name} {value:.4f}" for name, value in history[-1].items())
                progress.write(f"epoch {done:>3}: {said}", file=sys.stdout)
                sys.stdout.flush()


def draw_losses(history: list[dict[str, float]], source: bool, file: Path) -> None:
    """Both losses, and the accuracy on the validation characters, by epoch."""
    epochs = range(1, len(history) + 1)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(7.2, 3.2))
        left, right = figure.subplots(1, 2)
        name = "Matching network as in the source" if source else "Matching network"
        figure.suptitle(f"{name}, {WAY}-way {SHOT}-shot, {BATCHES} updates an epoch")
        curves = [(left, "train loss"), (left, "validation loss"), (right, "validation accuracy")]
        for (axes, name), line in zip(curves, (0, 1, 1), strict=True):
            color, dashes = LINES[line]
            values = [result[name] for result in history]
            axes.plot(epochs, values, color=color, linestyle=dashes, label=name)
        for axes, guessing in ((left, math.log(WAY)), (right, 1 / WAY)):
            axes.axhline(guessing, color="#888888", linewidth=0.8, linestyle=":", label="guessing")
            axes.set_xlabel("epoch")
            axes.set_ylim(0)
        if source:
            floor = math.log(math.e + WAY - 1) - 1
            left.axhline(
                floor, color="#888888", linewidth=0.8, linestyle="--", label="p = 1, the least"
            )
        left.legend(loc="lower left" if source else "upper right")
        right.legend(loc="lower right", bbox_to_anchor=(1, 0.1))
        left.set_ylabel("-log p of the query's class (nats)")
        right.set_ylabel("accuracy")
        right.set_ylim(0, 1)
        figure.savefig(file)


def main(argv: list[str] | None = None) -> int:
    """Train, examine and draw; the exit status is 2 or 130 after one line of what went wrong."""
    parser = Parser(
        prog="python -m fewshot.experiments.matching_omniglot",
        description="A matching network names 20 new characters, each seen once.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add(
        "--epochs",
        type=positive,
        default=100,
        metavar="N",
        help=f"of {BATCHES} updates of {TASKS} tasks, with those of earlier runs",
    )
    add(
        "--source",
        action="store_true",
        help="as the source: the query within the support's LSTM and none that attends, a state "
        "that goes on from task to task, a softmax twice, and steps of the optimizer on "
        "validation and test tasks",
    )
    add("--test-tasks", type=several, default=1000, metavar="N", help="at the end")
    add("--seed", type=seed, default=1, help="of the characters' parts, the weights and the tasks")
    add("--threads", type=positive, default=2, metavar="N", help="of PyTorch")
    add("--data", type=Path, default=Path("omniglot_resized"), metavar="FOLDER", help="of images")
    add(
        "--out",
        type=Path,
        default=argparse.SUPPRESS,
        metavar="FOLDER",
        help="of checkpoint and figure; a run goes on where it stands there "
        "(default: runs/matching_omniglot, with --source runs/matching_omniglot_source)",
    )
    options = parser.parse_args(argv)
    if "out" not in options:
        options.out = Path("runs/matching_omniglot" + "_source" * options.source)

    def command() -> int:
        torch.set_num_threads(options.threads)
        experiment = Experiment(options)
        file = options.out / "loss.png"
        with results_in(options.out):
            learn(experiment, options)
            draw_losses(experiment.history, options.source, file)
        looks = {f"Test accuracy, {WAY}-way {SHOT}-shot": experiment.look}
        if options.source:
            looks["With the batch's statistics, one query of a task"] = experiment.watch
            looks["The same, and learning from each batch"] = experiment.update
        for name, ask in looks.items():
            percent, margin = (100 * part for part in experiment.examine(options.test_tasks, ask))
            print(
                f"{name}: {percent:.2f} ± {margin:.2f} % "
                f"({options.test_tasks:,} tasks of {PARTS['test']} new characters)"
            )
        print("Figure:", file)
        return 0

    return run(command, (CommandError, DataError))


if __name__ == "__main__":
    sys.exit(main())
