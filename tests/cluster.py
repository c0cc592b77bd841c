"""A real Dask cluster on loopback."""

import os
import socket
import subprocess
import sys


class Cluster:
    """A scheduler and its workers on loopback."""

    def __init__(self, folder):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.address, self.folder = f"tcp://127.0.0.1:{port}", folder
        self.scheduler = self.dask("scheduler", "--port", str(port))
        self.workers = []

    def dask(self, *words, **options):
        """Start one of Dask's programs."""
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        local = ("--host", "127.0.0.1", "--no-dashboard")
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        words = [sys.executable, "-m", "dask", *words, *local]
        return subprocess.Popen(words, env=environment, **quiet, **options)

    def add_worker(self, **options):
        words = ["worker", self.address, "--nthreads", "1", "--no-nanny"]
        words += ["--local-directory", str(self.folder / "dask")]
        self.workers.append(self.dask(*words, **options))

    def end(self):
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()
