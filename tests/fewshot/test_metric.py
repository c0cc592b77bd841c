"""The metric learners, against closed forms, literal loops, scikit-learn and easyfsl."""

import importlib.util
import math
import sys
import types

import pytest
import torch
import torch.nn.functional as F
from sklearn.neighbors import KNeighborsClassifier
from torch import nn

from fewshot.data.episodes import Episodes
from fewshot.data.store import Store
from fewshot.data.turns import quarter_turns
from fewshot.learners.learner import accuracy, query_loss
from fewshot.learners.metric.matching import FullContext, Matching, log_probability
from fewshot.learners.metric.nearest import NearestEmbeddings, NearestPixels
from fewshot.learners.metric.prototypical import Prototypical
from fewshot.learners.metric.relation import Relation
from fewshot.learners.metric.siamese import (
    Siamese,
    SiameseTriplet,
    contrastive,
    distance,
    same_class,
)

ALL = [
    Matching,
    NearestEmbeddings,
    NearestPixels,
    Prototypical,
    Relation,
    Siamese,
    SiameseTriplet,
]
UNORDERED = [learner for learner in ALL if learner is not Matching]
LEARNING = [learner for learner in ALL if learner is not NearestPixels]


def new(learner, N=4, K=2):
    """A learner in float64, in evaluation, whose batch norm has seen images."""
    torch.manual_seed(1)
    model = learner(N, K).double()
    model.train()
    if hasattr(model, "embed"):
        with torch.no_grad():
            model(*block(B=3, N=N, K=K, seed=5))
    return model.eval()


def block(B=2, N=4, K=2, seed=1):
    """Random images in float64, and one-hot labels with a shuffled query."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand(B, K + 1, N, 784, generator=generator, dtype=torch.float64)
    labels = torch.eye(N, dtype=torch.float64).expand(B, K + 1, N, N).clone()
    for task in labels:
        task[-1] = task[-1, torch.randperm(N, generator=generator)]
    return images, labels


@pytest.fixture(scope="module")
def episodes(data_folder):
    store = Store.load(data_folder)
    return Episodes(store, store.split("cs330", "train"), 5, 3, seed=1)


@pytest.fixture
def easyfsl(monkeypatch):
    """Makes easyfsl importable without torchvision, which only its unused ResNets need."""
    pytest.importorskip("easyfsl")
    if importlib.util.find_spec("torchvision") is None:
        for name in ("torchvision", "torchvision.models", "torchvision.models.resnet"):
            monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
        for name in ("BasicBlock", "Bottleneck", "conv1x1", "conv3x3"):
            setattr(sys.modules["torchvision.models.resnet"], name, None)
    from easyfsl import methods

    return methods


def task_for_easyfsl(images, labels, task):
    """Support images, their labels, and the query's images."""
    support, classes = images[task, :-1].flatten(0, 1), labels[task, :-1].flatten(0, 1)
    return support, classes.argmax(-1), images[task, -1]


@pytest.mark.parametrize("learner", ALL)
@pytest.mark.parametrize(("N", "K"), [(2, 1), (5, 3)])
def test_answers_are_of_the_query_row(learner, N, K):
    images, labels = block(N=N, K=K)
    logits = new(learner, N, K)(images, labels)
    assert logits.shape == labels.shape
    assert logits.dtype == torch.float64
    assert logits.isfinite().all()
    assert logits[:, -1].std() > 0


@pytest.mark.parametrize("learner", ALL)
def test_query_labels_are_not_looked_at(learner):
    images, labels = block()
    model = new(learner)
    hidden = labels.clone()
    hidden[:, -1] = 0
    assert torch.equal(model(images, labels), model(images, hidden))


@pytest.mark.parametrize("learner", ALL)
def test_tasks_and_queries_are_alone(learner):
    """Another task or another query image changes no answer, once training is over."""
    images, labels = block()
    model = new(learner)
    before = model(images, labels)
    torch.testing.assert_close(model(images[:1], labels[:1]), before[:1])
    images[0, -1, 0] = torch.rand(784)
    after = model(images, labels)
    torch.testing.assert_close(after[:, :, 1:], before[:, :, 1:])
    assert not torch.allclose(after[0, -1, 0], before[0, -1, 0])


def shuffled_support(images, labels):
    """The same support examples at other places, labels and all."""
    images, labels = images.clone(), labels.clone()
    order = torch.randperm(
        images[0, :-1].flatten(0, 1).shape[0], generator=torch.Generator().manual_seed(1)
    )
    for of in (images, labels):
        support = of[:, :-1].flatten(1, 2)
        of[:, :-1] = support[:, order].view_as(of[:, :-1])
    return images, labels


@pytest.mark.parametrize("learner", UNORDERED)
def test_the_support_is_a_set(learner):
    images, labels = block()
    model = new(learner)
    before, after = model(images, labels), model(*shuffled_support(images, labels))
    torch.testing.assert_close(after, before)


def test_full_context_reads_the_support_in_order():
    """Its first LSTM is the only reason: without it the support is a set here as well."""
    images, labels = block()
    model = new(Matching)
    before, after = model(images, labels), model(*shuffled_support(images, labels))
    assert not torch.allclose(before, after)
    for parameter in model.context.read_support.parameters():
        parameter.data.zero_()
    before, after = model(images, labels), model(*shuffled_support(images, labels))
    torch.testing.assert_close(after, before)


@pytest.mark.parametrize("learner", ALL)
def test_names_of_classes_mean_nothing(learner):
    images, labels = block()
    model = new(learner)
    order = torch.tensor([2, 0, 3, 1])
    logits = model(images, labels)[:, -1]
    torch.testing.assert_close(model(images, labels[..., order])[:, -1], logits[..., order])


@pytest.mark.parametrize("learner", LEARNING)
def test_learns(learner, episodes):
    """Twelve characters in some small steps: the loss falls below 85 % of where it was.

    Triplets take more of them, as only those that are still wrong count. Seeds are fixed, so
    there is no chance in it; after 100 steps, triplets of three seeds were below 60 %.
    """
    torch.manual_seed(1)
    few = Episodes(
        Store(episodes.images.view(-1, 20, 784), list(map(str, range(1100)))),
        torch.arange(12),
        5,
        1,
        seed=1,
    )
    model = learner(5, 1)
    model.batch = 32 if learner is NearestEmbeddings else 4
    model.train_way = 5
    model.start()
    steps = 100 if learner is SiameseTriplet else 25
    losses = [model.step(few, step / steps) for step in range(steps)]
    assert sum(losses[-5:]) < 0.85 * sum(losses[:5])


def test_nothing_to_learn(episodes):
    model = NearestPixels(5, 3)
    model.start()
    model.step(episodes, 0.5)
    assert model.optimizer is None
    assert not list(model.parameters())


@pytest.mark.parametrize("learner", [NearestPixels, NearestEmbeddings])
def test_nearest_neighbours_are_those_of_scikit_learn(learner, episodes):
    images, labels = episodes.blocks(10)
    model = learner(5, 3).eval()
    with torch.no_grad():
        answers = model(images, labels)[:, -1].argmax(-1)
        seen = images if learner is NearestPixels else model.embed(images)
    for task in range(10):
        neighbours = KNeighborsClassifier(1, metric="cosine")
        neighbours.fit(seen[task, :-1].flatten(0, 1), labels[task, :-1].flatten(0, 1).argmax(-1))
        assert answers[task].tolist() == neighbours.predict(seen[task, -1]).tolist()


def test_training_of_embeddings_names_characters(episodes):
    """The loss of an untrained classifier is that of guessing among the training characters."""
    torch.manual_seed(1)
    model = NearestEmbeddings(5, 3)
    model.start()
    assert model.step(episodes, 0) == pytest.approx(math.log(1100), rel=0.05)


def test_prototypical_is_a_linear_classifier():
    """-‖f - c‖² is 2c·f - ‖c‖² and a part that is the same for all classes (section 2.4)."""
    images, labels = block()
    model = new(Prototypical)
    with torch.no_grad():
        embedded = model.embed(images)
        logits = model(images, labels)[:, -1]
    for task in range(2):
        c = embedded[task, :-1].mean(dim=0)
        linear = F.linear(embedded[task, -1], 2 * c, -c.square().sum(-1))
        torch.testing.assert_close(logits[task].log_softmax(-1), linear.log_softmax(-1))


def test_prototypical_is_that_of_easyfsl(easyfsl):
    """Which does not square the distance."""
    images, labels = block()
    model = new(Prototypical)
    theirs = easyfsl.PrototypicalNetworks(model.embed)
    with torch.no_grad():
        logits = model(images, labels)[:, -1]
        for task in range(2):
            support, classes, query = task_for_easyfsl(images, labels, task)
            theirs.process_support_set(support, classes)
            torch.testing.assert_close(-(-logits[task]).sqrt(), theirs(query))


def test_contrastive_loss_is_that_of_its_formula():
    apart = torch.tensor([0.0, 0.3, 0.9, 1.0, 2.0], dtype=torch.float64)
    torch.testing.assert_close(contrastive(apart, torch.tensor(True), 1.0), apart**2 / 2)
    others = torch.tensor([0.5, 0.245, 0.005, 0, 0], dtype=torch.float64)
    torch.testing.assert_close(contrastive(apart, torch.tensor(False), 1.0), others)


@pytest.mark.parametrize("same", [True, False])
def test_contrastive_gradient(same):
    a, b = torch.rand(2, 6, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    same = torch.tensor(same)

    def loss(a, b):
        return contrastive(distance(a, b), same, 1.0)

    assert torch.autograd.gradcheck(loss, (a.requires_grad_(), b.requires_grad_()))

    zero = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    loss(zero, zero.detach()).backward()
    assert zero.grad.tolist() == [0, 0, 0]
    naive = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    contrastive(naive.square().sum().sqrt(), same, 1.0).backward()
    assert naive.grad.isnan().all(), "which a root of squares has not"


def literal_distances(model, images):
    """Of each task's queries and support images, one pair at a time, from embeddings alone."""
    embedded = model.embed(images)
    embedded = embedded / embedded.square().sum(-1, keepdim=True).sqrt()
    return [
        [[(q - s).square().sum().sqrt() for s in task[:-1].flatten(0, 1)] for q in task[-1]]
        for task in embedded
    ]


def test_siamese_loss_is_that_of_its_pairs():
    images, labels = block()
    model = new(Siamese)
    losses = {True: [], False: []}
    for task, rows in enumerate(literal_distances(model, images)):
        support = labels[task, :-1].flatten(0, 1).argmax(-1)
        for query, row in zip(labels[task, -1].argmax(-1), rows, strict=True):
            for name, d in zip(support, row, strict=True):
                y = int(name == query)
                loss = (y * d**2 + (1 - y) * max(0, 1 - d) ** 2) / 2
                losses[bool(y)].append(loss)
    assert (len(losses[True]), len(losses[False])) == (2 * 4 * 2, 2 * 4 * 6)
    expected = sum(sum(kind) / len(kind) for kind in losses.values()) / 2
    torch.testing.assert_close(model.loss(images, labels), expected)


def test_triplet_loss_is_that_of_its_triplets():
    images, labels = block()
    model = new(SiameseTriplet)
    losses = []
    for task, rows in enumerate(literal_distances(model, images)):
        support = labels[task, :-1].flatten(0, 1).argmax(-1)
        for query, row in zip(labels[task, -1].argmax(-1), rows, strict=True):
            for p in (support == query).nonzero()[:, 0]:
                for n in (support != query).nonzero()[:, 0]:
                    losses.append(max(0, row[p] ** 2 - row[n] ** 2 + 0.2))
    assert len(losses) == 2 * 4 * 2 * 6
    active = [loss for loss in losses if loss > 0]
    torch.testing.assert_close(model.loss(images, labels), sum(active) / len(active))


@pytest.mark.parametrize("learner", [Siamese, SiameseTriplet])
def test_gradients_are_finite_when_all_images_are_the_same(learner):
    images, labels = block()
    model = learner(4, 2).double()
    model.loss(torch.ones_like(images), labels).backward()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())


def test_pairs_of_a_class():
    _, labels = block(B=1, N=3, K=2)
    same = same_class(labels)[0]
    for query, name in enumerate(labels[0, -1].argmax(-1)):
        assert same[query].tolist() == [name == n for _ in range(2) for n in range(3)]


def test_matching_is_uniform_on_identical_embeddings():
    labels = block(N=4, K=3)[1][:, :-1].flatten(1, 2)
    answer = log_probability(torch.full((2, 5, 12), 0.7, dtype=torch.float64), labels)
    torch.testing.assert_close(answer, torch.full_like(answer, -math.log(4)))
    # And the whole network, where its LSTMs say nothing about places.
    model = new(Matching, 4, 3)
    for parameter in model.context.parameters():
        parameter.data.zero_()
    images, labels = block(K=3)
    answer = model(torch.ones_like(images), labels)[:, -1]
    torch.testing.assert_close(answer, torch.full_like(answer, -math.log(4)))


def test_matching_is_a_weighted_mean_of_labels():
    generator = torch.Generator().manual_seed(1)
    scores = 5 * torch.randn(1, 2, 6, generator=generator, dtype=torch.float64)
    labels = torch.eye(3, dtype=torch.float64).repeat(2, 1)[None]
    for query in range(2):
        weights = scores[0, query].exp() / scores[0, query].exp().sum()
        mean = sum(weight * label for weight, label in zip(weights, labels[0], strict=True))
        torch.testing.assert_close(log_probability(scores, labels)[0, query].exp(), mean)


def test_matching_loss_is_minus_log_p():
    images, labels = block()
    model = new(Matching)
    answer = model(images, labels)[:, -1]
    torch.testing.assert_close(answer.exp().sum(-1), torch.ones(2, 4, dtype=torch.float64))
    torch.testing.assert_close(model.loss(images, labels), -answer[labels[:, -1] == 1].mean())


def lstm(x, state, c, W, U, b):
    """One step of an LSTM for one example: [D] each, by its textbook equations."""
    i, f, g, o = (W @ x + U @ state + b).chunk(4)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


def test_full_context_is_that_of_its_equations():
    """One example at a time, and r beside the state, where the paper has it."""
    D, S, Q, steps = 3, 5, 2, 4
    torch.manual_seed(1)
    context = FullContext(D, steps).double()
    support, query = torch.randn(1, S, D).double(), torch.randn(1, Q, D).double()
    g, f = context(support, query)

    weights = dict(context.read_support.named_parameters())
    expected = support[0].clone()
    for suffix, order in (("l0", range(S)), ("l0_reverse", reversed(range(S)))):
        W, U = weights[f"weight_ih_{suffix}"], weights[f"weight_hh_{suffix}"]
        b = weights[f"bias_ih_{suffix}"] + weights[f"bias_hh_{suffix}"]
        h = c = torch.zeros(D).double()
        for i in order:
            h, c = lstm(support[0, i], h, c, W, U, b)
            expected[i] += h
    torch.testing.assert_close(g[0], expected, rtol=1e-10, atol=1e-10)

    cell = context.read_query
    W, of_r = cell.weight_ih.split(D, dim=1)
    U = torch.cat([cell.weight_hh, of_r], dim=1)
    for i in range(Q):
        h, c = query[0, i], torch.zeros(D).double()
        for _ in range(steps):
            a = torch.stack([(h @ one).exp() for one in g[0]])
            r = sum(weight * one for weight, one in zip(a / a.sum(), g[0], strict=True))
            h, c = lstm(query[0, i], torch.cat([h, r]), c, W, U, cell.bias_ih + cell.bias_hh)
            h = h + query[0, i]
        torch.testing.assert_close(f[0, i], h, rtol=1e-10, atol=1e-10)


def test_matching_is_that_of_easyfsl(easyfsl):
    """Which attends once for every support image, has no β, and a query that keeps its length.

    That length is its β, so each query is asked with this one. 1e-6 is added to its p.
    """
    N, K = 4, 2
    images, labels = block(N=N, K=K)
    model = new(Matching)
    model.context.steps = N * K
    theirs = easyfsl.MatchingNetworks(
        model.embed,
        feature_dimension=64,
        support_encoder=model.context.read_support,
        query_encoder=model.context.read_query,
    )
    with torch.no_grad():
        for task in range(2):
            support, classes, query = task_for_easyfsl(images, labels, task)
            theirs.process_support_set(support, classes)
            theirs.one_hot_support_labels = theirs.one_hot_support_labels.double()
            seen, names = model.embed(support)[None], F.one_hot(classes).double()[None]
            embedded = model.embed(query)[None]
            g, f = model.context(seen, embedded)
            torch.testing.assert_close(g[0], theirs.contextualized_support_features)
            torch.testing.assert_close(f[0], theirs.encode_query_features(embedded[0]))
            for i in range(N):
                model.log_scale.data = f[0, i].norm().log()
                answer = model.match(seen, names, embedded[:, i : i + 1])
                torch.testing.assert_close((answer[0, 0].exp() + 1e-6).log(), theirs(query)[i])


def test_relation_scores_are_those_of_a_loop():
    """Class by class and query by query, with the concatenation that the paper has."""
    images, labels = block()
    model = new(Relation)
    joined = nn.Conv2d(128, 64, 3, padding=1).double()
    joined.weight.data = torch.cat([model.of_class.weight, model.of_query.weight], dim=1).detach()
    joined.bias.data = model.of_class.bias.detach()
    with torch.no_grad():
        scores = model(images, labels)[:, -1]
        maps = model.embed(images.view(-1, 1, 28, 28)).view(*images.shape[:3], 64, 5, 5)
        for task in range(2):
            for query in range(4):
                for name in range(4):
                    shots = [
                        maps[task, k, n]
                        for k in range(2)
                        for n in range(4)
                        if labels[task, k, n, name]
                    ]
                    assert len(shots) == 2
                    pair = torch.cat([sum(shots), maps[task, -1, query]])
                    score = model.relation(joined(pair[None]))[0, 0]
                    torch.testing.assert_close(scores[task, query, name], score)
    assert scores.min() > 0
    assert scores.max() < 1


def test_relation_loss_is_the_squared_error():
    images, labels = block()
    model = new(Relation)
    scores = model(images, labels)[:, -1].flatten()
    wanted = labels[:, -1].flatten()
    error = sum((score - want) ** 2 for score, want in zip(scores, wanted, strict=True))
    torch.testing.assert_close(model.loss(images, labels), error / len(wanted))
    assert not torch.isclose(
        model.loss(images, labels), query_loss(scores.view(2, 1, 4, 4), labels)
    )


def test_pixels_of_real_characters(omniglot_folder):
    """45.8 % here (41.7 in Vinyals et al.), 5-way 1-shot, within 2 points.

    Of the mean of 3,000 tasks, whose standard error is .4 points: a chance below 1e-6.
    """
    store = Store.load(omniglot_folder)
    turned = quarter_turns(store, store.split("vinyals", "test"))
    images, labels = Episodes(turned, torch.arange(4 * 423), 5, 1, seed=1).blocks(3000)
    mean = accuracy(NearestPixels(5, 1)(images, labels), labels).mean().item()
    assert mean == pytest.approx(0.458, abs=0.02)
