"""The zip that Gradescope makes an autograder of.

    setup.sh, run_autograder                  what Gradescope calls
    autograder, fewshot, solutions            the kit, as far as a grading needs it
    requirements.txt                          the packages of a grading, pinned
    release.json                              the name of the images and their digest
    images/NAME.npz                           the images, packed
    secret                                    32 random bytes: the seed of this assignment

The same kit and images give the same bytes, all but the secret.
"""

import json
import secrets
from collections.abc import Iterator
from pathlib import Path

from autograder.data import ROOT, find_data
from autograder.release import ReleaseError, pinned_packages
from autograder.report import ReportError, write_atomically
from autograder.zips import zip_bytes
from fewshot.data.errors import DataError
from fewshot.data.folder import digest, is_complete, packed_path, read_packed

CONTAINER = Path("autograder/release/container")
SCRIPTS = ("run_autograder", "setup.sh")
KIT = ("autograder", "fewshot", "solutions")
LEFT_OUT = ("__main__.py", "check.py", "checkpoints/make.py", "classroom", "instructor.py")
LEFT_OUT += ("release/for_students", "release/gradescope.py", "release/student.py", "submit.py")
LEFT_OUT += ("zips.py", *(f"release/container/{name}" for name in SCRIPTS))  # at the root instead


def write_gradescope(out: Path, data: Path | None) -> None:
    """Write the zip.

    Args:
        out: a file; one that is there is replaced at once, when the new one is whole.
        data: an image folder, as `python -m fewshot.data` makes it; None takes a usual one.

    Raises:
        ReleaseError: the images cannot be used, or the zip cannot be written.
    """
    try:
        contents = {**images(find_data(data)), **kit(), "secret": secrets.token_hex(32).encode()}
    except DataError as error:
        raise ReleaseError(str(error)) from error
    modes = dict.fromkeys(SCRIPTS, 0o755) | {"secret": 0o600}
    try:
        # Nobody else's: the solutions and the secret are in it.
        write_atomically(out, zip_bytes(contents, modes), mode=0o600)
    except ReportError as error:
        raise ReleaseError(str(error)) from error


def images(folder: Path) -> dict[str, bytes]:
    """The packed images and what the container checks them with.

    Raises:
        ReleaseError: the folder has no twin of the same images.
    """
    packed = read_packed(folder)
    if packed is None or not is_complete(folder, packed[0]):
        raise ReleaseError(
            f"{folder} and {packed_path(folder)} are not the same images: make both again with "
            "python -m fewshot.data."
        )
    release = {"data": folder.name, "digest": digest(packed[1])}
    return {
        f"images/{folder.name}.npz": packed_path(folder).read_bytes(),
        "release.json": json.dumps(release, indent=2).encode() + b"\n",
    }


def kit() -> dict[str, bytes]:
    """What a grading needs of this repository."""
    files = {name: (ROOT / CONTAINER / name).read_bytes() for name in SCRIPTS}
    files["requirements.txt"] = pinned_packages(sections=1)
    return files | {str(path): (ROOT / path).read_bytes() for path in list_kit()}


def list_kit() -> Iterator[Path]:
    """The kit's files, relative to its root."""
    left_out = [ROOT / "autograder" / name for name in LEFT_OUT]
    for room in KIT:
        for file in (ROOT / room).rglob("*"):
            path = file.relative_to(ROOT)
            litter = any(part == "__pycache__" or part.startswith(".") for part in path.parts)
            if file.is_file() and not litter and not any(map(file.is_relative_to, left_out)):
                yield path
