"""Measure how much of a face lies under masks.

A box is x, y, width, height in pixels of the upright picture, (x, y) its upper left corner. A face is the ellipse
inscribed in its box; what a mask hides for certain is the ellipse inscribed in its box, or all of the box.
"""

import numpy as np
import pandas as pd

from deidpose.labels import BOX

#: A face is covered when so much of it lies under masks.
ENOUGH = 0.9
#: Points of a face at which it is tested whether a mask is there.
_POINTS = 500


def share_under_masks(found: pd.DataFrame, faces: pd.DataFrame, size: tuple[int, int], shape: str) -> np.ndarray:
    """Return how much of every face lies under the masks of its frame.

    Parameters
    ----------
    found : DataFrame
        Columns frame, x_px, y_px, width_px, height_px: the ellipse inscribed in each box is the face.
    faces : DataFrame
        The table ``faces``.
    size : tuple of int
        Width and height of the picture, in pixels: what of a face lies beyond is not looked at.
    shape : str
        "ellipse" or "rectangle": what of each box of ``faces`` is hidden.

    Returns
    -------
    array, shape (n,)
        0..1, counted at points that fill each face evenly; where masks overlap, points count once. NaN for a face that
        lies wholly outside the picture.
    """
    boxes, frames = found[BOX].to_numpy(float), found["frame"].to_numpy()
    shares = np.full(len(found), np.nan)
    masks = {int(str(frame)): rows[BOX].to_numpy(float) for frame, rows in faces.groupby("frame")}
    none = np.empty((0, 4))
    order = np.argsort(frames, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(frames[order])) + 1):
        if len(rows):
            shares[rows] = _shares(boxes[rows], masks.get(int(frames[rows[0]]), none), size, shape)
    return shares


def _shares(boxes: np.ndarray, masks: np.ndarray, size: tuple[int, int], shape: str) -> np.ndarray:
    points = boxes[:, None, :2] + (_DISC + 1) / 2 * boxes[:, None, 2:4]
    shown = ((points >= 0) & (points < size)).all(axis=2)
    under = hidden(points, masks, shape) & shown
    n_shown = shown.sum(axis=1)
    return np.asarray(np.divide(under.sum(axis=1), n_shown, out=np.full(len(boxes), np.nan), where=n_shown > 0))


def hidden(points: np.ndarray, masks: np.ndarray, shape: str) -> np.ndarray:
    """Return which points (..., 2) lie under one of the masks (m, 4)."""
    under = np.zeros(points.shape[:-1], bool)
    for box in masks:
        if (box[2:4] > 0).all():
            away = np.abs(points - box[:2] - box[2:4] / 2) / (box[2:4] / 2)
            under |= (away <= 1).all(axis=-1) if shape == "rectangle" else (away**2).sum(axis=-1) <= 1
    return under


def _disc() -> np.ndarray:
    """Return points that fill the unit disc evenly, like seeds a sunflower (Vogel 1979, Math. Biosci. 44:179-189)."""
    number = np.arange(_POINTS)
    distance, angle = np.sqrt((number + 0.5) / _POINTS), number * np.pi * (3 - np.sqrt(5))
    return np.column_stack([distance * np.cos(angle), distance * np.sin(angle)])


#: Points of the unit disc, shape (m, 2).
_DISC = _disc()
