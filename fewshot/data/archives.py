"""The official Omniglot archives: from a folder at hand, or downloaded once, with resume.

Source: https://github.com/brendenlake/omniglot, folder `python`.
"""

import http.client
import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import numpy as np
from tqdm import tqdm

from fewshot.data.errors import DataError

OFFICIAL_URL = "https://raw.githubusercontent.com/brendenlake/omniglot/master/python"
MAX_BYTES = 32 << 20  # the larger official archive has 9 MB
ATTEMPTS = 5
TIMEOUT_S = 20.0  # of silence from the server
PAUSE_S = 1.0

WAYS_OUT = (
    "give a folder that holds both archives with --archives DIR or $OMNIGLOT_ARCHIVES, "
    "or make characters without a download with `python -m fewshot.data glyphs`"
)

Images = dict[str, np.ndarray]


def get(name: str, given: Path | None, cache: Path, read: Callable[[Path, str], Images]) -> Images:
    """Read the archive `name`, from `given`, else $OMNIGLOT_ARCHIVES, else `cache`, else the web.

    Args:
        name: file name of the archive.
        given: folder that must hold it; None if the user named none.
        cache: folder where a downloaded archive is kept.
        read: (file, how to call it) → its images; raises DataError with the fault alone, to
            which this function adds the way out. Only a download that it accepts is kept.

    Raises:
        DataError: the archive is missing, cannot be downloaded, or is refused by `read`.
    """
    if given is None and os.environ.get("OMNIGLOT_ARCHIVES"):
        given = Path(os.environ["OMNIGLOT_ARCHIVES"])
    if given is None and not (cache / name).exists():
        return _download(name, cache, read)

    file = (given or cache) / name
    if not file.exists():
        raise DataError(f"{file} does not exist: {WAYS_OUT}.")
    try:
        return read(file, str(file))
    except DataError as fault:
        raise DataError(
            f"{fault}: delete it, or replace it with the official {OFFICIAL_URL}/{name}."
        ) from fault


def _download(name: str, cache: Path, read: Callable[[Path, str], Images]) -> Images:
    url = f"{os.environ.get('OMNIGLOT_URL', OFFICIAL_URL).rstrip('/')}/{name}"
    if not url.startswith(("https://", "http://")):
        raise DataError(f"$OMNIGLOT_URL must start with https:// or http://, not {url}.")
    partial = cache / f"{name}.partial"
    try:
        cache.mkdir(parents=True, exist_ok=True)
        partial.touch()
    except OSError as error:
        raise _cannot_write(partial, error) from error

    failure = None
    for _ in range(ATTEMPTS):
        if failure:
            print(f"{name}: {failure}; trying again", file=sys.stderr)
            time.sleep(PAUSE_S)
        try:
            resumed = _transfer(url, partial)
        except (OSError, http.client.HTTPException) as error:
            failure = _reason(error)
            if isinstance(error, urllib.error.HTTPError) and error.code in (401, 403, 404, 410):
                partial.unlink()
                raise DataError(f"Cannot download {url} ({failure}): {WAYS_OUT}.") from error
            continue
        try:
            images = read(partial, url)
        except DataError as fault:
            if not resumed:
                partial.unlink()
                raise DataError(f"{fault}: {WAYS_OUT}.") from fault
            os.truncate(partial, 0)  # perhaps only the bytes of an earlier run were wrong
            failure = fault
            continue
        os.replace(partial, cache / name)
        return images
    if not partial.stat().st_size:
        partial.unlink()
    raise DataError(
        f"Cannot download {url} ({failure}): check the network and run again, which resumes, "
        f"or {WAYS_OUT}."
    )


def _transfer(url: str, partial: Path) -> bool:
    """Append the rest of `url` to `partial`; whether bytes of an earlier transfer were kept."""
    have = partial.stat().st_size
    request = urllib.request.Request(url)
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        reply = urllib.request.urlopen(request, timeout=TIMEOUT_S)
    except urllib.error.HTTPError as error:
        if error.code == 416 and have:
            return True  # nothing is left to send: the caller verifies what is there
        raise
    with reply:
        resumed = reply.status == 206
        have = have if resumed else 0
        total = None if reply.length is None else have + reply.length
        with (
            open(partial, "ab" if resumed else "wb") as file,
            tqdm(
                desc=partial.stem, initial=have, total=total, unit="B", unit_scale=True
            ) as progress,
        ):
            while have <= MAX_BYTES and (chunk := reply.read1(1 << 16)):
                try:
                    file.write(chunk)
                except OSError as error:
                    raise _cannot_write(partial, error) from error
                progress.update(len(chunk))
                have += len(chunk)
    if total is not None and have < min(total, MAX_BYTES):
        raise ConnectionError(f"the connection ended after {have:,} of {total:,} bytes")
    return resumed


def _cannot_write(file: Path, error: OSError) -> DataError:
    return DataError(f"Cannot write {file} ({error.strerror}): make room or choose another --out.")


def _reason(error: Exception) -> str:
    reason = getattr(error, "reason", error)  # what urllib wraps
    if isinstance(error, urllib.error.HTTPError):
        return f"the server answers {error.code} {error.reason}"
    return getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
