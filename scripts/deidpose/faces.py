"""Faces: detection with YuNet, and the arithmetic of boxes.

A box is x, y, width, height in pixels of the upright picture, (x, y) its upper left corner; boxes are arrays of
shape (n, 4).
"""

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from deidpose import runtime, tables
from deidpose.video import Frame, to_bgr

#: Strides of the three levels of YuNet (Wu et al. 2023, Machine Intelligence Research 20:656-665).
_STRIDES = (8, 16, 32)
#: Boxes of one face overlap by more than this.
_SAME_FACE_IOU = 0.3
#: YuNet was trained on faces of about 10 to 300 pixels: pictures larger than this are also searched at half,
#: a quarter ... of their size, where a larger face falls into that range.
_TRAINED_SIDE_PX = 300
#: Smaller faces on a reduced level are found at the level above it, with fewer false alarms.
_SMALLEST_WHEN_REDUCED_PX = 100


class YuNet:
    """The face detector YuNet, searched over a pyramid of scales of one picture size.

    A class, and not a function, because a compiled network is kept for every level of the pyramid.

    Parameters
    ----------
    model : path
        ``face_detection_yunet_2023mar.onnx``.
    height, width : int
        Size of the pictures, in pixels.
    threads, precision
        See `runtime.compile_network`.
    """

    def __init__(self, model: str | Path, height: int, width: int, threads: int = 1, precision: str = "f32") -> None:
        self.size = (height, width)
        self.levels: list[tuple[float, tuple[int, int], runtime.Network]] = []
        scale = 1.0
        while scale == 1.0 or min(height, width) * scale >= _TRAINED_SIDE_PX:
            rows, columns = (-(-round(side * scale) // 32) * 32 for side in (height, width))
            network = runtime.compile_network(model, (1, 3, rows, columns), threads, precision)
            self.levels.append((scale, (rows, columns), network))
            scale /= 2

    def detect(self, picture: np.ndarray, threshold: float) -> np.ndarray:
        """Find the faces of a picture.

        Parameters
        ----------
        picture : array, shape (height, width, 3), uint8, blue-green-red
        threshold : float
            Lowest score, 0..1, that counts.

        Returns
        -------
        array, shape (n, 5)
            x, y, width, height in pixels and score, best first.
        """
        found = []
        height, width = self.size
        for scale, (rows, columns), network in self.levels:
            padded = np.zeros((rows, columns, 3), np.uint8)
            if scale == 1.0:
                padded[:height, :width] = picture
            else:
                target = (round(width * scale), round(height * scale))
                padded[: target[1], : target[0]] = cv2.resize(picture, target, interpolation=cv2.INTER_AREA)
            outputs = network(cv2.dnn.blobFromImage(padded))
            level = _decode_yunet(outputs, rows, columns, threshold)
            if scale < 1.0:
                level = level[level[:, 2:4].max(axis=1) >= _SMALLEST_WHEN_REDUCED_PX]
            level[:, :4] /= scale
            found.append(level)
        faces = np.concatenate(found)
        return np.asarray(faces[non_maximum_suppression(faces[:, :4], faces[:, 4], _SAME_FACE_IOU)])


def detect(
    frames: Iterable[Frame], model: str | Path, threshold: float, threads: int = 1, precision: str = "f32"
) -> pd.DataFrame:
    """Find the faces in every frame of a video.

    Parameters
    ----------
    frames : iterable of Frame
        All of one size.
    model, threads, precision
        See `YuNet`.
    threshold : float
        Lowest score, 0..1, that counts.

    Returns
    -------
    DataFrame
        The table ``detections``, by frame, best first.
    """
    detector: YuNet | None = None
    rows: list[tuple[float, ...]] = []
    for frame in frames:
        picture = to_bgr(frame)
        if detector is None:
            height, width = picture.shape[:2]
            detector = YuNet(model, height, width, threads, precision)
        rows += [(frame.index, *face) for face in detector.detect(picture, threshold)]
    return tables.check(pd.DataFrame(rows, columns=list(tables.TABLES["detections"])), "detections")


def _decode_yunet(outputs: list[np.ndarray], rows: int, columns: int, threshold: float) -> np.ndarray:
    """Turn the twelve outputs (class, object, box, points at three strides) into boxes, shape (n, 5)."""
    faces = []
    for level, stride in enumerate(_STRIDES):
        class_score, object_score, box = (outputs[level + 3 * kind][0] for kind in range(3))
        score = np.sqrt(np.clip(class_score[:, 0], 0, 1) * np.clip(object_score[:, 0], 0, 1))
        kept = np.flatnonzero(score >= threshold)
        row, column = np.divmod(kept, columns // stride)
        centre_x = (column + box[kept, 0]) * stride
        centre_y = (row + box[kept, 1]) * stride
        width, height = np.exp(box[kept, 2]) * stride, np.exp(box[kept, 3]) * stride
        faces.append(
            np.stack([centre_x - width / 2, centre_y - height / 2, width, height, score[kept]], axis=1, dtype=float)
        )
    return np.concatenate(faces)


def intersection_over_union(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the overlap of every box of ``first`` with every box of ``second``, shape (n, m), 0..1."""
    intersection = _intersection(first, second)
    union = (first[:, 2] * first[:, 3])[:, None] + (second[:, 2] * second[:, 3])[None] - intersection
    return np.asarray(np.divide(intersection, union, out=np.zeros_like(intersection), where=union > 0))


def covered_share(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the share of every box of ``first`` that lies inside every box of ``second``, shape (n, m), 0..1."""
    area = (first[:, 2] * first[:, 3])[:, None]
    intersection = _intersection(first, second)
    return np.asarray(np.divide(intersection, area, out=np.zeros_like(intersection), where=area > 0))


def under_ellipse(boxes: np.ndarray, regions: np.ndarray) -> np.ndarray:
    """Return whether every corner of each box lies under the ellipse inscribed in each region, shape (n, m).

    The ellipse is the smaller of the two shapes of a mask: what it covers, the rectangle covers too.
    """
    half = regions[None, :, 2:4] / 2
    centre = regions[None, :, :2] + half
    low, high = boxes[:, None, :2], boxes[:, None, :2] + boxes[:, None, 2:4]
    far = np.maximum(np.abs(low - centre), np.abs(high - centre))
    reach = np.divide(far, half, out=np.full(np.broadcast_shapes(far.shape, half.shape), np.inf), where=half > 0)
    return np.asarray((reach**2).sum(axis=2) <= 1)


def _intersection(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, :2] + first[:, None, 2:4], second[None, :, :2] + second[None, :, 2:4])
    sides = np.clip(high - low, 0, None)
    return np.asarray(sides[..., 0] * sides[..., 1], dtype=float)


def non_maximum_suppression(boxes: np.ndarray, scores: np.ndarray, overlap: float) -> np.ndarray:
    """Return the indices of the boxes to keep, best first: of any that overlap by more, only the best stays."""
    order = np.argsort(-scores, kind="stable")
    kept: list[int] = []
    while len(order):
        best, order = order[0], order[1:]
        kept.append(int(best))
        order = order[intersection_over_union(boxes[[best]], boxes[order])[0] <= overlap]
    return np.array(kept, dtype=int)


def enlarge(boxes: np.ndarray, factor: float) -> np.ndarray:
    """Return boxes grown about their centres to squares of ``factor`` times their longer side."""
    side = boxes[:, 2:4].max(axis=1, keepdims=True) * factor
    centre = boxes[:, :2] + boxes[:, 2:4] / 2
    return np.concatenate([centre - side / 2, side, side], axis=1)
