"""The commands for instructors: `python -m autograder grade | starter | release`."""

import argparse
import contextlib
import os
import secrets
import sys
from functools import partial
from pathlib import Path

from autograder.classroom.journal import JournalError
from autograder.classroom.roster import seems_a_class
from autograder.classroom.run import grade_class
from autograder.classroom.task import WorkerError
from autograder.grading import grade
from autograder.handed_in.names import clean
from autograder.progress import Progress
from autograder.record import Record, start_record
from autograder.release import ReleaseError
from autograder.report import as_text, gradescope, page, print_record, write_atomically
from autograder.starter import StarterError, write_starter
from fewshot.workers import WorkersError, cluster_workers, local_workers


def add_commands(commands: argparse._SubParsersAction) -> None:
    """Add them to those for students."""
    grading = commands.add_parser("grade", help="for instructors: grade a folder or a zip")
    grading.add_argument("path", type=Path, metavar="PATH")
    grading.add_argument(
        "--json", type=Path, metavar="FILE", help="write Gradescope's results.json"
    )
    grading.add_argument("--html", type=Path, metavar="FILE", help="write a page to look at")
    grading.add_argument("--data", type=Path, metavar="FOLDER", help="the image folder")
    grading.add_argument("--train", choices=["resume", "scratch", "off"], default="resume")
    grading.add_argument("--seed", type=whole_number, help="repeat a grading (default: a new one)")
    grading.add_argument("--verbose", action="store_true", help="show pytest's account too")
    of_class = grading.add_argument_group("a class")
    of_class.add_argument("--out", type=Path, metavar="FOLDER", help="grade all that PATH holds")
    of_class.add_argument(
        "--jobs", type=number_of_jobs, metavar="N", help="at once (default: one for each core)"
    )
    of_class.add_argument("--cluster", metavar="ADDRESS", help="of a Dask scheduler")
    of_class.add_argument("--only", nargs="+", default=[], metavar="NAME", help="grade these alone")
    of_class.add_argument("--force", action="store_true", help="grade what has not changed, too")
    grading.set_defaults(run=run_grade, parser=grading)

    starter = commands.add_parser("starter", help="write hw1.py and load_data.py with stubs")
    starter.add_argument("--out", type=Path, default=Path(), help="folder (default: this one)")
    starter.set_defaults(run=run_starter)

    release = commands.add_parser("release", help="write a zip for students or for Gradescope")
    kinds = release.add_subparsers(dest="kind", required=True, metavar="KIND")
    student = kinds.add_parser("student", help="the homework as students get it")
    student.add_argument("--out", type=Path, required=True, metavar="ZIP")
    student.set_defaults(run=run_release_student)
    autograder = kinds.add_parser("gradescope", help="what Gradescope makes an autograder of")
    autograder.add_argument("--out", type=Path, required=True, metavar="ZIP")
    autograder.add_argument("--data", type=Path, metavar="FOLDER", help="the image folder")
    autograder.set_defaults(run=run_release_gradescope)


def whole_number(text: str) -> int:
    """A seed."""
    with contextlib.suppress(ValueError):
        if 0 <= int(text) < 2**31:
            return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 to 2147483647")


def number_of_jobs(text: str) -> int:
    """How many gradings at once."""
    with contextlib.suppress(ValueError):
        if int(text) > 0:
            return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a number of jobs")


def run_grade(options: argparse.Namespace) -> int:
    """All checks, on one submission or on those of a class."""
    if options.out:
        return run_grade_class(options)
    if options.jobs or options.cluster or options.only or options.force:
        options.parser.error("--jobs, --cluster, --only and --force are for a class: add --out")
    record = start_record()
    if options.json:
        write_json(options.json, record)  # zeros, should anything happen
    seed = secrets.randbelow(2**31) if options.seed is None else options.seed
    with Progress(len(record.results)) as bar:
        grade(
            options.path,
            record,
            options.data,
            options.train,
            seed,
            bar.announce,
            bar.advance,
            options.verbose,
        )
    if options.json:
        write_json(options.json, record)
    if options.html:
        write_atomically(options.html, page(record))
    print_record(record)
    if seems_a_class(options.path):
        shown = clean(str(options.path))
        print(f"{shown} seems to be a class: name a folder for its grades with --out.")
    return 0


def run_grade_class(options: argparse.Namespace) -> int:
    """All checks on every submission of a class."""
    if options.json or options.html or options.verbose:
        options.parser.error("--json, --html and --verbose are for one submission: leave --out out")
    if options.jobs and options.cluster:
        options.parser.error("a cluster has a number of workers of its own: leave --jobs out")
    if options.cluster:
        start = partial(cluster_workers, options.cluster)
    else:
        start = partial(local_workers, options.jobs or os.cpu_count() or 1)
    try:
        said = grade_class(
            options.path,
            options.out,
            start,
            options.data,
            options.train,
            options.seed,
            options.only,
            options.force,
        )
    except (JournalError, WorkerError, WorkersError) as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Stopped. Run the same command again to go on.", file=sys.stderr)
        return 130
    print(said)
    return 0


def write_json(path: Path, record: Record) -> None:
    """Replace the file at once."""
    write_atomically(path, as_text(gradescope(record)))


def run_starter(options: argparse.Namespace) -> int:
    """hw1.py and load_data.py with stubs."""
    try:
        for file in write_starter(options.out):
            print(f"wrote {file}")
    except (StarterError, OSError, UnicodeDecodeError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def run_release_student(options: argparse.Namespace) -> int:
    """The homework as students get it."""
    from autograder.release.student import write_student

    try:
        names = write_student(options.out)
    except ReleaseError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"wrote {options.out}: {len(names)} files, without solutions and hidden checks")
    return 0


def run_release_gradescope(options: argparse.Namespace) -> int:
    """What Gradescope makes an autograder of."""
    from autograder.release.gradescope import write_gradescope

    try:
        write_gradescope(options.out, options.data)
    except ReleaseError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"wrote {options.out}")
    return 0
