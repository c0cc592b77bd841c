"""Digits on a plane, through the command line; the digits are squares at two places."""

import argparse
import gzip
import re
import struct
from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image

from fewshot.experiments import siamese_mnist
from fewshot.experiments.siamese_mnist import main, partners, shifted


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Few digits."""
    monkeypatch.setattr(siamese_mnist, "TRAIN", 64)
    monkeypatch.setattr(siamese_mnist, "BATCH", 16)
    monkeypatch.setattr(siamese_mnist, "SOURCE_BATCH", 16)
    monkeypatch.setattr(siamese_mnist, "SAVE_EVERY", 2)


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """A folder of MNIST's form: 0 is a square above, 1 a square below, both with noise."""
    folder = tmp_path_factory.mktemp("digits")
    random = np.random.default_rng(1)
    labels = (np.arange(160) % 2).astype(np.uint8)
    images = random.integers(0, 60, size=(160, 28, 28), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        top = 3 + 13 * label
        image[top : top + 9, 9:19] = 230
    for name, content in {
        "images-idx3": struct.pack(">4i", 2051, 160, 28, 28) + images.tobytes(),
        "labels-idx1": struct.pack(">2i", 2049, 160) + labels.tobytes(),
    }.items():
        (folder / f"t10k-{name}-ubyte.gz").write_bytes(gzip.compress(content))
    return folder


@pytest.fixture
def run(digits, in_process):
    """The command: folder, words → exit status."""
    return partial(in_process, main, "--threads", 1, "--data", digits, "--out")


def test_a_run(run, tmp_path, capsys):
    assert run(tmp_path, "--epochs", "20") == 0
    said = capsys.readouterr().out
    first, last = map(float, re.search(r"Loss: (\S+) in the first .* (\S+) in", said).groups())
    assert last < first / 4
    share, count = re.search(r"plane: (\S+) ± \S+ % of (\d+) unseen", said).groups()
    assert float(share) > 95
    assert count == "96"
    assert len(re.findall(r"^epoch +\d+: loss \d\.\d{4}$", said, re.MULTILINE)) == 3
    for name in ("loss.png", "embedding.png"):
        picture = np.asarray(Image.open(tmp_path / name).convert("L"))
        assert min(picture.shape) > 400
        assert picture.std() > 5


class Stop(Exception):
    """In place of a kill."""


def test_a_killed_run_goes_on_as_if_nothing_had_been(run, tmp_path, capsys, monkeypatch):
    assert run(tmp_path / "whole", "--epochs", "5") == 0
    whole = capsys.readouterr().out

    epoch = siamese_mnist.Experiment.epoch

    def killed(experiment):
        if len(experiment.history) == 3:
            raise Stop
        epoch(experiment)

    with monkeypatch.context() as patch:
        patch.setattr(siamese_mnist.Experiment, "epoch", killed)
        with pytest.raises(Stop):
            run(tmp_path / "parts", "--epochs", "5")
    assert run(tmp_path / "parts", "--epochs", "5") == 0
    parts = capsys.readouterr().out
    assert "Going on after epoch 2." in parts
    assert whole.splitlines()[-3:-1] == parts.splitlines()[-3:-1]
    one, other = (
        torch.load(tmp_path / name / "checkpoint.pt", weights_only=True)["model"]
        for name in ("whole", "parts")
    )
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_loss_is_that_of_all_pairs(digits, monkeypatch):
    monkeypatch.setattr(siamese_mnist, "shifted", lambda images, _: images)
    options = argparse.Namespace(data=digits, seed=1, source=False, epochs=1)
    experiment = siamese_mnist.Experiment(options)
    chosen = torch.arange(6)
    points = experiment.model(experiment.train[0][chosen].float() / 255)
    labels = experiment.train[1][chosen]
    losses = {True: [], False: []}
    for i in range(6):
        for j in range(i):
            d = (points[i] - points[j]).square().sum().sqrt()
            same = bool(labels[i] == labels[j])
            losses[same].append(d**2 / 2 if same else max(0, 1 - d) ** 2 / 2)
    expected = sum(sum(kind) / len(kind) for kind in losses.values()) / 2
    torch.testing.assert_close(experiment.loss(chosen), expected)


def test_the_source_learns_too(run, tmp_path, capsys):
    assert run(tmp_path / "a", "--epochs", "8", "--source") == 0
    said = capsys.readouterr().out
    first, last = map(float, re.search(r"Loss: (\S+) in the first .* (\S+) in", said).groups())
    assert last < first


def test_points_that_meet(run, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(siamese_mnist, "partners", lambda labels, _: torch.arange(len(labels)))
    assert run(tmp_path / "a", "--epochs", "1") == 0
    assert run(tmp_path / "b", "--epochs", "1", "--source") == 2
    assert "two points met" in capsys.readouterr().err
    monkeypatch.setattr(siamese_mnist, "SOURCE_BATCH", 64)  # in the last batch, too
    assert run(tmp_path / "c", "--epochs", "1", "--source") == 2
    assert "two points met" in capsys.readouterr().err
    assert not (tmp_path / "c" / "checkpoint.pt").exists()


@pytest.mark.parametrize("source", [False, True])
def test_only_the_source_has_no_relu_after_its_convolutions(source):
    """Far below zero a ReLU lets nothing through: all digits are put into one place."""
    model = siamese_mnist.Embedding(source)
    convolution = next(part for part in model.modules() if isinstance(part, torch.nn.Conv2d))
    with torch.no_grad():
        convolution.bias.fill_(-10)
        one, other = model(torch.rand(2, 784))
    assert torch.equal(one, other) != source


def test_digits_move_by_a_pixel():
    """Every one of the nine moves comes, in 900 draws; missing one has a chance of 1e-45."""
    image = torch.zeros(28, 28, dtype=torch.uint8)
    image[10, 20] = 7
    moved = shifted(image.view(1, -1).repeat(900, 1), torch.Generator().manual_seed(1))
    assert moved.shape == (900, 784)
    assert (moved.sum(dim=1) == 7).all()
    places = {divmod(place, 28) for place in moved.argmax(dim=1).tolist()}
    assert places == {(row, column) for row in (9, 10, 11) for column in (19, 20, 21)}


def test_partners():
    """Half are of the same class, and never the digit itself: 3,000 draws, within 5 sigma."""
    labels = torch.tensor([0, 0, 1, 1, 1, 2]).repeat(500)
    found = partners(labels, torch.Generator().manual_seed(1))
    assert (found != torch.arange(3000)).all()
    assert (labels[found] == labels).float().mean().item() == pytest.approx(0.5, abs=0.046)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--epochs", "0"], "'0' is no number from 1 on"),
        (["--data", "none"], "none holds no MNIST"),
        (["--out", "README.md", "--epochs", "1"], "Cannot write into README.md"),
    ],
)
def test_what_is_wrong_is_one_line(run, tmp_path, capsys, words, said):
    assert run(tmp_path, *words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line


def test_too_few_digits(run, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(siamese_mnist, "TRAIN", 160)
    assert run(tmp_path) == 2
    assert "holds 160 digits: more than 160 are needed" in capsys.readouterr().err


def test_a_checkpoint_of_another_seed(run, tmp_path, capsys):
    assert run(tmp_path, "--epochs", "1") == 0
    assert run(tmp_path, "--epochs", "1", "--seed", "2") == 2
    assert "was made with seed 1, not 2" in capsys.readouterr().err
