import threading
import time
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deidpose.runtime.threads import read_ahead, side_by_side, work_ahead


def tasks_of(item: int) -> list[Callable[[], int]]:
    """Return as many tasks as the item's last digit; the first takes longest."""
    return [
        lambda number=number: time.sleep(0.002 * (item % 3 - number)) or item * 10 + number
        for number in range(item % 3)
    ]


@given(st.lists(st.integers(0, 99), max_size=12), st.integers(1, 4), st.integers(0, 9))
def test_results_come_in_order_however_many_threads_there_are(items: list[int], threads: int, n_ahead: int) -> None:
    expected = [(item, [item * 10 + number for number in range(item % 3)]) for item in items]
    assert list(work_ahead(items, tasks_of, threads, n_ahead)) == expected
    assert list(read_ahead(iter(items), threads, n_ahead + 1)) == items
    with side_by_side(threads) as pool:
        begun = [pool.begin(tasks_of(item)) for item in items]
        assert [pool.together(tasks_of(item)) for item in items] == [results for _, results in expected]
        assert [results() for results in begun] == [results for _, results in expected]


def test_no_more_items_are_taken_than_may_be_held() -> None:
    taken: list[int] = []
    for item, _ in work_ahead((taken.append(i) or i for i in range(20)), lambda _: [], 2, 3):
        assert len(taken) <= item + 1 + 3
    taken.clear()
    for item in read_ahead((taken.append(i) or i for i in range(20)), 2, 3):
        time.sleep(0.002)
        # One more is taken before it is known that there is no room for it.
        assert len(taken) <= item + 1 + 3 + 1


def test_with_one_thread_everything_is_done_by_the_caller_and_when_it_is_asked_for() -> None:
    done: list[tuple[int, int]] = []

    def items() -> Iterator[int]:
        for item in range(3):
            done.append((item, threading.get_ident()))
            yield item

    for work in (
        work_ahead(items(), lambda i: [lambda: done.append((i, threading.get_ident()))], 1, 5),
        read_ahead(items(), 1),
    ):
        next(iter(work))
        assert {item for item, _ in done} == {0}
        assert {thread for _, thread in done} == {threading.get_ident()}
        done.clear()


@pytest.mark.parametrize("threads", [1, 3])
def test_an_error_is_raised_where_its_item_is_asked_for_and_nothing_goes_on(threads: int) -> None:
    def items() -> Iterator[int]:
        yield from range(4)
        raise ValueError("the video ends here")

    def tasks(item: int) -> list[Callable[[], float]]:
        return [lambda: 1 / (item - 2)]

    before = threading.active_count()
    seen = []
    with pytest.raises(ValueError, match="ends here"):
        seen.extend(read_ahead(items(), threads, 2))
    work = work_ahead(range(9), tasks, threads, 4)
    assert [next(work)[0] for _ in range(2)] == [0, 1]
    with pytest.raises(ZeroDivisionError):
        next(work)
    assert threading.active_count() == before


def test_who_wants_no_more_leaves_no_thread_behind() -> None:
    before = threading.active_count()
    closed = []

    def items() -> Iterator[int]:
        try:
            yield from range(1000)
        finally:
            closed.append(threading.get_ident())

    for work in (read_ahead(items(), 2, 3), work_ahead(items(), tasks_of, 2, 3)):
        assert next(work) in (0, (0, []))
        work.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before


def test_who_asks_for_what_was_begun_does_what_is_left_of_it() -> None:
    """The other thread is held up by the first task until the second is done."""
    is_done = threading.Event()
    with side_by_side(2) as pool:
        results = pool.begin([lambda: is_done.wait(60), is_done.set, threading.get_ident, threading.get_ident])()
    assert results == [True, None, threading.get_ident(), threading.get_ident()]
