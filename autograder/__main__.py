"""The autograder's command line: `python -m autograder check | grade | starter`."""

import argparse
import contextlib
import json
import secrets
import signal
import sys
from pathlib import Path

from autograder.grading import grade
from autograder.progress import Progress
from autograder.record import Record, start_record
from autograder.report import ReportError, gradescope, page, print_record, write_atomically
from autograder.sandbox import SandboxError
from autograder.starter import StarterError, write_starter
from autograder.submission import SubmissionError
from fewshot.data.errors import DataError


class Parser(argparse.ArgumentParser):
    """argparse, but what it cannot use is said in one line."""

    def error(self, message: str):
        self.exit(2, f"{self.prog}: {message}\n")


def main(arguments: list[str] | None = None) -> int:
    """Run one command.

    Returns:
        The exit status: of `check` whether all public checks passed, of `grade` 0 whenever there
        is a record; 2 for arguments that cannot be used.
    """
    parser = Parser(prog="python -m autograder")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    check = commands.add_parser("check", help="for students: run the public checks")
    check.add_argument("path", type=Path, nargs="?", default=Path(), metavar="FOLDER")

    grading = commands.add_parser("grade", help="for instructors: grade a folder or a zip")
    grading.add_argument("path", type=Path, metavar="PATH")
    grading.add_argument(
        "--json", type=Path, metavar="FILE", help="write Gradescope's results.json"
    )
    grading.add_argument("--html", type=Path, metavar="FILE", help="write a page to look at")
    grading.add_argument("--train", choices=["resume", "scratch", "off"], default="resume")
    grading.add_argument("--seed", type=whole_number, help="repeat a grading (default: a new one)")
    grading.add_argument("--verbose", action="store_true", help="show pytest's account too")
    for command in (check, grading):
        command.add_argument("--data", type=Path, metavar="FOLDER", help="the image folder")

    starter = commands.add_parser("starter", help="write hw1.py and load_data.py with stubs")
    starter.add_argument("--out", type=Path, default=Path(), help="folder (default: this one)")

    options = parser.parse_args(arguments)
    # Ended politely, a grading still stops its child and removes its folder.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return {"check": run_check, "grade": run_grade, "starter": run_starter}[options.command](
            options
        )
    except StarterError as error:
        print(error, file=sys.stderr)
        return 1
    except (SubmissionError, DataError, SandboxError, ReportError) as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130


def whole_number(text: str) -> int:
    """A seed."""
    with contextlib.suppress(ValueError):
        if 0 <= int(text) < 2**31:
            return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 to 2147483647")


def run_check(options: argparse.Namespace) -> int:
    """The public checks, for the student."""
    record = start_record(public_only=True)
    run(options, record, train="off", seed=0)
    print_record(record)
    return 0 if record.score == record.max_score else 1


def run_grade(options: argparse.Namespace) -> int:
    """All checks, for the instructor."""
    record = start_record()
    if options.json:
        write_json(options.json, record)  # zeros, should anything happen
    seed = secrets.randbelow(2**31) if options.seed is None else options.seed
    run(options, record, options.train, seed, options.verbose)
    if options.json:
        write_json(options.json, record)
    if options.html:
        write_atomically(options.html, page(record))
    print_record(record)
    return 0


def run(
    options: argparse.Namespace, record: Record, train: str, seed: int, verbose: bool = False
) -> None:
    """Grade into `record`, with a bar on the way."""
    with Progress(len(record.results)) as bar:
        grade(options.path, record, options.data, train, seed, bar.announce, bar.advance, verbose)


def write_json(path: Path, record: Record) -> None:
    """Replace the file at once."""
    write_atomically(path, json.dumps(gradescope(record), indent=2, ensure_ascii=False) + "\n")


def run_starter(options: argparse.Namespace) -> int:
    """hw1.py and load_data.py with stubs."""
    try:
        for file in write_starter(options.out):
            print(f"wrote {file}")
    except (OSError, UnicodeDecodeError) as error:
        raise StarterError(str(error)) from error
    return 0


if __name__ == "__main__":
    sys.exit(main())
