"""Neighbours and a network on irises, through the command line."""

import re

import numpy as np
import pytest
from PIL import Image

from fewshot.experiments.iris_knn import accuracy, confusions, draw, main


def test_thirty_flowers_in_two_parts():
    train, test, species, truth = draw(1)
    assert train.shape == (24, 4)
    assert test.shape == (6, 4)
    assert (len(species), len(truth)) == (24, 6)
    assert not np.array_equal(test, draw(2)[1])
    assert np.array_equal(test, draw(1)[1])


def test_neighbours_are_counted_right():
    """The confusion matrix against three neighbours found by hand."""
    train, test, species, truth = draw(3)
    named = []
    for flower in test:
        near = np.argsort(((train - flower) ** 2).sum(axis=1))[:3]
        named.append(np.bincount(species[near], minlength=3).argmax())
    expected = np.zeros((3, 3), int)
    np.add.at(expected, (truth, named), 1)
    assert np.array_equal(confusions(3)[0], expected)
    assert accuracy(expected) == np.mean(truth == named)


def test_the_sources_numbers(tmp_path, capsys, in_process):
    """Its draw is not known; the default seed's happens to have both of its numbers."""
    assert in_process(main, "--draws", 25, "--out", tmp_path) == 0
    said = capsys.readouterr().out
    assert re.search(r"neighbours: 83\.33 %", said)
    assert re.search(r"13-13-13: 50\.00 %", said)
    means = [float(mean) for mean in re.findall(r": (\S+) ± ", said)]
    assert means[0] > means[1] + 20
    for name in ("flowers.png", "confusion.png"):
        picture = np.asarray(Image.open(tmp_path / name).convert("L"))
        assert min(picture.shape) > 500
        assert picture.std() > 10


def test_one_draw_alone(tmp_path, capsys, in_process):
    assert in_process(main, "--draws", 1, "--seed", 7, "--out", tmp_path) == 0
    assert "±" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--draws", "0"], "'0' is no number from 1 on"),
        (["--seed", "-1"], "argument --seed: '-1' is no number from 0 to 2**32 - 1"),
        (["--draws", "1", "--out", "README.md"], "Cannot write into README.md"),
    ],
)
def test_what_is_wrong_is_one_line(words, said, capsys, in_process):
    assert in_process(main, *words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
