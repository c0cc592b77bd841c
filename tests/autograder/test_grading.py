"""The autograder's command line, as an instructor and a student use it."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from autograder.grading import grade
from autograder.record import Record, start_record
from tests.autograder.corpus import MUTANTS, REFERENCE, STUBS, write

ROOT = Path(__file__).parents[2]


def run(*words: object, cwd: Path = ROOT, timeout: float = 600) -> subprocess.CompletedProcess:
    """`python -m autograder …`."""
    return subprocess.run(
        [sys.executable, "-m", "autograder", *map(str, words)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=timeout,
        stdin=subprocess.DEVNULL,
    )


def children(pid: int) -> list[int]:
    """A process's descendants."""
    try:
        direct = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [one for child in map(int, direct) for one in (child, *children(child))]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture(scope="module")
def reference(data_folder, tmp_path_factory):
    """One complete grading of the solutions: the command's end, results.json and the page."""
    folder = tmp_path_factory.mktemp("reference")
    report, page = folder / "results.json", folder / "page.html"
    done = run("grade", "solutions", "--data", data_folder, "--json", report, "--html", page)
    return done, json.loads(report.read_text()), page.read_text()


def test_the_reference_has_every_point(reference):
    done, record, _ = reference
    assert done.returncode == 0, done.stderr
    assert record["score"] == 100, done.stdout
    assert "Total 100 / 100" in done.stdout


def test_the_record_is_complete(reference):
    _, record, _ = reference
    assert sum(test["max_score"] for test in record["tests"]) == 100
    parts = {test["tags"][0] for test in record["tests"]}
    assert parts == {"submission", "sampler", "forward", "loss", "accuracy"}
    for test in record["tests"]:
        assert test["extra_data"]["check"].startswith(test["tags"][0] + "/")
        assert test["extra_data"]["seconds"] >= 0
    public = sum(test["max_score"] for test in record["tests"] if test["visibility"] == "visible")
    assert public == 30
    for fact in ("seed", "versions", "threads", "data", "protections", "command"):
        assert record["extra_data"][fact], fact


def test_the_page_shows_the_curves_and_no_traceback(reference):
    _, _, page = reference
    assert page.count("<svg") >= 4
    assert "Traceback" not in page


def test_the_starter_has_none_and_is_told_to_begin_with_problem_1(data_folder, tmp_path):
    report = tmp_path / "results.json"
    done = run("grade", write(STUBS, tmp_path), "--data", data_folder, "--json", report)
    assert done.returncode == 0, done.stderr
    record = json.loads(report.read_text())
    assert record["score"] == 0
    failed = [test for test in record["tests"] if test["status"] == "failed"]
    assert failed[0]["output"].startswith("Problem 1 is not filled in")


def test_the_command_in_a_record_gives_the_same_record(data_folder, tmp_path):
    records = []
    for name in ("one.json", "two.json"):
        options = ("--train", "off", "--seed", "7", "--json", tmp_path / name)
        assert run("grade", "solutions", "--data", data_folder, *options).returncode == 0
        records.append(json.loads((tmp_path / name).read_text()))
    for record in records:
        record.pop("execution_time")
        for test in record["tests"]:
            test["extra_data"].pop("seconds")
    assert records[0] == records[1]
    assert "--seed 7" in records[0]["extra_data"]["command"]


def test_a_student_sees_what_was_not_graded(data_folder, tmp_path):
    done = run("check", write(REFERENCE, tmp_path), "--data", data_folder)
    assert done.returncode == 0, done.stdout
    last = done.stdout.strip().splitlines()[-1]
    assert last == "Public checks 30/30. Hidden checks (70 points) are not graded here."


def test_a_student_who_is_not_done_gets_status_1(data_folder, tmp_path):
    done = run("check", "--data", data_folder, cwd=write(STUBS, tmp_path))
    assert done.returncode == 1
    assert "Problem 1 is not filled in" in done.stdout
    assert "Hidden checks (70 points) are not graded here." in done.stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("grade",), "PATH"),
        (("grade", "no/such/folder"), "no/such/folder"),
        (("grade", "solutions", "--data", "no/such/images"), "no/such/images"),
        (("grade", "solutions", "--seed", "soon"), "soon"),
        (("grade", "solutions", "--seed", "-1"), "-1"),
        (("grade", "solutions", "--train", "harder"), "harder"),
        (("grade", "solutions", "--json", "no/such/place/results.json"), "results.json"),
        (("grade", "solutions", "--data", "tests"), "tests"),
        (("check", "no/such/folder"), "no/such/folder"),
        (("marvel",), "marvel"),
        ((), "COMMAND"),
    ],
)
def test_what_cannot_be_used_is_said_in_one_line(words, says):
    done = run(*words)
    assert done.returncode == 2
    assert says in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("seconds", [0.5, 3, 6])
def test_a_killed_grading_leaves_zeros_and_no_process(number, seconds, data_folder, tmp_path):
    report = tmp_path / "results.json"
    command = [sys.executable, "-m", "autograder", "grade", "solutions", "--json", report]
    process = subprocess.Popen(
        [*command, "--data", data_folder],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while not report.exists():
        assert process.poll() is None
        time.sleep(0.02)
    time.sleep(seconds)
    family = children(process.pid)
    os.kill(process.pid, number)
    process.wait(20)
    record = json.loads(report.read_text())
    assert record["score"] == 0
    assert len(record["tests"]) == 25
    deadline = time.monotonic() + 10
    while any(map(alive, family)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [pid for pid in family if alive(pid)] == []


def test_an_older_record_is_not_left_in_place(data_folder, tmp_path):
    report = tmp_path / "results.json"
    report.write_text('{"score": 100}')
    options = ("--train", "off", "--data", data_folder, "--json", report)
    assert run("grade", write(STUBS, tmp_path), *options).returncode == 0
    assert json.loads(report.read_text())["score"] == 0


def shortened(steps: dict[str, int]) -> Record:
    """A record whose accuracy checks take so many steps in each mode."""
    record = start_record()
    for number, result in enumerate(record.results):
        if result.check.part == "accuracy":
            plans = {
                mode: result.check.settings[mode] | {"steps": some} for mode, some in steps.items()
            }
            check = replace(result.check, settings=result.check.settings | plans)
            record.results[number] = replace(result, check=check)
    return record


def test_another_loss_is_trained_from_the_start_and_if_that_fails_once(data_folder, tmp_path):
    name = "loss_classes_weighted"
    mutant = write(next(case for case in MUTANTS if case.name == name), tmp_path)
    record = shortened({"resume": 16, "scratch": 24})
    grade(mutant, record, data_folder, "resume", 1)
    first, *others = [result for result in record.results if result.check.part == "accuracy"]
    assert first.curve.steps[-1] == 24
    assert "waiting for 3.2" in first.message
    for result in others:
        assert result.curve is None
        assert "another setting was not learnt" in result.message
        assert "waiting for 3.2" in result.message


def test_the_handouts_loss_goes_on_from_the_checkpoint(data_folder, tmp_path):
    record = shortened({"resume": 16, "scratch": 24})
    grade(write(REFERENCE, tmp_path), record, data_folder, "resume", 1)
    curves = [result.curve for result in record.results if result.check.part == "accuracy"]
    assert [curve.steps for curve in curves] == [[0, 4, 8, 12, 16]] * 4
    for curve in curves:  # each point has the weights of its own step
        assert len(set(curve.accuracies[1:4])) > 1
