"""Match the people in a masked video to those in the original.

A tracker numbers the people of each source by itself. It may lose somebody and find them again under a new number,
exchange the numbers of two people who cross, or leap from one person to another. So people are matched over time: a
section is a stretch of frames in which one identity of the method is one person of the original.
"""

from typing import NamedTuple, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from deidpose.evaluation.section_search import Evidence, find_sections, groups_of_evidence
from deidpose.keypoints import Poses, pick, torso_lengths
from deidpose.kinematics.angles import Angles
from deidpose.skeleton import INDEX

#: Two skeletons are the same person when their keypoints lie, on average over time, nearer than this, in torso lengths
#: (Neck to MidHip, about half a metre in an adult). Our choice: pose noise is a few hundredths of a torso, and two
#: people side by side are about one torso apart.
MATCH_LIMIT = 0.5

#: A frame counts as at most this far apart, in torso lengths. Otherwise a few frames in which a tracker has
#: leapt across the picture would outweigh hundreds of frames of agreement.
DISTANCE_CAP = 1.0

#: A track that leaps to somebody else and back makes sections of its own only when it stays there for longer than this,
#: in seconds and in frames, and for longer still when it leaps by less than `DISTANCE_CAP`. Our choice: pose trackers
#: err for a few frames while people overlap; a step of walking takes half a second.
SUSTAINED_S = 0.25
SUSTAINED_FRAMES = 4
PAIRS_AT_A_TIME = 20_000  # bounds the memory for distances at some tens of megabytes
#: For each keypoint the one of the other side of the body; those in the middle stand for themselves.
_MIRRORED = [INDEX.get({"L": "R", "R": "L"}.get(name[0], "") + name[1:], index) for name, index in INDEX.items()]
_COLUMNS = ["person", "method_person", "first_frame", "last_frame"]


class _Track(NamedTuple):
    """Everything of one person of one source, in frames in which a keypoint of the person has a position."""

    number: int
    frame: NDArray[np.int64]  # shape (n,), places in the list of all frames, ascending
    position: NDArray[np.float64]  # shape (n, 27, 2), px
    size: NDArray[np.float64]  # shape (n,), torso length in px


def match_people(original_keypoints: Poses, method_keypoints: Poses) -> pd.DataFrame:
    """Find each person of the original among the people of a method, over the whole video.

    The distance of two skeletons in one frame is the mean distance of the keypoints that both have, in torso lengths of
    the original, capped at `DISTANCE_CAP`. Left and right are exchanged where that makes it smaller: somebody whose
    face is masked may be taken for facing the other way, and is the same person all the same. Giving a track to a
    person gains `MATCH_LIMIT` - distance in each frame in which both are seen, which is a loss where they are far
    apart. Each section costs as much as `SUSTAINED_S` / 2 of full disagreement. Wanted are the sections with the
    largest gain after cost, where in no frame a person has two tracks or a track two people. So a long track wins over
    a chance encounter, a change of identity is placed where the distances place it, noise while two people overlap
    does not pay for a section, and a track that stays away from everybody is nobody's meanwhile.

    The search starts from whole tracks, assigned by the Hungarian algorithm. It goes on by moves, as those of Boykov,
    Veksler & Zabih (2001, IEEE TPAMI 23:1222-1239). Each gives one track to one person in those frames in which that is
    best, and what the person had to the previous holder, or to nobody: a choice of two for every frame, which
    `_best_frames` finds exactly. The search ends when no move helps. Tracks too short to pay for a section then fill
    what is left: booking those frames as lost would blame the method for the tracker's bookkeeping. In frames in which
    the original does not see the person, a section goes on for as long as its track does, unless one of the two is in
    another section.

    Parameters
    ----------
    original_keypoints, method_keypoints : Poses
        Tables ``keypoints`` of the same video.

    Returns
    -------
    DataFrame
        Columns person (of the original), method_person, first_frame, last_frame: the sections, by person and
        time. Both ends are frames in which the method sees the person. A person whom the method loses has no section
        there. The sections of one person share no frame, and neither do those of one method_person. They do not depend
        on how the people of either source are numbered, except that skeletons that are the same in
        every frame are told apart by their numbers.
    """
    original, method = seen(original_keypoints), seen(method_keypoints)
    frames = np.union1d(original.frame, method.frame)
    people, tracks = _tracks(original, frames), _tracks(method, frames)
    evidence = _evidence(people, tracks)
    cost = _section_cost(original, method)
    rows = [
        (people[person].number, tracks[track].number, frames[first], frames[last])
        for group in groups_of_evidence(evidence, len(people), len(tracks))
        for person, track, first, last in find_sections(group, {track: tracks[track].frame for _, track in group}, cost)
    ]
    return pd.DataFrame(rows, columns=_COLUMNS, dtype="int64").sort_values(_COLUMNS[::2], ignore_index=True)


#: What `carry` gives back is of the kind that it was given.
Arrays = TypeVar("Arrays", Poses, Angles)


def carry(arrays: Arrays, matches: pd.DataFrame) -> Arrays:
    """Give the rows of a method's arrays the numbers that the same people have in the original.

    Parameters
    ----------
    arrays : Poses or Angles
        Of the method. Left as they are.
    matches : DataFrame
        What `match_people` returns for this method.

    Returns
    -------
    Poses or Angles
        The same, by frame and person. Rows of people who are nobody in the original at that time are left out. They
        may share memory with ``arrays``.
    """
    rows, person = carried_rows(arrays.frame, arrays.person, matches)
    # Mostly nobody is left out, and nothing of a long video need be copied.
    as_it_is = np.array_equal(rows, np.arange(len(arrays.frame)))
    return (arrays if as_it_is else pick(arrays, rows))._replace(person=person)


def carried_rows(
    frame: NDArray[np.int64], person: NDArray[np.int64], matches: pd.DataFrame
) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """Return which rows of a method's arrays `carry` keeps, in its order, and whom of the original they belong to.

    Parameters
    ----------
    frame, person : array, shape (n,)
        Of the rows.
    matches : DataFrame
        What `match_people` returns for this method.
    """
    sections = matches.sort_values(["method_person", "first_frame"])
    known = np.unique(sections["method_person"].to_numpy(dtype=np.int64))
    last = sections["last_frame"].to_numpy(dtype=np.int64)
    # One number for track and frame: the sections of a track lie one after the other, so the section that begins last
    # before a row is the only one that can hold it.
    span = max(frame.max(initial=0), last.max(initial=0)) + 1
    offset = np.searchsorted(known, sections["method_person"].to_numpy(dtype=np.int64)) * span
    track = np.searchsorted(known, person)
    place = (
        np.searchsorted(offset + sections["first_frame"].to_numpy(dtype=np.int64), track * span + frame, "right") - 1
    )
    held = np.isin(person, known) & (place >= 0)
    held[held] = (track * span + frame)[held] <= (offset + last)[place[held]]
    rows = np.flatnonzero(held)
    numbers = sections["person"].to_numpy(dtype=np.int64)[place[rows]]
    order = np.lexsort((numbers, frame[rows]))
    return rows[order], numbers[order]


def same_people(first: Poses, second: Poses) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the rows of either in which the same number is in the same frame, as two arrays of one length."""
    step = int(max(first.person.max(initial=0), second.person.max(initial=0))) + 1
    _, i, j = np.intersect1d(
        first.frame * step + first.person, second.frame * step + second.person, return_indices=True
    )
    return i, j


def seen(body: Poses) -> Poses:
    """Return the poses that have a position for at least one keypoint."""
    shown: NDArray[np.bool_] = np.isfinite(body.position.sum(axis=2)).any(axis=1)
    return body if shown.all() else pick(body, shown)


def _section_cost(original: Poses, method: Poses) -> float:
    """Return what a section costs, in torso lengths x frames; a leap there and back makes two sections more."""
    time = np.concatenate([original.time_s, method.time_s])
    frame, place = np.unique(np.concatenate([original.frame, method.frame]), return_index=True)
    interval = np.diff(time[place]) / np.diff(frame)
    interval = interval[np.isfinite(interval) & (interval > 0)]
    n_frames = SUSTAINED_S / float(np.median(interval)) if len(interval) else 0.0
    return DISTANCE_CAP * max(n_frames, SUSTAINED_FRAMES) / 2


def _tracks(body: Poses, frames: NDArray[np.int64]) -> list[_Track]:
    """Return everyone as a track, in an order that does not depend on their numbers.

    It is by first frame, last frame, length and where their keypoints are.
    """
    size = torso_lengths(body)
    order = np.lexsort((body.frame, body.person))
    numbers, starts = np.unique(body.person[order], return_index=True)
    tracks = [
        _Track(int(number), np.searchsorted(frames, body.frame[rows]), body.position[rows], size[rows])
        for number, rows in zip(numbers, np.split(order, starts[1:]), strict=False)
    ]
    return sorted(
        tracks,
        key=lambda track: (
            *(track.frame[0], track.frame[-1], len(track.frame)),
            *np.nansum(track.position, axis=(0, 1)).tolist(),
        ),
    )


def _evidence(people: list[_Track], tracks: list[_Track]) -> dict[tuple[int, int], Evidence]:
    """Return the evidence of every person with every track, where they share a frame and a keypoint in it."""
    result = {}
    for i, person in enumerate(people):
        for j, track in enumerate(tracks):
            if track.frame[0] > person.frame[-1] or track.frame[-1] < person.frame[0]:
                continue
            frame, first, second = np.intersect1d(person.frame, track.frame, assume_unique=True, return_indices=True)
            distance = np.full(len(frame), np.nan)
            for start in range(0, len(frame), PAIRS_AT_A_TIME):
                part = slice(start, start + PAIRS_AT_A_TIME)
                distance[part] = _distances(
                    person.position[first[part]], track.position[second[part]], person.size[first[part]]
                )
            shared = np.flatnonzero(np.isfinite(distance))
            if len(shared):
                begin, end = frame[shared[0]], frame[shared[-1]]
                gain = np.full(end - begin + 1, np.nan, np.float32)
                gain[frame[shared] - begin] = MATCH_LIMIT - np.minimum(distance[shared], DISTANCE_CAP)
                result[i, j] = Evidence(int(begin), gain)
    return result


def _distances(
    original: NDArray[np.float64], method: NDArray[np.float64], size: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the distance of skeletons, shape (n,), in torso lengths; NaN where they share no keypoint.

    Parameters
    ----------
    original, method : array, shape (n, 27, 2)
        Positions in px.
    size : array, shape (n,)
        Torso lengths in px.
    """
    return np.asarray(np.fmin(*straight_and_mirrored(original, method, size)), np.float64)


def straight_and_mirrored(
    original: NDArray[np.float64], method: NDArray[np.float64], size: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the distance of skeletons keypoint by keypoint, and with left and right of the method exchanged."""
    means = []
    for order in (slice(None), _MIRRORED):
        step = original - method[:, order]
        apart = np.hypot(step[..., 0], step[..., 1])
        n_seen = np.isfinite(apart).sum(axis=1)
        mean = np.full(len(size), np.nan)
        np.divide(np.nansum(apart, axis=1), n_seen * size, out=mean, where=(n_seen > 0) & (size > 0))
        means.append(mean)
    return means[0], means[1]
