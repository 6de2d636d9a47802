"""What the log of a long job says while it runs."""

import logging
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from deidpose import durations
from deidpose.errors import UserError
from deidpose.runtime import progress, sandbox


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return a list whose one item is the time in seconds."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def slowly(n_frames: int, clock: list[float], seconds: float = 1.0) -> Iterator[int]:
    for index in range(n_frames):
        clock[0] += seconds
        yield index


def test_frames_come_as_they_are_and_none_ahead_of_its_turn(clock: list[float]) -> None:
    source = slowly(5, clock)
    followed = progress.followed(source, 5)
    assert next(followed) == 0
    assert next(source) == 1
    assert list(followed) == [2, 3, 4]


def test_a_line_comes_at_most_every_twenty_seconds_and_one_at_the_end(
    clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    assert len(list(progress.followed(slowly(100, clock), 100))) == 100
    assert caplog.messages == [
        "19 of 100 frames, 0.9 frames a second, 85 seconds left",
        "39 of 100 frames, 1.0 frames a second, 63 seconds left",
        "59 of 100 frames, 1.0 frames a second, 42 seconds left",
        "79 of 100 frames, 1.0 frames a second, 21 seconds left",
        "99 of 100 frames, 1.0 frames a second, 1 second left",
        "100 frames in 100 seconds, 1.0 frames a second",
    ]


def test_a_job_that_stops_half_way_says_nothing_of_an_end(clock: list[float], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    for index in progress.followed(slowly(30, clock, 0.1), 30):
        if index == 10:
            break
    assert caplog.messages == []


def test_no_line_holds_a_clock_time_or_a_time_left_that_nobody_knows() -> None:
    assert progress.line(0, "frames", 30, 25.0) == "0 of 30 frames, 0.0 frames a second"
    assert progress.line(31, "frames", 30, 10.0) == "31 frames, 3.1 frames a second"
    assert progress.line(500, "packets", None, 10.0) == "500 packets, 50.0 packets a second"
    assert progress.line(0, "frames", 0, 0.0) == "0 frames in 0 seconds, 0.0 frames a second"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.4, "0 seconds"),
        (1.2, "1 second"),
        (119, "119 seconds"),
        (125, "2 minutes"),
        (3599, "60 minutes"),
        (12_000, "3 hours 20 minutes"),
        (200_000, "2 days 7 hours"),
    ],
)
def test_durations_are_told_in_words(seconds: float, words: str) -> None:
    assert durations.duration_in_words(seconds) == words


def test_what_a_process_of_its_own_reads_is_told_too(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    monkeypatch.setattr(progress, "_EVERY_S", 0.0)
    caplog.set_level(logging.INFO)
    work = "import time; from deidpose.runtime import sandbox\nfor _ in range(48): sandbox.tick(); time.sleep(0.03)"
    bounds = sandbox.Bounds(seconds_per_step=1, memory_bytes=4 * 10**9, written_bytes=10**6)
    (tmp_path / "work.py").write_text(work, encoding="utf-8")
    with pytest.raises(UserError):  # what the file leaves behind does not fit JSON
        sandbox.run("runpy:run_path", {"path_name": str(tmp_path / "work.py")}, bounds)
    lines = [message for message in caplog.messages if "packets" in message]
    assert lines
    assert all(re.fullmatch(r"\d+ packets, \d+\.\d packets a second", line) for line in lines)
