"""Grade a class: every submission once, in any order, safe to kill at any moment."""

import difflib
import secrets
from functools import partial
from pathlib import Path

from autograder.classroom.fingerprint import data_digest, grader_digest, grading_key
from autograder.classroom.gradebook import canvas_csv, plain_csv
from autograder.classroom.graded import Graded
from autograder.classroom.journal import Journal, open_journal
from autograder.classroom.overview import overview
from autograder.classroom.progress import ClassProgress
from autograder.classroom.roster import Handed, read_class
from autograder.classroom.task import Order, faces, grade_one, not_graded
from autograder.data import find_data
from autograder.report import ReportError, as_text, write_atomically
from autograder.sandbox import close_to_students
from autograder.submission import SubmissionError
from fewshot.work import Start, work_through

RESULTS, FEEDBACK = "results.json", "feedback.html"


def grade_class(
    path: Path,
    out: Path,
    start: Start,
    data: Path | None,
    train: str,
    seed: int | None,
    only: list[str],
    force: bool,
) -> str:
    """Grade what has not been graded yet, and write the lists and the page about all.

    Args:
        path: a folder or a zip of submissions.
        out: the folder of grades.
        start: makes workers.
        data: an image folder; None takes a usual one.
        train: "resume", "scratch" or "off".
        seed: of everything that is drawn; None takes that of the journal.
        only: folders, names, numbers or addresses of those to grade; none means all.
        force: grade them even if nothing has changed.

    Returns:
        What was done, in a sentence.

    Raises:
        SubmissionError: there are no submissions at `path`, or none is called like one of `only`.
        DataError: the images cannot be used.
        JournalError, ReportError: `out` cannot be written to, or another run does.
        WorkersError, WorkerError: nobody can grade.
    """
    handed = read_class(path)
    close_to_students(path)  # they could copy from each other
    chosen = choose(handed, only)
    data = find_data(data).absolute()
    with open_journal(out) as journal:
        close_to_students(out)
        of_class = journal.seed(secrets.randbelow(2**31) if seed is None else seed)
        seed = of_class if seed is None else seed
        order = Order(str(path), data, train, seed, grader_digest(), data_digest(data))
        rest = (order.grader, order.images, order.train, order.seed)
        keys = {one.folder: grading_key(one.submission, *rest) for one in handed}
        known = journal.keys()
        todo = [
            one
            for one in chosen
            if force or known.get(one.folder) != keys[one.folder] or not written(out, one)
        ]
        try:
            with ClassProgress(len(chosen), len(chosen) - len(todo)) as progress:

                def finish(one: Handed, graded: tuple[dict, str]) -> None:
                    results, page = graded
                    folder = make_folder(out / one.folder)
                    write_atomically(folder / FEEDBACK, page)
                    write_atomically(folder / RESULTS, as_text(results))
                    journal.write(one.folder, keys[one.folder], results)
                    progress.advance(one.folder, results["score"])

                def leave(one: Handed) -> None:
                    finish(one, faces(not_graded("Every process that graded this died")))

                work_through(todo, partial(grade_one, order=order), start, finish, leave)
        finally:
            write_lists(out, handed, journal, order)
    return (
        f"{len(todo)} graded, {len(chosen) - len(todo)} had been before. "
        f"Look at {out / 'index.html'}; {out / 'grades.csv'} is for Canvas."
    )


def choose(handed: list[Handed], only: list[str]) -> list[Handed]:
    """Those that were asked for by any of their names."""
    if not only:
        return handed
    names = {}
    for one in handed:
        of_people = [value for person in one.people for value in vars(person).values()]
        for name in [one.folder, *filter(None, of_people)]:
            names.setdefault(name.casefold(), []).append(one)
    chosen = {}
    for name in only:
        if name.casefold() not in names:
            close = difflib.get_close_matches(name.casefold(), names, n=3)
            hint = f" Did you mean {' or '.join(close)}?" if close else ""
            raise SubmissionError(f"--only {name}: nobody has that name.{hint}")
        chosen |= {one.folder: one for one in names[name.casefold()]}
    return list(chosen.values())


def written(out: Path, one: Handed) -> bool:
    """Whether its files are there."""
    return all((out / one.folder / name).is_file() for name in (RESULTS, FEEDBACK))


def write_lists(out: Path, handed: list[Handed], journal: Journal, order: Order) -> None:
    """The lists and the page about all who have been graded."""
    known = journal.keys()
    graded = [
        Graded(one.folder, one.people, journal.results(one.folder))
        for one in handed
        if one.folder in known
    ]
    facts = {"submissions": order.submissions, "handed in": len(handed), "graded": len(graded)}
    facts |= {"train": order.train, "seed": order.seed, "images": order.data.name}
    write_atomically(out / "grades.csv", canvas_csv(graded))
    write_atomically(out / "scores.csv", plain_csv(graded))
    write_atomically(out / "index.html", overview(graded, facts))


def make_folder(folder: Path) -> Path:
    """A folder for the grades of one submission."""
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise ReportError(f"Cannot make {folder} ({error.strerror}).") from error
    return folder
