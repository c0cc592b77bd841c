"""Grade the one submission that Gradescope has put here, and write results.json.

Zeros first, and once more at the end: whatever happens between, there are results, and they are
not the student's.
"""

import argparse
import hashlib
import json
import signal
import time
import traceback
from dataclasses import replace

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
from autograder.report import as_text, gradescope, write_atomically

STOPPED = "The grading did not come to its end: please submit again or tell the course's staff."
FAILED = "The grader itself failed, so nothing was graded: please tell the course's staff."


def main() -> None:
    """Whatever happens, results.json is whole."""
    parser = argparse.ArgumentParser(prog="python -m autograder.release.container.run")
    parser.add_argument("--limit", type=int, required=True, metavar="SECONDS")
    limit = parser.parse_args().limit
    write(zeros(STOPPED))
    try:
        record = grade_in_time(limit)
    except Exception:
        traceback.print_exc()  # on Gradescope, the staff sees this and students do not
        record = zeros(FAILED)
    write(record)


def write(record: Record) -> None:
    """Replace results.json at once."""
    write_atomically(PLACE / "results" / "results.json", as_text(gradescope(record)))


def zeros(sentence: str) -> Record:
    """Nothing was graded, and why."""
    record = start_record()
    record.notes.append(sentence)
    return record


def grade_in_time(limit: int) -> Record:
    """The record, or after `limit` seconds as much of it as there is."""
    started = time.monotonic()
    record = start_record()
    untouched = list(record.results)
    signal.signal(signal.SIGALRM, signal.default_int_handler)  # which a grading ends well after
    signal.alarm(limit)
    try:
        grade_here(record)
    except KeyboardInterrupt:
        over = f"The {limit / 60:g} minutes for this grading were over"
        record.notes.append(f"{over}, so some checks were not run.")
        for before, result in zip(untouched, list(record.results), strict=True):
            if result is before:
                record.put(replace(result, message=f"{over} before this check."))
        record.seconds = time.monotonic() - started
    finally:
        signal.alarm(0)
    return record


def grade_here(record: Record) -> None:
    """Grade what was submitted, with the seed of this assignment."""
    close()
    choose_closed()
    secret = (SOURCE / "secret").read_text(encoding="ascii")
    name, _ = read_release()
    submission = PLACE / "submission"
    grade(submission, record, DATA / name, "resume", int(secret, 16))
    # Whoever knows the seed can draw the secret tasks of every student.
    for fact in ("seed", "command"):
        record.facts.pop(fact)
    record.facts["secret"] = hashlib.sha256(secret.encode()).hexdigest()[:12]
    record.facts["submission"] = read_metadata()


def read_metadata() -> dict:
    """Number and time of the submission, as far as Gradescope has told them."""
    try:
        metadata = json.loads((PLACE / "submission_metadata.json").read_bytes())
    except (OSError, ValueError):
        return {}
    wanted = ("id", "created_at")
    return {x: metadata[x] for x in wanted if x in metadata} if isinstance(metadata, dict) else {}


if __name__ == "__main__":
    main()
