"""The memory cells: how their time grows, and what it is beside other ways.

    python -m benchmarks.memory [--data omniglot_resized]

1. Milliseconds for a whole sequence, forward and backward, against its length, and for a step
   against the slots of the memory. With exponent 1 twice as much takes twice as long. Target: at
   most 1.1 for both. The last ratio is that of the two largest sizes, of which one is twice the
   other; smaller sizes hide in what a step costs in any case.
2. The same at one size, against the cells written one example at a time
   (`benchmarks/literal_cells.py`) and against `nn.LSTM` of the controller's width, which has no
   memory: the least that any of them must do.
3. Sequences a second of the copy task at the paper's size, training. Target: three times the 113
   of the PyTorch implementation most people know, on a machine like ours.
4. An epoch of learning to learn with 2 classes: 10,000 episodes of 20 steps and the test on 1,000.
   Target: at most 20 s; a build of the same model in TensorFlow 2.15 takes 29 s.

Everything runs on one thread, and times are CPU time, which other work on the machine disturbs
least; on a core of one's own it is the time by the clock. What is compared takes turns; times are
medians over the rounds.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from benchmarks.literal_cells import least_recently_used, neural_turing_machine, queue
from benchmarks.report import machine, medians, print_table, ratio
from fewshot.experiments import learning_to_learn, ntm_copy
from fewshot.learners.blackbox.lrua import MANNCell
from fewshot.learners.blackbox.ntm import NTM, LSTMController
from fewshot.learners.blackbox.queue_memory import QueueMemoryCell
from fewshot.learners.blackbox.unroll import unroll

BATCH, INPUTS, UNITS, WIDTH = 16, 64, 200, 40
LENGTH, LENGTHS = 20, (20, 40, 80, 160)
SLOTS, MANY_SLOTS = 128, (128, 256, 512, 1024, 2048)
ROUNDS, EPOCH_ROUNDS = 5, 3
STEEPEST = 1.1
KNOWN_COPIES = 113  # sequences a second
EPOCH_SECONDS, TENSORFLOW_SECONDS = 20, 29
PART = 10  # of an epoch, that is measured

NAME = "cell        "  # a column as wide as the longest name

CELLS = {
    "mann_lrua": lambda slots: MANNCell(INPUTS, UNITS, slots, WIDTH),
    "ntm": lambda slots: NTM(LSTMController(INPUTS + WIDTH, UNITS), slots, WIDTH),
    "queue_memory": lambda slots: QueueMemoryCell(INPUTS, UNITS, slots, WIDTH),
}
LITERAL = {
    "mann_lrua": least_recently_used,
    "ntm": neural_turing_machine,
    "queue_memory": queue,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory")
    parser.add_argument("--data", default="omniglot_resized", help="image folder")
    data = parser.parse_args().data
    torch.set_num_threads(1)
    torch.manual_seed(0)
    print(machine())
    growth()
    against_others()
    copies()
    epoch(data)


def cpu_times(ways: dict, rounds: int, repeats: int = 1) -> dict:
    """CPU seconds of each way."""
    return medians(ways, rounds, repeats, time.process_time)


def forward_and_backward(run: Callable, length: int) -> Callable[[], None]:
    """A way to time: `run` on random sequences, and the gradient of all it gives."""
    inputs = torch.randn(BATCH, length, INPUTS)
    return lambda: run(inputs).sum().backward()


def unrolled(name: str, slots: int) -> Callable[[torch.Tensor], torch.Tensor]:
    """A new cell, to run on sequences."""
    cell = CELLS[name](slots)
    return lambda inputs: unroll(cell, inputs)[0]


def growth() -> None:
    """Print times against length and slots, and the exponents of their growth."""
    print(f"\nbatch {BATCH}, controller {UNITS}, slots of width {WIDTH}")
    print(f"\nms a sequence, of {SLOTS} slots, by its length")
    table(LENGTHS, 1, lambda name, n: forward_and_backward(unrolled(name, SLOTS), n))
    print(f"\nms a step, of {LENGTH}, by the number of slots")
    table(MANY_SLOTS, LENGTH, lambda name, n: forward_and_backward(unrolled(name, n), LENGTH))


def table(sizes: tuple[int, ...], parts: int, way: Callable[[str, int], Callable]) -> None:
    """Print how the time of each cell grows with `sizes`; `way` makes what is timed."""

    def row(name: str) -> list[str]:
        times = list(cpu_times({size: way(name, size) for size in sizes}, ROUNDS).values())
        slope = exponent(sizes, times)
        return [
            name,
            *(f"{1e3 * seconds / parts:.2f}" for seconds in times),
            f"{times[-1] / times[-2]:.2f}",
            f"{slope:.2f}",
            "reached" if slope <= STEEPEST else "missed",
        ]

    columns = [str(size).rjust(6) for size in sizes]
    print_table([NAME, *columns, "last ratio", "exponent", " target"], map(row, CELLS))


def exponent(sizes: tuple[int, ...], times: list[float]) -> float:
    """The slope of log time over log size, by least squares."""
    return np.polyfit(np.log(sizes), np.log(times), 1)[0]


def against_others() -> None:
    """Print the cells' times beside those of one example at a time and of nn.LSTM."""
    print(f"\nms a step, length {LENGTH}, {SLOTS} slots (batch {BATCH})")
    lstm = nn.LSTM(INPUTS, UNITS, batch_first=True)

    def row(name: str) -> list[str]:
        cell, literal = CELLS[name](SLOTS), LITERAL[name]

        def batched(inputs: torch.Tensor) -> torch.Tensor:
            return unroll(cell, inputs)[0]

        def one_by_one(inputs: torch.Tensor) -> torch.Tensor:
            return torch.stack([literal(cell, sequence) for sequence in inputs])

        probe = torch.randn(3, LENGTH, INPUTS)
        torch.testing.assert_close(batched(probe), one_by_one(probe), rtol=1e-3, atol=1e-4)
        ours, slow, least = cpu_times(
            {
                "cell": forward_and_backward(batched, LENGTH),
                "literal": forward_and_backward(one_by_one, LENGTH),
                "nn.LSTM": forward_and_backward(lambda inputs: lstm(inputs)[0], LENGTH),
            },
            ROUNDS,
        ).values()
        return [
            name,
            f"{1e3 * ours / LENGTH:.2f}",
            f"{1e3 * slow / LENGTH:.2f}",
            f"{slow / ours:.1f}",
            f"{1e3 * least / LENGTH:.2f}",
            f"{ours / least:.1f}",
        ]

    header = [NAME, "batched", "one by one", "ratio", "nn.LSTM", "ratio"]
    print_table(header, map(row, CELLS))


def copies() -> None:
    """Print how many sequences of the copy task a second are learned from."""
    preset = ntm_copy.PRESETS["paper"]
    model = ntm_copy.Copier(preset)
    optimizer = torch.optim.RMSprop(
        model.parameters(), 1e-4, preset.alpha, momentum=preset.momentum
    )
    generator = torch.Generator().manual_seed(0)
    lengths = range(1, ntm_copy.LONGEST + 1)

    def learn() -> None:
        for length in lengths:
            sequences = ntm_copy.draw(BATCH, length, preset.bits, generator)
            ntm_copy.learn(model, optimizer, sequences)

    seconds = cpu_times({"copy": learn}, ROUNDS)["copy"] / (BATCH * len(lengths))
    print(f"\ncopy task, controller 100, memory 128 × 20, batch {BATCH}, lengths 1 to 20:")
    print(f"{1 / seconds:.0f} sequences a second; known: {KNOWN_COPIES}")
    ratio("times as many", [1 / KNOWN_COPIES], [seconds], 3)


def epoch(data: str) -> None:
    """Print the time of an epoch of learning to learn, from the mean of a part of it."""
    options = learning_to_learn.make_parser().parse_args(["--classes=2", f"--data={data}"])
    options.train_episodes //= PART
    options.test_episodes //= PART
    experiment = learning_to_learn.Experiment(options)
    with tqdm(disable=True) as silent:
        seconds = cpu_times({"epoch": lambda: experiment.epoch(silent)}, EPOCH_ROUNDS)["epoch"]
    verdict = "reached" if PART * seconds <= EPOCH_SECONDS else "missed"
    print(f"\nlearning to learn, 2 classes, {options.train_episodes} episodes, times {PART}:")
    print(f"{PART * seconds:.1f} s an epoch (target: at most {EPOCH_SECONDS}, {verdict})")
    ratio("times as fast as TensorFlow", [TENSORFLOW_SECONDS], [PART * seconds], 1)


if __name__ == "__main__":
    main()
