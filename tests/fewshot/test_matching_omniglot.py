"""The matching network's experiment, through the command line."""

import re
from argparse import Namespace
from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image

from fewshot.experiments import matching_omniglot
from fewshot.experiments.matching_omniglot import Experiment, main
from fewshot.experiments.matching_source import SourceMatching


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


@pytest.mark.parametrize("source", [(), ("--source",)], ids=["paper", "source"])
def test_a_run_goes_on_as_if_nothing_had_been(run, tmp_path, capsys, source):
    run = partial(run, *source)
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
    looks = 3 if source else 1
    assert parts[-1 - looks : -1] == whole[-1 - looks : -1]
    assert whole[-2].startswith("The same, and learning" if source else "Test accuracy")


def test_parts_share_no_character_and_looking_teaches_nothing(data_folder, monkeypatch):
    made = []
    episodes = matching_omniglot.Episodes

    def spy(store, characters, *rest):
        made.append(characters)
        return episodes(store, characters, *rest)

    monkeypatch.setattr(matching_omniglot, "Episodes", spy)
    experiment = Experiment(Namespace(data=data_folder, seed=1, source=False))
    assert [len(part) for part in made] == [1200, 211, 212]
    assert len(torch.cat(made).unique()) == 1623
    assert not taught(experiment, lambda: experiment.examine(3, experiment.look))


def taught(experiment, action):
    """Whether an action has changed the network's weights, or what batch norm keeps."""
    network = experiment.model.embed
    before = {name: value.clone() for name, value in network.state_dict().items()}
    action()
    return not all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_the_source_learns_from_test_tasks(data_folder):
    experiment = Experiment(Namespace(data=data_folder, seed=1, source=True))
    weight = experiment.model.embed[0].weight
    assert not taught(experiment, lambda: experiment.examine(3, experiment.look))
    before = weight.detach().clone()
    experiment.examine(3, experiment.watch)
    assert torch.equal(weight, before)
    experiment.examine(3, experiment.update)
    assert not torch.equal(weight, before)


class TestSource:
    """The source's network differs from the paper's in what is said of it."""

    @pytest.fixture
    def tasks(self):
        torch.manual_seed(0)
        return torch.randn(2, 5, 64), torch.eye(5).expand(2, 5, 5), torch.randn(2, 3, 64)

    @pytest.fixture
    def model(self):
        torch.manual_seed(1)
        return SourceMatching(2)

    def test_a_task_is_answered_from_the_state_the_one_before_has_left(self, model, tasks):
        support, labels, query = tasks
        first, second = model.match(*tasks), model.match(*tasks)
        assert not torch.allclose(first, second)
        model.state.zero_()
        assert torch.equal(model.match(*tasks), first)
        # It goes on from the first query, whatever the others are.
        model.state.zero_()
        model.match(support, labels, query[:, :1])
        torch.testing.assert_close(model.match(*tasks), second)

    def test_the_support_is_seen_in_the_light_of_the_query(self, model, tasks):
        support, labels, query = tasks
        seen = []
        model.read.register_forward_hook(lambda *call: seen.append(call[2][0]))
        for queries in (query, -query):
            model.state.zero_()
            model.match(support, labels, queries)
        assert not torch.allclose(seen[0][:, :5], seen[1][:, :5])

    def test_the_loss_of_a_sure_answer_is_a_softmax_of_probabilities(self, model, tasks):
        answer = model.match(*tasks)
        # However sure: p = 1 among 0s, as logits.
        assert answer.max() <= 1 - np.log(np.e + 4)


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
