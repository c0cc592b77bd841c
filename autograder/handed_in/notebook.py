"""The Python code of a notebook."""

import json
import re
from contextlib import suppress

from autograder.handed_in.sizes import MAX_FILE, too_large
from autograder.handed_in.syntax import parse
from autograder.handed_in.unpack import Entry, Unusable

# %matplotlib inline, !pip install, ?torch, torch.cat??, files = !ls
MAGIC = re.compile(r"%{1,2}[A-Za-z]|[!?]|[\w.]+\?{1,2}\s*$|[\w, ]+=\s*(?:!|%[A-Za-z])")
CELL_MAGIC = re.compile(r"%%(?!time|capture)")  # %%bash and its like: the cell is not Python


def is_notebook(entry: Entry) -> bool:
    """Whether a file is a notebook by its name."""
    return ".ipynb" in entry.path.name.lower()


def take_cells(notebook: str) -> str:
    """The code cells of a notebook, without IPython's own commands.

    Raises:
        Unusable: it is not a notebook, or has too much code.
    """
    try:
        cells = json.loads(notebook)["cells"]
        sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    except (ValueError, LookupError, TypeError, RecursionError):
        raise Unusable("is not a notebook that can be read: hand in its code as a script") from None
    sources = ["" if CELL_MAGIC.match(source.lstrip()) else source for source in sources]
    if sum(map(len, sources)) > MAX_FILE:
        raise too_large(MAX_FILE)
    return "\n\n".join(map(leave_out_magics, sources)) + "\n"


def leave_out_magics(cell: str) -> str:
    """Replace IPython's own lines by `pass`, so that blocks stay blocks."""
    with suppress(Unusable):  # a line that starts with % can be plain Python
        parse(cell)
        return cell
    lines = [(line, line.lstrip()) for line in cell.split("\n")]
    return "\n".join(
        line[: len(line) - len(code)] + "pass" if MAGIC.match(code) else line
        for line, code in lines
    )
