"""The homework's network and the memory cells on its blocks: what they see, and when."""

import math

import pytest
import torch

from fewshot.data.episodes import Episodes
from fewshot.data.soften import blur
from fewshot.data.store import Store
from fewshot.learners.blackbox.mann import MANN
from fewshot.learners.registry import LEARNERS
from solutions import hw1

N, K, BATCH = 3, 2, 4
NAMES = ["mann", "mann_lrua", "ntm", "queue_memory"]
readers = pytest.mark.parametrize("name", NAMES)
learners = pytest.mark.parametrize("name", [*NAMES, "snail"])


def make(name):
    torch.manual_seed(0)
    return LEARNERS[name](N, K).double().eval()


def task():
    """Random images; the labels of the query row in an order of their own."""
    random = torch.Generator().manual_seed(3)
    images = torch.rand(BATCH, K + 1, N, 784, generator=random, dtype=torch.float64)
    labels = torch.eye(N).double().expand(BATCH, K + 1, N, N).clone()
    labels[:, -1] = labels[:, -1, [2, 0, 1]]
    return images, labels


@learners
@torch.no_grad()
def test_the_labels_of_the_queries_are_never_looked_at(name):
    learner, (images, labels) = make(name), task()
    logits = learner(images, labels)
    assert logits.shape == labels.shape
    for other in (torch.zeros(N, N), torch.full((N, N), torch.nan), labels[0, -1].roll(1, 0)):
        hidden = labels.clone()
        hidden[:, -1] = other
        assert torch.equal(learner(images, hidden), logits)
    told_otherwise = labels.clone()
    told_otherwise[:, 0] = labels[:, 0].roll(1, 1)
    assert not torch.allclose(learner(images, told_otherwise)[:, -1], logits[:, -1])


@readers
@torch.no_grad()
def test_a_step_sees_itself_and_what_came_before(name):
    learner, (images, labels) = make(name), task()
    before = learner(images, labels).flatten(1, 2)
    for t in range((K + 1) * N):
        changed = images.flatten(1, 2).clone()
        changed[:, t] = 1 - changed[:, t]
        after = learner(changed.view(images.shape), labels).flatten(1, 2)
        differs = (after != before).any(dim=2)
        assert not differs[:, :t].any()
        assert differs[:, t:].all()


@readers
@torch.no_grad()
def test_tasks_do_not_see_each_other(name):
    learner, (images, labels) = make(name), task()
    alone = torch.cat([learner(images[b, None], labels[b, None]) for b in range(BATCH)])
    torch.testing.assert_close(learner(images, labels), alone, rtol=0, atol=1e-12)


@torch.no_grad()
def test_mann_is_the_homeworks_network():
    """On softened images; with the homework's loss, too."""
    ours, (images, labels) = make("mann"), task()
    theirs = hw1.MANN(N, K + 1, 128).double()
    weights = zip(theirs.parameters(), ours.parameters(), strict=True)
    for homework, weight in weights:
        homework.copy_(weight)
    logits = theirs(hw1.soften(images), labels)
    torch.testing.assert_close(ours(images, labels), logits, rtol=0, atol=1e-12)
    torch.testing.assert_close(ours.loss(images, labels), theirs.loss_function(logits, labels))


def test_mann_begins_as_the_homework_asks():
    torch.manual_seed(0)
    for name, weight in MANN(N, K).named_parameters():
        if "weight_ih" in name:
            bound = math.sqrt(6 / sum(weight.shape))
            assert 0.9 * bound < weight.abs().max() <= bound
        elif "weight_hh" in name:
            torch.testing.assert_close(weight.T @ weight, torch.eye(weight.shape[1]))
        else:
            assert not weight.any()


@pytest.mark.parametrize("name", NAMES[1:])
@torch.no_grad()
def test_a_cell_is_fed_the_images_beside_their_labels(name):
    learner, (images, labels) = make(name), task()
    logits = learner(images, labels)
    for b in range(BATCH):
        state = learner.cell.zero_state(1)
        for k in range(K + 1):
            for n in range(N):
                label = labels[b, k, n] if k < K else torch.zeros(N).double()
                step = torch.cat([blur(images[b, k, n]), label])
                output, state = learner.cell(step[None], state)
                wanted = learner.answer(output[0])
                torch.testing.assert_close(logits[b, k, n], wanted, rtol=0, atol=1e-10)


def test_softening_is_the_mean_of_nine_pixels():
    image = torch.rand(2, 784, generator=torch.Generator().manual_seed(4)).double()
    picture = image.view(2, 28, 28)
    soft = blur(image).view(2, 28, 28)
    torch.testing.assert_close(soft[:, 5, 9], picture[:, 4:7, 8:11].mean(dim=(1, 2)))
    torch.testing.assert_close(soft[:, 0, 27], picture[:, :2, 26:].sum(dim=(1, 2)) / 9)


@pytest.fixture(scope="module")
def characters(data_folder):
    """Thirty characters of the folder."""
    store = Store.load(data_folder)
    return lambda: Episodes(store, torch.arange(30), N, K, seed=5)


def test_the_learning_rate_rises_and_falls(characters):
    learner, episodes = MANN(N, K), characters()
    learner.batch = 1
    learner.start()
    assert learner.optimizer.param_groups[0]["weight_decay"] == 0.3
    for spent, part in [(0, 0), (0.05, 0.5), (0.1, 1), (0.55, 0.5), (0.999999, 0)]:
        learner.step(episodes, spent)
        rate = learner.optimizer.param_groups[0]["lr"]
        assert rate == pytest.approx(part * learner.rate, abs=1e-6)


@learners
def test_it_learns(name, characters):
    """The same 16 tasks by heart; 0.1 nats is far above what rounding does."""
    torch.manual_seed(0)
    learner, episodes = LEARNERS[name](N, K), characters()
    learner.batch, learner.rate = 16, 1e-3
    learner.start()
    begin = episodes.generator.get_state()
    losses = []
    for _ in range(12 if name != "snail" else 6):
        episodes.generator.set_state(begin)
        losses.append(learner.step(episodes, 0.1))
    assert losses[0] == pytest.approx(math.log(N), abs=0.3)
    assert losses[-1] < losses[0] - 0.1
