"""Whether every correct variant keeps every point, whatever the seed.

    python -m tests.autograder.many_seeds --data omniglot_resized [--first 0] [--seeds 100]

Prints the variants and seeds that lost a point, trainings left out, and how many gradings there
were. Two seconds a grading on two cores.
"""

import argparse
import tempfile
from pathlib import Path

from .corpus import CORRECT
from .graded import grade_cases


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.autograder.many_seeds")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--first", type=int, default=0, help="where an earlier run was ended")
    parser.add_argument("--seeds", type=int, default=100)
    arguments = parser.parse_args()
    gradings = wrong = 0
    for seed in range(arguments.first, arguments.first + arguments.seeds):
        with tempfile.TemporaryDirectory() as folder:
            graded = grade_cases(CORRECT, Path(folder), arguments.data, seed=seed)
        for name, result in graded.items():
            gradings += 1
            lost = [check for check in result.lost() if not check.startswith("accuracy/")]
            if lost:
                wrong += 1
                print(f"seed {seed}: {name} lost {', '.join(lost)}", flush=True)
        print(f"{gradings} gradings of {len(CORRECT)} variants, {wrong} lost a point", flush=True)


if __name__ == "__main__":
    main()
