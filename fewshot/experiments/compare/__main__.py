"""`python -m fewshot.experiments.compare`: train learners alike, and put them into one table.

Each learner sees the same episodes of the same characters for the same time of one processor
core, and answers the same test tasks. A comparison that was stopped goes on when the same command
is given again; what is finished is not trained again.
"""

import argparse
import csv
import json
import os
import sys
import time
from functools import partial
from pathlib import Path

from tqdm import tqdm

from fewshot.commands import CommandError, Parser, above_zero, positive, results_in, run
from fewshot.data.errors import DataError
from fewshot.data.store import MAKE, PARTS
from fewshot.experiments.compare.show import draw, print_table, write_table
from fewshot.experiments.compare.trial import TEST_TASKS, Outcome, Trial, run_trial
from fewshot.learners.registry import LEARNERS
from fewshot.work import work_through
from fewshot.workers import WorkersError, cluster_workers, local_workers

DATA = Path("omniglot_resized")
QUIET_SECONDS = 60  # between two lines in a log


def main(arguments: list[str] | None = None) -> int:
    """Run the command line.

    Returns:
        The exit status: 0, 1 if a learner has no outcome, 2 for what cannot be used, 130 for
        Ctrl-C.
    """
    options = parse(arguments)
    return run(lambda: compare(options), (CommandError, DataError, WorkersError))


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = Parser(
        prog="python -m fewshot.experiments.compare",
        description="Train learners alike, and put them into one table.",
        epilog=f"Learners: {', '.join(LEARNERS)}.",
    )
    add = parser.add_argument
    add("--num_shot", type=positive, default=1, metavar="K", help="support images of a class (1)")
    add("--num_classes", type=positive, default=5, metavar="N", help="of a task (5)")
    add("--learners", nargs="+", default=["all"], metavar="NAME", help="(default: all)")
    add("--split", choices=PARTS, default="vinyals", help="of the characters (vinyals)")
    add("--minutes", type=above_zero, default=10, metavar="M", help="of one core, a learner (10)")
    add(
        "--data",
        type=Path,
        default=DATA,
        metavar="FOLDER",
        help="of images (omniglot_resized)",
    )
    add(
        "--out",
        type=Path,
        default=Path("runs/compare"),
        metavar="FOLDER",
        help="of results (runs/compare)",
    )
    add("--jobs", type=positive, metavar="J", help="learners at once (one for each core)")
    add("--cluster", metavar="ADDRESS", help="of a Dask scheduler, whose workers see both folders")
    options = parser.parse_args(arguments)
    if options.learners == ["all"]:
        options.learners = list(LEARNERS)
    for name in options.learners:
        if name not in LEARNERS:
            parser.error(f"there is no learner {name!r}: there are {', '.join(LEARNERS)}, or all")
    return options


def compare(options: argparse.Namespace) -> int:
    """Train what is missing, then show what there is, of earlier runs too."""
    if not options.data.is_dir():
        raise DataError(f"There is no folder {options.data}: make it with {MAKE}.")
    task = f"{options.num_classes}_way_{options.num_shot}_shot"
    images = options.data.resolve().name
    # Outcomes of other images must not get into the same table.
    other = "" if images == DATA.name else f"_{images}"
    folder = options.out / f"{options.split}_{task}_{options.minutes:g}_min{other}"
    trials = [
        Trial(
            name,
            options.num_classes,
            options.num_shot,
            options.split,
            options.minutes,
            options.data.absolute(),
            (folder / name).absolute(),
        )
        for name in dict.fromkeys(options.learners)
    ]
    with results_in(folder):
        outcomes = {name: read(folder / name / "outcome.json") for name in LEARNERS}
    missing = [trial for trial in trials if not outcomes[trial.learner]]
    refusals = train_all(missing, outcomes, options)
    there = [outcome for outcome in outcomes.values() if outcome]
    if there:
        title = (
            f"{options.num_classes}-way {options.num_shot}-shot, split {options.split}, "
            f"{options.minutes:g} min of one core, {TEST_TASKS:,} test tasks"
        )
        print_table(title, there)
        with results_in(folder):
            write_table(folder / "table.md", title, there)
            draw(folder / "compare.png", title, 1 / options.num_classes, there)
        print(f"{folder / 'table.md'} and {folder / 'compare.png'} have the same.")
    print(*refusals, sep="\n", end="\n" if refusals else "", file=sys.stderr)
    return 1 if refusals else 0


def train_all(
    trials: list[Trial], outcomes: dict[str, Outcome | None], options: argparse.Namespace
) -> list[str]:
    """Hand the trials out, and add what comes back to `outcomes`, by learner.

    Returns:
        A line for each trial that nothing came of, or one if all say the same.
    """
    refusals = {}

    def finish(trial: Trial, result: Outcome | str) -> None:
        if isinstance(result, str):
            refusals[trial] = result
        else:
            outcomes[trial.learner] = result

    def leave(trial: Trial) -> None:
        refusals[trial] = f"{trial.learner}: every process that trained it died."

    if options.cluster:
        start = partial(cluster_workers, options.cluster)
    else:
        start = partial(local_workers, min(options.jobs or os.cpu_count() or 1, len(trials) or 1))
    with Progress(trials) as progress:
        work_through(trials, run_trial, start, finish, leave, progress.look)
    return list(dict.fromkeys(refusals.values()))


def read(file: Path) -> Outcome | None:
    """What came of an earlier trial, if it was finished."""
    try:
        return Outcome(**json.loads(file.read_text()))
    except (OSError, ValueError, TypeError):
        return None


class Progress:
    """How much of all the training is done, and the time left: a bar, or a line now and then.

    Args:
        trials: those under way or still to come.
    """

    def __init__(self, trials: list[Trial]) -> None:
        self.trials = trials
        self.first, self.started = self.count(), time.monotonic()
        self.said = self.started
        self.bar = tqdm(
            total=round(60 * sum(trial.minutes for trial in trials)),
            initial=round(self.first),
            desc="training",
            unit="s of a core",
            disable=not (trials and sys.stderr.isatty()),
            leave=False,
            dynamic_ncols=True,
        )

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *error: object) -> None:
        self.bar.close()

    def count(self) -> float:
        """Seconds of training that are logged."""
        return sum(logged(trial) for trial in self.trials)

    def look(self) -> None:
        """Read the logs, and say how far they are."""
        done = self.count()
        self.bar.update(round(done) - self.bar.n)
        now = time.monotonic()
        if self.bar.disable and now - self.said > QUIET_SECONDS and done > self.first:
            self.said = now
            left = (now - self.started) / (done - self.first) * (self.bar.total - done)
            print(
                f"{done / 60:.1f} of {self.bar.total / 60:.1f} min, {left / 60:.0f} min left",
                file=sys.stderr,
            )


def logged(trial: Trial) -> float:
    """Seconds of training in a trial's log; all of them once it is over."""
    if trial.outcome.exists():
        return 60 * trial.minutes
    try:
        with trial.log.open(newline="") as lines:
            return max(
                (float(row[0]) for row in csv.reader(lines) if row[0] != "seconds"), default=0
            )
    except (OSError, ValueError, IndexError):
        return 0.0


if __name__ == "__main__":
    sys.exit(main())
