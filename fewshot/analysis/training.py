"""Make the runs that are missing, several at once, and go on with those that were stopped."""

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from fewshot.analysis import AnalysisError, launch
from fewshot.analysis.events import Run, choose, read_runs
from fewshot.analysis.progress import TrainingProgress
from fewshot.analysis.settings import STEPS, Setting
from fewshot.work import WATCH_SECONDS, Start, work_through
from fewshot.workers import BUSY, is_cancelled


@dataclass(frozen=True)
class Job:
    """A run to make.

    Attributes:
        setting: what to train.
        seed: of everything.
        steps: how many the run is to have.
        folder: the run's.
        foreign: whether a checkpoint that lies there already is of another run.
    """

    setting: Setting
    seed: int
    steps: int
    folder: Path
    foreign: bool

    @property
    def resume(self) -> bool:
        """Whether to go on from a checkpoint: of an earlier command, or of a worker that died."""
        return not self.foreign and (self.folder / "checkpoint.pt").exists()

    def options(self) -> list[str]:
        """hw1.py's."""
        options = [*self.setting.options(), f"--random_seed={self.seed}"]
        options += [f"--train_steps={self.steps}", f"--runs={self.folder.parent}"]
        return [*options, "--resume"] if self.resume else options


@dataclass(frozen=True)
class Homework:
    """What trains.

    Attributes:
        program: hw1.py, by a name that every worker knows.
        data: the image folder, likewise.
    """

    program: Path
    data: Path


def train_missing(
    settings: Iterable[Setting],
    seeds: Iterable[int],
    runs: Path,
    steps: int | None,
    homework: Homework,
    start: Start,
) -> list[str]:
    """Make the runs that are not there or not at their end.

    Args:
        settings: what is to be compared.
        seeds: for each setting.
        runs: the folder of runs.
        steps: of each run; None takes any that are there, and 25,000 for others.
        homework: what trains.
        start: makes workers.

    Returns:
        A line for each run that could not be finished, or one for all.

    Raises:
        AnalysisError: hw1.py or the images are not there, or `runs` cannot be written to.
        WorkersError: there is nobody to train them.
    """
    there = read_runs(runs)
    wanted = dict.fromkeys((setting, seed) for setting in settings for seed in seeds)
    jobs = [plan(choose(there, *one, steps), *one, runs, steps) for one in wanted]
    jobs = [job for job in jobs if job]
    if not jobs:
        return []
    if not homework.program.is_file():
        raise AnalysisError(f"{homework.program} is not there: name yours with --solution.")
    failed = {}
    with TrainingProgress(jobs) as progress:

        def finish(job: Job, refusal: str | None) -> None:
            if refusal:
                failed[job] = refusal

        def leave(job: Job) -> None:
            failed[job] = "Every process that trained it died."

        do = partial(train, homework=homework)
        work_through(jobs, do, start, finish, leave, progress.look)
    reasons = set(failed.values())
    if len(failed) == len(jobs) and len(reasons) == 1:
        return list(reasons)
    return [f"{job.folder.relative_to(runs.absolute())}: {failed[job]}" for job in failed]


def plan(run: Run | None, setting: Setting, seed: int, runs: Path, steps: int | None) -> Job | None:
    """What is to be done for a setting and a seed of which there is `run`; None if nothing is."""
    folder = (runs / setting.folder(seed)).absolute()
    ours = run is not None and run.folder.absolute() == folder
    foreign = not ours and (folder / "checkpoint.pt").exists()
    if run is None:
        return Job(setting, seed, steps or STEPS, folder, foreign)
    checkpoint = (run.folder / "checkpoint.pt").exists()
    if run.finished or not run.planned or (run.steps >= run.planned and not checkpoint):
        return None  # also if another program logged it
    return Job(setting, seed, int(run.planned), folder, foreign)


def train(job: Job, homework: Homework) -> str | None:
    """Train one network, as a worker does it.

    Returns:
        What hw1.py said if it did not come to its end.
    """
    with BUSY, tempfile.TemporaryFile("w+", errors="replace") as said:
        command = [sys.executable, launch.__file__, str(homework.program), *job.options()]
        command += [f"--data_folder={homework.data}"]
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=said,
            # Two threads are a third faster alone and ten times slower beside other work.
            env={"OMP_NUM_THREADS": "1", **os.environ},
            start_new_session=True,  # Ctrl-C is for the one who asked
        )
        try:
            while process.poll() is None and not is_cancelled():
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(WATCH_SECONDS)
        except KeyboardInterrupt:  # told to stop; a worker that goes on would take the next job
            process.stdin.close()
            process.wait()
            os._exit(1)
        finally:
            process.stdin.close()
            process.wait()
        if process.returncode == 0:
            return None
        said.seek(0)
        lines = [line for line in said.read().splitlines() if line.strip()]
        return lines[-1] if lines else f"hw1.py ended with {process.returncode}"
