import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from deidpose.audit.coverage import share_under_masks
from deidpose.labels import BOX

SIZE = (200, 100)
SHAPES = ("ellipse", "rectangle")


def table(*boxes: tuple[float, ...], frame: int = 0) -> pd.DataFrame:
    return pd.DataFrame([(frame, *box) for box in boxes], columns=["frame", *BOX])


def share(face: tuple[float, ...], *masks: tuple[float, ...], shape: str = "ellipse") -> float:
    return float(share_under_masks(table(face), table(*masks), SIZE, shape)[0])


def boxes(within: int = 300) -> st.SearchStrategy[tuple[float, float, float, float]]:
    position, side = st.floats(-50, within), st.floats(1, 150)
    return st.tuples(position, position, side, side)


def in_picture() -> st.SearchStrategy[tuple[float, float, float, float]]:
    return st.tuples(st.floats(0, 150), st.floats(0, 60), st.floats(4, 50), st.floats(4, 40))


@given(face=boxes(), masks=st.lists(boxes(), max_size=4), shape=st.sampled_from(SHAPES))
def test_a_share_is_between_nothing_and_everything_or_of_no_face(
    face: tuple[float, ...], masks: list[tuple[float, ...]], shape: str
) -> None:
    covered = share(face, *masks, shape=shape)
    outside = face[0] >= SIZE[0] or face[1] >= SIZE[1] or face[0] + face[2] <= 0 or face[1] + face[3] <= 0
    assert np.isnan(covered) if outside else np.isnan(covered) or 0 <= covered <= 1


@given(face=in_picture(), masks=st.lists(boxes(), max_size=4), more=boxes(), shape=st.sampled_from(SHAPES))
def test_another_mask_never_uncovers(
    face: tuple[float, ...], masks: list[tuple[float, ...]], more: tuple[float, ...], shape: str
) -> None:
    assert share(face, *masks, more, shape=shape) >= share(face, *masks, shape=shape)


@given(face=in_picture(), first=boxes(), second=boxes(), shape=st.sampled_from(SHAPES))
def test_where_masks_overlap_they_count_once(
    face: tuple[float, ...], first: tuple[float, ...], second: tuple[float, ...], shape: str
) -> None:
    one, other, both = (share(face, *masks, shape=shape) for masks in ((first,), (second,), (first, second)))
    assert max(one, other) <= both <= one + other + 1e-9
    assert share(face, first, first, shape=shape) == one
    assert share(face, second, first, shape=shape) == both


@given(face=in_picture(), mask=boxes())
def test_a_rectangle_hides_all_that_its_ellipse_does(face: tuple[float, ...], mask: tuple[float, ...]) -> None:
    assert share(face, mask, shape="rectangle") >= share(face, mask, shape="ellipse")


@given(face=boxes(), shape=st.sampled_from(SHAPES))
def test_a_mask_of_the_size_of_the_face_covers_it(face: tuple[float, ...], shape: str) -> None:
    covered = share(face, face, shape=shape)
    assume(not np.isnan(covered))
    assert covered > 0.99


def test_what_of_a_face_is_outside_the_picture_need_not_be_masked() -> None:
    assert share((-20, 30, 40, 40), (0, 30, 20, 40), shape="rectangle") == 1
    assert share((180, 30, 40, 40), (180, 30, 20, 40), shape="rectangle") == 1
    assert share((80, -20, 40, 40), (80, 0, 40, 20), shape="rectangle") == 1
    assert share((20, 30, 40, 40), (20, 30, 20, 40), shape="rectangle") == pytest.approx(0.5)


def test_a_face_wholly_outside_the_picture_is_none() -> None:
    assert np.isnan(share((300, 30, 40, 40), (300, 30, 40, 40)))


def test_a_circle_inside_a_circle_of_twice_its_area_and_the_other_way_round() -> None:
    large, small = (50.0, 20.0, 40.0, 40.0), (70 - 200**0.5, 40 - 200**0.5, 800**0.5, 800**0.5)
    assert share(small, large) == 1
    assert share(large, small) == pytest.approx(0.5, abs=0.01)


def test_masks_of_other_frames_do_not_count() -> None:
    faces = pd.concat([table((20, 20, 30, 30), frame=frame) for frame in (7, 3, 5)])
    masks = pd.concat([table((10, 10, 50, 50), frame=frame) for frame in (5, 4)])
    assert share_under_masks(faces, masks, SIZE, "ellipse").tolist() == [0, 0, 1]


def test_a_mask_without_size_hides_nothing() -> None:
    assert share((20, 20, 30, 30), (35, 35, 0, 0), shape="rectangle") == 0


def test_no_faces_have_no_shares() -> None:
    assert share_under_masks(table(), table((1, 1, 5, 5)), SIZE, "ellipse").shape == (0,)
