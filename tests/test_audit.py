from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from deidpose import audit, masks, tracking
from deidpose.video import Frame

STRENGTH = masks.Strength("ellipse", 0.25, 6)


@pytest.fixture(scope="module")
def regions(tracked: tracking.Tracked) -> pd.DataFrame:
    return tracked.faces[tracked.faces["frame"] < 6]


@pytest.fixture(scope="module")
def blocked(frames: list[Frame], regions: pd.DataFrame) -> list[Frame]:
    planes = masks.mask_frames(frames[:6], regions, "block", STRENGTH)
    return [frame._replace(planes=hidden) for frame, hidden in zip(frames[:6], planes, strict=True)]


@pytest.fixture
def look(models: dict[str, Path], config: dict[str, Any]) -> Any:
    def run(shown: list[Frame], regions: pd.DataFrame, expected: int = 6) -> dict[str, Any]:
        return audit.audit(shown, regions, (884, 498, expected), models["centerface"], config["audit"])

    return run


def test_a_video_whose_faces_are_hidden_passes(look: Any, blocked: list[Frame], regions: pd.DataFrame) -> None:
    found = look(blocked, regions)
    assert found["verdict"] == "pass"
    assert found["reason"] == ""
    assert found["n_frames"] == found["n_frames_masked"] == 6
    assert found["n_masks"] == len(regions)
    assert found["frames_outside_masks"] == []


def test_a_video_that_was_never_masked_fails(look: Any, frames: list[Frame], regions: pd.DataFrame) -> None:
    found = look(frames[:6], regions.iloc[:0])
    assert found["verdict"] == "fail"
    assert found["frames_outside_masks"] == [0, 1, 2, 3, 4, 5]
    assert found["longest_run_outside_masks"] == 6
    assert found["masked_area_percent"] == 0


def test_masks_beside_the_faces_are_no_masks(look: Any, frames: list[Frame], regions: pd.DataFrame) -> None:
    beside = regions.assign(x_px=regions["x_px"] - 100)
    planes = masks.mask_frames(frames[:6], beside, "block", STRENGTH)
    hidden = [frame._replace(planes=shown) for frame, shown in zip(frames[:6], planes, strict=True)]
    assert look(hidden, beside)["verdict"] == "fail"


def test_one_brief_unsure_face_is_for_review(
    look: Any, frames: list[Frame], blocked: list[Frame], regions: pd.DataFrame
) -> None:
    shown = [*blocked[:3], frames[3], *blocked[4:]]
    found = look(shown, regions[regions["frame"] != 3])
    assert found["verdict"] == "review"
    assert found["frames_outside_masks"] == [3]
    assert "1 frames, at most 1 in a row" in found["reason"]


def test_what_still_looks_like_a_face_under_its_mask_is_counted_as_inside(
    look: Any, frames: list[Frame], regions: pd.DataFrame
) -> None:
    found = look(frames[:6], regions)  # the masks are said to be there, but are not
    assert found["n_detections"] == found["n_detections_inside_masks"] >= 6
    assert found["verdict"] == "pass"


@pytest.mark.parametrize("expected", [5, 7])
def test_a_file_with_another_number_of_frames_than_its_source_fails(
    expected: int, look: Any, blocked: list[Frame], regions: pd.DataFrame
) -> None:
    found = look(blocked, regions, expected)
    assert found["verdict"] == "fail"
    assert "as many frames" in found["reason"]


def test_the_masked_area_is_that_of_the_masks_within_the_picture(look: Any, blocked: list[Frame]) -> None:
    half_outside = pd.DataFrame(
        {"frame": [0], "x_px": [-50.0], "y_px": [0.0], "width_px": [100.0], "height_px": [100.0]}
    )
    assert look(blocked, half_outside)["masked_area_percent"] == pytest.approx(
        100 * 50 * 100 / (6 * 884 * 498), abs=1e-4
    )
