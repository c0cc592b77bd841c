"""Normalised drawings: one place, one size, and the same strokes."""

import pytest
import torch

from fewshot.data.episodes import Episodes
from fewshot.data.normalise import SPREAD, normalise, normalised
from fewshot.data.store import Store
from fewshot.learners.learner import accuracy
from fewshot.learners.registry import LEARNERS


@pytest.fixture(scope="module")
def store(data_folder):
    return Store.load(data_folder)


def moments(images):
    """Centre [images, 2] and spread [images], pixel by pixel."""
    pictures = images.reshape(-1, 28, 28).double()
    places = torch.cartesian_prod(torch.arange(28.0), torch.arange(28.0)).double() - 13.5
    ink = pictures.flatten(1) / pictures.sum((1, 2))[:, None]
    centre = ink @ places
    square = ((places - centre[:, None]) ** 2).sum(2)
    return centre, ((ink * square).sum(1) / 2).sqrt()


def test_every_drawing_is_in_the_middle_and_of_one_size(store):
    images = store.images[::20, 0].float() / 255
    centre, spread = moments(normalise(images))
    assert (centre.norm(dim=1) < 0.5).float().mean() > 0.97  # few are wider than an image
    assert ((spread - SPREAD).abs() < 0.3).float().mean() > 0.97
    assert moments(images)[0].norm(dim=1).mean() > 1.5


def test_where_it_was_drawn_makes_no_difference():
    image = torch.zeros(28, 28, dtype=torch.float64)
    image[10:18, 9] = image[12, 9:16] = 1
    moved = image.roll((4, -5), (0, 1))
    torch.testing.assert_close(normalise(moved.flatten()), normalise(image.flatten()))


def test_how_large_it_was_drawn_makes_little_difference():
    """The same triangle in two sizes has most of its ink in common, as before it had not."""
    small, large = (torch.zeros(28, 28).double() for _ in range(2))
    for picture, side in ((small, 8), (large, 16)):
        for row in range(side):
            picture[2 + row, 3 : 4 + row] = 1

    def shared(a, b):
        return torch.minimum(a, b).sum() / torch.maximum(a, b).sum()

    assert shared(small, large) < 0.3
    assert shared(normalise(small.flatten()), normalise(large.flatten())) > 0.8


def test_paper_stays_paper_and_a_dot_a_dot():
    images = torch.zeros(2, 784)
    images[1, 300] = 1
    paper, dot = normalise(images)
    assert not paper.any()
    assert 0 < (dot > 0).sum() <= 36  # no more than six pixels a side


def test_it_works_side_by_side_and_passes_gradients():
    images = torch.rand(2, 3, 784, generator=torch.Generator().manual_seed(1)).double()
    alone = torch.stack([normalise(image) for image in images.flatten(0, 1)])
    together = torch.func.vmap(normalise)(images)
    torch.testing.assert_close(together, alone.view(images.shape))
    torch.testing.assert_close(normalise(images), together)
    one = images[0, :1].clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: normalise(x)[:, ::97], one)


def test_neighbours_by_pixels_find_each_other(store):
    """The difference was 33 points, and over 300 tasks its standard error is 1.8, so a test for 20
    fails once in 10^12 seeds."""
    found = []
    learner = LEARNERS["nearest_pixels"](5, 1)
    for images in (store, normalised(store)):
        episodes = Episodes(images, store.split("lake", "test"), 5, 1, seed=1)
        found.append(accuracy(learner(*(block := episodes.blocks(300))), block[1]).mean())
    assert found[1] > found[0] + 0.2
