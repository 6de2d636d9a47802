from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deidpose.audit import centerface
from deidpose.boxes import intersection_over_union
from deidpose.runtime import inference
from deidpose.video.frames import Frame, to_bgr

BOX = ["x_px", "y_px", "width_px", "height_px"]
Search = Callable[..., pd.DataFrame]


@pytest.fixture
def look(models: dict[str, Path], config: dict[str, Any]) -> Search:
    def run(shown: list[Frame], **settings: Any) -> pd.DataFrame:
        return centerface.search(lambda: iter(shown), models["centerface"], config["audit"] | settings, 2)

    return run


@pytest.fixture(scope="module")
def found(frames: list[Frame], models: dict[str, Path], config: dict[str, Any]) -> pd.DataFrame:
    return centerface.search(lambda: iter(frames), models["centerface"], config["audit"], 2)


def turned(frame: Frame, quarter_turns: int) -> Frame:
    planes = [np.ascontiguousarray(np.rot90(plane, quarter_turns)) for plane in frame.planes]
    return frame._replace(planes=(planes[0], planes[1], planes[2]))


def matched(first: pd.DataFrame, second: pd.DataFrame) -> float:
    """Return the share of the first table's faces that the second has too."""
    n_matched = 0
    for frame, rows in first.groupby("frame"):
        others = second.loc[second["frame"] == frame, BOX].to_numpy(float)
        overlap = intersection_over_union(rows[BOX].to_numpy(float), others)
        n_matched += int((overlap.max(axis=1, initial=0) > 0.3).sum())
    return n_matched / len(first)


def test_the_faces_that_yunet_finds_are_found_in_most_frames(found: pd.DataFrame, detections: pd.DataFrame) -> None:
    assert matched(detections[detections["score"] > 0.8], found) > 0.8


@pytest.mark.parametrize("quarter_turns", [1, 2, 3])
def test_faces_in_pictures_that_are_turned_are_found_where_they_are(
    quarter_turns: int, look: Search, frames: list[Frame], detections: pd.DataFrame
) -> None:
    seen = look([turned(frame, quarter_turns) for frame in frames[:16]])
    back = centerface.turn_back(seen[BOX].to_numpy(float), (884, 498), quarter_turns)
    assert seen["frame"].nunique() == 16
    assert matched(seen.assign(**dict(zip(BOX, back.T, strict=True))), detections) == 1


@given(
    x=st.integers(0, 20), y=st.integers(0, 10), width=st.integers(1, 9), height=st.integers(1, 9),
    quarter_turns=st.integers(-4, 4),
)  # fmt: skip
def test_boxes_are_turned_back_with_their_picture(x: int, y: int, width: int, height: int, quarter_turns: int) -> None:
    picture = np.zeros((20, 30), np.uint8)
    picture[y : y + height, x : x + width] = 1
    seen = cv2.boundingRect(np.ascontiguousarray(np.rot90(picture, quarter_turns)))
    back = centerface.turn_back(np.array([seen], float), (30, 20), quarter_turns)
    assert back.tolist() == [list(cv2.boundingRect(picture))]


def test_faces_too_small_for_the_base_size_are_followed_between_the_thorough_searches(
    look: Search, frames: list[Frame], detections: pd.DataFrame, models: dict[str, Path]
) -> None:
    detector = centerface.CenterFace(models["centerface"])
    assert sum(len(detector.detect(to_bgr(frame), 0.5, 400 / 884)) for frame in frames) < 5
    seen = look(frames, max_side_px=400)
    assert seen["frame"].nunique() > 25
    assert matched(seen, detections) == 1


def test_a_face_that_fills_the_picture_is_found(look: Search, frames: list[Frame], found: pd.DataFrame) -> None:
    x, y, width, height = found.loc[found["score"].idxmax(), BOX]
    side = round(max(width, height) * 1.25)
    left, top = round(x + width / 2 - side / 2), round(y + height / 2 - side / 2)
    frame = frames[int(found.loc[found["score"].idxmax(), "frame"])]
    luma = frame.planes[0]
    close = cv2.resize(luma[top : top + side, left : left + side], (768, 768), interpolation=cv2.INTER_CUBIC)
    planes = (close, np.full((384, 384), 128, np.uint8), np.full((384, 384), 128, np.uint8))
    (face,) = look([frame._replace(index=0, planes=planes)]).to_numpy()
    assert face[4] > 400


@pytest.fixture
def pasted(frames: list[Frame], found: pd.DataFrame) -> Callable[[set[int]], list[Frame]]:
    """Return a function: flat pictures, in some of which a face stands upside down."""
    best = found.loc[found["score"].idxmax()]
    x, y, width, height = (round(value / 2) * 2 for value in best[BOX])
    area = slice(y - 2 * height, y + 3 * height), slice(x - 2 * width, x + 3 * width)
    half = tuple(slice(part.start // 2, part.stop // 2) for part in area)
    around = [
        np.rot90(plane[part], 2)
        for plane, part in zip(frames[int(best["frame"])].planes, (area, half, half), strict=True)
    ]

    def make(shown: set[int]) -> list[Frame]:
        made = []
        for index in range(16):
            planes = (np.full((400, 600), 110, np.uint8), *(np.full((200, 300), 128, np.uint8) for _ in range(2)))
            if index in shown:
                for plane, part, step in zip(planes, around, (1, 2, 2), strict=True):
                    plane[100 // step :, 200 // step :][: part.shape[0], : part.shape[1]] = part
            made.append(Frame(index, index / 30, planes, False))
        return made

    return make


def test_what_a_thorough_search_sees_in_one_frame_alone_and_is_not_sure_of_is_left_out(
    look: Search, pasted: Callable[[set[int]], list[Frame]]
) -> None:
    alone = look(pasted({0})[:1])
    assert len(alone) == 1  # there is no other frame to confirm it
    assert alone["score"].iloc[0] < centerface.SURE_SCORE
    assert look(pasted({0})).empty
    assert look(pasted({0, 4}))["frame"].tolist() == [0, 4]


def test_a_face_that_a_thorough_search_has_found_is_found_in_the_frames_before_too(
    look: Search, pasted: Callable[[set[int]], list[Frame]]
) -> None:
    assert look(pasted(set(range(6, 16))))["frame"].tolist() == list(range(6, 16))


def test_an_interval_of_nothing_searches_every_frame_thoroughly(
    look: Search, pasted: Callable[[set[int]], list[Frame]]
) -> None:
    seen = look(pasted({7, 8}), thorough_interval_s=0)
    assert seen["frame"].tolist() == [7, 8]


def test_a_network_is_compiled_when_its_shape_first_comes_and_a_large_one_for_one_thread(
    models: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled: list[Any] = []
    compile_network = inference.compile_network
    monkeypatch.setattr(
        inference,
        "compile_network",
        lambda model, shape, n, **more: compiled.append((shape, n)) or compile_network(model, shape, n, **more),
    )
    detector = centerface.CenterFace(models["centerface"], 2, 128)
    assert compiled == []
    for height in (64, 50, 96, 160):
        detector.detect(np.zeros((height, 128, 3), np.uint8), 0.5)
    assert compiled == [((1, 3, 64, 128), 2), ((1, 3, 96, 128), 2), ((1, 3, 160, 128), 1)]


@pytest.mark.parametrize("threads", [1, 2])
def test_frames_are_read_a_second_time_only_as_far_as_there_is_something_to_look_for(
    pasted: Callable[[set[int]], list[Frame]], models: dict[str, Path], config: dict[str, Any], threads: int
) -> None:
    read: list[int] = []

    def frames_read() -> Iterator[Frame]:
        for frame in pasted({0, 4}):
            read.append(frame.index)
            yield frame

    settings = {**config["audit"], "thorough_interval_s": 0.2}
    seen = centerface.search(frames_read, models["centerface"], settings, threads)
    assert seen["frame"].tolist() == [0, 4]
    assert read == [*range(16), *range(6)]  # the next thorough search is that of frame 6


def test_frames_that_show_nothing_are_read_once(
    frames: list[Frame], models: dict[str, Path], config: dict[str, Any]
) -> None:
    read: list[int] = []

    def frames_read() -> Iterator[Frame]:
        for frame in frames[:5]:
            read.append(frame.index)
            yield frame._replace(planes=tuple(np.full_like(plane, 128) for plane in frame.planes))

    seen = centerface.search(frames_read, models["centerface"], config["audit"])
    assert seen.empty
    assert read == [0, 1, 2, 3, 4]


def test_a_video_without_frames_has_no_faces(look: Search) -> None:
    assert look([]).empty


def test_the_number_of_threads_does_not_change_what_is_found(
    frames: list[Frame], found: pd.DataFrame, models: dict[str, Path], config: dict[str, Any]
) -> None:
    again = centerface.search(lambda: frames, models["centerface"], config["audit"], 1)
    pd.testing.assert_frame_equal(again, found, check_exact=True)
