"""Learners side by side, from the command line: trained, stopped, gone on with, shown."""

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest
import torch
from PIL import Image

from fewshot.data.store import PARTS, Store
from fewshot.experiments.compare.__main__ import main
from fewshot.experiments.compare.trial import Trial, characters, run_trial
from fewshot.learners.metric.nearest import NearestPixels
from fewshot.learners.registry import LEARNERS
from tests.cluster import Cluster

COMMAND = [sys.executable, "-m", "fewshot.experiments.compare"]
ROW = re.compile(r"\| (\w+) \| (\d+\.\d) ± (\d+\.\d) \| ([\d,]+) \| ([\d,]+) \|")


def options(data, out, *more, learners=("nearest_pixels", "prototypical"), minutes=0.03):
    """Of a comparison that takes seconds."""
    given = [f"--data={data}", f"--out={out}", f"--minutes={minutes}", "--split=cs330", "--jobs=1"]
    return [*given, *more, "--learners", *learners]


def folder_of(data, out, minutes=0.03):
    """Where the results of `options` are."""
    other = "" if data.name == "omniglot_resized" else f"_{data.name}"
    return out / f"cs330_5_way_1_shot_{minutes}_min{other}"


@pytest.fixture(scope="module")
def finished(data_folder, tmp_path_factory):
    """The folder of a comparison that is over."""
    out = tmp_path_factory.mktemp("compare")
    assert main(options(data_folder, out)) == 0
    return folder_of(data_folder, out)


def rows(folder):
    """Learner → accuracy, interval, parameters and steps, as the table has them."""
    found = ROW.findall((folder / "table.md").read_text())
    return {name: [float(cell.replace(",", "")) for cell in cells] for name, *cells in found}


def test_the_table_says_what_was_measured(finished):
    table = rows(finished)
    assert table.keys() == {"nearest_pixels", "prototypical"}
    assert table["nearest_pixels"][2:] == [0, 0]
    # Guessing is right in 20 ± 1 %.
    assert 30 < table["nearest_pixels"][0] < 60
    assert table["prototypical"][2] == 111_936
    assert table["prototypical"][3] >= 1
    for name, (accuracy, interval, _, steps) in table.items():
        outcome = json.loads((finished / name / "outcome.json").read_text())
        assert outcome["tasks"] == 1000
        assert round(100 * outcome["accuracy"], 1) == accuracy
        assert round(100 * outcome["interval"], 1) == interval
        assert outcome["steps"] == steps
        assert 0.5 < interval < 3


def test_a_table_has_what_earlier_runs_left(finished, data_folder, tmp_path):
    shutil.copytree(finished, tmp_path / finished.name)
    assert main(options(data_folder, tmp_path, learners=["nearest_pixels"])) == 0
    assert rows(tmp_path / finished.name) == rows(finished)


@pytest.mark.parametrize("split", PARTS)
def test_nobody_is_tested_on_what_was_learned_from(split, data_folder):
    store = Store.load(data_folder)
    train, test = characters(store, split)
    learned, asked = (set(part.characters) for part in (train, test))
    assert not learned & asked
    turned = 4 if split == "vinyals" else 1
    assert len(test.characters) == turned * len(asked)
    assert len(train.characters) == 4 * len(learned)
    assert learned | asked == set(store.characters) or split == "cs330"
    # By their pixels, too: no test image is among those of training.
    seen = {image.numpy().tobytes() for image in train.images[:, 0]}
    assert not any(image.numpy().tobytes() in seen for image in test.images[:, 0])


def test_one_that_fails_costs_the_others_nothing(data_folder, tmp_path, capsys, monkeypatch):
    class Broken(NearestPixels):
        def forward(self, images, labels):
            raise ArithmeticError("nothing adds up")

    monkeypatch.setitem(LEARNERS, "broken", Broken)
    said = run_trial(Trial("broken", 5, 1, "cs330", 1, data_folder, tmp_path))
    assert said.startswith("broken: ArithmeticError: nothing adds up")
    assert "in forward" in (tmp_path / "error.txt").read_text()

    monkeypatch.setitem(LEARNERS, "stillborn", lambda *_: [][0])
    said = run_trial(Trial("stillborn", 5, 1, "cs330", 1, data_folder, tmp_path / "new"))
    assert said.startswith("stillborn: IndexError")
    assert (tmp_path / "new" / "error.txt").exists()


def test_nothing_is_learned_from_test_tasks(data_folder, tmp_path, monkeypatch):
    seen = []

    class Watched(LEARNERS["prototypical"]):
        def forward(self, images, labels):
            if not torch.is_grad_enabled():
                state = torch.cat([part.flatten() for part in self.state_dict().values()])
                seen.append((self.training, state, labels[:, -1].any().item()))
            return super().forward(images, labels)

    monkeypatch.setitem(LEARNERS, "watched", Watched)
    run_trial(Trial("watched", 5, 1, "cs330", 0.01, data_folder, tmp_path))
    training, states, told = zip(*seen, strict=True)
    assert not any(training)
    assert not any(told), "the query's labels"
    assert all(torch.equal(state, states[0]) for state in states)


def test_learners_see_drawings_of_one_place_and_size(finished, data_folder, tmp_path, monkeypatch):
    """Neighbours by pixels are right far more often once they do: 1,000 tasks each, ± 1 point."""
    others = [make for name, make in LEARNERS.items() if name != "nearest_pixels"]
    assert all(make(5, 1).normalised for make in others)

    class Normalised(NearestPixels):
        normalised = True

    monkeypatch.setitem(LEARNERS, "normalised", Normalised)
    outcome = run_trial(Trial("normalised", 5, 1, "cs330", 1, data_folder, tmp_path))
    assert 100 * outcome.accuracy > rows(finished)["nearest_pixels"][0] + 20


def test_the_time_is_kept(finished):
    with (finished / "prototypical" / "log.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert 1.8 <= float(lines[-1]["seconds"]) < 20  # the last step may begin just before
    assert int(lines[-1]["steps"]) == rows(finished)["prototypical"][3]


def test_the_figure_is_a_picture(finished):
    with Image.open(finished / "compare.png") as picture:
        assert picture.size[0] > 800
        assert len(picture.convert("RGB").getcolors(1 << 20)) > 20


def test_what_is_finished_is_not_trained_again(finished, data_folder, capsys):
    before = (finished / "prototypical" / "checkpoint.pt").stat().st_mtime_ns
    assert main(options(data_folder, finished.parent)) == 0
    assert (finished / "prototypical" / "checkpoint.pt").stat().st_mtime_ns == before
    assert "prototypical" in capsys.readouterr().out


def wait_for(file, seconds=60):
    """Until a file is there."""
    end = time.monotonic() + seconds
    while not file.exists():
        assert time.monotonic() < end, f"no {file.name}"
        time.sleep(0.1)


def test_outcomes_of_other_images_do_not_count(finished, tmp_path, monkeypatch):
    trained = []
    monkeypatch.setattr(
        "fewshot.experiments.compare.__main__.train_all",
        lambda trials, *_: trained.extend(trials) or [],
    )
    other = tmp_path / "other"
    other.mkdir()
    main(options(other, finished.parent))
    assert [trial.learner for trial in trained] == ["nearest_pixels", "prototypical"]


@pytest.mark.parametrize("kill", [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_comparison_goes_on(kill, data_folder, tmp_path):
    given = options(data_folder, tmp_path, learners=["mann"], minutes=0.4)
    folder = folder_of(data_folder, tmp_path, 0.4) / "mann"
    process = subprocess.Popen([*COMMAND, *given], stderr=subprocess.PIPE, text=True)
    wait_for(folder / "checkpoint.pt")
    process.send_signal(kill)
    said = process.communicate(timeout=60)[1]
    if kill == signal.SIGINT:
        assert process.returncode == 130
        assert "run the same command again" in said
        assert "Traceback" not in said
    assert not (folder / "outcome.json").exists()
    with (folder / "log.csv").open(newline="") as file:
        earlier = list(csv.DictReader(file))

    assert main(given) == 0
    with (folder / "log.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert lines[: len(earlier)] == earlier
    steps = [int(line["steps"]) for line in lines]
    assert steps == sorted(set(steps))
    # Trained for the rest of its time and not for all of it again.
    assert float(lines[-1]["seconds"]) < 0.4 * 60 + 5


def test_workers_of_a_cluster_train_too(data_folder, tmp_path):
    cluster = Cluster(tmp_path)
    try:
        cluster.add_worker()
        assert main(options(data_folder, tmp_path, f"--cluster={cluster.address}")) == 0
    finally:
        cluster.end()
    assert rows(folder_of(data_folder, tmp_path)).keys() == {
        "nearest_pixels",
        "prototypical",
    }


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (["--learners", "prototypica"], "there is no learner 'prototypica'"),
        (["--minutes", "0"], "'0' is no number above 0"),
        (["--num_shot", "0"], "'0' is no number from 1 on"),
        (["--split", "omniglot"], "invalid choice: 'omniglot'"),
        (["--data", "nowhere"], "There is no folder nowhere: make it with"),
        (["--data", ".", "--out", "README.md"], "Cannot write into README.md"),
    ],
)
def test_what_cannot_be_used_is_said_in_a_line(wrong, said, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        sys.exit(main(["--out", str(tmp_path), *wrong]))
    assert ended.value.code == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert said in lines[0]
    assert not list(tmp_path.iterdir())


def test_too_many_classes_are_refused(data_folder, tmp_path, capsys):
    given = options(data_folder, tmp_path, "--num_classes=424", learners=["nearest_pixels"])
    assert main(given) == 1
    assert capsys.readouterr().err == ("num_classes is 424: the split's characters are only 423.\n")


def test_a_damaged_checkpoint_is_named(data_folder, tmp_path, capsys):
    folder = folder_of(data_folder, tmp_path) / "prototypical"
    folder.mkdir(parents=True)
    (folder / "checkpoint.pt").write_bytes(os.urandom(100))
    assert main(options(data_folder, tmp_path, learners=["prototypical"])) == 1
    assert "checkpoint.pt is damaged: delete it" in capsys.readouterr().err


def test_a_checkpoint_of_another_network_is_named(data_folder, tmp_path, capsys):
    assert main(options(data_folder, tmp_path, learners=["prototypical"])) == 0
    folder = folder_of(data_folder, tmp_path) / "prototypical"
    (folder / "outcome.json").unlink()
    content = torch.load(folder / "checkpoint.pt", weights_only=True)
    content["learner_state"].popitem()
    torch.save(content, folder / "checkpoint.pt")
    assert main(options(data_folder, tmp_path, learners=["prototypical"])) == 1
    assert "checkpoint.pt is damaged: delete it" in capsys.readouterr().err
