"""The homework's four settings, trained by solutions/hw1.py on one or more image folders.

    python -m benchmarks.settings --data omniglot_resized glyphs [--seeds 123] [--jobs 2]

Prints a Markdown table of the test accuracy every 2,000 steps, and the final accuracy on 2,000
tasks with its 95 % interval. Each run takes one thread. Interrupted, it goes on where it stopped.
"""

import argparse
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

SETTINGS = [(1, 2), (2, 2), (1, 3), (1, 4)]  # K, N
EVERY = 2000  # steps between two columns
HW1 = Path(__file__).parent.parent / "solutions" / "hw1.py"


def run_folder(place: Path, num_shot: int, num_classes: int, seed: int) -> Path:
    """Where hw1.py, started in `place`, keeps a run."""
    return place / "runs" / f"{num_classes}_{num_shot}_{seed}_128"


def train(
    folder: Path, place: Path, num_shot: int, num_classes: int, seed: int, options: list[str]
) -> None:
    """One run on the images of `folder`, started in `place`; nothing if it is done."""
    run = run_folder(place, num_shot, num_classes, seed)
    if (run / "result.txt").exists():
        return
    place.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, HW1, "--num_workers", "0", "--eval_freq", "500", *options]
    command += ["--data_folder", folder.absolute(), "--random_seed", str(seed)]
    command += ["--num_shot", str(num_shot), "--num_classes", str(num_classes)]
    if (run / "checkpoint.pt").exists():
        command.append("--resume")
    done = subprocess.run(
        command,
        cwd=place,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise SystemExit(done.stderr.splitlines()[-1])
    (run / "result.txt").write_text(done.stdout)
    print(f"{folder.name} K={num_shot} N={num_classes} seed {seed}: {done.stdout.splitlines()[0]}")


def row(folder: Path, place: Path, num_shot: int, num_classes: int, seed: int) -> str:
    """One line of the table."""
    run = run_folder(place, num_shot, num_classes, seed)
    events = EventAccumulator(str(run))
    events.Reload()
    curve = [f"{p.value:.3f}" for p in events.Scalars("Accuracy/test") if p.step % EVERY == 0]
    final = re.search(r"Test accuracy ([\d.]+ ± [\d.]+)", (run / "result.txt").read_text())
    cells = [
        f"({num_shot}, {num_classes})",
        folder.name,
        str(seed),
        *curve,
        f"**{final.group(1)}**",
    ]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.settings")
    parser.add_argument("--data", type=Path, nargs="+", default=[Path("omniglot_resized")])
    parser.add_argument("--seeds", type=int, nargs="+", default=[123])
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--learning_rate", default="3e-3")
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    options = ["--train_steps", str(arguments.steps), "--learning_rate", arguments.learning_rate]
    # A place for each recipe, so that a finished run is never taken for one of another length.
    recipe = Path("runs/settings", f"{arguments.steps}_{arguments.learning_rate}").absolute()
    runs = [
        (folder, recipe / folder.name, *setting, seed)
        for seed in arguments.seeds
        for setting in reversed(SETTINGS)  # the longest first
        for folder in arguments.data
    ]
    with ThreadPoolExecutor(arguments.jobs) as pool:
        for done in [pool.submit(train, *run, options) for run in runs]:
            done.result()

    columns = [f"{step:,}" for step in range(EVERY, arguments.steps + 1, EVERY)]
    print(f"| (K, N) | images | seed | {' | '.join(columns)} | final, 2,000 tasks |")
    print("|---|---|" + "--:|" * (len(columns) + 2))
    for run in sorted(runs, key=lambda run: (SETTINGS.index(run[2:4]), run[4])):
        print(row(*run))


if __name__ == "__main__":
    main()
