import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from deidpose import tables
from deidpose.boxes import covered_share, enlarge, intersection_over_union, non_maximum_suppression, under_ellipse
from deidpose.faces import detection, yunet
from deidpose.video.frames import Frame, Picture, to_bgr

finite = st.floats(-500, 500).map(lambda value: round(value, 2))
length = st.floats(1, 300).map(lambda value: round(value, 2))
box = st.tuples(finite, finite, length, length)
whole_box = st.tuples(*[st.integers(-20, 20)] * 2, *[st.integers(1, 20)] * 2)
some_boxes = st.lists(box, min_size=1, max_size=12).map(lambda rows: np.array(rows, float))


def test_the_faces_of_both_people_are_found(detections: pd.DataFrame) -> None:
    sure = detections[detections["score"] > 0.4]
    left, right = sure["y_px"] < 100, sure["y_px"] > 200
    assert sure.loc[right, "frame"].nunique() == 30
    assert sure.loc[left, "frame"].nunique() >= 15
    assert (left | right).all()
    assert sure["width_px"].between(10, 20).all()


def test_boxes_are_those_of_the_reference_implementation(frames: list[Frame], models: dict[str, Path]) -> None:
    picture = to_bgr(frames[26])
    height, width = picture.shape[:2]
    reference = cv2.FaceDetectorYN.create(str(models["yunet"]), "", (width, height), 0.3, 0.3)
    _, expected = reference.detect(picture)
    found = yunet.YuNet(models["yunet"], height, width).detect(picture, 0.3)
    assert len(found) == len(expected) == 2
    expected = expected[np.argsort(-expected[:, -1])]
    np.testing.assert_allclose(found[:, :4], expected[:, :4], atol=1)
    np.testing.assert_allclose(found[:, 4], expected[:, -1], atol=0.02)


@pytest.mark.parametrize("magnification", [1, 4, 16])
def test_a_face_is_found_whatever_its_size(magnification: int, frames: list[Frame], models: dict[str, Path]) -> None:
    crop = to_bgr(frames[0])[237:317, 495:575]
    side = 80 * magnification
    picture = cv2.resize(crop, (side, side), interpolation=cv2.INTER_CUBIC)
    found = yunet.YuNet(models["yunet"], side, side).detect(picture, 0.5)
    assert len(found) == 1
    expected = np.array([525.4 - 495, 264.2 - 237, 19.5, 26.3]) * magnification
    np.testing.assert_allclose(found[0, :4], expected, atol=5 * magnification)


def test_a_face_near_the_edge_of_a_picture_of_any_size_is_found_in_place(
    frames: list[Frame], models: dict[str, Path]
) -> None:
    picture = to_bgr(frames[0])[:307, :571]  # no multiples of 32
    found = yunet.YuNet(models["yunet"], 307, 571).detect(picture, 0.5)
    assert len(found) == 1
    np.testing.assert_allclose(found[0, :2], [525.4, 264.2], atol=4)


def test_no_faces_and_no_frames_give_an_empty_table(models: dict[str, Path]) -> None:
    grey = Frame(0, 0.0, (np.full((96, 96), 90, np.uint8), *[np.full((48, 48), 128, np.uint8)] * 2), False)
    for given_frames in ([], [grey, grey]):
        table = detection.detect_faces(given_frames, models["yunet"], 0.3, 15)
        assert list(table.columns) == list(tables.TABLES["detections"])
        assert table.empty


def test_detection_is_repeatable_to_the_last_bit(
    frames: list[Frame], detections: pd.DataFrame, models: dict[str, Path]
) -> None:
    again = detection.detect_faces(frames[:15], models["yunet"], 0.3, 15)
    pd.testing.assert_frame_equal(again, detections[detections["frame"] < 15], check_exact=True)


# ------------------------------------------------------------------------------------------------------- over a video


@pytest.fixture(scope="module")
def walker(pictures: list[np.ndarray]) -> list[np.ndarray]:
    """Return 30 pictures, 256 pixels square, of somebody whose face, 14 x 21 pixels, crosses them to the left."""
    return [picture[180:436, 330:586] for picture in pictures]


def shrunk(pictures: Iterable[np.ndarray], side: int) -> list[np.ndarray]:
    return [cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA) for picture in pictures]


def as_frames(pictures: Iterable[np.ndarray]) -> list[Frame]:
    """Return frames of pictures, red-green-blue, with an even number of rows and columns."""
    frames = []
    for index, picture in enumerate(pictures):
        height, width = picture.shape[:2]
        samples = cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2YUV_I420).ravel()
        blue, red = samples[height * width :].reshape(2, height // 2, width // 2)
        frames.append(Frame(index, index / 30, (samples[: height * width].reshape(height, width), blue, red), False))
    return frames


def found_at_once(pictures: Iterable[np.ndarray], model: Path, threshold: float, scale: float) -> list[int]:
    """Return the frames in which the search of the whole picture, enlarged so much, finds a face."""
    given_frames = as_frames(pictures)
    detector = yunet.YuNet(model, *given_frames[0].planes[0].shape, scale=scale)
    return [frame.index for frame in given_frames if len(detector.detect(to_bgr(frame), threshold))]


#: Shrunk to 72 pixels, the face is 4 x 6 pixels large, and at a threshold of 0.5 the search of the whole picture,
#: which enlarges it to twice its size, loses it at the end.
TINY, TINY_THRESHOLD = 72, 0.5


def test_a_face_that_the_search_of_the_whole_picture_misses_is_found_where_it_was(
    walker: list[np.ndarray], models: dict[str, Path]
) -> None:
    tiny = shrunk(walker, TINY)
    at_once = found_at_once(tiny, models["yunet"], TINY_THRESHOLD, 2.0)
    assert 0 in at_once
    assert not {11, 26, 27, 28, 29} & set(at_once)
    table = detection.detect_faces(as_frames(tiny), models["yunet"], TINY_THRESHOLD, 5)
    assert table["frame"].tolist() == list(range(30))
    assert np.abs(np.diff(table["x_px"])).max() < 3


def test_a_face_is_followed_back_to_where_it_came_into_view(walker: list[np.ndarray], models: dict[str, Path]) -> None:
    tiny = shrunk(walker[::-1], TINY)
    assert found_at_once(tiny, models["yunet"], TINY_THRESHOLD, 2.0)[0] >= 4
    table = detection.detect_faces(as_frames(tiny), models["yunet"], TINY_THRESHOLD, 5)
    assert table["frame"].tolist() == list(range(30))


@pytest.mark.parametrize(("forward", "cut", "expected"), [(True, 27, range(27)), (False, 3, range(3, 30))])
def test_a_face_is_not_followed_over_a_cut_forward_or_back(
    forward: bool, cut: int, expected: range, walker: list[np.ndarray], models: dict[str, Path]
) -> None:
    tiny = shrunk(walker if forward else walker[::-1], TINY)
    table = detection.detect_faces(as_frames(tiny), models["yunet"], TINY_THRESHOLD, 5, cuts={cut})
    assert table["frame"].tolist() == list(expected)


@pytest.mark.parametrize("search_every", [2, 7, 30])
def test_between_searches_of_the_whole_picture_a_face_is_found_where_it_was_and_will_be(
    search_every: int, frames: list[Frame], detections: pd.DataFrame, models: dict[str, Path]
) -> None:
    table = detection.detect_faces(frames, models["yunet"], 0.3, 15, search_every)
    for left, fewest in ((True, 15), (False, 30)):
        assert table.loc[(table["y_px"] < 100) == left, "frame"].nunique() >= fewest
    both = table[table["y_px"] > 200].merge(detections[detections["y_px"] > 200], on="frame")
    assert (both["x_px_x"] - both["x_px_y"]).abs().max() < 6


@given(st.integers(0, 40), st.integers(1, 12), st.integers(1, 12), st.sets(st.integers(1, 39), max_size=4))
def test_searches_are_planned_evenly_and_at_both_ends_of_every_shot(
    n_frames: int, thorough_every: int, search_every: int, cuts: set[int]
) -> None:
    pictures = [Frame(index, index / 30, (np.zeros((2, 2), np.uint8),) * 3, False) for index in range(n_frames)]
    plan = list(detection._plan(pictures, thorough_every, search_every, cuts))
    assert [planned.frame.index for planned in plan] == list(range(n_frames))
    searched = [planned.frame.index for planned in plan if planned.is_searched]
    assert all(after - before <= search_every for before, after in itertools.pairwise(searched))
    starts = {0, *(cut for cut in cuts if cut < n_frames)} if n_frames else set()
    assert {planned.frame.index for planned in plan if planned.begins} == starts
    ends = {start - 1 for start in starts if start} | ({n_frames - 1} if n_frames else set())
    assert starts | ends <= set(searched)
    thorough = [planned.frame.index for planned in plan if planned.n_thorough]
    assert set(thorough) <= set(searched)
    for start, end in itertools.pairwise([*sorted(starts), n_frames]):
        here = [index for index in thorough if start <= index < end]
        assert len(here) == -(-(end - start) // thorough_every)


def test_the_number_of_threads_does_not_change_what_is_found(frames: list[Frame], models: dict[str, Path]) -> None:
    one, three = (detection.detect_faces(frames, models["yunet"], 0.3, 10, 3, threads) for threads in (1, 3))
    pd.testing.assert_frame_equal(one, three, check_exact=True)


def test_a_face_that_has_gone_is_given_up(walker: list[np.ndarray], models: dict[str, Path]) -> None:
    grey = np.full_like(walker[0], 110)
    given_pictures = shrunk([*walker[:6], *[grey] * 6], 128)
    table = detection.detect_faces(as_frames(given_pictures), models["yunet"], 0.3, 4)
    assert table["frame"].tolist() == list(range(6))


@pytest.mark.parametrize(("side", "high"), [(128, 11.5), (112, 10.3)])
def test_faces_of_a_dozen_pixels_are_found_in_the_enlarged_picture(
    side: int, high: float, walker: list[np.ndarray], models: dict[str, Path]
) -> None:
    small = shrunk(walker[:8], side)
    assert len(found_at_once(small, models["yunet"], 0.5, 1.0)) < 4
    table = detection.detect_faces(as_frames(small), models["yunet"], 0.5, 4)
    assert table["frame"].tolist() == list(range(8))
    assert table["height_px"].median() == pytest.approx(high, abs=1)


@pytest.mark.parametrize("quarter_turns", [1, 2, 3])
def test_the_face_of_somebody_lying_is_found_and_followed(
    quarter_turns: int, walker: list[np.ndarray], models: dict[str, Path]
) -> None:
    upright = shrunk(walker, 160)
    turned = [np.rot90(picture, quarter_turns) for picture in upright]
    expected = detection.detect_faces(as_frames(upright), models["yunet"], 0.5, 5).groupby("frame").first()
    table = detection.detect_faces(as_frames(turned), models["yunet"], 0.3, 4)
    # The three turns take their turns in the middle of every chunk of four: from the third chunk on, all were tried.
    for index in range(8, 30):
        face = expected.loc[index]
        x, y = face["x_px"] + face["width_px"] / 2, face["y_px"] + face["height_px"] / 2
        for _ in range(quarter_turns):
            x, y = y, 160 - x
        here = table[table["frame"] == index]
        away = np.hypot(here["x_px"] + here["width_px"] / 2 - x, here["y_px"] + here["height_px"] / 2 - y)
        assert away.min() < 6


@pytest.mark.parametrize(("count", "expected"), [(1, 0), (3, 0), (8, 8)])
def test_what_only_a_thorough_search_finds_is_believed_when_it_is_found_again(
    count: int, expected: int, walker: list[np.ndarray], models: dict[str, Path]
) -> None:
    """The first thorough search turns frame 4 upside down."""
    upside_down = [np.rot90(picture, 2) for picture in shrunk(walker, 160)]
    grey = np.full_like(upside_down[0], 110)
    first = 4 if count == 1 else 3
    shown = [upside_down[index] if first <= index < first + count else grey for index in range(16)]
    table = detection.detect_faces(as_frames(shown), models["yunet"], 0.3, 8)
    assert table["frame"].tolist() == list(range(first, first + expected))


def test_a_large_picture_is_enlarged_part_by_part_and_faces_are_found_in_place_all_over_it(
    walker: list[np.ndarray], models: dict[str, Path]
) -> None:
    small = shrunk(walker[:1], 96)[0]
    face = yunet.YuNet(models["yunet"], 96, 96, scale=3.0).detect(small[:, :, ::-1], 0.5)[0]
    picture = np.full((800, 1000, 3), 110, np.uint8)
    corners = [(0, 0), (904, 0), (0, 704), (904, 704), (452, 352), (200, 352)]
    for x, y in corners:
        picture[y : y + 96, x : x + 96] = small[:, :, ::-1]
    networks = detection._compile(models["yunet"], 800, 1000, 1, "f32")
    assert networks.enlarged is None
    searches = detection._enlarged(Picture(as_frames([picture[:, :, ::-1]])[0]), networks, 0.3)
    assert len(searches) == 4
    found = yunet.best_faces(np.concatenate([search() for search in searches]))
    for x, y in corners:
        there = face[:4] + np.array([x, y, 0, 0])
        assert intersection_over_union(there[None], found[:, :4]).max() > 0.6
    assert len(found) == len(corners)


@given(st.integers(0, 3), st.integers(8, 40), st.integers(8, 40), st.data())
def test_a_box_in_a_turned_picture_is_turned_back_to_where_it_was(
    quarter_turns: int, height: int, width: int, data: st.DataObject
) -> None:
    x, y = data.draw(st.integers(0, width - 2)), data.draw(st.integers(0, height - 2))
    wide, high = data.draw(st.integers(1, width - x)), data.draw(st.integers(1, height - y))
    picture = np.zeros((height, width), bool)
    picture[y : y + high, x : x + wide] = True
    rows, columns = np.nonzero(np.rot90(picture, quarter_turns))
    low, top = columns.min(), rows.min()
    turned = np.array([[low, top, columns.max() - low + 1, rows.max() - top + 1, 0.7]], float)
    np.testing.assert_array_equal(
        detection._turned_back(turned, quarter_turns, (height, width)), [[x, y, wide, high, 0.7]]
    )


# -------------------------------------------------------------------------------------------------------------- boxes


@given(some_boxes, some_boxes)
def test_overlap_is_a_symmetric_share(first: np.ndarray, second: np.ndarray) -> None:
    overlap = intersection_over_union(first, second)
    assert overlap.shape == (len(first), len(second))
    assert ((overlap >= 0) & (overlap <= 1 + 1e-9)).all()
    np.testing.assert_allclose(overlap, intersection_over_union(second, first).T)
    np.testing.assert_allclose(np.diag(intersection_over_union(first, first)), 1)


@given(whole_box, whole_box)
def test_overlap_is_what_counting_pixels_gives(first: Sequence[int], second: Sequence[int]) -> None:
    def pixels(rectangle: Sequence[int]) -> set[tuple[int, int]]:
        x, y, width, height = rectangle
        return {(column, row) for column in range(x, x + width) for row in range(y, y + height)}

    common, union = len(pixels(first) & pixels(second)), len(pixels(first) | pixels(second))
    one, two = np.array([first], float), np.array([second], float)
    assert intersection_over_union(one, two)[0, 0] == pytest.approx(common / union)
    assert covered_share(one, two)[0, 0] == pytest.approx(common / len(pixels(first)))


@given(some_boxes, st.data())
def test_of_overlapping_boxes_only_the_best_stays_and_none_is_forgotten(boxes: np.ndarray, data: st.DataObject) -> None:
    scores = data.draw(arrays(float, len(boxes), elements=st.floats(0, 1)))
    kept = non_maximum_suppression(boxes, scores, 0.3)
    overlap = intersection_over_union(boxes[kept], boxes[kept])
    assert (overlap[~np.eye(len(kept), dtype=bool)] <= 0.3).all()
    assert (np.diff(scores[kept]) <= 0).all()
    for index in set(range(len(boxes))) - set(kept.tolist()):
        rivals = kept[scores[kept] >= scores[index]]
        assert (intersection_over_union(boxes[[index]], boxes[rivals]) > 0.3).any()


@given(some_boxes, st.floats(0.5, 4))
def test_an_enlarged_box_holds_the_grown_one_about_the_same_centre_and_is_never_narrow(
    boxes: np.ndarray, factor: float
) -> None:
    grown = enlarge(boxes, factor)
    np.testing.assert_allclose(grown[:, :2] + grown[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2, atol=1e-6)
    assert (grown[:, 2:] >= boxes[:, 2:] * factor - 1e-9).all()
    np.testing.assert_allclose(grown[:, 2:].max(axis=1), boxes[:, 2:].max(axis=1) * factor)
    assert (grown[:, 2:].min(axis=1) >= 0.8 * grown[:, 2:].max(axis=1) - 1e-9).all()


def test_no_boxes_are_no_trouble() -> None:
    none, one = np.empty((0, 4)), np.array([[0.0, 0, 1, 1]])
    assert intersection_over_union(none, one).shape == (0, 1)
    assert covered_share(one, none).shape == (1, 0)
    assert len(non_maximum_suppression(none, np.empty(0), 0.3)) == 0
    assert enlarge(none, 2).shape == (0, 4)


def test_the_corner_of_a_square_is_not_under_its_ellipse() -> None:
    region = np.array([[0.0, 0.0, 240.0, 240.0]])
    boxes = np.array([[100.0, 100.0, 40.0, 40.0], [2.0, 2.0, 30.0, 30.0], [100.0, 0.0, 40.0, 40.0]])
    assert under_ellipse(boxes, region).tolist() == [True, False, False]
    assert not under_ellipse(boxes, np.zeros((1, 4))).any()
