from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deidpose import faces, masks, tracking
from deidpose.video import Frame

STRENGTH = masks.Strength("ellipse", 0.25, 6)
RECTANGLE = STRENGTH._replace(shape="rectangle")


@pytest.fixture(scope="module")
def regions(tracked: tracking.Tracked) -> pd.DataFrame:
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
    shape=st.sampled_from(["ellipse", "rectangle"]), odd=st.booleans(),
)  # fmt: skip
def test_pixels_outside_the_region_are_untouched_wherever_it_lies(
    method: str, x: float, y: float, width: float, height: float, shape: str, odd: bool
) -> None:
    frame = textured(odd=odd)
    hidden = masks.mask(frame, np.array([[x, y, width, height]]), method, STRENGTH._replace(shape=shape))
    for before, after in zip(frame.planes, hidden, strict=True):
        scale = before.shape[1] / 128
        rows, columns = np.indices(before.shape)
        # Up to two pixels of the picture, outward to a whole sample of chroma.
        outside = (
            ((columns + 1) / scale < x - 2) | (columns / scale > x + width + 2)
            | ((rows + 1) / scale < y - 2) | (rows / scale > y + height + 2)
        )  # fmt: skip
        np.testing.assert_array_equal(after[outside], before[outside])


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


@pytest.mark.parametrize("cells", [2, 4, 6, 10])
def test_pixels_have_at_most_the_configured_number_of_cells_across(cells: int) -> None:
    strength = RECTANGLE._replace(pixelate_cells=cells)
    luma = masks.mask(textured(), np.array([[20.0, 10, 80, 60]]), "pixelate", strength)[0]
    region = luma[10:70, 20:100].astype(int)
    changes = np.flatnonzero(np.abs(np.diff(region, axis=1)).sum(axis=0))
    assert len(changes) + 1 == cells
    assert len(np.unique(region)) <= cells * cells


def test_a_cell_has_the_mean_of_what_it_hides() -> None:
    frame = textured()
    luma = masks.mask(frame, np.array([[20.0, 10, 60, 60]]), "pixelate", RECTANGLE)[0]
    assert luma[10, 20] == pytest.approx(frame.planes[0][10:20, 20:30].mean(), abs=0.6)


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
    assert faces.detect(hidden, models["yunet"], 0.5).empty


def test_two_regions_of_one_frame_are_both_hidden() -> None:
    regions = pd.DataFrame(
        {"frame": [0, 0], "x_px": [4.0, 80.0], "y_px": [4.0, 40.0], "width_px": 30.0, "height_px": 30.0}
    )
    (planes,) = masks.mask_frames([textured()], regions, "block", RECTANGLE)
    assert (planes[0][4:34, 4:34] == 16).all()
    assert (planes[0][40:70, 80:110] == 16).all()
