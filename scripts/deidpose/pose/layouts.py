"""Skeletons of other systems, recognised by what they are and brought into BODY_25.

Sources of the orders: OpenPose, ``poseParameters.cpp`` (BODY_25, BODY_25B, BODY_135, COCO) and the Halpe Full-Body
dataset (Li et al. 2020, CVPR, PaStaNet; 26 keypoints).
"""

import numpy as np
from numpy.typing import NDArray

from deidpose.errors import UserError
from deidpose.skeleton import BODY_25, INDEX, MIDPOINTS

_TWENTY_FIVE_B = (
    "Nose", "LEye", "REye", "LEar", "REar", "LShoulder", "RShoulder", "LElbow", "RElbow", "LWrist", "RWrist", "LHip",
    "RHip", "LKnee", "RKnee", "LAnkle", "RAnkle", "UpperNeck", "HeadTop", "LBigToe", "LSmallToe", "LHeel", "RBigToe",
    "RSmallToe", "RHeel",
)  # fmt: skip

#: Layout -> names of its keypoints in their order. Of BODY_135 the points of hands and face follow.
LAYOUTS: dict[str, tuple[str, ...]] = {
    "BODY_25": BODY_25,
    "BODY_25B": _TWENTY_FIVE_B,
    "BODY_135": _TWENTY_FIVE_B,
    "COCO-18": (
        "Nose", "Neck", "RShoulder", "RElbow", "RWrist", "LShoulder", "LElbow", "LWrist", "RHip", "RKnee", "RAnkle",
        "LHip", "LKnee", "LAnkle", "REye", "LEye", "REar", "LEar",
    ),
    "HALPE-26": (
        "Nose", "LEye", "REye", "LEar", "REar", "LShoulder", "RShoulder", "LElbow", "RElbow", "LWrist", "RWrist",
        "LHip", "RHip", "LKnee", "RKnee", "LAnkle", "RAnkle", "HeadTop", "Neck", "MidHip", "LBigToe", "RBigToe",
        "LSmallToe", "RSmallToe", "LHeel", "RHeel",
    ),
}  # fmt: skip

_BY_COUNT = {18: ("COCO-18",), 25: ("BODY_25", "BODY_25B"), 26: ("HALPE-26",), 135: ("BODY_135",)}

#: A point that is the middle of two others lies nearer to it than this, as a share of the size of the body.
_MIDDLE = 0.12
#: So many bodies tell one layout from another.
_FEWEST_BODIES = 5


def recognize(bodies: NDArray[np.float64]) -> str:
    """Return the layout of keypoints, a key of `LAYOUTS`.

    The number of points tells most of them. BODY_25 and BODY_25B both have 25: in the first, point 1 is the middle of
    points 2 and 5 (neck and shoulders) and point 8 that of 9 and 12 (hips); in the second they are an eye and an elbow.

    Parameters
    ----------
    bodies : array, shape (n, points, 3)
        x, y in pixels and confidence of as many people as there are; 0, 0 or NaN for a point that was not found.

    Raises
    ------
    UserError
        No layout has that many points, or the bodies are too few or too strange to tell two layouts apart.
    """
    count = bodies.shape[1]
    if count not in _BY_COUNT:
        known = ", ".join(f"{number} ({' or '.join(names)})" for number, names in sorted(_BY_COUNT.items()))
        raise UserError(
            f"The keypoints have {count} points a person, which no known layout has; those that are known have {known}."
        )
    candidates = _BY_COUNT[count]
    if len(candidates) == 1:
        return candidates[0]
    points = _missing_as_nan(bodies)[..., :2]
    seen = np.isfinite(points)
    extent = np.where(seen, points, -np.inf).max(axis=1) - np.where(seen, points, np.inf).min(axis=1)
    # Both have to be middles: an eye is never far from the middle of the other eye and a shoulder.
    furthest = np.max(
        [
            np.linalg.norm(points[:, middle] - (points[:, left] + points[:, right]) / 2, axis=1)
            for middle, left, right in ((1, 2, 5), (8, 9, 12))
        ],
        axis=0,
    )
    told = (furthest / np.linalg.norm(extent, axis=1))[np.isfinite(furthest)]
    share = float((told < _MIDDLE).mean()) if len(told) >= _FEWEST_BODIES else 0.5
    if 0.2 < share < 0.8:
        raise UserError(
            "The keypoints have 25 points a person, but whether they are BODY_25 or BODY_25B can not be told from "
            "them, because too few people are seen whole; name the layout in the settings."
        )
    return "BODY_25" if share >= 0.8 else "BODY_25B"


def to_body_25(bodies: NDArray[np.float64], layout: str) -> NDArray[np.float64]:
    """Bring keypoints of another layout into the order of BODY_25.

    Neck and MidHip, where the layout has none, are the midpoints of the shoulders and of the hips, with the lower of
    the two confidences. What the layout has no point for is NaN, NaN, 0.

    Parameters
    ----------
    bodies : array, shape (n, points, 3)
        x, y and confidence; 0, 0 or NaN for a point that was not found.
    layout : str
        A key of `LAYOUTS`.

    Returns
    -------
    array, shape (n, 25, 3)
    """
    points = _missing_as_nan(bodies)
    mapped = np.full((len(points), len(BODY_25), 3), np.nan)
    names = LAYOUTS[layout]
    for index, name in enumerate(names):
        if name in BODY_25:
            mapped[:, INDEX[name]] = points[:, index]
    for middle, left, right in MIDPOINTS:
        if middle not in names:
            pair = mapped[:, [INDEX[left], INDEX[right]]]
            mapped[:, INDEX[middle], :2] = pair[..., :2].mean(axis=1)
            mapped[:, INDEX[middle], 2] = pair[..., 2].min(axis=1)
    unseen = ~np.isfinite(mapped[..., :2]).all(axis=2)
    mapped[unseen] = (np.nan, np.nan, 0)
    return mapped


def _missing_as_nan(bodies: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a copy in which a point without confidence, or at (0, 0), has no position."""
    points = np.array(bodies, dtype=float)
    missing = ~(points[..., 2] > 0) | (points[..., :2] == 0).all(axis=2)
    points[missing, :2] = np.nan
    return points
