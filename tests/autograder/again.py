"""Run tests again where another user can read the interpreter.

The sandbox level uid cannot work with a Python below a closed folder, such as /root. Then its tests
run a second time, in a private view of the files in which the way to the interpreter is open.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Closed folders on the way to the interpreter are empty here but for the way, and the rooms of the
# repository are copies that every user can read.
VIEW = """
set -e
stage=$(mktemp -d)
mount -t tmpfs -o mode=755 none $stage
mkdir $stage/python $stage/home
mount --bind "$PREFIX" $stage/python
mount -t tmpfs -o mode=755 none "$CLOSED"
mkdir -p "$PREFIX"
mount --bind $stage/python "$PREFIX"
for room in autograder fewshot solutions tests; do
    cp -a "$ROOT/$room" $stage/$room
    chmod -R u=rwX,go=rX $stage/$room
    mount --bind $stage/$room "$ROOT/$room"
done
mount -t tmpfs -o mode=755 none "$ROOT/.git"
chmod 1777 /dev/shm
cd "$ROOT"
exec "$@"
"""


def run_again(which: str, file: str, become: list[str]) -> None:
    """Run the tests of `file` that match `which`, in the view, as the user that `become` makes.

    Skips the test that asks where the interpreter is open anyway, or no view can be made.
    """
    prefix = Path(sys.base_prefix).resolve()
    closed = [path for path in reversed(prefix.parents) if not path.stat().st_mode & 0o001]
    if not closed:
        pytest.skip("the interpreter is open")
    if subprocess.run(["unshare", "-m", "true"], stderr=subprocess.DEVNULL).returncode:
        pytest.skip("needs mount namespaces")
    base = tempfile.mkdtemp()
    os.chmod(base, 0o777)
    ran = subprocess.run(
        [
            *("unshare", "-m", "bash", "-c", VIEW, "bash", *become, sys.executable, "-m", "pytest"),
            *("-q", "-p", "no:cacheprovider", "--basetemp", f"{base}/again", "--durations=12"),
            *("-k", which, file),
        ],
        env={
            **os.environ,
            **{"AGAIN": "1", "HOME": "/", "PYTHONDONTWRITEBYTECODE": "1"},
            **{"PREFIX": str(prefix), "CLOSED": str(closed[0]), "ROOT": str(ROOT)},
        },
        capture_output=True,
        text=True,
    )
    shutil.rmtree(base)
    print(ran.stdout, ran.stderr)
    assert ran.returncode == 0
    assert " passed" in ran.stdout
