"""Joint angles in the picture plane, from BODY_25 keypoints.

Conventions (those of clinical gait analysis and of Sports2D, unsigned): knee and elbow flexion are 0 deg when
the limb is straight; hip flexion is the angle between the thigh and the downward continuation of the trunk,
0 deg when standing upright; shoulder flexion is the angle between the upper arm and the downward trunk, 0 deg
with the arm hanging; ankle dorsiflexion is 90 deg minus the angle between the shank and the foot, 0 deg when the
foot is at right angles to the shank, positive with the toes up. All are two-dimensional: they equal the
anatomical angle only as far as the movement lies in the picture plane.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from deidpose import tables
from deidpose.keypoints import poses
from deidpose.skeleton import INDEX


#: The joint angles, left knee and left elbow first, here and in every summary: they were the two angles of the
#: one-video prototype that this workflow replaces.
JOINTS: tuple[str, ...] = (
    "left_knee", "left_elbow", "right_knee", "right_elbow", "left_hip", "right_hip", "left_ankle", "right_ankle",
    "left_shoulder", "right_shoulder", "left_wrist", "right_wrist",
)  # fmt: skip

#: The segment angles, against the horizontal.
SEGMENTS: tuple[str, ...] = (
    "trunk", "pelvis", "shoulders", "head", "left_thigh", "right_thigh", "left_shank", "right_shank", "left_foot",
    "right_foot", "left_arm", "right_arm", "left_forearm", "right_forearm", "left_hand", "right_hand",
)  # fmt: skip


class Angle(NamedTuple):
    """One joint angle: degrees = ``offset`` + ``sign`` x angle between the vectors ``first`` and ``second``.

    Each vector is a pair of BODY_25 names, from and to.
    """

    first: tuple[str, str]
    second: tuple[str, str]
    offset: float
    sign: float


#: The trunk line, pointing down.
_TRUNK = ("Neck", "MidHip")

#: Angle name -> definition. Left knee and left elbow lead, here and in every summary: they were the two angles
#: of the one-video prototype that this workflow replaces.
ANGLES: dict[str, Angle] = {
    "left_knee": Angle(("LKnee", "LHip"), ("LKnee", "LAnkle"), 180.0, -1.0),
    "left_elbow": Angle(("LElbow", "LShoulder"), ("LElbow", "LWrist"), 180.0, -1.0),
    "right_knee": Angle(("RKnee", "RHip"), ("RKnee", "RAnkle"), 180.0, -1.0),
    "right_elbow": Angle(("RElbow", "RShoulder"), ("RElbow", "RWrist"), 180.0, -1.0),
    "left_hip": Angle(("LHip", "LKnee"), _TRUNK, 0.0, 1.0),
    "right_hip": Angle(("RHip", "RKnee"), _TRUNK, 0.0, 1.0),
    "left_ankle": Angle(("LAnkle", "LKnee"), ("LHeel", "LBigToe"), 90.0, -1.0),
    "right_ankle": Angle(("RAnkle", "RKnee"), ("RHeel", "RBigToe"), 90.0, -1.0),
    "left_shoulder": Angle(("LShoulder", "LElbow"), _TRUNK, 0.0, 1.0),
    "right_shoulder": Angle(("RShoulder", "RElbow"), _TRUNK, 0.0, 1.0),
}


def degrees(position: NDArray[np.float64], angle: Angle) -> NDArray[np.float64]:
    """Compute one joint angle.

    Parameters
    ----------
    position : array, shape (n, 25, 2)
        Keypoints in pixels, in the order of `BODY_25`.
    angle : Angle
        One of the definitions of `ANGLES`.

    Returns
    -------
    array, shape (n,)
        Degrees; NaN where a keypoint is missing, or where two that span a vector coincide.
    """
    first, second = (position[:, INDEX[end]] - position[:, INDEX[start]] for start, end in (angle.first, angle.second))
    cross = first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]
    # The arc tangent stays accurate near 0 and 180 deg, where the arc cosine loses half of its digits.
    between = np.degrees(np.arctan2(np.abs(cross), (first * second).sum(axis=1)))
    between[(first == 0).all(axis=1) | (second == 0).all(axis=1)] = np.nan
    return np.asarray(angle.offset + angle.sign * between)


def joint_angles(keypoints: pd.DataFrame) -> pd.DataFrame:
    """Compute every joint angle of everyone in one video.

    Parameters
    ----------
    keypoints : DataFrame
        The table ``keypoints``, in any order of rows.

    Returns
    -------
    DataFrame
        The table ``angles``: a row for every frame, person and angle of `ANGLES`, in that order. ``degrees`` is
        NaN where a keypoint is missing or two coincide; ``confidence`` is the lowest of the keypoints used.

    Raises
    ------
    UserError
        As `poses` does.
    """
    body = poses(keypoints)
    used = [[INDEX[name] for name in dict.fromkeys(angle.first + angle.second)] for angle in ANGLES.values()]
    table = {
        "frame": np.repeat(body.frame, len(ANGLES)),
        "time_s": np.repeat(body.time_s, len(ANGLES)),
        "person": np.repeat(body.person, len(ANGLES)),
        "angle": np.tile(np.array(list(ANGLES), dtype=object), len(body.frame)),
        "degrees": np.stack([degrees(body.position, angle) for angle in ANGLES.values()], axis=1).ravel(),
        "confidence": np.stack([body.confidence[:, some].min(axis=1) for some in used], axis=1).ravel(),
    }
    return tables.check(pd.DataFrame(table), "angles")
