"""Run hw1.py as its own program, and stop it when whoever started it is gone.

    python launch.py hw1.py OPTION ... < pipe

The end of the pipe is a Ctrl-C, after which hw1.py saves what it has and ends.
"""

import os
import runpy
import signal
import sys
import threading
from pathlib import Path


def stop_at_the_end_of_the_pipe() -> None:
    """Wait for it."""
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGINT)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # workers ignore it, and so would we
    threading.Thread(target=stop_at_the_end_of_the_pipe, daemon=True).start()
    sys.argv = sys.argv[1:]
    sys.path[0] = str(Path(sys.argv[0]).parent)
    runpy.run_path(sys.argv[0], run_name="__main__")
