"""What a submission finds other than elsewhere: old images, no GPU, no compiler, one thread."""

import re

import imageio
import imageio.v2
import imageio.v3
import numpy as np
import torch
from torch import nn

from autograder.beside import HOME

ON_GPU = re.compile(r"device\s*=\s*([\"'])cuda(:\d)?\1(?! if )")
MAKERS = "as_tensor tensor arange linspace eye randint randperm full full_like empty empty_like"
MAKERS += " ones ones_like rand rand_like randn randn_like zeros zeros_like"


def prepare(notes):
    """Make all of it so, before the submission is imported."""
    read_bytes()
    stay_on_cpu(notes)
    compile_nothing()
    keep_threads()


def read_bytes():
    """Let imageio give 1-bit images as bytes, 0 and 255, as it did when the starter was written.

    Today it gives booleans, and the starter's division by 255 would leave hardly any contrast.
    """

    def as_bytes(read):
        def imread(*args, **kwargs):
            image = read(*args, **kwargs)
            return image.astype(np.uint8) * 255 if image.dtype == bool else image

        return imread

    for library in (imageio, imageio.v2, imageio.v3):
        library.imread = as_bytes(library.imread)


def stay_on_cpu(notes):
    """Let everything stay where it is that a submission sends to a GPU, if there is none.

    A note says so once for each way to send it.
    """

    def say(call):
        note = f"There is no GPU here: {call} does nothing. Write .to(device) to run anywhere."
        if note not in notes:
            notes.append(note)

    def cuda(self, *args, **kwargs):
        say(".cuda()")
        return self

    def stay(value):
        kind = str(value) if isinstance(value, str | torch.device) else ""
        if not kind.startswith("cuda"):
            return value
        say('moving to "cuda"')
        return "cpu"

    def staying(call):
        def wrapped(*args, **kwargs):
            kwargs = {name: stay(value) for name, value in kwargs.items()}
            return call(*map(stay, args), **kwargs)

        return wrapped

    if not torch.cuda.is_available():
        for kind in (torch.Tensor, nn.Module):
            kind.cuda, kind.to = cuda, staying(kind.to)
        # Not for everybody: TorchScript takes no functions in the place of these.
        if any(ON_GPU.search(file.read_text(encoding="utf-8")) for file in HOME.glob("*.py")):
            for name in MAKERS.split():
                setattr(torch, name, staying(getattr(torch, name)))


def compile_nothing():
    """Let `torch.compile` leave everything as it is.

    It changes no value, and takes a minute, a compiler and more memory than there is.
    """

    def leave(model=None, **options):
        return leave if model is None else model

    torch.compile = leave
    nn.Module.compile = lambda self, *args, **kwargs: None


def keep_threads():
    """Let no submission say how many threads compute: two on a busy core are ten times slower."""
    torch.set_num_threads = torch.set_num_interop_threads = lambda count: None
