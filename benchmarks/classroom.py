"""What grading a class costs beyond its submissions, and what a second job gains.

    python -m benchmarks.classroom --data omniglot_resized [--submissions 30] [--train off]

Grades copies of the reference, each with a line of its own, with one job and with two, and prints
the time beside the sum of what the single gradings took, and the memory of all processes.
"""

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path

from benchmarks.grading import watch


def make_class(folder: Path, submissions: int) -> Path:
    """Copies of the reference that differ in a comment."""
    for number in range(submissions):
        copy = folder / f"student-{number:04d}"
        shutil.copytree("solutions", copy, ignore=shutil.ignore_patterns("__pycache__"))
        with (copy / "hw1.py").open("a") as file:
            file.write(f"\n# {number}\n")
    return folder


def grade(submissions: Path, out: Path, data: Path, train: str, jobs: int) -> dict[str, float]:
    """Seconds of the run and of all its gradings, and the most MiB at a time."""
    words = ["grade", submissions, "--out", out, "--data", data, "--train", train, "--jobs", jobs]
    _, seconds, most = watch([sys.executable, "-m", "autograder", *map(str, words)])
    single = [json.loads(path.read_text()) for path in out.glob("*/results.json")]
    return {
        "seconds": seconds,
        "single": sum(results["execution_time"] for results in single),
        "memory": most,
        "graded": len(single),
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.classroom")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--submissions", type=int, default=30)
    parser.add_argument("--train", default="off")
    arguments = parser.parse_args()
    print(
        "| jobs | graded | seconds | overhead | ratio to one job | MiB |\n|--:|--:|--:|--:|--:|--:|"
    )
    one_job = 0.0
    with tempfile.TemporaryDirectory() as temporary:
        submissions = make_class(Path(temporary, "class"), arguments.submissions)
        for jobs in (1, 2):
            out = Path(temporary, f"grades{jobs}")
            figures = grade(submissions, out, arguments.data, arguments.train, jobs)
            one_job = one_job or figures["seconds"]
            overhead = figures["seconds"] * jobs / figures["single"] - 1
            ratio = one_job / figures["seconds"]
            print(
                f"| {jobs} | {figures['graded']} | {figures['seconds']:.1f} | {overhead:.1%} "
                f"| {ratio:.2f} | {figures['memory']:.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
