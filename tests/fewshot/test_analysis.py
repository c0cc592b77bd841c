"""Problems 3 and 4 through the command line, on runs that hw1.py and others have made."""

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
from matplotlib.colors import to_rgb
from PIL import Image
from torch.utils.tensorboard import SummaryWriter

from fewshot.analysis.events import read_runs
from fewshot.analysis.figures import LINES
from tests.cluster import Cluster

ROOT = Path(__file__).parents[2]
SETTINGS = ["2_1", "2_2", "3_1", "4_1"]  # of Problem 3, as N_K
SECONDS = 300


def command(problem, folder, data, *more):
    words = [problem, "--runs", folder / "runs", "--out", folder / "figures", "--data", data]
    words += ["--report", folder / "report" / "report.md", "--solution", ROOT / "solutions/hw1.py"]
    return [sys.executable, "-m", "fewshot.analysis", *map(str, [*words, *more])]


def run(*words):
    return subprocess.run(
        command(*words), capture_output=True, text=True, timeout=SECONDS, cwd=ROOT
    )


def start(*words):
    return subprocess.Popen(
        command(*words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    )


def wait_for(found, seconds=120):
    """What `found` returns once that is something."""
    end = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.1)
    return value


def trainings(folder):
    """The processes that train for a folder of runs."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes().decode().split("\0")
        except (OSError, UnicodeDecodeError):
            continue
        if any("hw1.py" in word for word in words) and f"--runs={folder / 'runs'}" in words:
            found.append(int(entry.name))
    return found


def made_by_another_program(folder, points, **how):
    """A run with the three tags and nothing else: points are (step, accuracy)."""
    writer = SummaryWriter(folder)
    for step, accuracy in points:
        writer.add_scalar("Accuracy/test", accuracy, step, **how)
        writer.add_scalar("Loss/test", 1 - accuracy, step, **how)
        writer.add_scalar("Loss/train", 0.9 - accuracy, step, **how)
    writer.close()
    (file,) = folder.glob("events*")
    return file


def rows(folder, problem="problem3"):
    """The table: what a row is called → its cells."""
    lines = (folder / "figures" / f"{problem}.md").read_text().splitlines()[2:]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {first: rest for first, *rest in cells}


def draw(folder, problem="problem3", *more):
    """Figures of what is there."""
    done = run(problem, folder, "nowhere", "--no-training", *more)
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture(scope="module")
def finished(tmp_path_factory, data_folder):
    """A folder in which Problem 3 has been run with two seeds; tests only read it."""
    folder = tmp_path_factory.mktemp("problem3")
    (folder / "report").mkdir()
    shutil.copy(ROOT / "report" / "report.md", folder / "report")
    report = folder / "report" / "report.md"
    report.write_text(report.read_text().replace("Your answer.", "Mine: $N$ matters — 你好."))
    done = run("problem3", folder, data_folder, "--steps", 20, "--seeds", 1, 2)
    assert done.returncode == 0, done.stderr
    assert "6 figures and a table" in done.stdout
    return folder


def test_missing_runs_are_made_and_drawn(finished):
    runs = sorted(path.name for path in (finished / "runs").iterdir())
    assert runs == sorted(f"{name}_{seed}_128" for name in SETTINGS for seed in (1, 2))
    names = [f"{name.split('_')[1]}_shot_{name.split('_')[0]}_way" for name in SETTINGS]
    for name in [*names, "classes", "shots"]:
        picture = Image.open(finished / "figures" / f"problem3_{name}.png").convert("L")
        assert picture.width > 1000
        assert np.asarray(picture).std() > 10, "there is something on it"
        pdf = (finished / "figures" / f"problem3_{name}.pdf").read_bytes()
        assert pdf.startswith(b"%PDF")
    table = rows(finished)
    assert list(table) == ["K = 1, N = 2", "K = 2, N = 2", "K = 1, N = 3", "K = 1, N = 4"]
    for accuracy, over_seeds, *losses, steps, seeds in table.values():
        mean, lowest, highest = map(
            float, re.findall(r"\d\.\d+", accuracy)[:1] + over_seeds.split("–")
        )
        assert mean == pytest.approx((lowest + highest) / 2, abs=0.0011)
        assert "±" in accuracy
        assert all(float(loss) > 0.5 for loss in losses)
        assert (steps, seeds) == ("20", "2")


def test_the_report_is_filled_and_what_was_written_stays(finished):
    text = (finished / "report" / "report.md").read_text()
    assert text.count("Mine: $N$ matters — 你好.") == 3
    assert text.count("](../figures/problem3_") == 6
    assert text.count("| K = 1, N = 4 |") == 1
    for picture in re.findall(r"\]\((.+?)\)", text):
        assert (finished / "report" / picture).is_file()
    assert "(hidden 8, 128, 256)" in text, "Problem 4 is still to come"
    draw(finished, "problem3", "--seeds", 1, 2)
    assert (finished / "report" / "report.md").read_text() == text


def test_finished_runs_are_not_made_again(finished, data_folder):
    before = {file: file.stat().st_mtime_ns for file in (finished / "runs").rglob("*")}
    done = run("problem3", finished, data_folder, "--seeds", 1, 2)
    assert done.returncode == 0, done.stderr
    assert {file: file.stat().st_mtime_ns for file in (finished / "runs").rglob("*")} == before


def test_other_steps_are_other_runs(finished, data_folder, tmp_path):
    shutil.copytree(finished / "runs" / "2_1_1_128", tmp_path / "runs" / "2_1_1_128")
    done = draw(tmp_path, "problem3", "--seeds", 1, "--steps", 30)
    assert done.returncode == 2
    assert "has no run of problem3" in done.stderr
    assert draw(tmp_path, "problem3", "--seeds", 1, "--steps", 20).returncode == 0


def test_a_run_is_known_by_its_settings_wherever_it_lies(finished, tmp_path):
    shutil.copytree(finished / "runs" / "3_1_1_128", tmp_path / "runs" / "mine" / "the good one")
    done = draw(tmp_path, "problem4", "--seeds", 1)
    assert done.returncode == 0, done.stderr
    assert list(rows(tmp_path, "problem4")) == ["learning rate 0.001", "hidden 128"]
    assert "no run of hidden 8, hidden 256" in done.stdout


def test_a_setting_of_two_figures_is_trained_once(tmp_path, data_folder):
    done = run("problem4", tmp_path, data_folder, "--steps", 4, "--jobs", 3)
    assert done.returncode == 0, done.stderr
    runs = sorted(
        str(path.parent.relative_to(tmp_path / "runs")) for path in tmp_path.rglob("events*")
    )
    rates = [f"learning_rate_{rate}/3_1_123_128" for rate in ("0.1", "1e-05")]
    assert runs == sorted(["3_1_123_8", "3_1_123_128", "3_1_123_256", *rates])
    assert len(rows(tmp_path, "problem4")) == 6


def test_the_reference_below_runs_is_nobodys_own(finished, tmp_path):
    shutil.copytree(finished / "runs", tmp_path / "runs" / "reference")
    assert draw(tmp_path, "problem3", "--seeds", 1).returncode == 2
    (tmp_path / "elsewhere").mkdir()
    shutil.move(tmp_path / "runs" / "reference", tmp_path / "elsewhere" / "runs")
    assert draw(tmp_path / "elsewhere", "problem3", "--seeds", 1).returncode == 0


@pytest.mark.parametrize("how", [{}, {"new_style": True}])
def test_runs_of_other_programs_are_drawn_as_they_are(tmp_path, data_folder, how):
    points = [(step, 0.5 + step / 1000) for step in range(0, 400, 10)]
    made_by_another_program(tmp_path / "runs" / "2_1_123_128", points, **how)
    assert draw(tmp_path).returncode == 0
    accuracy, _, test_loss, training_loss, steps, _ = rows(tmp_path)["K = 1, N = 2"]
    last = np.mean([accuracy for _, accuracy in points[-10:]])
    assert accuracy == f"{last:.3f}", "no interval, for nobody measured one"
    assert (test_loss, training_loss, steps) == (f"{1 - last:.3f}", f"{0.9 - last:.3f}", "390")


def test_runs_of_other_programs_have_the_learning_rate_of_their_folder(tmp_path):
    for rate, accuracy in (("0.1", 0.3), ("1e-05", 0.4)):
        folder = tmp_path / "runs" / f"learning_rate_{rate}" / "3_1_123_128"
        made_by_another_program(folder, [(step, accuracy) for step in range(20)])
    assert draw(tmp_path, "problem4").returncode == 0
    accuracies = {name: cells[0] for name, cells in rows(tmp_path, "problem4").items()}
    assert accuracies == {"learning rate 0.1": "0.300", "learning rate 1e-05": "0.400"}


def test_a_single_point_is_seen(tmp_path):
    made_by_another_program(tmp_path / "runs" / "2_1_123_128", [(40, 0.6)])
    assert draw(tmp_path).returncode == 0
    picture = np.asarray(Image.open(tmp_path / "figures" / "problem3_classes.png").convert("RGB"))
    above_the_legend = picture[: int(0.8 * len(picture))]
    blue = np.array(to_rgb(LINES[0][0])) * 255
    assert (np.abs(above_the_legend - blue).max(2) < 2).sum() > 50


def test_lines_differ_in_grey_and_in_dashes():
    greys = sorted(sum(np.array(to_rgb(color)) * (0.299, 0.587, 0.114)) for color, _ in LINES)
    assert np.diff(greys).min() > 0.15
    assert len({str(dashes) for _, dashes in LINES}) == len(LINES)


def damage(file, how):
    whole = file.read_bytes()
    if how == "truncated":
        file.write_bytes(whole[: len(whole) // 2])
    elif how == "a byte":
        file.write_bytes(whole[:-300] + bytes([whole[-300] ^ 1]) + whole[-299:])
    elif how == "noise":
        file.write_bytes(np.random.default_rng(1).bytes(5000))
    elif how == "noise after it":
        file.write_bytes(whole + np.random.default_rng(1).bytes(5000))
    elif how == "a folder":
        file.unlink()
        file.mkdir()


@pytest.mark.parametrize("how", ["truncated", "a byte", "noise", "noise after it", "a folder"])
def test_a_broken_event_file_costs_one_line(tmp_path, how):
    points = [(step, 0.5) for step in range(100)]
    file = made_by_another_program(tmp_path / "runs" / "2_1_123_128", points)
    made_by_another_program(tmp_path / "runs" / "3_1_123_128", points)
    damage(file, how)
    done = draw(tmp_path)
    assert done.returncode == 0, done.stderr
    about = [line for line in done.stdout.splitlines() if str(file) in line]
    assert len(about) == 1, done.stdout
    assert ("K = 1, N = 2" in rows(tmp_path)) == (how not in ("noise", "a folder"))
    assert rows(tmp_path)["K = 1, N = 3"][4] == "99"


def test_ctrl_c_saves_and_the_same_command_goes_on(tmp_path, data_folder):
    words = ("problem3", tmp_path, data_folder, "--steps", 1500, "--jobs", 2)
    process = start(*words)
    wait_for(lambda: sum(run.steps >= 100 for run in read_runs(tmp_path / "runs")) == 2)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.strip().splitlines()[-1] == "Stopped: run the same command again to go on."
    assert "Traceback" not in errors
    wait_for(lambda: not trainings(tmp_path))
    saved = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("checkpoint.pt")}
    assert len(saved) == 2

    process = start(*words)
    wait_for(lambda: len([*tmp_path.rglob("events*")]) == 4)  # each has logged to a second one
    process.kill()  # the trainings notice
    process.communicate()
    wait_for(lambda: not trainings(tmp_path))
    assert {file.parent for file in saved} == set((tmp_path / "runs").iterdir()), "none anew"
    assert all(file.stat().st_mtime_ns >= before for file, before in saved.items())


def test_a_run_goes_on_when_the_worker_that_trained_it_dies(tmp_path, data_folder):
    process = start("problem3", tmp_path, data_folder, "--steps", 1500, "--jobs", 1)
    wait_for(lambda: [*tmp_path.rglob("checkpoint.pt")])
    (training,) = trainings(tmp_path)
    worker = int(Path(f"/proc/{training}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(worker, signal.SIGKILL)
    wait_for(lambda: len([*tmp_path.rglob("events*")]) == 2)
    assert len([*(tmp_path / "runs").iterdir()]) == 1, "none anew"
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    wait_for(lambda: not trainings(tmp_path))


def test_what_is_not_filled_in_is_said_once(tmp_path, data_folder):
    done = run("problem3", tmp_path, data_folder, "--solution", ROOT / "hw1.py")
    assert done.returncode == 2
    lines = done.stderr.strip().splitlines()
    assert lines[0].startswith("Problem 1 is not filled in: DataGenerator._sample (load_data.py:")
    assert "has no run of problem3" in lines[1]
    assert len(lines) == 2


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--solution", "nowhere.py"], "nowhere.py is not there: name yours with --solution."),
        (["--data", "nowhere"], "No images in"),
        (["--jobs", "0"], "'0' is no number from 1 on"),
        (["--steps", "many"], "'many' is no number from 1 on"),
        (["--cluster", "tcp://127.0.0.1:9"], "there is no scheduler"),
    ],
)
def test_wrong_arguments_are_one_sentence(tmp_path, data_folder, more, said):
    done = run("problem3", tmp_path, data_folder, *more)
    assert done.returncode == 2
    assert said in done.stderr.splitlines()[0]
    assert "Traceback" not in done.stderr


def test_a_folder_that_cannot_be_written_is_one_sentence(finished, tmp_path):
    (tmp_path / "figures").write_text("a file")
    shutil.copytree(finished / "runs", tmp_path / "runs")
    done = draw(tmp_path, "problem3", "--seeds", 1)
    assert done.returncode == 2
    assert done.stderr.startswith("Cannot write")
    assert len(done.stderr.splitlines()) == 1


def test_a_cluster_trains_and_stops_with_the_one_who_asked(tmp_path, data_folder):
    pytest.importorskip("distributed")
    cluster = Cluster(tmp_path)
    try:
        cluster.add_worker()
        words = ("problem3", tmp_path, data_folder, "--cluster", cluster.address, "--steps")
        done = run(*words, 10)
        assert done.returncode == 0, done.stderr
        assert len([*(tmp_path / "runs").rglob("model.pt")]) == 4
        process = start(*words, 5000)
        wait_for(lambda: trainings(tmp_path))
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        wait_for(lambda: not trainings(tmp_path))
    finally:
        cluster.end()


def pdf(folder):
    words = [sys.executable, "-m", "fewshot.analysis", "pdf", str(folder / "report" / "report.md")]
    return subprocess.run(words, capture_output=True, text=True, timeout=SECONDS, cwd=ROOT)


def test_a_report_becomes_a_pdf(finished, tmp_path):
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    done = pdf(tmp_path)
    assert done.returncode == 0, done.stderr
    content = (tmp_path / "report" / "report.pdf").read_bytes()
    assert content.startswith(b"%PDF")
    assert int(re.search(rb"/Count (\d+)", content)[1]) >= 3
    assert content.count(b"/Subtype /Image") >= 6


def test_a_picture_that_is_not_there_is_one_sentence(tmp_path):
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "report.md").write_text("![a](../figures/problem3_shots.png)")
    done = pdf(tmp_path)
    assert done.returncode == 2
    assert "problem3_shots.png, which is not there" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert os.listdir(tmp_path / "report") == ["report.md"]
