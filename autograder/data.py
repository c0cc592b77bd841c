"""Which images to grade with."""

from pathlib import Path

from fewshot.data.__main__ import main as make_data
from fewshot.data.errors import DataError

ROOT = Path(__file__).parent.parent
NAMES = ("omniglot_resized", "glyphs")


def find_data(given: Path | None) -> Path:
    """The folder that was given, else the first of the usual ones here or beside the kit.

    Without any, `glyphs` is made beside the kit, once, which takes a minute.

    Raises:
        DataError: there is no such folder, or no place for one.
    """
    if given is not None:
        if not given.is_dir():
            raise DataError(f"--data {given}: there is no such folder.")
        return given
    for folder in (place / name for place in (Path.cwd(), ROOT) for name in NAMES):
        if folder.is_dir():
            return folder
    print("There are no images here yet, so some are made: generated characters, once.")
    if make_data(["glyphs", "--out", str(ROOT / "glyphs")]) != 0:
        raise DataError("Name an image folder with --data, or make one: python -m fewshot.data.")
    return ROOT / "glyphs"
