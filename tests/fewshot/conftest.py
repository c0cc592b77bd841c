"""Commands that a test runs in its own process."""

import signal

import pytest
import torch


@pytest.fixture
def in_process():
    """Run a command: main, words → exit status. What it changes of the process is put back."""
    threads, handler = torch.get_num_threads(), signal.getsignal(signal.SIGTERM)

    def call(main, *words):
        try:
            return main([*map(str, words)])
        except SystemExit as end:
            return end.code

    yield call
    torch.set_num_threads(threads)
    signal.signal(signal.SIGTERM, handler)
