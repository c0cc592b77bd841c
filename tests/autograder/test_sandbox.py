"""Hostile student code, at every level of the sandbox that works here.

Root has all three levels if other users can reach the interpreter. Where they cannot, and for the
user namespaces of everybody else, the last test runs this file again, in a view of the files in
which they can.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from autograder import launcher
from autograder.sandbox import SandboxError, choose_sandbox
from tests.autograder.again import run_again

ROOT = Path(__file__).parent.parent.parent
PREFIX = f"""
import contextlib, ctypes, json, os, resource, signal, socket, sys, threading, time
ROOT = {str(ROOT)!r}

def fails(action, *arguments):
    try:
        action(*arguments)
    except (OSError, ImportError, ValueError):
        return True
    return False

def daemon(marker):  # forks twice, leaves the session and keeps no pipe
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.closerange(0, 3)
            os.execv("/bin/sleep", ["sleep", marker])
        os._exit(0)
    os.wait()
"""


@pytest.fixture(scope="module", params=["bubblewrap", "uid", "plain"])
def anyhow(request):
    """A sandbox of every level."""
    try:
        return choose_sandbox(request.param)
    except SandboxError as error:
        pytest.skip(str(error))


@pytest.fixture
def sandbox(anyhow):
    """A sandbox of the levels that resist."""
    if anyhow.level == "plain":
        pytest.skip("the level plain protects nothing")
    return anyhow


@pytest.fixture
def place(monkeypatch):
    """A folder that other users can enter, as pytest's cannot; temporary files go to its tmp."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        (Path(folder) / "tmp").mkdir()
        monkeypatch.setattr(tempfile, "tempdir", f"{folder}/tmp")
        monkeypatch.setenv("TMPDIR", f"{folder}/tmp")
        yield Path(folder)


@pytest.fixture
def begin(place):
    """Start a script as child.py, beside an hw1.py."""
    children = []

    def begin(sandbox, script, data=None, threads=1):
        code, homework = place / "code", place / "homework"
        code.mkdir(exist_ok=True)
        homework.mkdir(exist_ok=True)
        (code / "child.py").write_text(PREFIX + script)
        (homework / "hw1.py").write_text("answer = 42\n")
        children.append(sandbox.start(code, homework, data, threads))
        return children[-1]

    yield begin
    for child in children:
        child.end()


@pytest.fixture
def answer(begin):
    """What a script prints, as JSON."""

    def answer(*arguments, **options):
        child = begin(*arguments, **options)
        text = child.stdout.read()
        assert text, child.end()
        return json.loads(text)

    return answer


def new_marker():
    """A duration of sleep that nothing else on this machine uses."""
    return str(int.from_bytes(os.urandom(4)) + 10**6)


def running(marker):
    """The processes with this word on their command line."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if marker.encode() in file.read_bytes():
                found.append(int(file.parent.name))
        except OSError:
            pass
    return found


def wait_until(condition, seconds=10):
    """Whether it becomes true in time."""
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


def test_a_child_answers(anyhow, begin):
    child = begin(anyhow, "sys.stdout.buffer.write(sys.stdin.buffer.readline().upper())")
    assert child.alive
    child.stdin.write(b"hello\n")
    assert child.stdout.readline() == b"HELLO\n"
    assert child.stdout.read() == b""
    assert child.end() == child.end() == "ended by itself with exit code 0"
    assert not child.alive


@pytest.mark.parametrize(
    ("script", "ending"),
    [
        ("sys.exit(3)", "ended by itself with exit code 3"),
        ("1 / 0", "ended by itself with exit code 1"),
        ("ctypes.string_at(0)", "was ended by signal 11 (segmentation fault)"),
        ("os.kill(os.getpid(), signal.SIGTERM)", "was ended by signal 15 (terminated)"),
    ],
)
def test_the_end_is_described(anyhow, begin, script, ending):
    child = begin(anyhow, script)
    assert child.stdout.read() == b""
    assert child.end() == ending


def test_an_endless_loop_is_stopped(anyhow, begin):
    child = begin(anyhow, "signal.signal(15, signal.SIG_IGN)\nprint(1)\nwhile True: pass")
    assert child.stdout.readline() == b"1\n"
    started = time.monotonic()
    assert child.end() == "was stopped"
    assert time.monotonic() - started < 5


def test_a_closed_pipe_is_seen_at_once(anyhow, begin):
    if anyhow.level == "bubblewrap":
        pytest.skip("bubblewrap itself holds the pipe open")
    child = begin(anyhow, "os.close(1)\ntime.sleep(5)")
    started = time.monotonic()
    assert child.stdout.read() == b""
    assert time.monotonic() - started < 4
    assert child.end() == "was stopped"


def test_nothing_private_can_be_read(sandbox, answer, place):
    secret = place / "secret"
    secret.write_text("expected values")
    secret.chmod(0o600)
    marker = new_marker()
    other = subprocess.Popen(["sleep", marker], env={"SECRET": "seed"})
    script = f"""
folders = ["solutions", "autograder", "tests", ".git"]
print(json.dumps({{
    "folders": all(fails(os.listdir, f"{{ROOT}}/{{name}}") for name in folders),
    "solutions": fails(open, f"{{ROOT}}/solutions/hw1.py"),
    "import": fails(__import__, "solutions.hw1") and fails(__import__, "autograder.record"),
    "shadow": fails(open, "/etc/shadow"),
    "secret": fails(open, {str(secret)!r}),
    "home": {os.path.expanduser("~")!r} == "/" or fails(open, {os.path.expanduser("~/.bashrc")!r}),
    "environ": fails(open, "/proc/{other.pid}/environ"),
    "grader": fails(open, "/proc/{os.getpid()}/environ"),
}}))
"""
    try:
        got = answer(sandbox, script)
    finally:
        other.kill()
        other.wait()
    assert all(got.values()), got
    assert {entry.name for entry in (ROOT / "solutions").iterdir()}  # there is something to hide


def test_only_its_own_folders_can_be_written(sandbox, begin, place):
    data = place / "images"
    data.mkdir()
    marker = f"left-{new_marker()}"
    script = f"""
def write(folder):
    with open(os.path.join(folder, {marker!r}), "w") as file:
        file.write("x")

closed = ["/", "/etc", "/usr", "/dev", "/proc", "/var", ROOT, sys.prefix, sys.base_prefix]
closed += [os.path.dirname(__file__), "omniglot_resized", os.path.expanduser("~/..")]
# What lies in /tmp is hidden, and the way to it is in the sandbox's own /tmp.
closed = [path for path in closed if not os.path.abspath(path).startswith("/tmp/")]
print(json.dumps({{
    "written": [path for path in closed if path != "/tmp/.." and not fails(write, path)],
    "failed": [path for path in (".", "/tmp", "/dev/shm") if fails(write, path)],
    "file": fails(open, "hw1.py", "w"),
}}))
"""
    child = begin(sandbox, script, data=data)
    got = json.loads(child.stdout.readline())
    child.end()
    assert got["written"] == got["failed"] == []
    assert got["file"] == (sandbox.level == "bubblewrap")
    assert not list(place.rglob(marker))
    assert not [path for path in ("/tmp", "/dev/shm") if Path(path, marker).exists()]


def test_the_network_is_closed(sandbox, answer):
    if "no network" not in sandbox.protections:
        pytest.skip("network namespaces are closed here")
    with socket.create_server(("127.0.0.1", 0)) as server:
        got = answer(
            sandbox,
            f"""
print(json.dumps({{
    "loopback": fails(socket.create_connection, ("127.0.0.1", {server.getsockname()[1]}), 3),
    "interfaces": [name for _, name in socket.if_nameindex()],
}}))
""",
        )
    assert got["loopback"]
    assert not {"eth0", "ens5", "enp0s1"} & set(got["interfaces"])


def test_a_fork_bomb_stays_small(sandbox, begin):
    marker = new_marker()
    script = f"""
forks = 0
with contextlib.suppress(OSError):
    while forks < 400:
        if os.fork() == 0:
            os.execv("/bin/sleep", ["sleep", {marker!r}])
        forks += 1
print(forks)
signal.pause()
"""
    child = begin(sandbox, script)
    assert 30 <= int(child.stdout.readline()) <= 300
    assert running(marker)
    child.end()
    assert not running(marker)


def test_a_memory_bomb_ends(anyhow, answer):
    script = """
import mmap
blocks = []
with contextlib.suppress(OSError):
    while len(blocks) < 16:
        blocks.append(mmap.mmap(-1, 256 << 20, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))
print(len(blocks))
"""
    assert 4 <= answer(anyhow, script) <= 8


def test_shared_memory_counts(sandbox, begin):
    script = """
import mmap
shared = mmap.mmap(-1, 5 << 29)
for i in range(0, 5 << 29, mmap.PAGESIZE):
    shared[i] = 1
time.sleep(2)
"""
    child = begin(sandbox, script)
    child.stdout.read()
    assert child.end() == "was stopped: it used more than 2048 MiB of memory"


def test_files_without_a_name_count(sandbox, begin):
    script = """
for _ in range(10):
    file = os.memfd_create("held")
    for _ in range(250):
        os.write(file, bytes(10**6))
time.sleep(2)
"""
    child = begin(sandbox, script)
    child.stdout.read()
    assert child.end() == "was stopped: it used more than 2048 MiB of memory"


def test_memory_is_measured(anyhow, begin):
    child = begin(anyhow, "block = bytearray(200 << 20)\nprint(1)\nsignal.pause()")
    child.stdout.readline()
    assert 200 << 20 < child.memory() < 260 << 20
    child.end()
    assert child.memory() == 0


def test_files_stay_small(anyhow, answer):
    script = """
size = 0
with contextlib.suppress(OSError), open("big", "wb") as file:
    while size < 300:
        os.truncate("big", (size + 1) << 20)
        size += 1
print(size)
"""
    assert answer(anyhow, script) == 256


def test_the_disk_stays_free(sandbox, answer):
    if sandbox.level != "bubblewrap":
        pytest.skip("only bubblewrap bounds all files together")
    script = """
total = 0
for folder in (".", "/tmp", "/dev/shm"):
    with contextlib.suppress(OSError):
        for i in range(10):
            with open(f"{folder}/{i}", "wb", buffering=0) as file:
                for _ in range(50):
                    total += file.write(bytes(1 << 20))
print(total >> 20)
"""
    assert 550 <= answer(sandbox, script) <= 660


def test_a_daemon_ends_with_the_child(anyhow, begin):
    marker = new_marker()
    child = begin(anyhow, f"daemon({marker!r})\nprint(1)\nsys.stdin.readline()\nsys.exit(5)")
    child.stdout.readline()
    assert wait_until(lambda: running(marker))
    child.stdin.write(b"\n")
    child.stdout.read()
    assert child.end() == "ended by itself with exit code 5"
    assert not running(marker)


def test_end_ends_a_daemon(anyhow, begin):
    marker = new_marker()
    child = begin(anyhow, f"daemon({marker!r})\nprint(1)\nsignal.pause()")
    child.stdout.readline()
    assert wait_until(lambda: running(marker))
    assert child.end() == "was stopped"
    assert not running(marker)


GRADER = """
import sys
from pathlib import Path
from autograder.sandbox import Sandbox, choose_sandbox
sandbox = choose_sandbox(sys.argv[1])
print("chosen", flush=True)
sys.stdin.readline()
child = sandbox.start(Path(sys.argv[2]), Path(sys.argv[2]), None, 1)
print(child.stdout.read(8).decode(), flush=True)
sys.stdin.readline()
"""


@pytest.mark.parametrize("delay", [0.02, 0.08, None])
def test_killing_the_grader_leaves_nothing(anyhow, place, delay):
    marker = new_marker()
    code = place / "code"
    code.mkdir()
    (code / "child.py").write_text(
        f"{PREFIX}\ndaemon({marker!r})\nprint('started', flush=True)\nsignal.pause()"
    )
    grader = subprocess.Popen(
        [sys.executable, "-c", GRADER, anyhow.level, str(code)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
        cwd=ROOT,
    )
    with grader:
        assert grader.stdout.readline() == b"chosen\n"
        grader.stdin.write(b"\n")
        if delay is None:
            assert grader.stdout.readline() == b"started\n"
            assert wait_until(lambda: running(marker))
        else:
            time.sleep(delay)
        family = launcher.descendants(grader.pid)
        grader.kill()
    assert wait_until(lambda: not any(map(is_alive, family)))
    assert wait_until(lambda: not running(str(place)))  # a launcher that was just being started
    assert not running(marker)
    if delay is None:
        left = (place / "tmp").rglob
        assert wait_until(lambda: {path.name for path in left("*")} <= {"autograder-users"})


def is_alive(pid):
    """Whether a process exists and is not a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_killing_the_launcher_ends_the_child(anyhow, begin):
    others = launcher.descendants(os.getpid())
    child = begin(anyhow, "print(1)\nsignal.pause()")
    child.stdout.readline()
    family = [pid for pid in launcher.descendants(os.getpid()) if pid not in others]
    assert len(family) >= 2
    os.kill(family[0], signal.SIGKILL)
    assert wait_until(lambda: not any(map(is_alive, family)))
    assert child.end() == "was stopped"


def test_signals_do_not_leave_the_sandbox(sandbox, answer):
    script = f"""
for pid in (os.getppid(), {os.getpid()}, 1, -1):
    with contextlib.suppress(OSError):
        os.kill(pid, signal.SIGKILL)
print(1)
"""
    assert answer(sandbox, script) == 1


def test_rights_cannot_come_back(sandbox, answer):
    script = """
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
hard = {name: resource.getrlimit(getattr(resource, name))[1]
        for name in ("RLIMIT_DATA", "RLIMIT_NPROC", "RLIMIT_FSIZE", "RLIMIT_CPU", "RLIMIT_CORE")}
print(json.dumps({
    "capabilities": [status[name].strip("\\t0\\n") for name in ("CapEff", "CapPrm", "CapAmb")],
    "no new privileges": status["NoNewPrivs"].strip(),
    "groups": os.getgroups(),
    "users": [*os.getresuid(), *os.getresgid()],
    "raised": [name for name, limit in hard.items() if not fails(
        resource.setrlimit, getattr(resource, name), (limit + 1, limit + 1))],
    "namespace": ctypes.CDLL(None).unshare(0x10000000),
}))
"""
    got = answer(sandbox, script)
    assert got["capabilities"] == ["", "", ""]
    assert got["no new privileges"] == "1"
    assert 0 not in got["users"] + got["groups"]
    assert got["raised"] == []
    if sandbox.level == "bubblewrap":
        assert got["namespace"] == -1  # in a user namespace it would be root


def test_nothing_of_the_grader_is_inherited(anyhow, answer, monkeypatch):
    monkeypatch.setenv("SECRET", "seed")
    with open(ROOT / "README.md") as file:
        os.set_inheritable(file.fileno(), True)
        got = answer(
            anyhow,
            """
files = [int(name) for name in os.listdir("/proc/self/fd")]
print(json.dumps({
    "files": [number for number in files if not fails(os.fstat, number)],
    "environment": dict(os.environ),
}))
""",
            threads=3,
        )
    assert got["files"] == [0, 1, 2]
    environment = got["environment"]
    assert set(environment) <= {
        *("PATH", "HOME", "TMPDIR", "USER", "LANG", "PWD"),
        *("OMP_NUM_THREADS", "MKL_NUM_THREADS", "PYTHONDONTWRITEBYTECODE", "PYTHONHASHSEED"),
        "MALLOC_MMAP_THRESHOLD_",
    }
    assert environment["OMP_NUM_THREADS"] == "3"
    assert environment["HOME"] != os.path.expanduser("~")


def test_links_in_a_submission_are_left_out(anyhow, answer, place):
    (place / "homework" / "pictures").mkdir(parents=True)
    (place / "homework" / "pictures" / "a.txt").write_text("a")
    (place / "homework" / "stolen.py").symlink_to(ROOT / "solutions" / "hw1.py")
    script = "print(json.dumps([*sorted(os.listdir()), open('pictures/a.txt').read()]))"
    assert answer(anyhow, script) == ["hw1.py", "pictures", "a"]


def test_torch_works_within_the_limits(anyhow, answer, place):
    from PIL import Image

    for name in ("images/Greek/character01", "images/Latin/character02"):
        (place / name).mkdir(parents=True)
        for i in range(3):
            Image.new("L", (28, 28), 255).save(place / name / f"{i}.png")
    (place / "images.npz").write_bytes(b"packed")
    script = """
import imageio.v3, numpy, torch

class Images(torch.utils.data.IterableDataset):
    def __iter__(self):
        while True:
            yield imageio.v3.imread("omniglot_resized/Greek/character01/0.png")

batches = iter(torch.utils.data.DataLoader(Images(), batch_size=64, num_workers=2))
shapes = [list(next(batches).shape) for _ in range(3)]
layer = torch.nn.LSTM(784, 128)
optimizer = torch.optim.AdamW(layer.parameters())
layer(torch.ones(5, 16, 784))[0].sum().backward()
optimizer.step()
print(json.dumps({
    "shapes": shapes,
    "threads": torch.get_num_threads(),
    "product": float((numpy.ones((300, 300)) @ numpy.ones((300, 300)))[0, 0]),
    "packed": open("omniglot_resized.npz").read(),
    "closed": fails(os.remove, "omniglot_resized/Greek/character01/0.png"),
}))
os._exit(0)
"""
    got = answer(anyhow, script, data=place / "images", threads=2)
    assert got["shapes"] == [[64, 28, 28]] * 3
    assert got["threads"] == 2
    assert got["product"] == 300
    assert got["packed"] == "packed"
    assert got["closed"] or anyhow.level == "plain"


def test_data_that_another_user_cannot_read(sandbox, begin, place):
    if "own user" not in sandbox.protections:
        pytest.skip("needs root: the code runs as this user")
    (place / "images").mkdir(mode=0o700)
    with pytest.raises(SandboxError, match=r"may not read .*/images: chmod"):
        begin(sandbox, "", data=place / "images")


def test_start_is_fast(anyhow, begin):
    best = 10.0
    for _ in range(5):
        started = time.monotonic()
        child = begin(anyhow, "print(1)")
        child.stdout.readline()
        best = min(best, time.monotonic() - started)
        child.end()
    assert best < 0.5


def test_a_level_can_be_asked_for(monkeypatch):
    monkeypatch.setenv("AUTOGRADER_SANDBOX", "plain")
    assert choose_sandbox().level == "plain"
    assert choose_sandbox().protections[0] == "none: student code runs with your rights"
    monkeypatch.setenv("AUTOGRADER_SANDBOX", "fort")
    with pytest.raises(SandboxError, match="no sandbox level fort: choose bubblewrap, uid, plain"):
        choose_sandbox()


def test_bubblewrap_works_where_its_program_does():
    bwrap = ["bwrap", "--unshare-net", "--unshare-pid", "--ro-bind", "/", "/", "--proc", "/proc"]
    try:
        subprocess.run([*bwrap, "true"], check=True, stderr=subprocess.DEVNULL)
    except (FileNotFoundError, subprocess.CalledProcessError):
        pytest.skip("bwrap does not work here")
    assert choose_sandbox("bubblewrap").level == choose_sandbox().level == "bubblewrap"


def test_a_missing_bubblewrap_is_named(monkeypatch, place):
    monkeypatch.setenv("PATH", str(place))
    with pytest.raises(SandboxError, match="there is no command bwrap"):
        choose_sandbox("bubblewrap")
    assert choose_sandbox().level in {"uid", "plain"}


def test_a_broken_bubblewrap_is_named(monkeypatch, place):
    (place / "bwrap").write_text("#!/bin/sh\necho 'bwrap: no namespaces here' >&2\nexit 1\n")
    (place / "bwrap").chmod(0o755)
    monkeypatch.setenv("PATH", f"{place}:{os.environ['PATH']}")
    with pytest.raises(SandboxError, match=r"could not be started \(bwrap: no namespaces here\)"):
        choose_sandbox("bubblewrap")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
@pytest.mark.skipif(bool(os.environ.get("AGAIN")), reason="this is the second run")
@pytest.mark.parametrize("user", ["root", "nobody"])
def test_again_where_the_interpreter_is_open(user):
    become = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    tests = "not shared"
    if user != "root":  # what the namespaces could change
        tests = "private or written or fork or network or rights or daemon or torch or measured"
    levels = f"{'[uid' if user == 'root' else '[bubblewrap'} and ({tests})"
    run_again(levels, __file__, become if user != "root" else [])
