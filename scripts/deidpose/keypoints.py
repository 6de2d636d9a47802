"""Keypoints of everyone as arrays, and the length by which people are measured in the picture."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from deidpose.errors import UserError
from deidpose.skeleton import INDEX, KEYPOINTS

#: A person bent towards the camera has a short torso in the picture; below this part of their median it is not
#: a measure of their size any more.
_SHORTEST_TORSO = 0.5


class Poses(NamedTuple):
    """A keypoints table as arrays, one row for each frame and person, in that order."""

    frame: NDArray[np.int64]  # shape (n,)
    time_s: NDArray[np.float64]  # shape (n,), s
    person: NDArray[np.int64]  # shape (n,)
    position: NDArray[np.float64]  # shape (n, 27, 2), px, in the order of `KEYPOINTS`; NaN where one is not seen
    confidence: NDArray[np.float64]  # shape (n, 27), 0..1; NaN where the table has no such keypoint


def poses(keypoints: pd.DataFrame) -> Poses:
    """Turn the long table ``keypoints`` into arrays.

    Raises
    ------
    UserError
        A keypoint is not one of `KEYPOINTS`, or stands in the table twice for the same frame and person.
    """
    column = pd.Index(KEYPOINTS).get_indexer(pd.Index(keypoints["keypoint"]))
    if (column < 0).any():
        raise UserError("The keypoints table holds a keypoint that is not one of BODY_25; run the pose step again.")
    frame, person = (keypoints[key].to_numpy(dtype=np.int64) for key in ("frame", "person"))
    # One number for each frame and person, in the order of both.
    people, number = np.unique(person, return_inverse=True)
    _, first, row = np.unique(frame * max(len(people), 1) + number, return_index=True, return_inverse=True)
    if len(row) and np.bincount(row * len(KEYPOINTS) + column).max() > 1:
        raise UserError("The keypoints table holds a keypoint twice for one frame and person; run the pose step again.")
    position = np.full((len(first), len(KEYPOINTS), 2), np.nan)
    position[row, column] = keypoints[["x_px", "y_px"]].to_numpy(dtype=float)
    confidence = np.full((len(first), len(KEYPOINTS)), np.nan)
    confidence[row, column] = keypoints["confidence"].to_numpy(dtype=float)
    time_s = keypoints["time_s"].to_numpy(dtype=float)
    return Poses(frame[first], time_s[first], person[first], position, confidence)


def torso_lengths(body: Poses) -> NDArray[np.float64]:
    """Return the torso length (Neck to MidHip) in px for each frame and person, shape (n,).

    Where the trunk is not seen, or is foreshortened, it is taken from the person's median. A person whose trunk is
    never seen is measured by the diagonal of the box around the keypoints that are; 0 where there are none.
    """
    torso = np.linalg.norm(body.position[:, INDEX["Neck"]] - body.position[:, INDEX["MidHip"]], axis=1)
    seen = np.isfinite(body.position)
    high = np.where(seen, body.position, -np.inf).max(axis=1)
    low = np.where(seen, body.position, np.inf).min(axis=1)
    diagonal = np.where(seen.any(axis=(1, 2)), np.linalg.norm(np.maximum(high - low, 0.0), axis=1), 0.0)
    lengths = pd.DataFrame({"person": body.person, "torso": torso, "diagonal": diagonal})
    median = lengths.groupby("person")["torso"].transform("median")
    lengths["torso"] = lengths["torso"].fillna(median).clip(lower=_SHORTEST_TORSO * median)
    return lengths["torso"].fillna(lengths["diagonal"]).to_numpy(dtype=float)
