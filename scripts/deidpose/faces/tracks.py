"""Build tracks, each of one face or head over time: link detections, fill gaps, soften edges."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment
from scipy.signal import savgol_filter
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from deidpose.labels import BOX

#: A detection belongs to a track when its centre has moved by less than this many box sides a frame ...
_LARGEST_STEP = 0.6
#: ... or, after a gap, by less than this many box sides in all.
_LARGEST_JUMP = 2.0
#: ... and its size has changed by less than this factor.
_LARGEST_GROWTH = 2.0
#: Tracks are joined over a gap when one ends, and the next begins, within this many box sides of where the other
#: leads, and their sizes differ by less than this factor.
_LARGEST_GAP = 1.0
_LARGEST_GROWTH_OVER_GAP = 1.6
#: Detections are first linked over gaps of so many frames, where there is little doubt; what is linked is then
#: joined over longer gaps, all of the video at once.
SHORT_GAP = 2
#: A velocity is taken from so many frames, and trusted for as many.
_STEADY_FRAMES = 5
#: A track is the face of the person to whom this share of its detections belongs.
_OWN_SHARE = 0.5


class Track(NamedTuple):
    """One face or head: frames (n,), ascending; boxes (n, 4) in pixels; scores (n,); detected (n,) of bool.

    ``person`` is the person of the keypoints that it belongs to, or -1.
    """

    frames: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray
    detected: np.ndarray
    person: int = -1


class Shots:
    """Which shot every frame belongs to.

    Parameters
    ----------
    cuts : array of int
        First frames of new shots.
    n_frames : int
    """

    def __init__(self, cuts: np.ndarray, n_frames: int) -> None:
        starts = np.unique(np.concatenate([[0], cuts[(cuts > 0) & (cuts < n_frames)]])).astype(int)
        self._starts = starts
        self._ends = np.append(starts[1:], n_frames) - 1

    def of(self, frames: np.ndarray | int) -> np.ndarray:
        """Return the number of the shot of each frame."""
        return np.asarray(np.searchsorted(self._starts, frames, side="right") - 1)

    def span(self, frame: int) -> tuple[int, int]:
        """Return the first and the last frame of the shot of a frame."""
        shot = int(self.of(frame))
        return int(self._starts[shot]), int(self._ends[shot])


def pick(track: Track, chosen: np.ndarray) -> Track:
    """Return the frames of a track that are chosen, by index or by truth value."""
    frames, boxes, scores, detected, person = track
    return Track(frames[chosen], boxes[chosen], scores[chosen], detected[chosen], person)


def same_frame(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the indices of every pair, one of each array of frames, that is in the same frame."""
    left = pd.DataFrame({"frame": first, "first": np.arange(len(first))})
    right = pd.DataFrame({"frame": second, "second": np.arange(len(second))})
    pairs = left.merge(right, on="frame")
    return pairs["first"].to_numpy(int), pairs["second"].to_numpy(int)


def nearest_of(wanted: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Return the index of the nearest of the ascending ``known`` for every one ``wanted``."""
    after = np.clip(np.searchsorted(known, wanted), 0, len(known) - 1)
    before = np.clip(after - 1, 0, None)
    return np.where(np.abs(known[before] - wanted) <= np.abs(known[after] - wanted), before, after)


# --------------------------------------------------------------------------------------------------------- linking


def link(detections: pd.DataFrame, owner: np.ndarray, shots: Shots, max_gap: int) -> list[Track]:
    """Link detections in neighbouring frames: frame by frame the assignment of least total displacement.

    Parameters
    ----------
    detections : DataFrame
        The table ``detections``.
    owner : array, shape (n,)
        From `owners`.
    shots : Shots
    max_gap : int
        A track ends when it has gone undetected for more frames than this.

    Returns
    -------
    list of Track
        Every detection is in exactly one of them.
    """
    done: list[list[tuple[int, np.ndarray]]] = []
    open_tracks: list[list[tuple[int, np.ndarray]]] = []
    table = detections[["frame", *BOX, "score"]].assign(person=owner).sort_values("frame", kind="stable")
    rows = table.to_numpy(float)
    for here in np.split(rows, np.flatnonzero(np.diff(rows[:, 0])) + 1) if len(rows) else []:
        frame, found = int(here[0, 0]), here[:, 1:]
        still_open = [frame - t[-1][0] <= max_gap + 1 and shots.of(t[-1][0]) == shots.of(frame) for t in open_tracks]
        done += [track for track, is_open in zip(open_tracks, still_open, strict=True) if not is_open]
        open_tracks = [track for track, is_open in zip(open_tracks, still_open, strict=True) if is_open]
        taken: set[int] = set()
        if open_tracks:
            cost = np.array([[_step(track, frame, face) for face in found] for track in open_tracks])
            # A cost that no real match reaches lets the assignment leave a pair unmatched.
            for row, column in zip(*linear_sum_assignment(np.minimum(cost, 1e6)), strict=True):
                if np.isfinite(cost[row, column]):
                    open_tracks[row].append((frame, found[column]))
                    taken.add(int(column))
        open_tracks += [[(frame, face)] for column, face in enumerate(found) if column not in taken]
    done += open_tracks
    done.sort(key=lambda track: (track[0][0], track[0][1][0], track[0][1][1]))
    return [_as_track(track) for track in done]


def _as_track(linked: list[tuple[int, np.ndarray]]) -> Track:
    values = np.array([face for _, face in linked])
    return Track(
        np.array([frame for frame, _ in linked]),
        values[:, :4],
        values[:, 4],
        np.ones(len(linked), bool),
        _owner(values[:, 5].astype(int)),
    )


def _owner(people: np.ndarray) -> int:
    numbers, counts = np.unique(people[people >= 0], return_counts=True)
    if not len(numbers) or counts.max() < _OWN_SHARE * len(people):
        return -1
    return int(numbers[counts.argmax()])


def _step(track: list[tuple[int, np.ndarray]], frame: int, face: np.ndarray) -> float:
    """Return the displacement from where the track should be, in box sides; infinite when it is another face."""
    last, box = track[-1]
    if box[5] >= 0 and face[5] >= 0 and box[5] != face[5]:
        return float("inf")
    centre = box[:2] + box[2:4] / 2
    if len(track) > 1:
        before, previous = track[-2]
        centre = centre + (centre - previous[:2] - previous[2:4] / 2) / (last - before) * (frame - last)
    return _displacement(face[:2] + face[2:4] / 2 - centre, box, face, frame - last)


def _displacement(offset: np.ndarray, first: np.ndarray, second: np.ndarray, gap: int) -> float:
    """Return an offset in box sides; infinite where it is too far for the gap, or the sizes differ too much."""
    side = float(max(first[2], first[3], second[2], second[3]))
    areas = sorted((first[2] * first[3], second[2] * second[3]))
    displacement = float(np.hypot(*offset)) / side
    if displacement > min(_LARGEST_STEP * gap + 0.4, _LARGEST_JUMP) or areas[1] > _LARGEST_GROWTH**2 * areas[0]:
        return float("inf")
    return displacement


def join(tracks: list[Track], shots: Shots, max_gap: int) -> list[Track]:
    """Join tracks over gaps, all of the video at once: the assignment of ends to beginnings of least total cost.

    The cost of a pair is how far the first, carried on, ends from the beginning of the second, and the second,
    carried back, from the end of the first. Faces of one person are joined however they have moved; faces of two
    people never.

    Parameters
    ----------
    tracks : list of Track
    shots : Shots
    max_gap : int
        The longest gap, in frames, that is bridged.
    """
    if not tracks:
        return []
    begins = np.array([track.frames[0] for track in tracks])
    order = np.argsort(begins, kind="stable")
    pairs: list[tuple[int, int, float]] = []
    for first, track in enumerate(tracks):
        end = int(track.frames[-1])
        low, high = np.searchsorted(begins[order], [end + 1, end + max_gap + 1], side="left")
        high = int(np.searchsorted(begins[order], end + max_gap + 1, side="right"))
        for second in order[low:high]:
            cost = _gap_cost(track, tracks[second], shots)
            if np.isfinite(cost):
                pairs.append((first, int(second), cost))
    following: dict[int, int] = {}
    if pairs:
        rows, columns, costs = (np.array(values) for values in zip(*pairs, strict=True))
        count = len(tracks)
        # Tracks that cannot meet need not be weighed against each other: one small assignment for each group.
        _, group = connected_components(
            coo_array((np.ones(len(rows)), (rows, columns + count)), (2 * count, 2 * count)), directed=False
        )
        for number in np.unique(group[rows]):
            mine = np.flatnonzero(group[rows] == number)
            ends, row = np.unique(rows[mine], return_inverse=True)
            starts, column = np.unique(columns[mine], return_inverse=True)
            # To join is always cheaper than not to join.
            weights = np.full((len(ends), len(starts)), 1e6)
            weights[row, column] = costs[mine]
            for i, j in zip(*linear_sum_assignment(weights), strict=True):
                if weights[i, j] < 1e6:
                    following[int(ends[i])] = int(starts[j])
    joined = []
    for first in sorted(set(range(len(tracks))) - set(following.values())):
        chain = [first]
        while chain[-1] in following:
            chain.append(following[chain[-1]])
        for parts in _of_one_person([tracks[index] for index in chain]):
            frames, boxes, scores, detected = (
                np.concatenate(values) for values in list(zip(*(part[:4] for part in parts), strict=True))
            )
            people = np.concatenate([np.full(len(part.frames), part.person) for part in parts])
            joined.append(Track(frames, boxes, scores, detected, _owner(people)))
    return joined


def _of_one_person(chain: list[Track]) -> list[list[Track]]:
    """Split a chain into pieces of one person each; a face without a person may lie between those of two."""
    pieces: list[list[Track]] = [[]]
    person = -1
    for track in chain:
        if track.person >= 0:
            if person >= 0 and person != track.person:
                pieces.append([])
            person = track.person
        pieces[-1].append(track)
    return pieces


def _gap_cost(first: Track, second: Track, shots: Shots) -> float:
    end, begin = int(first.frames[-1]), int(second.frames[0])
    if shots.of(end) != shots.of(begin) or (first.person >= 0 and second.person >= 0 and first.person != second.person):
        return float("inf")
    gap = begin - end
    last, next_ = first.boxes[-1], second.boxes[0]
    way = next_[:2] + next_[2:] / 2 - last[:2] - last[2:] / 2
    ahead = _velocity(first, -1) * min(gap, _STEADY_FRAMES)
    back = _velocity(second, 0) * min(gap, _STEADY_FRAMES)
    side = float(max(last[2:].max(), next_[2:].max()))
    apart = float(np.mean([np.hypot(*(way - moved)) for moved in (ahead, back)])) / side
    growth = side / float(max(min(last[2:].max(), next_[2:].max()), 1e-9))
    if first.person >= 0 and first.person == second.person:
        return min(apart, _LARGEST_GAP)
    return apart if apart < _LARGEST_GAP and growth < _LARGEST_GROWTH_OVER_GAP else float("inf")


def _velocity(track: Track, end: int) -> np.ndarray:
    """Return the velocity of the centre at the beginning (0) or the end (-1) of a track, in pixels a frame."""
    piece = slice(-_STEADY_FRAMES, None) if end else slice(None, _STEADY_FRAMES)
    frames = track.frames[piece]
    if len(frames) < 2 or frames[-1] - frames[0] > 3 * _STEADY_FRAMES:
        return np.zeros(2)
    centres = track.boxes[piece, :2] + track.boxes[piece, 2:] / 2
    return np.asarray((centres[-1] - centres[0]) / (frames[-1] - frames[0]))


# --------------------------------------------------------------------------------------------------------- filling


def fill(track: Track, path: Track | None, shots: Shots, max_gap: int, hold: int) -> Track:
    """Fill the gaps of a track and hold it before its first and after its last frame, within its shot.

    Where the head of its person is placed, a face that is not detected keeps its place on that head. Elsewhere it
    moves on a straight line over a gap; beyond the ends, it reaches from where it was to where it was going.

    Parameters
    ----------
    track : Track
    path : Track, optional
        The head of its person.
    shots : Shots
    max_gap : int
        The longest gap, in frames, that a straight line bridges. In a longer one both ends are held.
    hold : int
        Frames to hold.
    """
    apart = (np.diff(track.frames) > max_gap + 1) | (np.diff(shots.of(track.frames)) > 0)
    pieces = np.split(np.arange(len(track.frames)), np.flatnonzero(apart) + 1)
    frames, boxes, scores, away = [], [], [], []
    for piece in pieces:
        known = Track(track.frames[piece], track.boxes[piece], track.scores[piece], track.detected[piece])
        start, end = shots.span(int(known.frames[0]))
        wanted = np.arange(max(start, known.frames[0] - hold), min(end, known.frames[-1] + hold) + 1)
        frames.append(wanted)
        boxes.append(_on_head(_on_line(known, wanted), known, wanted, path))
        scores.append(np.interp(wanted, known.frames, known.scores))
        away.append(np.maximum(np.maximum(known.frames[0] - wanted, wanted - known.frames[-1]), 0))
    # Where what is held reaches into the next piece, the nearer of the two has the frame.
    order = np.lexsort((np.concatenate(away), np.concatenate(frames)))
    frame, first = np.unique(np.concatenate(frames)[order], return_index=True)
    chosen = order[first]
    detected = np.isin(frame, track.frames[track.detected])
    return Track(frame, np.concatenate(boxes)[chosen], np.concatenate(scores)[chosen], detected, track.person)


def _on_line(known: Track, wanted: np.ndarray) -> np.ndarray:
    """Return boxes on straight lines between the known ones, and stretched in the direction of motion beyond them."""
    boxes = np.column_stack([np.interp(wanted, known.frames, known.boxes[:, side]) for side in range(4)])
    for end, beyond in ((0, known.frames[0] - wanted), (-1, wanted - known.frames[-1])):
        outside = np.flatnonzero(beyond > 0)
        speed = _velocity(known, end) * (1 if end else -1)
        box = known.boxes[end]
        shift = speed * np.minimum(beyond[outside], _STEADY_FRAMES)[:, None]
        # No further than one box side: a velocity is a guess.
        shift = np.clip(shift, -box[2:], box[2:])
        boxes[outside, :2] = box[:2] + np.minimum(shift, 0)
        boxes[outside, 2:] = box[2:] + np.abs(shift)
    return boxes


def _on_head(boxes: np.ndarray, known: Track, wanted: np.ndarray, path: Track | None) -> np.ndarray:
    """Return boxes with those of undetected frames in their place on the head, where that is placed."""
    if path is None:
        return boxes
    frames, mine, theirs = np.intersect1d(known.frames, path.frames, return_indices=True)
    if not len(frames):
        return boxes
    side = path.boxes[theirs, 2:3]
    relative = np.column_stack([(known.boxes[mine, :2] - path.boxes[theirs, :2]) / side, known.boxes[mine, 2:] / side])
    # Indices of the frames that are wanted, not detected, and have the head placed.
    _, at, of_path = np.intersect1d(
        np.where(np.isin(wanted, known.frames), -1, wanted), path.frames, return_indices=True
    )
    place = np.column_stack([np.interp(wanted[at], frames, relative[:, side_]) for side_ in range(4)])
    head = path.boxes[of_path]
    boxes[at] = np.column_stack([head[:, :2] + place[:, :2] * head[:, 2:3], place[:, 2:] * head[:, 2:3]])
    return boxes


def soften(track: Track, shots: Shots, soft: int) -> Track:
    """Return a track whose boxes move without jitter and lie nowhere within the given ones.

    The centre is smoothed. Beside the smooth centre, each edge takes its outermost position in the frames around,
    and then the mean of those: every one of them is at or beyond the edge of this frame, so their mean is too.

    Parameters
    ----------
    track : Track
    shots : Shots
    soft : int
        Frames on either side.
    """
    if soft < 1 or not len(track.frames):
        return track
    apart = (np.diff(track.frames) > 1) | (np.diff(shots.of(track.frames)) > 0)
    boxes = track.boxes.copy()
    for piece in np.split(np.arange(len(track.frames)), np.flatnonzero(apart) + 1):
        low, high = boxes[piece, :2], boxes[piece, :2] + boxes[piece, 2:]
        centre = _along_lines((low + high) / 2, soft)
        low = centre - _running(_running(centre - low, soft, np.max), soft, np.mean)
        high = centre + _running(_running(high - centre, soft, np.max), soft, np.mean)
        boxes[piece] = np.column_stack([low, high - low])
    return track._replace(boxes=boxes)


def _along_lines(values: np.ndarray, reach: int) -> np.ndarray:
    """Return values smoothed by straight lines fitted to the rows around each; fewer rows stay as they are."""
    return values if len(values) <= 2 * reach else savgol_filter(values, 2 * reach + 1, 1, axis=0)


def _running(values: np.ndarray, reach: int, combine: Callable[..., np.ndarray]) -> np.ndarray:
    """Return the maximum or the mean over ``reach`` rows on either side, columns apart."""
    padded = np.pad(values, ((reach, reach), (0, 0)), mode="edge")
    return combine(np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1, axis=0), axis=-1)
