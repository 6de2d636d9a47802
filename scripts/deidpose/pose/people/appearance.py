"""Describe the appearance of people by the colours that they wear."""

import cv2
import numpy as np
from numpy.typing import NDArray

from deidpose.skeleton import INDEX

Floats = NDArray[np.float64]

#: Where clothes are looked at: on the trunk from shoulder to shoulder and down to the hips, as shares of both (the
#: collar is left out: it is under the mask of the face), and along the thighs and shanks.
_ACROSS, _DOWN = (axis.ravel() for axis in np.meshgrid((0.2, 0.35, 0.5, 0.65, 0.8), np.linspace(0.25, 0.95, 6)))
_ALONG = np.array([0.2, 0.4, 0.6, 0.8])
_TRUNK = [INDEX[name] for name in ("LShoulder", "RShoulder", "LHip", "RHip")]
_LEGS = [[INDEX[side + joint] for joint in ("Hip", "Knee", "Ankle")] for side in "LR"]
#: Of the trunk or the legs, fewer points than this in the picture say nothing.
_FEWEST_POINTS = 6
_QUARTILES = (0.25, 0.5, 0.75)
#: Numbers that describe what somebody wears: three quartiles of three channels, of the trunk and of the legs.
N_COLOURS = 2 * len(_QUARTILES) * 3
#: Light and shadow change the lightness of a coat more than its hue.
_WEIGHTS = np.tile([0.5, 1.0, 1.0], N_COLOURS // 3)


def colours(picture: NDArray[np.uint8], body: Floats) -> NDArray[np.float32]:
    """Return the colours that somebody wears.

    Parameters
    ----------
    picture : array, shape (height, width, 3)
        Blue-green-red.
    body : array, shape (25 or more, 2)
        Their keypoints in the order of `skeleton.KEYPOINTS`, in pixels.

    Returns
    -------
    array, shape (18,)
        For the trunk and for the legs the quartiles of CIE L*a*b* (L* 0..100), channels last; NaN for a part that is
        not in the picture.
    """
    left, right, left_hip, right_hip = body[_TRUNK, None, :]
    across, down = _ACROSS[:, None], _DOWN[:, None]
    trunk = (1 - down) * ((1 - across) * left + across * right)
    trunk += down * ((1 - across) * left_hip + across * right_hip)
    joints = body[np.array(_LEGS)]
    legs = joints[:, :-1, None] + _ALONG[:, None] * (joints[:, 1:] - joints[:, :-1])[:, :, None]
    described = np.full((2, len(_QUARTILES), 3), np.nan, np.float32)
    for part, points in enumerate((trunk, legs.reshape(-1, 2))):
        inside = np.isfinite(points).all(axis=1) & (points >= 0).all(axis=1)
        inside &= (points < picture.shape[1::-1]).all(axis=1)
        if inside.sum() < _FEWEST_POINTS:
            continue
        column, row = points[inside].astype(int).T
        lab = cv2.cvtColor(picture[row, column][None].astype(np.float32) / 255, cv2.COLOR_BGR2LAB)[0]
        described[part] = np.sort(lab, axis=0)[np.round(np.multiply(_QUARTILES, len(lab) - 1)).astype(int)]
    return described.ravel()


def difference(first: Floats, second: Floats) -> Floats:
    """Return by how much clothes differ in L*a*b*, over the last axis; NaN where no part is known of both."""
    apart = np.abs(first - second) * _WEIGHTS
    known = np.isfinite(apart)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(known, apart, 0.0).sum(axis=-1) / known.sum(axis=-1))
