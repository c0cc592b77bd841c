"""What the prior is worth, through the command line."""

import re
from functools import partial

import numpy as np
import pytest
from PIL import Image

from fewshot.data.store import Store
from fewshot.experiments import k_shot_prior
from fewshot.experiments.k_shot_prior import main


@pytest.fixture
def run(data_folder, in_process, monkeypatch):
    """The command, saving after every step: folder, words → exit status."""
    monkeypatch.setattr(k_shot_prior, "SAVE_EVERY", 1)
    return partial(in_process, main, "--data", data_folder, "--tasks", 4, "--out")


def test_a_run_goes_on_as_if_nothing_had_been(run, tmp_path, capsys, monkeypatch):
    assert run(tmp_path / "whole", "--steps", "3") == 0
    table = (tmp_path / "whole" / "table.md").read_text()
    assert table in capsys.readouterr().out
    rows = re.findall(r"^\| (\S+ \S+) \|(?: \d+\.\d ± \d+\.\d \|){3} [+-]\d+\.\d\d ± ", table, re.M)
    assert rows == list(k_shot_prior.TASKS)
    picture = np.asarray(Image.open(tmp_path / "whole" / "k_shot_prior.png").convert("L"))
    assert min(picture.shape) > 400
    assert picture.std() > 5

    step = k_shot_prior.KShot.step

    def stop_at_the_third(learner, train, spent):
        if spent > 0.5:
            raise KeyboardInterrupt
        return step(learner, train, spent)

    with monkeypatch.context() as patch:
        patch.setattr(k_shot_prior.KShot, "step", stop_at_the_third)
        assert run(tmp_path / "parts", "--steps", "3") == 130
    capsys.readouterr()
    assert run(tmp_path / "parts", "--steps", "3") == 0
    assert capsys.readouterr().out.startswith("Going on after 2 steps.\n")
    assert (tmp_path / "parts" / "table.md").read_text() == table


def test_test_characters_are_unseen(run, data_folder, tmp_path, monkeypatch):
    drawn = []
    characters = k_shot_prior.characters

    def spy(store, *parts):
        drawn.append(characters(store, *parts))
        return drawn[-1]

    monkeypatch.setattr(k_shot_prior, "characters", spy)
    assert run(tmp_path, "--steps", "1") == 0
    train, test = (set(store.characters) for store in drawn)
    assert not train & test
    assert train | test == set(Store.load(data_folder).characters)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--steps", "0"], "'0' is no number from 1 on"),
        (["--tasks", "1"], "'1' is no number from 2 on"),
        (["--data", "none"], "There is no folder none"),
        (["--out", "README.md", "--steps", "1"], "Cannot write into README.md"),
    ],
)
def test_what_is_wrong_is_one_line(run, tmp_path, capsys, words, said):
    assert run(tmp_path, *words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
