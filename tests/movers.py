"""A jointed body of known angles that moves in its sagittal plane, turned and projected into the picture."""

from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from deidpose import tables
from deidpose.skeleton import KEYPOINTS

#: Lengths in torso lengths: proportions of an adult.
LENGTHS = {"thigh": 0.85, "shank": 0.85, "foot": 0.45, "arm": 0.62, "forearm": 0.5, "hand": 0.2}
#: Half the width of the shoulders and of the hips.
WIDTHS = {"Shoulder": 0.35, "Hip": 0.18}


def project(
    flexion: Mapping[str, ArrayLike],
    n: int,
    *,
    turned: ArrayLike = 0.0,
    trunk: ArrayLike = 0.0,
    torso: float = 100.0,
    at: ArrayLike = 300.0,
) -> NDArray[np.float64]:
    """Return keypoints in pixels, shape (n, 27, 2), in the order of `KEYPOINTS`.

    ``flexion`` holds degrees of ``left_knee``, ``knee`` (both sides) and so on; what is not named is 0. ``trunk`` is
    its lean forward and ``turned`` the way the person faces, in degrees: 0 right, 90 towards the camera, 180 left.
    ``at`` is where the hip is across the picture.
    """

    def bent(side: str, joint: str) -> NDArray[np.float64]:
        value = flexion.get(f"{side}_{joint}", flexion.get(joint, 0.0))
        return np.broadcast_to(np.asarray(value, float), n)

    def along(degrees: NDArray[np.float64], length: float) -> NDArray[np.float64]:
        """Return a vector in the sagittal plane: forward, sideways to the left of the body, and down."""
        angle = np.radians(degrees)
        return length * np.stack([np.cos(angle), np.zeros(n), -np.sin(angle)], axis=1)

    lean = np.broadcast_to(np.asarray(trunk, float), n)
    points = {"MidHip": np.zeros((n, 3)), "Neck": along(90 - lean, 1.0)}
    for side, letter, left in (("left", "L", 1.0), ("right", "R", -1.0)):
        for part, middle in (("Shoulder", "Neck"), ("Hip", "MidHip")):
            points[letter + part] = points[middle] + np.array([0.0, left * WIDTHS[part], 0.0])
        down = -90 - lean
        thigh = down + bent(side, "hip")
        shank = thigh - bent(side, "knee")
        foot = shank + 90 + bent(side, "ankle")
        arm = down + bent(side, "shoulder")
        forearm = arm + bent(side, "elbow")
        hand = forearm + bent(side, "wrist")
        points[f"{letter}Knee"] = points[f"{letter}Hip"] + along(thigh, LENGTHS["thigh"])
        points[f"{letter}Ankle"] = points[f"{letter}Knee"] + along(shank, LENGTHS["shank"])
        points[f"{letter}Heel"] = points[f"{letter}Ankle"] + along(foot, -0.1) + along(shank, 0.05)
        points[f"{letter}BigToe"] = points[f"{letter}Heel"] + along(foot, LENGTHS["foot"])
        points[f"{letter}Elbow"] = points[f"{letter}Shoulder"] + along(arm, LENGTHS["arm"])
        points[f"{letter}Wrist"] = points[f"{letter}Elbow"] + along(forearm, LENGTHS["forearm"])
        points[f"{letter}Index"] = points[f"{letter}Wrist"] + along(hand, LENGTHS["hand"])
        points[f"{letter}Ear"] = points["Neck"] + along(90 - lean, 0.4)
    yaw = np.radians(np.broadcast_to(np.asarray(turned, float), n))
    across = np.broadcast_to(np.asarray(at, float), n)
    result = np.full((n, len(KEYPOINTS), 2), np.nan)
    for index, name in enumerate(KEYPOINTS):
        if name in points:
            forward, left_of, down_by = points[name].T
            # Facing the camera, the person's left is on the right of the picture.
            result[:, index, 0] = across + torso * (forward * np.cos(yaw) + left_of * np.sin(yaw))
            result[:, index, 1] = 300.0 + torso * down_by
    return result


def table(
    positions: NDArray[np.float64], rate: float = 30.0, person: int = 0, unseen: Collection[str] = (), first: int = 0
) -> pd.DataFrame:
    """Return the table ``keypoints`` of one person from positions of shape (n, 27, 2)."""
    n = len(positions)
    frame = np.repeat(np.arange(n) + first, len(KEYPOINTS))
    keypoints = pd.DataFrame(
        {
            "frame": frame,
            "time_s": frame / rate,
            "person": person,
            "keypoint": np.tile(np.array(KEYPOINTS, object), n),
            "x_px": positions[:, :, 0].ravel(),
            "y_px": positions[:, :, 1].ravel(),
            "confidence": 0.9,
        }
    )
    keypoints.loc[keypoints["keypoint"].isin(list(unseen)), ["x_px", "y_px"]] = np.nan
    return tables.check(keypoints, "keypoints")


def squat(n: int, period: float = 75.0, depth: float = 95.0) -> dict[str, NDArray[np.float64]]:
    """Return the flexion of somebody who squats every ``period`` frames, and ``trunk``, the lean of the trunk."""
    deep = (1 - np.cos(2 * np.pi * np.arange(n) / period)) / 2
    # Feet flat: shank forward by what the ankle is flexed, and the thigh follows from the knee.
    ankle, trunk = 30 * deep, 35 * deep
    return {"knee": depth * deep, "ankle": ankle, "hip": depth * deep - ankle + trunk, "trunk": trunk}


def gait(n: int, period: float = 33.0) -> dict[str, NDArray[np.float64]]:
    """Return the flexion of somebody who walks with a stride of ``period`` frames."""
    flexion = {}
    for side, shift in (("left", 0.0), ("right", 0.5)):
        phase = 2 * np.pi * (np.arange(n) / period + shift)
        opposite = phase + np.pi
        flexion[f"{side}_hip"] = 10 + 22 * np.cos(phase)
        flexion[f"{side}_knee"] = 30 + 28 * np.cos(phase + np.pi / 2)
        flexion[f"{side}_ankle"] = 8 * np.sin(phase)
        flexion[f"{side}_shoulder"] = 20 * np.cos(opposite)
        flexion[f"{side}_elbow"] = 25 + 10 * np.cos(opposite)
    return flexion
