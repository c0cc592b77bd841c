"""Classes made of the corpus, runs over them, and the processes of those."""

import json
import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

from .corpus import CORRECT, MUTANTS, REFERENCE, STUBS, UNUSABLE, write

CASES = [REFERENCE, STUBS, MUTANTS[0], MUTANTS[-1], CORRECT[0], UNUSABLE[0]]
SECONDS = 240  # for a run that takes thirty


def fill(folder: Path, cases=CASES) -> Path:
    """A class with a submission for each case, called by it."""
    for case in cases:
        written = write(case, folder.parent / "written")
        folder.mkdir(exist_ok=True)
        shutil.move(written, folder / f"{case.name}{written.suffix}")
    return folder


def command(handed: Path, out: Path, data: Path, *more: object) -> list[str]:
    words = ["grade", handed, "--out", out, "--data", data, "--train", "off", *more]
    return [sys.executable, "-m", "autograder", *map(str, words)]


def run(handed, out, data, *more, **options) -> subprocess.CompletedProcess:
    return subprocess.run(
        command(handed, out, data, *more),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        **options,
    )


def without_times(results: dict) -> dict:
    results = results | {"execution_time": 0}
    for test in results["tests"]:
        test["extra_data"]["seconds"] = 0
    return results


def records(out: Path) -> dict[str, dict]:
    """Folder → its results.json."""
    return {
        path.parent.name: without_times(json.loads(path.read_text()))
        for path in out.glob("*/results.json")
    }


def gradings(out: Path) -> dict[str, int]:
    """Folder → how often it has been graded, as the journal says."""
    with sqlite3.connect(f"file:{out / 'journal.sqlite'}?mode=ro", uri=True) as connection:
        return dict(connection.execute("select folder, gradings from graded"))


def workers_of(pid: int) -> list[int]:
    """The worker processes of a run."""
    found = []
    for child in children_of(pid):
        line = Path(f"/proc/{child}/cmdline").read_bytes()
        if b"multiprocessing-fork" in line or b"spawn_main" in line:
            found.append(child)
    return found


def children_of(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task")
    try:
        return [int(c) for task in tasks.iterdir() for c in (task / "children").read_text().split()]
    except OSError:
        return []


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_for(condition, seconds: float = 60):
    """What `condition` gives once it is true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError("it did not come true")
