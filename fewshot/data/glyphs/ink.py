"""From the path of the pen to the pixels, in whole numbers."""

import numpy as np

SIDE = 28
PEN = 1.18  # width of the pen's square tip, pixels
SAMPLES = 12  # between two points of a curve; at most half a pixel apart
ONE = 1024  # a pixel, in the fixed point that the ink is computed in


def curve(points: np.ndarray) -> np.ndarray:
    """Catmull-Rom splines: [..., pieces, 7, 2] points → [..., pieces, 6 * SAMPLES + 1, 2]."""
    first = 2 * points[..., :1, :] - points[..., 1:2, :]
    last = 2 * points[..., -1:, :] - points[..., -2:-1, :]
    padded = np.concatenate([first, points, last], axis=-2)
    before, start, stop, after = (
        padded[..., k : padded.shape[-2] - 3 + k, None, :] for k in range(4)
    )
    t = (np.arange(SAMPLES) / SAMPLES)[:, None]
    slope, drop = (stop - before) / 2, (after - start) / 2
    path = (
        start
        + t * slope
        + t * t * (3 * (stop - start) - 2 * slope - drop)
        + t * t * t * (2 * (start - stop) + slope + drop)
    )
    path = path.reshape(*path.shape[:-3], -1, 2)
    return np.concatenate([path, points[..., -1:, :]], axis=-2)


def draw(image: np.ndarray, path: np.ndarray, width: np.ndarray) -> np.ndarray:
    """Ink the pixels whose centres the pen's tip passes over.

    Args:
        image: [n], which image each position of the pen belongs to.
        path: [n, 2] positions of the pen, x right and y down, pixels.
        width: [count] of the pen's square tip in each image, from 1 to 2 pixels.

    Returns:
        uint8 [count, 28, 28], ink 255 and paper 0. What leaves the image is lost.
    """
    canvas = np.zeros((len(width), SIDE, SIDE), np.uint8)
    fixed = np.floor(path * ONE).astype(np.int64) - ONE // 2  # from the centre of pixel (0, 0)
    reach = np.floor(width * (ONE // 2)).astype(np.int64)[image, None]
    first = -((reach - fixed) // ONE)  # the pixel furthest left and up within reach
    for right, down in ((0, 0), (0, 1), (1, 0), (1, 1)):
        pixel = first + np.array([right, down])
        inked = ((pixel * ONE - fixed <= reach) & (pixel >= 0) & (pixel < SIDE)).all(axis=1)
        canvas[image[inked], pixel[inked, 1], pixel[inked, 0]] = 255
    return canvas
