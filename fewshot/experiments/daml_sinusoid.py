"""`python -m fewshot.experiments.daml_sinusoid`: learning a wave by watching it, without labels.

Domain-adaptive meta-learning (Yu et al., 2018, "One-shot imitation from observing humans via
domain-adaptive meta-learning"): what to learn a task from has no labels, so the inner loss is
itself a network. It sees what goes on in the first network while that sees the observation:

    θ' = θ - α ∇_θ L_ψ(observation, θ)                        a few times
    θ, ψ ← a step down the mean over tasks of the loss of f_θ' on labelled points

After training, ψ knows which gradient teaches θ the task. docs/optimization.md has the results,
and says what is wrong with the book's tasks.
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
from torch.func import functional_call, vmap

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
from fewshot.learners.optimization.maml import adapt

INNER_STEPS = 5
EXAM = 9  # seed of the test tasks


class Watching:
    """Tasks to watch: points of a wave as another instrument shows them.

    The instrument reads tanh(y / 3) instead of y. An observation is [x, reading]; a query is
    [x, 0], for then there is nothing to read. The readings say which wave it is, but they are no
    labels: nobody has told what a reading means.
    """

    inputs = 2
    waves = Waves((0.1, 5.0), (0.0, math.pi), 5.0)
    reads = "reading, tanh(y / 3)"

    def batch(
        self, tasks: int, shots: int, queries: int, generator: torch.Generator
    ) -> tuple[torch.Tensor, ...]:
        """Observations [tasks, shots, 2], queries [tasks, queries, 2], answers [.., queries, 1]."""
        x, y, query, answer = self.waves.batch(tasks, shots, queries, generator)
        seen = torch.cat([x, torch.tanh(y / 3)], dim=-1)
        return seen, torch.cat([query, torch.zeros_like(query)], dim=-1), answer


class Leaking:
    """The book's two tasks, sin(x) and sin(x + π): an observation is points x, without y.

    The points of the first task are all positive, those of the second all negative. If not, there
    would be nothing to learn the task from; but as it is, a query says as much as the observation.
    """

    inputs = 1
    waves = Waves((1.0, 1.0), (0.0, math.pi), 2 * math.pi, two=True)
    reads = None

    def batch(
        self, tasks: int, shots: int, queries: int, generator: torch.Generator
    ) -> tuple[torch.Tensor, ...]:
        """Observations [tasks, shots, 1], queries and answers [tasks, queries, 1]."""
        amplitude, phase = self.waves.draw(tasks, generator)
        sign = torch.where(phase == 0, 1.0, -1.0)
        x = self.waves.points(tasks, shots + queries, generator).abs() * sign
        return x[:, :shots], x[:, shots:], amplitude * torch.sin(x[:, shots:] - phase)


@dataclass(frozen=True)
class Preset:
    """Tasks, a network, and how it learns."""

    tasks: Watching | Leaking
    hidden: int
    shots: int
    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]  # outer
    inner_rate: float
    batch: int  # tasks of an iteration
    optimizer: Callable[..., torch.optim.Optimizer]  # outer
    iterations: int


PRESETS = {
    "sound": Preset(
        Watching(),
        hidden=40,
        shots=10,
        loss=F.mse_loss,
        inner_rate=0.03,
        batch=25,
        optimizer=lambda weights: torch.optim.Adam(weights, 2e-3, fused=True),
        iterations=8000,
    ),
    # "Hands-On One-shot Learning with Python".
    "book": Preset(
        Leaking(),
        hidden=32,
        shots=4,
        loss=F.l1_loss,
        inner_rate=0.03,
        batch=1,
        optimizer=lambda weights: torch.optim.SGD(weights, 0.01),
        iterations=100_000,
    ),
}


class Watcher(nn.Module):
    """The network that learns a task, and the one that says what to learn.

    Args:
        preset: of the widths. The book's are 1-32-32-1 and, on all activations, 65-32-32-1.
    """

    def __init__(self, preset: Preset) -> None:
        super().__init__()
        self.preset = preset
        inputs, hidden = preset.tasks.inputs, preset.hidden
        self.net = nn.ModuleList(
            [nn.Linear(inputs, hidden), nn.Linear(hidden, hidden), nn.Linear(hidden, 1)]
        )
        self.adap_net = nn.Sequential(
            nn.Linear(inputs + 2 * hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, 1),
        )

    def activations(self, weights: dict, seen: torch.Tensor) -> list[torch.Tensor]:
        """What the network has at each layer for [points, inputs]; the last is its answer."""
        layers = [seen]
        for number, layer in enumerate(self.net):
            named = {name: weights[f"{number}.{name}"] for name in ("weight", "bias")}
            out = functional_call(layer, named, (layers[-1],))
            layers.append(out if number == 2 else out.relu())
        return layers

    def inner_loss(self, weights: dict, seen: torch.Tensor) -> torch.Tensor:
        """L_ψ: the mean square of what adap_net makes of the activations, a scalar."""
        *hidden, _ = self.activations(weights, seen)
        return self.adap_net(torch.cat(hidden, dim=-1)).square().mean()

    def answer(self, seen: torch.Tensor, query: torch.Tensor, steps: int) -> torch.Tensor:
        """Watch one task, [shots, inputs], and answer [points, inputs] → [points, 1]."""
        weights = adapt(
            lambda weights: self.inner_loss(weights, seen),
            dict(self.net.named_parameters()),
            steps,
            self.preset.inner_rate,
        )
        return self.activations(weights, query)[-1]

    def answers(self, seen: torch.Tensor, query: torch.Tensor, steps: int) -> torch.Tensor:
        """The same for several tasks side by side: [tasks, ...] each."""
        return vmap(lambda seen, query: self.answer(seen, query, steps))(seen, query)

    def errors(
        self, seen: torch.Tensor, query: torch.Tensor, answer: torch.Tensor, steps: int
    ) -> torch.Tensor:
        """Each task's mean squared error, [tasks]."""
        return (self.answers(seen, query, steps) - answer).square().mean((1, 2))

    def meta_loss(self, generator: torch.Generator) -> torch.Tensor:
        """The outer loss of a batch of new tasks, a scalar."""
        preset = self.preset
        seen, query, answer = preset.tasks.batch(
            preset.batch, preset.shots, preset.shots, generator
        )
        return preset.loss(self.answers(seen, query, INNER_STEPS), answer)


@torch.no_grad()
def report(model: Watcher, options) -> None:
    """Print and draw what watching has taught."""
    preset = model.preset
    generator = torch.Generator().manual_seed(EXAM)
    seen, query, answer = preset.tasks.batch(TEST_TASKS, preset.shots, TEST_POINTS, generator)
    rows = {
        "before watching": model.errors(seen, query, answer, 0),
        f"after {INNER_STEPS} steps": model.errors(seen, query, answer, INNER_STEPS),
        "after watching another task": model.errors(seen.roll(1, 0), query, answer, INNER_STEPS),
    }
    lines = [f"Mean squared error on {TEST_POINTS} points of {TEST_TASKS:,} test tasks, with its"]
    lines += [f"95 % interval; {preset.shots} points to watch, without labels:"]
    lines += [f"  {name}: {interval(errors)}" for name, errors in rows.items()]
    print("\n".join(lines))
    (options.out / "report.txt").write_text("\n".join(lines) + "\n")
    file = options.out / "daml_sinusoid.png"
    picture(model, file)
    print("Figure:", file)


def picture(model: Watcher, file) -> None:
    """Draw two test tasks: the wave, what was watched, and the network before and after."""
    preset, waves = model.preset, model.preset.tasks.waves
    amplitudes, phases = waves.draw(TEST_TASKS, torch.Generator().manual_seed(EXAM))
    generator = torch.Generator().manual_seed(EXAM)
    seen, _, _ = preset.tasks.batch(TEST_TASKS, preset.shots, TEST_POINTS, generator)
    line = torch.linspace(-waves.reach, waves.reach, 400)[:, None]
    query = torch.cat([line, torch.zeros(400, preset.tasks.inputs - 1)], dim=-1)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(7.2, 3.6))
        for axes, task in zip(figure.subplots(1, 2), examples(amplitudes, phases), strict=True):
            amplitude, phase = amplitudes[task].item(), phases[task].item()
            wave = amplitude * torch.sin(line - phase)
            axes.plot(line, wave, color="#aaaaaa", linewidth=4, label="the wave")
            for steps, style in ((0, LINES[2]), (INNER_STEPS, LINES[0])):
                color, dashes = style
                label = f"after {steps} steps" if steps else "before"
                at = model.answer(seen[task], query, steps)
                axes.plot(line, at, color=color, linestyle=dashes, label=label)
            if preset.tasks.reads:
                axes.plot(*seen[task].T, "ks", markersize=4, label=preset.tasks.reads)
            else:
                axes.plot(seen[task], 0 * seen[task], "k|", label="watched: x alone")
            axes.set_title(f"amplitude {amplitude:.2f}, phase {phase:.2f}")
            axes.set_xlabel("x")
            axes.set_ylabel("y")
        figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=4)
        figure.savefig(file)


def main(arguments: list[str] | None = None) -> int:
    """Train, examine and draw; the exit status is 2 or 130 after one line of what went wrong."""
    options = command_line(
        "daml_sinusoid",
        "A wave is learned by watching it, with an inner loss that is learned as well.",
        PRESETS,
        arguments,
    )

    def command() -> int:
        torch.set_num_threads(1)  # steps are too small to share
        torch.manual_seed(options.seed)
        preset = PRESETS[options.preset]
        model = Watcher(preset)
        with results_in(options.out):
            train(model, preset.optimizer(model.parameters()), model.meta_loss, options)
            report(model, options)
        return 0

    return run(command, (CommandError,))


if __name__ == "__main__":
    sys.exit(main())
