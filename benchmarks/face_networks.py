"""Four networks that look at one place in a picture and say how sure they are that a face is there.

YuNet and CenterFace are those of the workflow. The two of MediaPipe took no part in choosing how strong a mask is.
Each looks several times, closer and from further away, and the surest look counts: that makes a mask's test strict.
"""

import sys
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / folder) for folder in ("scripts", "tests", ".")]

from deidpose.faces.yunet import YuNet
from deidpose.runtime import inference
from deidpose.workflow import downloads

NAMES = ("landmarks", "short_range", "yunet", "centerface")

#: How many times the side of the face the crops have that each network gets. The short-range detector looks at
#: pictures of 128 pixels: from further away it takes any disc on shoulders for a head, a black one too.
_LANDMARK_SCALES = (1.25, 1.5, 1.75, 2.0)
_SHORT_RANGE_SCALES = (1.5, 2.0)
#: Sides in pixels to which a face is scaled for the other two; the crop is four times as wide.
_SIDES_PX = (24, 48, 96, 192)


def fetch(root: Path) -> dict[str, Path]:
    """Return name -> path of the four networks; fetched where they are not there yet."""
    entries = {**downloads.load(root / "config/models.yaml"), **downloads.load(root / "benchmarks/face_networks.yaml")}
    wanted = {name: entries[name] for name in ("yunet", "centerface", "face_landmarks", "face_short_range")}
    downloads.fetch_all(wanted, root / "resources/models")
    return {name: root / "resources/models" / entry["file"] for name, entry in wanted.items()}


class Watchers:
    """The four networks, compiled."""

    def __init__(self, paths: Mapping[str, Path]) -> None:
        self._landmarks = inference.compile_network(paths["face_landmarks"])
        self._short_range = inference.compile_network(paths["face_short_range"])
        self._yunet = [YuNet(paths["yunet"], 4 * side, 4 * side) for side in _SIDES_PX]
        self._centerface = [inference.compile_network(paths["centerface"], (1, 3, 4 * s, 4 * s)) for s in _SIDES_PX]

    def look(self, picture: np.ndarray, box: np.ndarray) -> dict[str, float]:
        """Return name -> the highest score, 0..1, for a face about where ``box`` is in a picture (blue-green-red)."""
        yunet, centerface = 0.0, 0.0
        for index, side in enumerate(_SIDES_PX):
            crop = _crop(picture, box, 4.0, 4 * side)
            yunet = max(yunet, _surest_in_the_middle(self._yunet[index].detect(crop, 0.05), 4 * side, side))
            outputs = self._centerface[index](cv2.dnn.blobFromImage(crop, swapRB=True))
            centerface = max(centerface, _surest_in_the_middle(_centerface(outputs), 4 * side, side))
        return {
            "landmarks": self._face_landmarks(picture, box),
            "short_range": self._face_short_range(picture, box),
            "yunet": yunet,
            "centerface": centerface,
        }

    def _face_landmarks(self, picture: np.ndarray, box: np.ndarray) -> float:
        """Return the flag of MediaPipe's landmark network that says whether a face is in the crop."""
        flags = []
        for scale in _LANDMARK_SCALES:
            for shift in ((0, 0), (0.1, 0), (-0.1, 0), (0, 0.1), (0, -0.1)):
                moved = box + np.array([*(shift * box[2:]), 0, 0])
                flags.append(self._landmarks(_rgb(picture, moved, scale, 192)[None] / 255)[1].item())
        return float(_sigmoid(np.array(flags)).max())

    def _face_short_range(self, picture: np.ndarray, box: np.ndarray) -> float:
        best = 0.0
        for scale in _SHORT_RANGE_SCALES:
            rows, scores = self._short_range(_rgb(picture, box, scale, 128)[None] / 127.5 - 1)
            centre = _ANCHORS * 128 + rows[0, :, :2]
            found = np.column_stack([centre - rows[0, :, 2:4] / 2, rows[0, :, 2:4], _sigmoid(scores.ravel())])
            best = max(best, _surest_in_the_middle(found, 128, 128 / scale))
        return best


def _centerface(outputs: list[np.ndarray]) -> np.ndarray:
    """Turn heat map, sizes and offsets, a cell for four by four pixels, into boxes, shape (n, 5)."""
    heat, size, offset = outputs[0][0, 0], outputs[1][0], outputs[2][0]
    row, column = np.nonzero(heat >= 0.05)
    height, width = (np.exp(size[axis, row, column]) * 4 for axis in (0, 1))
    centre_y, centre_x = (row + offset[0, row, column] + 0.5) * 4, (column + offset[1, row, column] + 0.5) * 4
    return np.column_stack([centre_x - width / 2, centre_y - height / 2, width, height, heat[row, column]])


def _surest_in_the_middle(found: np.ndarray, width: int, side: float) -> float:
    """Return the highest score of the boxes, shape (n, 5), that lie where the face is and are about its size."""
    centre, longer = found[:, :2] + found[:, 2:4] / 2, found[:, 2:4].max(axis=1)
    here = (np.abs(centre - width / 2).max(axis=1) < side / 2) & (longer > 0.3 * side) & (longer < 2 * side)
    return float(found[here, 4].max(initial=0.0))


def _rgb(picture: np.ndarray, box: np.ndarray, scale: float, width: int) -> np.ndarray:
    return cv2.cvtColor(_crop(picture, box, scale, width), cv2.COLOR_BGR2RGB).astype(np.float32)


def _crop(picture: np.ndarray, box: np.ndarray, scale: float, width: int) -> np.ndarray:
    """Return a square of ``scale`` times the longer side of a box, about its centre, ``width`` pixels wide."""
    side = max(2, round(max(box[2:]) * scale))
    left, top = (round(start) for start in box[:2] + box[2:] / 2 - side / 2)
    height, columns = picture.shape[:2]
    room = [max(0, -top), max(0, top + side - height), max(0, -left), max(0, left + side - columns)]
    inside = picture[max(0, top) : max(0, top + side), max(0, left) : max(0, left + side)]
    square = cv2.copyMakeBorder(inside, *room, cv2.BORDER_CONSTANT)
    how = cv2.INTER_AREA if side > width else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(square, (width, width), interpolation=how))


def _sigmoid(value: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(value.astype(float), -100, 100)))


def _anchors() -> np.ndarray:
    """Return the centres of the short-range detector's anchors, shape (896, 2), 0..1: grids of 16 and 8 a side."""
    centres = []
    for cells, per_cell in ((16, 2), (8, 6)):
        y, x = np.divmod(np.arange(cells * cells), cells)
        centres.append(np.repeat((np.stack([x, y], axis=1) + 0.5) / cells, per_cell, axis=0))
    return np.concatenate(centres)


_ANCHORS = _anchors()
