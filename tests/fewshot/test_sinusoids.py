"""The experiments on sinusoids: their tasks, training from scratch, and their command lines."""

import copy
import math
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from fewshot import checkpoint
from fewshot.experiments import daml_sinusoid, maml_sinusoid, sinusoids
from fewshot.experiments.daml_sinusoid import Leaking, Watcher, Watching
from fewshot.experiments.maml_sinusoid import PRESETS, from_scratch, maml_errors, network

ROOT = Path(__file__).parents[2]
EXPERIMENTS = {"maml_sinusoid": maml_sinusoid, "daml_sinusoid": daml_sinusoid}


def generator():
    return torch.Generator().manual_seed(1)


@pytest.fixture
def here(monkeypatch, in_process):
    """An experiment in this process, with little to examine: name, words → exit status."""
    for module in EXPERIMENTS.values():
        monkeypatch.setattr(module, "TEST_TASKS", 20)
    monkeypatch.setattr(sinusoids, "LOG_EVERY", 5)
    monkeypatch.setattr(maml_sinusoid, "SCRATCH", {"Adam": (0.01,), "SGD": (0.01,)})
    monkeypatch.setattr(maml_sinusoid, "SCRATCH_STEPS", 20)
    monkeypatch.setattr(maml_sinusoid, "TUNING_TASKS", 10)
    return lambda name, *words: in_process(EXPERIMENTS[name].main, *words)


def test_a_task_is_one_wave():
    """Its support points determine the wave, a sin x + b cos x, and so its query points."""
    x, y, query, answer = PRESETS["paper"].waves.batch(200, 10, 10, generator())
    for each in (x, y, query, answer):
        assert each.shape == (200, 10, 1)

    def columns(at):
        return torch.cat([at.sin(), at.cos()], dim=-1).double()

    fitted = torch.linalg.lstsq(columns(x), y.double()).solution
    torch.testing.assert_close(columns(query) @ fitted, answer.double(), rtol=0, atol=1e-4)
    amplitude = fitted.square().sum(1).sqrt()
    phase = torch.atan2(-fitted[:, 1], fitted[:, 0])
    assert 0.1 <= amplitude.min() < 0.3, "of 200 none is in the lowest 4 %: a chance of 2e-4"
    assert 4.8 < amplitude.max() <= 5.0001
    assert phase.min() > -0.01
    assert phase.max() < math.pi + 0.01
    assert phase.max() - phase.min() > 2.9
    assert x.abs().max() <= 5
    assert not torch.equal(x, query)


def test_the_book_has_two_tasks():
    x, y, _, _ = PRESETS["book"].waves.batch(200, 4, 4, generator())
    ratio = (y * x.sin()).sign().flatten(1)
    assert (ratio == ratio[:, :1]).all()
    torch.testing.assert_close(y.abs(), x.sin().abs(), rtol=0, atol=1e-5)
    assert len(ratio[:, 0].unique()) == 2
    assert 5.5 < x.abs().max() <= 2 * math.pi


@pytest.mark.parametrize(("name", "rate"), [("SGD", 0.01), ("Adam", 0.003)])
def test_from_scratch_each_task_is_alone(name, rate):
    preset = PRESETS["paper"]
    x, y, query, answer = batch = preset.waves.batch(3, 10, 7, generator())
    errors, weights = from_scratch(preset, batch, name, rate, 20)
    assert errors.shape == (3, 3)
    torch.manual_seed(maml_sinusoid.EXAM)
    nets = [network(preset.hidden) for _ in range(3)]
    for task, net in enumerate(nets):
        optimizer = getattr(torch.optim, name)(net.parameters(), rate)
        for step in range(21):
            if step % 10 == 0:
                error = nn.functional.mse_loss(net(query[task]), answer[task])
                torch.testing.assert_close(errors[step // 10, task], error.detach())
            if step < 20:
                optimizer.zero_grad()
                nn.functional.mse_loss(net(x[task]), y[task]).backward()
                optimizer.step()
        for key, value in net.named_parameters():
            torch.testing.assert_close(weights[key][task], value.detach(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", PRESETS)
def test_the_meta_loss_is_of_new_points_after_adapting(name):
    preset = PRESETS[name]
    net = network(preset.hidden)
    losses = []
    for x, y, query, answer in zip(
        *preset.waves.batch(preset.batch, preset.shots, preset.shots, generator()), strict=True
    ):
        theirs = copy.deepcopy(net)
        optimizer = torch.optim.SGD(theirs.parameters(), preset.inner_rate)
        for _ in range(preset.inner_steps):
            optimizer.zero_grad()
            preset.loss(theirs(x), y).backward()
            optimizer.step()
        losses.append(preset.loss(theirs(query), answer))
    loss = maml_sinusoid.meta_loss(net, preset, generator())
    torch.testing.assert_close(loss, sum(losses) / len(losses))


def test_before_any_step_it_is_the_network():
    preset = PRESETS["paper"]
    net = network(preset.hidden)
    batch = preset.waves.batch(5, 10, 10, generator())
    expected = (net(batch[2]) - batch[3]).square().mean((1, 2))
    torch.testing.assert_close(maml_errors(net, preset, batch, 0), expected.detach())
    assert (maml_errors(net, preset, batch, 5) != expected).all()


def test_an_observation_has_no_labels():
    """The readings are those of the wave that the query is asked about; the query has none."""
    x, y, query, answer = Watching.waves.batch(50, 10, 6, generator())
    seen, asked, answers = Watching().batch(50, 10, 6, generator())
    torch.testing.assert_close(seen, torch.cat([x, torch.tanh(y / 3)], dim=-1))
    torch.testing.assert_close(asked[..., :1], query)
    assert asked[..., 1].eq(0).all()
    torch.testing.assert_close(answers, answer)


def test_what_leaks_in_the_books_tasks():
    """The query's own sign is enough: no task is needed to answer sin|x|."""
    seen, query, answer = Leaking().batch(50, 4, 6, generator())
    assert (seen.sign() == query[:, :1].sign()).all()
    torch.testing.assert_close(answer, query.abs().sin(), rtol=0, atol=1e-5)
    assert len(query.sign().unique()) == 2


@pytest.mark.parametrize("name", daml_sinusoid.PRESETS)
def test_the_inner_loss_is_learned(name):
    """Its network has an effect through the inner steps alone: against finite differences."""
    torch.manual_seed(1)
    preset = daml_sinusoid.PRESETS[name]
    model = Watcher(preset).double()
    batch = [part.double() for part in preset.tasks.batch(3, preset.shots, 6, generator())]
    weights = list(model.adap_net.parameters())
    loss = model.errors(*batch, 3).mean()
    gradients = torch.autograd.grad(loss, weights)
    direction = [torch.randn_like(weight) for weight in weights]
    expected = sum((a * b).sum() for a, b in zip(gradients, direction, strict=True))
    losses = []
    with torch.no_grad():
        for h in (1e-6, -2e-6):
            for weight, by in zip(weights, direction, strict=True):
                weight += h * by
            losses.append(model.errors(*batch, 3).mean())
    assert expected.abs() > 1e-7
    torch.testing.assert_close((losses[0] - losses[1]) / 2e-6, expected, rtol=1e-4, atol=1e-10)


@pytest.mark.parametrize("name", EXPERIMENTS)
@pytest.mark.parametrize("preset", [0, 1])
def test_what_a_run_prints_and_leaves(name, preset, here, tmp_path, capsys):
    preset = list(EXPERIMENTS[name].PRESETS)[preset]
    assert here(name, "--preset", preset, "--iterations", 12, "--out", tmp_path) == 0
    printed = capsys.readouterr().out
    lines = (tmp_path / "log.txt").read_text().splitlines()
    assert [line.split(" iterations: loss ")[0] for line in lines] == ["5", "10", "12"]
    report = (tmp_path / "report.txt").read_text()
    assert report in printed
    assert len(re.findall(r": \d+\.\d{4} ± \d+\.\d{4}$", report, re.MULTILINE)) >= 3
    picture = np.asarray(Image.open(tmp_path / f"{name}.png").convert("L"), float)
    assert picture.shape[0] > 500
    assert 0.005 < (picture < 130).mean() < 0.3, "there are lines, on white"


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_adapting_is_learned(name):
    """Steps on the same tasks over and over lower the error after adapting to them."""
    torch.manual_seed(1)
    if name == "maml_sinusoid":
        preset = PRESETS["paper"]
        model = network(preset.hidden)

        def loss():
            return maml_sinusoid.meta_loss(model, preset, generator())
    else:
        model = Watcher(daml_sinusoid.PRESETS["sound"])

        def loss():
            return model.meta_loss(generator())

    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    losses = []
    for _ in range(40):
        losses.append(loss())
        optimizer.zero_grad()
        losses[-1].backward()
        optimizer.step()
    assert losses[-1] < 0.75 * losses[0]


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_a_stopped_run_goes_on_as_if_nothing_had_been(name, here, tmp_path, capsys, monkeypatch):
    assert here(name, "--iterations", 20, "--out", tmp_path / "whole") == 0
    save = checkpoint.save

    def stop_at_ten(path, content):
        save(path, content)
        if content["done"] == 10:
            raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint, "save", stop_at_ten)
    assert here(name, "--iterations", 20, "--out", tmp_path / "halves") == 130
    monkeypatch.setattr(checkpoint, "save", save)
    capsys.readouterr()
    assert here(name, "--iterations", 20, "--out", tmp_path / "halves") == 0
    assert capsys.readouterr().out.startswith("Going on after 10 iterations.\n")
    for file in ("log.txt", "report.txt"):
        ours, theirs = ((tmp_path / run / file).read_text() for run in ("halves", "whole"))
        assert ours == theirs


@pytest.mark.parametrize("name", EXPERIMENTS)
@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--preset", "other"], "invalid choice: 'other'"),
        (["--iterations", "0"], "'0' is no number from 1 on"),
        (["--out", "README.md"], "Cannot write into README.md"),
    ],
)
def test_what_is_wrong_is_one_line(name, here, tmp_path, capsys, more, said):
    assert here(name, "--out", tmp_path, "--iterations", 5, *more) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line


def test_a_checkpoint_of_other_settings_is_one_line(here, tmp_path, capsys):
    assert here("daml_sinusoid", "--iterations", 5, "--out", tmp_path) == 0
    capsys.readouterr()
    assert here("daml_sinusoid", "--iterations", 5, "--out", tmp_path, "--seed", 2) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "was made with seed 1, not 2" in line


def test_ctrl_c_is_one_line(tmp_path):
    words = ["fewshot.experiments.maml_sinusoid", "--out", str(tmp_path)]
    process = subprocess.Popen(
        [sys.executable, "-m", *words], stderr=subprocess.PIPE, text=True, cwd=ROOT
    )
    end = time.monotonic() + 100
    while "it" not in process.stderr.read(40) and time.monotonic() < end:
        pass  # the bar: it trains
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.strip().splitlines()[-1] == "Stopped: run the same command again to go on."
    assert "Traceback" not in errors
