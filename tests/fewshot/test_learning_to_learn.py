"""The experiment prints what its source prints, can be killed, and has no way to cheat.

Runs are seeded, so they give the same verdict every time on one machine. On another, where
rounding may differ, the statistical bounds fail a correct run with the probability they state.
"""

import contextlib
import io
import math
import os
import re
import signal
import subprocess
import sys
import time

import pytest
import torch
import torch.nn.functional as F
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.utils.tensorboard import SummaryWriter

from fewshot.data.episodes import Episodes
from fewshot.data.store import Store
from fewshot.experiments.learning_to_learn import Metrics, Model, line, main, make_parser

SHORT = ("--train_episodes=160", "--test_episodes=160", "--epochs=3")
TWO = (*SHORT, "--classes=2")
FIVE = (*SHORT, "--read_heads=2", "--classes=5")
SMALL = (*TWO, "--lstm_dim=16", "--cell_size=8")

NAMES = ["loss", "acc", "acc1", "acc2", "acc5", "acc10"]
NAMES += [f"val_{name}" for name in NAMES]
LINE = re.compile(
    r"Epoch ( *\d+)/(\d+) " + " - ".join(rf"{name}: (\d+\.\d{{4}})" for name in NAMES)
)

SURE = -math.log(1e-9)  # a bound at which a correct run fails once in a thousand million


@pytest.fixture(autouse=True)
def threads():
    """The command sets the number of threads for the whole process."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def run(*arguments):
    """The lines of a run."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        assert main([str(argument) for argument in arguments]) == 0
    return out.getvalue().splitlines()


def read(line):
    """The numbers of a log line, by name."""
    numbers = LINE.fullmatch(line).groups()[2:]
    return dict(zip(NAMES, map(float, numbers), strict=True))


def assert_no_leak(numbers, classes, images, train, test):
    """No network that sees only what it may is better than this, whatever it has learned.

    At the kth new character of an episode N - k + 1 labels are left and all are equally likely.
    So at best acc1 is the mean of 1/1 … 1/N, all later images are named right, and an episode
    costs ln N! nats in all. What luck adds: by Hoeffding and Azuma the right ones among n first
    images exceed what was to be expected by x with probability at most exp(-2x²/n), and as a
    likelihood ratio has mean one, a run is z nats below ln N! with probability at most exp(-z).
    Each of the six assertions fails a correct run with probability below 1e-9.
    """
    first = sum(1 / k for k in range(1, classes + 1)) / classes
    for prefix, episodes in (("", train), ("val_", test)):
        luck = math.sqrt(SURE / (2 * classes * episodes))
        rounding = 1e-4
        assert numbers[f"{prefix}acc1"] <= first + luck + rounding
        assert numbers[f"{prefix}acc"] <= 1 - (1 - first - luck) / images + rounding
        nats = math.lgamma(classes + 1) - SURE / episodes
        assert numbers[f"{prefix}loss"] >= nats / (classes * images) - rounding


def assert_chance(numbers, classes, images, episodes):
    """The network has learned nothing about images.

    Labels alone tell something: each comes equally often, so one that came often is rarer from
    then on. Who names the rarest so far is right as often as `best`, and knowing the order of
    nothing, an episode costs at least ln of the number of orders. Bounds as in
    `assert_no_leak`; each assertion fails such a run with probability below 1e-9.
    """
    steps = classes * images
    draws = torch.rand(2000, steps, generator=torch.Generator().manual_seed(0)).argsort(dim=1)
    seen = F.one_hot(draws % classes).cumsum(dim=1) - F.one_hot(draws % classes)
    left = (images - seen).double() / torch.arange(steps, 0, -1)[:, None]
    best, worst = left.max(dim=2).values.mean(), left.min(dim=2).values.mean()
    # An episode's own best differs from the mean by less than .1: .02 is six deviations or more.
    luck = math.sqrt(SURE / (2 * steps * episodes)) + 0.02
    assert worst - luck <= numbers["val_acc"] <= best + luck
    orders = math.lgamma(steps + 1) - classes * math.lgamma(images + 1)
    assert numbers["val_loss"] >= (orders - SURE / episodes) / steps - 1e-4
    assert numbers["val_loss"] <= 1.02 * math.log(classes)  # no bound: the worst seen is 1.001


@pytest.fixture(scope="module")
def two(data_folder, tmp_path_factory):
    """The log lines and the folder of the first test command."""
    folder = tmp_path_factory.mktemp("two")
    return run(*TWO, "--data", data_folder, "--logdir", folder), folder


@pytest.fixture(scope="module")
def five(data_folder, tmp_path_factory):
    """Those of the second."""
    folder = tmp_path_factory.mktemp("five")
    return run(*FIVE, "--data", data_folder, "--logdir", folder), folder


@pytest.mark.parametrize(("command", "classes"), [("two", 2), ("five", 5)])
def test_a_test_command_prints_three_lines_at_chance(command, classes, request):
    lines, _ = request.getfixturevalue(command)
    assert [line[:10] for line in lines] == ["Epoch 1/3 ", "Epoch 2/3 ", "Epoch 3/3 "]
    for numbers in map(read, lines):
        assert_chance(numbers, classes, 10, 160)
        assert_no_leak(numbers, classes, 10, 160, 160)


SOURCE = {  # its last epoch
    2: "Epoch 50/50 loss: 0.0579 - acc: 0.9668 - acc1: 0.7243 - acc2: 0.9833 - acc5: 0.9948 - "
    "acc10: 0.9961 - val_loss: 0.1271 - val_acc: 0.9444 - val_acc1: 0.7110 - val_acc2: 0.9385 - "
    "val_acc5: 0.9760 - val_acc10: 0.9835",
    5: "Epoch 50/50 loss: 0.1720 - acc: 0.9233 - acc1: 0.3859 - acc2: 0.9518 - acc5: 0.9870 - "
    "acc10: 0.9895 - val_loss: 0.5175 - val_acc: 0.8478 - val_acc1: 0.3636 - val_acc2: 0.8288 - "
    "val_acc5: 0.9006 - val_acc10: 0.9324",
}


@pytest.mark.parametrize("classes", SOURCE)
def test_the_line_is_that_of_the_source(classes):
    published = read(SOURCE[classes])
    assert line(50, 50, published) == SOURCE[classes]
    assert line(1, 50, published) == SOURCE[classes].replace("50/50", " 1/50")


@pytest.mark.parametrize("classes", SOURCE)
def test_the_source_is_below_the_ceilings(classes):
    published = read(SOURCE[classes])
    assert_no_leak(published, classes, 10, 10000, 1000)
    # More than luck: .01 of acc on 1,000 episodes, .03 of acc1 on 10,000; and of loss .004.
    ceilings = {2: (0.75, 0.975, 0.0347), 5: (0.4567, 0.9457, 0.0957)}[classes]
    for better in (
        {"acc1": ceilings[0] + 0.03},
        {"val_acc": ceilings[1] + 0.01},
        {"val_loss": ceilings[2] - 0.004},
    ):
        with pytest.raises(AssertionError):
            assert_no_leak(published | better, classes, 10, 10000, 1000)


def test_a_leak_is_noticed(data_folder, tmp_path, monkeypatch):
    """With its own label at every step, the network is soon better than the ceilings."""
    sequences = Episodes.sequences

    def leaking(self, batch_size, images_per_class):
        images, _, targets = sequences(self, batch_size, images_per_class)
        return images, F.one_hot(targets, self.num_classes).float(), targets

    monkeypatch.setattr(Episodes, "sequences", leaking)
    lines = run(*TWO, "--train_episodes=640", "--data", data_folder, "--logdir", tmp_path)
    with pytest.raises(AssertionError):
        assert_no_leak(read(lines[-1]), 2, 10, 640, 160)


@pytest.fixture(scope="module")
def episode():
    """A network, and images [3, 8, 784] and targets [3, 8] of two classes."""
    torch.manual_seed(0)
    model = Model(classes=2, images_per_class=4, lstm_dim=16, cell_size=8, read_heads=2)
    targets = torch.stack([torch.randperm(8) % 2 for _ in range(3)])
    return model, torch.rand(3, 8, 784), targets


def previous_of(targets):
    """The one-hot label of the step before, zeros at first."""
    return F.pad(F.one_hot(targets[:, :-1], 2).float(), (0, 0, 1, 0))


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("step", [0, 3, 7])
def test_a_label_is_seen_only_at_later_steps(episode, step, training):
    model, images, targets = episode
    model.train(training)
    logits = model(images, previous_of(targets))
    changed = targets.clone()
    changed[:, step] = 1 - changed[:, step]
    other = model(images, previous_of(changed))
    assert torch.equal(other[:, : step + 1], logits[:, : step + 1])
    assert (other != logits)[:, step + 1 :].any(dim=2).all()


def test_an_image_is_seen_at_its_step_and_later(episode):
    model, images, targets = episode
    model.eval()
    logits = model(images, previous_of(targets))
    changed = images.clone()
    changed[:, 3] = 1 - changed[:, 3]
    other = model(changed, previous_of(targets))
    torch.testing.assert_close(other[:, :3], logits[:, :3], rtol=0, atol=1e-6)
    assert (other - logits)[:, 3:].abs().amax(dim=2).min() > 1e-5


def test_the_network_learns_to_learn():
    """Four characters, each drawn alike every time, are known again at their second image.

    The labels are new in every episode, so the network has to remember them. By the labels
    alone it would be right less than 70 times in 100.
    """
    torch.manual_seed(0)
    patterns = (torch.rand(4, 1, 784) < 0.3).byte().mul(255).expand(4, 4, 784)
    store = Store(patterns, [f"A/character{i:02d}" for i in range(4)])
    episodes = Episodes(store, torch.arange(4), num_classes=2, seed=0)
    model = Model(classes=2, images_per_class=4, lstm_dim=64, cell_size=16, read_heads=1)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(500):
        images, previous, targets = episodes.sequences(16, 4)
        loss = F.cross_entropy(model(images, previous).flatten(0, 1), targets.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    images, previous, targets = episodes.sequences(300, 4)
    metrics = Metrics(4)
    metrics.add(loss, model.eval()(images, previous), targets)
    assert metrics.result()["acc2"] > 0.9


def test_metrics_count_what_they_say():
    torch.manual_seed(0)
    metrics, right, losses = Metrics(5), {}, []
    for size in (4, 4, 3):
        logits = torch.randn(size, 15, 3)
        targets = torch.stack([torch.randperm(15) % 3 for _ in range(size)])
        loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten())
        metrics.add(loss, logits, targets)
        for example, labels in zip(logits, targets.tolist(), strict=True):
            for t, label in enumerate(labels):
                instance = labels[: t + 1].count(label)
                right.setdefault(instance, []).append(example[t].argmax().item() == label)
                losses.append(-example[t].log_softmax(dim=0)[label].item())
    result = metrics.result()
    assert list(result) == ["loss", "acc", "acc1", "acc2", "acc5"]
    assert result["loss"] == pytest.approx(sum(losses) / len(losses), abs=1e-6)
    assert result["acc"] == pytest.approx(sum(map(sum, right.values())) / len(losses))
    for instance in (1, 2, 5):
        assert result[f"acc{instance}"] == sum(right[instance]) / len(right[instance])


def test_a_killed_run_goes_on_as_if_nothing_had_been(data_folder, tmp_path):
    command = [*SMALL, "--epochs=6", "--data", data_folder]
    expected = run(*command, "--logdir", tmp_path / "whole")
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "fewshot.experiments.learning_to_learn"),
            *(*map(str, command), "--logdir", tmp_path / "killed"),
        ],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    first = process.stdout.readline().rstrip("\n")
    process.send_signal(signal.SIGKILL)
    rest = process.communicate()[0].splitlines()
    assert process.returncode == -signal.SIGKILL
    assert len(rest) < 5
    assert [first, *rest] == expected[: 1 + len(rest)]
    time.sleep(1)  # TensorBoard reads its files in the order of their names, which have the second
    assert run(*command, "--logdir", tmp_path / "killed") == expected
    assert curves(tmp_path / "killed") == curves(tmp_path / "whole")


def test_more_epochs_may_be_asked_for(data_folder, tmp_path):
    command = [*SMALL, "--data", data_folder]
    whole = run(*command, "--epochs=2", "--logdir", tmp_path / "whole")
    run(*command, "--epochs=1", "--logdir", tmp_path / "longer")
    with SummaryWriter(tmp_path / "longer") as writer:
        writer.add_scalar("loss", 9, 2)  # as if killed between logging and saving
    time.sleep(1)
    assert run(*command, "--epochs=2", "--logdir", tmp_path / "longer") == whole
    assert run(*command, "--epochs=1", "--logdir", tmp_path / "longer") == [
        whole[0].replace("1/2", "1/1")
    ]
    assert curves(tmp_path / "longer") == curves(tmp_path / "whole")


def curves(folder):
    """The points of each curve of a run, as TensorBoard shows them."""
    events = EventAccumulator(str(folder)).Reload()
    return {
        tag: [(point.step, point.value) for point in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
    }


def test_tensorboard_shows_what_is_printed(two):
    lines, folder = two
    points = curves(folder)
    assert set(points) == set(NAMES)
    for name in NAMES:
        printed = [(epoch, read(line)[name]) for epoch, line in enumerate(lines, start=1)]
        assert points[name] == [(epoch, pytest.approx(at, abs=6e-5)) for epoch, at in printed]


def test_the_folder_is_named_by_what_is_unusual(data_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(*SMALL, "--epochs=1", "--train_episodes=16", "--data", data_folder)
    (checkpoint,) = tmp_path.glob("runs/learning_to_learn/*/checkpoint.pt")
    data = "" if data_folder.name == "omniglot_resized" else f",data={data_folder.name}"
    assert checkpoint.parent.name == (
        "cell_size=8,classes=2,lstm_dim=16,test_episodes=160,train_episodes=16" + data
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--classes=none"], "--classes: 'none' is no number from 1 on"),
        (["--epochs=0"], "--epochs: '0' is no number from 1 on"),
        (["--seed=-1"], "--seed: '-1' is no number from 0 to 2**32 - 1"),
        (["--read_head=2", "--heads=3"], "unrecognized arguments: --heads=3"),
        (["--data=nowhere"], "There is no folder nowhere"),
        (["--classes=660"], "num_classes is 660: the split's characters are only 659."),
        (["--images_per_class=21"], "images_per_class is 21: a character's images are only 20."),
    ],
)
def test_wrong_arguments_are_said_in_one_line(arguments, said, data_folder, tmp_path, capsys):
    command = [*SMALL, f"--data={data_folder}", f"--logdir={tmp_path / 'new'}", *arguments]
    try:
        status = main(command)
    except SystemExit as error:
        status = error.code
    assert status == 2
    out, err = capsys.readouterr()
    assert not out
    assert said in err
    assert err.count("\n") == 1
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    "name", sorted(set(vars(make_parser().parse_args([]))) - {"epochs", "threads", "data"})
)
def test_a_run_of_other_settings_is_not_gone_on_with(name, two, data_folder, capsys):
    _, folder = two
    theirs = vars(make_parser().parse_args(TWO))[name]
    command = [*TWO, f"--{name}={theirs + 1}", f"--data={data_folder}", f"--logdir={folder}"]
    assert main(command) == 2
    assert capsys.readouterr().err == (
        f"{folder / 'checkpoint.pt'} was made with {name} {theirs}, not {theirs + 1}: "
        "keep to it, or name another folder.\n"
    )


def test_a_folder_that_cannot_be_made_is_said(data_folder, tmp_path, capsys):
    (tmp_path / "file").touch()
    assert main([*SMALL, f"--data={data_folder}", f"--logdir={tmp_path / 'file'}"]) == 2
    assert capsys.readouterr().err == f"Cannot write into {tmp_path / 'file'}: File exists.\n"
