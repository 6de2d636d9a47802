from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from deidpose import tables
from deidpose.errors import UserError
from deidpose.ingest import examine, remux, screening
from deidpose.pose.estimate import estimate_frames
from deidpose.runtime import sandbox
from deidpose.video import frames

Screen = Callable[..., tuple[dict[str, Any], pd.DataFrame]]


@pytest.fixture
def screen(models: dict[str, Path], config: dict[str, Any], tmp_path: Path) -> Screen:
    def shows_person(frame: frames.Frame) -> bool:
        return len(estimate_frames([frame], 1.0, models, config["pose"]).frame) > 0

    def run(path: Path, **limits: float) -> tuple[dict[str, Any], pd.DataFrame]:
        scratch = tmp_path / "scratch.mkv"
        row, timestamps = screening.screen(path, config["screen"] | limits, scratch, shows_person)
        assert not list(tmp_path.glob("scratch*"))
        tables.check(pd.DataFrame([{"video": "v1", **row}]), "screening")
        tables.check(timestamps, "timestamps")
        return row, timestamps

    return run


def test_a_video_with_people_is_accepted_without_a_remark(screen: Screen, clip: Path) -> None:
    row, timestamps = screen(clip)
    assert (row["status"], row["reason"]) == ("accepted", "")
    assert (row["width"], row["height"], row["n_frames"], row["codec"]) == (884, 498, 30, "h264")
    assert row["fps"] == pytest.approx(30)
    assert row["duration_s"] == pytest.approx(1)
    assert len(timestamps) == 30


def test_a_video_that_begins_without_a_person_is_accepted_with_a_remark(
    screen: Screen, variant: Callable[..., Path]
) -> None:
    row, timestamps = screen(variant("wall.mp4", [np.full((180, 320, 3), 90, np.uint8)] * 5))
    assert (row["status"], row["reason"]) == ("accepted", screening.NO_PERSON)
    assert len(timestamps) == 5


def test_a_turned_video_shows_its_people_upright(screen: Screen, variant: Callable[..., Path], pictures: Any) -> None:
    lying = [np.rot90(picture) for picture in pictures[:3]]
    row, _ = screen(variant("phone.mp4", lying, turn="clockwise"))
    assert (row["status"], row["reason"], row["rotation_deg"]) == ("accepted", "", 90)
    assert (row["width"], row["height"]) == (884, 498)


@pytest.mark.parametrize("content", [b"", b"no video", b"\x00\x00\x00\x18ftypmp42"])
def test_what_is_no_video_is_rejected_with_a_sentence(content: bytes, screen: Screen, tmp_path: Path) -> None:
    path = tmp_path / "Erika.mp4"
    path.write_bytes(content)
    row, timestamps = screen(path)
    assert row["status"] == "rejected"
    assert row["reason"].endswith(".")
    assert "Erika" not in row["reason"]
    assert row["n_frames"] is None
    assert timestamps.empty


def test_a_file_that_is_gone_is_rejected(screen: Screen, tmp_path: Path) -> None:
    assert screen(tmp_path / "gone.mp4")[0]["status"] == "rejected"


@pytest.mark.parametrize(
    ("limit", "value"),
    [("max_file_gb", 1e-6), ("max_megapixels", 0.44), ("max_duration_minutes", 0.01), ("max_frames", 29)],
)
def test_limits_are_in_the_units_of_their_names(limit: str, value: float, screen: Screen, clip: Path) -> None:
    row, _ = screen(clip, **{limit: value})
    assert row["status"] == "rejected"
    assert limit in row["reason"]


@pytest.mark.parametrize(
    ("limit", "value"),
    [("max_file_gb", 0.1), ("max_megapixels", 0.45), ("max_duration_minutes", 0.02), ("max_frames", 30)],
)
def test_what_is_within_its_limit_is_accepted(limit: str, value: float, screen: Screen, clip: Path) -> None:
    assert screen(clip, **{limit: value})[0]["status"] == "accepted"


def test_what_cannot_be_copied_later_is_rejected_now(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> Any:
        raise ValueError("a packet has no timestamp")

    monkeypatch.setattr(remux, "_match", fail)
    found = examine.examine(str(clip), (10**9, 10**7, 60, 1000), str(tmp_path / "scratch.mkv"), 1)
    assert "cannot be copied" in found["facts"]["reason"]
    assert found["timestamps"] == {}
    assert not list(tmp_path.iterdir())


def test_a_process_that_fails_rejects_the_video_and_leaves_no_copy(
    screen: Screen, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: Any) -> Any:
        for ending in ("", ".partial", ".mp4", ".mp4.partial"):
            (tmp_path / f"scratch.mkv{ending}").write_bytes(b"half")
        raise UserError("The video makes its decoder crash.")

    monkeypatch.setattr(sandbox, "run", killed)
    row, timestamps = screen(clip)
    assert (row["status"], row["reason"]) == ("rejected", "The video makes its decoder crash.")
    assert timestamps.empty
