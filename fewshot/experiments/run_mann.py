"""`python -m fewshot.experiments.run_mann`: name characters in a sequence, from memory.

The task and the network of Santoro et al. 2016, "Meta-learning with memory-augmented neural
networks": 5 characters, 10 images each, in random order; at every step the network sees an image
and the label of the image before, and names the label of this one. It can only guess a character
when it sees it for the first time. How often it is right at the 2nd, 3rd, … instance says how well
it has bound images to labels; the weights stay as they are.
"""

import argparse
import math
import os
import shutil
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from fewshot.checkpoint import Checkpoint, load
from fewshot.commands import (
    CommandError,
    Parser,
    above_zero,
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
from fewshot.experiments.run_mann_log import SHOWN, Log, draw
from fewshot.intervals import half_interval
from fewshot.learners.blackbox.lrua import MANNCell
from fewshot.learners.blackbox.unroll import unroll

SMALL = 20  # the side of an image, as in the paper
IMAGES = 20  # of a character
TURN = math.radians(10)  # with --augment, how far an image is turned at most
SHIFT = 0.1  # and moved, as a part of its side
MAX_NORM = 10  # of the gradient, in case of a bad batch
FALL = 0.2  # the part of the iterations, at the end, in which the learning rate falls to 0
LOG_EVERY = 100  # iterations
SAVE_EVERY = 1000  # iterations between two checkpoints, and two measurements on new characters
CURVE_EPISODES = 160  # behind each of those measurements
TEST_EPISODES = 1000  # behind the table of --mode test
TEST_BATCH = 100

REFERENCE = {  # percentages of others, for 5 characters of 10 images
    "LSTM, reference, N = 5": (24.4, 49.5, 55.3, 61.0, 63.6, 62.5),
    "MANN, reference, N = 5": (36.4, 82.8, 91.0, 92.6, 94.9, 98.1),
}

# The options that make a network another one, and those that make its training another.
CONTROLLER = ("num_classes", "controller_size")
MEMORY = ("num_reads", "memory_locations", "memory_word_size", "strength")
NETWORK = {"LSTM": CONTROLLER, "MANN": CONTROLLER + MEMORY}
TRAINING = ("num_samples", "batch_size", "learning_rate", "augment", "seed")


class MANN(nn.Module):
    """The cell, and a linear layer that reads the answer off its output."""

    def __init__(self, cell: MANNCell, num_classes: int) -> None:
        super().__init__()
        self.cell = cell
        self.answer = nn.Linear(cell.output_size, num_classes)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Sequences [B, T, inputs] → a logit for each class at each step, [B, T, N]."""
        state = self.cell.zero_state(len(inputs))
        # Of all steps at once, as it does not depend on the state: it saves a tenth of the time.
        drive = self.cell.from_input(inputs)
        return self.answer(unroll(self.cell.step, drive, state)[0])


class LSTM(nn.Module):
    """The controller alone: what is there to gain from a memory?"""

    def __init__(self, input_size: int, lstm_size: int, num_classes: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(input_size, lstm_size, batch_first=True)
        self.answer = nn.Linear(lstm_size, num_classes)
        for name, weight in self.lstm.named_parameters():  # as in MANNCell
            if "weight" in name:
                nn.init.xavier_uniform_(weight)
            else:
                nn.init.zeros_(weight)
        nn.init.ones_(self.lstm.bias_ih_l0[lstm_size : 2 * lstm_size].detach())

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Sequences [B, T, inputs] → a logit for each class at each step, [B, T, N]."""
        return self.answer(self.lstm(inputs)[0])


def make_network(options: argparse.Namespace) -> nn.Module:
    """The network of the options, with weights of its seed."""
    torch.manual_seed(options.seed)
    input_size = SMALL * SMALL + options.num_classes
    if options.model == "LSTM":
        return LSTM(input_size, options.controller_size, options.num_classes)
    cell = MANNCell(
        input_size,
        options.controller_size,
        options.memory_locations,
        options.memory_word_size,
        options.num_reads,
        strength=options.strength,
    )
    return MANN(cell, options.num_classes)


def shrink(store: Store) -> Store:
    """The same images at 20×20: every pixel is the mean of those of 28×28 that it touches."""
    images = store.images.view(*store.images.shape[:2], SIDE, SIDE).to(torch.float32)
    small = F.interpolate(images, size=SMALL, mode="area").round().to(torch.uint8)
    return Store(small.flatten(2), store.characters)


def wobble(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Turn and move every image a little: float32 [B, T, 400] → the same shape."""
    pictures = images.reshape(-1, 1, SMALL, SMALL)
    angle, right, down = 2 * torch.rand(3, len(pictures), generator=generator) - 1
    angle, right, down = TURN * angle, 2 * SHIFT * right, 2 * SHIFT * down  # a side has length 2
    rows = [angle.cos(), -angle.sin(), right, angle.sin(), angle.cos(), down]
    grid = F.affine_grid(torch.stack(rows, 1).view(-1, 2, 3), pictures.shape, align_corners=False)
    return F.grid_sample(pictures, grid, align_corners=False).view(images.shape)


def read(network: nn.Module, images: torch.Tensor, previous: torch.Tensor, targets: torch.Tensor):
    """Let a network read a batch of episodes.

    Args:
        images, previous, targets: what `Episodes.sequences` gives.

    Returns:
        The mean cross entropy over all steps, and for each episode the part of its characters
        that were named right at their 1st, 2nd, … instance, [B, images of a character].
    """
    logits = network(torch.cat([images, previous], dim=2))
    loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten())
    right = (logits.detach().argmax(dim=2) == targets).to(logits.dtype)
    classes = logits.shape[2]
    seen = F.one_hot(targets, classes).cumsum(dim=1)  # of each class, up to this step
    instance = seen.gather(2, targets[:, :, None])[:, :, 0] - 1
    counts = right.new_zeros(len(targets), targets.shape[1] // classes)
    return loss, counts.scatter_add_(1, instance, right) / classes


@torch.no_grad()
def evaluate(network: nn.Module, episodes: Episodes, num_samples: int, count: int):
    """The mean loss, and the accuracies of `read`, over `count` episodes."""
    losses, accuracies = [], []
    for start in range(0, count, TEST_BATCH):
        batch = min(TEST_BATCH, count - start)
        loss, accuracy = read(network, *episodes.sequences(batch, num_samples))
        losses.append(batch * loss)
        accuracies.append(accuracy)
    return torch.stack(losses).sum().item() / count, torch.cat(accuracies)


def draw_head(num_samples: int) -> str:
    """The head of the table, and what others have reached."""
    shown = [name for k, name in SHOWN.items() if k <= num_samples]
    lines = ["instance".ljust(24) + "".join(f"{name:>7}" for name in shown)]
    lines += [draw_row(name, numbers[: len(shown)]) for name, numbers in REFERENCE.items()]
    return "\n".join(lines)


def draw_row(name: str, percentages) -> str:
    """One row of the table."""
    return f"{name:24}" + "".join(f"{number:7.1f}" for number in percentages)


def pick(accuracies: torch.Tensor) -> list:
    """Of accuracies [images of a character], the percentages that the table shows."""
    return [100 * accuracies[k - 1].item() for k in SHOWN if k <= len(accuracies)]


def train(options: argparse.Namespace, store: Store) -> int:
    """Train a network, or go on where its checkpoint stands."""
    network = make_network(options)
    optimizer = torch.optim.Adam(network.parameters(), options.learning_rate, fused=True)
    episodes = known_characters(options, store)
    settings = {name: vars(options)[name] for name in (*NETWORK[options.model], *TRAINING)}
    checkpoint = Checkpoint(file_of(options), settings, network, optimizer, episodes.generator)
    start = checkpoint.restore().get("iteration", 0)
    measure = evaluate
    if options.compile:
        network.cell.step = torch.compile(network.cell.step)
        measure = torch.compiler.disable(evaluate)  # its batches have other sizes

    folder = options.log_dir / options.model
    with results_in(folder):
        seen = Log(folder, "train", options.num_samples, start, SAVE_EVERY)
        new = Log(folder, "test", options.num_samples, start, SAVE_EVERY)
    print(draw_head(options.num_samples))
    writer = SummaryWriter(folder, purge_step=start + 1)
    bar = tqdm(
        desc=options.model, unit="step", total=options.iterations, initial=start, mininterval=1
    )
    losses, accuracies = [], []
    with asked_to_stop() as stop, writer, bar:
        for iteration in range(start + 1, options.iterations + 1):
            if stop:
                raise KeyboardInterrupt
            rest = (options.iterations - iteration + 1) / options.iterations
            optimizer.param_groups[0]["lr"] = options.learning_rate * min(rest / FALL, 1)
            loss, accuracy = learn(network, optimizer, episodes, options)
            if not math.isfinite(loss):
                raise CommandError(
                    f"The loss became {loss} at iteration {iteration}: lower --learning-rate."
                )
            losses.append(loss)
            accuracies.append(accuracy)
            bar.update()
            last = iteration == options.iterations
            if iteration % LOG_EVERY == 0 or last:
                loss = sum(losses) / len(losses)
                seen.add(writer, iteration, loss, torch.cat(accuracies).mean(dim=0).tolist())
                bar.set_postfix(loss=f"{loss:.3f}", refresh=False)
                losses, accuracies = [], []
            if iteration % SAVE_EVERY == 0 or last:
                test_loss, right = measure(
                    network, new_characters(options, store), options.num_samples, CURVE_EPISODES
                )
                new.add(writer, iteration, test_loss, right.mean(dim=0).tolist())
                bar.write(draw_row(f"iteration {iteration:,}", pick(right.mean(dim=0))))
                checkpoint.save(iteration=iteration)
    print(f"The weights are in {checkpoint.path}. To measure them, add --mode test.")
    title = f"{options.model}, {options.num_classes} characters, labels drawn anew each episode"
    print("Picture:", draw(new.file, title, options.num_classes))
    return 0


def learn(network: nn.Module, optimizer, episodes: Episodes, options: argparse.Namespace):
    """One iteration on one batch; returns its loss as a number, and the accuracies of `read`."""
    images, previous, targets = episodes.sequences(options.batch_size, options.num_samples)
    if options.augment:
        images = wobble(images, episodes.generator)
    loss, accuracy = read(network, images, previous, targets)
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(network.parameters(), MAX_NORM)
    optimizer.step()
    return loss.item(), accuracy


def test(options: argparse.Namespace, store: Store) -> int:
    """Print the table of a trained network."""
    file = file_of(options)
    found = load(file, {name: vars(options)[name] for name in NETWORK[options.model]})
    if not found:
        raise CommandError(f"There is no {file}: train it first, with --mode train.")
    network = make_network(options)
    network.load_state_dict(found["model"])
    episodes = new_characters(options, store)
    _, right = evaluate(network, episodes, options.num_samples, TEST_EPISODES)
    print(draw_head(options.num_samples))
    print(draw_row(f"{options.model}, {found['iteration']:,} iterations", pick(right.mean(dim=0))))
    print(draw_row("95 % interval, ±", pick(half_interval(right))))
    print(f"Percent right, over {len(right):,} episodes of characters that were not trained on.")
    return 0


def known_characters(options: argparse.Namespace, store: Store) -> Episodes:
    """Episodes to train on, of the 964 characters of images_background."""
    characters = store.split("lake", "train")
    if options.augment:
        store = quarter_turns(store, characters)
        characters = torch.arange(len(store.characters))
    return Episodes(store, characters, options.num_classes, seed=options.seed)


def new_characters(options: argparse.Namespace, store: Store) -> Episodes:
    """Episodes to measure on, of the 659 of images_evaluation; the same ones at each call."""
    return Episodes(store, store.split("lake", "test"), options.num_classes, seed=0)


def file_of(options: argparse.Namespace) -> Path:
    """Where the network of the options is saved."""
    return options.save_dir / f"{options.model}.pt"


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The options; what cannot be used ends the program with one line."""
    parser = Parser(
        prog="python -m fewshot.experiments.run_mann",
        description="A memory-augmented network reads characters and labels one by one.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--mode", choices=["train", "test"], default="train")
    add("--model", choices=["MANN", "LSTM"], default="MANN")
    add("--batch-size", type=positive, default=16, help="episodes in a batch")
    add("--num-classes", type=positive, default=5, help="characters in an episode")
    add("--num-samples", type=positive, default=10, help=f"images of each, up to {IMAGES}")
    add("--num-reads", type=positive, default=4, help="heads, each reads and writes")
    add("--controller-size", type=positive, default=200, help="units of the LSTM")
    add("--memory-locations", type=positive, default=128, help="cells of the memory")
    add("--memory-word-size", type=positive, default=40, help="width of a cell")
    add("--learning-rate", type=above_zero, default=1e-3, help="of Adam; falls at the end")
    add("--iterations", type=positive, default=100000, help="batches, with those of earlier runs")
    add("--augment", action="store_true", help="turned characters are new ones; images wobble")
    add("--strength", action="store_true", help="learn how sharply the memory is read")
    add("--compile", action="store_true", help="steps of the MANN as C++, which is faster")
    add("--seed", type=seed, default=0, help="of the weights and of the episodes")
    add("--data", default="omniglot_resized", help="folder of the images")
    add("--save-dir", type=Path, default=Path("runs/mann"), help="for checkpoints")
    add("--log-dir", type=Path, default=Path("runs/mann"), help="for CSV and TensorBoard")
    options = parser.parse_args(arguments)
    if options.num_samples > IMAGES:
        parser.error(f"--num-samples must not be above {IMAGES}, the images of a character")
    if options.num_reads > options.memory_locations:
        parser.error("--num-reads must not be above --memory-locations")
    if options.compile and options.model != "MANN":
        parser.error("--compile is for the MANN: the LSTM is one call already")
    if options.compile and not shutil.which(os.environ.get("CXX", "g++")):
        parser.error("--compile needs a C++ compiler: install g++, or leave it out")
    return options


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit status."""
    options = parse(arguments)
    modes = {"train": train, "test": test}
    return run(
        lambda: modes[options.mode](options, shrink(soften(Store.load(options.data)))),
        (CommandError, DataError, OSError),
    )


if __name__ == "__main__":
    sys.exit(main())
