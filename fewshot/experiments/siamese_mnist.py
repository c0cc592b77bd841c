"""`python -m fewshot.experiments.siamese_mnist`: a Siamese network puts digits on a plane.

Digits go through one network, to points of a plane. Points of the same digit are drawn together,
those of different digits are pushed a margin apart (Hadsell, Chopra and LeCun, 2006). The digits,
the network and the epochs are those of "Hands-On One-shot Learning with Python"; its batches,
learning rate and faults are behind `--source`. What the source does not measure is measured here:
whether a digit that the network has not seen lies nearest to one of its kind.
"""

import argparse
import math
import os
import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from sklearn.neighbors import KNeighborsClassifier
from torch import nn
from tqdm import tqdm

from fewshot.analysis.figures import STYLE
from fewshot.checkpoint import Checkpoint
from fewshot.commands import CommandError, Parser, positive, results_in, run, seed
from fewshot.data import mnist
from fewshot.data.errors import DataError
from fewshot.learners.learner import cosine
from fewshot.learners.metric.siamese import contrastive, distance

TRAIN = 2000  # digits
SHOWN = 1000  # unseen digits in the picture
BATCH, RATE = 32, 0.1  # digits, all of whose pairs count; of SGD
SOURCE_BATCH, SOURCE_RATE = 128, 0.01  # pairs
MOMENTUM = 0.9
MARGIN = 1.0
SAVE_EVERY = 5  # epochs


class Embedding(nn.Sequential):
    """Two convolutions of 20 and 50 maps with max-pooling, and layers of 500, 10 and 2 units.

    Args:
        source: leave the ReLU out after the convolutions, as the source.
    """

    def __init__(self, source: bool) -> None:
        relu = nn.Identity if source else nn.ReLU
        super().__init__(
            nn.Unflatten(-1, (1, mnist.SIDE, mnist.SIDE)),
            nn.Conv2d(1, 20, 5),
            nn.MaxPool2d(2),
            relu(),
            nn.Conv2d(20, 50, 5),
            nn.MaxPool2d(2),
            relu(),
            nn.Flatten(),
            nn.Linear(50 * 4 * 4, 500),
            nn.ReLU(),
            nn.Linear(500, 10),
            nn.Linear(10, 2),
        )


def partners(labels: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """A partner for every digit: another of the same class for half of them, else of another.

    Args:
        labels: int64 [D], at least two digits of each of at least two classes.
        generator: of the choice.

    Returns:
        int64 [D], indices of the partners; whether a pair is the same digit shows in `labels`.
    """
    kin = labels[:, None] == labels
    kin.fill_diagonal_(False)
    strangers = labels[:, None] != labels
    want_same = torch.rand(len(labels), 1, generator=generator) < 0.5
    allowed = torch.where(want_same, kin, strangers)
    return torch.multinomial(allowed.float(), 1, generator=generator)[:, 0]


def shifted(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Each digit at random up to one pixel off in both directions: uint8 [D, 784] → the same."""
    padded = F.pad(images.unflatten(1, (mnist.SIDE, mnist.SIDE)), (1, 1, 1, 1))
    offsets = torch.randint(3, (2, len(images), 1), generator=generator)
    row, column = offsets + torch.arange(mnist.SIDE)
    digit = torch.arange(len(images))[:, None, None]
    return padded[digit, row[:, :, None], column[:, None]].flatten(1)


class Experiment:
    """Digits, a network and its optimizer, which can be saved after any epoch.

    Args:
        options: of the command line.

    Raises:
        DataError: there are no such digits, or too few.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        images, labels = mnist.load(options.data)
        if len(labels) <= TRAIN:
            raise DataError(
                f"{options.data} holds {len(labels):,} digits: more than {TRAIN:,} are needed."
            )
        self.source = options.source
        self.generator = torch.Generator().manual_seed(options.seed)
        train, test = torch.randperm(len(labels), generator=self.generator).tensor_split([TRAIN])
        self.train, self.test = ((images[part], labels[part]) for part in (train, test))
        torch.manual_seed(options.seed)
        self.model = Embedding(options.source).to(memory_format=torch.channels_last)
        self.epochs = options.epochs
        rate = SOURCE_RATE if options.source else RATE
        self.optimizer = torch.optim.SGD(self.model.parameters(), rate, MOMENTUM)
        self.history: list[float] = []

    def loss(self, digits: torch.Tensor) -> torch.Tensor:
        """Of all pairs of some digits, each a little moved; the two kinds count the same."""
        images, labels = self.train
        moved = shifted(images[digits], self.generator)
        points = self.model(moved.to(torch.float32) / 255)
        a, b = torch.triu_indices(len(digits), len(digits), 1)
        same = labels[digits[a]] == labels[digits[b]]
        losses = contrastive(distance(points[a], points[b]), same, MARGIN)
        return (losses[same].mean() + losses[~same].mean()) / 2

    def source_loss(self, digits: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
        """Of some digits and their partners alone, with a distance that has no gradient at 0."""
        images, labels = self.train
        pairs = images[torch.cat([digits, others])]
        a, b = self.model(pairs.to(torch.float32) / 255).chunk(2)
        apart = (a - b).square().sum(-1).sqrt()
        return contrastive(apart, labels[digits] == labels[others], MARGIN).mean()

    def epoch(self) -> None:
        """Every training digit once; adds the mean loss to the history.

        Raises:
            CommandError: the loss, or what a weight has become, is not a number.
        """
        labels = self.train[1]
        if self.source:
            other = partners(labels, self.generator)
        else:
            spent = len(self.history) / self.epochs
            self.optimizer.param_groups[0]["lr"] = RATE * cosine(spent)
        total = 0.0
        order = torch.randperm(len(labels), generator=self.generator)
        for digits in order.split(SOURCE_BATCH if self.source else BATCH):
            loss = self.source_loss(digits, other[digits]) if self.source else self.loss(digits)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            total += loss.item() * len(digits)
        if not all(weight.isfinite().all() for weight in self.model.parameters()):
            raise CommandError(
                f"A weight is not a number after {len(self.history)} epochs: two points met, "
                "where the source's distance has no gradient. Try another --seed, in another "
                "folder."
            )
        self.history.append(total / len(labels))

    @torch.no_grad()
    def points(self, images: torch.Tensor) -> np.ndarray:
        """Where digits lie: uint8 [D, 784] → [D, 2]."""
        parts = images.split(1000)
        return torch.cat([self.model(part.to(torch.float32) / 255) for part in parts]).numpy()

    def named(self) -> np.ndarray:
        """Each test digit's nearest training digit's label, int64 [digits]."""
        neighbours = KNeighborsClassifier(1).fit(self.points(self.train[0]), self.train[1].numpy())
        return neighbours.predict(self.points(self.test[0]))


def learn(experiment: Experiment, options: argparse.Namespace) -> None:
    """Train from where the run stands to its last epoch; a line for the first and every tenth.

    Raises:
        CommandError: the checkpoint is damaged, of other settings, or cannot be written; or the
            loss is not a number.
    """
    settings = {name: getattr(options, name) for name in ("epochs", "seed", "source")}
    # Which digits are learned from depends on how many there are.
    settings |= {"digits": len(experiment.train[1]) + len(experiment.test[1])}
    checkpoint = Checkpoint(
        options.out / "checkpoint.pt",
        settings,
        experiment.model,
        experiment.optimizer,
        experiment.generator,
    )
    if found := checkpoint.restore():
        experiment.history = found["history"]
        print(f"Going on after epoch {len(experiment.history)}.", flush=True)
    history = experiment.history
    with tqdm(
        total=options.epochs, initial=len(history), unit="epoch", leave=False, disable=None
    ) as progress:
        while len(history) < options.epochs:
            experiment.epoch()
            progress.update()
            done = len(history)
            if done % SAVE_EVERY == 0 or done == options.epochs:
                checkpoint.save(history=history)
            if done % 10 == 0 or done in (1, options.epochs):
                progress.write(f"epoch {done:>3}: loss {history[-1]:.4f}", file=sys.stdout)
                sys.stdout.flush()


def report(experiment: Experiment, out: Path) -> None:
    """Print the losses and the accuracy, and draw the figures."""
    history, truth = experiment.history, experiment.test[1].numpy()
    accuracy = (experiment.named() == truth).mean().item()
    margin = 1.96 * math.sqrt(accuracy * (1 - accuracy) / len(truth))
    print(f"Loss: {history[0]:.4f} in the first epoch, {history[-1]:.4f} in the last")
    print(
        f"Nearest neighbour on the plane: {100 * accuracy:.2f} ± {100 * margin:.2f} % "
        f"of {len(truth):,} unseen digits are right"
    )
    files = out / "loss.png", out / "embedding.png"
    draw_loss(history, files[0])
    shown = experiment.points(experiment.test[0][:SHOWN])
    draw_points(shown, truth[:SHOWN], accuracy, files[1])
    print("Figures:", *files)


def draw_loss(history: list[float], file: Path) -> None:
    """The mean contrastive loss of every epoch."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(4.8, 3.2))
        axes = figure.subplots()
        axes.plot(range(1, len(history) + 1), history, color="#004488")
        axes.set(title=f"Siamese network, {TRAIN:,} digits", xlabel="epoch")
        axes.set(ylabel="contrastive loss", ylim=(0, None), xlim=(0, None))
        figure.savefig(file)


def draw_points(points: np.ndarray, labels: np.ndarray, accuracy: float, file: Path) -> None:
    """Unseen digits as digits where the network puts them: [D, 2] and their labels [D]."""
    colors = mpl.colormaps["tab10"].colors
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6, 5.4))
        axes = figure.subplots()
        axes.scatter(*points.T, s=0)  # for the limits
        for (x, y), label in zip(points, labels, strict=True):
            axes.text(x, y, str(label), color=colors[label], size=7, ha="center", va="center")
        axes.set_title(
            f"{len(labels):,} digits that the network has not seen\n"
            f"nearest neighbour on the plane: {100 * accuracy:.1f} % right"
        )
        axes.set(xlabel="first coordinate", ylabel="second coordinate")
        axes.set_aspect("equal", adjustable="datalim")  # not smaller axes, with margins
        figure.savefig(file)


def main(argv: list[str] | None = None) -> int:
    """Train, examine and draw; the exit status is 2 or 130 after one line of what went wrong."""
    parser = Parser(
        prog="python -m fewshot.experiments.siamese_mnist",
        description="A Siamese network puts handwritten digits on a plane.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--epochs", type=positive, default=100, metavar="N", help="over the 2,000 digits")
    add(
        "--source",
        action="store_true",
        help=f"as the source: {SOURCE_BATCH} random pairs in a batch, a rate of {SOURCE_RATE}, "
        "digits that are not moved, no ReLU after the convolutions, and a distance whose "
        "gradient at 0 is not a number",
    )
    add("--seed", type=seed, default=1, help="of the digits' parts, the weights and the pairs")
    add("--threads", type=positive, default=2, metavar="N", help="of PyTorch")
    add(
        "--data",
        type=Path,
        default=Path(os.environ.get("MNIST_FOLDER", "mnist")),
        metavar="FOLDER",
        help="of MNIST's files",
    )
    add(
        "--out",
        type=Path,
        default=argparse.SUPPRESS,
        metavar="FOLDER",
        help="of checkpoint and figures; a run goes on where it stands there "
        "(default: runs/siamese_mnist, with --source runs/siamese_mnist_source)",
    )
    options = parser.parse_args(argv)
    if "out" not in options:
        options.out = Path("runs/siamese_mnist" + "_source" * options.source)

    def command() -> int:
        torch.set_num_threads(options.threads)
        experiment = Experiment(options)
        with results_in(options.out):
            learn(experiment, options)
            report(experiment, options.out)
        return 0

    return run(command, (CommandError, DataError))


if __name__ == "__main__":
    sys.exit(main())
