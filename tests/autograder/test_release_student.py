"""The students' kit: it gives nothing away, and works where there is nothing else."""

import ast
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import autograder.mistakes.hidden  # noqa: F401, entries enter the catalogue
from autograder.mistakes.catalogue import CATALOGUE
from autograder.record import read_rubric
from autograder.release import ReleaseError
from autograder.release.student import write_student
from autograder.starter import ANSWER, FILES, SOLUTIONS
from tests.autograder.corpus import MUTANTS, REFERENCE, write

ROOT = Path(__file__).parents[2]
CHECKS, MISTAKES = ROOT / "autograder" / "checks", ROOT / "autograder" / "mistakes"
GIVEN_AWAY = 25  # characters of a line that is worth hiding; `return images, labels` is not
LAST = "Public checks {}/30. Hidden checks (70 points) are not graded here."


@pytest.fixture(scope="module")
def archive(tmp_path_factory) -> Path:
    archive = tmp_path_factory.mktemp("release") / "hw1.zip"
    assert write_student(archive) == zipfile.ZipFile(archive).namelist()
    return archive


@pytest.fixture(scope="module")
def texts(archive) -> dict[str, str]:
    """Every file of the zip but the curves of the reference."""
    with zipfile.ZipFile(archive) as opened:
        names = [name for name in opened.namelist() if "tfevents" not in name]
        return {name: opened.read(name).decode() for name in names}


@pytest.fixture
def kit(archive, data_folder, tmp_path) -> Path:
    """A fresh folder outside the repository with the zip and the images."""
    kit = tmp_path / "kit"
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(kit)
    (kit / data_folder.name).symlink_to(data_folder)
    (kit / f"{data_folder.name}.npz").symlink_to(f"{data_folder}.npz")
    assert not kit.resolve().is_relative_to(ROOT)
    return kit


def run(kit: Path, *command: object) -> subprocess.CompletedProcess:
    """A command in the kit; its Python has the packages and does not find this repository."""
    (kit.parent / "sitecustomize.py").write_text(
        "import sys\n"
        "sys.meta_path[:] = [f for f in sys.meta_path if 'editable' not in repr(f).lower()]\n"
        f"sys.path[:] = [p for p in sys.path if p != {str(ROOT)!r}]\n"
    )
    return subprocess.run(
        [str(word) for word in command],
        cwd=kit,
        env={**os.environ, "PYTHONPATH": str(kit.parent), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )


def functions(files) -> set[str]:
    """The names of all functions of some files."""
    trees = [ast.parse(file.read_text()) for file in files]
    return {node.name for tree in trees for node in tree.body if isinstance(node, ast.FunctionDef)}


def imported(text: str) -> set[str]:
    """The modules that a file imports, and what it takes from them, which may be modules."""
    modules = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            modules |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return modules


def test_no_line_of_an_answer_is_in_it(texts):
    lines = {
        line.strip()
        for name in FILES
        for answer in ANSWER.finditer((SOLUTIONS / name).read_text())
        for line in answer[0].splitlines()[1:-1]
        if len(line.strip()) >= GIVEN_AWAY
    }
    assert len(lines) > 15
    for name, text in texts.items():
        squeezed = re.sub(r"\s+", "", text)
        assert [line for line in lines if re.sub(r"\s+", "", line) in squeezed] == [], name
        assert "BEGIN SOLUTION" not in text, name


def test_no_hidden_check_and_no_mistake_of_one_is_in_it(texts):
    checks = functions((CHECKS / "hidden").glob("test_*.py")) - functions(CHECKS.glob("*.py"))
    checks = {name for name in checks if name.startswith("test_")}
    checks.remove("test_accuracy")  # as a number in hw1.py is called
    assert {"test_labels_match", "test_value"} <= checks
    public = {known.id for _, known, fits in CATALOGUE if ".hidden." not in fits.__module__}
    mistakes = {known.id for _, known, _ in CATALOGUE} - public
    assert {"query_in_support", "all_labels_zeroed", "transposed_targets"} <= mistakes
    named = re.compile(rf"\b({'|'.join(checks)})\b|def ({'|'.join(mistakes)})\b")
    for name, text in texts.items():
        assert named.search(text) is None, name


def test_a_check_lies_where_the_rubric_says():
    for check in read_rubric():
        folder = CHECKS if check.public else CHECKS / "hidden"
        name = "accuracy" if check.part == "accuracy" else check.id.partition("/")[2]
        assert f"test_{name}" in functions([folder / f"test_{check.part}.py"]), check.id


def test_only_what_students_need_is_in_it(texts):
    tops = {name.partition("/")[0] for name in texts}
    assert tops == {
        *("hw1.py", "load_data.py", "README.md", "Makefile", "LICENSE", "requirements.txt"),
        *(".gitignore", "autograder", "fewshot", "report", "runs"),
    }
    for name in texts:
        parts = re.split(r"[/.]", name)
        forbidden = "hidden|solutions|corpus|checkpoints|tests|classroom|release|npz|starter|secret"
        assert not set(parts) & set(forbidden.split("|")), name
    assert "fewshot/data/episodes.py" not in texts
    for name in FILES:
        assert texts[name] == (ROOT / name).read_text()
        assert "is not filled in" in texts[name]


def test_what_it_imports_is_in_it_or_in_its_requirements(texts):
    there = {name.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for name in texts}
    pinned = {re.split("==", line)[0].lower() for line in texts["requirements.txt"].splitlines()}
    assert "hypothesis" not in pinned
    called = {"PIL": "pillow", "markupsafe": "jinja2"}  # markupsafe comes with it
    called |= {"fpdf": "fpdf2", "markdown_it": "markdown-it-py"}
    beside = {"hw1", "load_data", "distributed"}  # of the last, --cluster says that it is needed
    for name, text in texts.items():
        for module in imported(text) if name.endswith(".py") else ():
            top = module.partition(".")[0]
            if top in ("autograder", "fewshot", "solutions"):
                assert module in there or module.rpartition(".")[0] in there, (name, module)
            elif top not in sys.stdlib_module_names | beside:
                assert called.get(top, top).lower() in pinned, (name, module)


def test_the_same_kit_gives_the_same_bytes(archive, tmp_path):
    write_student(tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == archive.read_bytes()


def test_where_it_cannot_be_written_there_is_a_sentence(tmp_path):
    with pytest.raises(ReleaseError, match="Cannot write"):
        write_student(tmp_path / "no" / "hw1.zip")


def test_the_demo_says_what_to_fill_in_first(kit):
    done = run(kit, "make", "-o", ".venv/.installed", "demo", f"BIN={Path(sys.executable).parent}")
    assert done.returncode == 0, done.stderr
    assert "Problem 1 is not filled in: DataGenerator._sample (load_data.py:" in done.stderr


def test_the_check_of_the_stubs(kit):
    done = run(kit, sys.executable, "-m", "autograder", "check")
    assert done.returncode == 1, done.stderr
    assert "Problem 1 is not filled in" in done.stdout
    assert "Problem 2b is not filled in" in done.stdout
    assert done.stdout.strip().splitlines()[-1] == LAST.format(0)


def test_the_check_of_an_answer_is_done_by_the_kit_alone(kit, tmp_path):
    home = write(REFERENCE, tmp_path)
    program = (
        "import sys, autograder, autograder.__main__ as kit\n"
        "code = kit.main(sys.argv[1:])\n"
        "print(autograder.__file__)\n"
        "ours = [m.__file__ for m in sys.modules.values() if getattr(m, '__file__', None)]\n"
        f"print([file for file in ours if file.startswith({str(ROOT)!r})\n"
        "    and 'site-packages' not in file])\n"
        "sys.exit(code)\n"
    )
    done = run(kit, sys.executable, "-c", program, "check", home)
    assert done.returncode == 0, done.stdout + done.stderr
    *_, last, where, foreign = done.stdout.strip().splitlines()
    assert last == LAST.format(30)
    assert Path(where).is_relative_to(kit)
    assert foreign == "[]"


def test_a_mistake_that_a_public_check_meets_is_named(kit, tmp_path):
    mutant = next(case for case in MUTANTS if case.mistake == "not_reduced")
    done = run(kit, sys.executable, "-m", "autograder", "check", write(mutant, tmp_path))
    assert done.returncode == 1
    assert "one number for each image" in " ".join(done.stdout.split())


def test_it_draws_the_reference_and_makes_a_report(kit):
    analysis = (sys.executable, "-m", "fewshot.analysis")
    for problem in ("problem3", "problem4"):
        done = run(kit, *analysis, problem, "--runs", "runs/reference", "--no-training")
        assert done.returncode == 0, done.stderr
    done = run(kit, *analysis, "pdf")
    assert done.returncode == 0, done.stderr
    assert (kit / "report" / "report.pdf").stat().st_size > 100_000


def test_it_makes_a_submission(kit, tmp_path):
    for name in FILES:
        (kit / name).write_bytes((write(REFERENCE, tmp_path / name) / name).read_bytes())
    done = run(kit, sys.executable, "-m", "autograder", "submit")
    assert done.returncode == 0, done.stderr
    assert LAST.format(30) in done.stdout
    assert zipfile.ZipFile(kit / "hw1_submission.zip").namelist() == list(FILES)


@pytest.mark.parametrize("command", ["grade", "starter", "release"])
def test_the_commands_for_instructors_are_not_there(command, kit):
    done = run(kit, sys.executable, "-m", "autograder", command, ".")
    assert done.returncode == 2
    assert "invalid choice" in done.stderr
