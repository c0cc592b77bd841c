"""One record, shown in the terminal, to Gradescope and on disk."""

import io
import json
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
from rich.console import Console

from autograder.record import Check, Curve, Mistake, Record, Result, read_rubric, start_record
from autograder.report import ReportError, gradescope, print_record, write_atomically

SHAPES = Check("sampler/shapes", "sampler", "1.1", "The shapes", 5.0, public=True)
MATCH = Check("sampler/match", "sampler", "1.2", "The labels match", 2.5, public=False)
VALUE = Check("loss/value", "loss", "3.2", "The value", 7.0, public=False)
FILES = Check("submission/files", "submission", "0.1", "The files", 0.0, public=True)
ALL_ROWS = Mistake("all_rows", "The loss is over all K+1 rows.", "Look at preds[:, -1].")

HOSTILE = [
    "[bold red]rich[/] [/] [link=http://a.example]x[/link]",
    '<script>alert(1)</script><img src=x onerror="alert(1)">&lt;b&gt;',
    "**bold** _it_ `code` ~~gone~~ $x^2$ | a | b | \\* \\<b>",
    "[text](http://a.example) ![i](http://a.example/i.png) [a][b] <http://a.example> www.a.example",
    "# one\n- two\n+ three\n1. four\n2) five\n> six\n=====\n---\n    seven\n[b]: http://a.example",
    "{: .class} {{ 7 * 7 }} {% raw %} *[abbr]: x [^1] [^1]: y me@a.example",
    "ü 漢字 Ω 🙂 é",
]
BEWARE = "\x1b[2J\x1b]0;title\x07 \x00\x08\x7f\x9b31m \u202etxt\u2066 \ud800 \u2028 \r"


def graded(*results, **fields):
    return Record(list(results), **fields)


def printed(record, width=80, **console):
    file = io.StringIO()
    print_record(record, Console(file=file, width=width, **console))
    return file.getvalue()


def words(text):
    """Text without its line breaks."""
    return " ".join(text.split())


# The terminal


def test_the_table_shows_every_check_by_part_with_its_points():
    record = graded(
        Result(FILES, "passed", "Fine."),
        Result(SHAPES, "passed", "Fine."),
        Result(MATCH, "waiting", "waiting for 1.1"),
        Result(VALUE, "failed", "Expected 0.5, got 0.7.", ALL_ROWS),
        notes=["“hw1 (1).py” was taken for hw1.py."],
        protections=["bubblewrap", "no network"],
    )
    lines = [line.rstrip() for line in printed(record).splitlines()]
    order = [
        "Note: “hw1 (1).py” was taken for hw1.py.",
        "✓ 0.1",
        "Problem 1: DataGenerator._sample",
        "✓ 1.1",
        "… 1.2",
        "waiting for 1.1",
        "Problem 2b: MANN.loss_function",
        "✗ 3.2",
        "Expected 0.5, got 0.7.",
        "The loss is over all K+1 rows.",
        "→ Look at preds[:, -1].",
        "Total 5 / 14.5",
        "Protections: bubblewrap, no network",
    ]
    found = iter(lines)
    for start in order:
        assert any(line.strip().startswith(start) for line in found), start
    ends = {line.split()[1]: line for line in lines if line.startswith(("✓", "✗", "…"))}
    assert ends["0.1"].endswith(" 0 / 0")
    assert ends["1.1"].endswith(" 5 / 5")
    assert ends["1.2"].endswith(" 0 / 2.5")
    assert ends["3.2"].endswith(" 0 / 7")
    assert "Fine." not in "".join(lines)
    assert lines[-1].startswith("Protections")


def test_a_students_run_ends_with_what_was_not_graded():
    record = start_record(public_only=True)
    for result in list(record.results):
        record.put(Result(result.check, "passed", ""))
    last = "Public checks 30/30. Hidden checks (70 points) are not graded here."
    for width in (40, 80, 120):
        assert printed(record, width).splitlines()[-1] == last
    record.put(Result(record.results[1].check, "failed", "No."))
    lost = 30 - record.results[1].check.points
    assert printed(record).splitlines()[-1].startswith(f"Public checks {lost:g}/30. Hidden")


@pytest.mark.parametrize("text", HOSTILE)
def test_the_terminal_shows_what_a_student_wrote_and_does_not_obey_it(text):
    mistake = Mistake("m", text, text)
    record = graded(
        Result(SHAPES, "failed", text, mistake), notes=[text], protections=[text], facts={"c": text}
    )
    shown = printed(record, 400)
    assert words(shown).count(words(text)) == 5
    assert "\x1b" not in shown


@pytest.mark.parametrize("width", [40, 80, 120])
@pytest.mark.parametrize("terminal", [True, False])
def test_no_control_character_and_no_overlong_line_in_the_table(width, terminal):
    text = f"before {BEWARE} after " + 100 * "long"
    record = graded(Result(SHAPES, "failed", text, Mistake("m", text, text)), notes=[text])
    shown = printed(record, width, force_terminal=terminal, no_color=terminal)
    shown = shown.replace("\x1b[1m", "").replace("\x1b[2m", "").replace("\x1b[0m", "")
    assert all(sign.isprintable() or sign == "\n" for sign in shown)
    assert max(len(line) for line in shown.splitlines()) <= width
    assert shown.count("before") == shown.count("after") == 4
    shown.encode()


def test_colours_only_in_a_terminal():
    record = graded(Result(SHAPES, "failed", "No."), Result(VALUE, "passed", ""))
    assert "\x1b" not in printed(record)
    coloured = printed(record, force_terminal=True, color_system="standard")
    assert "\x1b[31m✗" in coloured
    assert "\x1b[32m✓" in coloured


def test_an_ascii_console_gets_other_signs_instead_of_a_crash():
    file = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    record = graded(
        Result(SHAPES, "passed", ""), Result(VALUE, "failed", "漢字 “q”", ALL_ROWS), notes=["漢"]
    )
    print_record(record, Console(file=file, width=80))
    file.seek(0)
    shown = file.read()
    assert "+ 1.1" in shown
    assert "x 3.2" in shown
    assert "> Look at" in shown


# Gradescope

FORMATS = {"text", "html", "simple_format", "md", "ansi"}
VISIBILITIES = {"hidden", "after_due_date", "after_published", "visible"}


def assert_contract(document):
    """Fields, types and values as Gradescope takes them."""
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    json.dumps(document, ensure_ascii=False).encode()
    assert {name: type(value) for name, value in document.items()} == {
        "score": float,
        "execution_time": float,
        "output": str,
        "output_format": str,
        "test_output_format": str,
        "test_name_format": str,
        "visibility": str,
        "stdout_visibility": str,
        "extra_data": dict,
        "tests": list,
        "leaderboard": list,
    }
    assert {document[f"{name}_format"] for name in ("output", "test_output", "test_name")} < FORMATS
    assert {document["visibility"], document["stdout_visibility"]} <= VISIBILITIES
    for test in document["tests"]:
        assert {name: type(value) for name, value in test.items()} == {
            "score": float,
            "max_score": float,
            "status": str,
            "name": str,
            "name_format": str,
            "number": str,
            "output": str,
            "output_format": str,
            "tags": list,
            "visibility": str,
            "extra_data": dict,
        }
        assert test["status"] in {"passed", "failed"}
        assert 0 <= test["score"] <= test["max_score"]
        assert {test["name_format"], test["output_format"]} <= FORMATS
        assert test["visibility"] in VISIBILITIES
        assert set(test["extra_data"]) == {"check", "mistake", "seconds"}
        assert isinstance(test["extra_data"]["seconds"], float)
    assert 0 <= document["score"] <= round(sum(test["max_score"] for test in document["tests"]), 2)
    numbers = [document["score"], *(test["score"] for test in document["tests"])]
    assert all(number == round(number, 2) for number in numbers)


def test_results_json_says_what_the_record_says():
    record = graded(
        Result(FILES, "passed", "", seconds=1),
        Result(SHAPES, "passed", "Fine.", seconds=0.1234),
        Result(MATCH, "waiting", "waiting for 1.1"),
        Result(VALUE, "failed", "Expected [2, 3], got [3, 2].", ALL_ROWS, 2.0),
        notes=["Latin-1 was read as such."],
        protections=["bubblewrap"],
        facts={"seed": 7, "versions": {"torch": "2.13.0"}, "threads": 1, "command": "grade x.zip"},
        seconds=12.3456,
    )
    document = gradescope(record)
    assert_contract(document)
    assert document["score"] == 5.0
    assert document["execution_time"] == 12.35
    assert document["extra_data"] == {
        "seed": 7,
        "versions": {"torch": "2.13.0"},
        "threads": 1,
        "command": "grade x.zip",
        "protections": ["bubblewrap"],
        "notes": ["Latin-1 was read as such."],
        "look": [],
    }
    assert document["leaderboard"] == []
    files, shapes, match, value = document["tests"]
    assert (files["score"], files["max_score"], files["status"]) == (0, 0, "passed")
    assert (shapes["score"], shapes["status"], shapes["visibility"]) == (5, "passed", "visible")
    assert (match["score"], match["status"]) == (0, "failed")
    assert match["output"] == "waiting for 1.1"
    assert (match["visibility"], match["max_score"]) == ("after_published", 2.5)
    assert (value["number"], value["name"], value["tags"][0]) == ("3.2", "The value", "loss")
    assert value["extra_data"] == {"check": "loss/value", "mistake": "all_rows", "seconds": 2.0}
    assert shapes["extra_data"] == {"check": "sampler/shapes", "mistake": None, "seconds": 0.12}
    text = value["output"]
    assert "Expected [2, 3], got [3, 2]." in text
    assert "The loss is over all K+1 rows." in text
    assert "Look at preds[:, -1]." in text


def test_the_leaderboard_shows_the_accuracy_of_four_ways():
    curve = Curve([0, 300], [0.25, 0.71234], 0.01, 0.68, [1.4] * 300)
    record = start_record()
    record.results = [replace(one, curve=curve) for one in record.results]
    document = gradescope(record)
    assert_contract(document)
    assert document["leaderboard"] == [
        {"name": "Accuracy, K = 1, N = 4", "value": 0.712, "order": "desc"}
    ]


@pytest.mark.parametrize("status", ["passed", "failed", "waiting", "not graded"])
def test_the_whole_rubric_with_one_status(status):
    record = graded(*[Result(check, status, "A reason.") for check in read_rubric()])
    document = gradescope(record)
    assert_contract(document)
    assert document["score"] == (100 if status == "passed" else 0)
    assert len(document["tests"]) == len(read_rubric())


def test_scores_have_two_decimals_and_never_exceed_the_most():
    checks = [
        Check(f"p/{n}", "p", f"1.{n}", "t", points, True)
        for n, points in enumerate([0.1, 0.2, 0.3, 1 / 3])
    ]
    document = gradescope(graded(*[Result(check, "passed", "") for check in checks]))
    assert_contract(document)
    assert document["score"] == 0.93
    assert document["tests"][3]["score"] == 0.33


def test_the_top_does_not_tell_a_student_about_hidden_checks():
    record = graded(Result(VALUE, "failed", "Secretly wrong.", ALL_ROWS), notes=["A note."])
    output = gradescope(record)["output"]
    assert "A note." in output
    assert "wrong" not in output
    assert "3.2" not in output


def test_a_students_run_says_so_in_the_json():
    record = start_record(public_only=True)
    assert "Hidden checks (70 points) are not graded here" in gradescope(record)["output"]
    assert "Hidden checks" not in gradescope(start_record())["output"]


def test_facts_of_any_kind_and_control_characters_make_valid_json(tmp_path):
    record = graded(
        Result(SHAPES, "failed", BEWARE, Mistake("m", BEWARE, BEWARE)),
        facts={"data": tmp_path, "command": "x\udcff\x1b", "list": (1, None, True), BEWARE: 2.5},
        notes=[BEWARE],
        protections=[BEWARE],
    )
    document = gradescope(record)
    assert_contract(document)
    assert document["extra_data"]["data"] == str(tmp_path)
    assert document["extra_data"]["list"] == [1, None, True]
    raw = json.dumps(document, ensure_ascii=False).replace(r"\n", "")
    assert raw.isprintable()
    assert "\\u" not in raw


@pytest.mark.parametrize("text", HOSTILE)
def test_results_say_what_a_student_wrote_as_plain_text(text):
    mistake = Mistake("m", text, f"{text} {text}")
    document = gradescope(graded(Result(SHAPES, "failed", text, mistake), notes=[text]))
    test = document["tests"][0]
    assert {document["output_format"], test["output_format"]} == {"text"}
    assert words(test["output"]).count(words(text)) == 4
    assert words(text) in words(document["output"])


def test_a_very_long_message_is_cut():
    record = graded(Result(SHAPES, "failed", 10**6 * "x"))
    assert len(gradescope(record)["tests"][0]["output"]) < 5000
    assert len(printed(record)) < 10_000


# On disk


def test_a_file_is_written_and_replaced(tmp_path):
    path = tmp_path / "results.json"
    for text in ("zeros", "ü\n" * 1000, ""):
        write_atomically(path, text)
        assert path.read_text(encoding="utf-8") == text
        assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_written_is_one_sentence_and_leaves_nothing(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("old")
    for path in ("folder", "missing/results.json", "file/results.json"):
        with pytest.raises(ReportError, match=r"^Cannot write .*folder that exists") as error:
            write_atomically(tmp_path / path, "new")
        assert str(tmp_path / path) in str(error.value)
        assert "\n" not in str(error.value)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["file", "folder"]
    assert list((tmp_path / "folder").iterdir()) == []
    assert (tmp_path / "file").read_text() == "old"


def test_text_that_cannot_be_encoded_leaves_the_old_file_and_nothing_else(tmp_path):
    (tmp_path / "file").write_text("old")
    with pytest.raises(UnicodeEncodeError):
        write_atomically(tmp_path / "file", "\ud800")
    assert [(tmp_path / "file")] == list(tmp_path.iterdir())
    assert (tmp_path / "file").read_text() == "old"


WRITER = """
import itertools, sys
from pathlib import Path
from autograder.report.files import write_atomically
for number in itertools.count():
    write_atomically(Path(sys.argv[1]), str(number % 10) * 1_000_000)
    if number == 0:
        print("started", flush=True)
"""


def test_a_writer_killed_at_any_moment_leaves_a_whole_file(tmp_path):
    path = tmp_path / "results.json"
    chance = random.Random(0)

    def check_whole():
        text = path.read_text()
        assert text == text[:1] * 1_000_000

    for _ in range(6):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, path], stdout=subprocess.PIPE, text=True
        ) as writer:
            assert writer.stdout.readline() == "started\n"
            end = time.monotonic() + 0.1 * chance.random()
            try:
                while time.monotonic() < end:
                    check_whole()
            finally:
                writer.kill()
        assert writer.returncode == -signal.SIGKILL
        check_whole()
    write_atomically(path, "after")
    assert path.read_text() == "after"
