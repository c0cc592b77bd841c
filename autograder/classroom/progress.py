"""How far a class run is: a bar on a terminal, else a line now and then."""

import sys
import time

from tqdm import tqdm

QUIET_SECONDS = 30  # between two lines in a log


class ClassProgress:
    """Progress with time left, on the error stream.

    Args:
        total: submissions.
        done: of them, graded in an earlier run.
    """

    def __init__(self, total: int, done: int) -> None:
        self.total, self.done = total, done
        self.started = self.said = time.monotonic()
        self.here = 0
        self.bar = tqdm(
            total=total,
            initial=done,
            unit="submission",
            disable=not sys.stderr.isatty(),
            smoothing=0.05,
            dynamic_ncols=True,
        )

    def __enter__(self) -> "ClassProgress":
        return self

    def __exit__(self, *error: object) -> None:
        self.bar.close()

    def advance(self, folder: str, score: float) -> None:
        """A submission has been graded."""
        self.done += 1
        self.here += 1
        self.bar.set_postfix_str(f"{folder[:30]} {score:g}", refresh=False)
        self.bar.update()
        now = time.monotonic()
        if self.bar.disable and (now - self.said > QUIET_SECONDS or self.done == self.total):
            self.said = now
            left = (now - self.started) / self.here * (self.total - self.done)
            print(f"{self.done} of {self.total} graded, {left / 60:.0f} min left", file=sys.stderr)
