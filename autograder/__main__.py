"""The autograder's command line: `python -m autograder check | submit` and the instructor's."""

import argparse
import signal
import sys
from pathlib import Path

from autograder.check import check
from autograder.report import ReportError, print_record
from autograder.sandbox import SandboxError
from autograder.submission import SubmissionError
from autograder.submit import submit
from fewshot.data.errors import DataError


class Parser(argparse.ArgumentParser):
    """argparse, but what it cannot use is said in one line."""

    def error(self, message: str):
        self.exit(2, f"{self.prog}: {message}\n")


def main(arguments: list[str] | None = None) -> int:
    """Run one command.

    Returns:
        The exit status: of `check` whether all public checks passed, of `submit` whether there is
        a zip, of `grade` 0 whenever there is a record; 2 for arguments that cannot be used.
    """
    parser = Parser(prog="python -m autograder")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    checking = commands.add_parser("check", help="for students: run the public checks")
    checking.set_defaults(run=run_check)
    submitting = commands.add_parser("submit", help="for students: make the zip to hand in")
    submitting.add_argument("--report", type=Path, metavar="PDF", help="put this report in too")
    submitting.set_defaults(run=run_submit)
    for command in (checking, submitting):
        command.add_argument("path", type=Path, nargs="?", default=Path(), metavar="FOLDER")
        command.add_argument("--data", type=Path, metavar="FOLDER", help="the image folder")
    if Path(__file__).with_name("instructor.py").exists():  # students do not have it
        from autograder import instructor

        instructor.add_commands(commands)

    options = parser.parse_args(arguments)
    # Ended politely, a grading still stops its child and removes its folder.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return options.run(options)
    except (SubmissionError, DataError, SandboxError, ReportError) as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130


def run_check(options: argparse.Namespace) -> int:
    """The public checks."""
    record = check(options.path, options.data)
    print_record(record)
    return 0 if record.score == record.max_score else 1


def run_submit(options: argparse.Namespace) -> int:
    """The zip to hand in."""
    return submit(options.path, options.report, options.data)


if __name__ == "__main__":
    sys.exit(main())
