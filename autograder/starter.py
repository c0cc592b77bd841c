"""The starter: the solutions with every answer replaced by a stub."""

import re
from pathlib import Path

FILES = ("hw1.py", "load_data.py")
SOLUTIONS = Path(__file__).parent.parent / "solutions"
ANSWER = re.compile(
    r"^(?P<indent> *)# BEGIN SOLUTION (?P<problem>.+)\n(?:.*\n)*?(?P=indent)# END SOLUTION\n",
    re.MULTILINE,
)
STUB = '{indent}raise NotImplementedError("{problem} is not filled in")\n'


class StarterError(Exception):
    """Why no starter was written, in a sentence."""


def make_starter(solution: str) -> str:
    """Replace each marked answer in the text of a solution by a stub that names its problem."""
    return ANSWER.sub(lambda answer: STUB.format(**answer.groupdict()), solution)


def starter_texts() -> dict[str, str]:
    """The starter's files: name → text."""
    return {name: make_starter((SOLUTIONS / name).read_text(encoding="utf-8")) for name in FILES}


def write_starter(folder: Path) -> list[Path]:
    """Write the starter's two files into `folder`.

    Returns:
        The files that were written.

    Raises:
        StarterError: a file there has been filled in. It stays as it is.
    """
    starters = {folder / name: text for name, text in starter_texts().items()}
    for file, text in starters.items():
        if file.exists() and count_stubs(file.read_text(encoding="utf-8")) < count_stubs(text):
            raise StarterError(f"{file} has been filled in: move it away before making a new one.")
    for file, text in starters.items():
        file.write_text(text, encoding="utf-8")
    return list(starters)


def count_stubs(text: str) -> int:
    """How many problems of a starter are still open."""
    stub = r'^ *raise NotImplementedError\("Problem .+ is not filled in"\)$'
    return len(re.findall(stub, text, re.MULTILINE))
