"""What the command lines of this package have in common: one line for what goes wrong."""

import argparse
import math
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


class CommandError(Exception):
    """Why a command cannot go on, in a sentence that says what to do."""


class Parser(argparse.ArgumentParser):
    """argparse, but what it cannot use is said in one line."""

    def error(self, message: str):
        self.exit(2, f"{self.prog}: {message}\n")


def positive(text: str) -> int:
    """A number of things."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 on")
    return int(text)


def several(text: str) -> int:
    """A number of test tasks: one has no interval."""
    if not text.isdecimal() or int(text) < 2:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 2 on")
    return int(text)


def seed(text: str) -> int:
    """What generators can be seeded with, and with what is reckoned from it."""
    if not text.isdecimal() or int(text) >= 2**32:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 0 to 2**32 - 1")
    return int(text)


def above_zero(text: str) -> float:
    """A learning rate, or a time."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return value


def run(command: Callable[[], int], errors: tuple[type[Exception], ...]) -> int:
    """Run a command, and say in one line why it ended early.

    Args:
        command: returns its exit status.
        errors: those whose message is a sentence for the person at the keyboard.

    Returns:
        The exit status: the command's, 2 for one of `errors`, 130 for Ctrl-C or SIGTERM.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return command()
    except errors as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nStopped: run the same command again to go on.", file=sys.stderr)
        return 130


@contextmanager
def asked_to_stop() -> Iterator[list[int]]:
    """A list that Ctrl-C and SIGTERM only add to.

    As exceptions they can come while TensorBoard hands a point to its thread, and then closing
    the writer waits for ever.
    """
    stop = []
    before = {
        number: signal.signal(number, lambda number, _: stop.append(number))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def results_in(folder: Path) -> Iterator[None]:
    """Make the folder that a command leaves its results in.

    Raises:
        CommandError: it cannot be made, or not be written into.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass  # better now than after hours of training
        yield
    except OSError as error:
        raise CommandError(f"Cannot write into {folder}: {error.strerror}.") from error
