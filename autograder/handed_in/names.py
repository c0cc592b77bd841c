"""Names from students, fit for a message."""

from pathlib import PurePosixPath


def clean(name: str) -> str:
    """A name from a student, fit for a message: no control characters, and not long."""
    name = "".join(letter if letter.isprintable() else "?" for letter in name)
    return name if len(name) <= 80 else f"{name[:40]}…{name[-39:]}"


def join(names: list[str]) -> str:
    """Up to three names and how many more, as in a sentence."""
    shown = [clean(name) for name in names[:3]]
    if len(names) > 3:
        shown.append(f"{len(names) - 3} more")
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)


def show_folder(folder: PurePosixPath) -> str:
    """A folder's name, as in a sentence."""
    return f"folder {folder}" if folder.parts else "the top folder"
