"""What holds for every learner: a new one is tested here by being registered."""

import io
import math

import pytest
import torch

from fewshot.data.episodes import Episodes
from fewshot.data.store import Store
from fewshot.learners.learner import accuracy
from fewshot.learners.registry import LEARNERS

WAY, SHOT = 3, 2
EVERY = pytest.mark.parametrize("name", LEARNERS)


@pytest.fixture(scope="module")
def store(data_folder):
    """Sixty characters: enough for the widest training episode."""
    whole = Store.load(data_folder)
    return Store(whole.images[:60], whole.characters[:60])


def new(name, store, seed=0):
    """A learner ready to train, and its training episodes."""
    torch.manual_seed(seed)
    learner = LEARNERS[name](WAY, SHOT)
    learner.start()
    way = learner.train_way or WAY
    return learner, Episodes(store, torch.arange(len(store.characters)), way, SHOT, seed=seed)


@pytest.fixture(scope="module")
def trained(store):
    """A function: a learner after a step, in evaluation mode; made once."""
    made = {}

    def get(name):
        if name not in made:
            learner, train = new(name, store)
            if learner.optimizer is not None:
                learner.step(train, 0.5)
            made[name] = learner.eval()
        return made[name]

    return get


@pytest.fixture(scope="module")
def block(store):
    """Four tasks."""
    return Episodes(store, torch.arange(len(store.characters)), WAY, SHOT, seed=9).blocks(4)


@torch.no_grad()
def answer(learner, images, labels):
    """The logits of the query row."""
    return learner(images, labels)[:, -1]


@EVERY
def test_a_block_is_answered(name, trained, block):
    (images, labels), learner = block, trained(name)
    with torch.no_grad():
        logits = learner(images, labels)
    assert logits.shape == (4, SHOT + 1, WAY, WAY)
    assert logits.dtype == torch.float32
    assert logits.isfinite().all()
    assert accuracy(logits, labels).shape == (4,)


@EVERY
def test_labels_of_the_query_are_never_looked_at(name, trained, block):
    images, labels = block
    others = labels.clone()
    others[:, -1] = labels[:, -1].roll(1, dims=1)
    zeros = labels.clone()
    zeros[:, -1] = 0
    expected = answer(trained(name), images, labels)
    for changed in (others, zeros):
        assert torch.equal(answer(trained(name), images, changed), expected)


@EVERY
def test_labels_of_the_support_set_are(name, trained, block):
    images, labels = block
    others = labels.clone()
    others[:, :-1] = labels[:, :-1].roll(1, dims=2)
    learner = trained(name)
    assert not torch.allclose(answer(learner, images, others), answer(learner, images, labels))


@EVERY
def test_answering_changes_no_weight(name, trained, block):
    learner = trained(name)
    before = {key: value.clone() for key, value in learner.state_dict().items()}
    answer(learner, *block)
    after = learner.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[key], after[key]) for key in before)


@EVERY
def test_a_task_is_answered_alone_as_among_others(name, trained, block):
    images, labels = block
    learner = trained(name)
    alone = torch.cat([answer(learner, images[i : i + 1], labels[i : i + 1]) for i in range(4)])
    together = answer(learner, images, labels)
    torch.testing.assert_close(alone, together, rtol=1e-3, atol=1e-3)


@EVERY
def test_learning_goes_on_where_it_was_saved(name, store):
    learner, train = new(name, store)
    if learner.optimizer is None:
        pytest.skip("has nothing to learn")
    weights = {key: value.clone() for key, value in learner.state_dict().items()}
    loss = learner.step(train, 0.5)
    assert math.isfinite(loss)
    saved = learner.state_dict(), learner.optimizer.state_dict(), train.generator.get_state()
    saved = [torch.load(file, weights_only=True) for file in map(written, saved)]
    random = torch.get_rng_state()
    assert any(not torch.equal(value, weights[key]) for key, value in saved[0].items())
    expected = learner.step(train, 0.5)

    other, train = new(name, store, seed=1)
    other.load_state_dict(saved[0])
    other.optimizer.load_state_dict(saved[1])
    train.generator.set_state(saved[2])
    torch.set_rng_state(random)
    assert other.step(train, 0.5) == pytest.approx(expected, rel=1e-5)
    for key, value in learner.state_dict().items():
        torch.testing.assert_close(other.state_dict()[key], value, rtol=1e-4, atol=1e-5)


def test_the_rate_falls_to_nothing_along_a_cosine(store):
    learner, train = new("prototypical", store)
    for spent, part in ((0, 1), (0.25, (2 + 2**0.5) / 4), (0.5, 0.5), (1, 0)):
        learner.step(train, spent)
        assert learner.optimizer.param_groups[0]["lr"] == pytest.approx(learner.rate * part)


def written(content):
    """What `torch.save` makes of it, to read."""
    file = io.BytesIO()
    torch.save(content, file)
    file.seek(0)
    return file
