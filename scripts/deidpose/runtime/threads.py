"""Work on the frames of one video with several threads, with the same result as with one.

Decoding, inference and encoding release Python's lock, so that threads do overlap. What a thread works on never depends
on what another one does, and results are taken in order.
"""

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def work_ahead(
    items: Iterable[Item],
    tasks: Callable[[Item], Sequence[Callable[[], Result]]],
    threads: int,
    n_ahead: int,
) -> Iterator[tuple[Item, list[Result]]]:
    """Yield every item with the results of its tasks, in order, while threads work on those of the next items.

    Parameters
    ----------
    items : iterable
        Taken one after another by the caller's own thread, which so decodes while the others work.
    tasks : callable
        Called with an item; returns functions without arguments that do not depend on one another.
    threads : int
        With one, no thread is started: tasks are done when their item is asked for.
    n_ahead : int
        At most this many items are held.
    """
    if threads == 1:
        for item in items:
            yield item, [task() for task in tasks(item)]
        return
    waiting: deque[tuple[Item, list[Future[Result]]]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for item in items:
                waiting.append((item, [pool.submit(task) for task in tasks(item)]))
                while len(waiting) > n_ahead:
                    yield _finished(*waiting.popleft())
            while waiting:
                yield _finished(*waiting.popleft())
        finally:
            # After an error, or when the caller wants no more, nothing is left to be done.
            pool.shutdown(wait=True, cancel_futures=True)


def _finished(item: Item, results: list[Future[Result]]) -> tuple[Item, list[Result]]:
    return item, [result.result() for result in results]


def read_ahead(items: Iterable[Item], threads: int, n_ahead: int = 8) -> Iterator[Item]:
    """Yield the items while another thread takes the next ones, at most ``n_ahead``.

    With one thread none is started. An error of the items is raised here, in its place.
    """
    if threads == 1:
        yield from items
        return
    taken: queue.Queue[tuple[bool, Item | BaseException | None]] = queue.Queue(n_ahead)
    is_wanted = threading.Event()
    is_wanted.set()

    def put(is_item: bool, thing: Item | BaseException | None) -> None:
        while is_wanted.is_set():
            with suppress(queue.Full):
                taken.put((is_item, thing), timeout=0.1)
                return

    def take() -> None:
        try:
            for item in items:
                put(True, item)
                if not is_wanted.is_set():
                    return
            put(False, None)
        except BaseException as error:  # raised again where the items are used
            put(False, error)

    reader = threading.Thread(target=take, daemon=True)
    reader.start()
    try:
        while True:
            is_item, thing = taken.get()
            if is_item:
                yield thing  # type: ignore[misc]  # it is one
            elif thing is None:
                return
            else:
                raise thing  # type: ignore[misc]  # it is an error
    finally:
        is_wanted.clear()
        reader.join()


class SideBySide(NamedTuple):
    """Runs functions without arguments that do not depend on one another.

    ``together`` returns their results in order. ``begin`` returns at once, and what it returns gives the results when
    it is called: where there is one thread, only then is anything done. What is begun has threads of its own, one less,
    since the caller goes on meanwhile; who asks for its results does a part of what is left.
    """

    together: Callable[[Sequence[Callable[[], Any]]], list[Any]]
    begin: Callable[[Sequence[Callable[[], Any]]], Callable[[], list[Any]]]


@contextmanager
def side_by_side(threads: int) -> Iterator[SideBySide]:
    """Yield a pool of ``threads`` threads; run inline when ``threads`` is 1."""

    def one_by_one(tasks: Sequence[Callable[[], Any]]) -> list[Any]:
        return [task() for task in tasks]

    if threads == 1:
        yield SideBySide(one_by_one, lambda tasks: lambda: one_by_one(tasks))
        return
    with ThreadPoolExecutor(threads) as pool, ThreadPoolExecutor(threads - 1) as background:

        def together(tasks: Sequence[Callable[[], Any]]) -> list[Any]:
            return list(pool.map(lambda task: task(), tasks)) if len(tasks) > 1 else one_by_one(tasks)

        def begin(tasks: Sequence[Callable[[], Any]]) -> Callable[[], list[Any]]:
            begun = [background.submit(task) for task in tasks]

            def results() -> list[Any]:
                mine = {}
                for index in reversed(range(len(tasks))):  # the other threads come from the other end
                    if begun[index].cancel():
                        mine[index] = tasks[index]()
                return [mine[index] if index in mine else result.result() for index, result in enumerate(begun)]

            return results

        yield SideBySide(together, begin)
