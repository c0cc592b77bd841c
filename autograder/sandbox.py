"""Run student code with few rights.

Three levels. "bubblewrap" shows the code a file system of its own, with an interpreter and its
packages, the homework and the data, and no network. "uid", for root where bubblewrap does not work,
runs it as a user that owns nothing. "plain" has limits only. At every level `launcher` watches the
code and ends all of it, also when the grader is killed.
"""

import contextlib
import json
import os
import select
import shutil
import stat
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from autograder import launcher
from autograder.bubblewrap import view_of
from autograder.users import NoUserError, new_user, threads_of

LEVELS = ("bubblewrap", "uid", "plain")

MEMORY = 2 << 30  # bytes, of a process and of all together
PROCESSES = 200  # threads included
FILE_SIZE = 256 << 20  # bytes
MOST_WORDS = 8192  # bytes of what is read of a launcher's stderr
CPU_SECONDS = 3600  # of a process
BOUNDS = [f"memory {MEMORY >> 30} GiB", f"files of {FILE_SIZE >> 20} MiB"]

ROOT = Path(__file__).resolve().parent.parent
HIDDEN = [ROOT / name for name in (".git", "autograder", "fewshot", "solutions", "tests")]
DATA = "omniglot_resized"  # what the data is called in the child's folder

LAUNCHER = [sys.executable, "-I", "-S", "-B"]
PROBE = """
import json, os, sys, threading
thread = threading.Thread(target=int)
thread.start()
hidden = json.loads({hidden!r})
network = os.path.exists("/proc/self/ns/net") and os.readlink("/proc/self/ns/net")
print(json.dumps({{"network": network, "open": [
    path for path in hidden if os.access(path, os.R_OK) or os.access(path, os.X_OK)]}}))
"""


class SandboxError(RuntimeError):
    """The code cannot be run this way; the message is a sentence that says why."""


class Child:
    """A running command.

    Attributes:
        stdin: raw binary pipe to it.
        stdout: raw binary pipe from it. What it writes to stderr is lost.
    """

    def __init__(self, plan: dict, environment: dict[str, str]):
        self._folder, self._uid = plan["folder"], plan["uid"]
        self._ending = None
        self._words = tempfile.TemporaryFile()  # noqa: SIM115, closed in `end`
        self._process = subprocess.Popen(
            [*LAUNCHER, launcher.__file__, json.dumps(plan)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._words,
            bufsize=0,
            env=environment,
            start_new_session=True,  # Ctrl-C is for the grader
        )
        self.stdin, self.stdout = self._process.stdin, self._process.stdout

    @property
    def alive(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def memory(self) -> int:
        """Bytes of all its processes together; 0 where there is no /proc."""
        return launcher.memory_of(launcher.descendants(self._process.pid)) if self.alive else 0

    def end(self) -> str:
        """End all its processes, remove all its files, and say how it had ended.

        Returns:
            The rest of a sentence, such as "ended by itself with exit code 3".
        """
        if self._ending is None:
            self._ending = self._end()
        return self._ending

    def _end(self) -> str:
        # Whoever has closed stdout is about to end by itself: it gets the time to.
        poll = select.poll()
        poll.register(self.stdout, 0)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(0.5 if poll.poll(0) else 0)
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for pipe in (self.stdin, self.stdout):
            pipe.close()
        if os.path.exists(self._folder):  # the launcher was killed before it could
            launcher.remove(self._folder, self._uid)
        with self._words:
            self._words.seek(max(0, self._words.seek(0, os.SEEK_END) - MOST_WORDS))
            *failure, ending = self._words.read().decode(errors="replace").splitlines() or [
                "was stopped"
            ]
        return f"could not be started ({failure[-1]})" if failure else ending


@dataclass(frozen=True)
class Sandbox:
    """A way to run student code.

    Attributes:
        level: "bubblewrap", "uid" or "plain".
        protections: what it keeps the code from, a phrase each.
        options: of bubblewrap, about users.
    """

    level: str
    protections: list[str]
    options: tuple[str, ...] = ()

    def start(self, code: Path, homework: Path, data: Path | None, threads: int) -> Child:
        """Run `python -u child.py`.

        Args:
            code: folder with child.py and what it imports.
            homework: folder with the submission; a copy of it is the working directory.
            data: folder of images, there as ./omniglot_resized, with its packed twin if it has one.
            threads: how many each process should compute with.

        Raises:
            SandboxError: another user would run the code, and none is free or may read the data.
            OSError: one of the folders cannot be read.
        """
        images = {}
        if data is not None:
            images[DATA] = data.resolve(strict=True)
            if (packed := Path(f"{data}.npz")).exists():
                images[f"{DATA}.npz"] = packed.resolve()
        try:
            uid, folder = new_user() if self._changes_user else (None, _new_folder())
        except NoUserError as error:
            raise SandboxError(str(error)) from error
        try:
            if uid is not None:
                _check_readable(images.values(), self.level)
            _copy(code, folder / "code")
            _copy(homework, folder / "homework", without=images)
            (folder / "homework").chmod(0o700)  # a submission is nobody else's
            return self._launch(folder, images, uid, threads)
        except BaseException:
            launcher.remove(str(folder), uid)
            raise

    @property
    def _changes_user(self) -> bool:
        return self.level != "plain" and os.geteuid() == 0

    def _launch(self, folder: Path, images: dict, uid: int | None, threads: int) -> Child:
        wrapped = self.level == "bubblewrap"
        cwd = "/homework" if wrapped else str(folder / "homework")
        child = "/code/child.py" if wrapped else str(folder / "code" / "child.py")
        enter = {
            "command": [sys.executable, "-u", child],
            "cwd": cwd,
            "limits": _limits(shared=self.level == "plain"),
            "uid": uid,
            "unshare": self.level == "uid",
            "chroot": "/view" if wrapped and uid is not None else None,
        }
        plan = {
            **enter,
            "grader": os.getpid(),
            "folder": str(folder),
            "memory": MEMORY,
            "inside": None,
        }
        if wrapped:
            bwrap = [shutil.which("bwrap"), *self.options, *view_of(folder, images, HIDDEN)]
            plan["command"] = [*bwrap, *LAUNCHER, "/launcher.py"]
            plan["inside"] = enter
        else:
            for name, path in images.items():
                (folder / "homework" / name).symlink_to(path)
        if self.level == "uid":
            for path in [folder / "homework", *(folder / "homework").rglob("*")]:
                os.chown(path, uid, uid, follow_symlinks=False)
        home = "/tmp" if wrapped else cwd
        return Child(plan, _environment(home, threads))


def choose_sandbox(level: str | None = None) -> Sandbox:
    """The strongest level that works here, or the one asked for, after a trial run.

    Args:
        level: one of LEVELS; None takes $AUTOGRADER_SANDBOX, and without it chooses.

    Raises:
        SandboxError: the level asked for is unknown or does not work here.
    """
    level = level or os.environ.get("AUTOGRADER_SANDBOX")
    if level is not None and level not in LEVELS:
        raise SandboxError(f"There is no sandbox level {level}: choose {', '.join(LEVELS)}.")
    for name in [level] if level else LEVELS:
        try:
            return {"bubblewrap": _bubblewrap, "uid": _uid, "plain": _plain}[name]()
        except SandboxError as error:
            failure = error
    raise failure


def _bubblewrap() -> Sandbox:
    if shutil.which("bwrap") is None:
        raise SandboxError("bubblewrap does not work here: there is no command bwrap.")
    protections = ["no network", "private files", "own processes"]
    if os.geteuid() == 0:
        # Root needs no user namespace to mount. The launcher takes the last steps inside.
        needed = ("SYS_ADMIN", "SYS_CHROOT", "SETUID", "SETGID")
        options = ["--cap-drop", "ALL"]
        options += [word for name in needed for word in ("--cap-add", f"CAP_{name}")]
        protections.append("own user")
    else:
        options = ["--unshare-user", "--disable-userns"]
    protections.append(f"{PROCESSES} processes")
    sandbox = Sandbox("bubblewrap", protections + BOUNDS, tuple(options))
    found = _probe(sandbox)
    if found["open"] or found["network"] == os.readlink("/proc/self/ns/net"):
        raise SandboxError("bubblewrap does not work here: it does not close what it should.")
    return sandbox


def _uid() -> Sandbox:
    if os.geteuid() != 0 or not launcher.LINUX:
        raise SandboxError("The sandbox level uid needs root on Linux.")
    protections = ["own user", f"{PROCESSES} processes"]
    found = _probe(Sandbox("uid", protections))
    for folder in map(Path, found["open"]):
        # A grader that is killed leaves nothing worse than a folder that is closed to others.
        _close(folder)
        protections.append(f"{folder.name} closed to other users")
    if found["open"] and _probe(Sandbox("uid", protections))["open"]:
        raise SandboxError(f"Other users can read {ROOT}: close it with chmod -R o-rwx.")
    if found["network"] != os.readlink("/proc/self/ns/net"):
        protections.append("no network")
    return Sandbox("uid", protections + BOUNDS)


def close_to_students(path: Path) -> None:
    """Let nobody but owner and group into a file or folder, if student code may be another user.

    A folder that is made for everybody, as /tmp is, stays as it is.
    """
    if os.geteuid() == 0:
        with contextlib.suppress(OSError):  # a file system that cannot be changed, say
            if not path.stat().st_mode & stat.S_ISVTX:
                _close(path)


def _close(path: Path) -> None:
    path.chmod(stat.S_IMODE(path.stat().st_mode) & ~0o007)


def _plain() -> Sandbox:
    sandbox = Sandbox("plain", ["none: student code runs with your rights", *BOUNDS])
    _probe(sandbox)
    return sandbox


def _probe(sandbox: Sandbox) -> dict:
    """Run a program that tells its network and which of HIDDEN it can read."""
    with tempfile.TemporaryDirectory() as folder:
        code, homework = Path(folder, "code"), Path(folder, "homework")
        code.mkdir()
        homework.mkdir()
        hidden = json.dumps([str(path) for path in HIDDEN])
        (code / "child.py").write_text(PROBE.format(hidden=hidden))
        child = sandbox.start(code, homework, None, threads=1)
        ready = select.select([child.stdout], [], [], 30)[0]
        answer = child.stdout.read(65536) if ready else b""
        ending = child.end()
    if not answer:
        raise SandboxError(f"The sandbox level {sandbox.level} does not work here: it {ending}.")
    return json.loads(answer)


def _limits(shared: bool) -> dict[str, int]:
    """Limits of each process, by their names in `resource`."""
    limits = {"RLIMIT_CORE": 0, "RLIMIT_NOFILE": 1024}
    limits |= {"RLIMIT_FSIZE": FILE_SIZE, "RLIMIT_CPU": CPU_SECONDS}
    if launcher.LINUX:
        limits["RLIMIT_DATA"] = MEMORY
        limits["RLIMIT_NPROC"] = PROCESSES + (threads_of(os.geteuid()) if shared else 0)
    return limits


def _environment(home: str, threads: int) -> dict[str, str]:
    return {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "HOME": home,
        "TMPDIR": home,
        "USER": "student",  # torch asks for a name, and the uid has none
        "LANG": "C.UTF-8",
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        "MALLOC_MMAP_THRESHOLD_": str(8 << 20),  # large arrays go back to the system
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
    }


def _new_folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="autograder-"))


def _check_readable(paths, level: str) -> None:
    """Bubblewrap mounts the data itself; else another user needs a way to it."""
    for path in paths:
        ways = [] if level == "bubblewrap" else path.parents
        for part, needed in [(path, 0o4), *((way, 0o1) for way in ways)]:
            if not part.stat().st_mode & needed:
                raise SandboxError(
                    f"Student code runs as another user, who may not read {part}: "
                    f"chmod o+rX {part}, or put the data elsewhere."
                )


def _copy(source: Path, target: Path, without=()) -> None:
    """Copy what every user may then read: folders and regular files, no links."""
    target.mkdir()
    target.chmod(0o755)
    for entry in os.scandir(source):
        if entry.name in without or entry.is_symlink():
            continue
        if entry.is_dir():
            _copy(Path(entry.path), target / entry.name)
        elif entry.is_file():
            shutil.copyfile(entry.path, target / entry.name)
            (target / entry.name).chmod(0o644)
