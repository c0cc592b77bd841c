"""The homework as students get it: stubs, images and public checks, and no answer."""

from collections.abc import Iterator
from pathlib import Path

from autograder.data import ROOT
from autograder.release import ReleaseError, pinned_packages
from autograder.report import ReportError, write_atomically
from autograder.starter import starter_texts
from autograder.zips import zip_bytes

FOR_STUDENTS = Path(__file__).parent / "for_students"  # what only they get, and its name there
OWN = {"README.md": "README.md", "Makefile": "Makefile", "gitignore": ".gitignore"}

# What is not listed stays here, so that a new file can give nothing away. No pattern reaches into
# the folders `hidden`, and the rubric tells what the hidden checks are worth, not how they check.
MODULES = ("__init__", "__main__", "bubblewrap", "check", "child", "context", "data", "grading")
MODULES += ("judge", "launcher", "layout", "progress", "questions", "record", "sandbox", "seeds")
MODULES += ("student", "submission", "submit", "tasks", "users", "wire", "zips")
SHARED = ["LICENSE", *(f"autograder/{name}.py" for name in MODULES), "autograder/rubric.toml"]
SHARED += [f"autograder/{folder}/*.py" for folder in ("beside", "checks", "handed_in", "mistakes")]
SHARED += ["autograder/report/*.*"]
SHARED += ["fewshot/*.py", "fewshot/data/*.py", "fewshot/data/glyphs/*.py"]
SHARED += ["fewshot/analysis/*.py", "report/report.md", "runs/README.md", "runs/reference/**/*"]
LEFT_OUT = ROOT / "fewshot/data/episodes.py"  # does what Problem 1 asks for


def write_student(out: Path) -> list[str]:
    """Write the zip.

    Args:
        out: a file; one that is there is replaced at once, when the new one is whole.

    Returns:
        The names in it.

    Raises:
        ReleaseError: it cannot be written.
    """
    files = {name: (FOR_STUDENTS / own).read_bytes() for own, name in OWN.items()}
    files |= {name: text.encode() for name, text in starter_texts().items()}
    files["requirements.txt"] = pinned_packages(sections=2)
    files |= {path.relative_to(ROOT).as_posix(): path.read_bytes() for path in list_shared()}
    try:
        write_atomically(out, zip_bytes(files))
    except ReportError as error:
        raise ReleaseError(str(error)) from error
    return sorted(files)


def list_shared() -> Iterator[Path]:
    """The files of this kit that students get as they are."""
    for pattern in SHARED:
        for path in ROOT.glob(pattern):
            if path.is_file() and path != LEFT_OUT:
                yield path
