"""What is being checked, and how long it will take, on a terminal's error stream."""

import sys

from tqdm import tqdm

from autograder.record import Check


class Progress:
    """A bar over the checks, and a second one while a training runs.

    Args:
        checks: how many there are.
    """

    def __init__(self, checks: int) -> None:
        quiet = not sys.stderr.isatty()
        form = "{desc} {bar} {n_fmt}/{total_fmt}"
        self.bar = tqdm(total=checks, bar_format=form, disable=quiet, leave=False)
        self.training: tqdm | None = None
        self.quiet = quiet

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *error: object) -> None:
        self._end_training()
        self.bar.close()

    def announce(self, check: Check) -> None:
        """A check begins."""
        self._end_training()
        self.bar.set_description_str(f"{check.number} {check.title:.60}")
        self.bar.update(1)

    def advance(self, done: int, of: int) -> None:
        """A training has done some of its steps."""
        if self.training is None:
            self.training = tqdm(
                desc="training", total=of, unit="step", disable=self.quiet, leave=False
            )
        self.training.update(max(0, min(done, of) - self.training.n))

    def _end_training(self) -> None:
        if self.training is not None:
            self.training.close()
            self.training = None
