"""What a method did to the kinematics of one video: the same people, frame by frame, before and after."""

import logging
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from deidpose import tables
from deidpose.angles import ANGLES
from deidpose.keypoints import Poses, poses, torso_lengths


#: Two tracks are the same person when their keypoints lie, on average, nearer than this, in torso lengths
#: (Neck to MidHip, about half a metre in an adult). Our choice: pose noise is a few hundredths of a torso, and two
#: people side by side are about one torso apart.
MATCH_LIMIT = 0.5

#: A frame counts as at most this far apart, in torso lengths. Otherwise a few frames in which a tracker has
#: jumped across the picture would outweigh hundreds of frames of agreement.
DISTANCE_CAP = 1.0

#: A person bent towards the camera has a short torso in the picture; below this part of their median it is not
#: a measure of their size any more.
_SHORTEST_TORSO = 0.5


def match_people(original_keypoints: pd.DataFrame, method_keypoints: pd.DataFrame) -> dict[int, list[int]]:
    """Find each person of the original among the people of a method, track to track over the whole video.

    The distance of two tracks is the mean, over the frames that both have, of the mean distance of the keypoints
    that both see, in torso lengths of the original, capped at `DISTANCE_CAP`. Tracks without a common
    frame, or with a distance of `MATCH_LIMIT` or more, never match. Among the others the Hungarian algorithm finds
    the one-to-one assignment with the largest sum of (common frames) x (`MATCH_LIMIT` - distance), so
    that a long track wins over a chance encounter.

    Pose estimation may lose a person and find them again under a new identity. Booking those frames as lost
    would blame the method for the tracker's bookkeeping, so tracks left over are then added, best first, wherever
    they match and share no frame with what is matched already: an original person can get several method tracks,
    and one method track can serve several original people who are never in the picture together.

    Parameters
    ----------
    original_keypoints, method_keypoints : DataFrame
        Tables ``keypoints`` of the same video.

    Returns
    -------
    dict
        Original person -> method people, best match first; an empty list for a person who was not found.
        Every person of the original is a key, in ascending order.
    """
    original, method = poses(original_keypoints), poses(method_keypoints)
    first_people, second_people = np.unique(original.person), np.unique(method.person)
    matches: dict[int, list[int]] = {int(person): [] for person in first_people}
    gain = _gains(original, method, first_people, second_people)
    if gain.size == 0:
        return matches
    first_frames = [set(original.frame[original.person == person].tolist()) for person in first_people]
    second_frames = [set(method.frame[method.person == person].tolist()) for person in second_people]
    taken_by_first: list[set[int]] = [set() for _ in first_people]
    taken_by_second: list[set[int]] = [set() for _ in second_people]

    def accept(i: int, j: int) -> None:
        matches[int(first_people[i])].append(int(second_people[j]))
        taken_by_first[i] |= second_frames[j]
        taken_by_second[j] |= first_frames[i]

    assigned = zip(*linear_sum_assignment(gain, maximize=True), strict=True)
    for i, j in _best_first(gain, assigned):
        accept(i, j)
    for i, j in _best_first(gain, zip(*np.nonzero(gain > 0), strict=True)):
        # A pair that is matched already shares all its frames with itself, so it is not added twice.
        if taken_by_first[i].isdisjoint(second_frames[j]) and taken_by_second[j].isdisjoint(first_frames[i]):
            accept(i, j)
    return matches


def _best_first(gain: NDArray[np.float64], pairs: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the pairs with a gain, the largest first; equals in the order of the identities."""
    gainful = [(int(i), int(j)) for i, j in pairs if gain[i, j] > 0]
    return sorted(gainful, key=lambda pair: (-gain[pair], pair))


def _gains(
    original: Poses, method: Poses, first_people: NDArray[np.int64], second_people: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return (common frames) x (`MATCH_LIMIT` - distance) for every pair of tracks, 0 where they do not match."""
    size = _sizes(original)
    pairs = pd.merge(
        pd.DataFrame({"frame": original.frame, "first": np.arange(len(original.frame))}),
        pd.DataFrame({"frame": method.frame, "second": np.arange(len(method.frame))}),
        on="frame",
    )
    first, second = pairs["first"].to_numpy(), pairs["second"].to_numpy()
    count = np.zeros((len(first_people), len(second_people)))
    total = np.zeros_like(count)
    step = 10_000  # pairs at a time, which bounds the memory at some tens of megabytes
    for start in range(0, len(first), step):
        i, j = first[start : start + step], second[start : start + step]
        apart = np.linalg.norm(original.position[i] - method.position[j], axis=2)
        seen = np.isfinite(apart)
        n_seen = seen.sum(axis=1)
        usable = (n_seen > 0) & (size[i] > 0)
        i, j = i[usable], j[usable]
        mean = np.where(seen, apart, 0.0).sum(axis=1)[usable] / n_seen[usable] / size[i]
        cell = (np.searchsorted(first_people, original.person[i]), np.searchsorted(second_people, method.person[j]))
        np.add.at(count, cell, 1.0)
        np.add.at(total, cell, np.minimum(mean, DISTANCE_CAP))
    return np.maximum(MATCH_LIMIT * count - total, 0.0)


def _sizes(body: Poses) -> NDArray[np.float64]:
    """Return the torso length in px for each frame and person, shape (n,).

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
