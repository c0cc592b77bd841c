"""What every benchmark does: take turns, and print the machine, a table or a ratio."""

import os
import platform
import time
from collections.abc import Callable, Iterable, Sequence
from statistics import median

import torch


def machine() -> str:
    """The processor, its cores, PyTorch's version and its threads, in one line."""
    return (
        f"{_processor()}, {os.cpu_count()} cores; "
        f"torch {torch.__version__}, {torch.get_num_threads()} threads"
    )


def medians(
    ways: dict[str, Callable[[], object]],
    rounds: int,
    repeats: int = 1,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, float]:
    """Seconds that each way takes, the median over the rounds; one more round before warms up.

    A round runs every way in turn, `repeats` times each, so that a disturbance of the machine
    meets all of them.
    """

    def seconds(way: Callable[[], object]) -> float:
        start = clock()
        for _ in range(repeats):
            way()
        return (clock() - start) / repeats

    times = [{name: seconds(way) for name, way in ways.items()} for _ in range(rounds + 1)]
    return {name: median(of_round[name] for of_round in times[1:]) for name in ways}


def print_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print columns aligned right, each row as soon as it comes; `header` sets the widths."""
    print("  ".join(header))
    for row in rows:
        cells = zip(row, header, strict=True)
        print("  ".join(cell.rjust(len(title)) for cell, title in cells), flush=True)


def ratio(label: str, slow: Sequence[float], fast: Sequence[float], target: float) -> None:
    """Print the ratio of two ways' median seconds, and whether it reaches `target`."""
    value = median(slow) / median(fast)
    verdict = "reached" if value >= target else "missed"
    print(f"{label}: {value:.1f} (target: at least {target:g}, {verdict})", flush=True)


def _processor() -> str:
    try:
        with open("/proc/cpuinfo") as file:
            lines = [line for line in file if line.startswith("model name")]
    except OSError:
        lines = []
    return lines[0].partition(":")[2].strip() if lines else platform.machine()
