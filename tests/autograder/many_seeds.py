"""Whether every correct variant keeps every point, whatever the seed.

    python -m tests.autograder.many_seeds --data omniglot_resized [--first 0] [--seeds 100]
                                           [--only NAME ...]

Prints the variants and seeds that lost a point, and how many gradings there were. 25 gradings of a
variant share a child: to start one takes longer than a grading.
"""

import argparse
import tempfile
from itertools import repeat
from pathlib import Path

from tqdm import tqdm

from autograder.grading import SECONDS, no_news, run_checks, started_student, try_sandbox
from autograder.record import start_record
from autograder.report import gradescope
from autograder.seeds import stretch
from autograder.submission import read_submission

from .corpus import CORRECT, named, write
from .graded import Graded, graders

PER_CHILD = 25


def lost(submission: Path, data: Path, seeds: range) -> dict[int, list[str]]:
    """Seed → checks that lost a point, those of accuracy left out, as they are not run."""
    found = {}
    with started_student(
        read_submission(submission), try_sandbox(None), data, seeds[0], SECONDS["off"]
    ) as student:
        for seed in seeds:
            record = start_record()
            student.seed = stretch(seed, "child")
            run_checks(record, student, data, seed, "off", no_news, no_news, False)
            checks = Graded(gradescope(record)).lost()
            found[seed] = [check for check in checks if not check.startswith("accuracy/")]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.autograder.many_seeds")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--first", type=int, default=0, help="where an earlier run was ended")
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--only", nargs="+", help="variants (default: all)")
    arguments = parser.parse_args()
    cases = named(CORRECT, arguments.only)
    seeds = range(arguments.first, arguments.first + arguments.seeds)
    gradings = wrong = 0
    with tempfile.TemporaryDirectory() as folder, graders() as pool:
        written = {case.name: write(case, Path(folder)) for case in cases}
        parts = [seeds[i : i + PER_CHILD] for i in range(0, len(seeds), PER_CHILD)]
        jobs = [(name, part) for part in parts for name in written]
        came = pool.map(
            lost,
            [written[name] for name, _ in jobs],
            repeat(arguments.data),
            [part for _, part in jobs],
        )
        for (name, _), found in zip(jobs, tqdm(came, total=len(jobs), unit="child"), strict=True):
            gradings += len(found)
            for seed, checks in found.items():
                if checks:
                    wrong += 1
                    tqdm.write(f"seed {seed}: {name} lost {', '.join(checks)}")
    print(f"{gradings} gradings of {len(cases)} variants, {wrong} lost a point", flush=True)


if __name__ == "__main__":
    main()
