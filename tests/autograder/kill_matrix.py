"""Which check finds which mutant: `make kill-matrix`, or

    python -m tests.autograder.kill_matrix --data omniglot_resized

An × is a failed check, a dot one that was not run because it waits for another.
"""

import argparse
import tempfile
from pathlib import Path

from .corpus import MUTANTS
from .graded import Graded, grade_cases


def matrix(graded: dict[str, Graded]) -> str:
    """Mutants against checks, with the mistake that was named."""
    first = next(iter(graded.values())).record["tests"]
    numbers = [test["number"] for test in first if test["max_score"] and test["number"] < "4"]
    lines = [f"| mutant | {' | '.join(numbers)} | named |", f"|---|{'---|' * len(numbers)}---|"]
    killed = dict.fromkeys(numbers, 0)
    for name, result in graded.items():
        signs = []
        for test in result.record["tests"]:
            if test["number"] in killed:
                lost = test["score"] < test["max_score"]
                waits = lost and "waiting for" in test["output"]
                killed[test["number"]] += lost and not waits
                signs.append("." if waits else "×" if lost else " ")
        mistake = ", ".join(sorted(result.mistakes()))
        lines.append(f"| {name} | {' | '.join(signs)} | {mistake} |")
    lines.append(f"| killed | {' | '.join(map(str, killed.values()))} | |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.autograder.kill_matrix")
    parser.add_argument("--data", type=Path, required=True, help="an image folder")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(matrix(grade_cases(MUTANTS, Path(folder), arguments.data)))


if __name__ == "__main__":
    main()
