"""Hand out pieces of work to workers of which any may die, and finish each piece once."""

from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import FIRST_COMPLETED, wait
from contextlib import AbstractContextManager
from typing import TypeVar

from fewshot.workers import Workers

TRIES = 3  # a piece during which so many workers die is left undone
WATCH_SECONDS = 2  # between two looks at work under way

Piece, Result = TypeVar("Piece"), TypeVar("Result")
Start = Callable[[], AbstractContextManager[Workers]]


def work_through(
    todo: Iterable[Piece],
    do: Callable[[Piece], Result],
    start: Start,
    finish: Callable[[Piece, Result], None],
    leave: Callable[[Piece], None],
    watch: Callable[[], None] = lambda: None,
) -> None:
    """Hand out every piece, and finish each that comes back, in any order.

    Whatever was under way when a worker died is repeated alone, so that a piece that kills workers
    is found and costs no other anything.

    Args:
        todo: the pieces.
        do: what a worker does with a piece; it travels there. What it raises is raised here.
        start: makes workers; called again when they are broken.
        finish: what is done here with a piece and its result.
        leave: what is done here with a piece that every worker died of.
        watch: called every few seconds meanwhile.
    """
    queue, deaths = deque(enumerate(todo)), Counter()
    while queue:
        with start() as workers:
            hand_out(queue, deaths, do, workers, finish, leave, watch)


def hand_out(
    queue: deque[tuple[int, Piece]],
    deaths: Counter,
    do: Callable[[Piece], Result],
    workers: Workers,
    finish: Callable[[Piece, Result], None],
    leave: Callable[[Piece], None],
    watch: Callable[[], None],
) -> None:
    """Go on until the queue is empty or the workers are broken."""
    running = {}
    while queue or running:
        while queue and has_place(queue[0], running.values(), deaths, workers):
            try:
                future = workers.executor.submit(do, queue[0][1])
            except workers.lost:  # meanwhile; whatever is running comes back as lost
                break
            running[future] = queue.popleft()
        if not running:
            return
        lost = []
        for future in wait(running, WATCH_SECONDS, FIRST_COMPLETED).done:
            number, piece = running.pop(future)
            try:
                result = future.result()
            except workers.lost:
                lost.append((number, piece))
            else:
                finish(piece, result)
        watch()
        if lost and workers.broken:
            lost += running.values()
            running = {}
        for number, piece in lost:
            deaths[number] += 1
            if deaths[number] < TRIES:
                queue.appendleft((number, piece))
            else:
                leave(piece)
        if lost and workers.broken:
            return


def has_place(
    next_one: tuple[int, Piece],
    running: Collection[tuple[int, Piece]],
    deaths: Counter,
    workers: Workers,
) -> bool:
    """Whether a piece can be handed out now."""
    if any(deaths[number] for number, _ in [next_one, *running]):
        return not running
    return len(running) < workers.places()
