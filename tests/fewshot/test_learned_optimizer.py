"""Optimizers that are learned, by themselves and through the command line."""

import copy
import re
from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image

from fewshot.experiments import learned_optimizer
from fewshot.experiments.learned_optimizer import (
    GRID,
    HAND_MADE,
    Quadratics,
    descend,
    learn,
    main,
    tune,
    unroll,
)
from fewshot.learners.optimization.gradients import preprocess
from fewshot.learners.optimization.learned_optimizer import LearnedOptimizer, TwoLSTMs

KINDS = [LearnedOptimizer, TwoLSTMs]


def made(kind, seed=1):
    """A float64 optimizer of random weights."""
    torch.manual_seed(seed)
    return kind().double()


def quadratics(count, seed=1):
    drawn = Quadratics.draw(count, torch.Generator().manual_seed(seed))
    return Quadratics(drawn.W.double(), drawn.y.double())


def test_quadratics_and_their_gradients():
    functions = quadratics(3)
    theta = torch.randn(3, 10, dtype=torch.float64, requires_grad=True)
    values = functions(theta)
    for i in range(3):
        expected = (functions.W[i] @ theta[i] - functions.y[i]).norm() ** 2
        assert values[i].item() == pytest.approx(expected.item(), rel=1e-12)
    (gradient,) = torch.autograd.grad(values.sum(), theta)
    torch.testing.assert_close(functions.gradient(theta), gradient)


def test_gradients_of_all_magnitudes_are_seen():
    gradient = torch.tensor([1.0, -(np.e**3), np.e**-20, -(np.e**-10.5), 0.0], dtype=torch.float64)
    expected = [[0, 1], [0.3, -1], [-1, np.e**-10], [-1, -(np.e**-0.5)], [-1, 0]]
    torch.testing.assert_close(preprocess(gradient), torch.tensor(expected).double())


@pytest.mark.parametrize("kind", KINDS)
def test_coordinates_share_the_optimizer_and_not_its_state(kind):
    """Coordinates in another order, with their states, are optimized in that order."""
    optimizer = made(kind)
    order = torch.tensor([3, 0, 4, 1, 2])
    gradients = torch.randn(4, 5, dtype=torch.float64)
    theta = torch.randn(5, dtype=torch.float64)
    straight, turned = theta, theta[order]
    state, turned_state = optimizer.zero_state(5), optimizer.zero_state(5)
    for gradient in gradients:
        straight, state = optimizer(straight, gradient, state)
        turned, turned_state = optimizer(turned, gradient[order], turned_state)
    torch.testing.assert_close(turned, straight[order])
    assert (straight - theta).abs().min() > 0

    alone, state = theta[2:3], optimizer.zero_state(1)
    for gradient in gradients:
        alone, state = optimizer(alone, gradient[2:3], state)
    torch.testing.assert_close(alone, straight[2:3])


@pytest.mark.parametrize("kind", KINDS)
def test_one_step_is_what_the_equations_say(kind):
    optimizer = made(kind)
    theta, gradient = torch.randn(2, 3, dtype=torch.float64)
    hidden, _ = optimizer.lstm(preprocess(gradient)[None])
    read = optimizer.update(hidden[0])[:, 0]
    if kind is LearnedOptimizer:
        expected = theta + 0.1 * read
    else:
        f, i = optimizer.gates(hidden[0]).sigmoid().unbind(1)
        assert f.min() > 0.99
        expected = f * theta + i * read
    after, _ = optimizer(theta, gradient, optimizer.zero_state(3))
    torch.testing.assert_close(after, expected)


class Linear:
    """f(θ) = a·θ, whose gradient is a wherever θ is: taking it as a constant leaves nothing out."""

    def __init__(self, slope):
        self.slope = slope

    def __call__(self, theta):
        return (self.slope * theta).sum(dim=1)

    def gradient(self, theta):
        return self.slope.expand_as(theta)


@pytest.mark.parametrize("kind", KINDS)
def test_the_gradient_through_the_steps_is_that_of_finite_differences(kind):
    optimizer = made(kind)
    slope = torch.tensor([[0.7, -1.3]], dtype=torch.float64)
    start = torch.tensor([[0.4, 0.2]], dtype=torch.float64)

    def total():
        values, _, _ = unroll(optimizer, Linear(slope), start, optimizer.zero_state(2), 5)
        return values.sum()

    weights = list(optimizer.parameters())
    slopes = torch.autograd.grad(total(), weights)
    generator = torch.Generator().manual_seed(2)
    for weight, found in zip(weights, slopes, strict=True):
        direction = torch.randn(weight.shape, generator=generator, dtype=torch.float64)
        with torch.no_grad():
            weight += 1e-5 * direction
            above = total()
            weight -= 2e-5 * direction
            below = total()
            weight += 1e-5 * direction
        expected = (above - below) / 2e-5
        assert (found * direction).sum().item() == pytest.approx(expected.item(), 1e-6, 1e-9)


def test_the_gradient_takes_what_the_optimizer_sees_as_constant():
    """With the gradients of a first run played back as constants, nothing changes."""
    optimizer, functions = made(LearnedOptimizer), quadratics(2)
    start = torch.zeros(2, 10, dtype=torch.float64)
    seen = []

    class Recorded(Quadratics):
        def gradient(self, theta):
            seen.append(super().gradient(theta).detach())
            return super().gradient(theta)

    class Played(Quadratics):
        def gradient(self, theta):
            return seen.pop(0)

    def slopes(functions):
        values, _, _ = unroll(optimizer, functions, start, optimizer.zero_state(20), 4)
        return torch.autograd.grad(values.sum(), list(optimizer.parameters()))

    first = slopes(Recorded(functions.W, functions.y))
    second = slopes(Played(functions.W, functions.y))
    for ours, theirs in zip(first, second, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_learning_takes_five_steps_in_a_hundred_and_cuts_between_them():
    torch.manual_seed(1)
    model = LearnedOptimizer()
    functions = Quadratics.draw(4, torch.Generator().manual_seed(1))
    steps = []

    class Counting(torch.optim.SGD):
        def step(self):
            steps.append([weight.grad.clone() for weight in model.parameters()])

    values = learn(model, Counting(model.parameters(), 0.0), functions)
    assert values.shape == (100, 4)
    assert len(steps) == 5
    # The second part by itself, from where the first has ended: the same gradient.
    state = model.zero_state(40)
    _, theta, state = unroll(model, functions, torch.zeros(4, 10), state, 20)
    start, state = theta.detach(), tuple(part.detach() for part in state)
    some, _, _ = unroll(model, functions, start, state, 20)
    model.zero_grad()
    some.mean(dim=1).sum().backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    for weight, found in zip(model.parameters(), steps[1], strict=True):
        torch.testing.assert_close(found, weight.grad, rtol=1e-4, atol=1e-6)


def test_hand_made_optimizers_work_on_each_quadratic_by_itself():
    functions = quadratics(3)
    for make in HAND_MADE.values():
        together = descend(make, 0.01, functions)
        for i in range(3):
            alone = Quadratics(functions.W[[i]], functions.y[[i]])
            torch.testing.assert_close(descend(make, 0.01, alone)[:, 0], together[:, i])
    theta = torch.zeros_like(functions.y)
    for value in descend(HAND_MADE["SGD"], 0.01, functions):
        torch.testing.assert_close(value, functions(theta))
        theta = theta - 0.01 * functions.gradient(theta)


def test_tuning_finds_the_best_rate_of_the_grid():
    functions = quadratics(50)
    best = tune(HAND_MADE["SGD"], functions)
    ends = {rate: descend(HAND_MADE["SGD"], rate, functions)[-1].mean() for rate in GRID}
    assert GRID[0] < best < GRID[-1], "the grid is wide enough"
    assert all(not ends[rate] < ends[best] for rate in GRID)  # some are NaN


@pytest.mark.parametrize("kind", KINDS)
def test_it_learns(kind):
    """From 10.0 at θ = 0 and worse after an untrained optimizer's steps to below 3."""
    torch.manual_seed(1)
    model = kind()
    meta = torch.optim.Adam(model.parameters(), 5e-3)
    generator = torch.Generator().manual_seed(1)
    for _ in range(8):
        values = learn(model, meta, Quadratics.draw(16, generator))
    assert values[-1].mean() < 3


@pytest.fixture
def here(monkeypatch, in_process):
    """The command in this process, made small: words → exit status."""
    monkeypatch.setattr(learned_optimizer, "SAVE_EVERY", 1)
    monkeypatch.setattr(learned_optimizer, "BATCH", 4)
    monkeypatch.setattr(learned_optimizer, "VALIDATED_ON", 10)
    monkeypatch.setattr(learned_optimizer, "TUNED_ON", 20)
    monkeypatch.setattr(learned_optimizer, "HELD_OUT", 30)
    monkeypatch.setattr(learned_optimizer, "GRID", [0.01, 0.1])
    return partial(in_process, main)


def test_a_run_and_one_that_was_stopped(tmp_path, here, capsys, monkeypatch):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert here("--batches", 3, "--out", whole) == 0
    printed = capsys.readouterr().out
    table = (whole / "table.md").read_text()
    assert table in printed
    for name in ("SGD", "Nesterov", "RMSprop", "Adam", "LSTM", "LSTM, second LSTM over θ"):
        assert re.search(rf"^\| {name} \| [\d.]* \| [\d.]+ ± [\d.]+ \|", table, re.MULTILINE)
    picture = np.asarray(Image.open(whole / "learned_optimizer.png").convert("L"), float)
    assert min(picture.shape) > 500
    assert (picture < 200).mean() > 0.01

    learn, calls = learned_optimizer.learn, []

    def stops(*arguments):
        calls.append(None)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return learn(*arguments)

    monkeypatch.setattr(learned_optimizer, "learn", stops)
    assert here("--batches", 3, "--out", cut) == 130
    assert here("--batches", 3, "--out", cut) == 0
    assert "LSTM: going on after 2 batches." in capsys.readouterr().out
    assert (cut / "table.md").read_text() == table


def test_the_best_optimizer_on_the_way_is_kept(tmp_path, here, monkeypatch):
    """The second of three is the best; training destroys it, as it may."""
    torch.manual_seed(1)
    calls, states = [], []

    def scripted(model, meta, functions):
        calls.append(None)
        with torch.no_grad():  # an update of 1e9 at every step but at the second call
            model.update.bias.fill_({2: 0.0}.get(len(calls) % 3, 1e9))
            model.update.weight.zero_()
        states.append(copy.deepcopy(model.state_dict()))

    monkeypatch.setattr(learned_optimizer, "learn", scripted)
    assert here("--batches", 3, "--out", tmp_path) == 0
    kept = torch.load(tmp_path / "LearnedOptimizer.pt", weights_only=True)
    assert all(torch.equal(kept["best"][name], value) for name, value in states[1].items())
    assert torch.equal(kept["model"]["update.bias"], torch.tensor([1e9]))
    # θ stays at 0, where f has the mean ‖y‖² = 10; the rest would be beyond 1e10.
    (end,) = re.findall(r"^\| LSTM \|  \| ([\d.]+)", (tmp_path / "table.md").read_text(), re.M)
    assert float(end) == pytest.approx(10, abs=4)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--batches", "0"], "'0' is no number from 1 on"),
        (["--out", "README.md"], "Cannot write into README.md"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path, here, capsys, more, said):
    assert here("--out", tmp_path, *more) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line


def test_another_seed_in_the_same_folder_is_one_line(tmp_path, here, capsys):
    assert here("--batches", 1, "--out", tmp_path) == 0
    capsys.readouterr()
    assert here("--batches", 1, "--seed", 2, "--out", tmp_path) == 2
    assert "was made with seed 1, not 2" in capsys.readouterr().err


def test_examining_changes_nothing(here):
    torch.manual_seed(1)
    learned = {"LSTM": LearnedOptimizer()}
    before = copy.deepcopy(learned["LSTM"].state_dict())
    first = [values for _, _, values in learned_optimizer.compare(learned, 1)]
    second = [values for _, _, values in learned_optimizer.compare(learned, 1)]
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert all(torch.equal(before[k], v) for k, v in learned["LSTM"].state_dict().items())
