"""`python -m fewshot.experiments.learned_optimizer`: an LSTM learns to minimize quadratics.

Andrychowicz et al. 2016 ("Learning to learn by gradient descent by gradient descent", section
3.1): ten-dimensional functions f(θ) = ‖Wθ - y‖² with W and y drawn from a standard normal
distribution. The optimizer is learned on ever new ones, by the sum of what f becomes over its
steps, and of the optimizers along the way the one that ends lowest on validation quadratics is
kept, as in the paper. It is compared with hand-made ones whose rate is tuned, on others.
"""

import argparse
import copy
import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import torch
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator
from torch import nn
from tqdm import tqdm

from fewshot.analysis.figures import STYLE
from fewshot.checkpoint import Checkpoint
from fewshot.commands import CommandError, Parser, positive, results_in, run, seed
from fewshot.intervals import half_interval
from fewshot.learners.learner import cosine
from fewshot.learners.optimization.learned_optimizer import LearnedOptimizer, State, TwoLSTMs

DIMENSIONS = 10
STEPS = 100
UNROLL = 20  # steps that a gradient goes through
BATCH = 64  # quadratics at a time
RATE = 3e-3  # of the Adam that learns; it falls to 0 along a cosine
CLIP = 1.0  # of the norm of its gradient
SAVE_EVERY = 10  # batches
VALIDATED_ON, TUNED_ON, HELD_OUT = 500, 1000, 2000  # quadratics

LEARNED = {"LSTM": LearnedOptimizer, "LSTM, second LSTM over θ": TwoLSTMs}
HAND_MADE: dict[str, Callable] = {
    "SGD": lambda theta, rate: torch.optim.SGD([theta], rate),
    "Nesterov": lambda theta, rate: torch.optim.SGD([theta], rate, momentum=0.9, nesterov=True),
    "RMSprop": lambda theta, rate: torch.optim.RMSprop([theta], rate),
    "Adam": lambda theta, rate: torch.optim.Adam([theta], rate),
}
GRID = [10 ** (exponent / 6) for exponent in range(-24, 5)]  # rates from 1e-4 to 4.6
LINES = {  # different in hue, in lightness and in dashes
    "SGD": ("#999999", ":"),
    "Nesterov": ("#ddaa33", (0, (4, 1, 1, 1))),
    "RMSprop": ("#66ccee", (0, (1, 1))),
    "Adam": ("#bb5566", "--"),
    "LSTM": ("#004488", "-"),
    "LSTM, second LSTM over θ": ("#228833", (0, (6, 1))),
}


@dataclass(frozen=True)
class Quadratics:
    """B functions of their own parameters: W [B, D, D] and y [B, D]."""

    W: torch.Tensor
    y: torch.Tensor

    @classmethod
    def draw(cls, count: int, generator: torch.Generator) -> "Quadratics":
        """Random ones."""
        W = torch.randn(count, DIMENSIONS, DIMENSIONS, generator=generator)
        return cls(W, torch.randn(count, DIMENSIONS, generator=generator))

    def __call__(self, theta: torch.Tensor) -> torch.Tensor:
        """f(θ): [B, D] → [B]."""
        return self._residual(theta).square().sum(dim=1)

    def gradient(self, theta: torch.Tensor) -> torch.Tensor:
        """∇f(θ): [B, D] → [B, D]."""
        return 2 * torch.einsum("bij,bi->bj", self.W, self._residual(theta))

    def _residual(self, theta: torch.Tensor) -> torch.Tensor:
        return torch.einsum("bij,bj->bi", self.W, theta) - self.y


def unroll(
    optimizer: LearnedOptimizer,
    functions: Quadratics,
    theta: torch.Tensor,
    state: State,
    steps: int,
) -> tuple[torch.Tensor, torch.Tensor, State]:
    """Let the optimizer take some steps.

    Returns:
        f(θ_1) … f(θ_steps), [steps, B]; θ and the state after them.
    """
    values = []
    for _ in range(steps):
        theta, state = optimizer(theta, functions.gradient(theta), state)
        values.append(functions(theta))
    return torch.stack(values), theta, state


def learn(
    model: LearnedOptimizer, meta: torch.optim.Optimizer, functions: Quadratics
) -> torch.Tensor:
    """Minimize a batch of quadratics, and learn after each 20 steps of it; the values [100, B]."""
    theta, state = begin(model, len(functions.y))
    values = []
    for _ in range(STEPS // UNROLL):
        theta, state = theta.detach(), tuple(part.detach() for part in state)
        some, theta, state = unroll(model, functions, theta, state, UNROLL)
        meta.zero_grad()
        some.mean(dim=1).sum().backward()
        nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        meta.step()
        values.append(some.detach())
    return torch.cat(values)


@torch.no_grad()
def run_on(model: LearnedOptimizer, functions: Quadratics) -> torch.Tensor:
    """The values of a learned optimizer from θ_0 on: [1 + STEPS, B]."""
    theta, state = begin(model, len(functions.y))
    values, _, _ = unroll(model, functions, theta, state, STEPS)
    return torch.cat([functions(theta)[None], values])


def begin(model: LearnedOptimizer, count: int) -> tuple[torch.Tensor, State]:
    """θ_0 = 0 for so many quadratics, and the state before the first step."""
    return torch.zeros(count, DIMENSIONS), model.zero_state(count * DIMENSIONS)


def train(name: str, options: argparse.Namespace) -> LearnedOptimizer:
    """Train one kind, from where the last run has saved it; the best on the way."""
    torch.manual_seed(options.seed)
    model = LEARNED[name]()
    meta = torch.optim.Adam(model.parameters(), RATE)
    generator = torch.Generator().manual_seed(options.seed)
    validation = Quadratics.draw(VALIDATED_ON, torch.Generator().manual_seed(5_000 + options.seed))
    settings = {"batches": options.batches, "seed": options.seed}
    file = options.out / f"{LEARNED[name].__name__}.pt"
    checkpoint = Checkpoint(file, settings, model, meta, generator)
    done, best, least = 0, copy.deepcopy(model.state_dict()), math.inf
    if found := checkpoint.restore():
        done, best, least = found["done"], found["best"], found["least"]
        print(f"{name}: going on after {done:,} batches.", flush=True)
    with tqdm(total=options.batches, initial=done, desc=name, unit="batch") as bar:
        while done < options.batches:
            meta.param_groups[0]["lr"] = RATE * cosine(done / options.batches)
            learn(model, meta, Quadratics.draw(BATCH, generator))
            done += 1
            bar.update()
            if done % SAVE_EVERY == 0 or done == options.batches:
                end = run_on(model, validation)[-1].mean().item()
                if end < least:
                    best, least = copy.deepcopy(model.state_dict()), end
                bar.set_postfix_str(f"f after {STEPS} steps {end:.3f}, at best {least:.3f}")
                checkpoint.save(done=done, best=best, least=least)
    model.load_state_dict(best)
    return model


def descend(make: Callable, rate: float, functions: Quadratics) -> torch.Tensor:
    """The values of a hand-made optimizer: [1 + STEPS, B]; one serves all, since its rule is
    for each coordinate by itself."""
    theta = torch.zeros_like(functions.y)
    optimizer = make(theta, rate)
    values = [functions(theta)]
    for _ in range(STEPS):
        theta.grad = functions.gradient(theta)
        optimizer.step()
        values.append(functions(theta))
    return torch.stack(values)


def tune(make: Callable, functions: Quadratics) -> float:
    """The rate of the grid whose mean value after the last step is least."""
    ends = torch.tensor([descend(make, rate, functions)[-1].mean() for rate in GRID])
    return GRID[int(ends.nan_to_num(math.inf).argmin())]


def compare(
    learned: dict[str, LearnedOptimizer], seed: int
) -> Iterator[tuple[str, float | None, torch.Tensor]]:
    """Every optimizer's name, its rate if it has one, and its values on held-out quadratics."""
    generator = torch.Generator().manual_seed(10_000 + seed)
    training = Quadratics.draw(TUNED_ON, generator)
    held_out = Quadratics.draw(HELD_OUT, generator)
    for name, make in tqdm(HAND_MADE.items(), "tuning", unit="optimizer"):
        rate = tune(make, training)
        yield name, rate, descend(make, rate, held_out)
    for name, model in learned.items():
        yield name, None, run_on(model, held_out)


def interval(values: torch.Tensor) -> str:
    """A mean with its 95 % interval."""
    return f"{values.mean():.3f} ± {half_interval(values):.3f}"


def report(learned: dict[str, LearnedOptimizer], options: argparse.Namespace) -> None:
    """Print the table, keep it, and draw the curves."""
    results = list(compare(learned, options.seed))
    values = {name: curve for name, _, curve in results}
    lines = [
        f"f after {STEPS} steps on {HELD_OUT:,} held-out quadratics, mean with its 95 % interval;",
        f"rates are the best of {len(GRID)} on {TUNED_ON:,} others:",
        "",
        "| optimizer | rate | f at the end | more than Adam, pairwise | median |",
        "|---|--:|--:|--:|--:|",
    ]
    for name, rate, curve in results:
        end = curve[-1]
        lines.append(
            f"| {name} | {'' if rate is None else f'{rate:.2g}'} | {interval(end)} "
            f"| {'' if name == 'Adam' else interval(end - values['Adam'][-1])} "
            f"| {end.median():.4f} |"
        )
    print("\n".join(lines))
    (options.out / "table.md").write_text("\n".join(lines) + "\n")
    print("Picture:", picture(values, options.out / "learned_optimizer.png"))


def picture(values: dict[str, torch.Tensor], file: Path) -> Path:
    """Draw mean values over the steps, with their 95 % interval as a band."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(7.2, 4))
        axes = figure.subplots()
        for name, curve in values.items():
            color, dashes = LINES[name]
            mean, half = curve.mean(dim=1), half_interval(curve.T)
            axes.plot(mean, color=color, linestyle=dashes, label=name)
            axes.fill_between(
                range(len(mean)), mean - half, mean + half, color=color, alpha=0.15, lw=0
            )
        axes.set_yscale("log", subs=[])
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.set_xlim(0, STEPS)
        axes.set_xlabel("step of the optimizer")
        axes.set_ylabel(f"f, mean of {HELD_OUT:,} held-out quadratics")
        axes.set_title("Learned and hand-made optimizers", fontweight="bold")
        figure.legend(loc="outside right center")
        figure.savefig(file)
    return file


def main(argv: list[str] | None = None) -> int:
    """Train and compare; the exit status is 2 or 130 after one line of what went wrong."""
    parser = Parser(
        prog="python -m fewshot.experiments.learned_optimizer",
        description="Two LSTMs learn to minimize quadratics, against tuned SGD and Adam.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--batches", type=positive, default=200, metavar="N", help=f"of {BATCH} quadratics each")
    add("--seed", type=seed, default=1, help="of the weights and of the quadratics")
    add(
        "--out",
        type=Path,
        default=Path("runs/learned_optimizer"),
        metavar="FOLDER",
        help="of checkpoints and results",
    )
    options = parser.parse_args(argv)

    def command() -> int:
        torch.set_num_threads(1)  # steps are too small to share
        with results_in(options.out):
            report({name: train(name, options) for name in LEARNED}, options)
        return 0

    return run(command, (CommandError,))


if __name__ == "__main__":
    sys.exit(main())
