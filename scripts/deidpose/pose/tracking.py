"""Turn the sights of any backend into the table ``keypoints``: follow people over time and drop unseen keypoints."""

from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import groupby, islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from deidpose.keypoints import Poses, one_after_another, pick
from deidpose.pose.backends.protocol import Backend, Sight
from deidpose.pose.people import appearance, appearance_matching
from deidpose.skeleton import INDEX, KEYPOINTS
from deidpose.video.frames import Frame

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
#: `appearance_matching.Sights`. The medians of BlazePose's squares, for which the numbers of that module were set,
#: over the people of two demo clips.
_TORSOS, _BOXES = 4.35, 1.45


#: So many sights are put into arrays at a time.
_BATCH = 1000


class _Video(NamedTuple):
    times: dict[int, float]  # s, by frame
    size: list[int]  # height and width in pixels, of the first frame; empty until there is one


class Seen(NamedTuple):
    """Sights as arrays, which take a quarter of the memory."""

    frame: NDArray[np.int64]  # shape (n,)
    keypoints: NDArray[np.float64]  # shape (n, 27, 3): x and y in px, and confidence; NaN where there is none
    colours: NDArray[np.float32]  # shape (n, 18)
    track: NDArray[np.int64]  # shape (n,)
    size: NDArray[np.float64]  # shape (n,), px; told from the keypoints where the backend does not tell


def estimate(
    backend: Backend,
    frames: Iterable[Frame],
    frame_rate: float,
    models: Mapping[str, str | Path],
    settings: Mapping[str, Any],
    threads: int = 1,
    cuts: Collection[int] = (),
) -> Poses:
    """Estimate the keypoints of everyone with a backend; as `pose.estimate.estimate_frames`."""
    video = _Video({}, [])
    seen = gathered(backend.people(_noted(frames, video), frame_rate, models, settings, threads, cuts))
    height, width = video.size or (0, 0)
    person = _identities(seen, backend, frame_rate, min(_FEWEST_FRAMES, len(video.times)), cuts, (height, width))
    rows = np.flatnonzero(person >= 0)
    rows = rows[np.lexsort((person[rows], seen.frame[rows]))]
    frame, position, confidence = seen.frame[rows], seen.keypoints[rows, :, :2], seen.keypoints[rows, :, 2]
    del seen
    unseen = _out_of_sight(position, confidence, (height, width), settings["min_confidence"], backend.MIDPOINTS)
    position[unseen] = np.nan
    time_s = np.array([video.times[index] for index in frame.tolist()], float)
    return Poses(frame, time_s, person[rows], position, confidence)


def gathered(sights: Iterable[Sight]) -> Seen:
    """Return sights as arrays, in the same order."""
    return one_after_another(_batches(iter(sights)))


def _batches(sights: Iterator[Sight]) -> Iterator[Seen]:
    """Yield sights as arrays, some at a time; there is at least one batch, which may be empty."""
    while True:
        batch = list(islice(sights, _BATCH))
        keypoints = np.full((len(batch), len(KEYPOINTS), 3), np.nan)
        colours = np.full((len(batch), appearance.N_COLOURS), np.nan, np.float32)
        for row, sight in enumerate(batch):
            keypoints[row, : len(sight.keypoints)] = sight.keypoints
            colours[row] = sight.colours
        sizes = [sight.size if np.isfinite(sight.size) else _size(sight.keypoints) for sight in batch]
        yield Seen(
            np.array([sight.frame for sight in batch], np.int64),
            keypoints,
            colours,
            np.array([sight.track for sight in batch], np.int64),
            np.array(sizes, float),
        )
        if len(batch) < _BATCH:
            return


def _identities(
    seen: Seen, backend: Backend, frame_rate: float, fewest: int, cuts: Collection[int], size: tuple[int, int]
) -> NDArray[np.int64]:
    """Return whose body each sight shows, shape (n,), numbered from 0 over all shots; -1 for flickers."""
    shot = np.searchsorted(np.array(sorted(cuts), np.int64), seen.frame, "right")
    order = np.lexsort((seen.frame, seen.track, shot))
    shots = np.split(order, np.flatnonzero(np.diff(shot[order])) + 1)
    track = seen.track.copy()
    if not backend.TRACKS:
        for rows in shots:
            track[rows] = follow(pick(seen, rows), frame_rate)
    # No track goes beyond its shot.
    _, track = np.unique(np.column_stack([shot, track]), axis=0, return_inverse=True)
    place = places(seen._replace(track=track))
    length = np.bincount(track)
    person = np.full(len(order), -1, np.int64)
    n_people = 0
    for rows in shots:
        kept = rows[length[track[rows]] >= fewest]
        if len(kept):
            who = appearance_matching.Sights(
                track[kept], seen.frame[kept], place[kept], seen.size[kept], seen.colours[kept]
            )
            identity = appearance_matching.identify(who, frame_rate, size[::-1])
            person[kept] = n_people + identity
            n_people += int(identity.max()) + 1
    return person


def _noted(frames: Iterable[Frame], video: _Video) -> Iterator[Frame]:
    """Yield the frames and note their times and their size."""
    for frame in frames:
        if not video.size:
            video.size.extend(frame.planes[0].shape)
        video.times[frame.index] = frame.time_s
        yield frame


# ----------------------------------------------------------------------------------------------------------- following


def follow(seen: Seen, frame_rate: float) -> list[int]:
    """Give each sight of one shot the number of a track: who is nearest from frame to frame, all at once.

    It need not be right where people meet, since `identities` cuts tracks there and links the pieces anew.

    Parameters
    ----------
    seen : Seen
        Of one shot, in any order.
    frame_rate : float
        Mean frames per second.

    Returns
    -------
    list of int
        A number for each sight, counted from 0; no two sights of a frame have the same.
    """
    frames = seen.frame.tolist()
    tracks = [-1] * len(frames)
    last: dict[int, int] = {}  # track -> its latest sight
    patience = max(1, round(_PATIENCE_S * frame_rate))
    n_tracks = 0
    for frame, group in groupby(sorted(range(len(frames)), key=frames.__getitem__), key=frames.__getitem__):
        here = list(group)
        live = [track for track, index in last.items() if frame - frames[index] <= patience]
        cost = np.array([[_distance(seen, last[track], index, frame_rate) for index in here] for track in live])
        cost = cost.reshape(len(live), len(here))
        for row, column in zip(*linear_sum_assignment(np.minimum(cost, 1.0)), strict=True):
            if cost[row, column] < 1:
                tracks[here[column]] = live[row]
        for index in here:
            if tracks[index] < 0:
                tracks[index] = n_tracks
                n_tracks += 1
            last[tracks[index]] = index
    return tracks


def _distance(seen: Seen, first: int, second: int, frame_rate: float) -> float:
    """Return how far a body would have moved, as a share of how far it can move at most; infinite when untold."""
    here, there = (seen.keypoints[index, :, :2] for index in (first, second))
    way = np.linalg.norm(here - there, axis=1)
    both = np.isfinite(way)
    if both.sum() >= _FEWEST_KEYPOINTS:
        moved = float(np.median(way[both]))
    else:  # one seen by the legs and then by the head
        moved = float(np.linalg.norm(_middle(here) - _middle(there)))
    elapsed = int(seen.frame[second] - seen.frame[first]) / frame_rate
    reach = (_REACH + _REACH_PER_S * elapsed) * float(max(seen.size[first], seen.size[second]))
    return moved / reach if reach > 0 else float("inf")


def places(seen: Seen) -> NDArray[np.float64]:
    """Return the middle of the trunk at each sight, shape (n, 2), px.

    Where a shoulder or a hip is hidden, it is where it was in the nearest sight of the track that shows all of them,
    moved as the other keypoints have moved; failing that, the middle of what is seen.
    """
    middle = np.asarray(seen.keypoints[:, _TRUNK, :2].mean(axis=1))
    frames, tracks = seen.frame.tolist(), seen.track.tolist()
    whole: dict[int, list[tuple[int, int]]] = {}  # track -> frames, and which sights they are
    for index in sorted(np.flatnonzero(np.isfinite(middle[:, 0])).tolist(), key=frames.__getitem__):
        whole.setdefault(tracks[index], []).append((frames[index], index))
    for index in np.flatnonzero(~np.isfinite(middle[:, 0])).tolist():
        here = seen.keypoints[index, :, :2]
        middle[index] = _middle(here)
        if tracks[index] in whole:
            shown = whole[tracks[index]]
            after = bisect_left(shown, (frames[index], 0))
            _, near = min(shown[max(0, after - 1) : after + 1], key=lambda other: abs(other[0] - frames[index]))
            moved = here - seen.keypoints[near, :, :2]
            moved = moved[np.isfinite(moved[:, 0])]
            if len(moved) >= _FEWEST_KEYPOINTS:
                middle[index] = middle[near] + np.median(moved, axis=0)
    return middle


def _middle(body: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the middle of the box around the keypoints, shape (27, 2), that are seen."""
    seen = body[np.isfinite(body[:, 0])]
    return np.asarray((seen.min(axis=0) + seen.max(axis=0)) / 2) if len(seen) else np.zeros(2)


def _size(body: NDArray[np.float64]) -> float:
    """Return the side of the square around a body in pixels, from its keypoints, shape (25 or 27, 3)."""
    seen = body[np.isfinite(body[:, 0]), :2]
    box = float((seen.max(axis=0) - seen.min(axis=0)).max()) if len(seen) else 0.0
    torso = float(np.linalg.norm(body[INDEX["Neck"], :2] - body[INDEX["MidHip"], :2]))
    # A body bent towards the camera has a short torso; one that is half hidden a small box.
    return max(_BOXES * box, _TORSOS * torso if np.isfinite(torso) else 0.0, 1.0)


def _out_of_sight(
    position: NDArray[np.float64],
    confidence: NDArray[np.float64],
    size: tuple[int, int],
    min_confidence: float,
    midpoints: Iterable[tuple[str, str, str]],
) -> NDArray[np.bool_]:
    """Return which keypoints are not seen, shape (n, 27), in a picture of a height and width."""
    x, y = position[..., 0], position[..., 1]
    unseen = ~((x >= 0) & (x <= size[1]) & (y >= 0) & (y <= size[0]) & (confidence >= min_confidence))
    for middle, left, right in midpoints:
        unseen[:, INDEX[middle]] |= unseen[:, [INDEX[left], INDEX[right]]].any(axis=1)
    return unseen
