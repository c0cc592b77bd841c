"""Whether resumed training and training from scratch give mutants the same verdict.

    python -m tests.autograder.resume_and_scratch --data omniglot_resized [--only NAME ...]

Trains each mutant whose accuracy checks are run at all, in one setting, both ways, and prints a
Markdown table. About three minutes a mutant.
"""

import argparse
import tempfile
from functools import partial
from pathlib import Path

from autograder.grading import grade
from autograder.record import Result, start_record

from .corpus import MUTANTS, REFERENCE, named, write
from .graded import graders

WAYS = ("resume", "scratch")


def train(submission: Path, data: Path, setting: str) -> dict[str, Result]:
    """The accuracy check of one setting, both ways; none if it is not run."""
    results = {}
    for way in WAYS:
        record = start_record()
        record.results = [
            result
            for result in record.results
            if result.check.part != "accuracy" or result.check.id == f"accuracy/{setting}"
        ]
        grade(submission, record, data, way, 1)
        results[way] = record.results[-1]
        if record.results[-1].status == "waiting":
            return {}
    return results


def row(name: str, results: dict[str, Result]) -> str:
    """One line of the table."""
    cells = []
    for way in WAYS:
        curve = results[way].curve
        reached = f"{curve.accuracies[-1]:.3f}" if curve else "–"
        cells.append(f"{reached} {results[way].status}")
    agree = results["resume"].status == results["scratch"].status
    return f"| {name} | {' | '.join(cells)} | {'yes' if agree else '**no**'} |"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.autograder.resume_and_scratch")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--setting", default="1_shot_2_way")
    parser.add_argument("--only", nargs="+", help="mutants (default: all, and the reference)")
    arguments = parser.parse_args()
    one = partial(train, data=arguments.data, setting=arguments.setting)
    print("| mutant | resume | scratch | agree |\n|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as folder, graders() as pool:
        cases = named([REFERENCE, *MUTANTS], arguments.only)
        written = [write(case, Path(folder)) for case in cases]
        for case, results in zip(cases, pool.map(one, written), strict=True):
            if results:
                print(row(case.name, results), flush=True)


if __name__ == "__main__":
    main()
