"""`python -m fewshot.experiments.maml_sinusoid`: MAML learns a sinusoid from a few of its points.

Each task is a wave of its own. From the weights that MAML finds, five steps of gradient descent on
ten points give a whole wave, where training from random weights on the same points gives a curve
through the points (Finn et al., 2017, section 5.1). docs/optimization.md has the results.
"""

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass

import matplotlib as mpl
import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from torch import nn
from torch.func import functional_call, stack_module_state, vmap
from tqdm import tqdm

from fewshot.analysis.figures import LINES
from fewshot.commands import CommandError, results_in, run
from fewshot.experiments.sinusoids import (
    STYLE,
    TEST_POINTS,
    TEST_TASKS,
    Waves,
    command_line,
    examples,
    interval,
    train,
)
from fewshot.intervals import half_interval
from fewshot.learners.optimization.maml import Weights, adapt

TEST_STEPS = 5
SHOWN_STEPS = 10
EXAM = 9  # seed of the test tasks
TUNING = 8  # seed of those on which training from scratch is tuned
TUNING_TASKS = 200
SCRATCH = {"Adam": (3e-3, 1e-2, 3e-2, 1e-1), "SGD": (1e-2, 3e-2, 1e-1)}  # learning rates
SCRATCH_STEPS = 5000  # and these: the best of them is inside
LOOK_EVERY = 10  # steps from scratch, to see where it is best to stop


@dataclass(frozen=True)
class Preset:
    """Tasks, a network, and how it learns."""

    waves: Waves
    hidden: int
    shots: int
    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]  # inner and outer
    inner_steps: int  # in training
    inner_rate: float
    batch: int  # tasks of an iteration
    optimizer: Callable[..., torch.optim.Optimizer]  # outer
    iterations: int


PRESETS = {
    # The paper trains with one inner step; five, as many as are taken in the test, learn better.
    "paper": Preset(
        Waves((0.1, 5.0), (0.0, math.pi), 5.0),
        hidden=40,
        shots=10,
        loss=F.mse_loss,
        inner_steps=TEST_STEPS,
        inner_rate=0.01,
        batch=25,
        optimizer=lambda weights: torch.optim.Adam(weights, 2e-3, fused=True),
        iterations=20_000,
    ),
    # "Hands-On One-shot Learning with Python": sin(x) and sin(x + π) are all the tasks there are.
    "book": Preset(
        Waves((1.0, 1.0), (0.0, math.pi), 2 * math.pi, two=True),
        hidden=32,
        shots=4,
        loss=F.l1_loss,
        inner_steps=TEST_STEPS,
        inner_rate=0.03,
        batch=1,
        optimizer=lambda weights: torch.optim.SGD(weights, 0.01),
        iterations=100_000,
    ),
}


def network(hidden: int) -> nn.Sequential:
    """1 → hidden → hidden → 1 with ReLU."""
    return nn.Sequential(
        nn.Linear(1, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, 1)
    )


def adapted(
    net: nn.Module, preset: Preset, x: torch.Tensor, y: torch.Tensor, steps: int
) -> Weights:
    """The weights after inner steps on one task's points, x and y [shots, 1]."""
    return adapt(
        lambda weights: preset.loss(functional_call(net, weights, (x,)), y),
        dict(net.named_parameters()),
        steps,
        preset.inner_rate,
    )


def meta_loss(net: nn.Module, preset: Preset, generator: torch.Generator) -> torch.Tensor:
    """The mean loss after adapting, on as many new points of each task as it adapted to."""

    def of_task(x, y, query, answer):
        weights = adapted(net, preset, x, y, preset.inner_steps)
        return preset.loss(functional_call(net, weights, (query,)), answer)

    batch = preset.waves.batch(preset.batch, preset.shots, preset.shots, generator)
    return vmap(of_task)(*batch).mean()


@torch.no_grad()
def maml_errors(net: nn.Module, preset: Preset, batch: tuple, steps: int) -> torch.Tensor:
    """Each task's mean squared error after inner steps, [tasks]; `batch` as of `Waves.batch`."""

    def of_task(x, y, query, answer):
        weights = adapted(net, preset, x, y, steps)
        return F.mse_loss(functional_call(net, weights, (query,)), answer)

    return vmap(of_task)(*batch)


def from_scratch(
    preset: Preset, batch: tuple, optimizer: str, rate: float, steps: int
) -> tuple[torch.Tensor, Weights]:
    """Train a new network on each task's support points, all at once.

    Args:
        preset: of the network.
        batch: as of `Waves.batch`.
        optimizer: a name of `torch.optim`.
        rate: its learning rate.
        steps: how many, each on all points; a multiple of `LOOK_EVERY`.

    Returns:
        each task's mean squared error on its query points at the start and after every
        `LOOK_EVERY` steps, [looks, tasks]; and the weights at the end, [tasks, ...] each.
    """
    x, y, query, answer = batch
    torch.manual_seed(EXAM)
    nets = [network(preset.hidden) for _ in x]
    weights, _ = stack_module_state(nets)
    # One optimizer for all: it treats each weight by itself, so tasks have nothing to do with
    # each other.
    optimizer = getattr(torch.optim, optimizer)(weights.values(), rate)
    run_all = vmap(lambda weights, x: functional_call(nets[0], weights, (x,)))
    errors = []
    for step in range(steps + 1):
        if step % LOOK_EVERY == 0:
            with torch.no_grad():
                errors.append((run_all(weights, query) - answer).square().mean((1, 2)))
        if step < steps:
            loss = (run_all(weights, x) - y).square().mean((1, 2)).sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return torch.stack(errors), {name: weight.detach() for name, weight in weights.items()}


def tune(preset: Preset) -> tuple[str, float, int]:
    """The optimizer, rate and number of steps with the least error on tasks for that purpose."""
    generator = torch.Generator().manual_seed(TUNING)
    batch = preset.waves.batch(TUNING_TASKS, preset.shots, TEST_POINTS, generator)
    best = {}
    choices = [(name, rate) for name, rates in SCRATCH.items() for rate in rates]
    for choice in tqdm(choices, desc="training from scratch", unit="setting", leave=False):
        errors = from_scratch(preset, batch, *choice, SCRATCH_STEPS)[0].mean(dim=1).nan_to_num(1e9)
        best[*choice, errors.argmin().item() * LOOK_EVERY] = errors.min().item()
    return min(best, key=best.get)


def report(net: nn.Module, preset: Preset, options) -> None:
    """Print and draw what five steps from MAML's weights give, beside training from scratch."""
    generator = torch.Generator().manual_seed(EXAM)
    batch = preset.waves.batch(TEST_TASKS, preset.shots, TEST_POINTS, generator)
    by_step = [maml_errors(net, preset, batch, steps) for steps in range(SHOWN_STEPS + 1)]
    choice = tune(preset)
    errors, weights = from_scratch(preset, batch, *choice)
    scratch = errors[-1]
    lines = [f"Mean squared error on {TEST_POINTS} new points of {TEST_TASKS:,} test tasks,"]
    lines += [f"with {preset.shots} points to learn from, and its 95 % interval:"]
    for steps in (0, 1, TEST_STEPS, SHOWN_STEPS):
        lines.append(f"  MAML, {steps} steps: {interval(by_step[steps])}")
    optimizer, rate, steps = choice
    lines.append(f"  from scratch, {steps} steps of {optimizer} {rate:g}: {interval(scratch)}")
    lines.append(
        f"  the ratio of MAML after {TEST_STEPS} steps to scratch: "
        f"{(by_step[TEST_STEPS].mean() / scratch.mean()).item():.3f}"
    )
    print("\n".join(lines))
    (options.out / "report.txt").write_text("\n".join(lines) + "\n")
    file = options.out / "maml_sinusoid.png"
    picture(net, preset, by_step, (scratch, weights, choice), file)
    print("Figure:", file)


@torch.no_grad()
def picture(
    net: nn.Module, preset: Preset, by_step: list[torch.Tensor], scratch: tuple, file
) -> None:
    """Draw two test tasks, and the error against the number of inner steps."""
    errors, scratch_weights, (optimizer, _, scratch_steps) = scratch
    generator = torch.Generator().manual_seed(EXAM)
    amplitudes, phases = preset.waves.draw(TEST_TASKS, generator)
    x = preset.waves.points(TEST_TASKS, preset.shots + TEST_POINTS, generator)[:, : preset.shots]
    y = amplitudes * torch.sin(x - phases)
    line = torch.linspace(-preset.waves.reach, preset.waves.reach, 400)[:, None]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9.6, 3.6))
        *tasks, steps = figure.subplots(1, 3)
        for axes, task in zip(tasks, examples(amplitudes, phases), strict=True):
            amplitude, phase = amplitudes[task].item(), phases[task].item()
            wave = amplitude * torch.sin(line - phase)
            axes.plot(line, wave, color="#aaaaaa", linewidth=4, label="the wave")
            curves = {
                "before": dict(net.named_parameters()),
                f"after {TEST_STEPS} steps": adapted(net, preset, x[task], y[task], TEST_STEPS),
                f"from scratch, {scratch_steps} steps of {optimizer}": {
                    name: weight[task] for name, weight in scratch_weights.items()
                },
            }
            styles = (LINES[2], LINES[0], LINES[1])
            for (label, weights), (color, dashes) in zip(curves.items(), styles, strict=True):
                at = functional_call(net, weights, (line,))
                axes.plot(line, at, color=color, linestyle=dashes, label=label)
            axes.plot(x[task], y[task], "ko", markersize=4, label="the points given")
            axes.set_title(f"amplitude {amplitude:.2f}, phase {phase:.2f}")
            axes.set_xlabel("x")
        tasks[0].set_ylabel("y")
        mean = torch.tensor([errors.mean() for errors in by_step])
        half = torch.tensor([half_interval(errors) for errors in by_step])
        color, dashes = LINES[0]
        steps.plot(mean, color=color, linestyle=dashes, marker="o", markersize=3)
        steps.fill_between(range(len(mean)), mean - half, mean + half, color=color, alpha=0.18)
        color, dashes = LINES[1]
        steps.axhline(errors.mean(), color=color, linestyle=dashes)
        steps.set_yscale("log")
        steps.yaxis.set_major_locator(mpl.ticker.LogLocator(subs=(1, 2, 5)))
        steps.yaxis.set_major_formatter("{x:.3g}")
        steps.yaxis.set_minor_formatter(mpl.ticker.NullFormatter())
        steps.set_title(f"{TEST_TASKS:,} test tasks, with the 95 % interval")
        steps.set_xlabel("inner steps")
        steps.set_ylabel("mean squared error")
        figure.legend(*tasks[0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
        figure.savefig(file)


def main(arguments: list[str] | None = None) -> int:
    """Train, examine and draw; the exit status is 2 or 130 after one line of what went wrong."""
    options = command_line(
        "maml_sinusoid", "MAML learns a sinusoid from a few of its points.", PRESETS, arguments
    )

    def command() -> int:
        torch.set_num_threads(1)  # steps are too small to share
        torch.manual_seed(options.seed)
        preset = PRESETS[options.preset]
        net = network(preset.hidden)
        with results_in(options.out):
            train(
                net,
                preset.optimizer(net.parameters()),
                lambda generator: meta_loss(net, preset, generator),
                options,
            )
            report(net, preset, options)
        return 0

    return run(command, (CommandError,))


if __name__ == "__main__":
    sys.exit(main())
