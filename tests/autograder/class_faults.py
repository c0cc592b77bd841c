"""A large class whose run and workers are killed again and again.

    python -m tests.autograder.class_faults --data omniglot_resized [--submissions 300] [--kills 20]

Submissions of the corpus with a line of their own, two jobs, `kill -9` at random moments, in turn
of the run and of a single worker. Prints what the journal and the folder of grades hold at the end.
"""

import argparse
import random
import subprocess
import tempfile
import time
from pathlib import Path

from .classes import command, gradings, records, workers_of
from .corpus import CORRECT, MUTANTS, REFERENCE, STUBS, UNUSABLE, write


def make_class(folder: Path, submissions: int) -> None:
    """Submissions of the corpus in turn; a comment makes each a new one."""
    cases = [REFERENCE, STUBS, *MUTANTS, *CORRECT, *UNUSABLE]
    for number in range(submissions):
        case = cases[number * 7 % len(cases)]
        place = folder / f"{number:03d}"
        written = write(case, place)
        if (hw1 := written / "hw1.py").is_file():
            with hw1.open("ab") as file:
                file.write(f"\n# {number}\n".encode())


def kill_again_and_again(words: list[str], kills: int, done) -> tuple[int, int]:
    """Run until it ends by itself; how often the run and a worker were killed."""
    moments, of_run, of_worker = random.Random(1), 0, 0
    while True:
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while process.poll() is None:
            if of_run + of_worker == kills:
                process.wait()
                break
            time.sleep(moments.uniform(5, 35))
            if process.poll() is not None:
                break
            if (of_run + of_worker) % 2:
                process.kill()
                process.wait()
                of_run += 1
            elif victims := workers_of(process.pid):
                subprocess.run(["kill", "-9", str(moments.choice(victims))], check=False)
                of_worker += 1
            print(f"{of_run + of_worker} kills, {done()} graded", flush=True)
        if process.returncode == 0:
            return of_run, of_worker


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.autograder.class_faults")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--submissions", type=int, default=300)
    parser.add_argument("--kills", type=int, default=20)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        handed, out = Path(temporary, "class"), Path(temporary, "grades")
        make_class(handed, arguments.submissions)
        words = command(handed, out, arguments.data, "--jobs", 2, "--seed", 1)
        started = time.monotonic()
        of_run, of_worker = kill_again_and_again(words, arguments.kills, lambda: len(records(out)))
        counts = gradings(out)
        print(
            "| submissions | run killed | workers killed | in the journal | graded twice |"
            " whole records | minutes |\n|--:|--:|--:|--:|--:|--:|--:|"
        )
        print(
            f"| {arguments.submissions} | {of_run} | {of_worker} | {len(counts)} "
            f"| {sum(count > 1 for count in counts.values())} | {len(records(out))} "
            f"| {(time.monotonic() - started) / 60:.0f} |"
        )


if __name__ == "__main__":
    main()
