"""What the experiments on sinusoids share: tasks, and training that can be stopped and resumed."""

import argparse
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from tqdm import tqdm

from fewshot.analysis.figures import STYLE
from fewshot.checkpoint import Checkpoint
from fewshot.commands import CommandError, Parser, positive, seed
from fewshot.intervals import half_interval

LOG_EVERY = 500  # iterations; every log line is a checkpoint as well
CLIP = 10.0  # of the meta-gradient's norm: a rare task has one a hundred times the usual
TEST_TASKS = 1000
TEST_POINTS = 100  # of each, new ones
STYLE = STYLE | {"axes.titlesize": 9}


@dataclass(frozen=True)
class Waves:
    """Tasks y = A sin(x - phase), each with an amplitude and a phase of its own.

    Attributes:
        amplitudes: the lowest and the highest; uniform between them.
        phases: the lowest and the highest, uniform between them, or with `two` one of both.
        reach: x is uniform in [-reach, reach].
        two: whether there are no phases but the two.
    """

    amplitudes: tuple[float, float]
    phases: tuple[float, float]
    reach: float
    two: bool = False

    def draw(self, tasks: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """The amplitudes and the phases of some tasks, float32 [tasks, 1, 1] each."""
        uniform = torch.rand(2, tasks, 1, 1, generator=generator)
        if self.two:
            uniform[1] = uniform[1].round()
        ranges = torch.tensor([self.amplitudes, self.phases])[..., None, None, None]
        amplitude, phase = ranges[:, 0] + (ranges[:, 1] - ranges[:, 0]) * uniform
        return amplitude, phase

    def points(self, tasks: int, count: int, generator: torch.Generator) -> torch.Tensor:
        """Where the waves are seen: x, float32 [tasks, count, 1]."""
        return (2 * torch.rand(tasks, count, 1, generator=generator) - 1) * self.reach

    def batch(
        self, tasks: int, shots: int, queries: int, generator: torch.Generator
    ) -> tuple[torch.Tensor, ...]:
        """Support x and y, float32 [tasks, shots, 1]; query x and y, [tasks, queries, 1]."""
        amplitude, phase = self.draw(tasks, generator)
        x = self.points(tasks, shots + queries, generator)
        y = amplitude * torch.sin(x - phase)
        return x[:, :shots], y[:, :shots], x[:, shots:], y[:, shots:]


def train(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    loss: Callable[[torch.Generator], torch.Tensor],
    options: argparse.Namespace,
) -> None:
    """Train from where the last run has saved; save and log on the way.

    The learning rate falls to 0 along a cosine.

    Args:
        model: what is trained; it ends as trained.
        optimizer: of its parameters, in one group.
        loss: draws tasks with the generator given and returns the meta-loss, a scalar.
        options: the command line, with `preset`, `iterations`, `seed` and `out`.

    Raises:
        CommandError: the checkpoint is of other settings, or the loss is no number any more.
    """
    generator = torch.Generator().manual_seed(options.seed)
    rate = optimizer.param_groups[0]["lr"]
    settings = {name: getattr(options, name) for name in ("preset", "iterations", "seed")}
    done, lines, losses = 0, [], []
    file = options.out / "checkpoint.pt"
    checkpoint = Checkpoint(file, settings, model, optimizer, generator)
    if found := checkpoint.restore():
        done, lines = found["done"], found["lines"]
        print(f"Going on after {done:,} iterations.", flush=True)
    with tqdm(total=options.iterations, initial=done, unit="iteration", leave=False) as bar:
        while done < options.iterations:
            optimizer.param_groups[0]["lr"] = (
                rate * (1 + math.cos(math.pi * done / options.iterations)) / 2
            )
            value = loss(generator)
            optimizer.zero_grad()
            value.backward()
            nn.utils.clip_grad_norm_(model.parameters(), CLIP)
            optimizer.step()
            losses.append(value.item())
            if not math.isfinite(losses[-1]):
                raise CommandError(
                    f"The loss became {losses[-1]} after {done:,} iterations: try another --seed, "
                    "in another folder."
                )
            done += 1
            bar.update()
            if done % LOG_EVERY == 0 or done == options.iterations:
                lines.append(f"{done:,} iterations: loss {sum(losses) / len(losses):.4f}")
                losses = []
                bar.write(lines[-1], file=sys.stdout)
                sys.stdout.flush()
                (options.out / "log.txt").write_text("\n".join(lines) + "\n")
                checkpoint.save(done=done, lines=lines)


def interval(errors: torch.Tensor) -> str:
    """The mean over tasks with its 95 % interval, in words; `errors` is [tasks]."""
    return f"{errors.mean():.4f} ± {half_interval(errors):.4f}"


def examples(amplitudes: torch.Tensor, phases: torch.Tensor) -> list[int]:
    """Two test tasks to draw: the first, and the first after it of quite another phase."""
    far = ((phases - phases[0]).abs() > 1).flatten() & (amplitudes > 0.9).flatten()
    return [0, int(far.nonzero()[0])]


def command_line(
    name: str, description: str, presets: dict, arguments: list[str] | None
) -> argparse.Namespace:
    """The options of an experiment on sinusoids.

    Args:
        name: of the experiment's module.
        description: a sentence.
        presets: by name, the first of which is the default; each has `iterations`.
        arguments: of the command; the process's own if None.
    """
    parser = Parser(
        prog=f"python -m fewshot.experiments.{name}",
        description=description,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--preset", choices=presets, default=next(iter(presets)), help="whose tasks and sizes")
    counts = ", ".join(f"{preset.iterations:,} of {name}" for name, preset in presets.items())
    add(
        "--iterations",
        type=positive,
        default=argparse.SUPPRESS,
        metavar="N",
        help=f"of the training, along which the learning rate falls to 0 (default: {counts})",
    )
    add("--seed", type=seed, default=1, help="of the weights and of the tasks")
    add(
        "--out",
        type=Path,
        default=argparse.SUPPRESS,
        metavar="FOLDER",
        help=f"of checkpoint, log and figure (default: runs/{name}_PRESET)",
    )
    options = parser.parse_args(arguments)
    if "iterations" not in options:
        options.iterations = presets[options.preset].iterations
    if "out" not in options:
        options.out = Path("runs") / f"{name}_{options.preset}"
    return options
