"""The tables of a class: every sign of them."""

import csv
import io
import json

import pytest

from autograder.classroom.gradebook import canvas_csv, plain_csv
from autograder.classroom.graded import Graded, Person
from autograder.record import Check, Mistake, Record, Result
from autograder.report import gradescope

SHAPES = Check("sampler/shapes", "sampler", "1.1", "The shapes", 5.0, public=True)
MATCH = Check("sampler/match", "sampler", "1.2", "The labels match", 2.5, public=False)
SWAPPED = Mistake("swapped", "The axes are swapped.", "Swap them.")
TWICE = Mistake("twice", "A character comes twice.", "Draw without replacement.")

ONE = Person("student 017", "4711", "0017", "s017@mail.example")
TWO = Person("student 018, the second", "4712")
THREE = Person("student “019”")


def graded(folder, people, *results, **fields):
    record = Record(list(results), **fields)
    return Graded(folder, people, json.loads(json.dumps(gradescope(record))))


@pytest.fixture
def a_class():
    """A group of two, and one without anything right."""
    return [
        graded("017", (ONE, TWO), Result(SHAPES, "passed", ""), Result(MATCH, "passed", "")),
        graded(
            "019",
            (THREE,),
            Result(SHAPES, "failed", "", SWAPPED),
            Result(MATCH, "failed", "", TWICE),
            look=["It hung.", "It sent nonsense."],
        ),
    ]


def test_canvas_gets_a_line_for_each_person(a_class):
    assert canvas_csv(a_class).split("\n") == [
        '"Student","ID","SIS User ID","SIS Login ID","Section","Homework 1"',
        '"    Points Possible","","","","",7.5',
        '"student 017","4711","0017","s017@mail.example","",7.5',
        '"student 018, the second","4712","","","",7.5',
        '"student “019”","","","","",0',
        "",
    ]


def test_the_plain_table_has_every_check(a_class):
    assert plain_csv(a_class).split("\n") == [
        '"folder","name","canvas","sis","email","score","max","1.1","1.2","mistakes","look"',
        '"017","student 017","4711","0017","s017@mail.example",7.5,7.5,5,2.5,"",0',
        '"017","student 018, the second","4712","","",7.5,7.5,5,2.5,"",0',
        '"019","student “019”","","","",0,7.5,0,0,"swapped twice",2',
        "",
    ]


def test_a_check_that_came_later_is_empty_before(a_class):
    before = graded("a", (ONE,), Result(SHAPES, "passed", ""))
    assert plain_csv([before, *a_class]).split("\n")[:3] == [
        '"folder","name","canvas","sis","email","score","max","1.1","1.2","mistakes","look"',
        '"a","student 017","4711","0017","s017@mail.example",5,5,5,"","",0',
        '"017","student 017","4711","0017","s017@mail.example",7.5,7.5,5,2.5,"",0',
    ]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d"])
def test_no_text_is_a_formula(start):
    text = f'{start}1+1";=2,x'
    one = graded(text, (Person(text, text, text, text),), Result(SHAPES, "passed", ""))
    for table in (canvas_csv([one]), plain_csv([one])):
        cells = list(csv.reader(io.StringIO(table)))[-1]
        shown = "'" + start.replace("\t", " ").replace("\r", " ") + '1+1";=2,x'
        assert cells.count(shown) == (4 if table == canvas_csv([one]) else 5)
        assert not any(cell.startswith(start) for cell in cells)
        assert '"";=2,x"' in table, "where a semicolon separates, it is in quotes"


def test_names_stay_names_and_numbers_numbers():
    check = Check("sampler/odd", "sampler", "1.1", "", 99.25, public=True)
    one = graded("a", (Person("student '017' \u202e\x00\ud800"),), Result(check, "passed", ""))
    table = plain_csv([one])
    assert table.split("\n")[1] == '"a","student \'017\' ���","","","",99.25,99.25,99.25,"",0'
    table.encode()


def test_nobody_handed_in():
    assert canvas_csv([]).count("\n") == 2
    assert plain_csv([]) == (
        '"folder","name","canvas","sis","email","score","max","mistakes","look"\n'
    )
