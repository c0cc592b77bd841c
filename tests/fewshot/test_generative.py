"""Learners that model what is to be learned from: its weights, more examples, or its images."""

import copy
import io

import pytest
import torch
from sklearn.linear_model import LogisticRegression

from fewshot.data.episodes import Episodes
from fewshot.data.glyphs import generate
from fewshot.data.normalise import normalise
from fewshot.data.store import Store
from fewshot.learners.generative import glyph_prototypical
from fewshot.learners.generative.glyph_prototypical import GlyphPrototypical
from fewshot.learners.generative.hallucination import Hallucination, Hallucinator
from fewshot.learners.generative.k_shot import KShot, KShotPlain, concept, most_probable
from fewshot.learners.metric.prototypical import Prototypical


@pytest.fixture(scope="module")
def store(data_folder):
    return Store.load(data_folder)


@pytest.fixture
def train(store):
    return Episodes(store, store.split("cs330", "train")[:30], 5, 1, seed=3)


@pytest.fixture
def block(store):
    return Episodes(store, store.split("cs330", "test"), 5, 2, seed=4).blocks(6)


@pytest.fixture
def support():
    """Float64 features of 3 tasks, 4 classes, 2 shots, and their labels."""
    generator = torch.Generator().manual_seed(1)
    embedded = 2 * torch.randn(3, 8, 6, generator=generator, dtype=torch.float64)
    return embedded, torch.eye(4, dtype=torch.float64).repeat(2, 1).expand(3, 8, 4)


def objective(weights, embedded, labels, mean, variance):
    """What phase 3 makes small, from the paper, a sum over tasks."""
    log_p = (embedded @ weights.mT).log_softmax(-1)
    distance = (weights - mean).square().sum()
    return -(log_p * labels).sum() + distance / (2 * variance)


def test_the_most_probable_weights_are_where_the_gradient_vanishes(support):
    embedded, labels = support
    mean = torch.linspace(-1, 1, 6, dtype=torch.float64)
    variance = torch.tensor(0.3, dtype=torch.float64)
    found = most_probable(embedded, labels, mean, variance, steps=2000).requires_grad_()
    (slope,) = torch.autograd.grad(objective(found, embedded, labels, mean, variance), found)
    assert slope.abs().max() < 1e-10
    usual = most_probable(embedded, labels, mean, variance)
    torch.testing.assert_close(usual, found.detach(), atol=1e-3, rtol=0)


def test_a_prior_about_zero_is_logistic_regression_with_an_l2_penalty(support):
    embedded, labels = support
    variance = torch.tensor(0.3, dtype=torch.float64)
    found = most_probable(embedded, labels, torch.zeros(6).double(), variance, steps=2000)
    for task in range(3):
        oracle = LogisticRegression(C=0.3, fit_intercept=False, tol=1e-12, max_iter=10_000)
        oracle.fit(embedded[task].numpy(), labels[task].argmax(-1).numpy())
        theirs = torch.from_numpy(oracle.coef_)
        torch.testing.assert_close(found[task], theirs, atol=1e-6, rtol=0)


def test_a_narrow_prior_leaves_the_mean_and_none_separates_the_support(support):
    embedded, labels = support
    mean = torch.linspace(-1, 1, 6, dtype=torch.float64)
    narrow = most_probable(embedded, labels, mean, torch.tensor(1e-8, dtype=torch.float64))
    torch.testing.assert_close(narrow, mean.expand_as(narrow), atol=1e-6, rtol=0)
    plain = most_probable(embedded[:, :4], labels[:, :4], mean, None)
    assert torch.equal((embedded[:, :4] @ plain.mT).argmax(-1), labels[:, :4].argmax(-1))
    longer = most_probable(embedded[:, :4], labels[:, :4], mean, None, steps=2000)
    assert longer.norm() > 1.1 * plain.norm(), "without a prior the weights have no end"


def test_tasks_do_not_touch_each_other(support):
    embedded, labels = support
    mean, variance = torch.zeros(6).double(), torch.tensor(0.3).double()
    together = most_probable(embedded, labels, mean, variance)
    alone = torch.cat([most_probable(embedded[[i]], labels[[i]], mean, variance) for i in range(3)])
    torch.testing.assert_close(together, alone)


def test_a_concept_has_the_moments_of_the_weights():
    weights = torch.tensor([[1.0, 2.0], [3.0, 2.0], [2.0, 5.0]])
    mean, variance = concept(weights)
    assert mean.tolist() == [2, 3]
    assert variance.item() == pytest.approx((1 + 1 + 0 + 1 + 1 + 4) / 6)


def test_the_four_phases_in_their_order(train, block):
    torch.manual_seed(1)
    learner = KShot(5, 2)
    learner.start()
    before = copy.deepcopy(learner.embed.state_dict())
    learner.step(train, 0.0)

    # 1: the representation and a row of weights for each training character have been learned,
    assert learner.known.weight.shape == (30, 64)
    assert not torch.equal(before["0.weight"], learner.embed.state_dict()["0.weight"])
    # 2: the concept is of the rows as they are after it.
    mean, variance = concept(learner.known.weight.detach())
    torch.testing.assert_close(learner.mean, mean)
    torch.testing.assert_close(learner.variance, variance)
    # 3 and 4: new weights from the support and the concept name the query,
    learner.eval()
    kept = copy.deepcopy(learner.state_dict())
    images, labels = block
    with torch.no_grad():
        logits = learner(images, labels)
        embedded = learner.embed(images)
    weights = most_probable(
        embedded[:, :-1].flatten(1, 2), labels[:, :-1].flatten(1, 2), mean, variance
    )
    expected = torch.einsum("bnd,bcd->bnc", embedded[:, -1], weights)
    torch.testing.assert_close(logits[:, -1], expected)
    # and change nothing.
    assert all(torch.equal(kept[name], value) for name, value in learner.state_dict().items())


def test_the_representation_learns_the_training_characters(store):
    """Of 5 characters; guessing has a loss of 1.61."""
    torch.manual_seed(1)
    learner = KShot(5, 1)
    learner.start()
    few = Episodes(store, store.split("cs330", "train")[:5], 5, 1, seed=3)
    losses = [learner.step(few, step / 20) for step in range(20)]
    assert sum(losses[-3:]) / 3 < 0.5


def test_a_plain_softmax_differs_in_the_prior_alone(train, block):
    torch.manual_seed(1)
    learner, plain = KShot(5, 2), KShotPlain(5, 2)
    learner.start()
    learner.step(train, 0.0)
    plain.load_state_dict(learner.state_dict())
    learner.eval(), plain.eval()
    with torch.no_grad():
        learner.variance.fill_(1e6)  # a prior that says nothing
        images, labels = block
        wide, none = (each(images, labels)[:, -1].softmax(-1) for each in (learner, plain))
        learner.variance.fill_(1e-3)
        narrow = learner(images, labels)[:, -1].softmax(-1)
    assert (wide - none).abs().mean() < 0.02
    assert (narrow - none).abs().mean() > 0.1


@pytest.mark.parametrize("kind", [KShot, Hallucination])
def test_a_learner_goes_on_where_it_was(kind, train, block):
    torch.manual_seed(1)
    learner = kind(5, 2)
    learner.start()
    learner.step(train, 0.0)
    file = io.BytesIO()
    torch.save([learner.state_dict(), learner.optimizer.state_dict()], file)
    stream = train.generator.get_state()
    loss = learner.step(train, 0.5)

    file.seek(0)
    state, optimizer = torch.load(file, weights_only=True)
    again = kind(5, 2)
    again.start()
    again.load_state_dict(state)
    again.optimizer.load_state_dict(optimizer)
    train.generator.set_state(stream)
    assert again.step(train, 0.5) == loss
    for name, value in learner.state_dict().items():
        assert torch.equal(again.state_dict()[name], value), name
    with torch.no_grad():
        assert torch.equal(again.eval()(*block), learner.eval()(*block))


def test_without_hallucinations_it_is_a_prototypical_network(block):
    torch.manual_seed(1)
    learner = Hallucination(5, 2, hallucinated=0).eval()
    prototypical = Prototypical(5, 2).eval()
    prototypical.embed = torch.nn.Sequential(learner.features, learner.embed)
    with torch.no_grad():
        torch.testing.assert_close(learner(*block), prototypical(*block))


def test_hallucinations_join_the_class_of_what_they_began_with(block):
    """A hallucinator that repeats what it sees leaves the prototypes where they are."""
    torch.manual_seed(1)
    learner, without = Hallucination(5, 2).eval(), Hallucination(5, 2, hallucinated=0).eval()
    with torch.no_grad():
        for layer in learner.hallucinate.layers:
            layer.weight.zero_()[:, :64] = torch.eye(64)
        without.load_state_dict({**learner.state_dict(), "noise": without.noise})
        torch.testing.assert_close(learner(*block), without(*block))


def test_hallucinations_are_of_each_image_and_each_noise():
    torch.manual_seed(1)
    hallucinate = Hallucinator(8)
    images, noise = torch.randn(2, 3, 5, 8), torch.randn(4, 8)
    found = hallucinate(images, noise)
    assert found.shape == (2, 3, 4, 5, 8)
    for h in range(4):
        hidden = torch.cat([images[1, 2, 3], noise[h]])
        for layer in hallucinate.layers:
            hidden = (layer.weight @ hidden + layer.bias).clamp(min=0)
        torch.testing.assert_close(found[1, 2, h, 3], hidden)
    assert (found - images[:, :, None].relu()).abs().mean() < 0.5, "near what they began with"


def test_the_hallucinator_learns_with_the_rest(train):
    torch.manual_seed(1)
    learner = Hallucination(5, 1)
    learner.start()
    before = copy.deepcopy(learner.state_dict())
    learner.step(train, 0.0)
    after = learner.state_dict()
    for name in ("hallucinate.layers.0.weight", "features.0.weight", "embed.0.weight", "noise"):
        assert not torch.equal(before[name], after[name]), name
    noise_weights = after["hallucinate.layers.0.weight"] != before["hallucinate.layers.0.weight"]
    assert noise_weights[:, 64:].any(), "the noise is used"


def test_glyphs_are_what_is_learned_from(store, train, monkeypatch):
    images = generate(0)  # once, for it takes some seconds
    monkeypatch.setattr(glyph_prototypical, "generate", {0: images}.__getitem__)
    torch.manual_seed(1)
    learner = GlyphPrototypical(5, 1)
    learner.start()
    assert len(learner.glyphs.images) == len(images)
    assert learner.glyphs.num_classes == learner.train_way
    path = list(images)[20 * 700 + 3]
    found = learner.glyphs.images[20 * 700 + 3]
    drawn = normalise(torch.from_numpy(images[path]).flatten() / 255)
    torch.testing.assert_close(found / 255, drawn, rtol=0, atol=0.51 / 255)

    blank = Store(torch.zeros_like(store.images[:30]), store.characters[:30])
    loss = copied(learner).step(Episodes(blank, torch.arange(30), 5, 1, seed=3), 0.0)
    stream = train.generator.get_state()
    assert copied(learner).step(train, 0.0) == loss, "whatever the training images are"
    assert not torch.equal(stream, train.generator.get_state()), "the stream of a run goes on"


def copied(learner):
    """A copy with an optimizer of its own."""
    learner = copy.deepcopy(learner)
    learner.optimizer = torch.optim.Adam(learner.parameters())
    return learner
