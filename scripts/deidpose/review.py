"""Pictures of what a person should look at. They show the original: for the group's own eyes."""

from collections.abc import Iterable

import cv2
import numpy as np
import pandas as pd

from deidpose.video import Frame, to_bgr

_TILE_PX = 240
_COLUMNS = 6
#: At most this many places are shown, evenly chosen from all that are listed.
_MOST_TILES = 36
#: A tile shows the region and this many times its side around it.
_CONTEXT = 3.0


def contact_sheet(frames: Iterable[Frame], review: pd.DataFrame) -> np.ndarray:
    """Return the listed places side by side, each with its frame number and its region outlined.

    Parameters
    ----------
    frames : iterable of Frame
        Of the original.
    review : DataFrame
        The table ``review``.

    Returns
    -------
    array, shape (height, width, 3), uint8, blue-green-red
        One empty tile when nothing is listed.
    """
    chosen = review.iloc[np.unique(np.linspace(0, len(review) - 1, min(len(review), _MOST_TILES)).astype(int))]
    places = {int(str(frame)): rows for frame, rows in chosen.groupby("frame")}
    tiles = [
        _tile(to_bgr(frame), frame.index, np.array([row.x_px, row.y_px, row.width_px, row.height_px], float))
        for frame in frames
        if frame.index in places
        for row in places[frame.index].itertuples()
    ]
    tiles += [np.zeros((_TILE_PX, _TILE_PX, 3), np.uint8)] * (-len(tiles) % _COLUMNS or (not tiles))
    width = min(len(tiles), _COLUMNS)
    return np.vstack([np.hstack(tiles[start : start + width]) for start in range(0, len(tiles), width)])


def _tile(picture: np.ndarray, index: int, box: np.ndarray) -> np.ndarray:
    side = float(max(box[2:])) * _CONTEXT
    scale = _TILE_PX / side
    left, top = box[:2] + box[2:] / 2 - side / 2
    to_tile = np.array([[scale, 0, -left * scale], [0, scale, -top * scale]])
    tile = cv2.warpAffine(picture, to_tile, (_TILE_PX, _TILE_PX), flags=cv2.INTER_AREA)
    first = (box[:2] - [left, top]) * scale
    last = first + box[2:] * scale
    cv2.rectangle(tile, [round(v) for v in first], [round(v) for v in last], (0, 0, 255), 2)
    cv2.putText(tile, f"frame {index}", (6, _TILE_PX - 8), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 255), 1)
    return np.asarray(tile)
