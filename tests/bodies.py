"""Skeletons of people whose every length is known, as a pose network would find them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from deidpose import angles, keypoints, pose, skeleton, tables

#: Somebody standing upright, 200 pixels tall, seen from the front, as offsets from the hip.
STANDING = {
    "Nose": (0, -90), "REye": (-3, -93), "LEye": (3, -93), "REar": (-7, -91), "LEar": (7, -91), "Neck": (0, -65),
    "RShoulder": (-22, -65), "LShoulder": (22, -65), "RElbow": (-28, -30), "LElbow": (28, -30), "RWrist": (-30, 2),
    "LWrist": (30, 2), "MidHip": (0, 0), "RHip": (-14, 0), "LHip": (14, 0), "RKnee": (-15, 50), "LKnee": (15, 50),
    "RAnkle": (-15, 98), "LAnkle": (15, 98),
}  # fmt: skip
HEAD = ("Nose", "REye", "LEye", "REar", "LEar")
#: The same person seen from behind: everything on the left is on the other side.
BACK = {name: (-right, down) for name, (right, down) in STANDING.items()}


def as_table(arrays: keypoints.Poses | angles.Angles) -> pd.DataFrame:
    """Return arrays as the table that is written of them."""
    blocks = keypoints.blocks(arrays) if isinstance(arrays, keypoints.Poses) else angles.blocks(arrays)
    return pd.concat(blocks, ignore_index=True)


def estimated(*arguments: Any, **settings: Any) -> pd.DataFrame:
    """Return the table of what `pose.estimate` returns."""
    return as_table(pose.estimate(*arguments, **settings))


def body(
    frames: range,
    x: float,
    y: float,
    person: int = 0,
    unseen: tuple[str, ...] = (),
    step: float = 0.0,
    *,
    pose: Mapping[str, tuple[float, float]] = STANDING,
    scale: float = 1.0,
) -> pd.DataFrame:
    """Return the table ``keypoints`` of one person.

    Parameters
    ----------
    frames : range
    x, y : float
        Position of the hip in frame 0, in pixels.
    person : int
    unseen : tuple of str
        Keypoints without a position.
    step : float
        Pixels to the right from one frame to the next.
    pose : mapping
        Offsets from the hip in pixels; keypoints that are not in it are not seen.
    scale : float
        How much larger than ``pose`` the person is.
    """
    seen = {name: pose[name] for name in skeleton.BODY_25 if name in pose and name not in unseen}
    offsets = np.array([seen.get(name, (np.nan, np.nan)) for name in skeleton.BODY_25], float) * scale
    count = len(skeleton.BODY_25)
    frame = np.repeat(np.array(frames, int), count)
    return pd.DataFrame(
        {
            "frame": frame,
            "time_s": frame / 30,
            "person": person,
            "keypoint": list(skeleton.BODY_25) * len(frames),
            "x_px": x + np.tile(offsets[:, 0], len(frames)) + step * frame,
            "y_px": y + np.tile(offsets[:, 1], len(frames)),
            "confidence": 0.9,
        },
        columns=list(tables.TABLES["keypoints"]),
    )


def together(*people: pd.DataFrame) -> pd.DataFrame:
    """Return the table ``keypoints`` of several people, sorted as a backend writes it."""
    order = {name: index for index, name in enumerate(skeleton.BODY_25)}
    table = pd.concat(people)
    table["order"] = table["keypoint"].map(order)
    return table.sort_values(["frame", "person", "order"], ignore_index=True).drop(columns="order")


def with_knuckles(table: pd.DataFrame, x: float = 9000.0, y: float = 9000.0) -> pd.DataFrame:
    """Return a sorted table ``keypoints`` of BODY_25 with the knuckles of both index fingers, far away at (x, y)."""
    count = len(skeleton.BODY_25)
    hands = table.iloc[np.repeat(np.arange(0, len(table), count), 2)]
    hands = hands.assign(keypoint=list(skeleton.KEYPOINTS[count:]) * (len(table) // count), x_px=x, y_px=y)
    order = [*np.repeat(np.arange(0, len(table), count), count), *np.repeat(np.arange(0, len(table), count), 2)]
    return pd.concat([table, hands]).iloc[np.argsort(order, kind="stable")].reset_index(drop=True)


def found(*rows: tuple[float, ...]) -> pd.DataFrame:
    """Return the table ``detections`` with these rows."""
    return tables.check(pd.DataFrame(rows, columns=list(tables.TABLES["detections"])), "detections")


some_faces = st.lists(
    st.tuples(
        st.integers(0, 40), st.floats(0, 600), st.floats(0, 400), st.floats(5, 80), st.floats(5, 80), st.floats(0.3, 1)
    ),
    max_size=40,
)
