"""Checkpoints: a run goes on as it was; what cannot be written or used is said in a sentence."""

import os

import pytest
import torch

from fewshot.checkpoint import Checkpoint, load, save
from fewshot.commands import CommandError

SETTINGS = {"seed": 1}


def test_a_checkpoint_comes_back(tmp_path):
    file = tmp_path / "new" / "checkpoint.pt"
    assert load(file, SETTINGS) is None
    save(file, {"settings": SETTINGS, "numbers": torch.arange(3)})
    assert load(file, SETTINGS)["numbers"].tolist() == [0, 1, 2]
    assert os.listdir(file.parent) == ["checkpoint.pt"]
    with pytest.raises(CommandError, match="was made with seed 1, not 2: keep to it"):
        load(file, {"seed": 2})


def test_a_save_that_fails_leaves_the_old_checkpoint(tmp_path, monkeypatch):
    file = tmp_path / "checkpoint.pt"
    save(file, {"settings": SETTINGS})

    def full(content, stream):
        stream.write(b"half")
        raise RuntimeError("unexpected pos 768 vs 662")  # as PyTorch says it of a full disk

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(CommandError, match=r"^Cannot write .*checkpoint.pt: is the disk full\?$"):
        save(file, {"settings": SETTINGS})
    assert load(file, SETTINGS) == {"settings": SETTINGS}
    assert os.listdir(tmp_path) == ["checkpoint.pt"]


def test_a_checkpoint_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(CommandError, match=r"^Cannot write .*checkpoint.pt: File exists\.$"):
        save(tmp_path / "file" / "checkpoint.pt", {"settings": SETTINGS})


@pytest.mark.parametrize("content", [b"", b"junk"])
def test_a_damaged_checkpoint(tmp_path, content):
    file = tmp_path / "checkpoint.pt"
    file.write_bytes(content)
    with pytest.raises(CommandError, match="is damaged: delete it"):
        load(file, SETTINGS)


def training(path):
    """A checkpoint of a small network, with what it keeps."""
    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.Adam(model.parameters())
    generator = torch.Generator().manual_seed(3)
    return Checkpoint(path, SETTINGS, model, optimizer, generator)


def learn(run):
    loss = run.model(torch.randn(4, 2, generator=run.generator)).square().sum()
    run.optimizer.zero_grad()
    loss.backward()
    run.optimizer.step()


def test_a_training_goes_on_as_if_it_had_not_been_stopped(tmp_path):
    whole = training(tmp_path / "checkpoint.pt")
    assert whole.restore() == {}
    learn(whole)
    whole.save(done=1)
    learn(whole)
    rest = training(tmp_path / "checkpoint.pt")
    assert rest.restore()["done"] == 1
    learn(rest)
    for ours, theirs in zip(rest.model.parameters(), whole.model.parameters(), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("content", [{}, {"model": {"weight": torch.ones(3, 3)}}])
def test_a_checkpoint_of_another_network(tmp_path, content):
    run = training(tmp_path / "checkpoint.pt")
    save(run.path, {"settings": SETTINGS} | content)
    with pytest.raises(CommandError, match="is damaged: delete it"):
        run.restore()
