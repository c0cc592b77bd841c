"""A container as Gradescope's: root, with the capabilities that Docker leaves it and no more.

Made with bubblewrap by real root. Nothing can be mounted in it, and no user namespace is to be had,
for the kernel makes none in a changed root. The network is empty. Python, its packages and /usr are
this machine's.

    python -m tests.autograder.container --data omniglot_resized

prints what a whole grading of the solutions takes in it with half a core, Gradescope's default.
"""

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import pytest

from autograder import launcher
from autograder.release.gradescope import write_gradescope

ROOM = "/mnt"  # where the container's root lies until it is entered
CAPABILITIES = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP")
CAPABILITIES += ("NET_BIND_SERVICE", "NET_RAW", "SYS_CHROOT", "MKNOD", "AUDIT_WRITE", "SETFCAP")
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc")
SHM = 64 << 20  # Docker's /dev/shm
SLICE = 0.05  # seconds


def skip_without() -> None:
    """Skip the test that asks, and say why, where no such container can be made."""
    if not launcher.LINUX or os.geteuid() != 0:
        pytest.skip("a container as Gradescope's needs root on Linux")
    if shutil.which("bwrap") is None:
        pytest.skip("a container as Gradescope's needs bubblewrap")
    if sys.prefix == sys.base_prefix:
        pytest.skip("a container as Gradescope's borrows a virtual environment")
    if subprocess.run([*room(), "true"], stderr=subprocess.DEVNULL).returncode:
        pytest.skip("a container as Gradescope's needs root that may mount")


def room(binds: tuple[str, ...] = ()) -> list[str]:
    """The command line of a container, up to the command in it."""
    command = ["bwrap", "--die-with-parent", "--new-session", "--cap-drop", "ALL"]
    command += [word for name in CAPABILITIES for word in ("--cap-add", f"CAP_{name}")]
    command += ["--unshare-ipc", "--unshare-net", "--unshare-pid", "--unshare-uts"]
    command += ["--ro-bind", "/", "/", "--tmpfs", ROOM]
    python = os.path.realpath(sys.base_prefix)
    for way in reversed(Path(python).parents[:-1]):
        command += ["--perms", "0755", "--dir", f"{ROOM}{way}"]  # else closed to other users
    for path in (*filter(os.path.exists, SYSTEM), python):
        command += ["--ro-bind", path, f"{ROOM}{path}"]
    command += ["--proc", f"{ROOM}/proc", "--dev", f"{ROOM}/dev"]
    command += ["--perms", "1777", "--size", str(SHM), "--tmpfs", f"{ROOM}/dev/shm"]
    for path in ("/tmp", "/var/tmp"):
        command += ["--perms", "1777", "--tmpfs", f"{ROOM}{path}"]
    return [*command, *binds, "chroot", ROOM]


class Container:
    """A container whose /autograder is a folder of this machine.

    Args:
        place: the folder, empty.
        archive: the autograder's zip.
    """

    def __init__(self, place: Path, archive: Path) -> None:
        self.place = place
        self.binds = ("--bind", str(place), f"{ROOM}/autograder", "--chdir", "/")
        with zipfile.ZipFile(archive) as packed:
            packed.extractall(place / "source")
            for entry in packed.infolist():
                (place / "source" / entry.filename).chmod(entry.external_attr >> 16 & 0o777)
        shutil.copy(place / "source" / "run_autograder", place)
        (place / "results").mkdir()
        self.lend_venv()

    def lend_venv(self) -> None:
        """This virtual environment, as if setup.sh had made it and had installed everything."""
        venv, ours = self.place / "venv", Path(sys.prefix)
        (venv / "bin").mkdir(parents=True)
        (venv / "lib").mkdir()
        (venv / "bin" / "python").symlink_to(os.path.realpath(sys.executable))
        shutil.copy(ours / "pyvenv.cfg", venv)
        shutil.copy(self.place / "source" / "requirements.txt", venv / "installed")
        self.binds += ("--ro-bind", str(ours / "lib"), f"{ROOM}/autograder/venv/lib")

    def command(self, *words: str) -> list[str]:
        """What runs a command in it, as Gradescope does: in /autograder, with hardly a variable."""
        go = 'cd /autograder && exec "$@"'
        clean = ("env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8")
        return [*room(self.binds), *clean, "bash", "-c", go, "bash", *words]

    def run(self, *words: str, timeout: float = 300) -> subprocess.CompletedProcess:
        """Run a command to its end."""
        return subprocess.run(
            self.command(*words),
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=timeout,
        )

    def measure(self, *words: str, half: bool = False) -> tuple[float, float, int]:
        """Run a command, with half a core's time by stopping all its processes half of the time.

        Returns:
            Its seconds, those of them that a processor worked, and the most bytes that all of them
            together had.
        """
        started, work, most = time.monotonic(), {}, 0
        process = subprocess.Popen(self.command(*words), stdin=subprocess.DEVNULL)
        while process.poll() is None:
            below = launcher.descendants(process.pid)
            stopped = below if half else []
            send(stopped, signal.SIGSTOP)
            until = time.monotonic() + SLICE
            most = max(most, launcher.memory_of([process.pid, *below]))
            work |= {pid: seconds for pid in below if (seconds := work_of(pid))}
            time.sleep(max(0, until - time.monotonic()))
            send(stopped, signal.SIGCONT)
            time.sleep(SLICE)
        return time.monotonic() - started, sum(work.values()), most


def work_of(pid: int) -> float:
    """Seconds that processors have worked for a process; 0 when it has ended."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return sum(map(int, words[11:13])) / os.sysconf("SC_CLK_TCK")


def send(pids: list[int], number: signal.Signals) -> None:
    """Send a signal to those that still run."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.autograder.container")
    parser.add_argument("--data", type=Path, required=True)
    data = parser.parse_args().data
    with tempfile.TemporaryDirectory() as temporary:
        archive, place = Path(temporary, "autograder.zip"), Path(temporary, "autograder")
        write_gradescope(archive, data)
        container = Container(place, archive)
        container.run("source/setup.sh")
        shutil.copytree(place / "source" / "solutions", place / "submission")
        seconds, work, most = container.measure("./run_autograder", half=True)
        score = json.loads((place / "results" / "results.json").read_text())["score"]
    print("| score | seconds | of work | MiB |\n|--:|--:|--:|--:|")
    print(f"| {score:g} | {seconds:.0f} | {work:.0f} | {most / (1 << 20):.0f} |")


if __name__ == "__main__":
    main()
