"""Keypoints from before, of real pictures: what is taken over as it is, and what is refused."""

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from deidpose import tables
from deidpose.errors import UserError
from deidpose.pose import layouts, registry
from deidpose.pose.backends import imported
from deidpose.pose.backends.protocol import Backend
from deidpose.pose.origins import one_origin, own_networks, warning_of_imports
from deidpose.skeleton import BODY_25, INDEX
from deidpose.video.frames import Frame
from fixtures import openpose_output
from fixtures.bodies import STANDING, estimated
from fixtures.openpose_stand_ins import HEIGHT, RATE, WIDTH, film, numbers, skeleton, written

FPS = 30.0


@pytest.fixture(scope="module")
def size(frames: list[Frame]) -> tuple[int, int]:
    height, width = frames[0].planes[0].shape
    return width, height


@pytest.fixture(scope="module")
def bodies(frames: list[Frame], keypoints: pd.DataFrame) -> list[np.ndarray]:
    """Return what BlazePose sees, as OpenPose has it."""
    return openpose_output.bodies(keypoints, len(frames))


def read(
    folder: Path, frames: list[Frame], size: tuple[int, int], config: dict[str, Any], **other: Any
) -> tuple[imported.Found, pd.DataFrame]:
    found = imported.examine(folder, len(frames), size)
    settings = {**config["pose"], "backend": "imported", "n_frames": len(frames), "import": found._asdict(), **other}
    return found, estimated(frames, FPS, {"imported": folder}, settings)


def seen(table: pd.DataFrame) -> pd.DataFrame:
    known = table[table["keypoint"].isin(BODY_25)].dropna(subset=["x_px", "y_px"])
    places = known[["frame", "keypoint", "x_px", "y_px"]].round(2)
    return places.sort_values(list(places), ignore_index=True)


def test_every_keypoint_of_real_people_is_where_the_files_have_it(
    frames: list[Frame], size: tuple[int, int], bodies: list[np.ndarray], config: dict[str, Any], tmp_path: Path
) -> None:
    openpose_output.write(tmp_path / "walk", bodies)
    found, table = read(tmp_path / "walk", frames, size, config)
    assert found == ("BODY_25", "1.3")
    tables.check(table, "keypoints")
    here = seen(table)
    assert len(here) > 100
    expected = [
        (frame, name, x, y)
        for frame, people in enumerate(bodies)
        for body in people
        for name, (x, y, confidence) in zip(BODY_25, body.tolist(), strict=True)
        if confidence >= config["pose"]["min_confidence"]
    ]
    pairs = here.merge(pd.DataFrame(expected, columns=["frame", "keypoint", "x", "y"]), on=["frame", "keypoint"])
    away = np.hypot(pairs["x_px"] - pairs["x"], pairs["y_px"] - pairs["y"])
    nearest = away.groupby([pairs["frame"], pairs["keypoint"], pairs["x_px"]]).min()
    assert len(nearest) == len(here)
    assert nearest.max() < 0.01
    assert len(here) > 0.8 * len(expected)


@pytest.mark.parametrize("layout", ["BODY_25B", "HALPE-26", "COCO-18"])
def test_other_layouts_are_recognised_and_end_up_at_the_same_places(
    frames: list[Frame],
    size: tuple[int, int],
    bodies: list[np.ndarray],
    config: dict[str, Any],
    tmp_path: Path,
    layout: str,
) -> None:
    openpose_output.write(tmp_path / "first", bodies)
    names = layouts.LAYOUTS[layout]
    openpose_output.write(tmp_path / "other", [openpose_output.in_layout(one, names) for one in bodies])
    _, first = read(tmp_path / "first", frames, size, config)
    found, other = read(tmp_path / "other", frames, size, config)
    assert found.layout == layout
    for name in ("LKnee", "RKnee", "LElbow", "RWrist"):
        a, b = (seen(table[table["keypoint"] == name]) for table in (first, other))
        assert len(a)
        pd.testing.assert_frame_equal(a, b)


@pytest.mark.parametrize("n_people", [0, 1])
def test_nobody_in_the_files_or_people_without_a_point_are_nobody_in_the_table(
    n_people: int, frames: list[Frame], size: tuple[int, int], config: dict[str, Any], tmp_path: Path
) -> None:
    openpose_output.write(tmp_path / "walk", [np.zeros((n_people, 25, 3))] * len(frames))
    found, table = read(tmp_path / "walk", frames, size, config)
    assert found.layout == ""
    assert table.empty


def test_a_layout_is_told_from_few_frames_with_people_wherever_they_are(
    bodies: list[np.ndarray], size: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imported, "_FRAMES_LOOKED_AT", 8)
    nobody = np.zeros((0, 25, 3))
    openpose_output.write(tmp_path / "walk", [bodies[frame] if frame % 3 else nobody for frame in range(24)])
    assert imported.examine(tmp_path / "walk", 24, size).layout == "BODY_25"


def test_more_people_than_the_settings_allow_are_left_out_and_the_log_says_so(
    frames: list[Frame],
    size: tuple[int, int],
    bodies: list[np.ndarray],
    config: dict[str, Any],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    weak = [np.concatenate([one[:1] * (1, 1, 0.5), one[:1]]) for one in bodies]
    openpose_output.write(tmp_path / "walk", weak)
    with caplog.at_level(logging.WARNING):
        _, table = read(tmp_path / "walk", frames, size, config, max_people=1)
    assert "more than pose.max_people people" in caplog.text
    counts = table.groupby("frame")["person"].nunique()
    assert counts.max() == 1
    strongest = max(one[:1, :, 2].max(initial=0) for one in bodies)
    assert table["confidence"].max() == pytest.approx(strongest, abs=1e-3)


def shares(one: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return one / (*size, 1)


def larger(one: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return one * (3, 3, 1)


def percent(one: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return one * (1, 1, 100)


def scrambled(one: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return np.random.default_rng(1).permutation(one, axis=1)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (shares, "--keypoint_scale 0"),
        (larger, "a larger copy of the video"),
        (percent, "confidences far above 1"),
        (scrambled, "can not be told"),
    ],
)
def test_files_in_another_unit_size_or_order_are_refused(
    frames: list[Frame], size: tuple[int, int], bodies: list[np.ndarray], tmp_path: Path, change: Any, sentence: str
) -> None:
    openpose_output.write(tmp_path / "walk", [change(one, size) for one in bodies])
    with pytest.raises(UserError, match=sentence):
        imported.examine(tmp_path / "walk", len(frames), size)


def test_pictures_that_were_not_turned_upright_are_told_by_their_shape(tmp_path: Path) -> None:
    lying = np.zeros((1, 25, 3))
    lying[0, :, 0], lying[0, :, 1], lying[0, :, 2] = np.linspace(300, 900, 25), 100, 0.9
    openpose_output.write(tmp_path / "walk", [lying] * 4)
    with pytest.raises(UserError, match="lies on its side"):
        imported.examine(tmp_path / "walk", 4, (540, 960))


def test_files_of_another_length_are_refused(size: tuple[int, int], bodies: list[np.ndarray], tmp_path: Path) -> None:
    openpose_output.write(tmp_path / "walk", bodies[:4])
    for n_frames in (3, 5):
        with pytest.raises(UserError, match=f"of 4 frames, but the video has {n_frames}"):
            imported.examine(tmp_path / "walk", n_frames, size)


def test_another_number_of_points_in_some_frames_is_refused(
    size: tuple[int, int], bodies: list[np.ndarray], tmp_path: Path
) -> None:
    openpose_output.write(tmp_path / "walk", [bodies[0], bodies[1][:, :18]])
    with pytest.raises(UserError, match="another number of points"):
        imported.examine(tmp_path / "walk", 2, size)


def test_a_layout_that_the_settings_name_decides_and_never_against_what_is_seen(
    size: tuple[int, int], bodies: list[np.ndarray], tmp_path: Path
) -> None:
    openpose_output.write(tmp_path / "one", bodies[:1])
    with pytest.raises(UserError, match=r"pose\.import\.layout"):
        imported.examine(tmp_path / "one", 1, size)
    assert imported.examine(tmp_path / "one", 1, size, "BODY_25").layout == "BODY_25"
    openpose_output.write(tmp_path / "all", bodies)
    for wrong in ("BODY_25B", "HALPE-26"):
        with pytest.raises(UserError, match=f"pose.import.layout is {wrong}"):
            imported.examine(tmp_path / "all", len(bodies), size, wrong)


def test_a_version_that_could_be_anything_is_not_told(
    size: tuple[int, int], bodies: list[np.ndarray], tmp_path: Path
) -> None:
    openpose_output.write(tmp_path / "walk", bodies, version="Erika Mustermann")
    assert imported.examine(tmp_path / "walk", len(bodies), size).version == "unknown"


BACKEND = {"backend": "blazepose", "licence": "Apache-2.0", "version": "1", "models": {"full": "a"}, "citation": ""}
BEFORE = {
    "backend": "imported", "licence": imported.LICENCE, "version": "JSON 1.3", "models": {}, "citation": "Cao et al.",
    "layout": "BODY_25",
}  # fmt: skip


def test_imported_originals_and_copies_of_one_backend_are_the_only_mixture() -> None:
    nobody = {**BEFORE, "layout": ""}
    found = one_origin([BACKEND, BACKEND], {"a": BEFORE, "b": BEFORE, "c": nobody})
    assert found[0] == BACKEND
    assert {tuple(one["videos"]): one["layout"] for one in found[1:]} == {("a", "b"): "BODY_25", ("c",): ""}
    assert all(one["source"] == "original" for one in found[1:])
    for origins, before in (
        ([BACKEND, {**BACKEND, "backend": "rtmpose"}], {"a": BEFORE}),
        ([BACKEND, BEFORE], {}),
        ([BACKEND], {"a": BEFORE, "b": {**BEFORE, "layout": "HALPE-26"}}),
        ([BACKEND], {"a": {**BACKEND, "layout": "BODY_25"}}),
    ):
        with pytest.raises(UserError, match="cannot be compared"):
            one_origin(origins, before)


def test_the_warning_counts_the_videos_and_is_not_there_without_any() -> None:
    assert warning_of_imports(one_origin([BACKEND]), 3) == ""
    said = warning_of_imports(one_origin([BACKEND], {"a": BEFORE, "b": BEFORE}), 3)
    assert "In 2 of 3 videos" in said
    assert "blazepose" in said
    known = own_networks(one_origin([BACKEND], {"a": BEFORE}), ["full"])
    assert "non-commercial" in known["imported"]["licence"]
    assert "1 originals" in json.dumps(known)


# ---------------------------------------------------------------------------------- two people whose places are known

SIZE = WIDTH, HEIGHT


def whole(frame: int) -> np.ndarray:
    """Return the two people of `film`, with feet and all of a face, shape (2, 25, 3)."""
    people = written(frame).astype(float)
    for person in (0, 1):
        x, y = skeleton((person + frame) % 2, frame)["MidHip"]
        for name, (right, down) in {
            "LBigToe": (20, 104), "LSmallToe": (24, 103), "LHeel": (12, 102), "RBigToe": (-20, 104),
            "RSmallToe": (-24, 103), "RHeel": (-12, 102),
        }.items():  # fmt: skip
            people[person, INDEX[name]] = x + right, y + down, 0.8
    return people


def taken(folder: Path, n_frames: int, config: dict[str, Any], layout: str = "auto", **changes: Any) -> pd.DataFrame:
    """Return the table ``keypoints`` of the files, as the rule makes it."""
    found = imported.examine(folder, n_frames, SIZE, layout)
    own = {**config["pose"], **changes, "backend": "imported", "n_frames": n_frames, "import": found._asdict()}
    keypoints = estimated(film(n_frames), RATE, {"imported": folder}, own)
    return tables.check(keypoints, "keypoints")


def test_it_is_read_like_a_backend() -> None:
    assert isinstance(registry.load_backend("imported"), Backend)


def test_two_people_who_cross_keep_their_numbers(tmp_path: Path, config: dict[str, Any]) -> None:
    openpose_output.write(tmp_path, map(whole, range(41)))
    found = taken(tmp_path, 41, config)
    who = numbers(found, 0.1)
    assert [len(one) for one in who.values()] == [1, 1]
    assert who[0] != who[1]
    assert found["frame"].nunique() == 41


@pytest.mark.parametrize("layout", layouts.LAYOUTS)
def test_every_joint_of_every_layout_is_where_it_is(tmp_path: Path, config: dict[str, Any], layout: str) -> None:
    names = layouts.LAYOUTS[layout]
    frames = [openpose_output.in_layout(whole(frame), names) for frame in range(8)]
    if layout == "BODY_135":
        frames = [np.concatenate([people, np.ones((2, 110, 3))], axis=1) for people in frames]
    openpose_output.write(tmp_path, frames)
    assert imported.examine(tmp_path, 8, SIZE).layout == layout
    found = taken(tmp_path, 8, config)
    assert found["person"].nunique() == 2
    for row in found.dropna().itertuples():
        expected = [whole(int(row.frame))[person, INDEX[str(row.keypoint)], :2] for person in (0, 1)]
        assert min(np.hypot(*(place - (row.x_px, row.y_px))) for place in expected) < 0.01
    seen = set(found.dropna()["keypoint"])
    assert seen >= set(STANDING)
    assert "LIndex" not in seen


def test_nobody_is_followed_over_a_cut_and_low_confidences_are_not_seen(tmp_path: Path, config: dict[str, Any]) -> None:
    frames = [whole(frame) for frame in range(10)]
    for people in frames:
        people[:, INDEX["LKnee"], 2] = 0.1
    openpose_output.write(tmp_path, frames)
    found = imported.examine(tmp_path, 10, SIZE)
    own = {**config["pose"], "backend": "imported", "n_frames": 10, "import": found._asdict()}
    keypoints = estimated(film(10), RATE, {"imported": tmp_path}, own, 1, {5})
    first, second = (set(keypoints.loc[keypoints["frame"] // 5 == half, "person"]) for half in (0, 1))
    assert len(first) == len(second) == 2
    assert not first & second
    assert keypoints.loc[keypoints["keypoint"] == "LKnee", "x_px"].isna().all()


def test_a_middle_is_not_made_from_a_point_outside_the_picture(tmp_path: Path, config: dict[str, Any]) -> None:
    names = layouts.LAYOUTS["BODY_25B"]
    frames = [openpose_output.in_layout(whole(frame), names) for frame in range(8)]
    for people in frames:
        people[:, names.index("LHip"), 0] = WIDTH + 5
    openpose_output.write(tmp_path, frames)
    found = taken(tmp_path, 8, config, "BODY_25B")
    assert found.loc[found["keypoint"] == "MidHip", "x_px"].isna().all()
    assert found.loc[found["keypoint"] == "RHip", "x_px"].notna().all()


@pytest.mark.parametrize(
    ("change", "size", "sentence"),
    [
        (lambda people: people / (WIDTH, HEIGHT, 1), SIZE, "shares of the picture"),
        (lambda people: people / (WIDTH / 2, HEIGHT / 2, 1) - (1, 1, 0), SIZE, "shares of the picture"),
        (lambda people: people * (3, 3, 1), SIZE, "made from a larger copy"),
        (lambda people: people * (1e5, 1e5, 1), SIZE, "made from a larger copy"),
        (lambda people: people - (5000, 0, 0), SIZE, "made from a larger copy"),
        (lambda people: people, SIZE[::-1], "has not turned the pictures"),
        (lambda people: people * (1, 1, 100), SIZE, "confidences far above 1"),
        (lambda people: people[:, :17], SIZE, "17 points a person"),
    ],
)
def test_coordinates_that_are_not_pixels_of_the_picture_are_refused(
    tmp_path: Path, change: Callable[[np.ndarray], np.ndarray], size: tuple[int, int], sentence: str
) -> None:
    openpose_output.write(tmp_path, [change(whole(frame)) for frame in range(30)], "Mustermann")
    with pytest.raises(UserError, match=sentence) as refused:
        imported.examine(tmp_path, 30, size)
    assert "Mustermann" not in str(refused.value)
    assert str(tmp_path) not in str(refused.value)


def test_a_few_points_beyond_the_edge_are_no_error_and_not_seen(tmp_path: Path, config: dict[str, Any]) -> None:
    frames = [whole(frame) for frame in range(8)]
    frames[3][0, INDEX["LWrist"], 0] = WIDTH + 100
    openpose_output.write(tmp_path, frames)
    found = taken(tmp_path, 8, config)
    assert found["x_px"].max() <= WIDTH


def test_a_backend_goes_by_nothing_of_the_import(config: dict[str, Any]) -> None:
    assert "import" not in registry.public_settings(config["pose"])
    assert tuple(BODY_25) == layouts.LAYOUTS["BODY_25"]
