"""What every benchmark prints: the machine, a table or a ratio."""

import os
import platform
from collections.abc import Iterable, Sequence
from statistics import median

import torch


def machine() -> str:
    """The processor, its cores, PyTorch's version and its threads, in one line."""
    return (
        f"{_processor()}, {os.cpu_count()} cores; "
        f"torch {torch.__version__}, {torch.get_num_threads()} threads"
    )


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
