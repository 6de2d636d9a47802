"""Recognise the skeletons of other systems and map them to BODY_25.

Sources of the orders: OpenPose, ``poseParameters.cpp`` (BODY_25, BODY_25B, BODY_135, COCO) and the Halpe Full-Body
dataset (Li et al. 2020, CVPR, PaStaNet; 26 keypoints).
"""

from typing import Any

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
#: Eyes and ears lie closer together than this share of four other points, ...
_FACE = 0.5
#: ... and than this share of all that is seen of a body, of which more than a head is seen.
_FACE_OF_BODY = 0.33
#: An ankle lies nearer to a point of its foot than this, as a share of the size of the body.
_FOOT = 0.15
#: Of a body with fewer points nothing is said: where nothing but a face is seen, all points lie close together.
_FEWEST_POINTS = 8
#: So many bodies tell one layout from another, ...
_FEWEST_BODIES = 5
#: ... and so large a share of them has to say the same.
_AGREED = 0.8


def recognize(bodies: NDArray[np.float64], named: str = "") -> str:
    """Return the layout of keypoints, a key of `LAYOUTS`.

    The number of points tells most of them. BODY_25 and BODY_25B both have 25, and two things tell them apart. One is
    what is a face or an ankle. Points 15 to 18 are eyes and ears in the first and ankles and the head's ends in the
    second, points 1 to 4 neck and arm in the first and eyes and ears in the second: whichever four lie closer together
    are the face. The feet are the same points in both: whichever points lie close to them are the ankles. The other is
    that, in the first, point 1 is the middle of points 2 and 5 (neck and shoulders) and point 8 that of 9 and 12
    (hips). Each can deceive, since the elbow that is point 8 of BODY_25B may lie between a wrist and a hip; both have
    to say the same.

    Parameters
    ----------
    bodies : array, shape (n, points, 3)
        x, y in pixels and confidence of as many people as there are; 0, 0 or NaN for a point that was not found.
    named : str
        The layout that the settings name, if any. It decides where nothing else does.

    Raises
    ------
    UserError
        No layout has that many points, the bodies are too few or too strange to tell two layouts apart, they do not lie
        as those of a body do, or they are of another layout than the one that is named.
    """
    count = bodies.shape[1]
    if count not in _BY_COUNT:
        known = ", ".join(f"{number} ({' or '.join(names)})" for number, names in sorted(_BY_COUNT.items()))
        raise UserError(
            f"The keypoints have {count} points a person, which no known layout has; those that are known have {known}."
        )
    candidates = _BY_COUNT[count]
    if named and named not in candidates:
        raise UserError(
            f"The setting pose.import.layout is {named}, but the keypoints have {count} points a person, as "
            f"{' or '.join(candidates)} has."
        )
    points = _missing_as_nan(bodies)[..., :2]
    layout = _of_25(points) if len(candidates) > 1 else candidates[0]
    if named and layout not in ("", named):
        raise UserError(
            f"The setting pose.import.layout is {named}, but the keypoints are {layout}, by where they lie in a body."
        )
    if not (layout or named):
        raise UserError(
            f"The keypoints have {count} points a person, but whether they are {' or '.join(candidates)} can not be "
            "told from them, because too few people are seen whole: name the layout with the setting "
            "pose.import.layout."
        )
    if not _is_a_body(points, layout or named):
        raise UserError(
            f"The keypoints have {count} points a person, as {layout or named} has, but they do not lie as those of a "
            "body do in that order."
        )
    return layout or named


def _of_25(points: NDArray[np.float64]) -> str:
    """Return which of the two layouts with 25 points bodies, shape (n, 25, 2), have; empty where that is not told."""
    size = _spread(points)
    size[size == 0] = np.nan
    faces = np.stack([_spread(points[:, 15:19]), _spread(points[:, 1:5])])
    feet = np.stack([_to_foot(points, ankles) / size for ankles in ((14, 11), (15, 16))])
    # For each layout, whether face and feet of each body speak for it: 0, 1 or 2.
    said = np.array(
        [
            (faces[one] < _FACE * faces[other]).astype(int)
            + ((feet[one] < _FOOT) & ~(feet[other] < 2 * feet[one])).astype(int)
            for one, other in ((0, 1), (1, 0))
        ]
    )
    votes = (said > said[::-1]).sum(axis=1)
    away = [
        np.linalg.norm(points[:, middle] - (points[:, left] + points[:, right]) / 2, axis=1)
        for middle, left, right in ((1, 2, 5), (8, 9, 12))
    ]
    middles = np.stack(away) / size
    if votes.sum() < _FEWEST_BODIES:
        return ""
    share = votes[0] / votes.sum()
    # For the first, those that are seen have to be middles; against it, both.
    seen = middles[:, np.isfinite(middles).any(axis=0)]
    both = middles[:, np.isfinite(middles).all(axis=0)]
    if share >= _AGREED and _share(~np.any(seen >= _MIDDLE, axis=0)) >= _AGREED:
        return "BODY_25"
    if share <= 1 - _AGREED and _share(~np.any(both >= _MIDDLE, axis=0)) < _AGREED:
        return "BODY_25B"
    return ""


def _to_foot(points: NDArray[np.float64], ankles: tuple[int, int]) -> NDArray[np.float64]:
    """Return how far the ankles, left and right, lie from the nearest point of their feet, shape (n,), px.

    The larger of the two; NaN where neither is told. The feet are the last six points of both layouts.
    """
    away = np.full((2, len(points)), np.nan)
    for side, ankle in enumerate(ankles):
        foot = points[:, 19 + 3 * side : 22 + 3 * side]
        nearest = np.linalg.norm(foot - points[:, ankle, None], axis=2)
        away[side] = np.fmin.reduce(nearest, axis=1)
    return np.asarray(np.fmax.reduce(away, axis=0))


def _is_a_body(points: NDArray[np.float64], layout: str) -> bool:
    """Return whether bodies, shape (n, points, 2), lie as a layout has them; also where too few of them say anything.

    Eyes and ears have to lie close together, and Neck and MidHip, where the layout has them, between shoulders and
    between hips.
    """
    names = LAYOUTS[layout]
    points = points[:, : len(names)]
    size = _spread(points)
    enough = np.isfinite(points[..., 0]).sum(axis=1) >= _FEWEST_POINTS
    # For each thing that has to be small: how large it is, and how large it may be.
    things = [(_spread(points[:, [names.index(name) for name in ("REye", "LEye", "REar", "LEar")]]), _FACE_OF_BODY)]
    for middle in (triple for triple in MIDPOINTS if triple[0] in names):
        place, left, right = (points[:, names.index(name)] for name in middle)
        things.append((np.linalg.norm(place - (left + right) / 2, axis=1), _MIDDLE))
    for length, most in things:
        measurable = enough & np.isfinite(length)
        if measurable.sum() >= _FEWEST_BODIES and _share((length < most * size)[measurable]) <= 1 - _AGREED:
            return False
    # The layout with the most points begins as BODY_25B does.
    return layout != "BODY_135" or _of_25(points) != "BODY_25"


def _share(said: Any) -> float:
    """Return the share of bodies, array of bool with the shape (n,), that say yes; 0 where too few say anything."""
    return float(said.mean()) if len(said) >= _FEWEST_BODIES else 0.0


def _spread(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the diagonal of the box around the points of each body, shape (n,), px; NaN for fewer than two points."""
    seen = np.isfinite(points)
    high = np.where(seen, points, -np.inf).max(axis=1, initial=-np.inf)
    low = np.where(seen, points, np.inf).min(axis=1, initial=np.inf)
    enough = seen[..., 0].sum(axis=1) >= 2
    return np.where(enough, np.linalg.norm(np.where(enough[:, None], high - low, 0.0), axis=1), np.nan)


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
