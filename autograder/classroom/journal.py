"""What has been graded: an SQLite file in the folder of grades, one transaction a submission.

A run that is killed loses the submissions it was at, nothing else, and grades none twice.
"""

import fcntl
import json
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from autograder.classroom.roster import JOURNAL

LOCK = ".lock"
TABLES = """
create table if not exists graded (
    folder text primary key,    -- of its grades
    key text not null,          -- of submission, grader, data, seed and way of training
    results blob not null,      -- results.json, compressed
    gradings integer not null,  -- how often
    finished text not null      -- when, UTC
);
create table if not exists fact (name text primary key, value text not null);
"""


class JournalError(Exception):
    """Why there is no journal, in a sentence."""


class Journal:
    """The journal of one folder of grades, open."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def keys(self) -> dict[str, str]:
        """Folder → key of what has been graded."""
        return dict(self._connection.execute("select folder, key from graded"))

    def results(self, folder: str) -> dict:
        """A results.json."""
        query = "select results from graded where folder = ?"
        (packed,) = self._connection.execute(query, [folder]).fetchone()
        return json.loads(zlib.decompress(packed))

    def write(self, folder: str, key: str, results: dict) -> None:
        """A submission has been graded."""
        packed = zlib.compress(json.dumps(results).encode())
        with self._connection:
            self._connection.execute(
                "insert into graded values (?, ?, ?, 1, datetime('now')) on conflict do update "
                "set key = excluded.key, results = excluded.results, "
                "finished = excluded.finished, gradings = gradings + 1",
                [folder, key, packed],
            )

    def seed(self, draw: int) -> int:
        """The seed of the class: the one of its first run, which is `draw` in a new journal."""
        with self._connection:
            self._connection.execute("insert or ignore into fact values ('seed', ?)", [str(draw)])
        (value,) = self._connection.execute("select value from fact").fetchone()
        return int(value)


@contextmanager
def open_journal(out: Path) -> Iterator[Journal]:
    """The journal in the folder `out`, which is made; nobody else has it open meanwhile.

    Raises:
        JournalError: somebody else has, or the folder cannot be written to, or is full.
    """
    try:
        out.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = (out / LOCK).open("w")
    except OSError as error:
        raise JournalError(
            f"Cannot write into {out} ({error.strerror}): name a folder that may be written to."
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise JournalError(
                f"Another run writes into {out}: wait for it, or name another folder."
            ) from None
        try:
            with closing(sqlite3.connect(out / JOURNAL)) as connection:
                connection.execute("pragma journal_mode = wal")
                connection.execute("pragma synchronous = full")
                connection.executescript(TABLES)
                yield Journal(connection)
        except sqlite3.DatabaseError as error:
            raise JournalError(
                f"{out / JOURNAL} cannot be used ({error}): make room, or move it away, and then "
                "run this again."
            ) from error
