"""Training from the command line, as a student runs it."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

ROOT = Path(__file__).parent.parent.parent
TAGS = ["Accuracy/test", "Loss/test", "Loss/train"]
FINAL = ["Final/accuracy", "Final/interval"]  # one point each, at the end


@pytest.fixture
def homework(tmp_path, data_folder):
    """A student's folder: the two files, filled in, and the images."""
    for name in ("hw1.py", "load_data.py"):
        shutil.copy(ROOT / "solutions" / name, tmp_path)
    (tmp_path / "omniglot_resized").symlink_to(data_folder)
    (tmp_path / "omniglot_resized.npz").symlink_to(f"{data_folder}.npz")
    return tmp_path


def command(*options):
    return [sys.executable, "hw1.py", "--num_classes", "2", *map(str, options)]


def run(folder, *options):
    return subprocess.run(
        command(*options), cwd=folder, capture_output=True, text=True, timeout=400
    )


def start(folder, *options):
    return subprocess.Popen(
        command(*options),
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def refusal(folder, *options):
    """The one line that a command which cannot work prints."""
    result = run(folder, *options)
    assert result.returncode == 1, result.stdout
    assert "Traceback" not in result.stderr
    lines = [line for line in result.stderr.splitlines() if "step/s" not in line and line]
    assert len(lines) == 1, result.stderr
    return lines[0]


def events(run_folder):
    """Everything TensorBoard would show of a run."""
    accumulator = EventAccumulator(str(run_folder), {"scalars": 0, "images": 0})
    accumulator.Reload()
    return accumulator


def curve(run_folder, tag="Accuracy/test"):
    return [point.step for point in events(run_folder).Scalars(tag)]


def wait_for_step(process, folder, step):
    """Wait until a run has logged a step, at most a minute."""
    for _ in range(600):
        if process.poll() is not None:
            raise AssertionError(process.stderr.read())
        if folder.exists() and any(logged >= step for logged in logged_steps(folder)):
            return
        time.sleep(0.1)
    raise AssertionError("no progress within a minute")


def logged_steps(folder):
    try:
        return curve(folder)
    except KeyError:  # nothing logged yet
        return []


def test_a_run_leaves_curves_a_picture_settings_and_weights(homework):
    result = run(homework, "--train_steps", 30, "--eval_freq", 10, "--random_seed", 7)
    assert result.returncode == 0, result.stderr
    assert re.search(r"Test accuracy 0\.\d{3} ± 0\.\d{3} \(2000 tasks, N = 2, K = 1", result.stdout)
    assert "tensorboard --logdir runs/" in result.stdout
    assert "test_accuracy=" in result.stderr

    folder = homework / "runs" / "2_1_7_128"
    shown = events(folder)
    assert sorted(shown.Tags()["scalars"]) == sorted([*TAGS, *FINAL])
    for tag in TAGS:
        assert [point.step for point in shown.Scalars(tag)] == [10, 20, 30]
    (accuracy,), (interval,) = (shown.Scalars(tag) for tag in FINAL)
    assert f"Test accuracy {accuracy.value:.3f} ± {interval.value:.3f}" in result.stdout
    assert shown.Tags()["images"] == ["Task"]
    assert shown.Images("Task")[0].width > 200
    settings = shown.summary_metadata["_hparams_/session_start_info"].plugin_data.content
    assert b"learning_rate" in settings
    weights = torch.load(folder / "model.pt", weights_only=True)
    assert weights["layer1.weight_ih_l0"].shape == (512, 786)


def test_the_same_seed_gives_the_same_run(homework):
    curves = []
    for _ in range(2):
        options = ("--train_steps", 20, "--eval_freq", 10, "--num_workers", 0)
        assert run(homework, *options).returncode == 0
        shown = events(homework / "runs" / "2_1_123_128")
        curves.append([[point.value for point in shown.Scalars(tag)] for tag in TAGS])
    assert curves[0] == pytest.approx(np.array(curves[1]), rel=1e-4)
    assert (homework / "runs" / "2_1_123_128.1" / "model.pt").exists(), "the first run is kept"


def test_runs_go_where_they_are_asked_to(homework):
    result = run(homework, "--train_steps", 2, "--runs", "runs/learning_rate_0.1")
    assert result.returncode == 0, result.stderr
    assert "tensorboard --logdir runs/learning_rate_0.1/" in result.stdout
    assert (homework / "runs" / "learning_rate_0.1" / "2_1_123_128" / "model.pt").exists()


MINE = """
from torch import nn
from hw1 import MANN

class Mine(MANN):
    def __init__(self, num_classes, samples_per_class, hidden_dim):
        super().__init__(num_classes, samples_per_class, hidden_dim)
        self.scale = nn.Parameter(nn.init.ones_(self.layer1.bias_ih_l0.new_empty(1)))

    def forward(self, images, labels):
        return self.scale * super().forward(images, labels)
"""


def test_another_network_takes_the_place_of_mann(homework):
    (homework / "mine.py").write_text(MINE)
    options = ("--train_steps", 4, "--eval_freq", 2, "--model", "mine.py:Mine")
    result = run(homework, *options)
    assert result.returncode == 0, result.stderr
    folder = homework / "runs" / "2_1_123_128_Mine"
    assert curve(folder) == [2, 4]
    assert "scale" in torch.load(folder / "model.pt", weights_only=True)
    (homework / "runs" / "2_1_123_128_Mine").rename(homework / "runs" / "2_1_123_128")
    said = refusal(homework, *options[:4], "--resume")
    assert said == "The run in runs/2_1_123_128 has --model mine.py:Mine: keep to it."


@pytest.mark.parametrize(
    ("model", "line"),
    [
        ("Mine", "--model Mine: give a file and a class of it, as in mine.py:Mine."),
        ("yours.py:Mine", "--model yours.py:Mine: give a file and a class of it"),
        ("mine.py:Yours", "--model mine.py:Yours: mine.py has no torch.nn.Module of that name."),
        ("mine.py:nn", "--model mine.py:nn: mine.py has no torch.nn.Module of that name."),
        ("broken.py:Mine", "--model broken.py:Mine: broken.py cannot be imported: SyntaxError"),
        ("typo.py:Mine", "--model typo.py:Mine (line 11) stopped with NameError: name 'sclae'"),
        ("init.py:Mine", "--model init.py:Mine (line 7) stopped with NameError: name 'supper'"),
        ("bad.py:Bad", "Problem 2a: forward returned shapes [[2, 2, 2]]; the handout asks for"),
        (
            "bad.py:Less",
            "--model bad.py:Less: it has no loss_function; derive it from MANN of hw1.",
        ),
    ],
)
def test_a_network_that_cannot_be_used_is_one_line(homework, model, line):
    (homework / "mine.py").write_text(MINE)
    (homework / "broken.py").write_text(MINE + "(")
    (homework / "typo.py").write_text(MINE.replace("self.scale *", "sclae *"))
    (homework / "init.py").write_text(MINE.replace("super()", "supper()", 1))
    (homework / "bad.py").write_text(
        MINE.replace("Mine", "Bad").replace(
            "self.scale * super().forward(images, labels)", "labels[0]"
        )
        + "class Less(nn.Linear):\n    def __init__(self, *shape):\n"
        "        super().__init__(2, 2)\n"
        "    def forward(self, images, labels):\n        return super().forward(labels)\n"
    )
    assert refusal(homework, "--model", model).startswith(line)
    assert not (homework / "runs").exists()


@pytest.mark.parametrize("workers", [0, 1])
def test_ctrl_c_saves_and_resume_goes_on(homework, workers):
    folder = homework / "runs" / "2_1_123_128"
    options = ("--train_steps", 400, "--eval_freq", 10, "--meta_batch_size", 16)
    process = start(homework, *options, "--num_workers", workers)
    wait_for_step(process, folder, 20)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the workers as well
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "Traceback" not in errors
    stopped = int(re.search(r"Stopped at step (\d+)\. To go on", errors).group(1))
    assert 20 <= stopped < 400

    result = run(homework, *options, "--resume")
    assert result.returncode == 0, result.stderr
    assert curve(folder) == list(range(10, 401, 10)), "each step once"
    assert "has --train_steps 400" in refusal(homework, *options, "--train_steps", 500, "--resume")


def test_a_killed_run_resumes_from_its_checkpoint(homework):
    folder = homework / "runs" / "2_1_123_128"
    options = ("--train_steps", 700, "--eval_freq", 20, "--meta_batch_size", 8)
    process = start(homework, *options)
    wait_for_step(process, folder, 540)
    process.kill()
    process.communicate(timeout=60)
    assert run(homework, *options, "--resume").returncode == 0
    assert curve(folder) == list(range(20, 701, 20))


def test_stops_at_the_accuracy_asked_for(homework):
    result = run(homework, "--train_steps", 500, "--eval_freq", 5, "--until_accuracy", 0.4)
    assert result.returncode == 0
    assert curve(homework / "runs" / "2_1_123_128") == [5]


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("load_data.py", "Problem 1 is not filled in: DataGenerator._sample (load_data.py:{})"),
        ("hw1.py", "Problem 2a is not filled in: MANN.forward (hw1.py:{})"),
    ],
)
def test_an_unfilled_stub_is_named(homework, file, line):
    starter = (ROOT / file).read_text()
    (homework / file).write_text(starter)
    number = starter[: starter.index("raise NotImplementedError")].count("\n") + 1
    assert refusal(homework) == line.format(number)
    assert not (homework / "runs").exists()


def test_the_loss_stub_is_named(homework):
    solution, stub = (homework / "hw1.py").read_text(), 'raise NotImplementedError("Problem 2b")'
    answer = solution.index("# BEGIN SOLUTION Problem 2b")
    (homework / "hw1.py").write_text(solution[:answer] + stub + "\n        " + solution[answer:])
    number = solution[:answer].count("\n") + 1
    assert refusal(homework) == (
        f"Problem 2b is not filled in: MANN.loss_function (hw1.py:{number})"
    )


@pytest.mark.parametrize(
    ("file", "old", "new", "line"),
    [
        ("load_data.py", "return images, labels", "return images", "Problem 1: _sample returned"),
        (
            "load_data.py",
            ".reshape(K + 1, N, self.dim_input)",
            ".reshape(N, K + 1, self.dim_input)",
            "Problem 1: _sample returned shapes [[2, 3, 784], [3, 2, 2]]; the handout asks for",
        ),
        ("load_data.py", "rows = [[*range(N)]]", "rows = [query]", "in the order of the classes."),
        ("load_data.py", "[np.array(rows)]", "[np.array(rows)] * 2", "must be one-hot"),
        (
            "hw1.py",
            "support_labels, query_labels = input_labels[:, :-1], input_labels[:, -1:]",
            "input_labels[:, -1] = 0; support_labels, query_labels = input_labels.split([2, 1], 1)",
            "changes its inputs: clone them.",
        ),
        ("load_data.py", "np.eye(N", "np.eye(M", "stopped with NameError: name 'M' is not defined"),
        ("hw1.py", ".flatten(1, 2)", ".flatten(1, 9)", "Problem 2a: MANN.forward (hw1.py:"),
        ("hw1.py", "return scores.view(input_labels.shape)", "return", "Problem 2a: forward"),
        (
            "hw1.py",
            "query_labels.flatten(0, 1))",
            "query_labels)",
            "Problem 2b: MANN.loss_function",
        ),
        ("hw1.py", "= preds[:, -1],", "= preds[:, -1].detach(),", "Problem 2b: the loss has no"),
        ("hw1.py", "= preds[:, -1],", "= preds[:, -1].long(),", "stopped with NotImplementedError"),
        ("hw1.py", "def forward(", "def foward(", "starter does: NotImplementedError: Module"),
        ("hw1.py", "def loss_function(", "def loss(", "AttributeError: 'MANN' object has no"),
        ("load_data.py", "def _sample(", "def sample(", "AttributeError: 'DataGenerator' object"),
    ],
)
def test_a_mistake_is_one_line(homework, file, old, new, line):
    text = (homework / file).read_text()
    assert old in text
    (homework / file).write_text(text.replace(old, new))
    assert line in refusal(homework, "--num_shot", 2)


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--num_shot", 20], "a character has 20 images"),
        (["--num_classes", 424], "the test split of omniglot_resized has 423 characters"),
        (["--train_steps", 0], "--train_steps 0: training takes at least 1 step."),
        (["--train_steps", -5], "--train_steps -5"),
        (["--meta_batch_size", 0], "--meta_batch_size 0: it must be at least 1."),
        (["--eval_freq", 0], "--eval_freq 0"),
        (["--learning_rate", "nan"], "--learning_rate nan: it must be above 0, finite."),
        (["--until_accuracy", 91], "--until_accuracy 91.0: it must be from 0 to 1."),
        (["--random_seed", 10**30], "it must be below 2**62."),
        (["--num_workers", -1], "--num_workers -1"),
        (["--resume"], "Nothing to resume in runs/2_1_123_128: start without --resume."),
        (["--data_folder", "x"], "No images in x. Make them with: python -m fewshot.data omniglot"),
        pytest.param(
            ["--device", "cuda"],
            "--device cuda: this machine has none. Use --device auto.",
            marks=pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA"),
        ),
    ],
)
def test_settings_that_cannot_work_are_one_line(homework, options, line):
    assert line in refusal(homework, *options)
    assert not (homework / "runs").exists()


def test_an_error_in_a_worker_is_one_line(homework):
    text = (homework / "load_data.py").read_text()
    broken = "if random.random() < 0.05:\n            raise KeyError('ink')\n        folders ="
    (homework / "load_data.py").write_text(text.replace("folders = random", f"{broken} random"))
    lines = {refusal(homework, "--num_workers", workers) for workers in (0, 1)}
    assert len(lines) == 1, "the same with and without workers"
    assert "DataGenerator._sample (load_data.py:" in min(lines)
    assert min(lines).endswith("stopped with KeyError: 'ink'")


def test_a_damaged_checkpoint_is_one_line(homework):
    assert run(homework, "--train_steps", 2, "--meta_batch_size", 8).returncode == 0
    checkpoint = homework / "runs" / "2_1_123_128" / "checkpoint.pt"
    checkpoint.write_bytes(checkpoint.read_bytes()[:5000])
    line = refusal(homework, "--train_steps", 2, "--meta_batch_size", 8, "--resume")
    assert line == "runs/2_1_123_128/checkpoint.pt is damaged: start without --resume."


def test_a_damaged_packed_array_is_no_trouble(homework):
    (homework / "omniglot_resized.npz").unlink()
    (homework / "omniglot_resized.npz").write_bytes(b"PK\x03\x04 and then nothing")
    assert run(homework, "--train_steps", 2, "--meta_batch_size", 8).returncode == 0


def test_runs_that_cannot_be_written_are_one_line(homework):
    (homework / "runs").write_text("a file")
    assert refusal(homework).startswith("A file could not be read or written: ")


def test_images_of_another_size_are_one_line(homework):
    for c in range(1300):
        (homework / "big" / "a" / f"c{c:04}").mkdir(parents=True)
    for file in ("0.png", "1.png"):
        Image.new("1", (105, 105)).save(homework / file)
        for folder in (homework / "big" / "a").iterdir():
            (folder / file).symlink_to(homework / file)
    assert "has 11025 pixels instead of 784" in refusal(homework, "--data_folder", "big")


def test_a_loss_that_is_not_finite_is_one_line(homework):
    text = (homework / "hw1.py").read_text()
    loss = "return F.cross_entropy(query_preds"
    (homework / "hw1.py").write_text(text.replace(loss, loss.replace("F.", "1e38 * 10 * F.")))
    assert refusal(homework).startswith("The loss became inf at step 1: lower --learning_rate")


def test_a_bad_flag_is_not_taken_for_true(homework):
    for given, cached in (("True", "True"), ("false", "False")):
        help_text = run(homework, "--image_caching", given, "--train_steps", 0).stderr
        assert "--train_steps" in help_text, (given, cached)
    result = run(homework, "--image_caching", "no")
    assert result.returncode == 2
    assert "'no' is neither True nor False" in result.stderr


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("OMNIGLOT_ARCHIVES"), reason="needs real Omniglot")
def test_the_reference_learns_to_90_percent(homework):
    """The command of `make demo`. docs/benchmarks.md has the spread over seeds."""
    options = ("--train_steps", 3000, "--learning_rate", 3e-3, "--until_accuracy", 0.91)
    result = run(homework, "--num_shot", 1, *options)
    assert result.returncode == 0, result.stderr
    accuracy = float(re.search(r"Test accuracy (0\.\d+)", result.stdout).group(1))
    assert accuracy > 0.9
