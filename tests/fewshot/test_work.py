"""Workers that die, without real ones; tests of the class run have those."""

from collections import Counter
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager

from fewshot.work import TRIES, work_through
from fewshot.workers import Workers


class Fragile:
    """An executor that breaks whenever it is given one of `bad`."""

    def __init__(self, bad: str, calls: Counter) -> None:
        self.bad, self.calls, self.futures, self.broken = bad, calls, [], False

    def submit(self, do, piece) -> Future:
        self.calls[piece] += 1
        future = Future()
        self.futures.append(future)
        if piece in self.bad:
            self.broken = True
        if self.broken:
            for other in self.futures:
                if not other.done():
                    other.set_exception(BrokenProcessPool())
        else:
            future.set_result(do(piece))
        return future


def test_a_piece_that_kills_every_worker_is_left_out_alone():
    calls, finished, left = Counter(), {}, []

    @contextmanager
    def start():
        yield Workers(Fragile("x", calls), lambda: 3, (BrokenProcessPool,), True)

    work_through("abxcd", str.upper, start, finished.__setitem__, left.append)
    assert finished == {"a": "A", "b": "B", "c": "C", "d": "D"}
    assert left == ["x"]
    assert calls["x"] == TRIES


def test_a_pool_that_breaks_between_two_pieces_is_replaced():
    pools, finished = [], []

    class Short(Fragile):
        """Takes one piece."""

        def submit(self, do, piece) -> Future:
            if self.futures:
                raise BrokenProcessPool
            return super().submit(do, piece)

    @contextmanager
    def start():
        pools.append(Short("", Counter()))
        yield Workers(pools[-1], lambda: 1, (BrokenProcessPool,), True)

    work_through("abc", str.upper, start, lambda piece, _: finished.append(piece), None)
    assert finished == ["a", "b", "c"]
    assert len(pools) == 3
