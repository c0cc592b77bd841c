"""The copy task through its command line."""

import re
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from fewshot.experiments import ntm_copy
from fewshot.experiments.ntm_copy import PRESETS, Copier, count_wrong, draw, main, watch

ROOT = Path(__file__).parents[2]
SMALL = ["--sequences", "300", "--batch-size", "4"]  # three log lines


def command(out, *more):
    words = ["fewshot.experiments.ntm_copy", "--out", out, *SMALL, *more]
    return [sys.executable, "-m", *map(str, words)]


def start(out, *more):
    return subprocess.run(
        command(out, *more), capture_output=True, text=True, timeout=120, cwd=ROOT
    )


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A short run's folder and what it printed; tests only read it."""
    out = tmp_path_factory.mktemp("ntm") / "copy"
    done = start(out)
    assert done.returncode == 0, done.stderr
    return out, done.stdout


@pytest.fixture
def here(in_process):
    """The command in this process: words → exit status."""
    return partial(in_process, main)


def log(out):
    return (out / "log.txt").read_text().splitlines()


def test_what_a_run_prints_and_leaves(finished):
    out, printed = finished
    lines = log(out)
    assert [line.split(" sequences")[0] for line in lines] == ["100", "200", "300"]
    for line in lines:
        assert re.search(r"loss \d\.\d{4} nats a bit, \d+\.\d\d wrong bits a sequence$", line)
        assert line in printed
    assert "lengths 1 to 20" in printed
    for length in (30, 50, 100):
        (wrong,) = re.findall(rf"length {length}: (\S+) of {length * 8}$", printed, re.MULTILINE)
        # A machine that has learned nothing guesses: a quarter wrong by luck has a chance below
        # 1e-100, for there are 100 sequences of at least 240 bits.
        assert 0.25 < float(wrong) / (length * 8) < 0.75
    assert torch.load(out / "checkpoint.pt", weights_only=True)["done"] == 300


def test_tensorboard(finished):
    events = EventAccumulator(str(finished[0])).Reload()
    points = [round(point.value, 4) for point in events.Scalars("Loss/train")]
    assert points == [float(re.search(r"loss (\S+)", line)[1]) for line in log(finished[0])]
    assert [point.step for point in events.Scalars("Wrong bits/train")] == [100, 200, 300]
    lengths = [point.step for point in events.Scalars("Wrong bits/at a length")]
    assert lengths == [*range(1, 21), 30, 50, 100]


@pytest.mark.parametrize("length", [20, 50])
def test_pictures_show_something(finished, length):
    picture = np.asarray(Image.open(finished[0] / f"copy_{length}.png").convert("L"), float)
    assert min(picture.shape) > 1000
    assert (picture < 50).mean() > 0.05, "black bits"
    assert (picture > 200).mean() > 0.3, "white ones"


def test_a_killed_run_goes_on_as_if_nothing_had_been(finished, tmp_path):
    process = subprocess.Popen(
        command(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    )
    end = time.monotonic() + 60
    while not (tmp_path / "checkpoint.pt").exists():
        assert time.monotonic() < end
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert len(log(tmp_path)) < 3

    done = start(tmp_path)
    assert done.returncode == 0, done.stderr
    assert re.match(r"Going on after [12]00 sequences\.", done.stdout)
    assert log(tmp_path) == log(finished[0])
    ours = torch.load(tmp_path / "checkpoint.pt", weights_only=True)["model"]
    theirs = torch.load(finished[0] / "checkpoint.pt", weights_only=True)["model"]
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_ctrl_c_is_one_line(tmp_path):
    process = subprocess.Popen(
        command(tmp_path, "--sequences", 10**6),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert process.stdout.readline().startswith("100 sequences: loss")
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.strip().splitlines()[-1] == "Stopped: run the same command again to go on."
    assert "Traceback" not in errors


def test_a_finished_run_is_examined_again_and_not_trained(finished, tmp_path):
    out = tmp_path / "copy"
    shutil.copytree(finished[0], out)
    done = start(out)
    assert done.returncode == 0, done.stderr
    report = finished[1][finished[1].index("Wrong bits") :].replace(str(finished[0]), str(out))
    assert done.stdout == f"Going on after 300 sequences.\n{report}"
    assert log(out) == log(finished[0])


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--preset", "other"], "invalid choice: 'other'"),
        (["--sequences", "0"], "'0' is no number from 1 on"),
        (["--batch-size", "many"], "'many' is no number from 1 on"),
        (["--learning-rate", "-1"], "'-1' is no number above 0"),
        (["--learning-rate", "nan"], "'nan' is no number above 0"),
        (["--sequences", "100", "--learning-rate", "1e30"], "try a lower --learning-rate"),
        (["--out", "README.md"], "Cannot write into README.md"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path, here, capsys, more, said):
    assert here("--out", tmp_path, *SMALL, *more) == 2
    lines = capsys.readouterr().err.splitlines()
    (line,) = [line for line in lines if line and "sequence/s" not in line]  # but for the bar
    assert said in line


def test_a_checkpoint_of_other_settings_is_one_line(finished, here, capsys):
    assert here("--out", finished[0], *SMALL, "--seed", 2) == 2
    said = capsys.readouterr().err
    assert "was made with seed 1, not 2" in said
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize("name", PRESETS)
def test_what_a_machine_sees(name):
    model = Copier(PRESETS[name])
    bits, start = model.bits, model.marks - 1
    assert (bits, model.marks) == {"paper": (8, 1), "book": (10, 2)}[name]
    sequences = draw(3, 5, bits, torch.Generator().manual_seed(1))
    inputs = model.present(sequences)
    assert inputs.shape == (3, start + 5 + 1 + 5, bits + model.marks)
    assert torch.equal(inputs[:, start : start + 5, :bits], sequences)
    assert inputs[:, start + 6 :].eq(0).all(), "nothing while it answers"
    marked = inputs[0, :, bits:].nonzero().tolist()
    assert marked == {"paper": [[5, 0]], "book": [[0, 1], [6, 0]]}[name]
    assert inputs[:, start + 5, :bits].eq(0).all(), "a mark has inputs of its own"


def test_sequences_are_random_bits():
    """Of 80,000 fair bits the mean is within .4725 and .5275 but for a chance of 1e-50."""
    sequences = draw(500, 20, 8, torch.Generator().manual_seed(1))
    assert set(sequences.unique().tolist()) == {0, 1}
    assert sequences.mean().item() == pytest.approx(0.5, abs=0.0275)


def test_wrong_bits_are_counted_per_sequence():
    sequences = draw(4, 5, 8, torch.Generator().manual_seed(1))
    logits = sequences * 2 - 1
    assert count_wrong(logits, sequences) == 0
    logits[0, 0, 0] *= -1
    logits[3] *= -1
    assert count_wrong(logits, sequences) == 41 / 4


def test_watching_changes_nothing():
    torch.manual_seed(1)
    model = Copier(PRESETS["paper"])
    sequences = draw(1, 4, 8, torch.Generator().manual_seed(1))
    logits, weights = watch(model, sequences[0])
    torch.testing.assert_close(logits, model(sequences)[0])
    assert weights.shape == (9, 2, 128)


@pytest.mark.parametrize("name", PRESETS)
def test_presets_learn(name, tmp_path, here, monkeypatch):
    """Sequences of one step, which are soon known; guessing has a loss of .693."""
    monkeypatch.setattr(ntm_copy, "LONGEST", 1)
    monkeypatch.setattr(ntm_copy, "LONGER", ())
    monkeypatch.setattr(ntm_copy, "PICTURES", (1,))
    assert here("--preset", name, "--sequences", 4000, "--out", tmp_path) == 0
    losses = [float(re.search(r"loss (\S+)", line)[1]) for line in log(tmp_path)]
    assert losses[-1] < losses[0]
    assert losses[-1] < 0.35
