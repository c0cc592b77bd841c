"""`fewshot.data.archives` against a server on the loopback that misbehaves."""

import http.server
import socket
import threading
from pathlib import Path

import numpy as np
import pytest

from fewshot.data import archives
from fewshot.data.errors import DataError

NAME = "images_background.zip"
ARCHIVE = np.random.default_rng(0).bytes(300_000)


def read(file: Path, called: str) -> dict[str, np.ndarray]:
    """Stands for `omniglot.read_archive`: accepts the bytes of ARCHIVE and nothing else."""
    content = file.read_bytes()
    if content != ARCHIVE:
        raise DataError(f"{called} is a web page" if content[:1] == b"<" else f"{called} is wrong")
    return {"image": np.frombuffer(content, np.uint8)}


# What the server does with a request, and the bytes it holds.


def serve(request, content, ranges=True, stop=None, wait=0.0):
    """The file, or the asked rest of it; `stop` bytes of it and after `wait` s a closed line."""
    start = 0
    asked = request.headers.get("Range")
    if asked and ranges:
        start = int(asked.removeprefix("bytes=").removesuffix("-"))
        if start >= len(content):
            request.send_error(416)
            return
        request.send_response(206)
        request.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
    else:
        request.send_response(200)
    request.send_header("Content-Length", str(len(content) - start))
    request.end_headers()
    request.wfile.write(content[start:][:stop])
    request.wfile.flush()
    request.server.released.wait(wait)


def cut(request, content):
    serve(request, content, stop=100_000)


def stall(request, content):
    serve(request, content, stop=100_000, wait=10)


def stall_at_once(request, content):
    request.server.released.wait(10)


def ignore_range(request, content):
    serve(request, content, ranges=False)


def cut_and_ignore_range(request, content):
    serve(request, content, ranges=False, stop=100_000)


def cut_chunks(request, content):
    request.send_response(200)
    request.send_header("Transfer-Encoding", "chunked")
    request.end_headers()
    request.wfile.write(b"186a0\r\n" + content[:100_000] + b"\r\n186a0\r\n")


def hang_up(request, content):
    request.close_connection = True


def answer(code):
    return lambda request, content: request.send_error(code)


def page(request, content):
    serve(request, b"<!DOCTYPE html><title>Sign in to the wireless network</title>")


def endless(request, content):
    request.send_response(200)
    request.end_headers()
    while not request.server.released.is_set():
        request.wfile.write(bytes(1 << 16))


@pytest.fixture
def server(monkeypatch):
    """Call it with what to do at each request; the last is repeated. It keeps the requests."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            self.server.asked.append(self.headers.get("Range"))
            deeds = self.server.deeds
            self.close_connection = True
            (deeds.pop(0) if len(deeds) > 1 else deeds[0])(self, ARCHIVE)

        def log_message(self, *details):
            pass

    class Server(http.server.ThreadingHTTPServer):
        def __call__(self, *deeds):
            self.deeds, self.asked = list(deeds), []

        def handle_error(self, *details):  # a client that hangs up is part of the tests
            pass

    with Server(("127.0.0.1", 0), Handler) as server:
        server.released = threading.Event()
        server(serve)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        monkeypatch.setenv("OMNIGLOT_URL", f"http://127.0.0.1:{server.server_port}/python/")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        monkeypatch.delenv("OMNIGLOT_ARCHIVES", raising=False)
        monkeypatch.setattr(archives, "PAUSE_S", 0.0)
        monkeypatch.setattr(archives, "TIMEOUT_S", 0.5)
        yield server
        server.released.set()
        server.shutdown()


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "parent" / "archives"


def files(cache) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in cache.iterdir()}


def test_downloads_once_into_the_cache(server, cache):
    assert archives.get(NAME, None, cache, read)["image"].tobytes() == ARCHIVE
    assert files(cache) == {NAME: ARCHIVE}
    archives.get(NAME, None, cache, read)
    assert server.asked == [None]


@pytest.mark.parametrize("interruption", [cut, stall, cut_chunks])
def test_resumes_where_it_stopped(server, cache, interruption):
    server(interruption, serve)
    archives.get(NAME, None, cache, read)
    assert files(cache) == {NAME: ARCHIVE}
    assert server.asked == [None, "bytes=100000-"]


def test_every_interruption_resumes_further(server, cache):
    server(cut)
    archives.get(NAME, None, cache, read)
    assert server.asked == [None, "bytes=100000-", "bytes=200000-"]


@pytest.mark.parametrize("hiccup", [stall_at_once, hang_up, answer(500), answer(503), answer(429)])
def test_tries_again_after_a_hiccup(server, cache, hiccup):
    server(hiccup, serve)
    archives.get(NAME, None, cache, read)
    assert files(cache) == {NAME: ARCHIVE}


def test_starts_anew_with_a_server_that_ignores_range(server, cache):
    server(cut, ignore_range)
    archives.get(NAME, None, cache, read)
    assert server.asked == [None, "bytes=100000-"]
    assert files(cache) == {NAME: ARCHIVE}


@pytest.mark.parametrize(
    "left",
    [ARCHIVE[:1], ARCHIVE, b"<html>" * 9, ARCHIVE + b"more", bytes(len(ARCHIVE))],
    ids=["a byte", "all of it", "a web page", "too much", "zeros"],
)
def test_goes_on_from_what_an_earlier_run_left(server, cache, left):
    cache.mkdir(parents=True)
    (cache / f"{NAME}.partial").write_bytes(left)
    archives.get(NAME, None, cache, read)
    assert files(cache) == {NAME: ARCHIVE}
    assert server.asked[0] == f"bytes={len(left)}-"


def test_gives_up_after_some_attempts_and_resumes_in_the_next_run(server, cache):
    server(cut, hang_up)
    with pytest.raises(DataError, match=r"Cannot download http://.*: check the network and run"):
        archives.get(NAME, None, cache, read)
    assert len(server.asked) == archives.ATTEMPTS
    assert files(cache) == {f"{NAME}.partial": ARCHIVE[:100_000]}

    server(serve)
    archives.get(NAME, None, cache, read)
    assert server.asked == ["bytes=100000-"]
    assert files(cache) == {NAME: ARCHIVE}


@pytest.mark.parametrize("deed", [cut_and_ignore_range, stall_at_once])
def test_a_server_that_never_ends_the_file_is_given_up(server, cache, monkeypatch, deed):
    monkeypatch.setattr(archives, "TIMEOUT_S", 0.1)
    server(deed)
    with pytest.raises(DataError, match="Cannot download"):
        archives.get(NAME, None, cache, read)
    assert len(server.asked) == archives.ATTEMPTS
    assert not (cache / NAME).exists()


@pytest.mark.parametrize("code", [403, 404])
def test_a_missing_file_is_not_asked_for_again(server, cache, code):
    server(answer(code))
    with pytest.raises(DataError, match=rf"{NAME} \(the server answers {code} .*--archives DIR"):
        archives.get(NAME, None, cache, read)
    assert len(server.asked) == 1
    assert files(cache) == {}


def test_a_web_page_is_refused_and_not_kept(server, cache):
    server(page)
    with pytest.raises(DataError, match=rf"http://.*{NAME} is a web page: give a folder"):
        archives.get(NAME, None, cache, read)
    assert len(server.asked) == 1
    assert files(cache) == {}


def test_an_endless_body_is_cut_off(server, cache, monkeypatch):
    monkeypatch.setattr(archives, "MAX_BYTES", 1 << 20)
    server(endless)
    with pytest.raises(DataError, match="is wrong"):
        archives.get(NAME, None, cache, read)
    assert files(cache) == {}


def test_without_a_network_one_sentence_names_the_ways_out(server, cache, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    monkeypatch.setenv("OMNIGLOT_URL", f"http://127.0.0.1:{port}")
    with pytest.raises(DataError, match="Connection refused") as refused:
        archives.get(NAME, None, cache, read)
    message = str(refused.value)
    for way_out in ("--archives DIR", "$OMNIGLOT_ARCHIVES", "`python -m fewshot.data glyphs`"):
        assert way_out in message
    assert "\n" not in message
    assert files(cache) == {}


def test_a_cache_that_cannot_be_written_is_named(server, cache):
    cache.parent.write_text("a file, no folder")
    with pytest.raises(DataError, match=rf"Cannot write .*{NAME}.partial .*another --out"):
        archives.get(NAME, None, cache, read)
    assert server.asked == []


def test_only_web_addresses_are_mirrors(server, cache, monkeypatch):
    monkeypatch.setenv("OMNIGLOT_URL", "file:///etc")
    with pytest.raises(DataError, match=r"\$OMNIGLOT_URL must start with https://"):
        archives.get(NAME, None, cache, read)


def test_looks_in_the_option_then_the_variable_then_the_cache(server, tmp_path, monkeypatch):
    places = {name: tmp_path / name for name in ("option", "variable", "cache")}
    for place in places.values():
        place.mkdir()
        (place / NAME).write_bytes(ARCHIVE)

    def where(given=None):
        found = []
        archives.get(NAME, given, places["cache"], lambda file, called: found.append(file))
        return found[0].parent.name

    assert where() == "cache"
    monkeypatch.setenv("OMNIGLOT_ARCHIVES", str(places["variable"]))
    assert where() == "variable"
    assert where(places["option"]) == "option"
    assert server.asked == []


@pytest.mark.parametrize("by", ["option", "variable"])
def test_a_named_folder_without_the_archive_is_refused(server, cache, tmp_path, monkeypatch, by):
    if by == "variable":
        monkeypatch.setenv("OMNIGLOT_ARCHIVES", str(tmp_path))
    with pytest.raises(DataError, match=f"{tmp_path / NAME} does not exist: give a folder"):
        archives.get(NAME, tmp_path if by == "option" else None, cache, read)
    assert server.asked == []


def test_a_wrong_archive_at_hand_is_named_and_left_alone(server, cache, tmp_path):
    (tmp_path / NAME).write_bytes(b"<html>")
    with pytest.raises(DataError, match=rf"{NAME} is a web page: delete it, or replace it"):
        archives.get(NAME, tmp_path, cache, read)
    assert (tmp_path / NAME).read_bytes() == b"<html>"
    assert server.asked == []
