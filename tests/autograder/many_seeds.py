"""Whether every correct variant keeps every point, whatever the seed.

    python -m tests.autograder.many_seeds --data omniglot_resized [--first 0] [--seeds 100]

Prints the variants and seeds that lost a point, trainings left out, and how many gradings there
were. Two seconds a grading on two cores.
"""

import argparse
import tempfile
from functools import partial
from pathlib import Path

from tqdm import tqdm

from .corpus import CORRECT, write
from .graded import grade_one, graders


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.autograder.many_seeds")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--first", type=int, default=0, help="where an earlier run was ended")
    parser.add_argument("--seeds", type=int, default=100)
    arguments = parser.parse_args()
    gradings = wrong = 0
    seeds = range(arguments.first, arguments.first + arguments.seeds)
    with tempfile.TemporaryDirectory() as folder, graders() as pool:
        names = [case.name for case in CORRECT]
        written = [write(case, Path(folder)) for case in CORRECT]
        one = partial(grade_one, data=arguments.data, train="off")
        came = [
            [pool.submit(one, submission, seed=seed) for submission in written] for seed in seeds
        ]
        for seed, futures in zip(tqdm(seeds, unit="seed"), came, strict=True):
            for name, future in zip(names, futures, strict=True):
                lost = [c for c in future.result().lost() if not c.startswith("accuracy/")]
                gradings += 1
                wrong += bool(lost)
                if lost:
                    tqdm.write(f"seed {seed}: {name} lost {', '.join(lost)}")
    print(f"{gradings} gradings of {len(CORRECT)} variants, {wrong} lost a point", flush=True)


if __name__ == "__main__":
    main()
