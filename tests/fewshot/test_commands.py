"""Checkpoints and folders of results: what cannot be written or used is said in a sentence."""

import os

import pytest
import torch

from fewshot.commands import CommandError, load, results_in, save

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


def test_a_folder_is_tried_before_the_work(tmp_path, monkeypatch):
    def closed(dir):
        raise PermissionError(13, "Permission denied")

    with results_in(tmp_path / "new"):
        assert not os.listdir(tmp_path / "new")
    monkeypatch.setattr("tempfile.TemporaryFile", closed)  # root may write anywhere
    with (
        pytest.raises(CommandError, match=r"^Cannot write into .*new: Permission denied\.$"),
        results_in(tmp_path / "new"),
    ):
        pytest.fail("no work is begun")
