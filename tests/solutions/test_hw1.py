"""Problem 2 and the given pieces around it, on tasks made of random numbers."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from solutions import hw1

SHAPES = [(1, 1, 2), (3, 1, 2), (2, 2, 3), (1, 3, 5), (4, 1, 20)]  # (B, K, N)


def make_tasks(B, K, N, seed=0):
    """Random images, and labels with a shuffled query row."""
    random = torch.Generator().manual_seed(seed)
    images = torch.rand(B, K + 1, N, 784, generator=random)
    labels = torch.eye(N).expand(B, K + 1, N, N).clone()
    for b in range(B):
        labels[b, -1] = labels[b, -1, torch.randperm(N, generator=random)]
    return images, labels


@pytest.mark.parametrize(("B", "K", "N"), SHAPES)
def test_forward_is_one_sequence_with_zeros_for_query_labels(B, K, N):
    model = hw1.MANN(N, K + 1, 16)
    images, labels = make_tasks(B, K, N)
    given = images.clone(), labels.clone()
    predictions = model(images, labels)
    assert predictions.shape == (B, K + 1, N, N)
    assert torch.equal(images, given[0])
    assert torch.equal(labels, given[1])

    # The same, written out: one task at a time, one step at a time.
    for b in range(B):
        memory = answer = None
        for k in range(K + 1):
            for n in range(N):
                label = labels[b, k, n] if k < K else torch.zeros(N)
                step = torch.cat([images[b, k, n], label])[None, None]
                hidden, memory = model.layer1(step, memory)
                output, answer = model.layer2(hidden, answer)
                torch.testing.assert_close(predictions[b, k, n], output[0, 0])


def test_only_support_labels_matter():
    model = hw1.MANN(3, 3, 16)
    images, labels = make_tasks(2, 2, 3)
    before = model(images, labels)
    labels[:, -1] = labels[:, -1].roll(1, dims=1)
    assert torch.equal(model(images, labels), before)
    labels[:, 0] = labels[:, 0].roll(1, dims=1)
    assert not torch.equal(model(images, labels), before)


@pytest.mark.parametrize(("B", "K", "N"), SHAPES)
def test_loss_is_the_query_rows_cross_entropy(B, K, N):
    _, labels = make_tasks(B, K, N)
    logits = torch.randn(B, K + 1, N, N, dtype=torch.float64, requires_grad=True)
    loss = hw1.MANN(N, K + 1, 4).loss_function(logits, labels.double())

    expected, gradient = 0.0, torch.zeros_like(logits)
    for b in range(B):
        for n in range(N):
            row = logits[b, -1, n].tolist()
            right = labels[b, -1, n].argmax().item()
            total = sum(math.exp(value) for value in row)
            expected += (math.log(total) - row[right]) / (B * N)
            for c in range(N):
                gradient[b, -1, n, c] = (math.exp(row[c]) / total - (c == right)) / (B * N)
    assert loss.shape == ()
    assert loss.item() == pytest.approx(expected, abs=1e-12)
    torch.testing.assert_close(torch.autograd.grad(loss, logits)[0], gradient)


def test_loss_is_finite_at_large_logits():
    _, labels = make_tasks(2, 1, 3)
    assert hw1.MANN(3, 2, 4).loss_function(1e4 * torch.randn(2, 2, 3, 3), labels).isfinite()


def test_weights_start_as_the_handout_says():
    model = hw1.MANN(5, 2, 128)
    assert (model.layer1.input_size, model.layer1.hidden_size) == (789, 128)
    assert (model.layer2.input_size, model.layer2.hidden_size) == (128, 5)
    for lstm in (model.layer1, model.layer2):
        rows, columns = lstm.weight_ih_l0.shape
        assert lstm.weight_ih_l0.abs().max() <= math.sqrt(6 / (rows + columns))
        square = lstm.weight_hh_l0.T @ lstm.weight_hh_l0
        torch.testing.assert_close(square, torch.eye(len(square)), atol=1e-5, rtol=0)
        assert not lstm.bias_ih_l0.any()
        assert not lstm.bias_hh_l0.any()


def test_train_step_learns_and_eval_does_not():
    torch.manual_seed(0)
    model = hw1.MANN(2, 2, 32)
    optim = torch.optim.Adam(model.parameters(), 1e-2)
    images, labels = make_tasks(8, 1, 2)
    weights = nn.utils.parameters_to_vector(model.parameters()).clone()
    predictions, before = hw1.train_step(images, labels, model, optim, eval=True)
    assert predictions.shape == labels.shape
    assert not before.requires_grad
    assert torch.equal(nn.utils.parameters_to_vector(model.parameters()), weights)
    for _ in range(100):
        _, after = hw1.train_step(images, labels, model, optim)
    assert after < before / 2


def test_a_character_turns_as_one():
    torch.manual_seed(0)
    B, K, N = 64, 2, 3
    _, labels = make_tasks(B, K, N)
    pictures = torch.rand(B, N, 28, 28)
    classes = labels.argmax(-1)
    images = pictures[torch.arange(B)[:, None, None], classes].flatten(3)
    turned = hw1.turn(images, labels).view(B, K + 1, N, 28, 28)
    seen = set()
    for b in range(B):
        for n in range(N):
            quarters = [torch.rot90(pictures[b, n], quarter) for quarter in range(4)]
            matches = [
                next(q for q in range(4) if torch.equal(quarters[q], turned[b, k, i]))
                for k in range(K + 1)
                for i in range(N)
                if classes[b, k, i] == n
            ]
            assert len(matches) == K + 1
            assert len(set(matches)) == 1
            seen.add(matches[0])
    assert seen == {0, 1, 2, 3}


def test_soften_blurs_within_an_image():
    images = torch.zeros(1, 2, 1, 784)
    images[0, 0, 0, 5 * 28 + 7] = 1
    soft = hw1.soften(images).view(2, 28, 28)
    assert soft[0].sum().item() == pytest.approx(1.0)
    torch.testing.assert_close(soft[0, 4:7, 6:9], torch.full((3, 3), 1 / 9))
    assert not soft[1].any()


def test_evaluate_counts_per_task_whatever_the_batch():
    model = hw1.MANN(3, 2, 16)
    tasks = make_tasks(10, 1, 3)
    loss, right = hw1.evaluate(model, tasks, 10)
    small_loss, small_right = hw1.evaluate(model, tasks, 4)
    assert small_loss == pytest.approx(loss, rel=1e-5)
    assert torch.equal(right, small_right)
    guesses = model(hw1.soften(tasks[0]), tasks[1])[:, -1].argmax(-1)
    assert right.tolist() == pytest.approx(
        (guesses == tasks[1][:, -1].argmax(-1)).float().mean(-1).tolist()
    )


def test_the_picture_shows_every_image():
    images, labels = make_tasks(1, 2, 4)
    picture = hw1.draw_picture(np.ones_like(images[0]), labels[0].numpy())
    assert picture.dtype == np.uint8
    assert picture.shape[2] == 3
    black = (picture == 0).all(axis=2).sum()
    assert black >= 3 * 4 * 82 * 82, "twelve images full of ink"
    paper = hw1.draw_picture(np.zeros_like(images[0]), labels[0].numpy())
    assert (paper == 0).all(axis=2).sum() < 3 * 4 * 400, "only the labels are left"


def test_resumed_schedule_goes_on_and_the_rate_ends_near_zero():
    class Config:
        learning_rate = 0.01
        train_steps = 50

    optim, schedule = hw1.make_optimizer(hw1.MANN(2, 2, 4), Config)
    rates = []
    for _ in range(50):
        rates.append(schedule.get_last_lr()[0])
        optim.step()
        schedule.step()
    peak = rates.index(max(rates))
    assert max(rates) == pytest.approx(0.01, rel=0.03)
    assert rates == sorted(rates[: peak + 1]) + sorted(rates[peak + 1 :], reverse=True)
    assert rates[-1] < 1e-4
