"""The matching network's experiment, through the command line."""

import re
from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image

from fewshot.experiments import matching_omniglot
from fewshot.experiments.matching_omniglot import Experiment, main


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Two updates an epoch."""
    for name, value in {"BATCHES": 2, "TASKS": 2, "LOOKED_AT": 2, "SAVE_EVERY": 1}.items():
        monkeypatch.setattr(matching_omniglot, name, value)


@pytest.fixture
def run(data_folder, tmp_path, in_process):
    """The command: words → exit status."""
    given = ["--threads", 1, "--test-tasks", 3, "--data", data_folder, "--out", tmp_path]
    return partial(in_process, main, *given)


def test_a_run_goes_on_as_if_nothing_had_been(run, tmp_path, capsys):
    assert run("--epochs", "2", "--out", str(tmp_path / "whole")) == 0
    whole = capsys.readouterr().out.splitlines()
    assert re.match(r"epoch   2: train loss \S+, validation loss \S+, validation acc", whole[0])
    assert re.match(r"Test accuracy, 20-way 1-shot: \d.* \(3 tasks of 212 new", whole[1])
    picture = np.asarray(Image.open(tmp_path / "whole" / "loss.png").convert("L"))
    assert min(picture.shape) > 400
    assert picture.std() > 5

    assert run("--epochs", "1", "--out", str(tmp_path / "parts")) == 0
    assert run("--epochs", "2", "--out", str(tmp_path / "parts")) == 0
    parts = capsys.readouterr().out.splitlines()
    assert "Going on after epoch 1." in parts
    assert parts[-3:-1] == whole[-3:-1]


def test_parts_share_no_character_and_looking_teaches_nothing(data_folder, monkeypatch):
    made = []
    episodes = matching_omniglot.Episodes

    def spy(store, characters, *rest):
        made.append(characters)
        return episodes(store, characters, *rest)

    monkeypatch.setattr(matching_omniglot, "Episodes", spy)
    parser_like = type("Options", (), {"data": data_folder, "seed": 1})
    experiment = Experiment(parser_like)
    assert [len(part) for part in made] == [1200, 211, 212]
    assert len(torch.cat(made).unique()) == 1623

    before = {name: value.clone() for name, value in experiment.model.state_dict().items()}
    experiment.examine(3)
    after = experiment.model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--epochs", "none"], "'none' is no number from 1 on"),
        (["--test-tasks", "1"], "'1' is no number from 2 on"),
        (["--data", "none"], "There is no folder none"),
        (["--out", "README.md", "--epochs", "1"], "Cannot write into README.md"),
    ],
)
def test_what_is_wrong_is_one_line(run, capsys, words, said):
    assert run(*words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
