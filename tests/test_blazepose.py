from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from deidpose import skeleton, tables
from deidpose.pose import BACKENDS, blazepose
from deidpose.video import Frame

Estimate = Callable[..., pd.DataFrame]


@pytest.fixture
def estimate(models: dict[str, Path], config: dict[str, Any]) -> Estimate:
    def run(frames: Iterable[Frame], cuts: Collection[int] = (), **settings: Any) -> pd.DataFrame:
        return blazepose.estimate(frames, 30.0, models, {**config["pose"], **settings}, 1, cuts)

    return run


def positions(keypoints: pd.DataFrame, name: str, person: int) -> pd.DataFrame:
    rows = keypoints[(keypoints["keypoint"] == name) & (keypoints["person"] == person)]
    return rows.set_index("frame")[["x_px", "y_px"]]


def paint_out(frame: Frame, left: int, right: int, top: int, bottom: int) -> Frame:
    """Return the frame with an even rectangle of it grey."""
    planes = tuple(plane.copy() for plane in frame.planes)
    planes[0][top:bottom, left:right] = 120
    for chroma in planes[1:]:
        chroma[top // 2 : bottom // 2, left // 2 : right // 2] = 128
    return frame._replace(planes=planes)


def test_the_backend_and_its_networks_are_named(models: dict[str, Path]) -> None:
    assert "blazepose" in BACKENDS
    assert set(BACKENDS["blazepose"]) <= set(models)


def test_both_people_are_followed_through_every_frame(keypoints: pd.DataFrame) -> None:
    frames = keypoints.groupby("person")["frame"].unique()
    assert len(frames) == 2
    for seen in frames:
        assert seen.tolist() == list(range(30))
    tables.check(keypoints, "keypoints")


def test_noses_are_in_the_faces_that_the_face_detector_finds(keypoints: pd.DataFrame, detections: pd.DataFrame) -> None:
    noses = keypoints[keypoints["keypoint"] == "Nose"]
    for face in detections[detections["score"] > 0.6].itertuples():
        here = noses[noses["frame"] == face.frame]
        inside = here["x_px"].between(face.x_px, face.x_px + face.width_px) & here["y_px"].between(
            face.y_px, face.y_px + face.height_px
        )
        assert inside.sum() == 1


def test_a_standing_body_is_the_right_way_up(keypoints: pd.DataFrame) -> None:
    for person in (0, 1):
        nose, hip, ankle = (positions(keypoints, name, person)["y_px"] for name in ("Nose", "MidHip", "RAnkle"))
        assert (nose < hip).all()
        assert (hip < ankle).mean() > 0.9


def test_unseen_keypoints_have_no_position_and_seen_ones_lie_in_the_picture(keypoints: pd.DataFrame) -> None:
    seen = keypoints["x_px"].notna()
    assert (keypoints["y_px"].notna() == seen).all()
    assert not seen[keypoints["keypoint"].isin(["LSmallToe", "RSmallToe"])].any()
    assert keypoints.loc[seen, "x_px"].between(0, 884).all()
    assert keypoints.loc[seen, "y_px"].between(0, 498).all()
    assert (keypoints.loc[seen, "confidence"] >= 0.2).all()


def test_rows_are_sorted_by_frame_person_and_keypoint(keypoints: pd.DataFrame) -> None:
    order = keypoints["frame"] * 1000 + keypoints["person"] * 27 + keypoints["keypoint"].map(skeleton.INDEX)
    assert order.is_monotonic_increasing
    assert len(keypoints) == 30 * 2 * 27


def test_a_mirrored_video_has_left_and_right_exchanged(
    estimate: Estimate, frames: list[Frame], keypoints: pd.DataFrame
) -> None:
    mirrored = [
        frame._replace(planes=tuple(np.ascontiguousarray(plane[:, ::-1]) for plane in frame.planes))
        for frame in frames[:5]
    ]
    found = estimate(mirrored)
    assert found["person"].nunique() == 2
    first = keypoints[keypoints["frame"] < 5]
    for here in (0, 1):
        middle = 884 - positions(first, "MidHip", here)["x_px"].mean()
        there = min((0, 1), key=lambda person: abs(positions(found, "MidHip", person)["x_px"].mean() - middle))
        body = positions(first, "Nose", here)["y_px"].mean() - positions(first, "MidHip", here)["y_px"].mean()
        for name in ("LShoulder", "RShoulder", "LHip", "RHip", "LKnee", "RKnee"):
            other = ("L" if name[0] == "R" else "R") + name[1:]
            expected, mirror = positions(first, name, here), positions(found, other, there)
            way = np.hypot(884 - expected["x_px"] - mirror["x_px"], expected["y_px"] - mirror["y_px"])
            assert way.median() < 0.1 * abs(body), name


def test_someone_who_comes_into_view_between_two_searches_is_followed_back(
    estimate: Estimate, frames: list[Frame]
) -> None:
    # Frames 0, 14 and 29 are searched. The smaller person, on the left, comes into view in frame 20.
    hidden = [paint_out(frame, 250, 450, 20, 240) if frame.index < 20 else frame for frame in frames]
    found = estimate(hidden)
    upper = [n for n in found["person"].unique() if positions(found, "Nose", n)["y_px"].mean() < 150]
    assert len(upper) == 1
    seen = positions(found, "Nose", upper[0]).index
    assert 18 <= seen.min() <= 21
    assert set(range(21, 30)) <= set(seen)


def test_someone_hidden_for_a_moment_keeps_their_identity(estimate: Estimate, frames: list[Frame]) -> None:
    hidden = [paint_out(frame, 250, 450, 20, 240) if 8 <= frame.index < 13 else frame for frame in frames]
    found = estimate(hidden)
    assert found["person"].nunique() == 2
    for person in (0, 1):
        assert {0, 29} <= set(positions(found, "Nose", person).index)


def window(frames: Iterable[Frame], left: int, first: int = 0) -> list[Frame]:
    """Return frames with 400 of their columns, counted from ``first``."""
    shown = []
    for index, frame in enumerate(frames, first):
        shares = [frame.planes[0].shape[1] // plane.shape[1] for plane in frame.planes]
        planes = [
            plane[:, left // share : (left + 400) // share] for plane, share in zip(frame.planes, shares, strict=True)
        ]
        shown.append(Frame(index, index / 30, (planes[0], planes[1], planes[2]), frame.full_range))
    return shown


def test_nobody_is_followed_over_a_cut(estimate: Estimate, frames: list[Frame]) -> None:
    """The cut leads back by ten frames and a few pixels: without it, everybody would be taken for who they were."""
    shown = [*window(frames[:10], 200), *window(frames[:10], 210, 10)]
    alike = estimate(shown)
    first, second = (set(alike.loc[alike["frame"] // 10 == half, "person"]) for half in (0, 1))
    assert first & second
    table = estimate(shown, cuts={10})
    first, second = (set(table.loc[table["frame"] // 10 == half, "person"]) for half in (0, 1))
    assert first
    assert second
    assert not first & second
    assert set(table["frame"]) == set(range(20))


def test_after_a_cut_people_are_found_as_in_a_video_of_their_own(estimate: Estimate, frames: list[Frame]) -> None:
    table = estimate([*window(frames[:8], 0), *window(frames[8:20], 200, 8)], cuts={8})
    alone = estimate(window(frames[8:20], 200))
    later = table[table["frame"] >= 8]
    columns = ["x_px", "y_px", "confidence"]
    np.testing.assert_array_equal(later[columns].to_numpy(), alone[columns].to_numpy())


def test_no_more_people_than_allowed_are_followed(estimate: Estimate, frames: list[Frame]) -> None:
    assert estimate(frames[:4], max_people=1)["person"].nunique() == 1


def test_a_threshold_takes_positions_away_and_no_rows(
    estimate: Estimate, frames: list[Frame], keypoints: pd.DataFrame
) -> None:
    strict = estimate(frames[:3], min_confidence=0.9)
    assert len(strict) == len(keypoints[keypoints["frame"] < 3])
    assert 0 < strict["x_px"].notna().sum() < keypoints.loc[keypoints["frame"] < 3, "x_px"].notna().sum()
    assert (strict.loc[strict["x_px"].notna(), "confidence"] >= 0.9).all()


def test_the_same_frames_give_the_same_keypoints_to_the_last_bit(estimate: Estimate, frames: list[Frame]) -> None:
    pd.testing.assert_frame_equal(estimate(frames[:3]), estimate(iter(frames[:3])), check_exact=True)


def test_a_single_frame_is_enough(estimate: Estimate, frames: list[Frame]) -> None:
    assert estimate(frames[7:8]).groupby("person").size().tolist() == [27, 27]


@pytest.mark.parametrize("count", [0, 4])
def test_where_nobody_is_the_table_is_empty(count: int, estimate: Estimate) -> None:
    planes = (np.full((240, 320), 90, np.uint8), *[np.full((120, 160), 128, np.uint8)] * 2)
    found = estimate([Frame(index, index / 30, planes, False) for index in range(count)])
    assert found.empty
    tables.check(found, "keypoints")
