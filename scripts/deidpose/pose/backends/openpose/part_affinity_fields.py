"""Assemble people from the maps of OpenPose's BODY_25 network.

The network gives, on a grid of one cell for eight pixels, a map of confidence for each keypoint and a field of unit
vectors along each limb (part affinity fields; Cao et al. 2021, IEEE TPAMI 43:172-186, arXiv 1812.08008). Peaks of the
maps are candidates for keypoints; a field integrated along the line between two candidates says how much they belong
together; and people are put together greedily, the best connections first. Thresholds are OpenPose's own defaults for
BODY_25 (``poseParameters.cpp``), so that what comes out is comparable with what OpenPose writes.
"""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from deidpose.skeleton import BODY_25, INDEX

#: Limb -> the first of its two channels (x, then y) among the 52 of the fields, in the order in which OpenPose
#: assembles (``POSE_BODY_PART_PAIRS`` and ``POSE_MAP_INDEX`` of ``poseParameters.cpp``).
LIMBS: dict[tuple[str, str], int] = {
    ("Neck", "MidHip"): 0, ("Neck", "RShoulder"): 14, ("Neck", "LShoulder"): 22, ("RShoulder", "RElbow"): 16,
    ("RElbow", "RWrist"): 18, ("LShoulder", "LElbow"): 24, ("LElbow", "LWrist"): 26, ("MidHip", "RHip"): 6,
    ("RHip", "RKnee"): 2, ("RKnee", "RAnkle"): 4, ("MidHip", "LHip"): 8, ("LHip", "LKnee"): 10,
    ("LKnee", "LAnkle"): 12, ("Neck", "Nose"): 30, ("Nose", "REye"): 32, ("REye", "REar"): 36, ("Nose", "LEye"): 34,
    ("LEye", "LEar"): 38, ("RShoulder", "REar"): 20, ("LShoulder", "LEar"): 28, ("LAnkle", "LBigToe"): 40,
    ("LBigToe", "LSmallToe"): 42, ("LAnkle", "LHeel"): 44, ("RAnkle", "RBigToe"): 46, ("RBigToe", "RSmallToe"): 48,
    ("RAnkle", "RHeel"): 50,
}  # fmt: skip

#: Maps of keypoints, and the background, before the fields.
N_MAPS = len(BODY_25) + 1
N_CHANNELS = N_MAPS + 2 * len(LIMBS)

#: Limbs that say the same as others: they join what is there and never begin a person.
_REDUNDANT = {("RShoulder", "REar"), ("LShoulder", "LEar")}

_PEAK_THRESHOLD = 0.05
#: At most this many candidates of one keypoint, the surest (``POSE_MAX_PEOPLE``).
_MOST_PEAKS = 96
#: Bicubic enlargement undershoots below 0, where there is no logarithm.
_SMALLEST = 1e-4
_FIELD_THRESHOLD = 0.05
#: Share of the points along a line at which the field has to point along it.
_SHARE_ALONG = 0.95
_FEWEST_POINTS, _MOST_POINTS = 5, 25
_FEWEST_KEYPOINTS = 3
_LEAST_SCORE = 0.4


class Peaks(NamedTuple):
    """Candidates of all keypoints, by keypoint."""

    keypoint: NDArray[np.int64]  # shape (n,), index in BODY_25
    position: NDArray[np.float64]  # shape (n, 2), x and y in cells of the maps that they were found in
    score: NDArray[np.float64]  # shape (n,), 0..1


class Connections(NamedTuple):
    """Pairs of candidates that a field connects, by limb in the order of `LIMBS`, the best of each limb first."""

    limb: NDArray[np.int64]  # shape (n,), index in LIMBS
    start: NDArray[np.int64]  # shape (n,), index in Peaks
    end: NDArray[np.int64]  # shape (n,), index in Peaks
    score: NDArray[np.float64]  # shape (n,)


def people(maps: NDArray[np.float32], scale: int = 8) -> NDArray[np.float64]:
    """Find everybody in the output of the network.

    Parameters
    ----------
    maps : array, shape (78, height, width)
        26 maps of keypoints (the last is the background) and 52 channels of fields.
    scale : int
        Pixels of the network's input for one cell. Peaks are searched at the resolution of the input, to which the
        maps are enlarged with bicubic interpolation, as OpenPose does.

    Returns
    -------
    array, shape (people, 25, 3)
        x and y in pixels of the network's input (the centre of its first pixel is 0, 0) and confidence, in the order
        of `BODY_25`; NaN, NaN and 0 for a keypoint that was not found. The surest person comes first.
    """
    height, width = maps.shape[1:]
    enlarged = np.stack(
        [
            cv2.resize(plane, (width * scale, height * scale), interpolation=cv2.INTER_CUBIC)
            for plane in maps[: len(BODY_25)]
        ]
    )
    found = peaks(enlarged)
    # The field varies slowly, so it is read where it is needed instead of being enlarged as a whole.
    return assemble(found, connections(found, maps[N_MAPS:], scale))


def peaks(maps: NDArray[np.float32], threshold: float = _PEAK_THRESHOLD) -> Peaks:
    """Return the local maxima above ``threshold`` of each map, placed between the pixels.

    A peak of these maps is a Gaussian, as they were drawn for training. The logarithm of one is a parabola, whose top
    through three pixels is exact; OpenPose takes the centre of gravity of 7 x 7 pixels, which draws it to the middle of
    that window by up to half a pixel of the network's input.

    Parameters
    ----------
    maps : array, shape (25, height, width)
        Confidence of each keypoint.
    threshold : float
        What is not above is no candidate.
    """
    top = np.stack([cv2.dilate(plane, np.ones((3, 3), np.uint8)) for plane in maps])
    keypoint, row, column = np.nonzero((maps >= top) & (maps > threshold))
    # The edge repeated: a peak there has no slope to beyond it.
    padded = np.log(np.maximum(np.pad(maps, ((0, 0), (1, 1), (1, 1)), mode="edge"), _SMALLEST))
    middle = padded[keypoint, row + 1, column + 1]
    x = column + _vertex(padded[keypoint, row + 1, column], middle, padded[keypoint, row + 1, column + 2])
    y = row + _vertex(padded[keypoint, row, column + 1], middle, padded[keypoint, row + 2, column + 1])
    position, score = np.stack([x, y], axis=1), maps[keypoint, row, column].astype(float)
    kept = _surest(keypoint, position, score)
    return Peaks(keypoint[kept], position[kept], score[kept])


def _vertex(
    before: NDArray[np.float32], middle: NDArray[np.float32], after: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Return how far from the middle of three values the top of the parabola through them is, -0.5..0.5."""
    bend = (before - 2 * middle + after).astype(float)
    slope = (after - before).astype(float)
    return np.asarray(np.clip(np.divide(-slope, 2 * bend, out=np.zeros_like(bend), where=bend < 0), -0.5, 0.5))


def _surest(
    keypoint: NDArray[np.int64], position: NDArray[np.float64], score: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Return the candidates to keep, sorted by keypoint and place: one a peak, the surest of each keypoint."""
    order = np.lexsort((position[:, 0], position[:, 1], -score, keypoint))
    kept: list[int] = []
    same: list[int] = []  # those kept of this keypoint
    for index in order.tolist():
        if same and keypoint[same[0]] != keypoint[index]:
            same = []
        if len(same) == _MOST_PEAKS:
            continue
        if same and np.abs(position[same] - position[index]).max(axis=1).min() < 1:
            continue
        same.append(index)
        kept.append(index)
    return np.array(kept, dtype=np.int64)


def connections(found: Peaks, fields: NDArray[np.float32], scale: int) -> Connections:
    """Return the pairs of candidates along which the field of a limb runs.

    Parameters
    ----------
    found : Peaks
        Positions in pixels of the network's input.
    fields : array, shape (52, height, width)
        Fields on the grid of the network.
    scale : int
        Pixels of the input for one cell of the grid.
    """
    by_keypoint = [np.flatnonzero(found.keypoint == index) for index in range(len(BODY_25))]
    limb, start, end = [], [], []
    for number, (first, second) in enumerate(LIMBS):
        pairs = np.meshgrid(by_keypoint[INDEX[first]], by_keypoint[INDEX[second]], indexing="ij")
        start.append(pairs[0].ravel())
        end.append(pairs[1].ravel())
        limb.append(np.full(pairs[0].size, number))
    limbs, starts, ends = (np.concatenate(part).astype(np.int64) for part in (limb, start, end))
    score = _along(found.position[starts], found.position[ends], np.array(list(LIMBS.values()))[limbs], fields, scale)
    order = np.lexsort((ends, starts, -score, limbs))
    order = order[score[order] > 0]
    return Connections(limbs[order], starts[order], ends[order], score[order])


def _along(
    start: NDArray[np.float64],
    end: NDArray[np.float64],
    channel: NDArray[np.int64],
    fields: NDArray[np.float32],
    scale: int,
) -> NDArray[np.float64]:
    """Return the mean of the field along each line from start to end, shape (n,); 0 where it runs another way."""
    way = end - start
    length = np.linalg.norm(way, axis=1)
    direction = way / np.maximum(length, 1e-6)[:, None]
    n_points = np.clip(np.rint(np.sqrt(5 * np.abs(way).max(axis=1, initial=0))), _FEWEST_POINTS, _MOST_POINTS)
    step = np.arange(_MOST_POINTS)
    used = step < n_points[:, None]
    point = start[:, None] + way[:, None] * (step / n_points[:, None])[..., None]
    # Cell c of the grid has its centre at pixel (c + 0.5) x scale - 0.5 of the input.
    cell = (point + 0.5) / scale - 0.5
    score = sum(
        _read(fields, channel[:, None] + axis, cell[..., 0], cell[..., 1]) * direction[:, axis, None] for axis in (0, 1)
    )
    along = used & (score > _FIELD_THRESHOLD)
    count = along.sum(axis=1)
    mean = np.where(along, score, 0).sum(axis=1) / np.maximum(count, 1)
    return np.asarray(np.where((length > 1e-6) & (count > _SHARE_ALONG * n_points), mean, 0.0))


def _read(
    fields: NDArray[np.float32], channel: NDArray[np.int64], x: NDArray[np.float64], y: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the fields at places between the cells, bilinear; at the edge the value of the last cell."""
    height, width = fields.shape[1:]
    x, y = np.clip(x, 0, width - 1), np.clip(y, 0, height - 1)
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    right, bottom = np.minimum(left + 1, width - 1), np.minimum(top + 1, height - 1)
    across, down = x - left, y - top
    upper = fields[channel, top, left] * (1 - across) + fields[channel, top, right] * across
    lower = fields[channel, bottom, left] * (1 - across) + fields[channel, bottom, right] * across
    return np.asarray(upper * (1 - down) + lower * down, dtype=float)


def assemble(found: Peaks, connected: Connections) -> NDArray[np.float64]:
    """Put people together, limb by limb, the best connections of each limb first; as `people` returns them.

    A candidate belongs to one person, and a person has one of each keypoint. A connection adds a keypoint to a
    person, joins two people who have no keypoint in common, or begins a person. People with fewer than 3 keypoints,
    or with a mean score (keypoints and connections) below 0.4, are dropped, as OpenPose drops them.
    """
    owner = np.full(len(found.score), -1)
    members: dict[int, dict[int, int]] = {}  # person -> keypoint -> candidate
    total: dict[int, float] = {}
    names = list(LIMBS)
    used: set[tuple[int, int]] = set()  # (limb, candidate): a candidate has one connection a limb
    for limb, start, end, score in zip(*(column.tolist() for column in connected), strict=True):
        if (limb, start) in used or (limb, end) in used:
            continue
        first, second = int(owner[start]), int(owner[end])
        if first >= 0 and first == second:
            used |= {(limb, start), (limb, end)}
            total[first] += score
        elif first >= 0 and second >= 0:
            if members[first].keys().isdisjoint(members[second]):
                used |= {(limb, start), (limb, end)}
                owner[list(members[second].values())] = first
                members[first] |= members.pop(second)
                total[first] += total.pop(second) + score
        elif first >= 0 or second >= 0:
            person, candidate = (first, end) if first >= 0 else (second, start)
            keypoint = int(found.keypoint[candidate])
            if keypoint not in members[person]:
                used |= {(limb, start), (limb, end)}
                members[person][keypoint] = candidate
                owner[candidate] = person
                total[person] += score + found.score[candidate]
        elif names[limb] not in _REDUNDANT:
            used |= {(limb, start), (limb, end)}
            person = len(found.score) + start * len(LIMBS) + limb  # any number that no other person has
            members[person] = {int(found.keypoint[start]): start, int(found.keypoint[end]): end}
            owner[[start, end]] = person
            total[person] = score + found.score[start] + found.score[end]
    bodies = []
    for person, parts in members.items():
        if len(parts) >= _FEWEST_KEYPOINTS and total[person] / len(parts) >= _LEAST_SCORE:
            body = np.full((len(BODY_25), 3), np.nan)
            body[:, 2] = 0
            for keypoint, candidate in parts.items():
                body[keypoint] = (*found.position[candidate], found.score[candidate])
            bodies.append((total[person], body))
    bodies.sort(key=lambda item: (-item[0], item[1][np.isfinite(item[1][:, 0])][0].tolist()))
    return np.stack([body for _, body in bodies]) if bodies else np.empty((0, len(BODY_25), 3))
