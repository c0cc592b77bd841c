"""A submission of the corpus: how it differs from the reference, and what should come of it."""

import re
import textwrap
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

SOLUTIONS = Path(__file__).parents[3] / "solutions"
ANSWER = re.compile(
    r"^ {8}# BEGIN SOLUTION (?P<problem>.+)\n(?P<body>(?:.*\n)*?) {8}# END SOLUTION\n",
    re.MULTILINE,
)

# Lines of the reference that edits replace in more than one place.
IMPORTS_1 = "import functools\n"  # the first code of load_data.py
IMPORTS_2 = "import argparse\n"  # the first code of hw1.py
FOLDERS = "random.sample(self.folders, N)"
FILES = "[random.sample(list_images(folder), K + 1) for folder in folders]"
QUERY = "random.sample(range(N), N)"
RETURN_TASK = "return images, labels\n"

PARTS = frozenset({"sampler", "forward", "loss"})


@dataclass(frozen=True)
class Case:
    """A submission, as the difference between it and the reference.

    Attributes:
        name: of the case and of its folder.
        part: where a mutant loses its points, and only there: "sampler", "forward" or "loss".
        mistake: the id that the autograder should name, None if its catalogue has none.
        sample: new body of `_sample`, and so on; empty keeps the reference's.
        edits: (file, old, new) replacements made after that; `old` occurs exactly once.
        files: further files, by name; None instead of a content takes the file away.
        build: changes the folder, or makes something else of it, and returns what is handed in.
        base: an attack without its trick.
        stops: whether a mutant ends with an exception, on purpose.
        graded: of an unusable submission, the parts that nevertheless keep all their points.
        says: a piece of the sentence that an unusable submission gets, whatever its case.
    """

    name: str
    part: str = ""
    mistake: str | None = None
    sample: str = ""
    forward: str = ""
    loss: str = ""
    edits: tuple[tuple[str, str, str], ...] = ()
    files: Mapping[str, str | bytes | None] = field(default_factory=dict)
    build: Callable[[Path], Path] | None = None
    base: "Case | None" = None
    stops: bool = False
    graded: frozenset[str] = PARTS
    says: str = ""


REFERENCE = Case("reference")


def named(cases: Iterable[Case], names: Iterable[str] | None) -> list[Case]:
    """The cases of these names; all if there are none.

    Raises:
        SystemExit: no case has one of the names.
    """
    by_name = {case.name: case for case in cases}
    if unknown := {*(names or by_name)} - by_name.keys():
        raise SystemExit(f"The corpus has no {', '.join(sorted(unknown))} of this kind.")
    return [by_name[name] for name in names or by_name]


def stub(problem: str) -> str:
    """The body that the starter has where an answer is missing."""
    return f'raise NotImplementedError("Problem {problem} is not filled in")'


STUBS = Case("stubs", sample=stub("1"), forward=stub("2a"), loss=stub("2b"))


def texts(case: Case) -> dict[str, str]:
    """hw1.py and load_data.py of a case, before `files` and `build` have their say.

    Raises:
        ValueError: the old text of an edit does not occur exactly once.
    """
    bodies = {"Problem 1": case.sample, "Problem 2a": case.forward, "Problem 2b": case.loss}

    def answer(match: re.Match) -> str:
        body = bodies[match["problem"]]
        return (
            textwrap.indent(textwrap.dedent(body).strip("\n"), " " * 8) + "\n" * bool(body)
            or (match["body"])
        )

    made = {}
    for name in ("hw1.py", "load_data.py"):
        made[name] = ANSWER.sub(answer, (SOLUTIONS / name).read_text(encoding="utf-8"))
    for name, old, new in case.edits:
        if made[name].count(old) != 1:
            raise ValueError(f"{case.name}: {name} has {old!r} {made[name].count(old)} times")
        made[name] = made[name].replace(old, new)
    return made


def write(case: Case, folder: Path) -> Path:
    """Make the submission below `folder`.

    Returns:
        What a student would hand in: the folder `folder/NAME`, or the zip that was made of it.
    """
    home = folder / case.name
    home.mkdir(parents=True)
    for name, content in {**texts(case), **case.files}.items():
        if content is None:
            continue
        file = home / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return case.build(home) if case.build else home
