"""Measure what work on the frames of a video costs: wall time, processor time and memory."""

import os
import resource
import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


class Meter:
    """Measures from when the first frame is asked for, so that loading networks does not count, until it is read."""

    def __init__(self) -> None:
        self.n_frames = 0
        self._start = self._clocks()

    def watch(self, frames: Iterable[T]) -> Iterator[T]:
        """Yield the frames as they are, and count them."""
        self._start = self._clocks()
        for frame in frames:
            self.n_frames += 1
            yield frame

    def read(self) -> dict[str, float]:
        """Return what was spent so far.

        Returns
        -------
        dict
            ``n_frames``; ``seconds`` of time; ``cpu_seconds`` of processors, with all programs that were run;
            ``peak_mb``, the most memory (10⁶ bytes) that this process, or the largest of those programs, has had since
            it began.
        """
        seconds, cpu_seconds = (now - then for now, then in zip(self._clocks(), self._start, strict=True))
        return {"n_frames": self.n_frames, "seconds": seconds, "cpu_seconds": cpu_seconds, "peak_mb": peak_mb()}

    @staticmethod
    def _clocks() -> tuple[float, float]:
        return time.perf_counter(), sum(os.times()[:4])


def peak_mb() -> float:
    """Return the most memory that this process or the largest of its children has had, in 10⁶ bytes."""
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, kibibytes elsewhere: getrusage(2)
    peaks = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return max(peaks) * unit / 1e6
