"""How safely the reference passes the accuracy thresholds.

    python -m benchmarks.thresholds --data omniglot_resized [--seeds 10]

Grades the solutions with several seeds, trainings included, and prints for each setting the mean,
the spread and how many standard errors of one grading the threshold lies below the mean.
"""

import argparse
import statistics
from pathlib import Path

from autograder.grading import grade
from autograder.record import Result, start_record


def measure(data: Path, seed: int) -> dict[str, Result]:
    """The accuracy checks of one grading, by their titles' settings."""
    record = start_record()
    grade(Path("solutions"), record, data, "resume", seed)
    return {result.check.id: result for result in record.results if result.curve}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.thresholds")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=10)
    arguments = parser.parse_args()
    reached: dict[str, list[float]] = {}
    started: dict[str, list[float]] = {}
    thresholds = {}
    for seed in range(arguments.seeds):
        for name, result in measure(arguments.data, seed).items():
            reached.setdefault(name, []).append(result.curve.accuracies[-1])
            started.setdefault(name, []).append(result.curve.accuracies[0])
            thresholds[name] = result.curve.threshold
        print(f"seed {seed}: {', '.join(f'{values[-1]:.3f}' for values in reached.values())}")
    print("| setting | before | mean | lowest | s.d. | threshold | standard errors below |")
    print("|---|--:|--:|--:|--:|--:|--:|")
    for name, values in reached.items():
        mean, spread = statistics.mean(values), statistics.stdev(values)
        cells = [f"{statistics.mean(started[name]):.3f}", f"{mean:.3f}", f"{min(values):.3f}"]
        cells += [f"{spread:.4f}", f"{thresholds[name]:.2f}"]
        cells.append(f"{(mean - thresholds[name]) / spread:.1f}")
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
