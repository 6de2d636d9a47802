"""The face detector YuNet, run over a pyramid of scales."""

from pathlib import Path

import cv2
import numpy as np

from deidpose.boxes import non_maximum_suppression
from deidpose.runtime import inference

#: Strides of the three levels of YuNet (Wu et al. 2023, Machine Intelligence Research 20:656-665).
_STRIDES = (8, 16, 32)
#: Boxes of one face overlap by more than this.
SAME_FACE_IOU = 0.3
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
        See `inference.compile_network`.
    scale : float
        Scale of the largest level; the next ones are half, a quarter ... of it.
    """

    def __init__(
        self,
        model: str | Path,
        height: int,
        width: int,
        threads: int = 1,
        precision: str = "f32",
        scale: float = 1.0,
    ) -> None:
        self.size = (height, width)
        self.levels: list[tuple[float, tuple[int, int], inference.Network]] = []
        while not self.levels or min(height, width) * scale >= _TRAINED_SIDE_PX:
            rows, columns = (-(-round(side * scale) // 32) * 32 for side in (height, width))
            network = inference.compile_network(model, (1, 3, rows, columns), threads, precision, pictures=True)
            self.levels.append((scale, (rows, columns), network))
            scale /= 2

    def detect(self, picture: np.ndarray, threshold: float, levels: slice = slice(None)) -> np.ndarray:
        """Find the faces of a picture.

        Parameters
        ----------
        picture : array, shape (height, width, 3), uint8, blue-green-red
        threshold : float
            Lowest score, 0..1, that counts.
        levels : slice
            The levels of the pyramid to search, the largest first.

        Returns
        -------
        array, shape (n, 5)
            x, y, width, height in pixels and score, best first.
        """
        found = []
        height, width = self.size
        for number, (scale, (rows, columns), network) in enumerate(self.levels[levels]):
            target = (round(width * scale), round(height * scale))
            if scale != 1.0:
                how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
                resized = cv2.resize(picture, target, interpolation=how)
            else:
                resized = picture
            if target == (columns, rows):
                padded = np.ascontiguousarray(resized)
            else:
                padded = np.zeros((rows, columns, 3), np.uint8)
                padded[: target[1], : target[0]] = resized
            faces = _decode(network(padded[None]), rows, columns, threshold)
            if number:
                faces = faces[faces[:, 2:4].max(axis=1) >= _SMALLEST_WHEN_REDUCED_PX]
            faces[:, :4] /= scale
            found.append(faces)
        return best_faces(np.concatenate(found))


def best_faces(faces: np.ndarray) -> np.ndarray:
    """Return one box for every face, best first."""
    return np.asarray(faces[non_maximum_suppression(faces[:, :4], faces[:, 4], SAME_FACE_IOU)])


def _decode(outputs: list[np.ndarray], rows: int, columns: int, threshold: float) -> np.ndarray:
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
