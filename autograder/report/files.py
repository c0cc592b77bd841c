"""Writing a report: whole or not at all."""

import os
import secrets
from pathlib import Path


class ReportError(Exception):
    """Why a report could not be written, in a sentence."""


def write_atomically(path: Path, content: str | bytes, mode: int = 0o666) -> None:
    """Put `content` in the place of the file `path`; killed at any moment, it leaves the old one.

    Args:
        path: a file, in a folder that is there.
        content: all of it; text is written as UTF-8.
        mode: its permissions, less what the process's umask takes away.

    Raises:
        ReportError: the file cannot be written; what was there is still there.
    """
    path = Path(path)
    partial = path.with_name(f".partial-{secrets.token_hex(8)}")
    try:
        try:
            descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            with open(descriptor, "wb") as file:
                file.write(content.encode() if isinstance(content, str) else content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)  # after the replacement there is none
    except OSError as error:
        raise ReportError(
            f"Cannot write {path} ({error.strerror}): name a file in a folder that exists and "
            "may be written to."
        ) from error
