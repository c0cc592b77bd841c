"""What the code sees in bubblewrap: an interpreter, the homework, the data and nothing else."""

import functools
import os
import sys
from pathlib import Path

from autograder import launcher

TMP_SIZE = 64 << 20  # bytes of each writable folder
SHM_SIZE = 512 << 20  # bytes of /dev/shm, through which DataLoader workers send
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
SYSTEM += ("/etc/alternatives", "/etc/ld.so.cache", "/etc/localtime", "/sys/devices/system/cpu")


def view_of(folder: Path, images: dict[str, Path], hidden: list[Path]) -> list[str]:
    """The options of `bwrap` up to the command; paths are mounted in this order.

    Args:
        folder: has `code` and `homework`, there as /code and /homework.
        images: what is put into /homework besides: its name there → the folder or file.
        hidden: folders to be empty and closed, should they lie in one that is shown.
    """
    command = ["--die-with-parent", "--new-session"]
    command += ["--unshare-ipc", "--unshare-net", "--unshare-pid", "--unshare-uts"]
    command += ["--unshare-cgroup-try", "--proc", "/proc", "--dev", "/dev", "--dir", "/view"]
    writable = {"/tmp": TMP_SIZE, "/homework": TMP_SIZE, "/dev/shm": SHM_SIZE}
    for path, size in writable.items():
        command += ["--perms", "1777", "--size", str(size), "--tmpfs", path]
    visible = [*filter(os.path.exists, SYSTEM), *_interpreter()]
    ways = {str(way) for path in visible for way in Path(path).parents}
    for way in sorted(ways - {"/", *writable}):
        command += ["--perms", "0755", "--dir", way]  # else closed to other users
    for path in visible:
        command += ["--ro-bind", path, path]
    for path in hidden:
        if path.is_dir() and _is_under(path, visible):
            command += ["--perms", "0000", "--tmpfs", str(path)]
    files = {f"/homework/{path.name}": path for path in (folder / "homework").iterdir()}
    files |= {f"/homework/{name}": path for name, path in images.items()}
    files |= {"/code": folder / "code", "/launcher.py": launcher.__file__}
    for name, path in files.items():
        command += ["--ro-bind", str(path), name]
    return [*command, "--remount-ro", "/dev", "--remount-ro", "/", "--"]


@functools.cache
def _interpreter() -> list[str]:
    """What a Python needs from its folders, which may lie in a home or hold a repository."""
    paths = []
    for prefix in {sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix}:
        for folder in {prefix, os.path.realpath(prefix)}:
            paths += [f"{folder}/{name}" for name in ("bin", "lib", "lib64", "pyvenv.cfg")]
    link = sys.executable  # a link to a link to the program, by ways of its own
    while link:
        paths.append(link)
        target = os.readlink(link) if os.path.islink(link) else None
        link = target and os.path.join(os.path.dirname(link), target)
    paths = sorted(path for path in map(os.path.normpath, set(paths)) if os.path.exists(path))
    kept = []
    for path in paths:
        if not _is_under(path, [*SYSTEM, *kept]):
            kept.append(path)
    return kept


def _is_under(path: Path | str, folders: list[str]) -> bool:
    return any(Path(path).is_relative_to(folder) for folder in folders)
