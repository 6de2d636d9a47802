"""From the sights of any backend to the table ``keypoints``: who is who over time, and which keypoints are seen."""

from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from deidpose.pose import identities
from deidpose.pose.interface import Backend, Sight
from deidpose.skeleton import INDEX, KEYPOINTS
from deidpose.video import Frame

#: A person followed in fewer frames than this is a flicker of the network.
_FEWEST_FRAMES = 3
_TRUNK = [INDEX[name] for name in ("LShoulder", "RShoulder", "LHip", "RHip")]

#: Two sights are of one person when their keypoints lie, in the median, closer than this share of the size at once, ...
_REACH = 0.1
#: ... and so many sizes a second more, which a sprinter runs at most.
_REACH_PER_S = 2.5
#: Who is not seen for longer than this begins a new track; `identities` links the tracks.
_PATIENCE_S = 0.1
#: Fewer keypoints seen in both of two sights say nothing about whether they are of one person.
_FEWEST_KEYPOINTS = 3
#: The body over the torso (Neck to MidHip), and over the box around its keypoints, as the side of the square in
#: `identities.Sights`. The medians of BlazePose's squares, for which the numbers of that module were set, over the
#: people of two demo clips.
_TORSOS, _BOXES = 4.35, 1.45


class _Video(NamedTuple):
    times: dict[int, float]  # s, by frame
    size: list[int]  # height and width in pixels, of the first frame; empty until there is one


def estimate(
    backend: Backend,
    frames: Iterable[Frame],
    frame_rate: float,
    models: Mapping[str, str | Path],
    settings: Mapping[str, Any],
    threads: int = 1,
    cuts: Collection[int] = (),
) -> pd.DataFrame:
    """Estimate the keypoints of everyone with a backend; as `deidpose.pose.estimate`."""
    video = _Video({}, [])
    sights = list(backend.people(_noted(frames, video), frame_rate, models, settings, threads, cuts))
    fewest = min(_FEWEST_FRAMES, len(video.times))
    height, width = video.size or (0, 0)
    starts = np.array(sorted(cuts), dtype=np.int64)
    sights.sort(key=lambda sight: (int(np.searchsorted(starts, sight.frame, "right")), sight.track, sight.frame))
    numbered: list[tuple[int, int, NDArray[np.float64]]] = []  # frame, person, keypoints
    n_people = 0
    for _, shot in groupby(sights, key=lambda sight: int(np.searchsorted(starts, sight.frame, "right"))):
        of_shot = list(shot)
        tracks = [sight.track for sight in of_shot] if backend.TRACKS else follow(of_shot, frame_rate)
        length = np.bincount(tracks)
        kept = [(sight, track) for sight, track in zip(of_shot, tracks, strict=True) if length[track] >= fewest]
        if not kept:
            continue
        identity = identities.identify(_sights(kept), frame_rate, (width, height))
        numbered += [
            (sight.frame, n_people + number, sight.keypoints)
            for (sight, _), number in zip(kept, identity.tolist(), strict=True)
        ]
        n_people += int(identity.max()) + 1
    numbered.sort(key=lambda row: row[:2])
    return _table(numbered, video.times, (height, width), settings["min_confidence"], backend.MIDPOINTS)


def _noted(frames: Iterable[Frame], video: _Video) -> Iterator[Frame]:
    """Yield the frames and note their times and their size."""
    for frame in frames:
        if not video.size:
            video.size.extend(frame.planes[0].shape)
        video.times[frame.index] = frame.time_s
        yield frame


# ----------------------------------------------------------------------------------------------------------- following


def follow(sights: Sequence[Sight], frame_rate: float) -> list[int]:
    """Give each sight of one shot the number of a track: who is nearest from frame to frame, all at once.

    It need not be right where people meet, since `identities` cuts tracks there and links the pieces anew.

    Parameters
    ----------
    sights : sequence of Sight
        Of one shot, in any order.
    frame_rate : float
        Mean frames per second.

    Returns
    -------
    list of int
        A number for each sight, counted from 0; no two sights of a frame have the same.
    """
    tracks = [-1] * len(sights)
    last: dict[int, int] = {}  # track -> its latest sight
    size = [_size(sight) for sight in sights]
    order = sorted(range(len(sights)), key=lambda index: sights[index].frame)
    patience = max(1, round(_PATIENCE_S * frame_rate))
    n_tracks = 0
    for frame, group in groupby(order, key=lambda index: sights[index].frame):
        here = list(group)
        live = [track for track, index in last.items() if frame - sights[index].frame <= patience]
        cost = np.array(
            [[_distance(sights, size, last[track], index, frame_rate) for index in here] for track in live]
        ).reshape(len(live), len(here))
        for row, column in zip(*linear_sum_assignment(np.minimum(cost, 1.0)), strict=True):
            if cost[row, column] < 1:
                tracks[here[column]] = live[row]
        for index in here:
            if tracks[index] < 0:
                tracks[index] = n_tracks
                n_tracks += 1
            last[tracks[index]] = index
    return tracks


def _distance(sights: Sequence[Sight], size: Sequence[float], first: int, second: int, frame_rate: float) -> float:
    """Return how far a body would have moved, as a share of how far it can move at most; infinite when untold."""
    here, there = (sights[index].keypoints[:, :2] for index in (first, second))
    way = np.linalg.norm(here - there, axis=1)
    seen = np.isfinite(way)
    if seen.sum() >= _FEWEST_KEYPOINTS:
        moved = float(np.median(way[seen]))
    else:  # one seen by the legs and then by the head
        moved = float(np.linalg.norm(_middle(sights[first]) - _middle(sights[second])))
    elapsed = (sights[second].frame - sights[first].frame) / frame_rate
    reach = (_REACH + _REACH_PER_S * elapsed) * max(size[first], size[second])
    return moved / reach if reach > 0 else float("inf")


def _sights(kept: Sequence[tuple[Sight, int]]) -> identities.Sights:
    return identities.Sights(
        np.array([track for _, track in kept], np.int64),
        np.array([sight.frame for sight, _ in kept], np.int64),
        places(*zip(*kept, strict=True)),
        np.array([_size(sight) for sight, _ in kept]),
        np.array([sight.colours for sight, _ in kept]),
    )


def places(sights: Sequence[Sight], tracks: Sequence[int]) -> NDArray[np.float64]:
    """Return the middle of the trunk at each sight, shape (n, 2), px.

    Where a shoulder or a hip is hidden, it is where it was in the nearest sight of the track that shows all of them,
    moved as the other keypoints have moved; failing that, the middle of what is seen.
    """
    middle = np.array([sight.keypoints[_TRUNK, :2].mean(axis=0) for sight in sights]).reshape(-1, 2)
    whole: dict[int, list[tuple[int, int]]] = {}  # track -> frames, and which sights they are
    for index in sorted(np.flatnonzero(np.isfinite(middle[:, 0])).tolist(), key=lambda index: sights[index].frame):
        whole.setdefault(tracks[index], []).append((sights[index].frame, index))
    for index in np.flatnonzero(~np.isfinite(middle[:, 0])).tolist():
        here = sights[index]
        middle[index] = _middle(here)
        if tracks[index] in whole:
            shown = whole[tracks[index]]
            after = bisect_left(shown, (here.frame, 0))
            _, near = min(shown[max(0, after - 1) : after + 1], key=lambda other: abs(other[0] - here.frame))
            moved = here.keypoints[:, :2] - sights[near].keypoints[:, :2]
            moved = moved[np.isfinite(moved[:, 0])]
            if len(moved) >= _FEWEST_KEYPOINTS:
                middle[index] = middle[near] + np.median(moved, axis=0)
    return middle


def _middle(sight: Sight) -> NDArray[np.float64]:
    """Return the middle of the box around the keypoints that are seen."""
    seen = sight.keypoints[np.isfinite(sight.keypoints[:, 0]), :2]
    return np.asarray((seen.min(axis=0) + seen.max(axis=0)) / 2) if len(seen) else np.zeros(2)


def _size(sight: Sight) -> float:
    """Return the side of the square around a body in pixels: the backend's own, or told from the keypoints."""
    if np.isfinite(sight.size):
        return sight.size
    seen = sight.keypoints[np.isfinite(sight.keypoints[:, 0]), :2]
    box = float((seen.max(axis=0) - seen.min(axis=0)).max()) if len(seen) else 0.0
    torso = float(np.linalg.norm(sight.keypoints[INDEX["Neck"], :2] - sight.keypoints[INDEX["MidHip"], :2]))
    # A body bent towards the camera has a short torso; one that is half hidden a small box.
    return max(_BOXES * box, _TORSOS * torso if np.isfinite(torso) else 0.0, 1.0)


# --------------------------------------------------------------------------------------------------------------- table


def _table(
    rows: Sequence[tuple[int, int, NDArray[np.float64]]],
    times: Mapping[int, float],
    size: tuple[int, int],
    min_confidence: float,
    midpoints: Iterable[tuple[str, str, str]],
) -> pd.DataFrame:
    count, names = len(rows), len(KEYPOINTS)
    body = np.full((count, names, 3), np.nan)
    for row, (_, _, keypoints) in enumerate(rows):
        body[row, : len(keypoints)] = keypoints
    x, y, confidence = body[..., 0], body[..., 1], body[..., 2]
    inside = (x >= 0) & (x <= size[1]) & (y >= 0) & (y <= size[0])
    unseen = ~(inside & (confidence >= min_confidence))
    for middle, left, right in midpoints:
        unseen[:, INDEX[middle]] |= unseen[:, [INDEX[left], INDEX[right]]].any(axis=1)
    x[unseen], y[unseen] = np.nan, np.nan
    return pd.DataFrame(
        {
            "frame": np.repeat([frame for frame, _, _ in rows], names).astype(int),
            "time_s": np.repeat([times[frame] for frame, _, _ in rows], names).astype(float),
            "person": np.repeat([number for _, number, _ in rows], names).astype(int),
            "keypoint": list(KEYPOINTS) * count,
            "x_px": x.ravel(),
            "y_px": y.ravel(),
            "confidence": confidence.ravel(),
        }
    )
