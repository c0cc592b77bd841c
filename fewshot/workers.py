"""Who does long work: processes of this machine, or the workers of a Dask cluster.

Both are a `concurrent.futures` executor with a number of places, so that grading a class, or
training many networks, is the same code for either.
"""

import logging
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Executor, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import wait

CONNECT_SECONDS = 15
STOP_SECONDS = 10  # for a task to end by itself
BUSY = threading.Lock()  # a task holds it: pytest, for one, is not for two threads of a process


class WorkersError(Exception):
    """Why there are no workers, or no more, in a sentence."""


@dataclass(frozen=True)
class Workers:
    """A set of workers.

    Attributes:
        executor: takes tasks.
        places: how many it should hold at once.
        lost: what a task raises when its worker has died.
        broken: whether the executor takes no more after that.
    """

    executor: Executor
    places: Callable[[], int]
    lost: tuple[type[BaseException], ...]
    broken: bool


@contextmanager
def local_workers(jobs: int) -> Iterator[Workers]:
    """Processes of this machine. Left by an exception, they stop at once."""
    context = multiprocessing.get_context("spawn")
    executor = ProcessPoolExecutor(jobs, context, initializer=start_worker)
    try:
        yield Workers(executor, lambda: jobs, (BrokenProcessPool,), broken=True)
    except BaseException:
        executor.shutdown(wait=False, cancel_futures=True)
        for process in multiprocessing.active_children():
            process.terminate()
        raise
    executor.shutdown()


def start_worker() -> None:
    """In a new process: leave Ctrl-C to the run, and end with it, even if it is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, stop_worker)
    threading.Thread(target=end_with_parent, daemon=True).start()


def stop_worker(*signal_and_frame: object) -> None:
    """A task ends its child and removes its folder; without one there is nothing to do."""
    if not BUSY.locked():
        os._exit(0)
    end = threading.Timer(STOP_SECONDS, os._exit, [1])  # should something keep the interrupt
    end.daemon = True
    end.start()
    raise KeyboardInterrupt


def end_with_parent() -> None:
    """Wait for the end of the process that started this one."""
    wait([multiprocessing.parent_process().sentinel])
    os.kill(os.getpid(), signal.SIGTERM)


@contextmanager
def cluster_workers(address: str) -> Iterator[Workers]:
    """The workers of the Dask cluster whose scheduler is at `address`.

    Raises:
        WorkersError: there is no cluster, or no more, or it is without workers.
    """
    try:
        from distributed import Client, KilledWorker
    except ImportError:
        raise WorkersError(
            "--cluster needs the package distributed: pip install distributed"
        ) from None
    try:
        client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise WorkersError(f"--cluster {address}: there is no scheduler ({error}).") from None
    logging.disable()  # of what Dask says at length when a connection is lost
    with client:
        try:
            client.wait_for_workers(1, timeout=CONNECT_SECONDS)
        except TimeoutError:
            raise WorkersError(
                f"The cluster at {address} has no workers: start some with dask worker."
            ) from None
        with client.get_executor() as executor:
            places = lambda: max(1, 2 * sum(client.nthreads().values()))  # noqa: E731
            try:
                yield Workers(executor, places, (KilledWorker,), broken=False)
            except KeyboardInterrupt:
                executor.shutdown(wait=False)  # cancels what is under way
                raise
            except CancelledError:
                raise WorkersError(
                    f"The cluster at {address} is gone: start it and run this again."
                ) from None


def is_cancelled() -> bool:
    """Whether nobody waits any more for what this thread of a Dask worker does.

    A process of this machine is told by an exception instead.
    """
    if "distributed" not in sys.modules:
        return False
    from distributed.worker import get_worker, thread_state

    try:
        task = get_worker().state.tasks.get(thread_state.key)
    except (ValueError, AttributeError):  # this is no thread of such a worker
        return False
    return task is None or task.state != "executing"
