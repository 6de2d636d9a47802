"""What a method did to the kinematics of one video: the same people, frame by frame, before and after."""

import logging
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from deidpose import tables
from deidpose.angles import ANGLES


def compare(
    video: str,
    method: str,
    original_angles: pd.DataFrame,
    method_angles: pd.DataFrame,
    matches: Mapping[int, Sequence[int]],
) -> pd.DataFrame:
    """Compare the joint angles of everyone in one video before and after a method.

    A missing angle is an outcome: it is counted as lost or gained, and a person whom the method lost altogether
    keeps their rows, with every frame lost and no statistics. People whom only the method has are counted in the
    log; they have no row, because a row belongs to a person of the original.

    Parameters
    ----------
    video, method : str
        What to write in these columns.
    original_angles, method_angles : DataFrame
        Tables ``angles``.
    matches : mapping
        What `match_people` returns.

    Returns
    -------
    DataFrame
        The table ``effects``: a row for every person of the original and every angle of `ANGLES`, in that order.
        ``pearson_r`` is NaN for fewer than three frames or where either side does not vary, and
        ``percent_difference`` where the original angle is 0 throughout.
    """
    extra = set(method_angles["person"].unique().tolist()) - {track for tracks in matches.values() for track in tracks}
    logging.info("%d people of %s match nobody in the original", len(extra), method)
    present = original_angles[["frame", "person"]].drop_duplicates()
    rows = []
    for person in sorted(present["person"].unique().tolist()):
        tracks = matches.get(person, ())
        # One method track can serve several people: frames in which it follows one of the others are not this one's.
        others = [other for other in matches if other != person and not set(tracks).isdisjoint(matches[other])]
        foreign = present.loc[present["person"].isin(others), "frame"]
        before = original_angles[original_angles["person"] == person]
        after = method_angles[method_angles["person"].isin(tracks) & ~method_angles["frame"].isin(foreign)]
        frames = np.union1d(before["frame"], after["frame"])
        columns = [_by_frame(side, value, frames) for side in (before, after) for value in ("degrees", "confidence")]
        for index, angle in enumerate(ANGLES):
            difference = _difference(*(column[:, index] for column in columns))
            rows.append({"video": video, "method": method, "person": person, "angle": angle, **difference})
    return tables.check(pd.DataFrame(rows), "effects") if rows else tables.empty("effects")


def _by_frame(angles: pd.DataFrame, value: str, frames: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return one column of an angles table as an array, shape (len(frames), len(ANGLES)), NaN where there is none."""
    grid = np.full((len(frames), len(ANGLES)), np.nan)
    row = np.searchsorted(frames, angles["frame"].to_numpy())
    grid[row, pd.Index(list(ANGLES)).get_indexer(pd.Index(angles["angle"]))] = angles[value].to_numpy(dtype=float)
    return grid


def _difference(
    original: NDArray[np.float64],
    original_confidence: NDArray[np.float64],
    method: NDArray[np.float64],
    method_confidence: NDArray[np.float64],
) -> dict[str, float]:
    """Return the statistics of one angle of one person; all arrays have the shape (frames,)."""
    before, after = np.isfinite(original), np.isfinite(method)
    both = before & after
    result: dict[str, float] = {
        "n_original": int(before.sum()),
        "n_both": int(both.sum()),
        "n_lost": int((before & ~after).sum()),
        "n_gained": int((after & ~before).sum()),
    }
    statistics = [name for name in tables.TABLES["effects"] if tables.TABLES["effects"][name].dtype == "float64"]
    result |= dict.fromkeys(statistics, np.nan)
    if not both.any():
        return result
    x, y = original[both], method[both]
    error = y - x
    absolute = np.abs(error)
    confidence_original = float(original_confidence[both].mean())
    confidence_method = float(method_confidence[both].mean())
    result |= {
        "bias_deg": float(error.mean()),
        "mae_deg": float(absolute.mean()),
        "rmse_deg": float(np.sqrt((error**2).mean())),
        "p95_deg": float(np.percentile(absolute, 95)),
        "confidence_original": confidence_original,
        "confidence_method": confidence_method,
        "confidence_bias": confidence_method - confidence_original,
    }
    if np.abs(x).mean() > 0:
        result["percent_difference"] = float(100.0 * absolute.mean() / np.abs(x).mean())
    if len(x) >= 3 and np.ptp(x) > 0 and np.ptp(y) > 0:
        result["pearson_r"] = float(np.corrcoef(x, y)[0, 1])
    return result
