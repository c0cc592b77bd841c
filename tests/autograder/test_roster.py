"""A class as it comes: Canvas, Gradescope, Moodle, or a folder for each."""

import os
import shutil
import struct
import zipfile
from pathlib import Path

import pytest

from autograder.classroom.graded import Person
from autograder.classroom.roster import read_class, seems_a_class
from autograder.submission import SubmissionError

HW1, LOAD = "import torch  # {}\n", "import numpy  # {}\n"


def fill(folder: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def pack(folder: Path, path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, file.relative_to(folder))
    return path


def pair(prefix: str, number: int) -> dict[str, str]:
    return {f"{prefix}hw1.py": HW1.format(number), f"{prefix}load_data.py": LOAD.format(number)}


def canvas(folder: Path) -> Path:
    files = pair("aliceone_4711_90001_", 1) | pair("twobob_LATE_4712_90002_", 2)
    files |= {"twobob_LATE_4712_90003_hw1-2.py": HW1.format("newer")}
    files |= {"threecarol_4713_90004_report.pdf": "%PDF-1.7"}
    inner = pack(fill(folder.parent / "inner", pair("", 4)), folder.parent / "inner.zip")
    return fill(folder, files | {"fourdan_4714_90005_homework.zip": inner.read_bytes()})


GRADESCOPE = """
submission_101:
  :created_at: 2026-10-01 10:00:00.000000000 -07:00
  :score: !ruby/object:BigDecimal 18:0.1e2
  :results: !ruby/hash:ActiveSupport::HashWithIndifferentAccess {tests: []}
  :submitters:
  - :name: Student One
    :sid: '00017'
    :email: one@school.example
  - :name: Student Two
    :sid: 18
    :email: two@school.example
submission_102:
  :submitters:
  - :name: Student One
    :sid:
    :email: other@school.example
"""


def gradescope(folder: Path) -> Path:
    files = pair("submission_101/", 1) | pair("submission_102/deep/", 2)
    files |= pair("submission_103/", 3)
    return fill(folder, files | {"submission_metadata.yml": GRADESCOPE})


def moodle(folder: Path) -> Path:
    files = pair("Student One_11_assignsubmission_file_/", 1)
    files |= {"Student One_11_assignsubmission_onlinetext_/onlinetext.html": "<p>hello"}
    files |= pair("Student Two_12_assignsubmission_file_", 2)
    return fill(folder, files)


def codes(handed) -> dict[str, str]:
    """Folder → which hw1.py was taken."""
    return {one.folder: one.submission.files.get("hw1.py", "")[16:-1] for one in handed}


@pytest.fixture(params=["folder", "zip", "zip of the folder"])
def given(request, tmp_path):
    """Makes a class in a folder, or the same as it is downloaded."""

    def give(make):
        folder = make(tmp_path / "class")
        if request.param == "folder":
            return folder
        if request.param == "zip":
            return pack(folder, tmp_path / "submissions.zip")
        (tmp_path / "outer").mkdir()
        shutil.move(folder, tmp_path / "outer" / "Assignment 1")
        return pack(tmp_path / "outer", tmp_path / "submissions.zip")

    return give


def test_canvas(given):
    handed = read_class(given(canvas))
    assert codes(handed) == {
        "aliceone_4711": "1",
        "fourdan_4714": "4",
        "threecarol_4713": "",
        "twobob_4712": "newer",
    }
    assert handed[0].people == (Person("aliceone", canvas="4711"),)
    assert "holds neither" in handed[2].submission.problems[0]


def test_gradescope(given):
    handed = read_class(given(gradescope))
    assert codes(handed) == {
        "Student-One_101": "1",
        "Student-One_102": "2",
        "submission_103_103": "3",
    }
    assert handed[0].people == (
        Person("Student One", sis="00017", email="one@school.example"),
        Person("Student Two", sis="18", email="two@school.example"),
    )


def test_moodle(given):
    handed = read_class(given(moodle))
    assert codes(handed) == {"Student-One_11": "1", "Student-Two_12": "2"}
    assert [one.people for one in handed] == [(Person("Student One"),), (Person("Student Two"),)]


def test_a_folder_or_a_zip_for_each(tmp_path):
    folder = fill(tmp_path / "class", pair("alice/", 1) | pair("Bob/", 2) | pair("empty/", 9))
    pack(folder / "Bob", folder / "bob.zip")
    for file in (folder / "empty").iterdir():
        file.unlink()
    fill(folder, {"carol.rar": b"Rar!", "broken.zip": b"PK, then nothing", "grades.csv": "a,b"})
    fill(folder, {"__MACOSX/alice/._hw1.py": "", ".DS_Store": ""})
    handed = read_class(folder)
    assert codes(handed) == {
        "alice": "1",
        "Bob": "2",
        "bob-2": "2",
        "broken": "",
        "carol": "",
        "empty": "",
    }
    about = {one.folder: one.submission.problems for one in handed if one.submission.problems}
    assert set(about) == {"broken", "carol", "empty"}
    assert "damaged" in about["broken"][0]
    assert "carol.rar is a single file" in about["carol"][0]


def test_a_folder_of_grades_among_the_submissions_is_not_one_of_them(tmp_path):
    folder = fill(tmp_path / "class", pair("alice/", 1) | pair("bob/", 2))
    fill(folder, pair("grades/alice/", 3) | {"grades/journal.sqlite": ""})
    assert codes(read_class(folder)) == {"alice": "1", "bob": "2"}


def test_a_student_with_a_journal_of_that_name_is_one_of_them(tmp_path):
    fill(tmp_path, pair("a/", 1) | pair("b/", 2) | {"b/journal.sqlite": ""})
    assert [one.folder for one in read_class(tmp_path)] == ["a", "b"]


def test_a_file_named_like_one_of_another_system_is_one_file(tmp_path):
    files = pair("aliceone_4711_90001_", 1) | pair("twobob_4712_90002_", 2)
    files |= {"threecarol_4713_90009_notes_1_assignsubmission_file_x.py": "x = 1"}
    found = read_class(fill(tmp_path, files))
    assert [one.folder for one in found] == ["aliceone_4711", "threecarol_4713", "twobob_4712"]


def test_an_entry_that_cannot_be_made_is_left_out_of_a_zip(tmp_path):
    path = tmp_path / "class.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in (pair("a/", 1) | pair("b/", 2)).items():
            archive.writestr(name, text)
        archive.writestr("b/notes", "a file")
        archive.writestr("b/notes/x.py", "a file in it")
        archive.writestr("b/" + "long/" * 900 + "x.py", "x = 1")
    found = read_class(path)
    assert [(one.folder, sorted(one.submission.files)) for one in found] == [
        (name, ["hw1.py", "load_data.py"]) for name in ("a", "b")
    ]


@pytest.mark.parametrize("name", ["index.html", "Grades.csv", "journal.sqlite"])
def test_nobody_takes_the_place_of_a_list(tmp_path, name):
    handed = read_class(fill(tmp_path / "class", pair("alice/", 1) | pair(f"{name}/", 2)))
    assert codes(handed) == {"alice": "1", f"{name}-2": "2"}


def test_a_student_whose_folder_is_closed_still_gets_a_row(tmp_path, monkeypatch):
    folder = fill(tmp_path / "class", pair("alice/", 1) | pair("bob/", 2))
    closed = str(folder / "bob")
    scandir = os.scandir

    def closed_to_us(path="."):  # root may open everything, so the refusal is made
        if str(path) == closed:
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", closed_to_us)
    handed = read_class(folder)
    assert codes(handed) == {"alice": "1", "bob": ""}
    assert "make it readable" in handed[1].submission.problems[0]


@pytest.mark.parametrize("name", ["../../evil", "/etc/evil", "x/../../evil", "C:evil", "a" * 300])
def test_a_zip_writes_nothing_outside_and_no_strange_name(tmp_path, name):
    path = tmp_path / "submissions.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}/hw1.py", "evil")
        archive.writestr("alice/hw1.py", HW1.format(1))
    before = set(tmp_path.parent.rglob("*"))
    folders = codes(read_class(path))
    assert folders.pop("alice") == "1"
    assert set(folders) <= {"C-evil", "hw1.py"}
    assert set(tmp_path.parent.rglob("*")) == before


@pytest.mark.parametrize(
    "name", ["‮x/..", "a b;rm", "$(x)", "-rf", ".hidden", "名前", "A\u0308", "\U0001d400" * 80]
)
def test_folders_of_grades_have_safe_names(tmp_path, name):
    folder = fill(tmp_path / "class", {"alice/hw1.py": HW1, "bob/hw1.py": HW1})
    metadata = f"submission_1:\n  :submitters:\n  - :name: {name!r}\n"
    fill(folder, {"submission_metadata.yml": metadata, "submission_1/hw1.py": HW1})
    for one in read_class(folder):
        assert one.folder.replace("-", "").replace("_", "").replace(".", "").isalnum()
        assert one.folder[0] not in "-."
        assert one.folder.isprintable()
        assert len(one.folder.encode()) <= 200


def test_a_huge_file_in_a_zip_is_not_unpacked(tmp_path):
    path = tmp_path / "submissions.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("alice/hw1.py", HW1.format(1))
        archive.writestr("alice/weights.bin", bytes(200 << 20))
        archive.writestr("bob/hw1.py", bytes(200 << 20))
    handed = read_class(path)
    assert codes(handed) == {"alice": "1", "bob": ""}
    assert "hw1.py is larger than" in " ".join(handed[1].submission.problems)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"hw1.py": HW1, "load_data.py": LOAD}, "is a single submission: grade it without --out"),
        ({}, "holds no submissions"),
        ({"notes.txt": "nothing"}, "holds no submissions"),
        (
            {"submission_metadata.yml": "{[", "submission_1/hw1.py": HW1},
            "submission_metadata.yml cannot be read",
        ),
    ],
)
def test_what_is_no_class_is_said_in_a_sentence(tmp_path, files, said):
    folder = tmp_path / "class"
    folder.mkdir()
    with pytest.raises(SubmissionError, match=said) as error:
        read_class(fill(folder, files))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04 and nothing", b"x" * 1000])
def test_what_is_no_zip_is_said_in_a_sentence(tmp_path, content):
    path = tmp_path / "class.zip"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SubmissionError, match=r"class\.zip (is no zip|does not exist)"):
        read_class(path)


@pytest.mark.parametrize(
    ("files", "several"),
    [
        (("hw1.py", "load_data.py"), False),
        (("homework/hw1.py", "homework/load_data.py", "homework/utils.py"), False),
        (("hw1.py", "old/hw1.py", "older/hw1.py", "backup.zip"), False),
        (("class/one/hw1.py", "class/one/load_data.py", "class/two/hw1.py"), True),
        (("one.zip", "two.zip"), True),
        (("one_1_assignsubmission_file_/hw1.py", "two_2_assignsubmission_file_/hw1.py"), True),
        (("aliceone_47_9001_hw1.py", "aliceone_47_9002_load_data.py"), False),
        (("aliceone_47_9001_hw1.py", "twobob_48_9003_hw1.py"), True),
        (("notes.txt",), False),
    ],
)
def test_a_class_is_known_by_its_names(tmp_path, files, several):
    folder = fill(tmp_path / "given", dict.fromkeys(files, ""))
    assert seems_a_class(folder) is several
    assert seems_a_class(pack(folder, tmp_path / "given.zip")) is several


def cut(archive: Path) -> Path:
    """The zip's table of contents says that a file is longer than the whole zip."""
    data = bytearray(archive.read_bytes())
    struct.pack_into("<II", data, data.rfind(b"PK\1\2") + 20, 10**6, 10**6)
    archive.write_bytes(data)
    return archive


def test_a_zip_that_is_shorter_than_it_says(tmp_path):
    one = {"one/hw1.py": "x = 1\n" * 1000, "two/hw1.py": "x = 2\n" * 1000}
    path = cut(pack(fill(tmp_path / "class", one), tmp_path / "class.zip"))
    with pytest.raises(SubmissionError, match="is no zip or a damaged one"):
        read_class(path)


@pytest.mark.parametrize("text", ["a: 2001-99-99\n", "a: !!int abc\n", "[" * 5000])
def test_a_list_of_gradescope_that_is_none(tmp_path, text):
    fill(tmp_path, {"submission_metadata.yml": text, "submission_1/hw1.py": ""})
    with pytest.raises(SubmissionError, match=r"submission_metadata.yml cannot be read"):
        read_class(tmp_path)


def test_a_name_that_is_no_text_is_left_out(tmp_path):
    about = "submission_1:\n  :submitters:\n  - :name: [lol, lol]\n    :email: one@example.com\n"
    fill(tmp_path, {"submission_metadata.yml": about} | pair("submission_1/", 1))
    (handed,) = read_class(tmp_path)
    assert handed.people == (Person("submission_1", email="one@example.com"),)


def test_a_class_too_large_to_unpack(tmp_path, monkeypatch):
    monkeypatch.setattr("autograder.classroom.roster.MAX_CLASS", 1000)
    files = {"one/hw1.py": "x" * 600, "two/hw1.py": "x" * 600}
    path = pack(fill(tmp_path / "class", files), tmp_path / "class.zip")
    with pytest.raises(SubmissionError, match="unpack it first"):
        read_class(path)
