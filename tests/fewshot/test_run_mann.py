"""The command trains, stops, goes on and measures; and no answer comes from its own label."""

import csv
import shutil
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from fewshot.data.episodes import Episodes
from fewshot.data.store import Store
from fewshot.data.turns import quarter_turns
from fewshot.experiments import run_mann

SHIPPED = Path(__file__).parents[2] / "docs/memory/run_mann"
CHARACTERS = 1623
SIZES = {
    "--batch-size": 2,
    "--num-classes": 3,
    "--num-samples": 4,
    "--num-reads": 2,
    "--controller-size": 8,
    "--memory-locations": 6,
    "--memory-word-size": 5,
}
SMALL_SIZES = [str(part) for option in SIZES.items() for part in option]


@pytest.fixture(scope="module")
def store():
    """As many characters as Omniglot has, each a pattern of its own, and images that differ."""
    generator = torch.Generator().manual_seed(0)
    patterns = torch.randint(2, (CHARACTERS, 1, 784), generator=generator) * 200
    noise = torch.randint(50, (1, 20, 784), generator=generator)
    images = (patterns + noise).to(torch.uint8)
    return Store(images, [f"A/character{i:04d}" for i in range(CHARACTERS)])


@pytest.fixture
def command(store, tmp_path, monkeypatch, capsys):
    """Run the command with small sizes: (exit status, stdout, the lines of stderr)."""
    monkeypatch.setattr(run_mann.Store, "load", lambda folder: store)
    for name, value in {"LOG_EVERY": 2, "SAVE_EVERY": 4, "CURVE_EPISODES": 5}.items():
        monkeypatch.setattr(run_mann, name, value)
    monkeypatch.setattr(run_mann, "TEST_EPISODES", 30)
    monkeypatch.setattr(run_mann, "TEST_BATCH", 20)

    def go(*arguments, folder="run"):
        folders = ["--save-dir", str(tmp_path / folder), "--log-dir", str(tmp_path / folder)]
        try:
            status = run_mann.main([*SMALL_SIZES, *folders, *arguments])
        except SystemExit as end:
            status = end.code
        said = capsys.readouterr()
        return status, said.out, said.err.strip().splitlines()

    return go


def read_csv(file):
    return list(csv.DictReader(file.open()))


def make_network(model="MANN", *arguments):
    options = run_mann.parse([*SMALL_SIZES, "--model", model, *arguments])
    return run_mann.make_network(options)


SHIPPED_ROWS = {
    "MANN": [34.7, 89.5, 93.1, 95.0, 96.0, 96.6],
    "LSTM": [29.7, 76.5, 83.2, 85.8, 87.9, 92.0],
}


@pytest.mark.parametrize("model", SHIPPED_ROWS)
def test_the_shipped_networks_are_as_good_as_the_docs_say(model, omniglot_folder, capsys):
    options = ["--model", model, "--save-dir", str(SHIPPED), "--data", str(omniglot_folder)]
    assert run_mann.main(["--mode", "test", *options]) == 0
    (row,) = [line for line in capsys.readouterr().out.splitlines() if "iterations" in line]
    percentages = [float(word) for word in row.split()[-6:]]
    assert percentages == pytest.approx(SHIPPED_ROWS[model], abs=0.3)


def test_the_options_are_those_of_the_source():
    options = vars(run_mann.parse([]))
    assert options.pop("save_dir")
    assert options.pop("log_dir")
    assert options == {
        "mode": "train",
        "model": "MANN",
        "batch_size": 16,
        "num_classes": 5,
        "num_samples": 10,
        "num_reads": 4,
        "controller_size": 200,
        "memory_locations": 128,
        "memory_word_size": 40,
        "learning_rate": 1e-3,
        "iterations": 100000,
        "augment": False,
        "strength": False,
        "compile": False,
        "seed": 0,
        "data": "omniglot_resized",
    }


def test_small_images_keep_their_shades_and_places(store):
    even = Store(torch.full((1, 2, 784), 77, dtype=torch.uint8), ["A/character01"])
    assert (run_mann.shrink(even).images == 77).all()
    half = torch.zeros(1, 1, 28, 28, dtype=torch.uint8)
    half[..., :14] = 255  # the left half
    small = run_mann.shrink(Store(half.flatten(2), ["A/character01"])).images.view(20, 20)
    assert (small[:, :10] == 255).all()
    assert (small[:, 10:] == 0).all()


def test_turned_characters_are_new_ones(store):
    small, chosen = run_mann.shrink(store), torch.tensor([3, 7])
    turned = quarter_turns(small, chosen)
    assert turned.images.shape == (8, 20, 400)
    for quarter in range(4):
        for place, character in enumerate(chosen):
            wanted = small.images[character].view(20, 20, 20).rot90(quarter, dims=(1, 2))
            assert (turned.images[2 * quarter + place] == wanted.flatten(1)).all()


def test_only_training_is_augmented(store):
    options = run_mann.parse(["--augment"])
    small = run_mann.shrink(store)
    assert run_mann.known_characters(options, small).num_characters == 4 * 964
    new = run_mann.new_characters(options, small)
    assert new.num_characters == 659
    assert (new.images == small.images[small.split("lake", "test")].flatten(0, 1)).all()
    known = run_mann.known_characters(run_mann.parse([]), small)
    assert (known.images == small.images[small.split("lake", "train")].flatten(0, 1)).all()


def test_a_wobble_moves_ink_a_little(monkeypatch):
    dot = torch.zeros(8, 50, 20, 20)
    dot[:, :, 9:11, 9:11] = 1
    images = dot.flatten(2)
    moved = run_mann.wobble(images, torch.Generator().manual_seed(0))
    assert moved.shape == images.shape
    ink = moved.view(-1, 20, 20)
    torch.testing.assert_close(ink.sum(dim=(1, 2)), torch.full((400,), 4.0), rtol=0.05, atol=0)
    places = torch.arange(20.0) - 9.5
    for axis in (1, 2):
        centre = (ink.sum(dim=axis) * places).sum(dim=1) / ink.sum(dim=(1, 2))
        assert centre.abs().max() < 2.35  # a tenth of the side, along axes turned by 10 degrees
        # That none of 400 goes beyond 1.7 of 2 to one side has the probability (.925)^400 < 1e-13.
        assert centre.min() < -1.7
        assert centre.max() > 1.7
    again = run_mann.wobble(images, torch.Generator().manual_seed(0))
    assert torch.equal(moved, again)
    monkeypatch.setattr(run_mann, "TURN", 0)
    monkeypatch.setattr(run_mann, "SHIFT", 0)
    torch.testing.assert_close(run_mann.wobble(images, torch.Generator()), images)


def test_instances_are_counted_per_episode_and_class(store):
    episodes = Episodes(run_mann.shrink(store), torch.arange(20), 3)
    images, previous, targets = episodes.sequences(6, 4)
    logits = torch.randn(6, 12, 3, generator=torch.Generator().manual_seed(0))
    loss, accuracies = run_mann.read(lambda inputs: logits, images, previous, targets)
    wanted = torch.zeros(6, 4)
    for b in range(6):
        seen = [0, 0, 0]
        for t in range(12):
            label = targets[b, t].item()
            wanted[b, seen[label]] += (logits[b, t].argmax() == label) / 3
            seen[label] += 1
    torch.testing.assert_close(accuracies, wanted)
    chosen = logits.log_softmax(dim=2).gather(2, targets[:, :, None])
    torch.testing.assert_close(loss, -chosen.mean())


@pytest.mark.parametrize("model", ["MANN", "LSTM"])
def test_a_steps_own_label_cannot_influence_its_answer(store, model):
    """The input holds the labels of the steps before alone, and no later input comes back."""
    episodes = Episodes(run_mann.shrink(store), torch.arange(20), 3)
    images, previous, targets = episodes.sequences(4, 4)
    network, given = make_network(model), []

    def spy(inputs):
        given.append(inputs)
        return network(inputs)

    run_mann.read(spy, images, previous, targets)
    (inputs,) = given
    assert (inputs[:, :, :400] == images).all()
    assert not inputs[:, 0, 400:].any()
    assert (inputs[:, 1:, 400:] == F.one_hot(targets[:, :-1], 3)).all()
    answers = network(inputs)
    for t in range(12):
        changed = inputs.clone()
        changed[:, t + 1 :] += 1  # the label of step t comes first at step t + 1
        torch.testing.assert_close(network(changed)[:, : t + 1], answers[:, : t + 1])


@pytest.mark.parametrize("model", ["MANN", "LSTM"])
def test_a_training_logs_saves_and_is_measured(command, tmp_path, model):
    status, said, _ = command("--model", model, "--iterations", "6", "--augment")
    assert status == 0
    lines = said.splitlines()
    assert lines[0].split() == ["instance", "1st", "2nd", "3rd", "4th"]
    assert lines[1].split() == [
        "LSTM,",
        "reference,",
        "N",
        "=",
        "5",
        "24.4",
        "49.5",
        "55.3",
        "61.0",
    ]
    assert lines[2].split() == [
        "MANN,",
        "reference,",
        "N",
        "=",
        "5",
        "36.4",
        "82.8",
        "91.0",
        "92.6",
    ]
    assert [line.split()[:2] for line in lines[3:5]] == [["iteration", "4"], ["iteration", "6"]]

    folder = tmp_path / "run" / model
    for part, iterations in {"train": ["2", "4", "6"], "test": ["4", "6"]}.items():
        rows = read_csv(folder / f"{part}.csv")
        columns = ["iteration", "loss", *(f"accuracy_{k}" for k in (1, 2, 3, 4))]
        assert list(rows[0]) == columns
        assert [row["iteration"] for row in rows] == iterations
        events = EventAccumulator(str(folder)).Reload()
        for tag, column in {
            f"Loss/{part}": "loss",
            f"Accuracy {part}/instance 2": "accuracy_2",
        }.items():
            shown = [point.value for point in events.Scalars(tag)]
            assert shown == pytest.approx([float(row[column]) for row in rows], abs=6e-5)
    assert (folder / "curves.png").read_bytes().startswith(b"\x89PNG")

    status, said, errors = command("--model", model, "--mode", "test")
    assert status == 0
    assert not errors
    head, *_, row, interval, last = said.splitlines()
    assert head == lines[0]
    assert row.startswith(f"{model}, 6 iterations ")
    assert all(0 <= float(number) <= 100 for number in row.split()[-4:])
    # After 6 iterations it may still name one class always, which is right once in each episode.
    widths = [float(number) for number in interval.split()[-4:]]
    assert all(0 <= width < 40 for width in widths)
    assert max(widths) > 0
    assert "30 episodes" in last
    assert command("--model", model, "--mode", "test")[1] == said


@pytest.mark.parametrize("model", ["MANN", "LSTM"])
def test_a_killed_training_goes_on_as_if_it_had_not_been(command, tmp_path, monkeypatch, model):
    arguments = ["--model", model, "--iterations", "11", "--augment", "--strength"]
    assert command(*arguments, folder="whole")[0] == 0
    learn, done = run_mann.learn, []

    def die(*parts):
        if len(done) == 7:  # after logging at iteration 6, which the checkpoint of 4 has not seen
            raise KeyboardInterrupt
        done.append(1)
        return learn(*parts)

    monkeypatch.setattr(run_mann, "learn", die)
    status, _, errors = command(*arguments)
    assert status == 130
    assert errors[-1] == "Stopped: run the same command again to go on."
    assert len(read_csv(tmp_path / "run" / model / "train.csv")) == 3
    monkeypatch.setattr(run_mann, "learn", learn)
    status, said, _ = command(*arguments)
    assert status == 0
    assert "iteration 4 " not in said
    for part in ("train.csv", "test.csv"):
        whole = (tmp_path / "whole" / model / part).read_text()
        assert (tmp_path / "run" / model / part).read_text() == whole
    ends = [
        torch.load(tmp_path / folder / f"{model}.pt", weights_only=True)["model"]
        for folder in ("whole", "run")
    ]
    assert all(torch.equal(weight, ends[1][name]) for name, weight in ends[0].items())


def test_the_weights_come_to_rest(command, tmp_path):
    """The learning rate is that of the option up to the last fifth, and falls to 0 there."""
    rates = []
    for iterations in (8, 10):
        command("--iterations", str(iterations), folder=f"run{iterations}")
        saved = torch.load(tmp_path / f"run{iterations}/MANN.pt", weights_only=True)
        rates.append(saved["optimizer"]["param_groups"][0]["lr"])
    assert rates == pytest.approx([1e-3 / 8 / 0.2, 1e-3 / 10 / 0.2])


def test_a_finished_training_is_not_repeated(command, tmp_path):
    command("--iterations", "4")
    before = (tmp_path / "run/MANN/train.csv").read_text()
    assert command("--iterations", "4")[0] == 0
    assert (tmp_path / "run/MANN/train.csv").read_text() == before


@pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler: install g++")
def test_compiled_steps_learn_the_same(command, tmp_path):
    logs = []
    for more in ([], ["--compile"]):
        folder = f"run{len(logs)}"
        assert command("--iterations", "6", *more, folder=folder)[0] == 0
        for part in ("train", "test"):
            logs += read_csv(tmp_path / folder / f"MANN/{part}.csv")
    (lines, compiled) = logs[: len(logs) // 2], logs[len(logs) // 2 :]
    for line, other in zip(lines, compiled, strict=True):
        assert float(other["loss"]) == pytest.approx(float(line["loss"]), abs=2e-4)


def test_a_missing_compiler_is_said_in_one_line(command, monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    status, _, errors = command("--compile")
    assert status == 2
    assert errors[-1].endswith("--compile needs a C++ compiler: install g++, or leave it out")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--mode", "prove"], "invalid choice: 'prove'"),
        (["--model", "GRU"], "invalid choice: 'GRU'"),
        (["--batch-size", "0"], "'0' is no number from 1 on"),
        (["--learning-rate", "nan"], "'nan' is no number above 0"),
        (["--learning-rate", "fast"], "'fast' is no number above 0"),
        (["--num-reads", "7"], "--num-reads must not be above --memory-locations"),
        (["--seed", "-1"], "'-1' is no number from 0 to 2**32 - 1"),
        (["--num-samples", "21"], "--num-samples must not be above 20"),
        (["--compile", "--model", "LSTM"], "--compile is for the MANN"),
        (["--num-classes", "1000"], "the split's characters are only 964"),
        (["--mode", "test"], "train it first, with --mode train"),
        (["--log-dir", "/dev/null"], "Cannot write into /dev/null/MANN: Not a directory."),
    ],
)
def test_what_cannot_work_is_said_in_one_line(command, arguments, message):
    status, _, errors = command(*arguments)
    assert status == 2
    assert len(errors) == 1, errors
    assert message in errors[0]


def test_a_folder_without_images_is_said_in_one_line(tmp_path, capsys):
    assert run_mann.main(["--data", str(tmp_path / "nothing")]) == 2
    assert capsys.readouterr().err.startswith("There is no folder")


def test_a_checkpoint_of_other_settings_is_refused(command):
    command("--iterations", "4")
    for arguments in (["--learning-rate", "0.1"], ["--num-reads", "1"], ["--strength"]):
        status, _, errors = command("--iterations", "8", *arguments)
        assert status == 2
        assert len(errors) == 1
        assert arguments[0][2:].replace("-", "_") in errors[0]
    # Only what makes the network matters for measuring it.
    assert command("--mode", "test", "--learning-rate", "0.1")[0] == 0
    assert command("--mode", "test", "--strength")[0] == 2


def test_the_log_of_another_run_is_kept(command, tmp_path):
    command("--iterations", "8")
    (tmp_path / "run/MANN.pt").unlink()
    before = (tmp_path / "run/MANN/train.csv").read_text()
    status, _, errors = command("--iterations", "8")
    assert status == 2
    assert "is of another run" in errors[0]
    assert (tmp_path / "run/MANN/train.csv").read_text() == before


def test_a_loss_that_is_no_number_is_said_in_one_line(command, monkeypatch):
    monkeypatch.setattr(run_mann, "learn", lambda *parts: (float("nan"), torch.zeros(2, 4)))
    status, _, errors = command()
    assert status == 2
    assert errors[-1] == "The loss became nan at iteration 1: lower --learning-rate."
