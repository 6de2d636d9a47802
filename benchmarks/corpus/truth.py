"""The true faces of the demo clips, annotated by eye in ``faces.tsv``, and their arithmetic.

A row of ``faces.tsv`` is a key frame of one face. From it up to the next key frame of the same face the box moves in a
straight line and ``visible`` stays as it is:

face
    A part of the face can be recognised: an eye, the nose or the mouth, in profile too, behind a surgical mask, or
    beside something that covers the rest. The box reaches from the forehead to the chin and from ear to ear, or as far
    as the head shows them; behind an edge of the scene (a tree, a screen) it is cut there, at the edge of the picture
    it is not.
behind
    The head is in the picture and no face can be recognised: it is seen from behind, or something stands before the
    face. The box is around the head.
pixelated
    The face has been pixelated by those who published the clip. The box is around the head.
absent
    Neither is there. The row has no box.

Coordinates are pixels of the upright picture, origin at its top left corner.
"""

import functools
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

KEY_FRAMES = Path(__file__).with_name("faces.tsv")

#: Columns of a table of true faces. ``visible`` is one of the above except absent; ``share_in_picture`` is the share
#: of the box that lies inside the picture, 0..1.
COLUMNS = ["clip", "frame", "face", "x_px", "y_px", "width_px", "height_px", "visible", "share_in_picture"]
BOX = COLUMNS[3:7]

#: Less of a face than this inside the picture, or a smaller one, counts as a head and not as a face.
SMALLEST_SHARE = 0.25
SMALLEST_PX = 8.0


class Face(NamedTuple):
    """One face or head in one picture: who, the box x, y, width, height in pixels, and how much is seen of it."""

    face: str
    box: np.ndarray
    visible: str


@functools.cache
def of_clip(clip: str) -> dict[int, list[Face]]:
    """Return frame -> faces of a demo clip such as park/walk."""
    keys = pd.read_csv(KEY_FRAMES, sep="\t")
    faces: dict[int, list[Face]] = {}
    for name, rows in keys[keys["clip"] == clip].groupby("face", sort=False):
        if not rows["frame"].is_monotonic_increasing or rows["frame"].duplicated().any():
            raise ValueError(f"the key frames of {name} in {clip} are not in order")
        for frame, box, visible in _between(rows):
            faces.setdefault(frame, []).append(Face(str(name), box, visible))
    if not faces:
        raise ValueError(f"no face of {clip} has been annotated")
    return faces


def box_of(clip: str, face: str, frame: int) -> np.ndarray:
    """Return the box of a face in a frame of a demo clip, in which it must be."""
    return next(found.box for found in of_clip(clip)[frame] if found.face == face)


def _between(rows: pd.DataFrame) -> Iterable[tuple[int, np.ndarray, str]]:
    frames, visible = rows["frame"].tolist(), rows["visible"].tolist()
    boxes = rows[BOX].to_numpy(float)
    for index, (first, what) in enumerate(zip(frames, visible, strict=True)):
        if what == "absent":
            continue
        last = index + 1 == len(frames)
        straight = not last and visible[index + 1] != "absent"
        for frame in range(first, first + 1 if last else frames[index + 1]):
            along = (frame - first) / (frames[index + 1] - first) if straight else 0.0
            target = boxes[index + 1] if straight else boxes[index]
            yield frame, boxes[index] + along * (target - boxes[index]), what


def moved(box: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Return the box around the ellipse inscribed in ``box`` after an affine map.

    Parameters
    ----------
    box : array, shape (4,)
    matrix : array, shape (2, 3)
        Takes a point (x, y, 1) of the old picture to one of the new.
    """
    centre = matrix[:, :2] @ (box[:2] + box[2:] / 2) + matrix[:, 2]
    # The furthest points of a mapped ellipse along an axis are the norm of that row times the half axes.
    half = np.hypot(matrix[:, 0] * box[2] / 2, matrix[:, 1] * box[3] / 2)
    return np.concatenate([centre - half, 2 * half])


def ellipse(box: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return which pixels of a picture have their middle inside the ellipse inscribed in ``box``.

    Parameters
    ----------
    box : array, shape (4,)
    size : tuple of int
        Height and width of the picture.

    Returns
    -------
    array, shape (height, width), bool
    """
    inside = np.zeros(size, bool)
    low = np.clip(np.floor(box[:2]), 0, size[::-1]).astype(int)
    high = np.clip(np.ceil(box[:2] + box[2:]), 0, size[::-1]).astype(int)
    if (high <= low).any() or (box[2:] <= 0).any():
        return inside
    x = (np.arange(low[0], high[0]) + 0.5 - box[0] - box[2] / 2) / (box[2] / 2)
    y = (np.arange(low[1], high[1]) + 0.5 - box[1] - box[3] / 2) / (box[3] / 2)
    inside[low[1] : high[1], low[0] : high[0]] = x[None] ** 2 + y[:, None] ** 2 <= 1
    return inside


def rectangle(box: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return which pixels of a picture have their middle inside ``box``, as `ellipse` does."""
    inside = np.zeros(size, bool)
    low = np.clip(np.ceil(box[:2] - 0.5), 0, size[::-1]).astype(int)
    high = np.clip(np.ceil(box[:2] + box[2:] - 0.5), 0, size[::-1]).astype(int)
    inside[low[1] : high[1], low[0] : high[0]] = True
    return inside


def share_in_picture(box: np.ndarray, size: tuple[int, int]) -> float:
    """Return the share of a box that lies inside a picture of ``size`` (height, width), 0..1."""
    sides = np.minimum(box[:2] + box[2:], size[::-1]) - np.maximum(box[:2], 0)
    return float(np.prod(np.clip(sides, 0, None)) / np.prod(box[2:]))


def row(clip: str, frame: int, face: Face, size: tuple[int, int]) -> tuple[object, ...] | None:
    """Return the row of a table of true faces, or None where nothing of the face or head is in the picture."""
    share = share_in_picture(face.box, size)
    if not share:
        return None
    visible = face.visible
    if visible == "face" and (share < SMALLEST_SHARE or face.box[3] < SMALLEST_PX):
        visible = "behind"
    return (clip, frame, face.face, *(round(float(side), 2) for side in face.box), visible, round(share, 4))
