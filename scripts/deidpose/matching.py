"""The same people in the original and in a copy: who is who, when identities change, and how many are counted.

A tracker numbers the people of each source by itself. It may lose somebody and find them again under a new number,
exchange the numbers of two people who cross, or leap from one person to another. So people are matched over time: a
section is a stretch of frames in which one identity of the method is one person of the original.
"""

from collections.abc import Collection, Mapping
from typing import NamedTuple, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from deidpose import tables
from deidpose.angles import Angles
from deidpose.keypoints import Poses, pick, torso_lengths
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

#: The method has exchanged the left and the right of a body when its keypoints lie nearer to the original's with them
#: exchanged back, on average by more than this, in torso lengths. Our choice: in somebody seen from the side both lie
#: close together, and nothing can be said.
MIRRORED_LIMIT = 0.1

#: Two numbers of which neither counts as larger: sums of distances differ in their last digits.
_EQUAL = 1e-6
#: Sweeps over all pairs of tracks; real videos need two or three, and each makes the sections better.
_SWEEPS = 20
_PAIRS_AT_A_TIME = 20_000  # bounds the memory for distances at some tens of megabytes
#: For each keypoint the one of the other side of the body; those in the middle stand for themselves.
_MIRRORED = [INDEX.get({"L": "R", "R": "L"}.get(name[0], "") + name[1:], index) for name, index in INDEX.items()]
_NOBODY = -1
_NEVER = 1e9  # more than any sum of gains
_COLUMNS = ["person", "method_person", "first_frame", "last_frame"]


class _Track(NamedTuple):
    """Everything of one person of one source, in frames in which a keypoint of the person has a position."""

    number: int
    frame: NDArray[np.int64]  # shape (n,), places in the list of all frames, ascending
    position: NDArray[np.float64]  # shape (n, 27, 2), px
    size: NDArray[np.float64]  # shape (n,), torso length in px


class _Evidence(NamedTuple):
    """How well a person of the original and a track of the method agree, over the frames that they share."""

    first: int  # place of the first of the frames
    gain: NDArray[np.float32]  # shape (n,), `MATCH_LIMIT` - distance for each frame; NaN where not both are seen


#: Person and track, as places in lists -> their evidence.
_AllEvidence = Mapping[tuple[int, int], _Evidence]


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
        for group in _groups(evidence, len(people), len(tracks))
        for person, track, first, last in _sections(group, {track: tracks[track].frame for _, track in group}, cost)
    ]
    return pd.DataFrame(rows, columns=_COLUMNS, dtype="int64").sort_values(_COLUMNS[::2], ignore_index=True)


def identities(
    video: str,
    method: str,
    original_keypoints: Poses,
    method_keypoints: Poses,
    matches: pd.DataFrame,
    patients: Collection[int],
) -> pd.DataFrame:
    """Count, for each person of the original, the frames lost and gained and the changes of identity.

    A switch is a change of ``method_person`` from one section of a person to the next. That is the mismatch of CLEAR
    MOT (Bernardin & Stiefelhagen 2008, EURASIP J Image Video Process 246309), with two differences. The reference is
    the original's own tracks and not a ground truth, so where the original changes the number of somebody whom the
    method follows on, nobody has switched. And it is counted from section to section and not from frame to frame, so a
    track that leaps away for a moment has not switched either. An exchange of two people counts once for each of them.

    Parameters
    ----------
    video, method : str
        What to write in these columns.
    original_keypoints, method_keypoints : Poses
        Tables ``keypoints`` of the same video. Somebody is seen in a frame when a keypoint of theirs has a position.
    matches : DataFrame
        What `match_people` returns for the two.
    patients : collection of int
        People of the original who are taken for the patient.

    Returns
    -------
    DataFrame
        The table ``identities``: a row for every person of the original of whom a keypoint is ever seen, by person.
    """
    original, method_poses = seen(original_keypoints), seen(method_keypoints)
    sightings = _sightings(original)
    carried = carry(method_poses, matches)
    turned = _mirrored(original, carried)
    both = sightings.merge(_sightings(carried), how="outer", on=["frame", "person"], indicator="seen_by")
    # Whom the original never sees has no section, so the outer join brings in nobody.
    counts = pd.crosstab(both["person"], both["seen_by"].astype(str))
    counts = counts.reindex(columns=["left_only", "right_only", "both"], fill_value=0)
    ordered = matches.sort_values(["person", "first_frame"])
    tracks = ordered.groupby("person")["method_person"]
    changed = (tracks.diff().fillna(0) != 0).groupby(ordered["person"]).sum()
    table = pd.DataFrame(
        {
            "video": video,
            "method": method,
            "person": counts.index,
            "patient": counts.index.isin(list(patients)),
            "n_original": counts["left_only"] + counts["both"],
            "n_both": counts["both"],
            "n_lost": counts["left_only"],
            "n_gained": counts["right_only"],
            "n_mirrored": turned.reindex(counts.index, fill_value=0),
            "n_tracks": tracks.nunique().reindex(counts.index, fill_value=0),
            "n_switches": changed.reindex(counts.index, fill_value=0),
        }
    )
    return tables.check(table, "identities")


def headcounts(
    video: str,
    method: str,
    original_keypoints: Poses,
    method_keypoints: Poses,
    matches: pd.DataFrame,
) -> pd.DataFrame:
    """Count the people of one video in the original and in a method.

    Parameters
    ----------
    video, method : str
        What to write in these columns.
    original_keypoints, method_keypoints : Poses
        Tables ``keypoints`` of the same video. Somebody is seen in a frame when a keypoint of theirs has a position.
    matches : DataFrame
        What `match_people` returns for the two.

    Returns
    -------
    DataFrame
        The table ``headcounts``, one row.
    """
    original, method_poses = seen(original_keypoints), seen(method_keypoints)
    before, after = _sightings(original), _sightings(method_poses)
    counts = pd.DataFrame({"before": before["frame"].value_counts(), "after": after["frame"].value_counts()}).fillna(0)
    who = identities(video, method, original, method_poses, matches, ())
    row = {
        "video": video,
        "method": method,
        "n_frames": len(counts),
        "n_people_original": before["person"].nunique(),
        "n_people_method": after["person"].nunique(),
        "n_people_unmatched": len(set(after["person"]) - set(matches["method_person"])),
        "n_frames_fewer": (counts["after"] < counts["before"]).sum(),
        "n_frames_more": (counts["after"] > counts["before"]).sum(),
        "n_switches": who["n_switches"].sum(),
    }
    return tables.check(pd.DataFrame([row]), "headcounts")


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


def _mirrored(original: Poses, method: Poses) -> pd.Series:
    """Return, by person of the original, in how many frames the method, carried, exchanges left and right."""
    first, second = same_people(original, method)
    turned = np.zeros(len(first), bool)
    size = torso_lengths(original)
    for start in range(0, len(first), _PAIRS_AT_A_TIME):
        i, j = first[start : start + _PAIRS_AT_A_TIME], second[start : start + _PAIRS_AT_A_TIME]
        straight, mirrored = _straight_and_mirrored(original.position[i], method.position[j], size[i])
        turned[start : start + _PAIRS_AT_A_TIME] = straight - mirrored > MIRRORED_LIMIT
    return pd.Series(turned, dtype="int64").groupby(original.person[first]).sum()


def _sightings(body: Poses) -> pd.DataFrame:
    """Return frame and person of everybody."""
    return pd.DataFrame({"frame": body.frame, "person": body.person})


def seen(body: Poses) -> Poses:
    """Return the poses of which a keypoint has a position."""
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


def _evidence(people: list[_Track], tracks: list[_Track]) -> dict[tuple[int, int], _Evidence]:
    """Return the evidence of every person with every track, where they share a frame and a keypoint in it."""
    result = {}
    for i, person in enumerate(people):
        for j, track in enumerate(tracks):
            if track.frame[0] > person.frame[-1] or track.frame[-1] < person.frame[0]:
                continue
            frame, first, second = np.intersect1d(person.frame, track.frame, assume_unique=True, return_indices=True)
            distance = np.full(len(frame), np.nan)
            for start in range(0, len(frame), _PAIRS_AT_A_TIME):
                part = slice(start, start + _PAIRS_AT_A_TIME)
                distance[part] = _distances(
                    person.position[first[part]], track.position[second[part]], person.size[first[part]]
                )
            shared = np.flatnonzero(np.isfinite(distance))
            if len(shared):
                begin, end = frame[shared[0]], frame[shared[-1]]
                gain = np.full(end - begin + 1, np.nan, np.float32)
                gain[frame[shared] - begin] = MATCH_LIMIT - np.minimum(distance[shared], DISTANCE_CAP)
                result[i, j] = _Evidence(int(begin), gain)
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
    return np.asarray(np.fmin(*_straight_and_mirrored(original, method, size)), np.float64)


def _straight_and_mirrored(
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


def _groups(evidence: _AllEvidence, n_people: int, n_tracks: int) -> list[dict[tuple[int, int], _Evidence]]:
    """Split the evidence into groups that nobody links who is ever nearer than `MATCH_LIMIT`, in the order of people.

    Each is solved by itself, which keeps long videos with many people small.
    """
    near = [pair for pair, (_, gain) in evidence.items() if (gain > 0).any()]
    if not near:
        return []
    first, second = np.array(near).T
    links = coo_array((np.ones(len(near)), (first, n_people + second)), shape=(n_people + n_tracks,) * 2)
    label = connected_components(links, directed=False)[1]
    groups: dict[int, dict[tuple[int, int], _Evidence]] = {int(label[person]): {} for person, _ in sorted(near)}
    for (person, track), found in evidence.items():
        if label[person] == label[n_people + track]:
            groups[int(label[person])][person, track] = found
    return list(groups.values())


class _Holding(NamedTuple):
    """Who holds which track when. The first and the last column stand for the time before and after."""

    track: NDArray[np.int32]  # shape (people, frames + 2), the track that a person holds; -1 for none
    person: NDArray[np.int32]  # shape (tracks, frames + 2), the person who holds a track; -1 for nobody


def _sections(
    evidence: _AllEvidence, seen: Mapping[int, NDArray[np.int64]], cost: float
) -> list[tuple[int, int, int, int]]:
    """Return the sections of one group as person, track, first and last frame.

    Parameters
    ----------
    evidence : mapping
        Person and track -> their evidence.
    seen : mapping
        Track -> places of the frames in which the method sees it, ascending.
    cost : float
        What a section costs, from `_section_cost`.
    """
    people, tracks = (sorted(set(numbers)) for numbers in zip(*evidence, strict=True))
    begin = min(frames[0] for frames in seen.values()) - 1  # column 0
    end = max(frames[-1] for frames in seen.values())
    local = {
        (people.index(person), tracks.index(track)): _Evidence(first - begin, gain)
        for (person, track), (first, gain) in evidence.items()
    }
    frames = [seen[track] - begin for track in tracks]
    holding = _assign_tracks(local, (len(people), len(tracks), end - begin + 2))
    _improve(holding, local, cost)
    _fill(holding, local, frames)
    return [
        (people[person], tracks[track], first + begin, last + begin)
        for person, track, first, last in _extend(_cut(holding, local), frames, local, cost)
    ]


def _assign_tracks(evidence: _AllEvidence, shape: tuple[int, int, int]) -> _Holding:
    """Assign whole tracks to people, so that the sum of the gains is largest (Hungarian algorithm)."""
    n_people, n_tracks, n_frames = shape
    holding = _Holding(
        np.full((n_people, n_frames), _NOBODY, np.int32), np.full((n_tracks, n_frames), _NOBODY, np.int32)
    )
    total = np.zeros((n_people, n_tracks))
    for pair, found in evidence.items():
        total[pair] = max(_total(found), 0.0)
    for person, track in zip(*linear_sum_assignment(total, maximize=True), strict=True):
        if total[person, track] > 0:
            first, gain = evidence[person, track]
            holding.track[person, first : first + len(gain)] = track
            holding.person[track, first : first + len(gain)] = person
    return holding


def _total(found: _Evidence) -> float:
    return float(np.nansum(found.gain, dtype=np.float64))


def _best_first(evidence: _AllEvidence) -> list[tuple[int, int]]:
    """Return person and track of all evidence, those with the largest gain first; equals in their order."""
    most = {pair: float(np.nansum(np.maximum(gain, 0), dtype=np.float64)) for pair, (_, gain) in evidence.items()}
    return sorted((pair for pair in most if most[pair] > 0), key=lambda pair: (-most[pair], pair))


def _improve(holding: _Holding, evidence: _AllEvidence, cost: float) -> None:
    """Change ``holding``, move by move, until no move gains more than it costs."""
    moves = [(person, track, exchange) for person, track in _best_first(evidence) for exchange in (True, False)]
    for _ in range(_SWEEPS):
        n_done = sum(_move(holding, evidence, cost, *move) for move in moves)
        if not n_done:
            return


def _move(holding: _Holding, evidence: _AllEvidence, cost: float, person: int, track: int, exchange: bool) -> bool:
    """Give ``track`` to ``person``, or take it away, in the frames in which that is best, and say whether it was done.

    Where the person holds another track, the previous holder gets that one in exchange, or nothing. Where the person
    holds this track already, the move is to take it away.
    """
    first, gain = evidence[person, track]
    now = slice(first - 1, first + len(gain) + 1)  # one frame more on either side, in which nothing changes
    mine, owner = holding.track[person, now], holding.person[track, now]
    held = mine == track
    new_mine = np.where(held, _NOBODY, track).astype(np.int32)
    other = np.where(held, _NOBODY, owner)
    new_other = np.where(exchange & ~held, mine, _NOBODY).astype(np.int32)
    difference = (
        _gains(evidence, person, new_mine, first - 1)
        - _gains(evidence, person, mine, first - 1)
        + _gains(evidence, other, new_other, first - 1)
        - _gains(evidence, other, track, first - 1)
    )
    difference[[0, -1]] = -_NEVER
    if not (difference > 0).any():
        return False
    starts = _starts(holding, now, (mine, new_mine), other, (np.full_like(mine, track), new_other))
    chosen = _best_frames(difference, cost * starts.astype(np.float64))
    here = chosen.astype(np.intp)
    more = starts[here[:-1], here[1:], np.arange(len(here) - 1)].sum() - starts[0, 0].sum()
    if difference[chosen].sum() - cost * more <= _EQUAL:
        return False
    where = np.flatnonzero(chosen) + first - 1
    mine, other, new_mine, new_other = (column[chosen] for column in (mine, other, new_mine, new_other))
    held_before, others, exchanged = mine != _NOBODY, other != _NOBODY, (other != _NOBODY) & (new_other != _NOBODY)
    holding.person[mine[held_before], where[held_before]] = _NOBODY
    holding.person[track, where] = np.where(new_mine == track, person, _NOBODY)
    holding.person[new_other[exchanged], where[exchanged]] = other[exchanged]
    holding.track[person, where] = new_mine
    holding.track[other[others], where[others]] = new_other[others]
    return True


def _gains(
    evidence: _AllEvidence, people: int | NDArray[np.int32], tracks: int | NDArray[np.int32], first: int
) -> NDArray[np.float64]:
    """Return the gain of a person with a track, both given for each frame from ``first`` on; 0 for nobody."""
    person, track = np.broadcast_arrays(people, tracks)
    gains = np.zeros(len(person))
    changes = np.flatnonzero((np.diff(person) != 0) | (np.diff(track) != 0)) + 1
    for start, end in zip([0, *changes.tolist()], [*changes.tolist(), len(person)], strict=True):
        found = evidence.get((int(person[start]), int(track[start])))
        if found is not None:
            begin = max(first + start, found.first)
            stop = max(begin, min(first + end, found.first + len(found.gain)))
            gains[begin - first : stop - first] = np.nan_to_num(found.gain[begin - found.first : stop - found.first])
    return gains


def _starts(
    holding: _Holding,
    now: slice,
    mine: tuple[NDArray[np.int32], NDArray[np.int32]],
    other: NDArray[np.int32],
    others: tuple[NDArray[np.int32], NDArray[np.int32]],
) -> NDArray[np.int64]:
    """Count the sections that start in each frame, for the person and the holders of the track that a move is about.

    Parameters
    ----------
    holding : _Holding
    now : slice
        The n columns of it that the move is about.
    mine : tuple of array, shape (n,)
        What the person holds without and with the move.
    other : array, shape (n,)
        Who else is touched.
    others : tuple of array, shape (n,)
        What that one holds without and with the move.

    Returns
    -------
    array, shape (2, 2, n - 1)
        For each frame but the first, by whether the frame before it and the frame itself are moved.
    """
    before, after = other[:-1], other[1:]
    same = before == after
    columns = np.arange(now.start, now.stop)
    # What the two others hold in the frame in which the move does not touch them.
    held_before = holding.track[after, columns[:-1]]
    held_after = holding.track[before, columns[1:]]
    starts = np.zeros((2, 2, len(before)), np.int64)
    for old in (0, 1):
        for new in (0, 1):
            starts[old, new] = _differ(mine[new][1:], mine[old][:-1])
            previous = np.where(same, others[old][:-1], held_before)
            starts[old, new] += (after != _NOBODY) & _differ(others[new][1:], previous)
            starts[old, new] += (before != _NOBODY) & ~same & _differ(held_after, others[old][:-1])
    return starts


def _differ(new: NDArray[np.int32], old: NDArray[np.int32]) -> NDArray[np.bool_]:
    differ: NDArray[np.bool_] = (new != _NOBODY) & (new != old)
    return differ


def _best_frames(difference: NDArray[np.float64], cost: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Choose the frames to move: those for which the sum of the differences, less the costs, is largest.

    This is the algorithm of Viterbi (1967, IEEE Trans Inf Theory 13:260-269) for two states, without a loop over
    frames. What matters of the two sums is their difference, moved minus not moved. From frame to frame it changes by a
    function x -> clip(sign * x + shift, low, high). Two such functions one after the other are again such a function,
    so all of them are composed in log2(n) steps (Hillis & Steele 1986, Commun ACM 29:1170-1183).

    Parameters
    ----------
    difference : array, shape (n,)
        What a frame gains by being moved. The first and the last frame are never moved.
    cost : array, shape (2, 2, n - 1)
        What each frame but the first costs, by whether the frame before it and the frame itself are moved.

    Returns
    -------
    array of bool, shape (n,)
        Among equals, the choice that moves the frame before, seen from the end, less.
    """
    # Above the threshold, the best way to (not moved, moved) comes from the frame before being moved.
    threshold = cost[1] - cost[0]
    rising = threshold[1] <= threshold[0]
    from_still, from_moved = cost[0, 0] - cost[0, 1], cost[1, 0] - cost[1, 1]
    gain = difference[1:]
    sign = np.where(rising, 1.0, -1.0)
    shift = np.where(rising, cost[0, 0] - cost[1, 1], cost[1, 0] - cost[0, 1]) + gain
    low, high = np.minimum(from_still, from_moved) + gain, np.maximum(from_still, from_moved) + gain
    sign, shift = np.append(1.0, sign), np.append(0.0, shift)
    low, high = np.append(-_NEVER, low), np.append(-_NEVER, high)
    step = 1
    while step < len(sign):
        # In the order old, then new: the functions of the ``step`` frames up to here follow on those before them.
        turned = sign[step:] < 0
        old_low, old_high = low[:-step], high[:-step]
        composed_low = np.clip(np.where(turned, -old_high, old_low) + shift[step:], low[step:], high[step:])
        composed_high = np.clip(np.where(turned, -old_low, old_high) + shift[step:], low[step:], high[step:])
        composed_shift = sign[step:] * shift[:-step] + shift[step:]
        sign[step:] = sign[step:] * sign[:-step]
        shift[step:], low[step:], high[step:] = composed_shift, composed_low, composed_high
        step *= 2
    lead = low  # the first function is a constant, so all that follow on it are
    still, moved = lead[:-1] > threshold[0], lead[:-1] > threshold[1]
    # Backwards: where both states come from the same one, that is the state of the frame before. Between such frames
    # the state stays, or turns over where each comes from the other.
    fixed = np.append(still == moved, True)
    turns = np.concatenate([[0], np.cumsum(still & ~moved)])
    value = np.append(still, False)
    place = np.where(fixed, np.arange(len(fixed)), len(fixed))
    next_fixed = np.minimum.accumulate(place[::-1])[::-1]
    turned_over = (turns[next_fixed] - turns) % 2 == 1
    chosen: NDArray[np.bool_] = np.logical_xor(value[next_fixed], turned_over)
    return chosen


def _fill(holding: _Holding, evidence: _AllEvidence, frames: list[NDArray[np.int64]]) -> None:
    """Give tracks that nobody holds, best first, to a person who has no other track in the meantime."""
    taken = {track for _, track, _, _ in _cut(holding, evidence)}
    for person, track in _best_first(evidence):
        now = slice(frames[track][0], frames[track][-1] + 1)
        held = holding.track[person, now]
        # Tracks that the person holds matter only where the method sees them.
        seen = (np.isin(np.arange(now.start, now.stop)[held == other], frames[other]) for other in np.unique(held))
        if track in taken or _total(evidence[person, track]) <= 0 or any(one.any() for one in seen):
            continue
        where = np.flatnonzero(held != _NOBODY)
        holding.person[held[where], where + now.start] = _NOBODY
        holding.track[person, now] = track
        holding.person[track, now] = person
        taken.add(track)


def _cut(holding: _Holding, evidence: _AllEvidence) -> list[tuple[int, int, int, int]]:
    """Return the stretches in which a person holds a track, from the first to the last frame in which both are seen.

    A stretch ends where the person and the track are both seen and not together, or either is with another.

    Returns
    -------
    list
        Person, track, first and last frame; by person and time.
    """
    person_busy = np.zeros(holding.track.shape, np.bool_)
    track_busy = np.zeros(holding.person.shape, np.bool_)
    together = {}
    for (person, track), (first, gain) in evidence.items():
        now = slice(first, first + len(gain))
        together[person, track] = np.isfinite(gain) & (holding.track[person, now] == track)
        person_busy[person, now] |= together[person, track]
        track_busy[track, now] |= together[person, track]
    stretches = []
    for (person, track), (first, gain) in evidence.items():
        now = slice(first, first + len(gain))
        ends = (np.isfinite(gain) | person_busy[person, now] | track_busy[track, now]) & ~together[person, track]
        where = np.flatnonzero(together[person, track])
        for part in np.split(where, np.flatnonzero(np.diff(np.cumsum(ends)[where])) + 1):
            if len(part):
                stretches.append((person, track, int(part[0]) + first, int(part[-1]) + first))
    return sorted(stretches, key=lambda stretch: (stretch[0], stretch[2]))


def _extend(
    stretches: list[tuple[int, int, int, int]],
    frames: list[NDArray[np.int64]],
    evidence: _AllEvidence,
    cost: float,
) -> list[tuple[int, int, int, int]]:
    """Let stretches go on as long as the method sees their track, first forwards and then backwards.

    They stop before other stretches of the person or the track, and before frames in which the two are seen apart, if
    these lose as much as a section costs. Frames that lose less are bridged in the middle of a stretch as well.
    """
    table = pd.DataFrame(stretches, columns=["person", "track", "first", "last"]).sort_values("first", kind="stable")
    following = pd.DataFrame({side: table.groupby(side)["first"].shift(-1) for side in ("person", "track")}).min(axis=1)
    last = []
    for person, track, _, end, limit in table.assign(limit=following).itertuples(index=False):
        own = frames[track][: None if np.isnan(limit) else np.searchsorted(frames[track], limit)]
        first, gain = evidence[person, track]
        rest = gain[end + 1 - first : own[-1] + 1 - first]
        if -np.nansum(rest) >= cost:
            own = own[: np.searchsorted(own, end + 1 + np.flatnonzero(np.isfinite(rest))[0])]
        last.append(own[-1])
    table["last"] = last
    before = pd.DataFrame({side: table.groupby(side)["last"].shift(1) for side in ("person", "track")}).max(axis=1)
    result = []
    for person, track, start, end, limit in table.assign(limit=before).itertuples(index=False):
        own = frames[track][0 if np.isnan(limit) else np.searchsorted(frames[track], limit, "right") :]
        first, gain = evidence[person, track]
        rest = gain[max(own[0] - first, 0) : start - first]
        if -np.nansum(rest) >= cost:
            own = own[np.searchsorted(own, start - len(rest) + np.flatnonzero(np.isfinite(rest))[-1], "right") :]
        result.append((int(person), int(track), int(own[0]), int(end)))
    return result
