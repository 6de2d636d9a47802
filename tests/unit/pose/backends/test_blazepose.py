import weakref
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deidpose import skeleton, tables
from deidpose.pose import origins
from deidpose.pose.backends import blazepose
from deidpose.pose.registry import BACKENDS
from deidpose.runtime import inference
from deidpose.video import decode
from deidpose.video.frames import Frame, Picture
from fixtures.bodies import estimated

Estimate = Callable[..., pd.DataFrame]


@pytest.fixture
def estimate(models: dict[str, Path], config: dict[str, Any]) -> Estimate:
    def run(
        frames: Iterable[Frame], cuts: Collection[int] = (), landmarks: Path | None = None, **settings: Any
    ) -> pd.DataFrame:
        used = models if landmarks is None else {**models, "blazepose_landmarks": landmarks}
        return estimated(frames, 30.0, used, {**config["pose"], **settings}, 1, cuts)

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
    assert set(BACKENDS["blazepose"].models) <= set(models)


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


def noted(monkeypatch: pytest.MonkeyPatch, missed: Collection[int] = ()) -> list[tuple[int, set[Any]]]:
    """Return a list that will hold what is searched: frame and kinds of tiles. In missed frames nothing is found."""
    begin = blazepose._begin_detecting
    searched = []

    def begin_and_note(picture: Picture, networks: Any, which: set[Any]) -> Callable[[], list[Any]]:
        searched.append((picture.index, which))
        return list if picture.index in missed else begin(picture, networks, which)

    monkeypatch.setattr(blazepose, "_begin_detecting", begin_and_note)
    return searched


def test_someone_whom_one_search_misses_is_followed_back_from_the_next(
    estimate: Estimate, frames: list[Frame], monkeypatch: pytest.MonkeyPatch
) -> None:
    """So is anybody who is seen in those small squares alone whose turn it was not."""
    searched = noted(monkeypatch, missed=[14])
    found = estimate([paint_out(frame, 250, 450, 20, 240) if frame.index < 8 else frame for frame in frames])
    upper = [n for n in found["person"].unique() if positions(found, "Nose", n)["y_px"].mean() < 150]
    assert len(upper) == 1
    assert set(range(9, 30)) <= set(positions(found, "Nose", upper[0]).index)
    large, white, black = blazepose._Tiles
    assert searched == [(0, {large, white, black}), (14, {large, white}), (29, {large, black}), (29, {white})]


def test_with_no_interval_all_of_every_frame_is_searched_and_nothing_again_at_the_end(
    estimate: Estimate, frames: list[Frame], monkeypatch: pytest.MonkeyPatch
) -> None:
    searched = noted(monkeypatch)
    estimate(frames[:3], search_interval_s=0)
    everything = {*blazepose._Tiles}
    assert searched == [(0, everything), (0, everything), (1, everything), (2, everything)]


def test_no_frame_of_a_shot_that_has_ended_is_held(estimate: Estimate, frames: list[Frame]) -> None:
    held: list[weakref.ref[np.ndarray]] = []
    most = 0

    def shown() -> Iterable[Frame]:
        nonlocal most
        for frame in frames[:18]:
            planes = tuple(plane.copy() for plane in frame.planes)
            held.append(weakref.ref(planes[0]))
            yield frame._replace(planes=planes)
            del planes
            most = max(most, sum(reference() is not None for reference in held))

    estimate(shown(), cuts=set(range(3, 18, 3)))
    assert most <= 2 * 3 + 1  # two shots, and the first frame of a third


@given(st.integers(230, 4000), st.integers(230, 4000))
def test_each_half_of_the_small_squares_covers_the_picture_but_for_its_corners(height: int, width: int) -> None:
    for half in list(blazepose._Tiles)[1:]:
        squares = [square for kind, *square in blazepose._tiles(height, width) if kind is half]
        side = squares[0][2]
        y, x = (axis.ravel() for axis in np.mgrid[0 : height : side // 7, 0 : width : side // 7])
        covered = np.zeros(x.shape, bool)
        for left, top, _ in squares:
            covered |= (x >= left) & (x < left + side) & (y >= top) & (y < top + side)
        in_a_corner = (np.minimum(x, width - x) <= side / 2 + 1) & (np.minimum(y, height - y) <= side / 2 + 1)
        assert covered[~in_a_corner].all()


def test_someone_hidden_for_a_moment_keeps_their_identity(estimate: Estimate, frames: list[Frame]) -> None:
    hidden = [paint_out(frame, 250, 450, 20, 240) if 8 <= frame.index < 13 else frame for frame in frames]
    found = estimate(hidden)
    assert found["person"].nunique() == 2
    for person in (0, 1):
        assert {0, 29} <= set(positions(found, "Nose", person).index)


#: Hips of two people in frames 80 to 139 of the walk at half its size, every sixth frame: a man on a roof, and a woman
#: who walks to the left.
MAN = (318, 320, 324, 322, 326, 337, 352, 368, 371, 377, 383)
WOMAN = (615, 583, 554, 526, 488, 463, 436, 401, 375, 353, 311)


@pytest.fixture(scope="module")
def walk(demo: Path) -> list[Frame]:
    frames = []
    for frame in decode.read_frames(demo / "park/walk.mp4", threads=2):
        if frame.index >= 80:
            sizes = ((884, 496), (442, 248), (442, 248))
            planes = [
                cv2.resize(plane, size, interpolation=cv2.INTER_AREA)
                for plane, size in zip(frame.planes, sizes, strict=True)
            ]
            frames.append(Frame(frame.index - 80, 0.0, (planes[0], planes[1], planes[2]), frame.full_range))
        if frame.index == 139:
            break
    return frames


def cross(frames: Iterable[Frame], first: float, step: float, masked: bool) -> list[Frame]:
    """Return the walk with the man taken from his roof: he passes before the woman, from ``first`` to the right."""
    crossing = []
    for frame in frames:
        man, woman = (2 * round(float(np.interp(frame.index / 6, range(11), path)) / 2) for path in (MAN, WOMAN))
        there = 2 * round((first + step * frame.index) / 2)
        moved = paint_out(frame, 260, 430, 20, 246)
        for plane, source, share in zip(moved.planes, frame.planes, (1, 2, 2), strict=True):
            left, right = (there - 42) // share, (there + 42) // share
            cut = slice((man - 42) // share, (man + 42) // share)
            plane[274 // share : 470 // share, left:right] = source[44 // share : 240 // share, cut]
        if masked:
            moved = paint_out(moved, woman - 28, woman + 20, 262, 304)
            moved = paint_out(moved, there - 20, there + 28, 276, 312)
        crossing.append(moved)
    return crossing


@pytest.mark.parametrize(
    ("first", "step", "masked"),
    [(300, 6, False), (330, 6, False), (360, 5, False), (360, 6, False), (360, 8, False), (330, 6, True)],
)
def test_two_people_who_cross_keep_their_identities(
    first: float, step: float, masked: bool, estimate: Estimate, walk: list[Frame]
) -> None:
    found = estimate(cross(walk, first, step, masked))
    hips = found[found["keypoint"] == "MidHip"]
    before, after = hips[hips["frame"] < 12], hips[hips["frame"] >= 48]
    woman = np.interp(hips["frame"] / 6, range(11), WOMAN)
    numbers = []
    for path in (woman, first + step * hips["frame"]):
        near = hips.loc[(hips["x_px"] - path).abs() < 15]
        numbers.append([near.loc[near.index.isin(part.index), "person"].mode().item() for part in (before, after)])
    assert numbers[0][0] == numbers[0][1]
    assert numbers[1][0] == numbers[1][1]
    assert numbers[0] != numbers[1]


#: Middle of everybody's trunk in frames of the demo clips, checked by eye, and the length of the trunk, in pixels.
PEOPLE = pd.read_csv(Path(__file__).parents[3] / "fixtures/people.tsv", sep="\t")


@pytest.mark.parametrize(("clip", "frame_rate"), [("park/walk", 30), ("lab/several1", 60), ("lab/several2", 60)])
def test_everyone_in_the_demo_has_one_number_and_no_number_is_two_peoples(
    clip: str, frame_rate: float, demo: Path, models: dict[str, Path], config: dict[str, Any]
) -> None:
    frames = decode.read_frames(demo / f"{clip}.mp4", threads=2)
    table = estimated(frames, frame_rate, models, config["pose"], 1)
    trunk = table[table["keypoint"].isin(["Neck", "MidHip"])]
    middle = trunk.groupby(["frame", "person"], as_index=False)[["x_px", "y_px"]].mean()
    pairs = PEOPLE[PEOPLE["clip"] == clip].merge(middle, on="frame", suffixes=("", "_found"))
    away = np.hypot(pairs["x_px"] - pairs["x_px_found"], pairs["y_px"] - pairs["y_px_found"]) / pairs["trunk_px"]
    pairs = pairs.assign(away=away)[away < 0.35].sort_values("away").drop_duplicates(["person", "frame"])
    assert len(pairs) > 0.8 * (PEOPLE["clip"] == clip).sum()
    assert (pairs.groupby("person")["person_found"].nunique() == 1).all()
    assert (pairs.groupby("person_found")["person"].nunique() == 1).all()


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


def test_the_origin_names_the_networks_as_the_list_of_networks_does(
    models: dict[str, Path], config: dict[str, Any]
) -> None:
    """A network that the list does not know would be told of as the user's own."""
    for size, name in (("full", "blazepose_landmarks"), ("lite", "blazepose_landmarks_lite")):
        told = origins.origin(models, config["pose"] | {"blazepose": {"landmarks": size}})
        assert list(told["models"]) == ["blazepose_detector", name]


@pytest.mark.parametrize("size", ["heavy", "lite"])
def test_the_other_landmark_networks_see_the_same_people(
    size: str, root: Path, models: dict[str, Path], frames: list[Frame], keypoints: pd.DataFrame, estimate: Estimate
) -> None:
    """They come from npm and are not fetched for a test: it runs where a study has used them."""
    network = root / f"resources/models/pose_landmark_{size}.tflite"
    if not network.is_file():
        pytest.skip(f"resources/models has no {network.name}")
    given = np.zeros((1, 256, 256, 3), np.float32)
    shapes = [
        [output.shape for output in inference.compile_network(path)(given)]
        for path in (models["blazepose_landmarks"], network)
    ]
    assert shapes[0] == shapes[1]
    found = estimate(frames[:10], landmarks=network)
    both = keypoints.merge(found, on=["frame", "keypoint"], suffixes=("", "_found"))
    both["away"] = np.hypot(both["x_px"] - both["x_px_found"], both["y_px"] - both["y_px_found"])
    hips = both[both["keypoint"] == "MidHip"].sort_values("away").drop_duplicates(["frame", "person"])
    assert len(hips) == 20
    both = both.merge(hips[["frame", "person", "person_found"]])
    for person in (0, 1):
        torso = (positions(keypoints, "Neck", person) - positions(keypoints, "MidHip", person)).loc[:9]
        away = both.loc[both["person"] == person, "away"].median()
        assert 0 < away < 0.12 * np.hypot(torso["x_px"], torso["y_px"]).median()


def test_the_number_of_threads_does_not_change_the_keypoints(
    frames: list[Frame], keypoints: pd.DataFrame, models: dict[str, Path], config: dict[str, Any]
) -> None:
    pd.testing.assert_frame_equal(estimated(frames, 30.0, models, config["pose"], 3), keypoints, check_exact=True)


def test_sights_are_handed_on_as_soon_as_no_search_reaches_back_to_them(
    frames: list[Frame], models: dict[str, Path], config: dict[str, Any], keypoints: pd.DataFrame
) -> None:
    """Otherwise memory would grow with the video."""
    n_read, told = 0, []

    def watched() -> Iterator[Frame]:
        nonlocal n_read
        for frame in frames:
            n_read += 1
            yield frame

    settings = {**config["pose"], "search_interval_s": 0.1}  # chunks of three frames
    for sight in blazepose.people(watched(), 30.0, models, settings, 1, ()):
        told.append((n_read, sight.frame, sight.track))
    assert all(seen - frame <= 9 for seen, frame, _ in told)
    assert {(frame, track) for _, frame, track in told} == {(frame, track) for frame in range(30) for track in (0, 1)}
    assert len(told) == 60
