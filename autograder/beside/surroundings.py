"""What a submission finds other than elsewhere: old images, no GPU, no compiler, one thread."""

import re
import sys

import imageio
import imageio.v2
import imageio.v3
import numpy as np
import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from autograder.beside import HOME

old_images = False  # whether 1-bit images may be read as bytes; see `read_bytes`
ON_GPU = re.compile(r"device\s*(?:=|\()\s*([\"'])cuda(:\d)?\1(?! if )")


def prepare(notes):
    """Make all of it so, before the submission is imported."""
    read_bytes()
    stay_on_cpu(notes)
    compile_nothing()
    keep_threads()


def read_bytes():
    """Let imageio give 1-bit images as bytes to who expects bytes, as it did some years ago.

    Today it gives booleans, and the old starter's division by 255 would leave hardly any contrast.
    """

    def expects_bytes(frame):
        """Whether the innermost function of the submission that has a 255 or a bool has no bool."""
        while frame:
            code = frame.f_code
            if code.co_filename.startswith(str(HOME)):
                if "bool" in code.co_names:
                    return False
                values = [*code.co_consts, *map(frame.f_globals.get, code.co_names)]
                if any(type(x) in (int, float) and x in (255, 1 / 255) for x in values):
                    return True
            frame = frame.f_back
        return False

    def as_bytes(read):
        def imread(*args, **kwargs):
            image = read(*args, **kwargs)
            if old_images and image.dtype == bool and expects_bytes(sys._getframe(1)):
                image = image.astype(np.uint8) * 255
            return image

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

    class Staying(TorchFunctionMode):
        """Makes tensors of a `device=` without replacing functions: TorchScript takes no others."""

        def __torch_function__(self, func, types, args=(), kwargs=None):
            kwargs = kwargs or {}
            if "device" in kwargs:
                kwargs = kwargs | {"device": stay(kwargs["device"])}
            return func(*args, **kwargs)

    if not torch.cuda.is_available():
        for kind in (torch.Tensor, nn.Module):
            kind.cuda, kind.to = cuda, staying(kind.to)
        # Not for everybody: it makes every call of torch slower.
        if any(ON_GPU.search(file.read_text(encoding="utf-8")) for file in HOME.glob("*.py")):
            Staying().__enter__()


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
