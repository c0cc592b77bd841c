"""The zip for Gradescope, in a container as Gradescope's.

What comes out is checked against gradescope.schema.json, the whole contract of results.json.
"""

import json
import os
import shutil
import signal
import subprocess
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from autograder.record import start_record
from autograder.release import ReleaseError
from autograder.release.container import prepare, run
from autograder.release.gradescope import write_gradescope
from tests.autograder.classes import without_times
from tests.autograder.container import Container, skip_without
from tests.autograder.corpus import ATTACKS, MUTANTS, REFERENCE, STUBS, Case, write
from tests.autograder.corpus.case import QUERY

SCHEMA = json.loads(Path(__file__).with_name("gradescope.schema.json").read_text())
MIB = 1 << 20
MEMORY = 768 * MIB  # Gradescope's default
LIMIT = 540  # seconds, as in run_autograder
MUTANT = next(case for case in MUTANTS if case.name == "forward_softmax")
TRICKS = [case for case in ATTACKS if case.name in ("results_later", "solution_found_on_disk")]
METADATA_FILE = "submission_metadata.json"
METADATA = {
    "id": 123456789,
    "created_at": "2026-09-30T21:58:03.123456-07:00",
    "assignment": {
        "due_date": "2026-09-30T23:59:00.000000-07:00",
        "group_size": None,
        "group_submission": False,
        "id": 25828,
        "course_id": 7402,
        "late_due_date": None,
        "release_date": "2026-09-16T00:00:00.000000-07:00",
        "title": "Homework 1",
        "total_points": "100.0",
    },
    "submission_method": "upload",
    "users": [{"email": "student@example.org", "id": 1234, "name": "A Student"}],
    "previous_submissions": [
        {
            "submission_time": "2026-09-29T10:00:00.000000-07:00",
            "score": 30.0,
            "autograder_error": False,
            "results": {"score": 30.0, "tests": []},
        }
    ],
}

# Says who it is, what it can do, and to which of these places it comes.
LOOKING = """
import os

def can(action, *arguments):
    try:
        action(*arguments)
    except OSError:
        return False
    return True

status = open("/proc/self/status").read().split()
found = [f"user {os.getuid()}", f"rights {int(status[status.index('CapEff:') + 1], 16)}"]
for place in PLACES:
    if can(os.listdir, place) or can(open, place):
        found.append(f"reads {place}")
    if can(os.rename, place, f"{place}.gone"):
        found.append(f"moves {place}")
raise RuntimeError(", ".join(found))
"""
CLOSED = ["source", "source/secret", "source/solutions", "source/solutions/hw1.py", "results"]
CLOSED += ["source/autograder/rubric.toml", "results/results.json", "submission_metadata.json"]
CLOSED += ["submission", "submission/hw1.py"]
PLACES = [f"/autograder/{name}" for name in [*CLOSED, "data"]]
CURIOUS = replace(STUBS, name="curious", sample=LOOKING.replace("PLACES", repr(PLACES)))


@pytest.fixture(scope="module")
def archive(data_folder, tmp_path_factory):
    """The zip."""
    out = tmp_path_factory.mktemp("release") / "autograder.zip"
    write_gradescope(out, data_folder)
    return out


@pytest.fixture(scope="module")
def container(archive, tmp_path_factory):
    """A container in which setup.sh has run, and what it said."""
    skip_without()
    place = tmp_path_factory.mktemp("autograder")
    container = Container(place, archive)
    container.said = container.run("source/setup.sh")
    assert container.said.returncode == 0, container.said.stderr
    yield container
    shutil.rmtree(place)


@pytest.fixture
def hand_in(container, tmp_path):
    """Put a submission and its metadata where Gradescope puts them."""

    def hand_in(case: Case | None, metadata: str | None = json.dumps(METADATA)) -> None:
        submission, told = container.place / "submission", container.place / METADATA_FILE
        results = container.place / "results"
        for folder in (submission, results):
            shutil.rmtree(folder, ignore_errors=True)
        results.mkdir()
        told.unlink(missing_ok=True)
        shutil.copytree(write(case, tmp_path / str(time.monotonic())), submission) if case else (
            submission.mkdir()
        )
        if metadata is not None:
            told.write_text(metadata)

    return hand_in


@pytest.fixture
def grade(container, hand_in):
    """Hand in and run the autograder: what is in results.json then."""

    def grade(*submission) -> dict:
        hand_in(*submission)
        ran = container.run("./run_autograder")
        assert ran.returncode == 0, ran.stderr
        return read_results(container)

    return grade


def read_results(container: Container) -> dict:
    """results.json, which keeps the contract and no secret."""
    text = (container.place / "results" / "results.json").read_text()
    results = json.loads(text)
    jsonschema.validate(results, SCHEMA)
    secret = (container.place / "source" / "secret").read_text()
    assert secret not in text
    assert str(int(secret, 16)) not in text
    assert [file.name for file in (container.place / "results").iterdir()] == ["results.json"]
    return results


def lost_parts(results: dict) -> set[str]:
    """Where points were lost, trainings aside."""
    tests = [test for test in results["tests"] if test["score"] < test["max_score"]]
    return {test["tags"][0] for test in tests} - {"accuracy"}


def texts(results: dict) -> str:
    return "\n".join([results["output"], *(test["output"] for test in results["tests"])])


# The zip


def test_two_zips_differ_in_their_secret_alone(archive, data_folder, tmp_path):
    write_gradescope(tmp_path / "again.zip", data_folder)
    with zipfile.ZipFile(archive) as one, zipfile.ZipFile(tmp_path / "again.zip") as other:
        assert len(bytes.fromhex(one.read("secret").decode())) == 32
        assert one.namelist() == other.namelist()
        for mine, theirs in zip(one.infolist(), other.infolist(), strict=True):
            same = one.read(mine) == other.read(theirs)
            assert same == (mine.filename != "secret"), mine.filename
            for name in ("date_time", "external_attr", "compress_type", "create_system"):
                assert getattr(mine, name) == getattr(theirs, name)


def test_the_zip_is_what_gradescope_expects_and_no_more(archive):
    with zipfile.ZipFile(archive) as packed:
        modes = {entry.filename: entry.external_attr >> 16 & 0o777 for entry in packed.infolist()}
        pinned = packed.read("requirements.txt").decode()
    assert modes["setup.sh"] == modes["run_autograder"] == 0o755
    assert modes["secret"] == 0o600
    assert {name.partition("/")[0] for name in modes} == {
        *("setup.sh", "run_autograder", "requirements.txt", "release.json", "secret"),
        *("autograder", "fewshot", "solutions", "images"),
    }
    for name in modes:
        assert "__pycache__" not in name
        assert "classroom" not in name
    assert "autograder/instructor.py" not in modes
    assert "autograder/release/container/setup.sh" not in modes
    assert "torch==" in pinned
    assert "hypothesis" not in pinned
    assert archive.stat().st_mode & 0o077 == 0  # the solutions are in it


def test_a_zip_that_cannot_be_written_leaves_nothing(archive, data_folder, tmp_path):
    (tmp_path / "folder").mkdir()
    before = sorted(tmp_path.rglob("*"))
    for out in (tmp_path / "no" / "such" / "place.zip", tmp_path / "folder"):
        with pytest.raises(ReleaseError, match="Cannot write"):
            write_gradescope(out, data_folder)
    assert sorted(tmp_path.rglob("*")) == before


def test_images_that_are_no_images_are_named(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ReleaseError, match="not the same images"):
        write_gradescope(tmp_path / "out.zip", tmp_path / "empty")
    with pytest.raises(ReleaseError, match="no such folder"):
        write_gradescope(tmp_path / "out.zip", tmp_path / "nowhere")
    assert not (tmp_path / "out.zip").exists()


# setup.sh


def test_the_container_is_as_closed_as_it_says(container):
    for words in ("unshare -U true", "unshare -n true", "mount -t tmpfs none /tmp"):
        assert container.run(*words.split()).returncode != 0
    said = container.run("id", "-u")
    assert said.stdout == "0\n", said.stderr


def test_setup_says_a_line_for_each_step(container):
    lines = container.said.stdout.splitlines()
    begins = ["Python 3.", "32,460 images in /autograder/data/"]
    begins += ["solutions, secret and results closed", "sandbox level uid: own user"]
    begins += ["the solutions have every point and the starter has none", "The autograder is ready"]
    assert len(lines) == len(begins), container.said.stdout
    for line, begin in zip(lines, begins, strict=True):
        assert line.startswith(begin)
    assert container.said.stderr == ""


def test_what_is_closed_and_what_is_open(container):
    for name in ("source", "results", "run_autograder"):
        assert container.place.joinpath(name).stat().st_mode & 0o007 == 0, name
    for name in (".", "data", "venv"):
        assert container.place.joinpath(name).stat().st_mode & 0o005 == 0o005, name


def test_setup_runs_again_and_skips_what_is_done(container):
    before = {path: path.stat().st_mtime_ns for path in (container.place / "data").iterdir()}
    again = container.run("source/setup.sh")
    assert again.returncode == 0, again.stderr
    assert again.stdout.splitlines()[-1] == "The autograder is ready."
    for path, time_before in before.items():
        assert path.stat().st_mtime_ns == time_before


@pytest.mark.parametrize(
    ("name", "old", "new", "says"),
    [
        ("requirements.txt", "tqdm==", "tqdm==0.", "tqdm 4"),
        ("requirements.txt", "tqdm==", "no-such-package==", "no-such-package cannot be imported"),
        ("release.json", '"digest": "', '"digest": "0', "are not those of the zip"),
        ("solutions/load_data.py", QUERY, "list(range(N))", "the solutions fail check 1.7"),
    ],
)
def test_setup_names_what_is_wrong(name, old, new, says, container):
    file = container.place / "source" / name
    right = file.read_text()
    assert old in right
    file.write_text(right.replace(old, new))
    try:
        python = "/autograder/venv/bin/python"
        prepare = f"cd source && TQDM_DISABLE=1 {python} -m autograder.release.container.prepare"
        ran = container.run("bash", "-c", prepare)
    finally:
        file.write_text(right)
    assert ran.returncode == 1
    assert says in ran.stderr
    assert ran.stderr.startswith("The autograder is not ready: ")
    assert len(ran.stderr.splitlines()) == 1, ran.stderr


def test_setup_ends_where_the_starter_has_points(monkeypatch):
    record = start_record()
    for result in list(record.results):
        record.put(replace(result, status="passed"))
    monkeypatch.setattr(prepare, "try_one", lambda submission: record)
    with pytest.raises(prepare.PrepareError, match="the starter has 100 points"):
        prepare.try_grading()


# run_autograder


def test_the_starter_has_no_points_and_runs_as_another_user(grade):
    results = grade(STUBS)
    assert results["score"] == 0
    assert "Problem 1 is not filled in" in texts(results)
    assert results["extra_data"]["submission"] == {
        "id": METADATA["id"],
        "created_at": METADATA["created_at"],
    }
    protections = results["extra_data"]["protections"]
    assert protections[0] == "own user"  # the level uid, where bubblewrap would say more
    assert "private files" not in protections


def test_a_mutant_loses_its_part_and_a_regrade_agrees(grade):
    results = grade(MUTANT)
    assert lost_parts(results) == {MUTANT.part}
    assert without_times(grade(MUTANT)) == without_times(results)


@pytest.mark.parametrize("trick", TRICKS, ids=[case.name for case in TRICKS])
def test_an_attack_gains_nothing(trick, grade):
    assert trick.base.name == STUBS.name
    assert grade(trick)["score"] == 0


def test_student_code_sees_the_images_and_nothing_secret(grade):
    said = next(test["output"] for test in grade(CURIOUS)["tests"] if test["number"] == "1.1")
    assert "user 0" not in said
    assert said.endswith("rights 0, reads /autograder/data."), said


def test_nothing_handed_in_has_no_points(grade):
    results = grade(None)
    assert results["score"] == 0
    assert "hw1.py" in results["tests"][0]["output"]


def test_a_submission_without_metadata_is_graded(grade):
    results = grade(STUBS, None)
    assert "Problem 1 is not filled in" in texts(results)
    assert results["extra_data"]["submission"] == {}


@pytest.mark.parametrize("text", ["", '{"id": 12', "[1, 2]", "null", '{"users": []}', "\0", "\xff"])
def test_damaged_metadata_are_left_out(text, tmp_path, monkeypatch):
    monkeypatch.setattr(run, "PLACE", tmp_path)
    (tmp_path / METADATA_FILE).write_bytes(text.encode("latin-1"))
    assert run.read_metadata() == {}


@pytest.mark.parametrize("seconds", [0.2, 1, 5])
def test_a_grading_that_is_killed_leaves_zeros(seconds, container, hand_in):
    hand_in(REFERENCE)
    process = subprocess.Popen(
        container.command("./run_autograder"), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    time.sleep(seconds)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert read_whole(container)["score"] == 0


def read_whole(container: Container) -> dict:
    """results.json of a grading that was killed, which may leave a file that was not yet moved."""
    results = json.loads((container.place / "results" / "results.json").read_text())
    jsonschema.validate(results, SCHEMA)
    return results


def test_when_time_is_over_the_rest_has_no_points(container, hand_in):
    hand_in(REFERENCE)
    script = container.place / "run_autograder"
    right = script.read_text()
    assert "limit=540\n" in right
    script.write_text(right.replace("limit=540\n", "limit=30\n"))
    try:
        assert container.run("./run_autograder", timeout=120).returncode == 0
    finally:
        script.write_text(right)
    results = read_results(container)
    assert 0 < results["score"] < 100
    assert "The 0.5 minutes for this grading were over" in results["output"]
    assert "The 0.5 minutes for this grading were over before" in results["tests"][-1]["output"]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("source/release.json", "The grader itself failed"),
        ("data", "The grader itself failed"),
        ("source/secret", "The grader itself failed"),
        ("venv/bin", "could not be started"),
        ("source/autograder/record.py", "could not be started"),
        ("source", "could not be started"),
    ],
)
def test_a_broken_grader_leaves_zeros_and_a_sentence(name, says, container, hand_in, tmp_path):
    hand_in(REFERENCE)
    place, away = container.place, tmp_path / "away"
    (place / name).rename(away)
    try:
        assert container.run("./run_autograder").returncode == 0
    finally:
        away.rename(place / name)
    results = read_results(container)
    assert results["score"] == 0
    assert says in results["output"]
    assert "Traceback" not in texts(results)


@pytest.mark.slow
def test_a_whole_grading_fits_into_the_smallest_container(container, hand_in):
    hand_in(REFERENCE)
    _, work, memory = container.measure("./run_autograder")
    results = read_results(container)
    assert results["score"] == 100, texts(results)
    assert work < LIMIT / 2  # which half a core does in time
    assert memory < MEMORY
    assert [entry["order"] for entry in results["leaderboard"]] == ["desc"]
    assert "K = 1, N = 4" in results["leaderboard"][0]["name"]
