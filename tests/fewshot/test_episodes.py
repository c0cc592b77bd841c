"""Episodes have the promised layout, and every choice in them is uniform.

The statistical tests draw with fixed seeds, so they give the same verdict on every run; their
bounds are those that a correct sampler misses with probability 1e-9.
"""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fewshot.data.episodes import Episodes
from fewshot.data.errors import DataError
from fewshot.data.store import Store

CHARACTERS, IMAGES = 40, 20


def coded_store():
    """A store in which pixel 0 of an image is its character and pixel 1 its number."""
    images = torch.zeros(CHARACTERS, IMAGES, 784, dtype=torch.uint8)
    images[:, :, 0] = torch.arange(CHARACTERS)[:, None]
    images[:, :, 1] = torch.arange(IMAGES)
    images[:, :, 2] = 255
    return Store(images, [f"A/character{i:02d}" for i in range(CHARACTERS)])


STORE = coded_store()
ALL = torch.arange(CHARACTERS)


def decode(images):
    """The (character, number) that each image shows."""
    codes = (images[..., :2] * 255).round().long()
    return codes[..., 0], codes[..., 1]


def identity_of(character, number):
    return character * IMAGES + number


def assert_uniform(counts, false_fail=1e-9):
    """Chi-square against equal counts, by the Wilson-Hilferty approximation of its quantile."""
    counts = counts.double()
    assert counts.mean() >= 20, "too few draws for the approximation"
    statistic = ((counts - counts.mean()) ** 2 / counts.mean()).sum().item()
    freedom = len(counts) - 1
    z = math.sqrt(2) * torch.erfinv(torch.tensor(1 - 2 * false_fail, dtype=torch.float64)).item()
    bound = freedom * (1 - 2 / (9 * freedom) + z * math.sqrt(2 / (9 * freedom))) ** 3
    assert statistic < bound, f"chi-square {statistic:.1f} is above {bound:.1f}"


shapes = given(
    batch=st.integers(1, 6),
    shot=st.integers(1, IMAGES - 1),
    classes=st.integers(1, CHARACTERS),
    seed=st.integers(0, 2**63 - 1),
)


@shapes
@settings(max_examples=40, deadline=None)
def test_blocks_have_the_homeworks_layout(batch, shot, classes, seed):
    images, labels = Episodes(STORE, ALL, classes, shot, seed).blocks(batch)
    assert images.shape == (batch, shot + 1, classes, 784)
    assert labels.shape == (batch, shot + 1, classes, classes)
    assert images.dtype == labels.dtype == torch.float32
    assert images.is_contiguous()
    assert labels.is_contiguous()
    assert images.min() == 0
    assert images.max() == 1

    character, number = decode(images)
    assert (labels[:, :-1] == torch.eye(classes)).all()
    assert (labels.sum(-1) == 1).all()
    assert (labels.sum(-2) == 1).all()
    assert ((labels == 0) | (labels == 1)).all()
    # Labels and images agree: the character with label e_n is that of column n, in every row.
    first = character[:, :1]
    assert (first.expand_as(character).gather(2, labels.argmax(-1)) == character).all()
    for episode in range(batch):
        assert first[episode].unique().numel() == classes
        shown = identity_of(character[episode], number[episode])
        assert shown.unique().numel() == (shot + 1) * classes


@shapes
@settings(max_examples=40, deadline=None)
def test_sequences_hold_each_class_equally_often_with_the_label_one_step_late(
    batch, shot, classes, seed
):
    images, previous, targets = Episodes(STORE, ALL, classes, seed=seed).sequences(batch, shot)
    steps = classes * shot
    assert images.shape == (batch, steps, 784)
    assert previous.shape == (batch, steps, classes)
    assert targets.shape == (batch, steps)
    assert images.dtype == previous.dtype == torch.float32
    assert targets.dtype == torch.int64

    assert (previous[:, 0] == 0).all()
    assert (previous[:, 1:] == torch.eye(classes)[targets[:, :-1]]).all()
    character, number = decode(images)
    for episode in range(batch):
        assert (targets[episode].bincount(minlength=classes) == shot).all()
        assert identity_of(character[episode], number[episode]).unique().numel() == steps
        pairs = torch.stack([character[episode], targets[episode]], 1).unique(dim=0)
        assert len(pairs) == len(pairs[:, 0].unique()) == classes


def test_every_order_of_the_query_is_equally_likely():
    _, labels = Episodes(STORE, ALL, 4, seed=1).blocks(4800)
    order = labels[:, -1].argmax(-1)
    codes = (order * torch.tensor([64, 16, 4, 1])).sum(1)
    _, counts = codes.unique(return_counts=True)
    assert len(counts) == math.factorial(4)
    assert_uniform(counts)


def test_every_character_is_equally_likely_in_every_place():
    images, _ = Episodes(STORE, ALL, 5, seed=2).blocks(4000)
    character, _ = decode(images)
    for place in range(5):
        assert_uniform(character[:, 0, place].bincount(minlength=CHARACTERS))


def test_every_ordered_pair_of_characters_is_equally_likely():
    some = torch.tensor([3, 8, 11, 20, 39])
    images, _ = Episodes(STORE, some, 2, seed=3).blocks(4000)
    character, _ = decode(images)
    codes, counts = (
        (character[:, 0] * torch.tensor([CHARACTERS, 1])).sum(1).unique(return_counts=True)
    )
    assert len(codes) == 5 * 4
    assert_uniform(counts)


def test_every_image_is_equally_likely_in_every_row():
    images, _ = Episodes(STORE, ALL, 1, 5, seed=4).blocks(4000)
    _, number = decode(images)
    for row in range(6):
        assert_uniform(number[:, row, 0].bincount(minlength=IMAGES))


def test_every_image_of_every_character_is_equally_likely():
    """The character says nothing of which of its images is taken, in either row."""
    images, _ = Episodes(STORE, ALL, 1, 1, seed=9).blocks(16000)
    shown = identity_of(*decode(images))
    for row in range(2):
        assert_uniform(shown[:, row, 0].bincount(minlength=CHARACTERS * IMAGES))


def test_every_ordered_pair_of_images_is_equally_likely():
    images, _ = Episodes(STORE, ALL, 1, 1, seed=5).blocks(20000)
    _, number = decode(images)
    codes = number[:, 0, 0] * IMAGES + number[:, 1, 0]
    _, counts = codes.unique(return_counts=True)
    assert len(counts) == IMAGES * (IMAGES - 1)
    assert_uniform(counts)


def test_the_classes_of_an_episode_are_drawn_apart():
    """One class's images say nothing of the other's."""
    images, _ = Episodes(STORE, ALL, 2, 1, seed=6).blocks(12000)
    _, number = decode(images)
    assert_uniform((number[:, 0, 0] * IMAGES + number[:, 0, 1]).bincount(minlength=IMAGES**2))


def test_every_order_of_a_sequence_is_equally_likely():
    _, _, targets = Episodes(STORE, ALL, 2, seed=7).sequences(4000, 2)
    codes = (targets * torch.tensor([8, 4, 2, 1])).sum(1)
    _, counts = codes.unique(return_counts=True)
    assert len(counts) == 6  # 4 steps, 2 of each label
    assert_uniform(counts)


def test_a_character_gets_every_label_of_a_sequence():
    images, _, targets = Episodes(STORE, ALL, 3, seed=8).sequences(4000, 1)
    character, _ = decode(images)
    assert_uniform((character * 3 + targets).flatten().bincount(minlength=CHARACTERS * 3))


def test_only_the_splits_characters_are_drawn():
    some = torch.tensor([39, 2, 17])
    images, _ = Episodes(STORE, some, 3).blocks(50)
    assert decode(images)[0].unique().tolist() == [2, 17, 39]


def test_two_samplers_with_one_seed_agree_and_others_do_not():
    def stream(seed):
        episodes = Episodes(STORE, ALL, 5, 1, seed)
        return [episodes.blocks(8), episodes.sequences(8, 3), episodes.blocks(8)]

    def same(one, other):
        pairs = zip(one, other, strict=True)
        return all(torch.equal(a, b) for x, y in pairs for a, b in zip(x, y, strict=True))

    assert same(stream(1), stream(1))
    assert not same(stream(1), stream(2))


def test_a_saved_state_resumes_the_stream():
    episodes = Episodes(STORE, ALL, 5)
    episodes.blocks(3)
    state = episodes.generator.get_state()
    images, labels = episodes.blocks(3)
    episodes.generator.set_state(state)
    again, labels_again = episodes.blocks(3)
    assert torch.equal(images, again)
    assert torch.equal(labels, labels_again)


def test_global_random_state_is_left_alone():
    before = torch.get_rng_state()
    episodes = Episodes(STORE, ALL, 5)
    episodes.blocks(3)
    episodes.sequences(3, 2)
    assert torch.equal(before, torch.get_rng_state())


def test_a_batch_is_the_callers_to_change():
    episodes = Episodes(STORE, ALL, CHARACTERS, IMAGES - 1)
    images, labels = episodes.blocks(1)
    images.zero_()
    labels.zero_()
    images, labels = episodes.blocks(1)
    assert identity_of(*decode(images)).unique().numel() == CHARACTERS * IMAGES
    assert (labels.sum(-1) == 1).all()


@pytest.mark.parametrize(
    ("classes", "shot", "words"),
    [
        (0, 1, "num_classes is 0"),
        (-1, 1, "num_classes is -1"),
        (CHARACTERS + 1, 1, f"characters are only {CHARACTERS}"),
        (5, 0, "num_shot is 0"),
        (5, IMAGES, "num_shot is 20"),
    ],
)
def test_impossible_episodes_are_refused(classes, shot, words):
    with pytest.raises(DataError, match=words):
        Episodes(STORE, ALL, classes, shot)


def test_impossible_batches_are_refused():
    episodes = Episodes(STORE, ALL, 5)
    with pytest.raises(DataError, match="batch_size is 0"):
        episodes.blocks(0)
    with pytest.raises(DataError, match="batch_size is -3"):
        episodes.sequences(-3, 2)
    with pytest.raises(DataError, match="images_per_class is 0"):
        episodes.sequences(1, 0)
    with pytest.raises(DataError, match="images_per_class is 21"):
        episodes.sequences(1, IMAGES + 1)
