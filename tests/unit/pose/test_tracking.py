"""From what a backend has seen to the table ``keypoints``; the backends here give what a test puts into them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from deidpose import skeleton, tables
from deidpose.pose import tracking
from deidpose.pose.backends import blazepose
from deidpose.pose.backends.protocol import Sight
from deidpose.pose.people.appearance import N_COLOURS
from deidpose.skeleton import INDEX
from deidpose.video.frames import Frame
from fixtures.bodies import STANDING, as_table

RATE = 30.0
SIZE = (480, 640)
GREY = np.full(N_COLOURS, 50, np.float32)


class Made:
    """A backend that reads all frames and gives the sights that it was made with."""

    LICENCE = "none"

    def __init__(self, sights: list[Sight], tracks: bool = False, midpoints: bool = False) -> None:
        self.sights, self.TRACKS = sights, tracks
        self.MIDPOINTS = skeleton.MIDPOINTS if midpoints else ()

    def people(self, frames: Any, *_: Any) -> Iterator[Sight]:
        for _frame in frames:
            pass
        yield from self.sights

    def origin(self, *_: Any) -> dict[str, Any]:
        return {}


def film(n_frames: int) -> list[Frame]:
    luma, chroma = np.zeros(SIZE, np.uint8), np.zeros((SIZE[0] // 2, SIZE[1] // 2), np.uint8)
    return [Frame(index, index / RATE, (luma, chroma, chroma), False) for index in range(n_frames)]


def standing(x: float, y: float = 240.0, confidence: float = 0.9) -> NDArray[np.float64]:
    """Return BODY_25 of somebody 200 pixels tall whose hips are at x, y."""
    body = np.full((25, 3), np.nan)
    for name, (right, down) in STANDING.items():
        body[INDEX[name]] = (x + right, y + down, confidence)
    return body


def sights(x: float, step: float, frames: range, **others: Any) -> list[Sight]:
    return [Sight(frame, standing(x + step * frame), GREY, **others) for frame in frames]


def table(backend: Made, n_frames: int = 30, cuts: tuple[int, ...] = (), least: float = 0.2) -> pd.DataFrame:
    found = as_table(tracking.estimate(backend, film(n_frames), RATE, {}, {"min_confidence": least}, 1, cuts))
    tables.check(found, "keypoints")
    return found


def row(found: pd.DataFrame, name: str, frame: int = 0) -> Any:
    return next(found[(found["keypoint"] == name) & (found["frame"] == frame)].itertuples())


def test_the_bodies_of_each_frame_are_followed_whatever_order_they_come_in() -> None:
    mixed = [*sights(150, 3, range(30)), *sights(450, -2, range(30))]
    np.random.default_rng(0).shuffle(mixed)  # type: ignore[arg-type]
    found = table(Made(mixed))
    hips = found[found["keypoint"] == "MidHip"].set_index(["person", "frame"])["x_px"].unstack(0)
    assert sorted(map(tuple, hips.diff().dropna().T.to_numpy().tolist())) == [(-2.0,) * 29, (3.0,) * 29]


def test_a_flicker_is_nobody_and_in_a_video_of_one_frame_everybody_is_somebody() -> None:
    assert table(Made([*sights(150, 0, range(30)), *sights(450, 0, range(4, 6))]))["person"].nunique() == 1
    assert table(Made(sights(150, 0, range(1))), 1)["person"].nunique() == 1


def test_somebody_far_away_is_somebody_else() -> None:
    found = table(Made([*sights(100, 0, range(15)), *sights(540, 0, range(15, 30))]))
    assert found["person"].nunique() == 2


def test_somebody_who_is_missed_for_a_moment_keeps_the_number() -> None:
    gone = [*sights(150, 2, range(10)), *sights(150, 2, range(20, 30))]
    assert table(Made(gone))["person"].unique().tolist() == [0]


def test_somebody_whose_lower_body_comes_and_goes_stays_in_place() -> None:
    """Behind a table the hips are found now and then; the middle of the trunk does not jump with them."""
    seen = sights(150, 3, range(30))
    for sight in seen:
        if sight.frame % 3 and sight.frame != 10:
            sight.keypoints[[INDEX[name] for name, (_, down) in STANDING.items() if down >= 0], :2] = np.nan
    arrays = tracking.gathered(seen)
    tracks = tracking.follow(arrays, RATE)
    assert set(tracks) == {0}
    place = tracking.places(arrays._replace(track=np.array(tracks)))
    np.testing.assert_allclose(place, [(150 + 3 * frame, 240 - 32.5) for frame in range(30)])
    assert table(Made(seen))["person"].unique().tolist() == [0]


def test_the_place_of_somebody_without_a_trunk_is_the_middle_of_what_is_seen() -> None:
    body = np.full((25, 3), np.nan)
    body[[INDEX["Nose"], INDEX["LEar"], INDEX["REar"]]] = [(300, 100, 1), (280, 104, 1), (320, 96, 1)]
    assert tracking.places(tracking.gathered([Sight(0, body, GREY, 0)])).tolist() == [[300, 100]]


def test_a_cut_ends_everybody_and_their_numbers() -> None:
    found = table(Made(sights(150, 0, range(30))), cuts=(10,))
    numbers = found.groupby("frame")["person"].first()
    assert numbers[:10].unique().tolist() == [0]
    assert numbers[10:].unique().tolist() == [1]
    tracked = table(Made(sights(150, 0, range(30), track=7, size=250.0), tracks=True), cuts=(10,))
    pd.testing.assert_frame_equal(tracked, found)


@pytest.mark.parametrize(("x", "confidence", "seen"), [(-1, 0.9, False), (0, 0.9, True), (300, 0.1, False)])
def test_a_keypoint_outside_the_picture_or_too_unsure_is_not_seen(x: float, confidence: float, seen: bool) -> None:
    body = standing(300)
    body[INDEX["RWrist"]] = (x, 100, confidence)
    found = row(table(Made([Sight(0, body, GREY)]), 1), "RWrist")
    assert np.isfinite(found.x_px) == np.isfinite(found.y_px) == seen
    assert found.confidence == confidence


@pytest.mark.parametrize("made_up", [True, False])
def test_a_midpoint_is_seen_where_both_ends_are_unless_the_network_has_seen_it_itself(made_up: bool) -> None:
    body = standing(300)
    body[INDEX["LHip"], :2] = np.nan
    found = table(Made([Sight(0, body, GREY)], midpoints=made_up), 1)
    assert np.isnan(row(found, "MidHip").x_px) == made_up
    assert np.isfinite(row(found, "Neck").x_px)


def test_where_nobody_is_the_table_is_empty() -> None:
    assert table(Made([])).empty
    assert table(Made([]), 0).empty


def test_people_followed_here_are_those_whom_blazepose_follows(
    frames: list[Frame], models: dict[str, Path], config: dict[str, Any], keypoints: pd.DataFrame
) -> None:
    """Its sights without their tracks and their sizes give the same table, but for the order of the people."""
    found = list(blazepose.people(frames, RATE, models, config["pose"], 1, ()))
    bare = [sight._replace(track=-1, size=float("nan")) for sight in found]
    settings = {"min_confidence": config["pose"]["min_confidence"]}
    again = as_table(tracking.estimate(Made(bare, midpoints=True), frames, RATE, {}, settings))
    columns = ["frame", "keypoint", "x_px", "y_px", "confidence"]
    for one in (0, 1):
        mine = keypoints.loc[keypoints["person"] == one, columns].reset_index(drop=True)
        others = [again.loc[again["person"] == number, columns].reset_index(drop=True) for number in (0, 1)]
        assert sum(mine.equals(other) for other in others) == 1
    assert again["person"].nunique() == 2
