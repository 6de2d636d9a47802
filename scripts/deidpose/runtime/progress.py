"""Log the progress of a long job now and then: what is done, how fast, and how long the rest will take.

Only numbers and durations: no clock time, no name. Nothing that a job writes depends on them.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from deidpose.durations import duration_in_words

#: Seconds from one line to the next, at least.
_EVERY_S = 20.0

T = TypeVar("T")


def followed(frames: Iterable[T], total: int) -> Iterator[T]:
    """Yield the frames as they are, and log how many of them have been taken.

    Parameters
    ----------
    frames : iterable
    total : int
        How many frames there will be, for the time that is left.
    """
    tell = meter("frames", total)
    count = 0
    for count, frame in enumerate(frames, 1):
        tell(count - 1)  # what was asked for before has been worked on by now
        yield frame
    tell(count, True)


def meter(things: str, total: int | None = None) -> Callable[..., None]:
    """Return a function (count, at_once=False) that logs a line when the last one is a while ago, or at once.

    Parameters
    ----------
    things : str
        What is counted, such as "frames".
    total : int, optional
        How many there will be. Where that is not known, or has turned out to be wrong, no time left is reported.
    """
    start = reported = time.monotonic()

    def tell(count: int, at_once: bool = False) -> None:
        nonlocal reported
        now = time.monotonic()
        if not at_once and now - reported < _EVERY_S:
            return
        reported = now
        logging.info(line(count, things, total, now - start))

    return tell


def line(count: int, things: str, total: int | None, seconds: float) -> str:
    """Return a line such as "120 of 300 frames, 24.0 frames a second, 7 seconds left"."""
    rate = count / seconds if seconds > 0 else 0.0
    if total is not None and count == total:
        return f"{count} {things} in {duration_in_words(seconds)}, {rate:.1f} {things} a second"
    if total is None or count > total:
        return f"{count} {things}, {rate:.1f} {things} a second"
    left = f", {duration_in_words((total - count) / rate)} left" if rate else ""
    return f"{count} of {total} {things}, {rate:.1f} {things} a second{left}"
