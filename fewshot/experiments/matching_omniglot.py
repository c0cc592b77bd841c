"""`python -m fewshot.experiments.matching_omniglot`: a matching network, 20 ways, one shot.

The experiment of "Hands-On One-shot Learning with Python": 1,000 updates in 100 epochs, each of
20 tasks, on 1,200 of Omniglot's characters; 211 others are looked at after every epoch and 212 at
the end. The network is the paper's (Vinyals et al., 2016), and not the source's, which lets the
query into the support's LSTM, has no attention LSTM, takes a softmax twice and learns from the
test tasks as well.
"""

import argparse
import math
import sys
from pathlib import Path

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
from fewshot.intervals import half_interval
from fewshot.learners.learner import accuracy, query_loss
from fewshot.learners.metric.matching import Matching

WAY, SHOT = 20, 1
PARTS = {"train": 1200, "validation": 211, "test": 212}  # characters
BATCHES = 10  # in an epoch
TASKS = 20  # in a batch
QUERIES = 5  # of a task's 20 that training looks at, for time
RATE = 1e-3  # of Adam
LOOKED_AT = 20  # validation tasks after an epoch
SAVE_EVERY = 5  # epochs


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
        self.model = Matching(WAY, SHOT)
        self.optimizer = torch.optim.Adam(self.model.parameters(), RATE)
        self.seen = self.validation.blocks(LOOKED_AT)  # the same after every epoch
        self.history: list[dict[str, float]] = []

    def epoch(self, progress: tqdm) -> None:
        """Ten updates, and a look at the validation tasks; adds to the history."""
        self.model.train()
        total = 0.0
        for _ in range(BATCHES):
            images, labels = self.train.blocks(TASKS)
            # One pass for all; the query row is shuffled, so its first images are random ones.
            embedded = self.model.embed(torch.cat([images[:, 0], images[:, 1, :QUERIES]], dim=1))
            answer = self.model.match(embedded[:, :WAY], labels[:, 0], embedded[:, WAY:])
            loss = -(answer * labels[:, 1, :QUERIES]).sum(-1).mean()
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            total += loss.item() / BATCHES
            progress.update()
        self.model.eval()
        with torch.no_grad():
            logits = self.model(*self.seen)
        labels = self.seen[1]
        self.history.append(
            {
                "train loss": total,
                "validation loss": query_loss(logits, labels).item(),
                "validation accuracy": accuracy(logits, labels).mean().item(),
            }
        )

    @torch.no_grad()
    def examine(self, tasks: int) -> tuple[float, float]:
        """Accuracy on new test tasks and half of its 95 % interval; nothing is learned here."""
        self.model.eval()
        results = []
        for done in tqdm(range(0, tasks, TASKS), "test", unit="batch", leave=False, disable=None):
            images, labels = self.test.blocks(min(TASKS, tasks - done))
            results.append(accuracy(self.model(images, labels), labels))
        results = torch.cat(results)
        return results.mean().item(), half_interval(results).item()


def learn(experiment: Experiment, options: argparse.Namespace) -> None:
    """Train from where the run stands to its last epoch; a line for every tenth.

    Raises:
        CommandError: the checkpoint is damaged, of other settings, or cannot be written.
    """
    settings = {"seed": options.seed, "data": options.data.resolve().name}
    checkpoint = Checkpoint(
        options.out / "checkpoint.pt",
        settings,
        experiment.model,
        experiment.optimizer,
        experiment.train.generator,
    )
    if found := checkpoint.restore():
        experiment.history = found["history"]
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
                checkpoint.save(history=history)
            if done % 10 == 0 or done == options.epochs:
                said = ", ".join(f"{name} {value:.4f}" for name, value in history[-1].items())
                progress.write(f"epoch {done:>3}: {said}", file=sys.stdout)
                sys.stdout.flush()


def draw_losses(history: list[dict[str, float]], file: Path) -> None:
    """Both losses, and the accuracy on the validation characters, by epoch."""
    epochs = range(1, len(history) + 1)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(7.2, 3.2))
        left, right = figure.subplots(1, 2)
        figure.suptitle(f"Matching network, {WAY}-way {SHOT}-shot, {BATCHES} updates an epoch")
        curves = [(left, "train loss"), (left, "validation loss"), (right, "validation accuracy")]
        for (axes, name), line in zip(curves, (0, 1, 1), strict=True):
            color, dashes = LINES[line]
            values = [result[name] for result in history]
            axes.plot(epochs, values, color=color, linestyle=dashes, label=name)
        for axes, guessing in ((left, math.log(WAY)), (right, 1 / WAY)):
            axes.axhline(guessing, color="#888888", linewidth=0.8, linestyle=":", label="guessing")
            axes.set_xlabel("epoch")
            axes.set_ylim(0)
        left.legend(loc="upper right")
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
    add("--test-tasks", type=several, default=1000, metavar="N", help="at the end")
    add("--seed", type=seed, default=1, help="of the characters' parts, the weights and the tasks")
    add("--threads", type=positive, default=2, metavar="N", help="of PyTorch")
    add("--data", type=Path, default=Path("omniglot_resized"), metavar="FOLDER", help="of images")
    add(
        "--out",
        type=Path,
        default=Path("runs/matching_omniglot"),
        metavar="FOLDER",
        help="of checkpoint and figure; a run goes on where it stands there",
    )
    options = parser.parse_args(argv)

    def command() -> int:
        torch.set_num_threads(options.threads)
        experiment = Experiment(options)
        file = options.out / "loss.png"
        with results_in(options.out):
            learn(experiment, options)
            draw_losses(experiment.history, file)
        mean, margin = experiment.examine(options.test_tasks)
        print(
            f"Test accuracy, {WAY}-way {SHOT}-shot: {100 * mean:.2f} ± {100 * margin:.2f} % "
            f"({options.test_tasks:,} tasks of {PARTS['test']} new characters)"
        )
        print("Figure:", file)
        return 0

    return run(command, (CommandError, DataError))


if __name__ == "__main__":
    sys.exit(main())
