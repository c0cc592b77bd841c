"""The last step of setup.sh: expand the images, close what is secret, and try everything once."""

import importlib
import os
import platform
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from autograder.grading import grade
from autograder.record import Record, start_record
from autograder.release.container.place import (
    DATA,
    PLACE,
    SOURCE,
    choose_closed,
    close,
    read_release,
)
from autograder.sandbox import SandboxError
from autograder.starter import write_starter
from fewshot.data.errors import DataError
from fewshot.data.folder import digest, is_complete, publish, read_folder, read_packed

SIDE = 28
MODULES = {"pillow": "PIL", "scikit-learn": "sklearn"}  # which have other names than packages


class PrepareError(Exception):
    """What is not as it has to be, in a sentence."""


def main() -> int:
    """Take every step and say a line about each; 0, or 1 after a sentence on stderr."""
    os.umask(0o022)  # another user reads the images
    steps = (check_packages, expand_images, close_rooms, check_sandbox, try_grading)
    try:
        for step in steps:
            print(step(), flush=True)
    except (PrepareError, DataError, SandboxError) as error:
        print(f"The autograder is not ready: {error}", file=sys.stderr)
        return 1
    print("The autograder is ready.")
    return 0


def check_packages() -> str:
    """Everything that is pinned is there in that version, and can be imported."""
    lines = (SOURCE / "requirements.txt").read_text(encoding="utf-8").splitlines()
    pins = [line.partition("#")[0].strip().split("==") for line in lines if "==" in line]
    for package, pinned in pins:
        try:
            found = version(package).partition("+")[0]  # 2.13.0+cpu is a build of 2.13.0
            importlib.import_module(MODULES.get(package, package))
        except (PackageNotFoundError, ImportError, OSError) as error:
            raise PrepareError(f"{package} cannot be imported: {error}.") from error
        if found != pinned:
            raise PrepareError(f"{package} {found} is installed, and {pinned} is needed.")
    import torch

    build = "for the CPU"
    if torch.version.cuda:
        build = "with CUDA, too large for 768 MB: see docs/gradescope.md"
    python = platform.python_version()
    return f"Python {python} with {len(pins)} packages as pinned; torch is the build {build}"


def expand_images() -> str:
    """The image folder and its packed twin, where another user can read them."""
    name, right = read_release()
    folder = DATA / name
    packed = read_packed(SOURCE / "images" / name)
    if packed is None:
        raise PrepareError(f"images/{name}.npz in the zip is damaged.")
    source, images = packed
    if not is_complete(folder, source):
        square = {path: image.reshape(SIDE, SIDE) for path, image in images.items()}
        publish(folder, square, source)
    if digest(read_folder(folder)) != right:
        raise PrepareError(f"The images in {folder} are not those of the zip: remove the folder.")
    return f"{len(images):,} images in {folder}, digest {right[:12]}"


def close_rooms() -> str:
    """Other users come through, and into what they need."""
    PLACE.chmod(0o755)
    close()
    return "solutions, secret and results closed to other users"


def check_sandbox() -> str:
    """Student code can be kept apart."""
    sandbox = choose_closed()
    return f"sandbox level {sandbox.level}: {', '.join(sandbox.protections)}"


def try_grading() -> str:
    """The solutions have every point and the starter has none, trainings aside."""
    solutions = try_one(SOURCE / "solutions")
    for result in solutions.results:
        if result.status != "passed" and result.check.part != "accuracy":
            number, message = result.check.number, result.message
            raise PrepareError(f"the solutions fail check {number}: {message}")
    with tempfile.TemporaryDirectory() as folder:
        write_starter(Path(folder))
        starter = try_one(Path(folder))
    if starter.score:
        raise PrepareError(f"the starter has {starter.score:g} points.")
    seconds = solutions.seconds + starter.seconds
    return f"the solutions have every point and the starter has none, in {seconds:.0f} s"


def try_one(submission: Path) -> Record:
    """A grading without the trainings, which take minutes."""
    record = start_record()
    name, _ = read_release()
    return grade(submission, record, DATA / name, "off", 0)


if __name__ == "__main__":
    sys.exit(main())
