"""The same class run on a real Dask scheduler with real workers, on loopback."""

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cluster import Cluster

from .classes import CASES, SECONDS, fill, gradings, records, run, wait_for

pytest.importorskip("distributed")
ROOT = Path(__file__).parents[2]


@pytest.fixture
def cluster(tmp_path):
    cluster = Cluster(tmp_path)
    yield cluster
    cluster.end()


@pytest.fixture(scope="module")
def handed(tmp_path_factory):
    return fill(tmp_path_factory.mktemp("class") / "class")


def start(handed, out, data, address):
    words = ["grade", handed, "--out", out, "--data", data, "--train", "off", "--seed", 7]
    return subprocess.Popen(
        [sys.executable, "-m", "autograder", *map(str, words), "--cluster", address],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_worker_killed_in_the_middle_costs_nobody_anything(
    cluster, handed, data_folder, tmp_path
):
    out = tmp_path / "grades"
    cluster.add_worker()
    cluster.add_worker()
    process = start(handed, out, data_folder, cluster.address)
    wait_for(lambda: list(out.glob("*/results.json")), SECONDS)
    time.sleep(1)
    cluster.workers[0].send_signal(signal.SIGKILL)
    said, wrong = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, wrong
    assert f"{len(CASES)} graded" in said
    assert set(gradings(out).values()) == {1}
    assert len(gradings(out)) == len(CASES)
    local = tmp_path / "local"
    names = [case.name for case in CASES[:2]]
    assert run(handed, local, data_folder, "--seed", 7, "--only", *names).returncode == 0
    for name, record in records(local).items():
        assert record == records(out)[name]


def test_a_cluster_that_ends_is_one_line_and_the_rest_is_graded_later(
    cluster, handed, data_folder, tmp_path
):
    out = tmp_path / "grades"
    cluster.add_worker()
    process = start(handed, out, data_folder, cluster.address)
    wait_for(lambda: list(out.glob("*/results.json")), SECONDS)
    cluster.end()
    wrong = process.communicate(timeout=SECONDS)[1]
    assert process.returncode == 2
    assert "Traceback" not in wrong
    gone = f"The cluster at {cluster.address} is gone: start it and run this again."
    assert wrong.strip().splitlines()[-1] == gone
    done = len(gradings(out))
    assert 1 <= done < len(CASES)
    again = run(handed, out, data_folder)
    assert f"{len(CASES) - done} graded, {done} had been before" in again.stdout
    assert set(gradings(out).values()) == {1}


def test_a_worker_with_another_grader_refuses(cluster, handed, data_folder, tmp_path):
    other = tmp_path / "other"
    for room in ("autograder", "fewshot", "solutions"):
        shutil.copytree(ROOT / room, other / room, ignore=shutil.ignore_patterns("__pycache__"))
    with (other / "autograder" / "rubric.toml").open("a") as rubric:
        rubric.write("# another one\n")
    cluster.add_worker(cwd=other)
    process = start(handed, tmp_path / "grades", data_folder, cluster.address)
    said, wrong = process.communicate(timeout=SECONDS)
    assert process.returncode == 2, said
    expected = "A worker has another version of the grader: install the same on all."
    assert wrong.strip() == expected
    assert gradings(tmp_path / "grades") == {}
