"""`python -m fewshot.analysis problem3|problem4|pdf`: what the report needs, and its PDF."""

import argparse
import os
import sys
from functools import partial
from pathlib import Path

from fewshot.analysis import AnalysisError
from fewshot.analysis.settings import SEED, TABLES
from fewshot.commands import Parser, positive, run
from fewshot.workers import WorkersError, cluster_workers, local_workers

REPORT = Path("report/report.md")


def main(arguments: list[str] | None = None) -> int:
    """Run one command.

    Returns:
        The exit status: 0, 1 if there is less than was asked for, 2 for what cannot be used, 130
        for Ctrl-C.
    """
    options = make_parser().parse_args(arguments)
    return run(lambda: options.run(options), (AnalysisError, WorkersError))


def make_parser() -> Parser:
    """The command line."""
    parser = Parser(prog="python -m fewshot.analysis", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for problem, help in (
        ("problem3", "K and N: train what is missing, then draw"),
        ("problem4", "learning rates and widths at K = 1, N = 3: likewise"),
    ):
        command = commands.add_parser(problem, help=help)
        add = command.add_argument
        add("--runs", type=Path, default=Path("runs"), metavar="FOLDER", help="of runs")
        add("--out", type=Path, default=Path("figures"), metavar="FOLDER", help="of figures")
        add("--report", type=Path, default=REPORT, metavar="FILE", help="to fill")
        add("--no-training", action="store_true", help="draw what is there")
        training = command.add_argument_group("training")
        add = training.add_argument
        add("--solution", type=Path, default=Path("hw1.py"), metavar="FILE", help="what trains")
        add("--data", type=Path, default=Path("omniglot_resized"), metavar="FOLDER", help="images")
        add("--steps", type=positive, metavar="N", help="(default: 25000, or what the runs have)")
        add("--seeds", type=int, nargs="+", default=[SEED], metavar="SEED")
        add("--jobs", type=positive, metavar="N", help="at once (default: one for each core)")
        add("--cluster", metavar="ADDRESS", help="of a Dask scheduler")
        command.set_defaults(run=run_problem)
    command = commands.add_parser("pdf", help="make a PDF of the report")
    command.add_argument("report", type=Path, nargs="?", default=REPORT, metavar="FILE")
    command.set_defaults(run=run_pdf)
    return parser


def run_problem(options: argparse.Namespace) -> int:
    """Train what is missing, then draw what there is."""
    from fewshot.analysis.problem import write_problem
    from fewshot.analysis.training import Homework, train_missing

    failed = []
    settings = TABLES[options.command].values()
    if not options.no_training:
        if options.cluster:
            start = partial(cluster_workers, options.cluster)
        else:
            start = partial(local_workers, options.jobs or os.cpu_count() or 1)
        homework = Homework(options.solution.absolute(), options.data.absolute())
        failed = train_missing(
            settings, options.seeds, options.runs, options.steps, homework, start
        )
        print(*failed, sep="\n", end="\n" if failed else "", file=sys.stderr)
    wanted = options.seeds, options.runs, options.steps
    lines = write_problem(options.command, *wanted, options.out, options.report)
    print(*lines, sep="\n")
    return 1 if failed else 0


def run_pdf(options: argparse.Namespace) -> int:
    """The report as it is handed in."""
    from fewshot.analysis.pdf import write_pdf

    print(f"{write_pdf(options.report)} is the report to hand in.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
