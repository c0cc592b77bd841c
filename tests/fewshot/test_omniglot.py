"""Omniglot through its command: archives told by their content, and a folder that is whole."""

import hashlib
import http.server
import os
import shutil
import signal
import struct
import subprocess
import sys
import threading
import time
import warnings
import zipfile
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fewshot.data import omniglot
from fewshot.data.__main__ import main
from fewshot.data.errors import DataError
from fewshot.data.folder import digest, packed_path, packed_source

BACKGROUND, EVALUATION = omniglot.NAMES
FIRST = "images_evaluation/Angelic/character01/0965_01.png"


@pytest.fixture(scope="module")
def entries(omniglot_archives) -> dict[str, bytes]:
    """The official evaluation archive, unpacked; the smaller of the two."""
    with zipfile.ZipFile(omniglot_archives / EVALUATION) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture
def evaluation(omniglot_archives, tmp_path) -> Path:
    """A copy of the official archive to damage."""
    return Path(shutil.copy(omniglot_archives / EVALUATION, tmp_path / EVALUATION))


def pack(file: Path, entries: dict[str, bytes], compression=zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return file


def add(file: Path, name: str | zipfile.ZipInfo, content: bytes = b"") -> Path:
    with warnings.catch_warnings(), zipfile.ZipFile(file, "a") as archive:
        warnings.simplefilter("ignore")  # of names that are there twice
        archive.writestr(name, content)
    return file


def png(size: tuple[int, int], mode: str) -> bytes:
    file = BytesIO()
    Image.new(mode, size).save(file, "PNG")
    return file.getvalue()


def huge_png() -> bytes:
    """A PNG of 10 gigapixels, says its header."""
    header = b"IHDR" + struct.pack(">IIBBBBB", 100_000, 100_000, 1, 0, 0, 0, 0)
    chunk = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    return b"\x89PNG\r\n\x1a\n" + chunk + png((1, 1), "1")[33:]


# The folder


@pytest.fixture(scope="module")
def on_disk(omniglot_folder) -> dict[str, Image.Image]:
    files = {p.relative_to(omniglot_folder).as_posix(): p for p in omniglot_folder.rglob("*.png")}
    images = {}
    for path, file in files.items():
        with Image.open(file) as image:
            image.load()
            images[path] = image
    return images


def test_the_folder_is_the_courses(on_disk):
    """The digest is of the course's omniglot_resized, read with Pillow in mode L."""
    sha = hashlib.sha256()
    for path in sorted(on_disk):
        pixels = np.asarray(on_disk[path].convert("L"))
        sha.update(path.encode() + b"\0" + np.packbits(pixels > 127).tobytes())
    assert sha.hexdigest() == "25c0ab2011a0e95811bc6e102acaffddae2d39f254738d8e616980b2a19dc3f5"


def test_1623_characters_of_50_alphabets_by_20_drawers_as_1_bit_pngs(on_disk):
    assert len({path.split("/")[0] for path in on_disk}) == 50
    assert len({path.rpartition("/")[0] for path in on_disk}) == 1623
    assert len(on_disk) == 1623 * 20
    assert {(image.mode, image.size) for image in on_disk.values()} == {("1", (28, 28))}


def test_the_twin_holds_the_same_images_with_ink_255(omniglot_folder, on_disk):
    with np.load(packed_path(omniglot_folder)) as packed:
        paths, images = packed["paths"].tolist(), packed["images"]
    assert paths == sorted(on_disk)
    folder = np.stack([np.asarray(on_disk[path].convert("L")).reshape(-1) for path in paths])
    np.testing.assert_array_equal(images, 255 - folder)
    assert images.dtype == np.uint8
    assert 0.05 < (images == 255).mean() < 0.3  # ink is rarer than paper
    assert packed_source(omniglot_folder) == "omniglot"


def test_a_complete_folder_needs_no_archives(omniglot_folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("OMNIGLOT_ARCHIVES", str(tmp_path))
    before = packed_path(omniglot_folder).stat().st_mtime_ns
    assert main(["omniglot", "--out", str(omniglot_folder)]) == 0
    assert capsys.readouterr().out == f"{omniglot_folder} is already complete.\n"
    assert packed_path(omniglot_folder).stat().st_mtime_ns == before


# Archives that are accepted


def test_a_rezipped_archive_with_junk_is_accepted(entries, omniglot_folder, tmp_path):
    repacked = {"data/": b"", "data/python/": b"", "data/.DS_Store": b"Bud1", "README.md": b"hi"}
    for name in reversed(entries):
        repacked[f"data/python/my-images/{name.partition('/')[2]}"] = entries[name]
    repacked["__MACOSX/data/._images_evaluation"] = b"\0\5\x16\7"
    repacked["__MACOSX/data/python/my-images/Angelic/character01/._0965_01.png"] = b"\0\5\x16\7"
    file = pack(tmp_path / "any name.zip", repacked, zipfile.ZIP_DEFLATED)

    images = omniglot.read_archive(file, "it")
    assert len(images) == 659 * 20
    with np.load(packed_path(omniglot_folder)) as packed:
        twin = dict(zip(packed["paths"].tolist(), packed["images"], strict=True))
    assert all(np.array_equal(image.reshape(-1), twin[path]) for path, image in images.items())


def test_archives_under_each_others_names_are_accepted(omniglot_archives, tmp_path):
    (tmp_path / BACKGROUND).symlink_to(omniglot_archives / EVALUATION)
    (tmp_path / EVALUATION).symlink_to(omniglot_archives / BACKGROUND)
    images = omniglot.load(tmp_path, tmp_path)
    assert digest(images) == omniglot.DIGEST


# Archives that are refused, by name and fault


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "is empty"),
        (b"\n<!DOCTYPE html><html>404</html>", "is a web page, not a zip archive"),
        (b"Rar!", "is not a zip archive"),
        (b"PK\3\4", "is a zip archive cut short or damaged"),
        (None, "cannot be read (Is a directory)"),
        (bytes(40 << 20), "is far larger than the official archive"),
    ],
    ids=["empty", "page", "rar", "PK", "folder", "huge"],
)
def test_what_is_no_archive_is_told(tmp_path, content, fault):
    file = tmp_path / "a.zip"
    file.mkdir() if content is None else file.write_bytes(content)
    with pytest.raises(DataError) as refused:
        omniglot.read_archive(file, "a.zip")
    assert str(refused.value) == f"a.zip {fault}"


def test_a_zip_without_images_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"a\.zip lacks 19,280 of the 19,280 background images"):
        omniglot.read_archive(pack(tmp_path / "a.zip", {"readme.txt": b"hi"}), "a.zip")


def test_a_cut_archive_is_refused_and_nothing_is_written(evaluation, capsys):
    os.truncate(evaluation, evaluation.stat().st_size - 1000)
    cut = evaluation.rename(evaluation.with_name(BACKGROUND))
    out = cut.parent / "out" / "omniglot_resized"
    assert main(["omniglot", "--archives", str(cut.parent), "--out", str(out)]) == 1
    message = capsys.readouterr().err
    assert message.startswith(f"{cut} is a zip archive cut short or damaged: delete it, or")
    assert message.count("\n") == 1
    assert not out.parent.exists()


def test_the_same_archive_under_both_names_is_refused(omniglot_archives, tmp_path):
    for name in (BACKGROUND, EVALUATION):
        (tmp_path / name).symlink_to(omniglot_archives / EVALUATION)
    with pytest.raises(DataError, match=f"{BACKGROUND} and {EVALUATION} hold the same images"):
        omniglot.load(tmp_path, tmp_path)


def test_a_flipped_bit_is_refused_by_the_entrys_name(evaluation):
    with zipfile.ZipFile(evaluation) as archive:
        offset = archive.getinfo(FIRST).header_offset
    content = bytearray(evaluation.read_bytes())
    content[offset + 30 + len(FIRST) + 100] ^= 1
    evaluation.write_bytes(content)
    with pytest.raises(DataError, match=rf"a\.zip is damaged at {FIRST} \(Bad CRC-32"):
        omniglot.read_archive(evaluation, "a.zip")


def test_missing_images_are_counted_and_the_first_is_named(entries, tmp_path):
    some = {name: content for name, content in entries.items() if "/character07/" not in name}
    with pytest.raises(DataError, match=r"lacks 400 of the 13,180 evaluation .* 0971_01\.png"):
        omniglot.read_archive(pack(tmp_path / "a.zip", some), "a.zip")


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"<html>", "is damaged at {} (cannot identify image file"),
        (png((105, 105), "1")[:45], "is damaged at {} ("),
        (png((28, 28), "1"), "holds {} as 28 by 28 pixels of mode 1, not as 105 by 105 of 1 bit"),
        (png((105, 105), "L"), "holds {} as 105 by 105 pixels of mode L, not as 105 by 105"),
        (huge_png(), "is damaged at {} (Image size (10000000000 pixels) exceeds limit"),
        (bytes(50_000_000), "holds {} of 50,000,000 bytes, too many for a PNG"),
    ],
    ids=["page", "cut PNG", "small", "grey", "PNG bomb", "zip bomb"],
)
def test_a_wrong_image_is_named(entries, tmp_path, content, fault):
    file = tmp_path / "a.zip"
    pack(file, {**dict.fromkeys(entries, b""), FIRST: content}, zipfile.ZIP_DEFLATED)
    with pytest.raises(DataError) as refused:
        omniglot.read_archive(file, "a.zip")
    assert str(refused.value).startswith("a.zip " + fault.format(FIRST))


def test_a_zip_bomb_that_lies_about_its_size_is_refused(entries, tmp_path):
    size = 123_456_789 // 4
    file = tmp_path / "a.zip"
    pack(file, {**dict.fromkeys(entries, b""), FIRST: bytes(size)}, zipfile.ZIP_BZIP2)
    content = file.read_bytes()
    assert content.count(struct.pack("<L", size)) == 2
    file.write_bytes(content.replace(struct.pack("<L", size), struct.pack("<L", 300)))
    with pytest.raises(DataError, match=rf"a\.zip is damaged at {FIRST} \(Bad CRC-32"):
        omniglot.read_archive(file, "a.zip")


def test_altered_pixels_are_refused(entries, tmp_path):
    image = Image.open(BytesIO(entries[FIRST]))
    image.paste(0, (40, 40, 60, 60))
    file = BytesIO()
    image.save(file, "PNG")
    altered = pack(tmp_path / "a.zip", {**entries, FIRST: file.getvalue()})
    with pytest.raises(DataError, match=r"a\.zip holds other pixels or names than the official"):
        omniglot.read_archive(altered, "a.zip")


SYMLINK = zipfile.ZipInfo("images_evaluation/Angelic/link.png")
SYMLINK.external_attr = 0o120777 << 16


@pytest.mark.parametrize(
    "name",
    [
        "../../Angelic/character01/0965_01.png",
        "images_evaluation/../../evil.txt",
        "/etc/evil.txt",
        "images_evaluation\\..\\evil.txt",
        "C:/evil.txt",
        "__MACOSX/../../evil",
        SYMLINK,
    ],
    ids=lambda name: getattr(name, "filename", name),
)
def test_entries_that_lead_out_of_the_folder_are_refused(evaluation, name):
    add(evaluation, name, b"/etc/passwd")
    with pytest.raises(DataError, match=r"a\.zip holds an entry that leads out of its folder"):
        omniglot.read_archive(evaluation, "a.zip")


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        (FIRST, "holds image 0965_01 twice"),
        ("other/" + FIRST, "holds image 0965_01 twice"),
        ("Angelic/character01/0964_01.png", r"is not Omniglot's \(0964_01.png\)"),
        ("images_evaluation/Angelic/overview.png", "is not Omniglot's .*overview.png"),
    ],
)
def test_images_too_many_are_refused(evaluation, name, fault):
    with pytest.raises(DataError, match=fault):
        omniglot.read_archive(add(evaluation, name, b"\x89PNG"), "a.zip")


# The command, killed


class Mirror(http.server.SimpleHTTPRequestHandler):
    """The archives; the first two replies stall half way."""

    def do_GET(self):
        content = (self.server.folder / Path(self.path).name).read_bytes()
        asked = self.headers.get("Range")
        self.server.asked.append(asked)
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        self.send_response(206 if asked else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        stalls = len(self.server.asked) <= 2
        self.wfile.write(content[start : (start + len(content)) // 2 if stalls else None])
        self.wfile.flush()
        if stalls:
            self.server.released.wait(60)

    def log_message(self, *details):
        pass


@pytest.fixture
def mirror(omniglot_archives, monkeypatch):
    class Server(http.server.ThreadingHTTPServer):
        def handle_error(self, *details):  # a killed client is part of the test
            pass

    with Server(("127.0.0.1", 0), Mirror) as server:
        server.folder, server.asked, server.released = omniglot_archives, [], threading.Event()
        threading.Thread(target=server.serve_forever).start()
        monkeypatch.delenv("OMNIGLOT_ARCHIVES")
        monkeypatch.setenv("OMNIGLOT_URL", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        yield server
        server.released.set()
        server.shutdown()


def test_killed_at_any_moment_it_completes_when_run_again(mirror, tmp_path, capsys):
    """Interrupted and killed amid the download, then killed amid the files."""
    out = tmp_path / "omniglot_resized"
    partial = tmp_path / "archives" / f"{BACKGROUND}.partial"

    def stopped(by, when) -> tuple[int, str]:
        command = [sys.executable, "-m", "fewshot.data", "omniglot", "--out", str(out)]
        with subprocess.Popen(command, text=True, stderr=subprocess.PIPE) as process:
            limit = time.monotonic() + 60
            while not when():
                assert process.poll() is None, process.stderr.read()
                assert time.monotonic() < limit
                time.sleep(0.02)
            process.send_signal(by)
            errors = process.communicate()[1]
        assert not out.exists()
        assert not packed_path(out).exists()
        return process.returncode, errors

    def downloaded(share):
        # Less a buffer: its bytes are not on the disk yet.
        size = share * (mirror.folder / BACKGROUND).stat().st_size - (1 << 16)
        return lambda: partial.exists() and partial.stat().st_size > size

    code, errors = stopped(signal.SIGINT, downloaded(1 / 2))
    assert code == 130
    assert "Traceback" not in errors
    assert errors.endswith("\nStopped: run the same command again to go on.\n")
    interrupted = partial.stat().st_size

    stopped(signal.SIGKILL, downloaded(3 / 4))
    killed = partial.stat().st_size
    assert killed > interrupted

    file = ".omniglot_resized-partial-*/folder/Braille/character01/0192_01.png"
    stopped(signal.SIGKILL, lambda: any(tmp_path.glob(file)))
    assert mirror.asked == [None, f"bytes={interrupted}-", f"bytes={killed}-", None]
    assert sorted(p.name for p in partial.parent.iterdir()) == [BACKGROUND, EVALUATION]

    assert main(["omniglot", "--out", str(out)]) == 0
    assert len(mirror.asked) == 4  # from the cache now
    assert len(list(out.rglob("*.png"))) == 32_460
    assert {p.name for p in tmp_path.iterdir()} == {"archives", out.name, packed_path(out).name}
    assert "1,623 characters of 50 alphabets" in capsys.readouterr().out


# The command line


@pytest.mark.parametrize("out", [".", "..", "/", "a/.."])
def test_an_out_without_a_name_is_refused(out, capsys):
    with pytest.raises(SystemExit) as refused:
        main(["omniglot", "--out", out])
    assert refused.value.code == 2
    assert "name a new folder" in capsys.readouterr().err


def test_a_missing_archive_is_one_line_on_stderr(tmp_path, capsys):
    out = tmp_path / "omniglot_resized"
    assert main(["omniglot", "--archives", str(tmp_path), "--out", str(out)]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"{tmp_path / BACKGROUND} does not exist: give a folder")
    assert printed.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
