"""OpenPose's JSON, a file for each frame, written by nothing of the library under test."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from deidpose.skeleton import BODY_25, INDEX


def write(
    folder: Path, frames: Iterable[np.ndarray], stem: str = "walk", version: Any = 1.3, first: int = 0
) -> list[Path]:
    """Write the people of each frame, shape (people, points, 3), and return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, bodies in enumerate(frames, first):
        people = [
            {
                "person_id": [-1],
                "pose_keypoints_2d": [round(float(x), 3) for x in body.ravel()],
                "face_keypoints_2d": [],
            }
            for body in np.nan_to_num(bodies)
        ]
        paths.append(folder / f"{stem}_{number:012d}_keypoints.json")
        paths[-1].write_text(json.dumps({"version": version, "people": people}), encoding="utf-8")
    return paths


def bodies(keypoints: pd.DataFrame, n_frames: int) -> list[np.ndarray]:
    """Return the people of each frame of a table ``keypoints`` as BODY_25, in the order of their numbers."""
    frames: list[np.ndarray] = []
    for frame in range(n_frames):
        here = keypoints[keypoints["frame"] == frame]
        found = np.zeros((here["person"].nunique(), len(BODY_25), 3))
        for place, (_, one) in enumerate(here.groupby("person")):
            for row in one.itertuples():
                if str(row.keypoint) in BODY_25 and np.isfinite(row.x_px):
                    found[place, INDEX[str(row.keypoint)]] = row.x_px, row.y_px, row.confidence
        frames.append(found)
    return frames


def in_layout(body_25: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    """Return people, shape (people, 25, 3), in another order; the ends of the head go on from neck and nose."""
    found = np.zeros((len(body_25), len(names), 3))
    for place, name in enumerate(names):
        if name in INDEX:
            found[:, place] = body_25[:, INDEX[name]]
        elif name in ("UpperNeck", "HeadTop"):
            neck, nose = body_25[:, INDEX["Neck"]], body_25[:, INDEX["Nose"]]
            share = {"UpperNeck": 0.4, "HeadTop": 1.6}[name]
            found[:, place, :2] = neck[:, :2] + share * (nose - neck)[:, :2]
            found[:, place, 2] = np.minimum(neck[:, 2], nose[:, 2])
            found[found[:, place, 2] == 0, place] = 0
    return found
