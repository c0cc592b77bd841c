"""Where things are on Gradescope, and who may read them."""

import json
import stat
from pathlib import Path

from autograder.sandbox import Sandbox, choose_sandbox

PLACE = Path("/autograder")
SOURCE = PLACE / "source"  # the zip, unpacked
DATA = PLACE / "data"
OPEN = ("data", "venv")  # student code runs as another user, who reads these


def read_release() -> tuple[str, str]:
    """The name of the images and their digest."""
    release = json.loads((SOURCE / "release.json").read_text(encoding="utf-8"))
    return release["data"], release["digest"]


def close() -> None:
    """Keep other users out of all but the interpreter and the images: out of the solutions, the
    secret, the results, and what Gradescope tells about the student.
    """
    for entry in PLACE.iterdir():
        if entry.name not in OPEN:
            entry.chmod(stat.S_IMODE(entry.stat().st_mode) & ~0o007)


def choose_closed() -> Sandbox:
    """A sandbox that keeps student code from what is closed.

    Raises:
        SandboxError: there is none here; the message says why.
    """
    sandbox = choose_sandbox()
    return choose_sandbox("uid") if sandbox.level == "plain" else sandbox
