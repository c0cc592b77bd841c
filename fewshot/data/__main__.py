"""`python -m fewshot.data omniglot|glyphs`: write an image folder and its packed twin."""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from fewshot.data import omniglot
from fewshot.data.errors import DataError
from fewshot.data.folder import is_complete, packed_path, publish


def main(argv: list[str] | None = None) -> int:
    """Run one command; 0, or 1 or 130 after one line on stderr that says what went wrong."""
    options = _parser().parse_args(argv)
    try:
        if options.command == "omniglot":
            cache = options.out.parent / "archives"
            _make(options.out, omniglot.SOURCE, lambda: omniglot.load(options.archives, cache))
        else:
            from fewshot.data import glyphs

            source = glyphs.source(options.seed)
            _make(options.out, source, lambda: glyphs.generate(options.seed))
    except DataError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped: run the same command again to go on.", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m fewshot.data", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    command = commands.add_parser("omniglot", help="the 1,623 characters of Lake et al.")
    command.add_argument(
        "--archives",
        type=Path,
        metavar="DIR",
        help="folder of images_background.zip and images_evaluation.zip "
        "(default: $OMNIGLOT_ARCHIVES, else they are downloaded)",
    )
    command.add_argument("--out", type=_folder, metavar="DIR", default="omniglot_resized")

    command = commands.add_parser("glyphs", help="generated characters, without a download")
    command.add_argument("--seed", type=int, default=0)
    command.add_argument("--out", type=_folder, metavar="DIR", default="glyphs")
    return parser


def _folder(text: str) -> Path:
    path = Path(os.path.normpath(text))
    if path.name in ("", ".."):
        raise argparse.ArgumentTypeError(f"{text!r} has no name of its own: name a new folder")
    return path


def _make(folder: Path, source: str, load: Callable[[], dict[str, np.ndarray]]) -> None:
    if is_complete(folder, source):
        print(f"{folder} is already complete.")
        return
    images = load()
    publish(folder, images, source)

    characters = {path.rpartition("/")[0] for path in images}
    alphabets = {path.partition("/")[0] for path in images}
    print(
        f"{folder}: {len(images):,} images of {len(characters):,} characters "
        f"of {len(alphabets)} alphabets\n"
        f"{packed_path(folder)}: the same images in one file, which loads faster\n"
        f"Train on them: python hw1.py --data_folder {folder}"
    )


if __name__ == "__main__":
    sys.exit(main())
