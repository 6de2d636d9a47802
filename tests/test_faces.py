from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from deidpose import faces, tables
from deidpose.video import Frame, to_bgr

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
    found = faces.YuNet(models["yunet"], height, width).detect(picture, 0.3)
    assert len(found) == len(expected) == 2
    expected = expected[np.argsort(-expected[:, -1])]
    np.testing.assert_allclose(found[:, :4], expected[:, :4], atol=1)
    np.testing.assert_allclose(found[:, 4], expected[:, -1], atol=0.02)


@pytest.mark.parametrize("magnification", [1, 4, 16])
def test_a_face_is_found_whatever_its_size(magnification: int, frames: list[Frame], models: dict[str, Path]) -> None:
    crop = to_bgr(frames[0])[237:317, 495:575]
    side = 80 * magnification
    picture = cv2.resize(crop, (side, side), interpolation=cv2.INTER_CUBIC)
    found = faces.YuNet(models["yunet"], side, side).detect(picture, 0.5)
    assert len(found) == 1
    expected = np.array([525.4 - 495, 264.2 - 237, 19.5, 26.3]) * magnification
    np.testing.assert_allclose(found[0, :4], expected, atol=5 * magnification)


def test_a_face_near_the_edge_of_a_picture_of_any_size_is_found_in_place(
    frames: list[Frame], models: dict[str, Path]
) -> None:
    picture = to_bgr(frames[0])[:307, :571]  # no multiples of 32
    found = faces.YuNet(models["yunet"], 307, 571).detect(picture, 0.5)
    assert len(found) == 1
    np.testing.assert_allclose(found[0, :2], [525.4, 264.2], atol=4)


def test_no_faces_and_no_frames_give_an_empty_table(models: dict[str, Path]) -> None:
    grey = Frame(0, 0.0, (np.full((96, 96), 90, np.uint8), *[np.full((48, 48), 128, np.uint8)] * 2), False)
    for given_frames in ([], [grey, grey]):
        table = faces.detect(given_frames, models["yunet"], 0.3, 15)
        assert list(table.columns) == list(tables.TABLES["detections"])
        assert table.empty


def test_detection_is_repeatable_to_the_last_bit(
    frames: list[Frame], detections: pd.DataFrame, models: dict[str, Path]
) -> None:
    again = faces.detect(frames[:15], models["yunet"], 0.3, 15)
    pd.testing.assert_frame_equal(again, detections[detections["frame"] < 15], check_exact=True)


@given(some_boxes, some_boxes)
def test_overlap_is_a_symmetric_share(first: np.ndarray, second: np.ndarray) -> None:
    overlap = faces.intersection_over_union(first, second)
    assert overlap.shape == (len(first), len(second))
    assert ((overlap >= 0) & (overlap <= 1 + 1e-9)).all()
    np.testing.assert_allclose(overlap, faces.intersection_over_union(second, first).T)
    np.testing.assert_allclose(np.diag(faces.intersection_over_union(first, first)), 1)


@given(whole_box, whole_box)
def test_overlap_is_what_counting_pixels_gives(first: Sequence[int], second: Sequence[int]) -> None:
    def pixels(rectangle: Sequence[int]) -> set[tuple[int, int]]:
        x, y, width, height = rectangle
        return {(column, row) for column in range(x, x + width) for row in range(y, y + height)}

    common, union = len(pixels(first) & pixels(second)), len(pixels(first) | pixels(second))
    one, two = np.array([first], float), np.array([second], float)
    assert faces.intersection_over_union(one, two)[0, 0] == pytest.approx(common / union)
    assert faces.covered_share(one, two)[0, 0] == pytest.approx(common / len(pixels(first)))


@given(some_boxes, st.data())
def test_of_overlapping_boxes_only_the_best_stays_and_none_is_forgotten(boxes: np.ndarray, data: st.DataObject) -> None:
    scores = data.draw(arrays(float, len(boxes), elements=st.floats(0, 1)))
    kept = faces.non_maximum_suppression(boxes, scores, 0.3)
    overlap = faces.intersection_over_union(boxes[kept], boxes[kept])
    assert (overlap[~np.eye(len(kept), dtype=bool)] <= 0.3).all()
    assert (np.diff(scores[kept]) <= 0).all()
    for index in set(range(len(boxes))) - set(kept.tolist()):
        rivals = kept[scores[kept] >= scores[index]]
        assert (faces.intersection_over_union(boxes[[index]], boxes[rivals]) > 0.3).any()


@given(some_boxes, st.floats(0.5, 4))
def test_an_enlarged_box_holds_the_grown_one_about_the_same_centre_and_is_never_narrow(
    boxes: np.ndarray, factor: float
) -> None:
    grown = faces.enlarge(boxes, factor)
    np.testing.assert_allclose(grown[:, :2] + grown[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2, atol=1e-6)
    assert (grown[:, 2:] >= boxes[:, 2:] * factor - 1e-9).all()
    np.testing.assert_allclose(grown[:, 2:].max(axis=1), boxes[:, 2:].max(axis=1) * factor)
    assert (grown[:, 2:].min(axis=1) >= 0.8 * grown[:, 2:].max(axis=1) - 1e-9).all()


def test_no_boxes_are_no_trouble() -> None:
    none, one = np.empty((0, 4)), np.array([[0.0, 0, 1, 1]])
    assert faces.intersection_over_union(none, one).shape == (0, 1)
    assert faces.covered_share(one, none).shape == (1, 0)
    assert len(faces.non_maximum_suppression(none, np.empty(0), 0.3)) == 0
    assert faces.enlarge(none, 2).shape == (0, 4)


def test_the_corner_of_a_square_is_not_under_its_ellipse() -> None:
    region = np.array([[0.0, 0.0, 240.0, 240.0]])
    boxes = np.array([[100.0, 100.0, 40.0, 40.0], [2.0, 2.0, 30.0, 30.0], [100.0, 0.0, 40.0, 40.0]])
    assert faces.under_ellipse(boxes, region).tolist() == [True, False, False]
    assert not faces.under_ellipse(boxes, np.zeros((1, 4))).any()
