"""How far the trainings are: a bar on a terminal, else a line now and then."""

import sys
import time
from typing import TYPE_CHECKING

from tqdm import tqdm

from fewshot.analysis.events import EVENTS, read_run

if TYPE_CHECKING:
    from fewshot.analysis.training import Job

QUIET_SECONDS = 60  # between two lines in a log


class TrainingProgress:
    """Progress with time left, on the error stream.

    Args:
        jobs: the runs to make.
    """

    def __init__(self, jobs: list["Job"]) -> None:
        self.jobs = jobs
        # What lies there will be moved aside.
        self.old = {job: set(job.folder.glob(EVENTS)) for job in jobs if not job.resume}
        self.started = self.said = time.monotonic()
        self.before = self.count()[0]
        self.bar = tqdm(
            total=sum(job.steps for job in jobs),
            initial=self.before,
            unit="step",
            desc=f"{len(jobs)} runs" if len(jobs) > 1 else "1 run",
            disable=not sys.stderr.isatty(),
            smoothing=0.05,
            dynamic_ncols=True,
        )

    def __enter__(self) -> "TrainingProgress":
        return self

    def __exit__(self, *error: object) -> None:
        self.bar.close()

    def count(self) -> tuple[int, int]:
        """Steps and runs that are done, of those to make."""
        done = ended = 0
        for job in self.jobs:
            if set(job.folder.glob(EVENTS)) != self.old.get(job, set()):
                run = read_run(job.folder)
                done += min(run.steps, job.steps)
                ended += run.finished
        return done, ended

    def look(self) -> None:
        """Read the event files, and say how far they are."""
        done, ended = self.count()
        self.bar.set_postfix_str(f"{ended} done", refresh=False)
        self.bar.update(done - self.bar.n)
        now = time.monotonic()
        if self.bar.disable and now - self.said > QUIET_SECONDS and done > self.before:
            self.said = now
            left = (now - self.started) / (done - self.before) * (self.bar.total - done)
            print(
                f"{done:,} of {self.bar.total:,} steps, {ended} of {len(self.jobs)} runs, "
                f"{left / 60:.0f} min left",
                file=sys.stderr,
            )
