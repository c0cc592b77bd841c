"""Whatever is handed in: the two files are found, or one sentence says why not."""

import codecs
import io
import json
import os
import stat
import subprocess
import sys
import time
import tracemalloc
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autograder import submission
from autograder.handed_in import unpack
from autograder.submission import Submission, SubmissionError, read_submission, write_files

A, B = "class MANN:\n    pass\n", "class DataGenerator:\n    pass\n"
PAIR = {"hw1.py": A, "load_data.py": B}


def zipped(tree: dict) -> bytes:
    """A zip of {name: text, bytes, or another such tree}; a name that ends in .zip is a zip."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in flatten(tree):
            archive.writestr(name, data)
    return buffer.getvalue()


def flatten(tree: dict, prefix: str = ""):
    for name, value in tree.items():
        if not isinstance(value, dict):
            yield prefix + name, value.encode() if isinstance(value, str) else value
        elif name.endswith(".zip"):
            yield prefix + name, zipped(value)
        else:
            yield from flatten(value, f"{prefix}{name}/")


def make_folder(folder: Path, tree: dict) -> Path:
    folder.mkdir()
    for name, data in flatten(tree):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def make_zip(file: Path, tree: dict) -> Path:
    file.write_bytes(zipped(tree))
    return file


def check(found: Submission, files: dict, problems=(), notes=()) -> None:
    """The files are exactly these; of each kind of sentence there is one with each given part."""
    assert found.files == files
    for sentences, parts in ((found.problems, problems), (found.notes, notes)):
        assert len(sentences) == len(parts), sentences
        for sentence, part in zip(sentences, parts, strict=True):
            assert part in sentence
            assert sentence.endswith(".")
            assert sentence.isprintable()
    if found.files:  # then a problem is about one of the two
        assert all(("hw1.py" in text) != ("load_data.py" in text) for text in found.problems)


def notebook(*cells: str | list[str]) -> str:
    code = [{"cell_type": "code", "source": cell, "outputs": []} for cell in cells]
    return json.dumps({"cells": [{"cell_type": "markdown", "source": "# Mine"}, *code]})


def imports(*names: str) -> str:
    return "".join(f"import {name}\n" for name in names)


NEITHER = "holds neither hw1.py nor load_data.py: hand in a folder or a zip"

# name: what is handed in, as a folder and as a zip; files; problems; notes
TREES = {
    "plain": (PAIR, PAIR, [], []),
    "a folder in a folder": ({"homework": {"me": PAIR}}, PAIR, [], []),
    "a zip inside": ({"work.zip": PAIR}, PAIR, [], []),
    "a folder in a zip inside": ({"up": {"work.zip": {"me": PAIR}}}, PAIR, [], []),
    "a zip in a zip inside": (
        {"a.zip": {"b.zip": PAIR}},
        {},
        ["holds zips within zips: hand in hw1.py and load_data.py in one zip"],
        [],
    ),
    "nothing": ({}, {}, [NEITHER], []),
    "other files alone": ({"report.pdf": b"%PDF", "x/fit.py": A}, {}, [NEITHER], []),
    "no load_data.py": (
        {"hw1.py": A},
        {"hw1.py": A},
        ["load_data.py is missing: hand it in together with your other file."],
        [],
    ),
    "no hw1.py": (
        {"load_data.py": B},
        {"load_data.py": B},
        ["hw1.py is missing: hand it in together with your other file."],
        [],
    ),
    "what tools leave": (
        {
            **PAIR,
            "._hw1.py": b"\0\5\x16\7",
            ".DS_Store": b"\0",
            "__MACOSX": {"hw1.py": "?"},
            "__pycache__": {"hw1.py": "?"},
            ".git": {"hw1.py": "?"},
            ".venv": {"hw1.py": "?"},
            "env": {"lib": {"site-packages": {"hw1.py": "?"}}},
            "node_modules": {"hw1.py": "?"},
        },
        PAIR,
        [],
        [],
    ),
    "pictures, runs and weights": (
        {**PAIR, "plot.png": b"\x89PNG", "model.pt": b"PK", "runs": {"events.1": b"\0"}},
        PAIR,
        [],
        [],
    ),
    "an older copy below": (
        {**PAIR, "old": {"hw1.py": "", "load_data.py": ""}},
        PAIR,
        [],
        ["The files of the top folder were taken, not those of folder old."],
    ),
    "the starter beside the answers": (
        {
            "answers": PAIR,
            "starter": {
                "hw1.py": f'{A}    raise NotImplementedError("Problem 2a is not filled in")\n',
                "load_data.py": f'{B}    raise NotImplementedError("Problem 1 is not filled in")\n',
            },
        },
        PAIR,
        [],
        ["The files of folder answers were taken, not those of folder starter."],
    ),
    "half of it above the whole": (
        {"hw1.py": "", "code": PAIR},
        PAIR,
        [],
        ["The files of folder code were taken, not those of the top folder."],
    ),
    "a zip beside half of it": (
        {"hw1.py": "", "all.zip": PAIR},
        PAIR,
        [],
        ["The files of folder all.zip were taken, not those of the top folder."],
    ),
    "the later of two zips": (
        {"hw1-9.zip": {"hw1.py": "", "load_data.py": ""}, "hw1-10.zip": PAIR},
        PAIR,
        [],
        ["The files of folder hw1-10.zip were taken, not those of folder hw1-9.zip."],
    ),
    "different folders": (
        {
            "model": {"hw1.py": imports("x", "y"), "x.py": "X"},
            "data": {"load_data.py": B, "y.py": ""},
        },
        {"hw1.py": imports("x", "y"), "load_data.py": B, "x.py": "X", "y.py": ""},
        [],
        ["from different folders were taken together: model/hw1.py and data/load_data.py."],
    ),
    "one folder inside the other": (
        {"hw1.py": "from data.load_data import D", "data": {"load_data.py": B}},
        {
            "hw1.py": "from data.load_data import D",
            "load_data.py": B,
            "data/load_data.py": B,
        },
        [],
        ["taken together: hw1.py and data/load_data.py."],
    ),
    "a damaged zip beside one file": (
        {"hw1.py": A, "rest.zip": b"PK\3\4 and then nothing"},
        {"hw1.py": A},
        ["load_data.py is missing"],
        ["rest.zip is damaged or not a zip: zip hw1.py and load_data.py again."],
    ),
    "a damaged zip alone": (
        {"work.zip": b"PK\3\4"},
        {},
        ["work.zip is damaged or not a zip: zip hw1.py and load_data.py again."],
        [],
    ),
    "scripts before notebooks": (
        {"hw1.ipynb": notebook("1"), "load_data.ipynb": notebook("2"), "src": PAIR},
        PAIR,
        [],
        ["The files of folder src were taken, not those of the top folder."],
    ),
    "two notebooks before one script": (
        {"hw1.ipynb": notebook("1"), "load_data.ipynb": notebook("2"), "src": {"hw1.py": A}},
        {"hw1.py": "1\n", "load_data.py": "2\n"},
        [],
        [
            "hw1.ipynb was taken as hw1.py, its code cells without IPython commands.",
            "load_data.ipynb was taken as load_data.py, its code cells without IPython commands.",
            "The files of the top folder were taken, not those of folder src.",
        ],
    ),
    "a folder named like a library": ({**PAIR, "code": {"x.py": ""}}, PAIR, [], []),
    "a folder named like a script": ({**PAIR, "x": {"hw1.py": {"y.txt": ""}}}, PAIR, [], []),
}

# what hw1.py is called: the note's beginning
NAMES = {
    "hw1 (1).py": "hw1 (1).py was taken as hw1.py.",
    "hw1-1.py": "hw1-1.py was taken as hw1.py.",
    "HW1.py": "HW1.py was taken as hw1.py.",
    "hw1.PY": "hw1.PY was taken as hw1.py.",
    "hw1_final.py": "hw1_final.py was taken as hw1.py.",
    "hw1_final_v2 (3).py": "hw1_final_v2 (3).py was taken as hw1.py.",
    "hw1 copy 2.py": "hw1 copy 2.py was taken as hw1.py.",
    "Copy of hw1.py": "Copy of hw1.py was taken as hw1.py.",
    "hw1.py.txt": "hw1.py.txt was taken as hw1.py.",
    "alice_12345_678901_hw1.py": "alice_12345_678901_hw1.py was taken as hw1.py.",
    "alice_12345_678901_hw1-2.py": "alice_12345_678901_hw1-2.py was taken as hw1.py.",
    "alice_LATE_12345_678901_hw1.py": "alice_LATE_12345_678901_hw1.py was taken as hw1.py.",
}
NOT_NAMES = ["hw12.py", "hw1_utils.py", "my_hw1.py", "hw1.pyc", "hw1.txt", "hw2.py", "xhw1.py"]

# several of them: which is taken
RIVALS = {
    "exact": (["hw1.py", "hw1 (1).py"], "hw1.py was taken, not hw1 (1).py."),
    "the highest": (
        ["hw1 (2).py", "hw1 (10).py", "hw1_final.py"],
        "hw1 (10).py was taken as hw1.py, not hw1 (2).py and hw1_final.py.",
    ),
    "the last upload": (
        ["al_7_100_hw1.py", "al_LATE_7_101_hw1-1.py"],
        "al_LATE_7_101_hw1-1.py was taken as hw1.py, not al_7_100_hw1.py.",
    ),
    "the script": (["hw1.ipynb", "HW1.py"], "HW1.py was taken as hw1.py, not hw1.ipynb."),
}

SYNTAX = "hw1.py has a syntax error in line"
DEEP = "hw1.py is nested too deeply for Python"
CP1252 = "hw1.py is not UTF-8 and was read as cp1252."
NOT_TEXT = "hw1.py is not text: save it as UTF-8 text."
LARGE = "hw1.py is larger than 128 KiB: hand in the code without weights or data."

# the bytes of hw1.py: its text or None; problem; note
BYTES = {
    "utf-8": ("x = 'é'\n".encode(), "x = 'é'\n", None, None),
    "bom": (codecs.BOM_UTF8 + A.encode(), A, None, None),
    "utf-16": (A.encode("utf-16"), A, None, None),
    "utf-16 big": (codecs.BOM_UTF16_BE + A.encode("utf-16-be"), A, None, None),
    "utf-16 cut": (A.encode("utf-16")[:-1], None, NOT_TEXT, None),
    "crlf": (A.replace("\n", "\r\n").encode(), A, None, None),
    "cr": (A.replace("\n", "\r").encode(), A, None, None),
    "declared": (b"# coding: latin-1\nx = '\xe9\x80'", "# coding: utf-8\nx = 'é\x80'", None, None),
    "declared below": (
        b"#!python\r\n# -*- coding: gbk -*-\r\nx = '\xc4\xe3'",
        "#!python\n# -*- coding: utf-8 -*-\nx = '你'",
        None,
        None,
    ),
    "declared wrongly": (b"# coding: utf-8\nx = '\xe9'", "# coding: utf-8\nx = 'é'", None, CP1252),
    "declared as nonsense": (b"# coding: no\nx = 1", "# coding: utf-8\nx = 1", None, None),
    "declared as an attack": (
        b"# coding: punycode\nx = 1-",
        "# coding: utf-8\nx = 1-",
        SYNTAX,
        None,
    ),
    "cp1252": (b"x = '\x80'", "x = '€'", None, CP1252),
    "latin-1": (
        b"x = '\xe9\x81'",
        "x = 'é\x81'",
        None,
        "hw1.py is not UTF-8 and was read as latin-1.",
    ),
    "nul": (b"x = 1\0", None, NOT_TEXT, None),
    "pdf": (b"%PDF-1.7", None, "hw1.py is a PDF and not Python code", None),
    "zip": (b"PK\3\4", None, "hw1.py is a zip or a Word file and not Python code", None),
    "png": (b"\x89PNG\r\n", None, "hw1.py is a picture and not Python code", None),
    "doc": (b"\xd0\xcf\x11\xe0", None, "hw1.py is a Word file and not Python code", None),
    "rtf": (b"{\\rtf1", None, "hw1.py is an RTF text and not Python code", None),
    "html": (b"\n<!DOCTYPE html>", None, "hw1.py is a web page and not Python code", None),
    "empty": (b" \r\n", None, "hw1.py is empty: hand in the file with your code.", None),
    "syntax": (b"x = 1\ndef f(:\n", "x = 1\ndef f(:\n", f"{SYNTAX} 2 (", None),
    "python 2": (b"print 'x'", "print 'x'", f"{SYNTAX} 1 (", None),
    "tabs": (b"if 1:\n\tx\n        y\n", "if 1:\n\tx\n        y\n", f"{SYNTAX} 3 (", None),
    "nested": (b"-" * 9000 + b"1", "-" * 9000 + "1", DEEP, None),
    "chained": (b"x" + b"()" * 60000, "x" + "()" * 60000, DEEP, None),
    "a warning": (b"x = '\\d' is 1", "x = '\\d' is 1", None, None),
    "finally in finally": (
        b"".join(b"%stry:\n%s 1\n%sfinally:\n" % ((b" " * i,) * 3) for i in range(19))
        + b" " * 19
        + b"1",
        "".join("{0}try:\n{0} 1\n{0}finally:\n".format(" " * i) for i in range(19))
        + " " * 19
        + "1",
        None,
        None,
    ),
    "128 KiB": (b"#" * (128 << 10), "#" * (128 << 10), None, None),
    "more": (b"#" * ((128 << 10) + 1), None, LARGE, None),
}

PLAIN = "x = 7\nprint('%d'\n      %x)\n"  # a line that starts with % and is Python
TAKEN = "hw1.ipynb was taken as hw1.py, its code cells without IPython commands."

# the text of hw1.ipynb: that of hw1.py or None; problem
NOTEBOOKS = {
    "cells": (notebook("a = 1", ["b = 2\n", "c = 3"]), "a = 1\n\nb = 2\nc = 3\n", None),
    "commands": (
        notebook("%matplotlib inline\n!pip install x\n?f\nf??\ny = !ls\nz = %time f()\nw = 1"),
        "pass\npass\npass\npass\npass\npass\nw = 1\n",
        None,
    ),
    "a command in a block": (notebook("if x:\n    !ls"), "if x:\n    pass\n", None),
    "a cell in another language": (notebook("%%bash\nrm -r x", "a = 1"), "\n\na = 1\n", None),
    "a timed cell": (notebook("%%time\na = 1"), "pass\na = 1\n", None),
    "not a command": (notebook(PLAIN), PLAIN + "\n", None),
    "syntax": (
        notebook("def f(:"),
        "def f(:\n",
        "hw1.ipynb, taken as hw1.py, has a syntax error in line 1",
    ),
    "not json": (
        "{",
        None,
        "hw1.ipynb, taken as hw1.py, is not a notebook that can be read: hand in its code",
    ),
    "no cells": (
        "[]",
        None,
        "hw1.ipynb, taken as hw1.py, is not a notebook that can be read: hand in its code",
    ),
    "odd cells": (
        json.dumps({"cells": [{"cell_type": "code", "source": [1]}]}),
        None,
        "hw1.ipynb, taken as hw1.py, is not a notebook that can be read: hand in its code",
    ),
    "deep json": (
        "[" * 99_999,
        None,
        "hw1.ipynb, taken as hw1.py, is not a notebook that can be read",
    ),
    "half a letter": (notebook("x = '\ud800'"), None, "hw1.ipynb, taken as hw1.py, is not text"),
    "large code": (
        notebook("#" * (128 << 10)),
        None,
        "hw1.ipynb, taken as hw1.py, is larger than 128 KiB",
    ),
    "many statements": (  # which would take gigabytes to parse
        notebook("a;" * (1 << 20)),
        None,
        "hw1.ipynb, taken as hw1.py, is larger than 128 KiB",
    ),
    "large": (
        notebook("x = 1") + " " * (4 << 20),
        None,
        "hw1.ipynb, taken as hw1.py, is larger than 4096 KiB",
    ),
    "empty": (notebook(), None, "hw1.ipynb, taken as hw1.py, is empty"),
}


def both_ways(tmp_path: Path, tree: dict):
    """Hand a tree in as a folder and as a zip, and check that reading leaves no trace."""
    for path in make_folder(tmp_path / "in", tree), make_zip(tmp_path / "in.zip", tree):
        before = snapshot(tmp_path)
        found = read_submission(path)
        assert snapshot(tmp_path) == before
        yield found


def snapshot(folder: Path) -> dict:
    return {path: path.lstat().st_mtime_ns for path in folder.rglob("*")}


@pytest.mark.parametrize("name", TREES)
def test_files_are_found_wherever_they_lie(name, tmp_path):
    tree, *expected = TREES[name]
    for found in both_ways(tmp_path, tree):
        check(found, *expected)


@pytest.mark.parametrize("name", NAMES)
def test_names_that_browsers_courses_and_people_make_are_taken_with_a_note(name, tmp_path):
    for found in both_ways(tmp_path, {name: A, "load_data.py": B}):
        check(found, PAIR, notes=[NAMES[name]])


@pytest.mark.parametrize("name", NOT_NAMES)
def test_other_names_are_not_taken_for_hw1(name, tmp_path):
    for found in both_ways(tmp_path, {name: A, "load_data.py": B}):
        check(found, {"load_data.py": B}, problems=["hw1.py is missing"])


@pytest.mark.parametrize("name", RIVALS)
def test_of_several_files_the_exact_name_or_the_highest_number_wins(name, tmp_path):
    names, note = RIVALS[name]
    tree = {name: A if note.startswith(name) else "" for name in names}
    for found in both_ways(tmp_path, {**tree, "load_data.py": B}):
        check(found, PAIR, notes=[note])


def test_files_of_two_students_are_never_mixed(tmp_path):
    tree = {"al_1_10_hw1.py": A, "al_1_11_load_data.py": B, "bo_2_12_load_data.py": B}
    for found in both_ways(tmp_path, tree):
        check(
            found,
            {},
            problems=["holds the files of several students, al and bo: give those of one."],
        )


@pytest.mark.parametrize("name", BYTES)
def test_every_encoding_is_read_and_what_is_not_python_is_named(name, tmp_path):
    data, text, problem, note = BYTES[name]
    files = {"load_data.py": B} | ({} if text is None else {"hw1.py": text})
    started = time.process_time()
    for found in both_ways(tmp_path, {"hw1.py": data, "load_data.py": B}):
        check(found, files, [problem] if problem else [], [note] if note else [])
    assert time.process_time() - started < 5


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_gives_its_code(name, tmp_path):
    data, text, problem = NOTEBOOKS[name]
    files = {"load_data.py": B} | ({} if text is None else {"hw1.py": text})
    for found in both_ways(tmp_path, {"hw1.ipynb": data, "load_data.py": B}):
        check(found, files, [problem] if problem else [], [TAKEN])


def test_what_was_read_can_be_written_and_imported(tmp_path):
    code = "# coding: latin-1\nimport helpers.x\nword = 'é'\n"
    tree = {"hw1.py": code.encode("latin-1"), "load_data.py": B, "helpers": {"x.py": ""}}
    for number, found in enumerate(both_ways(tmp_path, tree)):
        folder = tmp_path / f"out{number}"
        write_files(found, folder)
        written = {str(f.relative_to(folder)): f.read_bytes() for f in folder.rglob("*.py")}
        assert written == {name: text.encode() for name, text in found.files.items()}
        command = [sys.executable, "-S", "-c", "import hw1; print(ascii(hw1.word))"]
        run = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        assert run.stdout == r"'\xe9'" + "\n", run.stderr


def test_files_that_are_imported_come_along_and_others_stay(tmp_path):
    tree = {
        "hw1.py": "import utils\nfrom helpers.deep import y\n",
        "load_data.py": B,
        "utils.py": "import more",
        "more.py": "import utils",
        "unused.py": "",
        "helpers": {"__init__.py": "", "deep": {"y.py": ""}, "not a name.py": ""},
    }
    taken = {"utils.py": "import more", "more.py": "import utils"}
    taken |= {"helpers/__init__.py": "", "helpers/deep/y.py": ""}
    for found in both_ways(tmp_path, tree):
        check(found, {**PAIR, "hw1.py": tree["hw1.py"], **taken})


@pytest.mark.parametrize(
    "name",
    ["torch", "numpy", "PIL", "random", "json", "sitecustomize", "conftest", "child"],
)
@pytest.mark.parametrize("form", ["{}.py", "{}/__init__.py"])
def test_a_file_that_hides_a_library_is_left_out(name, form, tmp_path):
    file = form.format(name)
    for found in both_ways(tmp_path, {**PAIR, "hw1.py": f"import {name}\n", file: ""}):
        note = f"{file} was left out: files of that name would be imported in the place of others"
        check(found, {**PAIR, "hw1.py": f"import {name}\n"}, notes=[note])


def test_the_kit_beside_the_homework_is_no_mistake(tmp_path):
    kit = {"__init__.py": "", "child.py": "", "beside": {"__init__.py": "", "values.py": ""}}
    for found in both_ways(tmp_path, {**PAIR, "autograder": kit, "fewshot": {"__init__.py": ""}}):
        check(found, PAIR)


@pytest.mark.parametrize(
    ("data", "note"),
    [
        (b"x\0", "helper.py is not text"),
        (b"#" * (129 << 10), "helper.py is larger than 128 KiB"),
        (b"x = '\x80'", "helper.py is not UTF-8 and was read as cp1252."),
    ],
)
def test_what_is_odd_about_a_helper_is_a_note(data, note, tmp_path):
    files = {"hw1.py": "import helper", "load_data.py": B}
    for found in both_ways(tmp_path, {**files, "helper.py": data}):
        assert found.files.keys() - files.keys() == ({"helper.py"} if "read as" in note else set())
        check(Submission({}, found.problems, found.notes), {}, notes=[note])


def test_there_is_room_for_fifty_files_and_a_quarter_mebibyte(tmp_path):
    names = [f"h{number:02}" for number in range(60)]
    many = {"hw1.py": imports(*names), "load_data.py": B, **{f"{name}.py": "" for name in names}}
    note = "h48.py, h49.py, h50.py and 9 more were left out: a submission has room for 50 Python"
    for found in both_ways(tmp_path, many):
        assert len(found.files) == 50
        check(found, found.files, notes=[note])


def test_a_helper_whose_name_no_disk_can_hold_is_not_taken(tmp_path):
    name = "x" * 300
    tree = {"hw1.py": imports(name), "load_data.py": B, f"{name}.py": ""}
    found = read_submission(make_zip(tmp_path / "in.zip", tree))
    write_files(found, tmp_path / "out")
    assert found.files.keys() == PAIR.keys()


def test_helpers_share_a_quarter_of_a_mebibyte(tmp_path):
    names = ["h1", "h2", "h3", "h4", "h5"]
    large = {"hw1.py": imports(*names), "load_data.py": B}
    large |= {f"{name}.py": "#" * (60 << 10) for name in names}
    for found in both_ways(tmp_path, large):
        assert found.files.keys() == large.keys() - {"h5.py"}
        check(found, found.files, notes=["h5.py was left out: a submission has room for"])


# Paths that are not a submission, and zips that no student made by accident


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("gone", "does not exist: give the folder or zip with hw1.py and load_data.py."),
        ("hw1.py", "is a single file: give the folder or zip with hw1.py and load_data.py."),
        ("work.tar.gz", "is a single file: give the folder or zip with hw1.py and load_data.py."),
        ("pipe", "is no folder and no zip: give one with hw1.py and load_data.py."),
    ],
)
def test_a_path_that_is_no_submission_is_refused(name, reason, tmp_path):
    (tmp_path / "hw1.py").write_text(A)
    (tmp_path / "work.tar.gz").write_bytes(b"\x1f\x8b")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SubmissionError) as caught:
        read_submission(tmp_path / name)
    assert str(caught.value).endswith(reason)


@pytest.mark.parametrize(
    "data",
    [b"", b"PK", b"Rar!\x1a\7", zipped(PAIR)[:-30], zipped(PAIR)[40:90]],
    ids=[
        "empty",
        "its first two bytes",
        "rar",
        "without its end",
        "a middle",
    ],  # zips hold the time
)
def test_a_damaged_zip_is_a_problem_and_no_error(data, tmp_path):
    (tmp_path / "in.zip").write_bytes(data)
    check(read_submission(tmp_path / "in.zip"), {}, ["in.zip is damaged or not a zip: zip hw1.py"])


def test_a_zip_needs_no_suffix(tmp_path):
    check(read_submission(make_zip(tmp_path / "download", PAIR)), PAIR)


ENTRY_PROBLEMS = {
    "encrypted": (8, b"\1\0", "hw1.py is encrypted: zip it again without a password."),
    "bzip2": (10, b"\x0c\0", "hw1.py is packed in an unusual way: zip it again"),
    "lzma": (10, b"\x0e\0", "hw1.py is packed in an unusual way: zip it again"),
    "unknown": (10, b"\x63\0", "hw1.py is packed in an unusual way: zip it again"),
    "checksum": (16, b"\0\0\0\0", "hw1.py is damaged in the zip: zip it again."),
    "small size": (24, b"\1\0\0\0", "hw1.py is damaged in the zip: zip it again."),
    "far away": (42, b"\xff\xff\0\0", "hw1.py is damaged in the zip: zip it again."),
}


@pytest.mark.parametrize("name", ENTRY_PROBLEMS)
def test_an_entry_that_cannot_be_read_costs_only_itself(name, tmp_path):
    offset, patch, problem = ENTRY_PROBLEMS[name]
    data = bytearray(zipped(PAIR))
    start = data.index(b"PK\1\2") + offset  # in the table of contents, where hw1.py comes first
    data[start : start + len(patch)] = patch
    (tmp_path / "in.zip").write_bytes(data)
    check(read_submission(tmp_path / "in.zip"), {"load_data.py": B}, [problem])


@pytest.mark.parametrize(
    "name",
    ["../hw1.py", "a/../../hw1.py", "/hw1.py", "C:/hw1.py", "..\\hw1.py", "C:\\hw1.py", "\\hw1.py"],
)
def test_a_name_that_leads_out_of_the_zip_is_left_out(name, tmp_path):
    folder = tmp_path / "deep"
    folder.mkdir()
    before = snapshot(tmp_path.parent)
    path = make_zip(folder / "in.zip", {"load_data.py": B, name: A})
    found = read_submission(path)
    note = f"{name} was left out: the name leads out of the zip."
    check(found, {"load_data.py": B}, ["hw1.py is missing"], [note])
    write_files(found, folder / "out")
    new = snapshot(tmp_path.parent).keys() - before.keys()
    assert new == {path, folder / "out", folder / "out" / "load_data.py"}


def test_names_of_a_thousand_folders_are_left_out(tmp_path):
    deep = {f"{'a/' * 32_000}{number}.py": b"x = 1" for number in range(40)}
    start = time.monotonic()
    found = read_submission(make_zip(tmp_path / "in.zip", {"hw1.py": A, "load_data.py": B, **deep}))
    assert time.monotonic() - start < 10  # it took 20 s, and a second more for each name
    assert found.files.keys() == PAIR.keys()
    assert any("it lies in more than 64 folders" in note for note in found.notes)


def test_backslashes_of_windows_are_folders(tmp_path):
    path = make_zip(tmp_path / "in.zip", {"me\\hw1.py": A, "me\\load_data.py": B})
    check(read_submission(path), PAIR)


def test_of_two_entries_with_one_name_the_later_is_taken(tmp_path):
    with zipfile.ZipFile(tmp_path / "in.zip", "w") as archive:
        archive.writestr("hw1.py", "x")
        archive.writestr("load_data.py", B)
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("hw1.py", A)
    check(read_submission(tmp_path / "in.zip"), PAIR)


@pytest.mark.parametrize(
    ("kind", "why"),
    [(stat.S_IFLNK, "links are not followed"), (stat.S_IFIFO, "neither a file nor a folder")],
)
def test_links_and_pipes_in_a_zip_are_left_out(kind, why, tmp_path):
    with zipfile.ZipFile(tmp_path / "in.zip", "w") as archive:
        archive.writestr("load_data.py", B)
        info = zipfile.ZipInfo("hw1.py")
        info.external_attr = (kind | 0o644) << 16
        archive.writestr(info, "/etc/passwd")
    found = read_submission(tmp_path / "in.zip")
    check(found, {"load_data.py": B}, ["hw1.py is missing"], [why])


def test_the_starter_is_taken_and_not_the_solutions_below_it():
    root = Path(__file__).parents[2]
    found = read_submission(root)
    for name in PAIR:
        assert found.files[name] == (root / name).read_text(encoding="utf-8")


def test_a_folder_in_a_zip_without_a_slash_is_no_file(tmp_path):
    with zipfile.ZipFile(tmp_path / "in.zip", "w") as archive:
        info = zipfile.ZipInfo("work")
        info.external_attr = (stat.S_IFDIR | 0o755) << 16
        archive.writestr(info, "")
        for name, text in PAIR.items():
            archive.writestr(f"work/{name}", text)
    check(read_submission(tmp_path / "in.zip"), PAIR)


@pytest.mark.parametrize("target", ["../secret.py", "load_data.py", "hw1.py", "nowhere"])
def test_links_in_a_folder_are_left_out(target, tmp_path):
    (tmp_path / "secret.py").write_text("SECRET = 1")
    folder = make_folder(tmp_path / "in", {"load_data.py": B})
    (folder / "hw1.py").symlink_to(target)
    note = "hw1.py was left out: links are not followed, so hand in what they point to."
    check(read_submission(folder), {"load_data.py": B}, ["hw1.py is missing"], [note])


def test_a_linked_folder_is_not_entered(tmp_path):
    make_folder(tmp_path / "other", PAIR)
    folder = make_folder(tmp_path / "in", {"load_data.py": B})
    (folder / "other").symlink_to("../other")
    (folder / "loop").symlink_to(".")
    note = "loop and other were left out: links are not followed, so hand in what they point to."
    check(read_submission(folder), {"load_data.py": B}, ["hw1.py is missing"], [note])


def test_a_pipe_in_a_folder_is_not_opened(tmp_path):
    folder = make_folder(tmp_path / "in", {"load_data.py": B})
    os.mkfifo(folder / "hw1.py")
    note = "hw1.py was left out: this is neither a file nor a folder."
    check(read_submission(folder), {"load_data.py": B}, ["hw1.py is missing"], [note])


@pytest.fixture
def without_root(tmp_path, monkeypatch):
    """A working folder in which not even the root user may read everything."""
    monkeypatch.chdir(tmp_path)
    if os.geteuid() != 0:
        yield
        return
    tmp_path.chmod(0o755)
    os.seteuid(65534)
    yield
    os.seteuid(0)


@pytest.mark.parametrize(
    ("closed", "files", "problems", "notes"),
    [
        ("in", {}, ["in cannot be opened: make it readable."], []),
        ("in.zip", {}, ["in.zip cannot be opened: make it readable."], []),
        ("in/hw1.py", {"load_data.py": B}, ["hw1.py cannot be opened: make it readable."], []),
        ("in/more", PAIR, [], ["more was left out: it cannot be opened."]),
    ],
)
def test_what_may_not_be_read_is_named(closed, files, problems, notes, tmp_path, request):
    make_folder(tmp_path / "in", {**PAIR, "more": {"x.py": ""}})
    make_zip(tmp_path / "in.zip", PAIR)
    (tmp_path / closed).chmod(0)
    request.getfixturevalue("without_root")
    found = read_submission(Path("in.zip" if closed == "in.zip" else "in"))
    check(found, files, problems, notes)


def test_a_zip_bomb_is_read_no_further_than_the_limit(tmp_path):
    path = make_zip(tmp_path / "in.zip", {"hw1.py": b"#" * (64 << 20), "load_data.py": B})
    tracemalloc.start()
    found = read_submission(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    check(found, {"load_data.py": B}, [LARGE])
    assert peak < 16 << 20


def test_zips_inside_share_a_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(submission, "MAX_INNER_BYTES", 1 << 20)
    tree = {"a.zip": b"\0" * (600 << 10), "b.zip": b"\0" * (600 << 10)}
    problems = ["a.zip is damaged", "b.zip is larger than 1 MiB: hand in hw1.py and load_data.py"]
    for found in both_ways(tmp_path, tree):
        check(found, {}, problems)


def test_zips_inside_are_opened_up_to_a_number_and_their_files_counted_together(tmp_path):
    many = {f"{number:02}.zip": {f"{x}.py": "" for x in range(150)} for number in range(25)}
    problems = ["holds more than 2000 Python files: hand in hw1.py"] * 7  # of 20 zips, 13 have room
    for found in both_ways(tmp_path, many):
        check(found, {}, problems)


def test_more_files_than_a_homework_has_are_a_problem(tmp_path):
    tree = {f"x/{number}.py": "" for number in range(1999)} | PAIR
    for found in both_ways(tmp_path, tree):
        check(found, {}, [".py, load_data.py and what they import."])
        assert "holds more than 2000 Python files: hand in hw1.py" in found.problems[0]


def test_a_huge_table_of_contents_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(unpack, "MAX_DIRECTORY", 1000)
    path = make_zip(tmp_path / "in.zip", {f"{number}.png": b"" for number in range(30)} | PAIR)
    check(read_submission(path), {}, ["in.zip holds more files than can be listed: hand in hw1.py"])


def test_omniglot_may_lie_beside_it(tmp_path):
    images = {f"images/{number:05}.png": b"" for number in range(33_000)}
    check(read_submission(make_zip(tmp_path / "in.zip", {**images, **PAIR})), PAIR)


def test_names_in_sentences_are_short_and_printable(tmp_path):
    name = "hw1\x1b[31m\u202e" + "x" * 200 + ".zip"
    found = read_submission(make_zip(tmp_path / name, {}))
    check(found, {}, ["hw1?[31m?xxx"])
    assert len(found.problems[0]) < 250


# Noise


@settings(
    max_examples=150, deadline=2000, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.binary(max_size=400))
def test_no_bytes_of_a_script_raise(tmp_path, data):
    (tmp_path / "hw1.py").write_bytes(data)
    (tmp_path / "load_data.py").write_text(B)
    found = read_submission(tmp_path)
    assert found.files["load_data.py"] == B
    assert "hw1.py" in found.files or len(found.problems) == 1


@settings(
    max_examples=300, deadline=2000, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.binary(max_size=200), st.randoms(use_true_random=False), st.integers(0, 12))
def test_no_bytes_of_a_zip_raise(tmp_path, noise, rng, changes):
    data = bytearray(noise if changes == 0 else zipped({**PAIR, "a.zip": PAIR, "x/y.ipynb": ""}))
    for _ in range(changes):
        data[rng.randrange(len(data))] = rng.randrange(256)
    (tmp_path / "in.zip").write_bytes(data)
    found = read_submission(tmp_path / "in.zip")
    assert found.files.keys() == {"hw1.py", "load_data.py"} or found.problems or found.notes
    assert snapshot(tmp_path).keys() == {tmp_path / "in.zip"}
