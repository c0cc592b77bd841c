"""The autograder's command line: `python -m autograder starter`."""

import argparse
import sys
from pathlib import Path

from autograder.starter import StarterError, write_starter


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m autograder")
    commands = parser.add_subparsers(dest="command", required=True)
    starter = commands.add_parser("starter", help="write hw1.py and load_data.py with stubs")
    starter.add_argument("--out", type=Path, default=Path(), help="folder (default: this one)")
    arguments = parser.parse_args()
    try:
        for file in write_starter(arguments.out):
            print(f"wrote {file}")
    except (StarterError, OSError, UnicodeDecodeError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
