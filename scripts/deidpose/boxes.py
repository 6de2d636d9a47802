"""Arithmetic of boxes: overlap, suppression, growth.

A box is x, y, width, height in pixels of the upright picture, (x, y) its upper left corner; boxes are arrays of
shape (n, 4).
"""

import numpy as np


def about_centre(boxes: np.ndarray, factor: float) -> np.ndarray:
    """Return boxes (n, 4) with their sides times ``factor``, about their centres."""
    return np.concatenate([boxes[:, :2] + boxes[:, 2:4] * (1 - factor) / 2, boxes[:, 2:4] * factor], axis=1)


#: A face is as wide as it is high when it is seen from the side, ear to nose; its box may not be.
_ROUND = 0.8


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
    """Return whether every corner of a box lies under the ellipse inscribed in a region.

    The ellipse is the smaller of the two shapes of a mask: what it covers, the rectangle covers too.

    Parameters
    ----------
    boxes, regions : arrays, shapes (..., 4)
        Broadcast against each other: pass ``boxes[:, None], regions[None]`` for every box with every region.
    """
    half = regions[..., 2:4] / 2
    centre = regions[..., :2] + half
    low, high = boxes[..., :2], boxes[..., :2] + boxes[..., 2:4]
    far = np.maximum(np.abs(low - centre), np.abs(high - centre))
    reach = np.divide(far, half, out=np.full(np.broadcast_shapes(far.shape, half.shape), np.inf), where=half > 0)
    return np.asarray((reach**2).sum(axis=-1) <= 1)


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
    """Return boxes grown about their centres by ``factor``, the shorter side to at least `_ROUND` of the longer."""
    sides = np.maximum(boxes[:, 2:4], boxes[:, 2:4].max(axis=1, keepdims=True) * _ROUND) * factor
    centre = boxes[:, :2] + boxes[:, 2:4] / 2
    return np.concatenate([centre - sides / 2, sides], axis=1)
