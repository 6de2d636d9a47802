"""Compare a masked video with its original pixel by pixel: masked where it should be, the same elsewhere."""

from collections.abc import Iterable, Mapping
from itertools import zip_longest
from typing import Any, NamedTuple

import cv2
import numpy as np
import pandas as pd

from deidpose.audit.coverage import hidden
from deidpose.boxes import about_centre
from deidpose.labels import BOX
from deidpose.video.frames import Frame

#: Where findings of this kind come from.
SOURCE = "comparison with the original"

#: Regions are compared at this size at most, in pixels: enough for what is left of a face, and fast.
_COMPARED_PX = 128
#: Fine structure is what a Gaussian of this share of the mask's own grain (its cells or its Gaussian) takes away.
_FINE_OVER_GRAIN = 1 / 7
#: It shows through a mask when it correlates by more than this with that of the original. Measured on the demo clips
#: at constant rate factors of 20 and 40: at most 0.35 under masks of the usual strength, 0.48 under the weakest that
#: the settings allow. In the control at least 0.92 at 20; at 40 a twentieth of its regions fall below the limit, at 51
#: half. So a file that was never masked fails at any rate factor, one frame of it that was not might pass at 51.
_SHOWS_THROUGH = 0.7
#: A region of the original with less structure than this (root mean square, of 255) shows nothing to begin with.
_LEAST_STRUCTURE = 1.5
_LEAST_PIXELS = 64
#: The part of a mask that is compared, and the finest structure, in pixels of what is compared.
_INNER, _FINEST_PX = 0.9, 0.8
#: A block is this near to black on average; what is so by accident in another method was dark in the original.
_BLACK, _NOT_BLACK = 8.0, 24.0

#: Outside the masks, means over so many pixels a side of the two files differ by more than so many levels ...
_CELL_PX, _UNLIKE_LEVELS = 8, 32.0
#: ... in no more than this share of them. Measured: at most 0.0001 at a constant rate factor of 40, 0.005 at 51 with
#: 24 levels; 0.01 to 0.02 when the file is five frames late; 0.4 for another video of the same room.
_UNLIKE_SHARE = 0.005
#: So many times the size of a mask is left out, for an encoder lets it bleed; and the ring in which it fades.
_BEYOND = 1.2


class Comparison(NamedTuple):
    """What `compare` has found.

    ``n_frames`` of the masked video; in ``n_unlike`` of them it does not show the original outside the masks.
    ``masked_share`` is the share of all pictures that was to be masked, 0..1. ``not_applied`` has a row for each
    mask of a frame that is not there: frame, box, score (0..1, how much the region looks like the original), source.
    """

    n_frames: int
    n_unlike: int
    masked_share: float
    not_applied: pd.DataFrame


def compare_pixels(
    original: Iterable[Frame], masked: Iterable[Frame], faces: pd.DataFrame, method: str, mask: Mapping[str, Any]
) -> Comparison:
    """Compare a masked video with its original: masked where it should be, and the same everywhere else.

    Every frame is compared, its luma only. Under each mask a block must be black; of any other method, the fine
    structure of the original (finer than the cells or the Gaussian of the mask) must not show. What the masked
    file was made by does not matter: nothing of `masks` is used.

    Parameters
    ----------
    original, masked : iterable of Frame
        Of the sanitized and of the masked file.
    faces : DataFrame
        The table ``faces``.
    method : str
        blur, block or pixelate.
    mask : mapping
        ``mask`` of the configuration, of which at least what the method goes by: shape; blur_strength, and feather
        where there is one; pixelate_cells.
    """
    masks = {int(str(frame)): rows[BOX].to_numpy(float) for frame, rows in faces.groupby("frame")}
    none = np.empty((0, 4))
    grain = mask["blur_strength"] if method == "blur" else 1 / mask["pixelate_cells"] if method == "pixelate" else 1.0
    beyond = _BEYOND + 2 * mask.get("feather", 0.0)
    n_frames = n_unlike = n_cells = n_masked = 0
    cells = np.empty((0, 0, 2))
    missing: list[tuple[Any, ...]] = []
    for before, after in zip_longest(original, masked):
        n_frames += after is not None
        if before is None or after is None:
            continue
        boxes = masks.get(after.index, none)
        luma, shown = before.planes[0], after.planes[0]
        if luma.shape != shown.shape:
            n_unlike += 1
            continue
        if not n_cells:
            cells = _cells(luma.shape)
        n_cells += cells.shape[0] * cells.shape[1]
        n_masked += int(hidden(cells, boxes, mask["shape"]).sum())
        apart = cv2.absdiff(
            *(cv2.resize(plane, cells.shape[1::-1], interpolation=cv2.INTER_AREA) for plane in (luma, shown))
        )
        unlike = (apart > _UNLIKE_LEVELS) & ~hidden(cells, about_centre(boxes, beyond), "rectangle")
        n_unlike += bool(unlike.mean() > _UNLIKE_SHARE)
        for box in boxes:
            black = 0 if after.full_range else 16
            visible = _visible(luma, shown, box, method, black, grain)
            if visible is not None:
                missing.append((after.index, *box, visible, SOURCE))
    table = pd.DataFrame(missing, columns=["frame", *BOX, "score", "source"])
    return Comparison(n_frames, n_unlike, n_masked / max(1, n_cells), table)


def _cells(size: tuple[int, ...]) -> np.ndarray:
    """Return the centres of the cells of pictures of a height and a width, shape (rows, columns, 2): x, y in pixels."""
    rows, columns = (max(1, side // _CELL_PX) for side in size)
    return np.stack(
        np.meshgrid((np.arange(columns) + 0.5) * size[1] / columns, (np.arange(rows) + 0.5) * size[0] / rows), axis=-1
    )


def _visible(
    luma: np.ndarray, shown: np.ndarray, box: np.ndarray, method: str, black: int, grain: float
) -> float | None:
    """Return how much (0..1) a region that should be masked looks like the original; None when it is masked.

    ``luma`` and ``shown`` are the planes of the original and of the masked video, ``grain`` the size of the cells or
    of the Gaussian over the longer side of the box.
    """
    height, width = luma.shape
    left, top = np.clip(np.floor(box[:2]), 0, (width, height)).astype(int)
    right, bottom = np.clip(np.ceil(box[:2] + box[2:4]), 0, (width, height)).astype(int)
    if right - left < 2 or bottom - top < 2:
        return None
    scale = min(1.0, _COMPARED_PX / max(right - left, bottom - top))
    size = (max(2, round((right - left) * scale)), max(2, round((bottom - top) * scale)))
    before, after = (
        cv2.resize(plane[top:bottom, left:right], size, interpolation=cv2.INTER_AREA).astype(np.float32)
        for plane in (luma, shown)
    )
    across = left + (np.arange(size[0]) + 0.5) * (right - left) / size[0]
    down = top + (np.arange(size[1]) + 0.5) * (bottom - top) / size[1]
    # Not up to the edge: an encoder lets what is around it bleed in.
    inside = hidden(np.stack(np.meshgrid(across, down), axis=-1), about_centre(box[None], _INNER), "ellipse")
    if inside.sum() < _LEAST_PIXELS:
        return None
    to_black, was = (float(np.abs(plane[inside] - black).mean()) for plane in (after, before))
    if method == "block" or (to_black < _BLACK and was > _NOT_BLACK):
        return None if (method == "block") == (to_black < _BLACK) else 1.0
    fine = max(float(max(box[2:4])) * scale * grain * _FINE_OVER_GRAIN, _FINEST_PX)
    first, second = (
        (plane - cv2.GaussianBlur(plane, (0, 0), fine, borderType=cv2.BORDER_REPLICATE))[inside]
        for plane in (before, after)
    )
    energy = float(first @ first)
    if energy < _LEAST_STRUCTURE**2 * len(first):
        return None
    likeness = float(first @ second) / max((energy * float(second @ second)) ** 0.5, 1e-9)
    return likeness if likeness > _SHOWS_THROUGH else None
