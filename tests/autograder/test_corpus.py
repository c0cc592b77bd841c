"""The grader's own exam: correct variants, mutants, attacks and what cannot be used.

Everything is graded as an instructor would grade it, in the real sandbox, without the trainings,
which `test_grading` and docs/grading.md cover.
"""

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from autograder.sandbox import SandboxError, choose_sandbox
from tests.autograder.again import run_again
from tests.autograder.corpus import ATTACKS, CORRECT, MUTANTS, PARTS, UNUSABLE, Case
from tests.autograder.graded import Graded, grade_cases

ACCURACY = {f"accuracy/{k}_shot_{n}_way" for k, n in [(1, 2), (2, 2), (1, 3), (1, 4)]}


BEFORE = set(os.listdir("/proc"))


def names(cases):
    return [case.name for case in cases]


def lost(graded: Graded) -> set[str]:
    """Checks that lost points, trainings aside."""
    return set(graded.lost()) - ACCURACY


def lost_parts(graded: Graded) -> set[str]:
    return {check.partition("/")[0] for check in lost(graded)}


@pytest.fixture(scope="module")
def correct(data_folder, tmp_path_factory):
    """Each with one of three seeds; docs/grading.md has a run of all with many."""
    graded = {}
    for seed in range(3):
        folder = tmp_path_factory.mktemp("correct")
        graded |= grade_cases(CORRECT[seed::3], folder, data_folder, seed=seed)
    return graded


@pytest.fixture(scope="module")
def mutants(data_folder, tmp_path_factory):
    return grade_cases(MUTANTS, tmp_path_factory.mktemp("mutants"), data_folder)


@pytest.fixture(scope="module")
def unusable(data_folder, tmp_path_factory):
    return grade_cases(UNUSABLE, tmp_path_factory.mktemp("unusable"), data_folder)


@pytest.fixture(scope="module", params=["bubblewrap", "uid"])
def attacks(request, data_folder, tmp_path_factory):
    """Attacks and what they are compared with, at one level of the sandbox."""
    try:
        choose_sandbox(request.param)
    except SandboxError as error:
        pytest.skip(f"the {request.param} sandbox was not tested: {error}")
    for place in (data_folder, *data_folder.parents):
        if Path(tempfile.gettempdir()) in place.parents:
            place.chmod(0o755)  # pytest closes its folders, and the uid has to read the images
    bases = {attack.base.name: attack.base for attack in ATTACKS}.values()
    folder = tmp_path_factory.mktemp(request.param)
    yield grade_cases([*ATTACKS, *bases], folder, data_folder, level=request.param)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize("case", CORRECT, ids=names(CORRECT))
def test_a_correct_variant_keeps_every_point(case, correct):
    assert lost(correct[case.name]) == set(), correct[case.name].texts()


@pytest.mark.parametrize("case", MUTANTS, ids=names(MUTANTS))
def test_a_mutant_loses_points_in_its_own_part_alone(case, mutants):
    assert lost_parts(mutants[case.name]) == {case.part}, mutants[case.name].texts()
    assert "grader itself" not in mutants[case.name].texts()


def test_the_injected_mistake_is_named(mutants):
    known = [case for case in MUTANTS if case.mistake]
    missed = {case.name for case in known if case.mistake not in mutants[case.name].mistakes()}
    assert len(known) >= 30
    assert len(missed) <= 0.1 * len(known), missed


LOSE_NO_MORE = {
    "sampler_characters_repeated": {"sampler/distinct_characters"},
    "sampler_query_never_in_its_place": {"sampler/query_order"},
    "sampler_numbered_anew_in_each_task": {"sampler/support_order"},
    "sampler_one_task_for_ever": {"sampler/loader"},
    "forward_lstm_of_two_layers": {"forward/value", "forward/gradient"},
    "loss_log_of_softmax_and_very_little": {"loss/value"},
}


@pytest.mark.parametrize("name", LOSE_NO_MORE)
def test_a_mutant_loses_no_other_check(name, mutants):
    assert lost(mutants[name]) == LOSE_NO_MORE[name], mutants[name].texts()


def test_no_mistake_is_named_that_was_not_made(mutants):
    for case in MUTANTS:
        if case.name in LOSE_NO_MORE and not case.mistake:
            assert mutants[case.name].mistakes() == set(), mutants[case.name].texts()


def test_random_predictions_are_called_so(mutants):
    said = mutants["forward_dropout"].texts()
    assert "the second time they are others" in said
    assert "mixed up" not in said


def test_every_check_kills_something(mutants, unusable):
    checks = {test["extra_data"]["check"] for test in mutants[MUTANTS[0].name].record["tests"]}
    killed = {
        test["extra_data"]["check"]
        for graded in mutants.values()
        for test in graded.record["tests"]
        if test["status"] == "failed" and "waiting for" not in test["output"]
    }
    assert checks - killed - ACCURACY == {"submission/files"}
    assert any(
        test["status"] == "failed"
        for graded in unusable.values()
        for test in graded.record["tests"]
        if test["extra_data"]["check"] == "submission/files"
    )


@pytest.mark.parametrize("case", ATTACKS, ids=names(ATTACKS))
def test_an_attack_gains_no_point(case, attacks):
    attack, base = attacks[case.name], attacks[case.base.name]
    gained = set(base.lost()) - set(attack.lost())
    assert gained == set(), attack.texts()
    assert attack.record["score"] <= base.record["score"]
    assert len(attack.record["tests"]) == len(base.record["tests"])


def test_no_attack_stops_the_grader_itself(attacks):
    for attack in ATTACKS:
        assert "grader itself" not in attacks[attack.name].texts()


def test_answers_without_work_have_few_points(data_folder, tmp_path):
    """One line each: what has the right shape and is easy, and nothing that needs a calculation."""
    easy = Case(
        "easy_answers",
        sample="""
            N, rows = self.num_classes, self.num_samples_per_class
            images = np.zeros((rows, N, 784), np.float32)
            images[0, 0, 0] = 1
            return images, np.tile(np.eye(N, dtype=np.float32), (rows, 1, 1))
        """,
        forward="return input_labels[:, :1].expand_as(input_labels)",
        loss="return 0 * preds.sum()",
    )
    (graded,) = grade_cases([easy], tmp_path, data_folder).values()
    passed = {
        test["extra_data"]["check"]
        for test in graded.record["tests"]
        if test["status"] == "passed" and test["max_score"]
    }
    assert passed == {
        *("sampler/shapes", "sampler/one_hot", "sampler/support_order"),
        "forward/shape",
    }


def test_no_attack_leaves_anything_running(attacks):
    left = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes()
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue  # it has just ended
        if folder.name in BEFORE:
            continue
        # One that another grading on this machine runs has that grading for a parent.
        if parent in (1, os.getpid()) and (b"child.py" in command or b"launcher.py" in command):
            left.append(command)
    assert left == []


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
@pytest.mark.skipif(bool(os.environ.get("AGAIN")), reason="this is the second run")
def test_attacks_again_where_the_interpreter_is_open():
    run_again("uid", __file__, [])


@pytest.mark.parametrize("case", UNUSABLE, ids=names(UNUSABLE))
def test_what_can_still_be_graded_is_graded(case, unusable):
    graded = unusable[case.name]
    assert PARTS - lost_parts(graded) == case.graded, graded.texts()
    assert case.says.lower() in " ".join(graded.texts().lower().split()), graded.texts()
    assert "Traceback" not in graded.texts()
