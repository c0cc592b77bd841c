"""How long a grading of the reference takes and how much memory all its processes need.

    python -m benchmarks.grading --data omniglot_resized

Prints seconds with and without the accuracy checks, the most memory of all processes together,
and the ratio to training the four settings from scratch.
"""

import argparse
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

MIB = 1 << 20


def memory(pid: int) -> int:
    """Proportional set size of a process and its descendants, in bytes."""
    total = 0
    for process in [pid, *descendants(pid)]:
        try:
            rollup = Path(f"/proc/{process}/smaps_rollup").read_text()
        except OSError:  # it has just ended
            continue
        for line in rollup.splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1]) * 1024
    return total


def descendants(pid: int) -> list[int]:
    """Children, their children, and so on."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [one for child in map(int, children) for one in (child, *descendants(child))]


def watch(words: list[str]) -> tuple[str, float, float]:
    """Run a command: what it printed, its seconds, and the most MiB of all its processes."""
    started, most = time.monotonic(), 0
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    ended = threading.Event()

    def look() -> None:
        nonlocal most
        while not ended.wait(0.1):
            most = max(most, memory(process.pid))

    watcher = threading.Thread(target=look)
    watcher.start()
    output = process.communicate()[0]
    ended.set()
    watcher.join()
    return output, time.monotonic() - started, most / MIB


def run(data: Path, train: str) -> tuple[float, float]:
    """Seconds and MiB of one grading of the solutions."""
    words = [sys.executable, "-m", "autograder", "grade", "solutions", "--data", str(data)]
    output, seconds, most = watch([*words, "--train", train, "--seed", "1"])
    print(next(line for line in output.splitlines() if line.startswith("Total")), flush=True)
    return seconds, most


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.grading")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--scratch", action="store_true", help="also train from scratch, minutes")
    arguments = parser.parse_args()
    print(f"{os.cpu_count()} cores")
    modes = ["off", "resume", *(["scratch"] if arguments.scratch else [])]
    figures = {mode: run(arguments.data, mode) for mode in modes}
    print("| --train | seconds | MiB, all processes | ratio to resume |\n|---|--:|--:|--:|")
    for mode, (seconds, most) in figures.items():
        ratio = seconds / figures["resume"][0]
        print(f"| {mode} | {seconds:.1f} | {most:.0f} | {ratio:.2f} |")


if __name__ == "__main__":
    main()
