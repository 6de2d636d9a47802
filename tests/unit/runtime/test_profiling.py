"""What work on frames costs, measured on work whose cost is known."""

import time
from collections.abc import Iterator

import numpy as np

from deidpose.runtime import profiling


def test_time_counts_from_the_first_frame_and_frames_are_counted() -> None:
    begin = time.perf_counter()
    meter = profiling.Meter()
    time.sleep(0.3)  # as a network that is loaded

    def frames() -> Iterator[int]:
        for index in range(5):
            time.sleep(0.02)
            yield index

    assert list(meter.watch(frames())) == [0, 1, 2, 3, 4]
    read = meter.read()
    assert read["n_frames"] == 5
    assert 0.1 <= read["seconds"] <= time.perf_counter() - begin - 0.3
    assert read["cpu_seconds"] < 0.1  # who sleeps uses no processor


def test_time_of_processors_is_what_was_computed() -> None:
    meter = profiling.Meter()
    for _ in meter.watch(range(1)):
        end = time.process_time() + 0.2
        while time.process_time() < end:
            pass
    assert 0.18 <= meter.read()["cpu_seconds"] < 2  # however busy the machine is


def test_memory_is_the_most_that_there_ever_was() -> None:
    before = profiling.peak_mb()
    room = np.ones(round(before * 1e6 / 8 + 200e6 / 8))  # more than ever before
    del room
    assert profiling.peak_mb() >= before + 150
