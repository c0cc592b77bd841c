"""Learners that adapt weights to a task, against literal references and closed forms."""

import copy
import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from fewshot.data.episodes import Episodes
from fewshot.data.store import Store
from fewshot.learners.learner import query_loss
from fewshot.learners.optimization.gradients import preprocess
from fewshot.learners.optimization.maml import MAML, adapt
from fewshot.learners.optimization.meta_lstm import CLIP, MetaLSTM
from fewshot.learners.optimization.meta_networks import MetaNetworks
from fewshot.learners.optimization.nets import BatchNorm, convolutional, fully_connected
from fewshot.learners.optimization.reptile import Reptile
from fewshot.learners.registry import LEARNERS

NAMES = ["maml", "maml_first_order", "meta_lstm", "meta_networks", "reptile"]
WAY, SHOT = 3, 2


@pytest.fixture(scope="module")
def episodes(data_folder):
    store = Store.load(data_folder)
    return Episodes(store, store.split("cs330", "train"), WAY, SHOT, seed=1)


@pytest.fixture(scope="module")
def block(episodes):
    images, labels = episodes.blocks(4)
    return images.double(), labels.double()


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(1)


def smooth(width=4):
    """A network without kinks, so that finite differences are exact to 1e-9, and batch norm."""
    return nn.Sequential(
        nn.Linear(784, width, bias=False),
        BatchNorm(width),
        nn.Tanh(),
        nn.Linear(width, WAY),
    ).double()


def tiny():
    """A network of few weights: sums over nine parts of the image, and a dense layer."""
    pool = nn.Sequential(nn.Unflatten(-1, (1, 28, 28)), nn.AdaptiveAvgPool2d(3), nn.Flatten())
    return nn.Sequential(pool, nn.Linear(9, WAY)).double()


def split(images, labels):
    """A task at a time: support images, their labels, query images, their labels."""
    for image, label in zip(images, labels, strict=True):
        yield image[:-1].flatten(0, 1), label[:-1].flatten(0, 1), image[-1], label[-1]


def descend(net, images, labels, steps, rate):
    """A copy of `net` after steps of plain gradient descent."""
    net = copy.deepcopy(net)
    optimizer = torch.optim.SGD(net.parameters(), rate)
    for _ in range(steps):
        optimizer.zero_grad()
        F.cross_entropy(net(images), labels).backward()
        optimizer.step()
    return net


def maml(steps, first_order=False, net=None):
    learner = MAML(WAY, SHOT, first_order, net or smooth())
    learner.inner_steps = learner.test_steps = steps
    return learner


def meta_gradient(learner, block):
    loss = query_loss(learner(*block), block[1])
    return torch.autograd.grad(loss, list(learner.parameters()))


def test_meta_gradient_against_finite_differences(block):
    """Through three inner steps and batch norm, in random directions."""
    learner = maml(steps=3)
    weights = list(learner.parameters())
    gradients = meta_gradient(learner, block)
    for _ in range(5):
        direction = [F.normalize(torch.randn_like(weight).flatten(), dim=0) for weight in weights]
        direction = [by.view_as(weight) for by, weight in zip(direction, weights, strict=True)]
        expected = sum((a * b).sum() for a, b in zip(gradients, direction, strict=True))
        losses = []
        for h in (1e-5, -1e-5):
            moved = copy.deepcopy(learner)
            with torch.no_grad():
                for weight, by in zip(moved.parameters(), direction, strict=True):
                    weight += h * by
                losses.append(query_loss(moved(*block), block[1]))
        difference = (losses[0] - losses[1]) / 2e-5
        torch.testing.assert_close(difference, expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("shape", [(6, 4), (6, 4, 5, 5)])
def test_batch_norm_is_that_of_torch(shape):
    """Where torch's is right: outside `vmap`, to the second derivative."""
    x = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    ours = BatchNorm(4).double()
    theirs = (nn.BatchNorm1d if len(shape) == 2 else nn.BatchNorm2d)(4, track_running_stats=False)
    results = []
    with torch.no_grad():
        ours.weight.normal_()
        ours.bias.normal_()
    theirs.double().load_state_dict(ours.state_dict())
    for norm in (ours, theirs):
        y = norm(x)
        inputs = [x, norm.weight, norm.bias]
        first = torch.autograd.grad(y.pow(3).sum(), inputs, create_graph=True)
        second = torch.autograd.grad(sum(part.square().sum() for part in first), inputs)
        results.append([y, *first, *second])
    torch.testing.assert_close(*results, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("net", "count"),
    [
        # Weights and biases of the dense layers, and two for each channel of batch norm.
        (fully_connected(5), 784 * 256 + 256 * 128 + 128 * 64 + 64 * 64 + 64 * 5 + 5 + 3 * 512),
        (convolutional(5, 16), 9 * 16 + 3 * 9 * 256 + 64 * 5 + 5 + 3 * 64),
    ],
)
def test_sizes_of_the_networks(net, count):
    assert sum(weight.numel() for weight in net.parameters()) == count
    assert net(torch.rand(7, 784)).shape == (7, 5)


def test_first_order_is_the_gradient_at_the_adapted_weights(block):
    learner = maml(steps=3, first_order=True)
    expected = [torch.zeros_like(weight) for weight in learner.parameters()]
    for support, told, query, answer in split(*block):
        net = descend(learner.net, support, told, 3, learner.inner_rate)
        loss = F.cross_entropy(net(query), answer) / len(block[0])
        for total, part in zip(
            expected, torch.autograd.grad(loss, list(net.parameters())), strict=True
        ):
            total += part
    gradients = meta_gradient(learner, block)
    torch.testing.assert_close(list(gradients), expected, rtol=1e-9, atol=1e-12)

    second = meta_gradient(maml(3, net=learner.net), block)
    norms = [
        torch.cat([part.flatten() for part in parts]).norm()
        for parts in (second, [a - b for a, b in zip(gradients, second, strict=True)])
    ]
    assert norms[1] > 0.05 * norms[0], "second order is something else"


@pytest.mark.parametrize("first_order", [False, True])
def test_tasks_side_by_side_are_tasks_one_by_one(block, first_order):
    learner = maml(2, first_order)
    logits = learner(*block)[:, -1]
    for (support, told, query, _), answer in zip(split(*block), logits, strict=True):
        net = descend(learner.net, support, told, 2, learner.inner_rate)
        torch.testing.assert_close(answer, net(query), rtol=1e-9, atol=1e-12)


def test_without_inner_steps_maml_is_the_network(block):
    learner = maml(steps=0)
    expected = torch.stack([learner.net(query) for query in block[0][:, -1]])
    torch.testing.assert_close(learner(*block)[:, -1], expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("first_order", [False, True])
def test_a_step_of_maml_goes_down_the_loss_of_queries_after_adapting(episodes, first_order):
    """The loss and its gradient, against a loop over tasks, inner steps and groups of queries."""
    learner = maml(2, first_order, smooth().float())
    learner.test_steps = 0
    learner.batch, learner.queries = 3, 4
    state = episodes.generator.get_state()
    images, _, classes = episodes.sequences(3, SHOT + 4)
    by_class = images.take_along_dim(classes.argsort(dim=1)[..., None], dim=1)
    net = learner.net
    names = torch.arange(WAY)
    losses = []
    for task in by_class.unflatten(1, (WAY, SHOT + 4)):  # [N, K+G, 784]
        weights = dict(net.named_parameters())
        support = task[:, :SHOT].flatten(0, 1)
        for _ in range(2):
            answer = torch.func.functional_call(net, weights, (support,))
            loss = F.cross_entropy(answer, names.repeat_interleave(SHOT))
            slopes = torch.autograd.grad(loss, list(weights.values()), create_graph=True)
            slopes = [slope.detach() if first_order else slope for slope in slopes]
            weights = {
                name: weight - learner.inner_rate * slope
                for (name, weight), slope in zip(weights.items(), slopes, strict=True)
            }
        for query in range(SHOT, SHOT + 4):
            answer = torch.func.functional_call(net, weights, (task[:, query],))
            losses.append(F.cross_entropy(answer, names))
    expected = sum(losses) / len(losses)
    gradients = torch.autograd.grad(expected, list(net.parameters()))

    learner.start()
    episodes.generator.set_state(state)
    assert learner.step(episodes, 0.0) == pytest.approx(expected.item(), rel=1e-4)
    for weight, gradient in zip(net.parameters(), gradients, strict=True):
        torch.testing.assert_close(weight.grad, gradient, rtol=1e-3, atol=1e-5)


def test_maml_learns_from_as_many_queries_as_a_character_has(data_folder):
    store = Store.load(data_folder)
    train = Episodes(store, torch.arange(30), WAY, 18, seed=1)
    learner = MAML(WAY, 18)
    learner.batch = 1
    learner.start()
    assert math.isfinite(learner.step(train, 0.0))


def test_training_and_test_take_their_own_number_of_inner_steps(block):
    learner = maml(0)
    learner.test_steps = 1
    plain = learner.train()(*block)[:, -1]
    torch.testing.assert_close(plain[0], learner.net(block[0][0, -1]))
    assert not torch.allclose(learner.eval()(*block)[:, -1], plain)


def test_adapting_lowers_the_support_loss(block):
    learner = MAML(WAY, SHOT).double()
    for support, told, _, _ in split(*block):

        def loss(weights, support=support, told=told):
            return learner.support_loss(weights, support, told)

        start = dict(learner.net.named_parameters())
        losses = [loss(adapt(loss, start, steps, 0.05)).item() for steps in range(4)]
        assert losses == sorted(losses, reverse=True)
        assert losses[3] < 0.9 * losses[0]


class Plain(Reptile):
    """Reptile with plain gradient descent inside."""

    def start(self):
        self.optimizer = torch.optim.SGD(self.net.parameters(), self.rate)


@pytest.mark.parametrize("spent", [0.0, 0.75])
def test_reptile_with_one_inner_step_is_joint_training(episodes, spent):
    """φ̃ - φ is then -α ∇L, so φ goes along the mean gradient of all tasks, α ε far."""
    learner = Plain(WAY, SHOT, net=smooth(8).float())
    learner.images_per_class, learner.minibatch, learner.batch = 4, 4 * WAY, 5
    learner.rate = 0.1
    before = [weight.detach().clone() for weight in learner.net.parameters()]
    state = episodes.generator.get_state()
    images, _, classes = episodes.sequences(5, 4)
    loss = sum(
        F.cross_entropy(learner.net(image), its) for image, its in zip(images, classes, strict=True)
    )
    gradients = torch.autograd.grad(loss / 5, list(learner.net.parameters()))
    episodes.generator.set_state(state)
    learner.start()
    assert learner.step(episodes, spent) == pytest.approx(loss.item() / 5, rel=1e-5)
    learner.rate *= 1 - spent
    for weight, old, gradient in zip(learner.net.parameters(), before, gradients, strict=True):
        expected = old - learner.rate * gradient
        torch.testing.assert_close(weight, expected, rtol=0, atol=1e-6)
        assert (expected - old).abs().max() > 1e-5, "it moves far enough to be seen"


def test_reptile_sees_each_training_image_once(episodes):
    learner = Reptile(WAY, SHOT, net=tiny().float())
    learner.images_per_class, learner.minibatch, learner.batch = 4, 3, 2
    seen = []
    learner.net.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    learner.start()
    learner.step(episodes, 0.0)
    assert [len(batch) for batch in seen] == [3] * 8
    for task in (torch.cat(seen[:4]), torch.cat(seen[4:])):
        assert len(task.unique(dim=0)) == 12


def test_reptile_keeps_the_second_moment_from_task_to_task(episodes):
    """Algorithm 2 with Adam written out, over two steps of two tasks with two minibatches each."""
    learner = Reptile(WAY, SHOT, net=smooth(8).float())
    learner.images_per_class, learner.minibatch, learner.batch = 4, 2 * WAY, 2
    learner.start()
    net = copy.deepcopy(learner.net)
    weights = list(net.parameters())
    moments = [torch.zeros_like(weight) for weight in weights]
    inner_steps = 0
    for spent in (0.0, 0.5):
        state = episodes.generator.get_state()
        images, _, classes = episodes.sequences(2, 4)
        before = [weight.detach().clone() for weight in weights]
        ends = []
        for one, its in zip(images, classes, strict=True):
            for some, their in zip(one.split(2 * WAY), its.split(2 * WAY), strict=True):
                inner_steps += 1
                gradients = torch.autograd.grad(F.cross_entropy(net(some), their), weights)
                with torch.no_grad():
                    for weight, gradient, moment in zip(weights, gradients, moments, strict=True):
                        moment += 0.001 * (gradient**2 - moment)
                        scale = (moment / (1 - 0.999**inner_steps)).sqrt() + 1e-8
                        weight -= learner.rate * gradient / scale
            ends.append([weight.detach().clone() for weight in weights])
            with torch.no_grad():
                for weight, old in zip(weights, before, strict=True):
                    weight.copy_(old)
        with torch.no_grad():
            for weight, *ended in zip(weights, *ends, strict=True):
                weight += (1 - spent) * (sum(ended) / 2 - weight)
        episodes.generator.set_state(state)
        learner.step(episodes, spent)
        for weight, expected in zip(learner.net.parameters(), weights, strict=True):
            torch.testing.assert_close(weight, expected, rtol=0, atol=2e-6)


def test_what_reptile_answers_leaves_its_optimizer_alone(episodes):
    learner = Reptile(WAY, SHOT, net=tiny().float())
    learner.start()
    learner.step(episodes, 0.0)
    before = copy.deepcopy(learner.optimizer.state_dict())
    blocks = episodes.blocks(2)
    first = learner(*blocks)
    torch.testing.assert_close(learner.optimizer.state_dict(), before, rtol=0, atol=0)
    torch.testing.assert_close(learner(*blocks), first, rtol=0, atol=0)


def test_lstm_with_its_gates_held_is_gradient_descent(block):
    """σ(50) is 1 in float64, and b_I is chosen so that σ(b_I) = α."""
    alpha = 0.3
    learner = MetaLSTM(WAY, SHOT, net=smooth()).double()
    learner.steps = 4
    for gate, bias in ((learner.forget, 50.0), (learner.input, math.log(alpha / (1 - alpha)))):
        nn.init.zeros_(gate.weight)
        nn.init.constant_(gate.bias, bias)
    logits = learner(*block)[:, -1]
    for (support, told, query, _), answer in zip(split(*block), logits, strict=True):
        net = descend(learner.net, support, told, 4, alpha)
        torch.testing.assert_close(answer, net(query), rtol=1e-9, atol=1e-12)


def literal_lstm(learner, support, told, query):
    """One task, one weight at a time, from the paper's equations."""
    names = [name for name, _ in learner.net.named_parameters()]
    theta = [weight.detach().flatten().tolist() for weight in learner.net.parameters()]
    memory = {}
    for _ in range(learner.steps):
        net = copy.deepcopy(learner.net)
        for weight, values in zip(net.parameters(), theta, strict=True):
            weight.data = torch.tensor(values).double().view(weight.shape)
        loss = F.cross_entropy(net(support), told)
        gradients = torch.autograd.grad(loss, list(net.parameters()))
        for part, gradient in enumerate(gradients):
            for place, slope in enumerate(gradient.flatten().tolist()):
                zero = torch.zeros(20).double()
                h, c, f, i = memory.get((names[part], place), (zero, zero, 1.0, 0.0))
                inputs = []
                for x in (slope, loss.item()):
                    big = abs(x) >= math.exp(-10)
                    inputs += [math.log(abs(x)) / 10 if big else -1.0]
                    inputs += [math.copysign(1, x) if big else math.exp(10) * x]
                h, c = learner.lstm(torch.tensor(inputs).double()[None], (h[None], c[None]))
                h, c = h[0], c[0]
                old = theta[part][place]
                f, i = (
                    torch.sigmoid(gate(torch.cat([h, torch.tensor([old, before]).double()]))).item()
                    for gate, before in ((learner.forget, f), (learner.input, i))
                )
                theta[part][place] = f * old + i * -slope
                memory[names[part], place] = (h, c, f, i)
    for weight, values in zip(net.parameters(), theta, strict=True):
        weight.data = torch.tensor(values).double().view(weight.shape)
    return net(query)


@torch.no_grad()
def strong_gates(learner):
    """Gates that differ much between weights and steps."""
    for gate in (learner.forget, learner.input):
        gate.weight.normal_()
        gate.bias.zero_()


def test_lstm_against_a_literal_reference(block):
    torch.set_default_dtype(torch.float64)
    try:
        learner = MetaLSTM(WAY, SHOT, net=tiny()).double()
        learner.steps = 3
        strong_gates(learner)
        logits = learner(*block)[:2, -1]
        for (support, told, query, _), answer in zip(split(*block), logits, strict=False):
            expected = literal_lstm(learner, support, told, query)
            torch.testing.assert_close(answer, expected, rtol=1e-9, atol=1e-12)
    finally:
        torch.set_default_dtype(torch.float32)


def test_lstm_takes_gradients_as_constants(block):
    """With the gates held, ∂θ'/∂θ is then the identity: first-order MAML."""
    learner = MetaLSTM(WAY, SHOT, net=smooth()).double()
    learner.steps = 2
    alpha = 0.3
    for gate, bias in ((learner.forget, 50.0), (learner.input, math.log(alpha / (1 - alpha)))):
        nn.init.zeros_(gate.weight)
        nn.init.constant_(gate.bias, bias)
    loss = query_loss(learner(*block), block[1])
    ours = torch.autograd.grad(loss, list(learner.net.parameters()))
    other = maml(2, first_order=True, net=learner.net)
    other.inner_rate = alpha
    torch.testing.assert_close(ours, meta_gradient(other, block), rtol=1e-9, atol=1e-12)


def test_lstm_clips_its_meta_gradient(episodes):
    learner = MetaLSTM(WAY, SHOT, net=tiny().float())
    learner.loss = lambda *block: 1e3 * MetaLSTM.loss(learner, *block)
    learner.start()
    learner.step(episodes, 0.0)
    norm = torch.cat([weight.grad.flatten() for weight in learner.parameters()]).norm()
    assert norm.item() == pytest.approx(CLIP, rel=1e-3)


def test_preprocessing():
    given = torch.tensor([1.0, -1.0, math.exp(-5), -math.exp(-5), math.exp(-11), 0.0]).double()
    expected = [[0, 1], [0, -1], [-0.5, 1], [-0.5, -1], [-1, math.exp(-1)], [-1, 0]]
    torch.testing.assert_close(preprocess(given), torch.tensor(expected).double())
    edge = torch.tensor([1 - 1e-9, 1 + 1e-9]).double() * math.exp(-10)
    torch.testing.assert_close(*preprocess(edge), rtol=0, atol=1e-8, msg="continuous at e^-10")


def literal_meta_networks(learner, support, told, query):
    """One task, one example at a time, from the paper's equations, on what the eye has seen."""

    def layers(x, weights):
        h = sum(torch.relu(w["w1"] @ x + w["b1"]) for w in weights)
        return sum(w["w2"] @ h + w["b2"] for w in weights)

    def loss(head, weights, x, y):
        return -(torch.log_softmax(head(layers(x, [weights])), dim=0) * y).sum()

    u, b = dict(learner.u), dict(learner.b)
    of_u, memory = [], []
    for x, y in zip(support, told, strict=True):
        for weights, head, into in ((u, learner.names.matmul, of_u), (b, nn.Identity(), memory)):
            found = torch.autograd.grad(loss(head, weights, x, y), list(weights.values()))
            into.append(dict(zip(weights, found, strict=True)))
    memory = [
        {name: learner.m(preprocess(g.flatten())).view(g.shape) for name, g in each.items()}
        for each in memory
    ]
    fast_u = {}
    for name, weight in u.items():
        steps = torch.stack([preprocess(each[name].flatten()) for each in of_u[:WAY]])
        hidden = learner.d(steps.transpose(0, 1))[0][:, -1]
        fast_u[name] = learner.d_out(hidden).view(weight.shape)
    keys = [layers(x, [u, fast_u]) for x in support]
    answers = []
    for x in query:
        key = layers(x, [u, fast_u])
        near = torch.stack([F.cosine_similarity(key, each, dim=0) for each in keys])
        attention = torch.softmax(learner.strength * near, dim=0)
        read = {
            name: sum(a * m[name] for a, m in zip(attention, memory, strict=True)) for name in b
        }
        answers.append(layers(x, [b, read]))
    return torch.stack(answers)


def test_meta_networks_against_a_literal_reference(block):
    learner = MetaNetworks(WAY, SHOT).double().eval()
    images, labels = block[0][:2], block[1][:2]
    logits = learner(images, labels)[:, -1]
    seen = learner.eye(images)
    for (support, told, query, _), answer in zip(split(seen, labels), logits, strict=True):
        expected = literal_meta_networks(learner, support, told, query)
        torch.testing.assert_close(answer, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_evaluation_changes_nothing_and_ignores_the_answers(name, episodes):
    learner = LEARNERS[name](WAY, SHOT).eval()
    images, labels = episodes.blocks(2)
    before = {key: value.clone() for key, value in learner.state_dict().items()}
    with torch.no_grad():
        logits = learner(images, labels)
        other = labels.clone()
        other[:, -1] = 0
        assert torch.equal(learner(images, other), logits)
    after = learner.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(after[key], value) for key, value in before.items())
    assert all(weight.grad is None for weight in learner.parameters())


@pytest.mark.parametrize("name", NAMES)
def test_the_support_set_is_learned_from(name, episodes):
    """Other names for the support classes give other logits, under no_grad as well."""
    learner = LEARNERS[name](WAY, SHOT).eval()
    images, labels = episodes.blocks(2)
    other = labels.clone()
    other[:, :-1] = labels[:, :-1].roll(1, dims=-1)
    with torch.no_grad():
        there = learner(images, labels)[:, -1]
        here = learner(images, other)[:, -1]
    assert (there - here).abs().max() > 1e-4


@pytest.mark.parametrize("name", NAMES)
def test_a_step_learns(name, episodes):
    learner = LEARNERS[name](WAY, SHOT)
    learner.batch = 2
    before = {key: value.clone() for key, value in learner.state_dict().items()}
    learner.start()
    assert learner.optimizer is not None, "or compare takes it for one that has nothing to learn"
    assert math.isfinite(learner.step(episodes, 0.0))
    moved = {key for key, value in learner.named_parameters() if not value.equal(before[key])}
    assert moved == dict(learner.named_parameters()).keys()
