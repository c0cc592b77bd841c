"""Folders of results: what cannot be written is said in a sentence."""

import os

import pytest

from fewshot.commands import CommandError, results_in


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
