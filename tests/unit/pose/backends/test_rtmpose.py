"""RTMPose's arithmetic, on small networks made here that find red spots: the real networks are not fetched."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import openvino
import pandas as pd
import pytest
from openvino import opset13 as layer

from deidpose import skeleton, tables
from deidpose.errors import UserError
from deidpose.pose.backends import protocol, rtmpose
from deidpose.pose.estimate import estimate_frames
from deidpose.pose.layouts import LAYOUTS
from deidpose.runtime import inference
from deidpose.video.frames import Frame
from fixtures.bodies import estimated

WIDTH, HEIGHT = 192, 256
#: A body as RTMPose's input shows it: how far each keypoint of Halpe is from a spot in its middle, in bins of half a
#: pixel. It is 164 pixels high, so that the box of somebody who is followed keeps its size.
BODY = {
    "Nose": (0, -140), "LEye": (6, -148), "REye": (-6, -148), "LEar": (12, -144), "REar": (-12, -144),
    "LShoulder": (36, -104), "RShoulder": (-36, -104), "LElbow": (52, -60), "RElbow": (-52, -60),
    "LWrist": (60, -20), "RWrist": (-60, -20), "LHip": (24, 0), "RHip": (-24, 0), "LKnee": (28, 70),
    "RKnee": (-28, 70), "LAnkle": (30, 140), "RAnkle": (-30, 140), "HeadTop": (0, -170), "Neck": (2, -112),
    "MidHip": (1, 4), "LBigToe": (40, 158), "RBigToe": (-40, 158), "LSmallToe": (48, 154), "RSmallToe": (-48, 154),
    "LHeel": (26, 152), "RHeel": (-26, 152),
}  # fmt: skip
SHIFTS = np.array([BODY[name] for name in LAYOUTS["HALPE-26"]])

Estimate = Callable[..., pd.DataFrame]


def save(folder: Path, name: str, outputs: Sequence[Any], given: Any) -> Path:
    openvino.save_model(openvino.Model(list(outputs), [given]), folder / f"{name}.xml", compress_to_fp16=False)
    return folder / f"{name}.xml"


def landmark_network(folder: Path, names: Sequence[str] = LAYOUTS["HALPE-26"]) -> Path:
    """Save a network that takes the reddest place for the middle of a body and places everything else around it."""
    given = layer.parameter([1, 3, -1, -1], np.float32)
    red = layer.gather(given, np.array(0), np.array(1))  # the first channel of a picture in red, green, blue
    red = layer.divide(layer.add(layer.multiply(red, np.float32(58.395)), np.float32(123.675)), np.float32(255))
    outputs = []
    for axis, length in ((1, WIDTH), (2, HEIGHT)):
        profile = layer.reduce_max(red, np.array([axis]), keep_dims=False)  # along x, or along y
        finer = np.zeros((length, 2 * length), np.float32)
        for position in range(2 * length):
            low = min(position // 2, length - 2)
            finer[low, position] = 1 - (position / 2 - low)
            finer[low + 1, position] = position / 2 - low
        bins = np.arange(2 * length) - np.array([BODY[name][axis - 1] for name in names])[:, None]
        bins = np.clip(bins, 0, 2 * length - 1)
        outputs.append(layer.gather(layer.matmul(profile, finer, False, False), bins, np.array(1)))
    return save(folder, "landmarks", outputs, given)


def detector_network(folder: Path, boxes: Sequence[Sequence[float]], labels: Sequence[int] | None = None) -> Path:
    """Save a network that finds the same boxes (left, top, right, bottom, score) in every picture, of 640 pixels."""
    given = layer.parameter([1, 3, 640, 640], np.float32)
    nothing = layer.multiply(layer.reduce_mean(given, np.array([0, 1, 2, 3]), keep_dims=False), np.float32(0))
    outputs = [layer.add(np.array([boxes], np.float32).reshape(1, -1, 5), nothing)]
    if labels is not None:
        outputs.insert(0, layer.convert(layer.add(np.array([labels], np.float32), nothing), "i64"))
    return save(folder, "detector", outputs, given)


def picture(spots: Sequence[tuple[float, ...]], size: tuple[int, int] = (640, 480)) -> np.ndarray:
    """Return a dark picture with red spots (x, y and maybe how red), blue-green-red, of that width and height."""
    y, x = np.mgrid[: size[1], : size[0]]
    red = np.zeros(x.shape)
    for at in spots:
        red += (at[2] if len(at) > 2 else 1) * np.exp(-((x - at[0]) ** 2 + (y - at[1]) ** 2) / 128)
    return np.stack([np.full(x.shape, 20), np.full(x.shape, 30), 20 + 220 * np.clip(red, 0, 1)], axis=2).astype(
        np.uint8
    )


def frame(index: int, spots: Sequence[tuple[float, ...]], size: tuple[int, int] = (640, 480)) -> Frame:
    packed = cv2.cvtColor(picture(spots, size), cv2.COLOR_BGR2YUV_I420)
    chroma = packed[size[1] :].reshape(2, size[1] // 2, size[0] // 2)
    return Frame(index, index / 30, (packed[: size[1]], chroma[0], chroma[1]), False)


@pytest.fixture
def estimate(tmp_path: Path, config: dict[str, Any]) -> Estimate:
    def run(
        frames: Sequence[Frame], boxes: Sequence[Sequence[float]], cuts: Sequence[int] = (), **settings: Any
    ) -> pd.DataFrame:
        models: Mapping[str, Path] = {
            "rtmpose_detector": detector_network(tmp_path, boxes),
            "rtmpose_landmarks": landmark_network(tmp_path),
        }
        return estimated(frames, 30.0, models, {**config["pose"], "backend": "rtmpose", **settings}, 1, cuts)

    return run


def place(table: pd.DataFrame, name: str, person: int, frame_index: int) -> tuple[float, float]:
    rows = table[(table["keypoint"] == name) & (table["person"] == person) & (table["frame"] == frame_index)]
    return float(rows["x_px"].item()), float(rows["y_px"].item())


# --------------------------------------------------------------------------------------------------------- decoding


def gaussians(centres: Sequence[float], n_bins: int, height: float = 1.0) -> np.ndarray:
    """Return rows as RTMPose is trained to give: deviation 4.9 bins (MMPose's configuration)."""
    away = np.arange(n_bins) - np.array(centres)[:, None]
    return (height * np.exp(-(away**2) / (2 * 4.9**2))).astype(np.float32)


def test_positions_are_told_to_a_fraction_of_a_bin() -> None:
    x, y = np.linspace(20, 360, 26), np.linspace(480.3, 30, 26)
    points = rtmpose.decode(gaussians(x, 384), gaussians(y, 512), (WIDTH, HEIGHT))
    # Two bins a pixel: 0.01 pixels are a fiftieth of one.
    np.testing.assert_allclose(points[:, 0], x / 2, atol=0.01)
    np.testing.assert_allclose(points[:, 1], y / 2, atol=0.01)


def test_a_position_is_never_further_than_half_a_bin_from_the_highest() -> None:
    rows = np.random.default_rng(5).random((200, 384)).astype(np.float32)
    points = rtmpose.decode(rows, rows[:, ::-1], (WIDTH, HEIGHT))
    assert (np.abs(2 * points[:, 0] - rows.argmax(axis=1)) <= 0.5).all()
    rows[:] = 0.7  # a plateau, and its first bin at the very end
    np.testing.assert_array_equal(rtmpose.decode(rows, rows, (WIDTH, HEIGHT))[:, :2], 0)
    for end, at in ((-3.0, 0.0), (390.0, 383 / 2)):
        np.testing.assert_allclose(
            rtmpose.decode(gaussians([end], 384), gaussians([100], 512), (WIDTH, HEIGHT))[0, :2], [at, 50], atol=0.01
        )


def test_the_confidence_is_the_lesser_of_the_two_heights_from_0_to_1() -> None:
    x = np.concatenate([gaussians([100], 384, height) for height in (0.9, 0.4, 1.3, -0.2)])
    y = np.concatenate([gaussians([100], 512, height) for height in (0.5, 0.8, 1.2, 0.9)])
    np.testing.assert_allclose(rtmpose.decode(x, y, (WIDTH, HEIGHT))[:, 2], [0.5, 0.4, 1, 0], atol=1e-6)


# ------------------------------------------------------------------------------------------------------ one picture


def test_every_keypoint_is_where_the_network_saw_it_in_the_picture(estimate: Estimate) -> None:
    # The box of the detector is in its own picture of 640 pixels, half as large as this one; it ends above the knees,
    # which the second look sees.
    table = estimate([frame(0, [(500.0, 430.0)], (1280, 720))], [(180, 30, 320, 260, 0.9)])
    tables.check(table, "keypoints")
    assert table["person"].nunique() == 1
    middle = np.array(place(table, "MidHip", 0, 0)) - place(table, "LHip", 0, 0)
    scale = np.hypot(*middle) / np.hypot(*np.subtract(BODY["MidHip"], BODY["LHip"]))
    for name in skeleton.BODY_25:
        expected = np.array([500.0, 430.0]) + np.array(BODY[name]) * scale
        assert np.hypot(*(np.array(place(table, name, 0, 0)) - expected)) < 1.5, name
    assert (table.loc[table["keypoint"].isin(skeleton.BODY_25), "confidence"] > 0.6).all()
    # Halpe has no knuckles.
    assert table.loc[~table["keypoint"].isin(skeleton.BODY_25), "x_px"].isna().all()


def test_a_box_is_shown_with_a_quarter_more_around_it_and_in_its_proportions(estimate: Estimate) -> None:
    table = estimate([frame(0, [(320.0, 240.0)])], [(170, 140, 470, 340, 0.9)])
    across = place(table, "LShoulder", 0, 0)[0] - place(table, "RShoulder", 0, 0)[0]
    down = place(table, "LAnkle", 0, 0)[1] - place(table, "LHip", 0, 0)[1]
    # 375 pixels of the picture are the 192 of the network, with two bins each, along both axes.
    assert across == pytest.approx(72 / 2 * 375 / 192, rel=0.02)
    assert down == pytest.approx(140 / 2 * 375 / 192, rel=0.02)


def test_the_detector_gets_the_whole_picture_in_the_upper_left_of_a_grey_one() -> None:
    shown = np.full((720, 1280, 3), (10, 20, 30), np.uint8)
    small, scale = rtmpose._letterbox(shown, (640, 640))
    assert scale == 0.5
    assert small.shape == (640, 640, 3)
    assert (small[:360] == (10, 20, 30)).all()
    assert (small[360:] == 114).all()


def test_boxes_with_a_low_score_or_of_another_class_are_left_out(tmp_path: Path) -> None:
    boxes = [(10, 20, 30, 60, 0.5), (1, 1, 2, 2, 0.2), (100, 100, 200, 300, 0.8), (5, 5, 9, 9, 0.9)]
    network = inference.compile_network(detector_network(tmp_path, boxes, [0, 0, 0, 2]))
    found = rtmpose._detect(picture([], (1280, 720)), network, (640, 640))
    np.testing.assert_allclose(found, [[200, 200, 200, 400], [20, 40, 40, 80]])


def test_where_the_detector_is_wrong_or_finds_nothing_there_is_nobody(estimate: Estimate) -> None:
    table = estimate([frame(index, []) for index in range(4)], [(100, 100, 200, 300, 0.9)])
    assert table.empty
    tables.check(table, "keypoints")


# ----------------------------------------------------------------------------------------------------- whole videos


def walk(index: int) -> list[tuple[float, float]]:
    """Return where three people are: two walk towards each other on different sides of the road, one comes later."""
    spots = [(150 + 4.0 * index, 150.0), (520 - 4.0 * index, 350.0)]
    return [*spots, (560.0, 120.0)] if index >= 20 else spots


BOXES = [(110, 80, 190, 220, 0.9), (480, 280, 560, 420, 0.8), (520, 50, 600, 190, 0.7)]


def test_everyone_is_followed_through_the_video_and_back_to_where_they_came_from(estimate: Estimate) -> None:
    table = estimate([frame(index, walk(index)) for index in range(45)], BOXES)
    tables.check(table, "keypoints")
    hips = table[table["keypoint"] == "MidHip"]
    seen = hips.groupby("person")["frame"].agg(["min", "max", "count"])
    assert len(seen) == 3
    for number, first in ((0, 0), (1, 0), (2, 20)):
        paths = {
            person: [
                np.hypot(*np.subtract(place(table, "MidHip", person, index), walk(index)[number]))
                for index in range(first, 45)
            ]
            for person in seen.index
            if seen.loc[person, "min"] == first
        }
        (mine,) = [person for person, away in paths.items() if max(away) < 8]
        assert seen.loc[mine].tolist() == [first, 44, 45 - first]


def test_nobody_is_followed_over_a_cut(estimate: Estimate) -> None:
    frames = [frame(index, walk(0)) for index in range(20)]
    assert estimate(frames, BOXES)["person"].nunique() == 2
    table = estimate(frames, BOXES, cuts=[10])
    before, after = (set(table.loc[table["frame"] // 10 == half, "person"]) for half in (0, 1))
    assert len(before) == len(after) == 2
    assert not before & after


def test_the_first_frame_of_a_shot_is_searched_too(estimate: Estimate) -> None:
    """Who leaves before the next search would else be lost."""
    frames = [frame(index, walk(20)[2:] if 6 <= index < 12 else []) for index in range(20)]
    assert estimate(frames, BOXES).empty
    assert sorted(set(estimate(frames, BOXES, cuts=[6])["frame"])) == list(range(6, 12))


def test_no_more_people_than_allowed_are_followed_and_the_surest_first(estimate: Estimate) -> None:
    table = estimate([frame(index, walk(20 + index)) for index in range(4)], BOXES[1:], max_people=1)
    assert table["person"].nunique() == 1


def test_two_boxes_on_one_body_are_one_person(tmp_path: Path, config: dict[str, Any]) -> None:
    models = {
        "rtmpose_detector": detector_network(tmp_path, [*BOXES[:1], (105, 70, 200, 230, 0.85)]),
        "rtmpose_landmarks": landmark_network(tmp_path),
    }
    frames = [frame(index, walk(index)) for index in range(4)]
    seen = [sight.frame for sight in rtmpose.people(frames, 30.0, models, config["pose"])]
    assert sorted(seen) == [0, 1, 2, 3]


def test_who_disappears_beside_somebody_is_not_taken_for_them(tmp_path: Path, config: dict[str, Any]) -> None:
    # Only the larger of the two crops reaches as far as the other's spot, which is the fainter.
    pair = [(150.0, 150.0, 0.9), (221.0, 150.0, 1.0)]
    models = {
        "rtmpose_detector": detector_network(tmp_path, [BOXES[0], (181, 69.5, 261, 230.5, 0.8)]),
        "rtmpose_landmarks": landmark_network(tmp_path),
    }
    frames = [frame(index, pair if index < 5 else pair[:1]) for index in range(8)]
    seen = [sight.frame for sight in rtmpose.people(frames, 30.0, models, config["pose"])]
    assert np.bincount(seen).tolist() == [2] * 5 + [1] * 3
    in_threads = rtmpose.people(frames, 30.0, models, config["pose"], 3)
    for one, other in zip(rtmpose.people(frames, 30.0, models, config["pose"]), in_threads, strict=True):
        assert one.frame == other.frame
        np.testing.assert_array_equal(one.keypoints, other.keypoints)


def test_who_is_followed_back_to_somebody_else_ends_there(tmp_path: Path, config: dict[str, Any]) -> None:
    # The second comes out from behind the first, who is redder, by 12 pixels a frame; the crop shows both up to 48.
    models = {
        "rtmpose_detector": detector_network(tmp_path, [BOXES[0], (278, 80, 358, 220, 0.8)]),
        "rtmpose_landmarks": landmark_network(tmp_path),
    }
    frames = [frame(index, [(150.0, 150.0), (150.0 + 12 * index, 150.0, 0.9)]) for index in range(15)]
    seen = [sight.frame for sight in rtmpose.people(frames, 30.0, models, config["pose"])]
    assert np.bincount(seen).tolist() == [1] * 5 + [2] * 10


def test_the_same_frames_give_the_same_keypoints_to_the_last_bit(estimate: Estimate) -> None:
    frames = [frame(index, walk(index)) for index in range(6)]
    pd.testing.assert_frame_equal(estimate(frames, BOXES), estimate(frames, BOXES), check_exact=True)


# ------------------------------------------------------------------------------------------------- other networks


def test_a_network_with_other_keypoints_is_refused(tmp_path: Path, config: dict[str, Any]) -> None:
    models = {
        "rtmpose_detector": detector_network(tmp_path, BOXES),
        "rtmpose_landmarks": landmark_network(tmp_path, LAYOUTS["HALPE-26"][:17]),
    }
    with pytest.raises(UserError, match="26 keypoints of Halpe"):
        estimate_frames([frame(0, walk(0))], 30.0, models, config["pose"] | {"backend": "rtmpose"})


def test_a_detector_without_its_non_maximum_suppression_is_refused(tmp_path: Path, config: dict[str, Any]) -> None:
    given = layer.parameter([1, 3, 640, 640], np.float32)
    raw = layer.reshape(layer.slice(given, [0, 0, 0, 0], [1, 3, 640, 3], [1, 1, 1, 1]), [1, 960, 6], False)
    models = {
        "rtmpose_detector": save(tmp_path, "raw", [raw], given),
        "rtmpose_landmarks": landmark_network(tmp_path),
    }
    with pytest.raises(UserError, match="non-maximum suppression"):
        estimate_frames([frame(0, walk(0))], 30.0, models, config["pose"] | {"backend": "rtmpose"})


def test_the_backend_has_what_the_interface_asks_for_and_tells_the_digests_of_its_networks(tmp_path: Path) -> None:
    assert isinstance(rtmpose, protocol.Backend)
    models = {
        "rtmpose_detector": detector_network(tmp_path, BOXES),
        "rtmpose_landmarks": landmark_network(tmp_path),
    }
    told = rtmpose.origin(models, {})
    assert set(told["models"]) == set(models)
    assert str(tmp_path) not in str(told)
