"""Learning to learn: an LSTM with an external memory names characters it has just been shown.

    python -m fewshot.experiments.learning_to_learn --epochs=50 --classes=2

An assignment of NPFL114 (Deep Learning, Charles University in Prague). An episode shows a few
characters, several images of each, in random order. At each step the network sees an image and
the label of the image before, and names the image. At the first image of a character it can
only guess; from the second on it can remember. docs/memory/learning_to_learn.md has the results.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from fewshot.checkpoint import Checkpoint
from fewshot.commands import (
    CommandError,
    Parser,
    asked_to_stop,
    positive,
    results_in,
    run,
    seed,
)
from fewshot.data.episodes import Episodes
from fewshot.data.errors import DataError
from fewshot.data.soften import soften
from fewshot.data.store import SIDE, Store
from fewshot.data.turns import quarter_turns
from fewshot.learners.blackbox.queue_memory import QueueMemoryCell
from fewshot.learners.blackbox.unroll import unroll

INSTANCES = (1, 2, 5, 10)  # of a character: those whose accuracy is in the log

# What decides how a run goes on; more epochs may be asked for later, and other threads only round
# differently.
SETTINGS = (
    "batch_size",
    "cell_size",
    "classes",
    "images_per_class",
    "lstm_dim",
    "read_heads",
    "seed",
    "test_episodes",
    "train_episodes",
)


class Model(nn.Module):
    """Images → features → a cell with memory → the class of every image.

    Args:
        classes: N.
        images_per_class: of an episode; the memory has a cell for each of its images.
        lstm_dim: width of the controller and of the layer after the cell.
        cell_size: width of a cell of memory.
        read_heads: that read the memory at once.
    """

    def __init__(
        self, classes: int, images_per_class: int, lstm_dim: int, cell_size: int, read_heads: int
    ) -> None:
        super().__init__()
        layers = []
        for channels, filters in ((1, 8), (8, 16), (16, 32)):
            layers.append(nn.Conv2d(channels, filters, 3, stride=2, bias=False))
            layers += [nn.BatchNorm2d(filters, eps=1e-3, momentum=0.01), nn.ReLU()]  # as in Keras
        self.features = nn.Sequential(*layers, nn.Flatten())
        features = 32 * 2 * 2  # the sides of an image: 28, 13, 6, 2
        cells = classes * images_per_class
        self.cell = QueueMemoryCell(features + classes, lstm_dim, cells, cell_size, read_heads)
        self.output = nn.Linear(self.cell.output_size, lstm_dim)
        self.classifier = nn.Linear(lstm_dim, classes)
        for layer in (*layers[::3], self.output, self.classifier):
            nn.init.xavier_uniform_(layer.weight)
        for layer in (self.output, self.classifier):
            nn.init.zeros_(layer.bias)
        self.features.to(memory_format=torch.channels_last)  # a quarter off the convolutions' time

    def forward(self, images: torch.Tensor, previous: torch.Tensor) -> torch.Tensor:
        """Name every image of B episodes of T steps.

        Only the cell goes step by step. What is before it and after it is done for all B·T
        images at once.

        Args:
            images: float32 [B, T, 784], ink 1.
            previous: float32 [B, T, N], the one-hot label of the step before, zeros at first.

        Returns:
            logits float32 [B, T, N].
        """
        features = self.features(images.view(-1, 1, SIDE, SIDE)).view(*images.shape[:2], -1)
        drive = self.cell.from_input(torch.cat([features, previous], dim=2))
        outputs, _ = unroll(self.cell.step, drive, self.cell.zero_state(len(images)))
        return self.classifier(self.output(outputs).tanh())


class Metrics:
    """Loss and accuracy over an epoch.

    Args:
        images_per_class: of an episode.
    """

    def __init__(self, images_per_class: int) -> None:
        self.loss = 0.0
        self.right = torch.zeros(images_per_class, dtype=torch.int64)
        self.characters = 0

    def add(self, loss: torch.Tensor, logits: torch.Tensor, targets: torch.Tensor) -> None:
        """Count a batch: its mean loss, logits [B, T, N] and targets int64 [B, T]."""
        right = logits.argmax(dim=2) == targets
        # Sorted by class and otherwise in order: the images of one character after the other.
        order = targets.argsort(dim=1, stable=True)
        by_instance = right.gather(1, order).view(-1, len(self.right))
        self.right += by_instance.sum(dim=0)
        self.characters += len(by_instance)
        self.loss += loss.item() * len(by_instance)

    def result(self) -> dict[str, float]:
        """`loss`, `acc`, and `accN`, the accuracy at the Nth image of a character."""
        accuracies = [right / self.characters for right in self.right.tolist()]
        return {
            "loss": self.loss / self.characters,
            "acc": sum(accuracies) / len(accuracies),
            **{f"acc{i}": accuracies[i - 1] for i in INSTANCES if i <= len(accuracies)},
        }


class Experiment:
    """A model, its optimizer and its episodes, which can be saved after any epoch.

    Args:
        options: of the command line.

    Raises:
        DataError: there are no such images, or the options ask for more than there are.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        store = soften(Store.load(options.data))
        known = quarter_turns(store, store.split("lake", "train"))
        everybody = torch.arange(len(known.characters))
        self.train = Episodes(known, everybody, options.classes, seed=options.seed)
        new = store.split("lake", "test")
        self.test = Episodes(store, new, options.classes, seed=options.seed)
        self.test.sequences(1, options.images_per_class)  # too many are refused now
        torch.manual_seed(options.seed)
        self.model = Model(
            options.classes,
            options.images_per_class,
            options.lstm_dim,
            options.cell_size,
            options.read_heads,
        )
        self.optimizer = torch.optim.Adam(self.model.parameters(), fused=True)
        self.history: list[dict[str, float]] = []

    def batches(self, episodes: Episodes, count: int) -> Iterator[tuple[torch.Tensor, ...]]:
        """`count` episodes in batches, the last of which may be smaller."""
        for done in range(0, count, self.options.batch_size):
            size = min(self.options.batch_size, count - done)
            yield episodes.sequences(size, self.options.images_per_class)

    def epoch(self, progress: tqdm) -> None:
        """Train on new episodes, measure on the same test episodes as ever; add to the history."""
        metrics = Metrics(self.options.images_per_class)
        self.model.train()
        for images, previous, targets in self.batches(self.train, self.options.train_episodes):
            logits = self.model(images, previous)
            loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten())
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            metrics.add(loss, logits.detach(), targets)
            progress.update(len(images))
        result = metrics.result()
        for name, value in self.evaluate(progress).items():
            result[f"val_{name}"] = value
        self.history.append(result)

    @torch.no_grad()
    def evaluate(self, progress: tqdm) -> dict[str, float]:
        """Loss and accuracy on the test episodes."""
        # Not the training's seed: no order of labels should be known from there.
        self.test.generator.manual_seed(self.options.seed + 1)
        metrics = Metrics(self.options.images_per_class)
        self.model.eval()
        for images, previous, targets in self.batches(self.test, self.options.test_episodes):
            logits = self.model(images, previous)
            metrics.add(F.cross_entropy(logits.flatten(0, 1), targets.flatten()), logits, targets)
            progress.update(len(images))
        return metrics.result()


def settings_of(options: argparse.Namespace) -> dict[str, int | str]:
    """What must be the same for a run to go on."""
    return {name: vars(options)[name] for name in SETTINGS} | {"data": options.data.resolve().name}


def name_of(options: argparse.Namespace, defaults: argparse.Namespace) -> str:
    """The settings that are not at their default, as in `classes=2,seed=7`."""
    usual = settings_of(defaults)
    changed = {name: at for name, at in settings_of(options).items() if at != usual[name]}
    return ",".join(f"{name}={at}" for name, at in changed.items()) or "default"


def line(epoch: int, epochs: int, result: dict[str, float]) -> str:
    """The log line of an epoch, `Epoch  1/50 loss: 0.5964 - acc: 0.6422 - …`."""
    numbers = " - ".join(f"{name}: {value:.4f}" for name, value in result.items())
    return f"Epoch {epoch:>{len(str(epochs))}}/{epochs} {numbers}"


def learn(options: argparse.Namespace) -> int:
    """Train from where the run stands to its last epoch; a line for every epoch.

    Raises:
        CommandError: the checkpoint is damaged, of other settings, or cannot be written.
        DataError: as of `Experiment`.
    """
    torch.set_num_threads(options.threads)
    experiment = Experiment(options)
    checkpoint = Checkpoint(
        options.logdir / "checkpoint.pt",
        settings_of(options),
        experiment.model,
        experiment.optimizer,
        experiment.train.generator,
    )
    if found := checkpoint.restore():
        experiment.history = found["history"]
    history = experiment.history
    for epoch, result in enumerate(history[: options.epochs], start=1):
        print(line(epoch, options.epochs, result), flush=True)
    if len(history) >= options.epochs:
        return 0

    of_epoch = options.train_episodes + options.test_episodes
    # TensorBoard forgets what a killed run has logged but not saved.
    with (
        results_in(options.logdir),
        SummaryWriter(options.logdir, purge_step=len(history) + 1) as writer,
        tqdm(
            total=of_epoch * options.epochs,
            initial=of_epoch * len(history),
            unit="episode",
            leave=False,
            disable=not sys.stderr.isatty(),
        ) as progress,
    ):
        while len(history) < options.epochs:
            experiment.epoch(progress)
            with asked_to_stop() as stop:
                for name, value in history[-1].items():
                    writer.add_scalar(name, value, len(history))
                writer.flush()
                checkpoint.save(history=history)
            progress.clear()
            print(line(len(history), options.epochs, history[-1]), flush=True)
            if stop:
                raise KeyboardInterrupt
    return 0


def make_parser() -> Parser:
    """The command line."""
    parser = Parser(
        prog="python -m fewshot.experiments.learning_to_learn",
        description=__doc__.partition("\n")[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--batch_size", type=positive, default=16, help="episodes in a batch")
    add("--cell_size", type=positive, default=40, help="width of a cell of memory")
    add("--classes", type=positive, default=5, help="characters in an episode")
    add("--epochs", type=positive, default=20, help="with those of earlier runs")
    add("--images_per_class", type=positive, default=10, help="of an episode")
    add("--lstm_dim", type=positive, default=256, help="width of the controller")
    add("--read_heads", type=positive, default=1, help="of the memory")
    add("--seed", type=seed, default=42, help="of the weights and of the episodes")
    add("--test_episodes", type=positive, default=1000, help="measured after every epoch")
    add("--threads", type=positive, default=1, help="of PyTorch")
    add("--train_episodes", type=positive, default=10000, help="new ones in every epoch")
    add("--data", type=Path, default=Path("omniglot_resized"), metavar="FOLDER", help="of images")
    add(
        "--logdir",
        type=Path,
        default=argparse.SUPPRESS,
        metavar="FOLDER",
        help="of checkpoint and curves; a run goes on where it stands there "
        "(default: runs/learning_to_learn/ and the options that are not at their default)",
    )
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run the command line.

    Returns:
        The exit status: 0, 2 for what cannot be used, 130 for Ctrl-C.
    """
    parser = make_parser()
    options = parser.parse_args(arguments)
    if "logdir" not in options:
        options.logdir = Path("runs/learning_to_learn", name_of(options, parser.parse_args([])))
    return run(lambda: learn(options), (CommandError, DataError))


if __name__ == "__main__":
    sys.exit(main())
