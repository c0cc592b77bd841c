"""Run one command with few rights, watch it, and leave nothing of it behind.

A program of its own, `python -I -S -B launcher.py PLAN`, that stands between the grader and the
student's code: it is small, it starts in milliseconds, and it outlives a grader that is killed.
The last line on its stderr says how the command ended; lines before it say what went wrong first.

PLAN is JSON:
    grader: the process that started this one; when it is gone, the command is ended.
    command: what to run.
    inside: a PLAN of which only `enter` is done, by this program in the sandbox; null does it here.
    folder: removed at the end.
    uid: the command's user, or null; of this user nothing may be left.
    cwd, limits, chroot, unshare: see `enter`.
    memory: bytes that all processes of the command may take together.
"""

import contextlib
import ctypes
import json
import os
import resource
import select
import signal
import sys

LINUX = sys.platform == "linux"
PERIOD = 0.2  # seconds between two looks at the grader and at the memory
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 1, 36, 38
CLONE_NEWIPC, CLONE_NEWNET = 0x08000000, 0x40000000
MS_BIND, MS_REC = 4096, 16384
OPEN = ("/tmp", "/var/tmp", "/dev/shm", "/run/lock")  # where everybody may write


def descendants(root: int) -> list[int]:
    """The processes that `root` started and those that they started; [] where there is no /proc."""
    children = {}
    with contextlib.suppress(FileNotFoundError):
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError), open(f"/proc/{pid}/stat", "rb") as file:
                parent = int(file.read().rpartition(b")")[2].split()[1])
                children.setdefault(parent, []).append(int(pid))
    found = [root]
    for pid in found:
        found += children.get(pid, [])
    return found[1:]


def memory_of(pids: list[int]) -> int:
    """Bytes of memory; a page that several processes share counts in parts."""
    total = 0
    for pid in pids:
        # A process that has just ended has no memory.
        with contextlib.suppress(OSError), open(f"/proc/{pid}/smaps_rollup") as file:
            total += sum(int(line.split()[1]) for line in file if line.startswith("Pss:")) * 1024
    return total


def resident(pids: list[int]) -> int:
    """Bytes of memory, too many where processes share it, at a hundredth of the time."""
    pages = 0
    for pid in pids:
        with contextlib.suppress(OSError), open(f"/proc/{pid}/statm") as file:
            pages += int(file.read().split()[1])
    return pages * resource.getpagesize()


def nameless(pids: list[int]) -> int:
    """Bytes of files that live in memory without a name, which no process's size shows."""
    sizes = {}
    for pid in pids:
        with contextlib.suppress(OSError), os.scandir(f"/proc/{pid}/fd") as opened:
            for file in opened:
                with contextlib.suppress(OSError):
                    if os.readlink(file.path).startswith("/memfd:"):
                        status = os.stat(file.path)
                        sizes[status.st_dev, status.st_ino] = status.st_blocks * 512
    return sum(sizes.values())


def prctl(option: int, value: int) -> None:
    """Change a property of this process, on Linux."""
    if LINUX:
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def enter(plan: dict) -> None:
    """Give up every right that the command need not have, and become it.

    `unshare` asks for a network of its own and goes on without where that is not allowed. `chroot`
    enters a second view of the same files, for the kernel makes no user namespace (in which one is
    root again) for a process in one. `limits` are those of `resource`, by name.
    """
    if LINUX:
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write("1000")  # short of memory, the kernel ends this one first
    libc = ctypes.CDLL(None, use_errno=True)
    if plan["unshare"]:
        libc.unshare(CLONE_NEWNET | CLONE_NEWIPC)
    if plan["chroot"]:
        if libc.mount(b"/", plan["chroot"].encode(), None, MS_BIND | MS_REC, None):
            sys.exit(f"mount: {os.strerror(ctypes.get_errno())}")
        os.chroot(plan["chroot"])
    for name, limit in plan["limits"].items():
        kind = getattr(resource, name)
        hard = resource.getrlimit(kind)[1]
        limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(kind, (limit, limit))
    if plan["uid"] is not None:
        os.setgroups([])
        os.setresgid(*[plan["uid"]] * 3)
        os.setresuid(*[plan["uid"]] * 3)
    prctl(PR_SET_NO_NEW_PRIVS, 1)  # no way back through sudo
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # after setresuid, which clears it
    os.chdir(plan["cwd"])
    complaints = os.dup(2)  # closes itself when the command starts
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    try:
        os.execv(plan["command"][0], plan["command"])
    except OSError as error:
        program = os.path.realpath(plan["command"][0])
        os.write(complaints, f"{program}: {error.strerror}\n".encode())
        os._exit(127)


def start(plan: dict) -> int:
    """Start the command in a session of its own.

    Returns:
        Its process id, which is its group's too.
    """
    pid = os.fork()
    if pid:
        return pid
    try:
        os.setsid()
        if plan["inside"] is None:
            enter(plan)
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        os.execv(plan["command"][0], [*plan["command"], json.dumps(plan["inside"])])
    except BaseException as error:
        os.write(2, f"{error}\n".encode())
    os._exit(127)


def reap(first: int) -> tuple[int | None, bool]:
    """Collect processes that have ended.

    Returns:
        The exit code of `first` if it is among them, as `subprocess` has it, and whether any
        process is left.
    """
    code = None
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return code, True
            if pid == first:
                code = os.waitstatus_to_exitcode(status)
    return code, False


def watch(plan: dict, first: int, wake: int) -> str:
    """Wait until the command ends or has to.

    Returns:
        How it ended.
    """
    while True:
        stop = select.select([wake], [], [], PERIOD)[0] and signal.SIGTERM in os.read(wake, 4096)
        code, _ = reap(first)
        if code is not None:
            return describe(code)
        if stop or os.getppid() != plan["grader"]:
            return "was stopped"
        pids = descendants(os.getpid())
        held = nameless(pids)
        if resident(pids) + held > plan["memory"] and memory_of(pids) + held > plan["memory"]:
            return f"was stopped: it used more than {plan['memory'] >> 20} MiB of memory"


def describe(code: int) -> str:
    """An exit code in words. Above 128 it is a signal's, as bubblewrap and the shells have it."""
    number = code - 128 if code > 128 else -code
    if number <= 0:
        return f"ended by itself with exit code {code}"
    name = signal.strsignal(number) if number < signal.NSIG else None
    return f"was ended by signal {number} ({(name or 'unknown').lower()})"


def end_all(first: int, uid: int | None) -> None:
    """Kill every process that is left, also those that have left the group of the command."""
    left = True
    while left:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(first, signal.SIGKILL)  # a whole group at once, it cannot fork meanwhile
        for pid in descendants(os.getpid()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if uid is not None:
            end_user(uid)
        left = reap(first)[1]
        select.select([], [], [], 0.002 if left else 0)


def end_user(uid: int) -> None:
    """Kill all processes of a user at once: what another process does with kill(-1) as this one."""
    pid = os.fork()
    if pid:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)
        return
    try:
        os.setresuid(uid, uid, uid)
        os.kill(-1, signal.SIGKILL)
    finally:
        os._exit(0)


def remove(folder: str, uid: int | None) -> None:
    """Remove the folder, and what the user left where everybody may write."""
    if uid is not None:
        find = ["find", *filter(os.path.exists, OPEN), "-mindepth", "1", "-maxdepth", "2"]
        find += ["-uid", str(uid), "-prune", "-exec", "rm", "-rf", "--", "{}", "+"]
        os.spawnvp(os.P_WAIT, "find", find)
    os.spawnlp(os.P_WAIT, "rm", "rm", "-rf", "--", folder)  # not recursive, as shutil.rmtree is


def main(plan: dict) -> None:
    """Start, watch, end and remove."""
    prctl(PR_SET_CHILD_SUBREAPER, 1)  # a daemon becomes a child of this process
    wake, write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK) if LINUX else os.pipe()
    os.set_blocking(write, False)
    signal.set_wakeup_fd(write)
    signal.signal(signal.SIGTERM, lambda *_: None)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    first = start(plan)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)  # the command has the only ends of the grader's pipes
    os.dup2(null, 1)
    ending = watch(plan, first, wake)
    end_all(first, plan["uid"])
    os.write(2, f"{ending}\n".encode())
    os.dup2(null, 2)
    remove(plan["folder"], plan["uid"])


if __name__ == "__main__":
    plan = json.loads(sys.argv[1])
    main(plan) if "grader" in plan else enter(plan)
