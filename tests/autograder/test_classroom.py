"""A whole class through the command line: real gradings, workers that die, full disks."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager

import pytest

from autograder.classroom.run import grade_class
from fewshot.workers import Workers

from .classes import (
    CASES,
    SECONDS,
    command,
    fill,
    gradings,
    is_alive,
    records,
    run,
    wait_for,
    workers_of,
)
from .corpus import STUBS


@pytest.fixture(scope="module")
def handed(tmp_path_factory):
    return fill(tmp_path_factory.mktemp("class") / "class")


@pytest.fixture(scope="module")
def graded(handed, data_folder, tmp_path_factory):
    """A folder of grades that one run with two jobs has made; tests only read it."""
    out = tmp_path_factory.mktemp("grades") / "grades"
    done = run(handed, out, data_folder, "--jobs", 2, "--seed", 7)
    assert done.returncode == 0, done.stderr
    return out


def test_everybody_has_results_a_page_and_a_row(graded, handed):
    names = {path.stem for path in handed.iterdir()}
    found = records(graded)
    assert found.keys() == names
    assert found["reference"]["score"] == 80
    assert found[STUBS.name]["score"] == 0
    for name in names:
        assert "<html" in (graded / name / "feedback.html").read_text()
    for lists in ("grades.csv", "scores.csv", "index.html"):
        text = (graded / lists).read_text()
        assert all(name in text for name in names), lists
    assert gradings(graded) == dict.fromkeys(names, 1)


def test_students_cannot_look_at_each_other(graded, handed):
    """At the level uid their code is another user, and may read what everybody may."""
    private = [graded, handed] if os.geteuid() == 0 else [graded]
    assert not any(path.stat().st_mode & 0o007 for path in private)


def test_order_and_jobs_change_nothing(graded, handed, data_folder, tmp_path):
    for name in sorted((path.stem for path in handed.iterdir()), reverse=True)[:3]:
        done = run(handed, tmp_path / "g", data_folder, "--jobs", 1, "--seed", 7, "--only", name)
        assert done.returncode == 0, done.stderr
    again = records(tmp_path / "g")
    assert len(again) == 3
    assert again == {name: records(graded)[name] for name in again}


def test_only_what_has_changed_is_graded_again(handed, data_folder, tmp_path):
    mine, out = tmp_path / "class", tmp_path / "grades"
    mine.mkdir()
    for name in ("reference", STUBS.name):
        shutil.copytree(handed / name, mine / name)
    assert "2 graded, 0 had been before" in run(mine, out, data_folder).stdout
    assert "0 graded, 2 had been before" in run(mine, out, data_folder).stdout
    with (mine / "reference" / "hw1.py").open("a") as file:
        file.write("\n# one more line\n")
    assert "1 graded, 1 had been before" in run(mine, out, data_folder).stdout
    assert gradings(out) == {"reference": 2, STUBS.name: 1}
    (out / STUBS.name / "feedback.html").unlink()
    assert "1 graded, 1 had been before" in run(mine, out, data_folder).stdout
    forced = run(mine, out, data_folder, "--only", "reference", "--force")
    assert "1 graded, 0 had been before" in forced.stdout
    assert gradings(out) == {"reference": 3, STUBS.name: 2}
    another = run(mine, out, data_folder, "--only", STUBS.name, "--seed", 12345)
    assert "1 graded" in another.stdout


def test_a_name_that_nobody_has_gets_a_hint(graded, handed, data_folder):
    done = run(handed, graded, data_folder, "--only", "referense")
    assert done.returncode == 2
    assert done.stderr.strip() == (
        "--only referense: nobody has that name. Did you mean reference?"
    )


def test_killed_at_any_moment_nothing_is_lost_and_nothing_done_twice(
    handed, data_folder, tmp_path, graded
):
    out, moments = tmp_path / "grades", random.Random(3)
    words = command(handed, out, data_folder, "--jobs", 2, "--seed", 7)
    for _ in range(3):
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(moments.uniform(3, 8))
        process.kill()
        process.wait()
        for path in out.glob("*/results.json"):
            json.loads(path.read_text())  # whole
    assert run(handed, out, data_folder, "--jobs", 2).returncode == 0
    assert set(gradings(out).values()) == {1}
    assert records(out) == records(graded)


def test_workers_of_a_killed_run_end(handed, data_folder, tmp_path):
    out = tmp_path / "grades"
    process = subprocess.Popen(
        command(handed, out, data_folder, "--jobs", 2), stderr=subprocess.DEVNULL
    )
    children = wait_for(lambda: len(workers_of(process.pid)) == 2 and workers_of(process.pid))
    time.sleep(3)
    process.kill()
    process.wait()
    wait_for(lambda: not any(map(is_alive, children)))


def test_stopped_by_hand_it_ends_at_once_and_says_so(handed, data_folder, tmp_path):
    out = tmp_path / "grades"
    process = subprocess.Popen(
        command(handed, out, data_folder, "--jobs", 2),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    children = wait_for(lambda: len(workers_of(process.pid)) == 2 and workers_of(process.pid))
    wait_for(lambda: list(out.glob("*/results.json")))
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    said = process.communicate(timeout=30)[1]
    assert process.returncode == 130
    assert said.strip().endswith("Stopped. Run the same command again to go on.")
    assert "Traceback" not in said
    wait_for(lambda: not any(map(is_alive, children)))
    assert (out / "index.html").exists()
    assert set(gradings(out).values()) == {1}


def test_killed_workers_cost_nobody_anything(handed, data_folder, tmp_path, graded):
    out = tmp_path / "grades"
    process = subprocess.Popen(
        command(handed, out, data_folder, "--jobs", 2, "--seed", 7),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    known = set()  # a pool that has lost a worker ends the others
    for _ in range(2):
        new = wait_for(lambda: set(workers_of(process.pid)) - known)
        time.sleep(2)
        known.update(new, workers_of(process.pid))
        os.kill(max(new), signal.SIGKILL)
    said = process.communicate(timeout=SECONDS)[0]
    assert process.returncode == 0
    assert f"{len(CASES)} graded" in said
    assert records(out) == records(graded)
    assert set(gradings(out).values()) == {1}


def test_two_runs_do_not_write_into_one_folder(handed, data_folder, tmp_path):
    out = tmp_path / "grades"
    first = subprocess.Popen(command(handed, out, data_folder), stderr=subprocess.DEVNULL)
    wait_for(lambda: (out / "journal.sqlite").exists())
    second = run(handed, out, data_folder)
    first.kill()
    first.wait()
    assert second.returncode == 2
    assert second.stderr == f"Another run writes into {out}: wait for it, or name another folder.\n"


def test_a_full_disk_is_one_line_and_loses_nothing(handed, data_folder, tmp_path):
    if os.geteuid() != 0 or not shutil.which("bwrap"):
        pytest.skip("needs root and bubblewrap for a small disk")
    out = tmp_path / "grades"
    out.mkdir()
    (tmp_path / "copy").mkdir()
    inner = [*command(handed, out, data_folder, "--jobs", 1), "--seed", "7"]
    keep = f"cp -a {out}/. {tmp_path / 'copy'}"
    done = subprocess.run(
        [
            *("bwrap", "--dev-bind", "/", "/", "--size", "190000", "--tmpfs", str(out)),
            *("sh", "-c", f'"$@"; code=$?; {keep}; exit $code', "sh"),
            *inner,
        ],
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert done.returncode == 2, done.stdout
    lines = [line for line in done.stderr.splitlines() if "graded, " not in line]
    assert len(lines) == 1, done.stderr
    assert "No space left" in lines[0] or "full" in lines[0]
    before = gradings(tmp_path / "copy")
    done = run(handed, tmp_path / "copy", data_folder, "--jobs", 2)
    assert done.returncode == 0, done.stderr
    assert f"{len(before)} had been before" in done.stdout
    assert set(gradings(tmp_path / "copy").values()) == {1}


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--jobs", "0"], "'0' is not a number of jobs"),
        (["--json", "x.json"], "--json, --html and --verbose are for one submission"),
        (["--cluster", "tcp://127.0.0.1:9", "--jobs", "2"], "leave --jobs out"),
        (["--cluster", "tcp://127.0.0.1:9"], "there is no scheduler"),
    ],
)
def test_wrong_arguments_are_one_line(handed, data_folder, tmp_path, more, said):
    done = run(handed, tmp_path / "grades", data_folder, *more)
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_class_without_out_is_told_what_to_do(handed, data_folder):
    words = ["grade", str(handed), "--data", str(data_folder), "--train", "off"]
    done = subprocess.run(
        [sys.executable, "-m", "autograder", *words],
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert "name a folder for its grades with --out" in done.stdout


def test_a_submission_that_every_process_dies_of_is_for_a_person_to_look_at(
    handed, data_folder, tmp_path
):
    class Broken:
        def submit(self, do, one) -> Future:
            future = Future()
            future.set_exception(BrokenProcessPool())
            return future

    @contextmanager
    def start():
        yield Workers(Broken(), lambda: 2, (BrokenProcessPool,), True)

    one = sorted(path.name for path in handed.iterdir())[:1]
    out = tmp_path / "grades"
    grade_class(handed, out, start, data_folder, "off", 1, one, False)
    (results,) = out.glob("*/results.json")
    record = json.loads(results.read_text())
    assert record["score"] == 0
    assert "died" in record["extra_data"]["look"][0]
