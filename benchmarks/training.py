"""A training step, and the time to 90 %, against the plain 2022 pipeline: K = 1, N = 2, B = 128.

python -m benchmarks.training [--data FOLDER] [--skip-race]
"""

import argparse
import itertools
import statistics
import time
from types import SimpleNamespace

import torch

from benchmarks.plain import (
    LEARNING_RATE,
    PlainGenerator,
    plain_accuracy,
    plain_batches,
    plain_step,
)
from benchmarks.report import machine, ratio
from solutions import hw1
from solutions.load_data import DataGenerator

K, N, B = 1, 2, 128
ROUNDS, STEPS = 7, 60  # the contenders take turns, so that both see the same machine
CPU = torch.device("cpu")


class Ours:
    """The pieces of `hw1.main`, one step at a time, with the time spent inside the model."""

    def __init__(self, data, workers):
        torch.manual_seed(0)
        config = SimpleNamespace(
            meta_batch_size=B, num_workers=workers, train_steps=2000, learning_rate=5e-3
        )
        self.model = hw1.MANN(N, K + 1, 128)
        self.optim, self.schedule = hw1.make_optimizer(self.model, config)
        self.batches = hw1.load_batches(
            DataGenerator(N, K + 1, "train", {"data_folder": data}), config
        )
        self.inside = 0.0
        self.train_step = hw1.train_step

    def step(self):
        hw1.train_step = self.timed_train_step
        try:
            hw1.learn(next(self.batches), self.model, self.optim, self.schedule, CPU)
        finally:
            hw1.train_step = self.train_step

    def timed_train_step(self, *arguments):
        start = time.perf_counter()
        result = self.train_step(*arguments)
        self.inside += time.perf_counter() - start
        return result


class Plain:
    """The 2022 pipeline, one step at a time."""

    def __init__(self, data):
        torch.manual_seed(0)
        folders = DataGenerator(N, K + 1, "train", {"data_folder": data}).folders
        self.model = hw1.MANN(N, K + 1, 128)
        self.optim = torch.optim.Adam(self.model.parameters(), LEARNING_RATE)
        self.batches = plain_batches(PlainGenerator(folders, N, K + 1), B)

    def step(self):
        plain_step(next(self.batches), self.model, self.optim)


def run(contender, steps):
    """Seconds for some steps. The contender's workers idle before: their queues are full."""
    start = time.perf_counter()
    for _ in range(steps):
        contender.step()
    return time.perf_counter() - start


def compare_steps(data):
    """Milliseconds a step, ours with 0 to 4 workers and the plain pipeline's, in turns."""
    contenders = {f"ours, {workers} workers": Ours(data, workers) for workers in (0, 1, 2, 4)}
    contenders["plain 2022, 4 workers"] = Plain(data)
    times = {name: [] for name in contenders}
    for contender in contenders.values():
        run(contender, 2 * STEPS)  # caches fill
        contender.inside = 0.0
    for _ in range(ROUNDS):
        for name, contender in contenders.items():
            times[name].append(run(contender, STEPS) / STEPS)
    print(f"{'a training step':28}   ms (median of {ROUNDS} × {STEPS})   outside the model")
    for name, contender in contenders.items():
        outside = ""
        if isinstance(contender, Ours):
            outside = f"{1 - contender.inside / (STEPS * sum(times[name])):.1%}"
        print(f"  {name:26} {1000 * statistics.median(times[name]):6.1f} {outside:>30}")
    ratio("plain step / our step", times["plain 2022, 4 workers"], times["ours, 0 workers"], 4)


def seconds_to(target, start, contender, accuracy):
    """Wall seconds since `start`, and steps, until the test accuracy passes `target`."""
    for steps in itertools.count(100, 100):
        run(contender, 100)
        if accuracy(contender.model) > target:
            return time.perf_counter() - start, steps


def race(data, target=0.9):
    """Wall time to `target` on 600 test tasks looked at every 100 steps, all set-up included."""
    hw1.seed_everything(0)
    start = time.perf_counter()
    ours = Ours(data, workers=0)
    tasks = hw1.draw_tasks(
        DataGenerator(N, K + 1, "test", {"data_folder": data}), hw1.CURVE_TASKS, CPU
    )
    our_time = seconds_to(
        target, start, ours, lambda model: hw1.evaluate(model, tasks, B)[1].mean()
    )
    start = time.perf_counter()
    plain_time = seconds_to(target, start, Plain(data), lambda model: plain_accuracy(model, tasks))
    print(f"time to {target:.0%}: ours {our_time[0]:.0f} s, {our_time[1]} steps")
    print(f"             plain {plain_time[0]:.0f} s, {plain_time[1]} steps")
    ratio("plain time / our time", [plain_time[0]], [our_time[0]], 5)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="omniglot_resized")
    parser.add_argument("--skip-race", action="store_true", help="measure the steps only")
    arguments = parser.parse_args()
    print(machine())
    if not arguments.skip_race:
        race(arguments.data)
    compare_steps(arguments.data)


if __name__ == "__main__":
    main()
