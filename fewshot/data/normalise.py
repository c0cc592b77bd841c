"""Drawings of one place and one size: two of the same character have more pixels in common."""

import torch
import torch.nn.functional as F

from fewshot.data.store import SIDE, Store

SPREAD = 5.0  # of every normalised drawing, in pixels; more than that cuts ends off the widest
LEAST = 2.0  # of one that is measured: a dot is not blown up to a blot
MIDDLE = (SIDE - 1) / 2
AT_ONCE = 100  # characters; the weights of all of them would take half a gigabyte


def normalised(store: Store) -> Store:
    """A store of the same characters, each image normalised.

    Args:
        store: of 28×28 images.
    """
    parts = [normalise(part.to(torch.float32) / 255) for part in store.images.split(AT_ONCE)]
    images = (255 * torch.cat(parts)).round().to(torch.uint8)
    return Store(images, store.characters)


def normalise(images: torch.Tensor) -> torch.Tensor:
    """Move and scale every drawing by its moments: [..., 784] → the same shape.

        centre  = Σ ink · place / Σ ink
        spread² = Σ ink · ‖place - centre‖² / (2 Σ ink)

    after which the centre is that of the image and the spread is `SPREAD`. (Casey 1970, "Moment
    normalization of handprinted characters", without its change of slant.) Nobody draws a
    character twice in one place and size, and a learner would spend most of its time on that.

    Args:
        images: ink 1 and paper 0. One without ink stays as it is.
    """
    pictures = images.reshape(-1, SIDE, SIDE)
    places = torch.arange(SIDE, dtype=images.dtype, device=images.device) - MIDDLE
    ink = pictures.sum((1, 2)).clamp(min=torch.finfo(images.dtype).tiny)[:, None]
    rows, columns = pictures.sum(2) / ink, pictures.sum(1) / ink  # how the ink is spread
    down, right = (rows @ places)[:, None], (columns @ places)[:, None]
    square = (rows * (places - down) ** 2 + columns * (places - right) ** 2).sum(1, keepdim=True)
    scale = (square / 2).sqrt().clamp(min=LEAST) / SPREAD
    normal = taps(down, scale) @ pictures @ taps(right, scale).mT
    return normal.clamp(max=1).view(images.shape)


def taps(centre: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """Weights of old places in new ones, along one side: linear interpolation, or, where a
    drawing becomes smaller, the mean under a triangle as wide as a new pixel.

    Args:
        centre, scale: [images, 1], in pixels; a new place x lies at centre + scale · x.

    Returns:
        [images, new places, old places]
    """
    places = torch.arange(SIDE, dtype=centre.dtype, device=centre.device) - MIDDLE
    looked_at = centre + scale * places
    width = scale.clamp(min=1)[..., None]
    return F.relu(1 - (places - looked_at[..., None]).abs() / width) / width
