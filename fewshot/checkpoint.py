"""Checkpoints: a run that was stopped goes on as if it had not been."""

import os
from contextlib import suppress
from pathlib import Path

import torch
from torch import nn

from fewshot.commands import CommandError

DAMAGED = "{} is damaged: delete it, or name another folder."


class Checkpoint:
    """Where a training keeps what its next step depends on.

    Args:
        path: the file.
        settings: what must be the same for a run to go on.
        model, optimizer, generator: whose states are kept.
    """

    def __init__(
        self,
        path: Path,
        settings: dict,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        generator: torch.Generator,
    ) -> None:
        self.path = path
        self.settings = settings
        self.model = model
        self.optimizer = optimizer
        self.generator = generator

    def restore(self) -> dict:
        """Put the states back as they were saved.

        Returns:
            What else was saved, by name; nothing if there is no file.

        Raises:
            CommandError: the file is damaged or of other settings.
        """
        found = load(self.path, self.settings)
        if found is None:
            return {}
        try:
            self.model.load_state_dict(found["model"])
            self.optimizer.load_state_dict(found["optimizer"])
            self.generator.set_state(found["generator"])
        except (KeyError, RuntimeError) as error:  # another program's, or another version's
            raise CommandError(DAMAGED.format(self.path)) from error
        return found

    def save(self, **more) -> None:
        """Keep the states as they are, and what else is given.

        Raises:
            CommandError: the file cannot be written.
        """
        states = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
        }
        save(self.path, {"settings": self.settings, **states, **more})


def save(path: Path, content: dict) -> None:
    """`torch.save`, but a run killed half-way leaves the old file whole.

    Raises:
        CommandError: the file cannot be written.
    """
    partial = path.with_suffix(".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:  # by itself, PyTorch would not say why it cannot
            torch.save(content, file)
        os.replace(partial, path)
    except (OSError, RuntimeError) as error:
        with suppress(OSError):
            partial.unlink()
        reason = f"{error.strerror}." if isinstance(error, OSError) else "is the disk full?"
        raise CommandError(f"Cannot write {path}: {reason}") from error


def load(path: Path, settings: dict) -> dict | None:
    """What `save` has written, if it is of the same settings.

    Args:
        path: the file.
        settings: what must be equal to the file's "settings" for a run to go on.

    Returns:
        The content; None if there is no file.

    Raises:
        CommandError: the file is damaged or of other settings.
    """
    if not path.exists():
        return None
    try:
        content = torch.load(path, weights_only=True, map_location="cpu")
        theirs = content["settings"]
    except Exception as error:  # damage has many names
        raise CommandError(DAMAGED.format(path)) from error
    for name, value in settings.items():
        if theirs.get(name) != value:
            raise CommandError(
                f"{path} was made with {name} {theirs.get(name)}, not {value}: "
                "keep to it, or name another folder."
            )
    return content
