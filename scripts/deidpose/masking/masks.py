"""Hide faces: a smooth blur, a black block, or coarse pixels, on the planes of a picture.

Every mask works on the three planes (luma and chroma) before any encoder sees them. A region is an ellipse or a
rectangle, and all of it is hidden: a chroma sample is masked as soon as one of the pixels that it colours is. A blur
fades into the picture, in a ring around the region and never inside it.

Blur and pixelate draw the same thing in two ways: a few means of the region, each taken under a bell. No picture
shows more of the region than these values, and since a bell has no edges, cells that move over a face from picture
to picture do not scan it. What was measured stands in docs/masks.md.
"""

import math
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from deidpose.video.frames import Frame

Planes = tuple[np.ndarray, np.ndarray, np.ndarray]

METHODS = ("blur", "block", "pixelate")

#: Standard deviation of the bell over the side of its cell. With plain means of cells instead, sixty pictures of a
#: face under moving cells give most of it back (docs/masks.md); the wider the bell, the flatter is what is drawn.
_BELL = 0.7
#: A cell is at least this many samples wide: a bell would not be one on fewer.
_SMALLEST_CELL = 2.0


class Strength(NamedTuple):
    """How strongly and in what shape a region is hidden: ``mask`` of the configuration.

    ``shape`` is "ellipse" or "rectangle". All else goes by the longer side of the region: ``blur_strength`` is the
    standard deviation of the Gaussian over it, ``pixelate_cells`` the number of cells across it, and ``feather`` the
    width over it of the ring beyond the region in which a blur fades. Blocks and pixels have edges everywhere: a ring
    would cost them picture for nothing. What a method does not go by may be left out.
    """

    shape: str
    blur_strength: float = 0.0
    pixelate_cells: int = 0
    feather: float = 0.0


class Axis(NamedTuple):
    """How a region is hidden along one axis of one plane.

    ``bells``, shape (cells, m), are the weights with which the samples from ``first`` on go into the mean of each
    cell; ``drawn``, shape (n, cells), those with which the means make up each sample that is drawn.
    """

    first: int
    bells: np.ndarray
    drawn: np.ndarray


def axis(start: float, length: float, longer: float, limit: int, where: slice, method: str, strength: Strength) -> Axis:
    """Divide a region into cells along one axis.

    Parameters
    ----------
    start, length : float
        Where the region begins and how long it is, in samples; it may reach beyond the picture.
    longer : float
        Its longer side, in samples.
    limit : int
        Samples of the plane along this axis.
    where : slice
        The samples to draw.
    method, strength
        "blur" or "pixelate"; see `mask`.
    """
    # A Gaussian leaves about one value for each standard deviation: so many cells look the same as it does.
    count = strength.pixelate_cells if method == "pixelate" else math.ceil(1 / strength.blur_strength)
    smallest = max(longer / count, _SMALLEST_CELL)
    side = length / max(1, math.floor(length / smallest + 1e-9))
    # Anchored to the region and not to its part in the picture, so that the cells of a face that leaves move with it.
    centres = start + (np.arange(round(length / side)) + 0.5) * side
    half = side * 0.500001  # of a cell that ends at the picture's edge, rounding must not lose the last sample
    centres = centres[(centres + half > 0) & (centres - half < limit)]
    first, last = max(0, math.floor(start)), min(limit, math.ceil(start + length))
    bells = _gaussian(centres, np.arange(first, last) + 0.5, side * _BELL)
    samples = np.arange(where.start, where.stop) + 0.5
    if method == "pixelate":
        drawn = np.eye(len(centres))[np.abs(samples[:, None] - centres).argmin(axis=1)]
    else:
        # The bells have blurred it in part already: variances add up.
        rest = (longer * strength.blur_strength) ** 2 - (side * _BELL) ** 2
        drawn = _gaussian(samples, centres, max(math.sqrt(max(rest, 0)), side / 2))
    return Axis(first, bells, drawn)


def _gaussian(points: np.ndarray, others: np.ndarray, deviation: float) -> np.ndarray:
    """Return the weights of all ``others`` at each of the points, shape (points, others); a row adds up to 1."""
    exponent = -0.5 * ((points[:, None] - others) / deviation) ** 2
    weights = np.exp(exponent - exponent.max(axis=1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def mask_frames(frames: Iterable[Frame], faces: pd.DataFrame, method: str, strength: Strength) -> Iterator[Planes]:
    """Yield the planes of every frame with the regions of the table ``faces`` hidden; the rest as in `mask`."""
    columns = ["x_px", "y_px", "width_px", "height_px"]
    boxes = {int(str(frame)): rows[columns].to_numpy(float) for frame, rows in faces.groupby("frame")}
    none = np.empty((0, 4))
    for frame in frames:
        yield mask(frame, boxes.get(frame.index, none), method, strength)


def mask(frame: Frame, boxes: np.ndarray, method: str, strength: Strength) -> Planes:
    """Return the planes of a frame with every region hidden.

    Parameters
    ----------
    frame : Frame
        Left as it is.
    boxes : array, shape (n, 4)
        x, y, width, height of the regions in pixels; parts outside the picture are ignored.
    method : str
        One of `METHODS`.
    strength : Strength

    Raises
    ------
    ValueError
        There is no such method, or a region has no place or no size.

    Notes
    -----
    Regions are hidden one after the other, the largest first. So a region that overlaps a larger one is made from
    what is hidden there already, and one that overlaps smaller ones has larger cells than theirs. A ring fades into
    what is shown by then: where it crosses another region, that is hidden, before or after.
    """
    height, width = frame.planes[0].shape
    if method not in METHODS:
        raise ValueError("there is no such method of masking")
    if not np.isfinite(boxes).all() or not (boxes[:, 2:4] > 0).all():
        raise ValueError("a region to mask has no place or no size")
    boxes = boxes[((boxes[:, :2] < (width, height)) & (boxes[:, :2] + boxes[:, 2:4] > 0)).all(axis=1)]
    if not len(boxes):
        return frame.planes
    planes = (frame.planes[0].copy(), frame.planes[1].copy(), frame.planes[2].copy())
    blacks = (0 if frame.full_range else 16, 128, 128)  # ITU-T H.273: black of luma, and no colour
    steps = [1 if plane.shape == (height, width) else 2 for plane in planes]
    for box in boxes[np.argsort(-boxes[:, 2:4].max(axis=1), kind="stable")]:
        cuts = {step: _cut(box, (height, width), step, method, strength) for step in set(steps)}
        for plane, black, step in zip(planes, blacks, steps, strict=True):
            _draw(plane, cuts[step], black)
    return planes


class _Cut(NamedTuple):
    """What a region and its ring take up in a plane, and what they show.

    ``whole``, shape of the area, is True for the samples of the region; ``ring`` lists those of the ring, as indices
    into the flattened area, and ``share`` how much of the mask each of them shows. ``axes``, down and across, are
    missing where the region shows black.
    """

    area: tuple[slice, slice]
    whole: np.ndarray
    ring: np.ndarray
    share: np.ndarray
    axes: tuple[Axis, ...]


def _draw(plane: np.ndarray, cut: _Cut, black: int) -> None:
    """Hide a region of a plane, and let it fade into what the plane shows around it."""
    region = plane[cut.area]
    if not cut.axes:
        region[cut.whole] = black
        return
    down, across = cut.axes
    seen = plane[down.first :, across.first :][: down.bells.shape[1], : across.bells.shape[1]].astype(float)
    means = np.rint(down.bells @ seen @ across.bells.T)  # all that is left: whole numbers from 0 to 255
    shown = np.rint(down.drawn @ means @ across.drawn.T).astype(np.uint8)
    if len(cut.ring):
        rows, columns = np.divmod(cut.ring, region.shape[1])
        before = region[rows, columns].astype(np.float32)
        region[rows, columns] = np.rint(before + (shown[rows, columns] - before) * cut.share)
    np.copyto(region, shown, where=cut.whole)


def _cut(box: np.ndarray, size: tuple[int, int], step: int, method: str, strength: Strength) -> _Cut:
    """Cut a region and its ring out of a plane whose samples lie ``step`` pixels apart.

    The area goes outward to even pixels, so that a chroma sample is either wholly inside or wholly outside.
    """
    height, width = size
    longer = float(max(box[2:]))
    reach = strength.feather * longer if method == "blur" else 0.0
    left, top = (max(0, math.floor((start - reach) / 2) * 2) for start in box[:2])
    right = min(math.ceil((box[0] + box[2] + reach) / 2) * 2, width)
    bottom = min(math.ceil((box[1] + box[3] + reach) / 2) * 2, height)
    area = slice(top // step, bottom // step), slice(left // step, right // step)
    axes: tuple[Axis, ...] = ()
    if method != "block":
        begin, length, limits = box[1::-1] / step, box[:1:-1] / step, (height // step, width // step)
        axes = tuple(axis(begin[i], length[i], longer / step, limits[i], area[i], method, strength) for i in (0, 1))
    half = box[2:] / 2
    x, y = np.arange(left, right) + 0.5 - box[0] - half[0], np.arange(top, bottom) + 0.5 - box[1] - half[1]
    whole = _level(x, y, half, strength.shape) <= 1
    if step == 2:
        x, y = x[::2] + 0.5, y[::2] + 0.5
        whole = whole[::2] | whole[1::2]
        whole = whole[:, ::2] | whole[:, 1::2]
    if not reach:
        return _Cut(area, whole, np.empty(0, int), np.empty(0), axes)
    outer = _level(x, y, half + reach, strength.shape)
    ring = np.flatnonzero((outer < 1) & ~whole)
    away = 1 - np.sqrt(outer.ravel()[ring])
    inner = np.sqrt(_level(x, y, half, strength.shape).ravel()[ring]) - 1
    return _Cut(area, whole, ring, away / (away + np.maximum(inner, 0)), axes)


def _level(x: np.ndarray, y: np.ndarray, half: np.ndarray, shape: str) -> np.ndarray:
    """Return the square of how far pixels lie from a region's centre, 1 on its edge, shape (len(y), len(x))."""
    # The edge is moved out by three quarters of a pixel, so that every pixel that it touches is inside.
    across = ((x / (half[0] + 0.75)) ** 2).astype(np.float32)
    down = ((y / (half[1] + 0.75)) ** 2).astype(np.float32)[:, None]
    return np.asarray(across + down if shape == "ellipse" else np.maximum(across, down))
