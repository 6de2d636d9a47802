from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deidpose.faces import detection, linking
from deidpose.masking import masks
from deidpose.video.frames import Frame
from deidpose.workflow import config

STRENGTH = masks.Strength("ellipse", 0.25, 6)
RECTANGLE = STRENGTH._replace(shape="rectangle")


@pytest.fixture(scope="module")
def regions(tracked: linking.Tracked) -> pd.DataFrame:
    return tracked.faces


def textured(height: int = 96, width: int = 128, odd: bool = False, full_range: bool = False) -> Frame:
    """Return a frame of noise, in which every pixel that changes is seen to change."""
    random = np.random.default_rng(5)
    half = (height, width) if odd else (height // 2, width // 2)
    planes = tuple(random.integers(40, 220, shape).astype(np.uint8) for shape in ((height, width), half, half))
    return Frame(0, 0.0, planes, full_range)  # type: ignore[arg-type]


@pytest.mark.parametrize("method", masks.METHODS)
@given(
    x=st.floats(-150, 150), y=st.floats(-150, 150), width=st.floats(0.5, 200), height=st.floats(0.5, 200),
    shape=st.sampled_from(["ellipse", "rectangle"]), feather=st.sampled_from([0, 0.1, 0.5]), odd=st.booleans(),
)  # fmt: skip
def test_pixels_outside_the_region_and_its_ring_are_untouched_wherever_it_lies(
    method: str, x: float, y: float, width: float, height: float, shape: str, feather: float, odd: bool
) -> None:
    frame = textured(odd=odd)
    strength = STRENGTH._replace(shape=shape, feather=feather)
    hidden = masks.mask(frame, np.array([[x, y, width, height]]), method, strength)
    # Only a blur fades. Up to two pixels of the picture are added, outward to a whole sample of chroma.
    room = 2 + (feather * max(width, height) if method == "blur" else 0)
    for before, after in zip(frame.planes, hidden, strict=True):
        scale = before.shape[1] / 128
        rows, columns = np.indices(before.shape)
        outside = (
            ((columns + 1) / scale < x - room) | (columns / scale > x + width + room)
            | ((rows + 1) / scale < y - room) | (rows / scale > y + height + room)
        )  # fmt: skip
        if shape == "ellipse" and min(width, height) > 16:  # a curve beside a flatter one is no ellipse
            centre_x, centre_y = (columns + 0.5) / scale - x - width / 2, (rows + 0.5) / scale - y - height / 2
            outside |= (centre_x / (width / 2 + room + 1)) ** 2 + (centre_y / (height / 2 + room + 1)) ** 2 > 1
        np.testing.assert_array_equal(after[outside], before[outside])


def inside(box: tuple[float, float, float, float], plane: np.ndarray) -> np.ndarray:
    """Return which samples of a plane of a picture 128 pixels wide have their centre in the ellipse of a region."""
    scale = plane.shape[1] / 128
    rows, columns = np.indices(plane.shape)
    x, y = (columns + 0.5) / scale - box[0] - box[2] / 2, (rows + 0.5) / scale - box[1] - box[3] / 2
    return np.asarray((x / (box[2] / 2)) ** 2 + (y / (box[3] / 2)) ** 2 <= 1)


@given(x=st.floats(-40, 100), y=st.floats(-40, 70), width=st.floats(8, 90), height=st.floats(8, 90))
def test_a_feather_changes_nothing_inside_the_region(x: float, y: float, width: float, height: float) -> None:
    frame = textured()
    hard, soft = (
        masks.mask(frame, np.array([[x, y, width, height]]), "blur", STRENGTH._replace(feather=feather))
        for feather in (0, 0.3)
    )
    for one, two in zip(hard, soft, strict=True):
        region = inside((x, y, width, height), one)
        np.testing.assert_array_equal(one[region], two[region])


def test_a_feather_falls_from_the_region_to_the_end_of_the_ring() -> None:
    white = textured()._replace(planes=(np.full((96, 128), 235, np.uint8), *textured().planes[1:]))
    white.planes[0][32:64, 48:80] = 16  # a black face, so that the hidden picture is darker than what is around
    luma = masks.mask(white, np.array([[40.0, 24, 48, 48]]), "blur", STRENGTH._replace(feather=0.25))[0]
    across = luma[48, 88:102].astype(int)  # the region ends at 88, its ring at 100
    assert (np.diff(across) >= 0).all()
    assert across[0] < 225
    assert (across[12:] == 235).all()
    assert np.abs(across[6] - (int(luma[48, 86]) + 235) / 2) < 12


@given(
    boxes=st.lists(
        st.tuples(st.floats(-20, 110), st.floats(-20, 80), st.floats(16, 90), st.floats(16, 90)),
        min_size=2, max_size=4,
    ),
    feather=st.floats(0, 0.5),
)  # fmt: skip
def test_no_feather_shows_what_another_region_hides(
    boxes: list[tuple[float, float, float, float]], feather: float
) -> None:
    stripes = np.where(np.arange(128) % 2, 220, 40).astype(np.uint8)  # 130 on average, wherever a bell lies
    planes = (np.tile(stripes, (96, 1)), np.tile(stripes[:64], (48, 1)), np.tile(stripes[:64], (48, 1)))
    hidden = masks.mask(Frame(0, 0.0, planes, False), np.array(boxes), "blur", STRENGTH._replace(feather=feather))
    for plane in hidden:
        region = np.any([inside(box, plane) for box in boxes], axis=0)
        assert np.abs(plane[region].astype(int) - 130).max(initial=0) <= 24


@pytest.mark.parametrize("method", ["blur", "pixelate"])
@pytest.mark.parametrize("order", [1, -1])
def test_a_small_region_shows_nothing_finer_of_the_larger_one_that_it_overlaps(method: str, order: int) -> None:
    """The cells of the smaller one would do to show the stripes under the larger one, if it saw them."""
    luma = np.full((96, 128), 130, np.uint8)
    luma[:, :60] = np.where(np.arange(60) // 8 % 2, 200, 60)
    frame = Frame(0, 0.0, (luma, np.full((48, 64), 128, np.uint8), np.full((48, 64), 128, np.uint8)), False)
    large, small = [-30.0, 3, 90, 90], [48.0, 34, 28, 28]
    hidden = masks.mask(frame, np.array([large, small])[::order], method, STRENGTH._replace(pixelate_cells=3))[0]
    region = inside((48, 34, 28, 28), hidden)
    assert np.ptp(hidden[region].astype(int)) < 6
    alone = masks.mask(frame, np.array([small]), method, STRENGTH._replace(pixelate_cells=3))[0]
    assert np.ptp(alone[region].astype(int)) > 20


@pytest.mark.parametrize("method", masks.METHODS)
def test_the_given_frame_is_left_as_it_is(method: str) -> None:
    frame, same = textured(), textured()
    masks.mask(frame, np.array([[20.0, 20, 40, 40]]), method, STRENGTH)
    for plane, expected in zip(frame.planes, same.planes, strict=True):
        np.testing.assert_array_equal(plane, expected)


def test_a_frame_without_regions_passes_bit_for_bit() -> None:
    frame = textured()
    assert masks.mask(frame, np.empty((0, 4)), "blur", STRENGTH) is frame.planes


@pytest.mark.parametrize(("full_range", "black"), [(False, 16), (True, 0)])
@pytest.mark.parametrize("odd", [False, True])
def test_a_block_is_black_in_luma_and_without_colour(full_range: bool, black: int, odd: bool) -> None:
    frame = textured(odd=odd, full_range=full_range)
    luma, chroma_b, chroma_r = masks.mask(frame, np.array([[20.0, 20, 40, 40]]), "block", RECTANGLE)
    step = 1 if odd else 2
    assert (luma[20:60, 20:60] == black).all()
    for chroma in (chroma_b, chroma_r):
        assert (chroma[20 // step : 60 // step, 20 // step : 60 // step] == 128).all()


@given(side=st.floats(2, 90), x=st.floats(-20, 100), y=st.floats(-20, 70))
def test_an_ellipse_covers_every_pixel_that_it_touches(side: float, x: float, y: float) -> None:
    luma = masks.mask(textured(), np.array([[x, y, side, side]]), "block", STRENGTH)[0]
    rows, columns = np.indices(luma.shape)
    # The corner of the pixel that is nearest to the centre.
    near_x = np.clip(x + side / 2, columns, columns + 1) - x - side / 2
    near_y = np.clip(y + side / 2, rows, rows + 1) - y - side / 2
    touched = np.hypot(near_x, near_y) < side / 2 - 1e-9
    assert (luma[touched] == 16).all()


def test_an_ellipse_leaves_the_corners_of_its_box() -> None:
    frame = textured()
    luma = masks.mask(frame, np.array([[20.0, 20, 60, 60]]), "block", STRENGTH)[0]
    for row in (21, 78):
        for column in (21, 78):
            assert luma[row, column] == frame.planes[0][row, column]


@pytest.mark.parametrize("cells", [2, 3, 4, 5])
def test_pixels_have_at_most_the_configured_number_of_cells_across(cells: int) -> None:
    strength = RECTANGLE._replace(pixelate_cells=cells)
    slope = (np.arange(96)[:, None] + np.arange(128)).astype(np.uint8)
    frame = textured()._replace(planes=(slope, *textured().planes[1:]))
    luma = masks.mask(frame, np.array([[20.0, 10, 80, 60]]), "pixelate", strength)[0]
    region = luma[10:70, 20:100].astype(int)
    changes = np.flatnonzero(np.abs(np.diff(region, axis=1)).sum(axis=0))
    assert len(changes) + 1 == cells
    assert len(np.unique(region)) <= cells * cells


@given(side=st.floats(6, 90), x=st.floats(-60, 110), y=st.floats(-60, 80), cells=st.integers(2, 5))
def test_no_cell_is_smaller_for_lying_at_the_edge_of_the_picture(side: float, x: float, y: float, cells: int) -> None:
    strength = RECTANGLE._replace(pixelate_cells=cells)
    frame = textured()
    luma = masks.mask(frame, np.array([[x, y, side, side]]), "pixelate", strength)[0]
    columns = slice(max(0, round(x) + 1), max(0, min(128, round(x + side) - 1)))
    rows = slice(max(0, round(y) + 1), max(0, min(96, round(y + side) - 1)))
    region = luma[rows, columns].astype(int)
    if not region.size:
        return
    changes = np.flatnonzero(np.abs(np.diff(region, axis=1)).sum(axis=0))
    assert (np.diff(changes) >= side / cells - 1).all()
    assert len(np.unique(region)) <= cells * cells


@pytest.mark.parametrize(("strength", "values"), [(0.5, 2), (0.35, 3), (0.25, 4), (0.2, 5)])
def test_a_blur_is_drawn_from_a_few_values(strength: float, values: int) -> None:
    """What a few rows and columns of values make up is a matrix of that rank; rounding adds some noise."""
    frame = textured()
    luma = masks.mask(frame, np.array([[16.0, 0, 96, 96]]), "blur", RECTANGLE._replace(blur_strength=strength))[0]
    energies = np.linalg.svd(luma[:, 16:112].astype(float), compute_uv=False)
    assert energies[values] < 12
    assert np.linalg.svd(frame.planes[0][:, 16:112].astype(float), compute_uv=False)[values] > 500


@pytest.mark.parametrize("method", ["blur", "pixelate"])
def test_what_is_drawn_follows_the_brightness_that_it_hides(method: str) -> None:
    ramp = np.tile(np.linspace(40, 200, 128), (96, 1)).round().astype(np.uint8)
    frame = textured()._replace(planes=(ramp, *textured().planes[1:]))
    luma = masks.mask(frame, np.array([[16.0, 0, 96, 96]]), method, RECTANGLE._replace(pixelate_cells=3))[0]
    assert luma[48, 64] == pytest.approx(ramp[48, 64], abs=2)
    assert luma[48, 24] < luma[48, 64] - 15
    assert luma[48, 104] > luma[48, 64] + 15


@pytest.mark.parametrize("method", masks.METHODS)
def test_what_is_even_stays_as_bright_as_it_was(method: str) -> None:
    even = Frame(0, 0.0, tuple(np.full(shape, 90, np.uint8) for shape in ((96, 128), (48, 64), (48, 64))), False)
    hidden = masks.mask(even, np.array([[-20.0, -20, 75, 63]]), method, STRENGTH._replace(feather=0.2))
    assert (hidden[0] == 90).all() == (method != "block")


@pytest.mark.parametrize("box", [[np.nan, 0, 10, 10], [0, 0, np.inf, 10], [0, 0, 0, 10], [0, 0, 10, -1]])
def test_a_region_without_place_or_size_is_an_error_and_never_left_out(box: list[float]) -> None:
    with pytest.raises(ValueError, match="no place or no size"):
        masks.mask(textured(), np.array([[20.0, 20, 40, 40], box]), "block", STRENGTH)


def test_an_unknown_method_is_an_error_and_no_other_one() -> None:
    with pytest.raises(ValueError, match="no such method"):
        masks.mask(textured(), np.array([[20.0, 20, 40, 40]]), "blurr", STRENGTH)


@pytest.mark.parametrize("method", ["blur", "block"])
def test_nothing_of_the_detail_of_real_faces_is_left(
    method: str, frames: list[Frame], regions: pd.DataFrame, detections: pd.DataFrame
) -> None:
    for frame, planes in zip(frames[::5], masks.mask_frames(frames[::5], regions, method, STRENGTH), strict=True):
        sure = detections[(detections["frame"] == frame.index) & (detections["score"] > 0.7)]
        assert len(sure) == 1
        left, top, width, height = (int(value) for value in sure.iloc[0][["x_px", "y_px", "width_px", "height_px"]])
        area = (slice(top, top + height), slice(left, left + width))
        before, after = (cv2.Laplacian(plane[area], cv2.CV_64F).var() for plane in (frame.planes[0], planes[0]))
        assert after < 0.05 * before


@pytest.mark.parametrize("method", masks.METHODS)
def test_colour_is_hidden_too(method: str) -> None:
    frame = textured()
    hidden = masks.mask(frame, np.array([[20.0, 20, 48, 48]]), method, STRENGTH)
    for before, after in zip(frame.planes[1:], hidden[1:], strict=True):
        assert (before[14:30, 14:30] != after[14:30, 14:30]).mean() > 0.9
        assert after[14:30, 14:30].std() < before[14:30, 14:30].std() / 3


@pytest.mark.parametrize("method", masks.METHODS)
def test_what_is_hidden_depends_on_nothing_but_averages_of_it(method: str) -> None:
    """A face whose fine structure is another gives nearly the same mask."""
    first = textured()
    noise = np.random.default_rng(9).permutation(first.planes[0][16:80, 16:80].ravel()).reshape(64, 64)
    planes = (first.planes[0].copy(), *first.planes[1:])
    planes[0][16:80, 16:80] = noise
    second = first._replace(planes=planes)
    region = np.array([[16.0, 16, 64, 64]])
    one, two = (
        masks.mask(frame, region, method, RECTANGLE)[0][16:80, 16:80].astype(float) for frame in (first, second)
    )
    assert np.abs(one - two).mean() < 0.3 * np.abs(planes[0].astype(float) - first.planes[0]).mean()


def test_the_detector_finds_no_face_under_the_blocks(
    frames: list[Frame], regions: pd.DataFrame, models: dict[str, Path]
) -> None:
    hidden = [
        frame._replace(planes=planes)
        for frame, planes in zip(frames, masks.mask_frames(frames, regions, "block", STRENGTH), strict=True)
    ]
    assert detection.detect_faces(hidden, models["yunet"], 0.5, 15).empty


def test_two_regions_of_one_frame_are_both_hidden() -> None:
    regions = pd.DataFrame(
        {"frame": [0, 0], "x_px": [4.0, 80.0], "y_px": [4.0, 40.0], "width_px": 30.0, "height_px": 30.0}
    )
    (planes,) = masks.mask_frames([textured()], regions, "block", RECTANGLE)
    assert (planes[0][4:34, 4:34] == 16).all()
    assert (planes[0][40:70, 80:110] == 16).all()


@pytest.mark.parametrize("method", masks.METHODS)
def test_a_method_looks_the_same_without_the_settings_of_the_others(method: str) -> None:
    """What `config.mask_of` leaves out is what it does not go by."""
    whole = {"shape": "ellipse", "blur_strength": 0.4, "pixelate_cells": 4, "feather": 0.2}
    frame, box = textured(), np.array([[20.0, 10.0, 60.0, 50.0]])
    with_all = masks.mask(frame, box, method, masks.Strength(**whole))
    with_own = masks.mask(frame, box, method, masks.Strength(**config.mask_of(whole, method)))
    for first, second in zip(with_all, with_own, strict=True):
        np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("method", ["blur", "pixelate"])
def test_a_method_without_its_strength_masks_nothing_at_all(method: str) -> None:
    with pytest.raises(ZeroDivisionError):
        masks.mask(textured(), np.array([[20.0, 10.0, 60.0, 50.0]]), method, masks.Strength("ellipse"))
