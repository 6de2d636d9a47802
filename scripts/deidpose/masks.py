"""Hide faces: Gaussian blur, a black block, or coarse pixels, on the planes of a picture.

Every mask works on the three planes (luma and chroma) before any encoder sees them. A region is an ellipse or a
rectangle; a chroma sample is masked as soon as one of the pixels that it colours is.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import cv2
import numpy as np
import pandas as pd

from deidpose.video import Frame

Planes = tuple[np.ndarray, np.ndarray, np.ndarray]


class Strength(NamedTuple):
    """How strongly and in what shape a region is hidden.

    ``blur_strength`` is the standard deviation of the Gaussian over the longer side of the region,
    ``pixelate_cells`` the number of cells across that side, ``shape`` "ellipse" or "rectangle".
    """

    shape: str
    blur_strength: float
    pixelate_cells: int


def blur(region: np.ndarray, side: int, black: int, strength: Strength) -> np.ndarray:
    """Return a plane's region under a Gaussian whose width grows with the region.

    A wide Gaussian hides nothing finer than itself, so it is taken at a reduced size: the same picture, faster.
    """
    sigma = max(side * strength.blur_strength, 1.0)
    shrink = max(1, int(sigma // 4))
    size = (max(1, region.shape[1] // shrink), max(1, region.shape[0] // shrink))
    small = cv2.resize(region, size, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), sigma / shrink, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.resize(small, region.shape[::-1], interpolation=cv2.INTER_LINEAR))


def block(region: np.ndarray, side: int, black: int, strength: Strength) -> np.ndarray:
    """Return a plane's region filled with ``black``."""
    return np.full_like(region, black)


def pixelate(region: np.ndarray, side: int, black: int, strength: Strength) -> np.ndarray:
    """Return a plane's region as the means of square cells, ``pixelate_cells`` of them across its longer side."""
    cell = max(side / strength.pixelate_cells, 1.0)
    size = (max(1, round(region.shape[1] / cell)), max(1, round(region.shape[0] / cell)))
    small = cv2.resize(region, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, region.shape[::-1], interpolation=cv2.INTER_NEAREST))


#: Method -> the function that hides one region of one plane.
METHODS: dict[str, Callable[[np.ndarray, int, int, Strength], np.ndarray]] = {
    "blur": blur,
    "block": block,
    "pixelate": pixelate,
}


def mask_frames(frames: Iterable[Frame], faces: pd.DataFrame, method: str, strength: Strength) -> Iterator[Planes]:
    """Yield the planes of every frame with the regions of the table ``faces`` hidden; the rest as in `mask`."""
    columns = ["x_px", "y_px", "width_px", "height_px"]
    boxes = {int(str(frame)): rows[columns].to_numpy(float) for frame, rows in faces.groupby("frame")}
    none = np.empty((0, 4))
    for frame in frames:
        yield mask(frame, boxes.get(frame.index, none), method, strength)


def mask(frame: Frame, boxes: np.ndarray, method: str, strength: Strength) -> Planes:
    """Return the planes of a frame with every box hidden.

    Parameters
    ----------
    frame : Frame
        Left as it is.
    boxes : array, shape (n, 4)
        x, y, width, height in pixels; parts outside the picture are ignored.
    method : str
        A key of `METHODS`.
    strength : Strength
    """
    if not len(boxes):
        return frame.planes
    planes = (frame.planes[0].copy(), frame.planes[1].copy(), frame.planes[2].copy())
    blacks = (0 if frame.full_range else 16, 128, 128)  # ITU-T H.273: black of luma, and no colour
    for box in boxes:
        _hide(planes, box, METHODS[method], blacks, strength)
    return planes


def _hide(
    planes: Planes,
    box: np.ndarray,
    method: Callable[[np.ndarray, int, int, Strength], np.ndarray],
    blacks: tuple[int, int, int],
    strength: Strength,
) -> None:
    height, width = planes[0].shape
    # Outward to even pixels, so that a chroma sample is either wholly inside or wholly outside.
    left, top = (max(0, int(np.floor(start / 2)) * 2) for start in box[:2])
    right, bottom = (int(np.ceil(end / 2)) * 2 for end in (box[0] + box[2], box[1] + box[3]))
    right, bottom = min(right, width), min(bottom, height)
    if right <= left or bottom <= top:
        return
    inside = _inside(box, left, top, right, bottom, strength.shape)
    for plane, black in zip(planes, blacks, strict=True):
        step = 2 if plane.shape != planes[0].shape else 1
        area = (slice(top // step, bottom // step), slice(left // step, right // step))
        region = plane[area]
        side = max(1, round(float(max(box[2], box[3])) / step))
        hidden = method(region, side, black, strength)
        if step == 2:
            chosen = inside.reshape(inside.shape[0] // 2, 2, inside.shape[1] // 2, 2).any(axis=(1, 3))
        else:
            chosen = inside
        region[chosen] = hidden[chosen]


def _inside(box: np.ndarray, left: int, top: int, right: int, bottom: int, shape: str) -> np.ndarray:
    """Return which pixels of the area belong to the region, shape (bottom - top, right - left)."""
    x = np.arange(left, right)[None, :] + 0.5
    y = np.arange(top, bottom)[:, None] + 0.5
    if shape == "rectangle":
        return np.ones((bottom - top, right - left), bool)
    centre_x, centre_y = box[0] + box[2] / 2, box[1] + box[3] / 2
    # Half a pixel is added to the half axes, so that a pixel that the curve only touches counts as inside.
    reach = ((x - centre_x) / (box[2] / 2 + 0.75)) ** 2 + ((y - centre_y) / (box[3] / 2 + 0.75)) ** 2
    return np.asarray(reach <= 1)
