"""Search for the sections of each person: which track belongs to that person in which frames.

A section is a stretch of frames in which one identity of the method is one person of the original.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

#: Two numbers of which neither counts as larger: sums of distances differ in their last digits.
_EQUAL = 1e-6
#: Sweeps over all pairs of tracks; real videos need two or three, and each makes the sections better.
_SWEEPS = 20
_NOBODY = -1
_NEVER = 1e9  # more than any sum of gains


class Evidence(NamedTuple):
    """How well a person of the original and a track of the method agree, over the frames that they share."""

    first: int  # place of the first of the frames
    gain: NDArray[np.float32]  # shape (n,), `MATCH_LIMIT` - distance for each frame; NaN where not both are seen


#: Person and track, as places in lists -> their evidence.
_AllEvidence = Mapping[tuple[int, int], Evidence]


def groups_of_evidence(evidence: _AllEvidence, n_people: int, n_tracks: int) -> list[dict[tuple[int, int], Evidence]]:
    """Split the evidence into groups that nobody links who is ever nearer than `MATCH_LIMIT`, in the order of people.

    Each is solved by itself, which keeps long videos with many people small.
    """
    near = [pair for pair, (_, gain) in evidence.items() if (gain > 0).any()]
    if not near:
        return []
    first, second = np.array(near).T
    links = coo_array((np.ones(len(near)), (first, n_people + second)), shape=(n_people + n_tracks,) * 2)
    label = connected_components(links, directed=False)[1]
    groups: dict[int, dict[tuple[int, int], Evidence]] = {int(label[person]): {} for person, _ in sorted(near)}
    for (person, track), found in evidence.items():
        if label[person] == label[n_people + track]:
            groups[int(label[person])][person, track] = found
    return list(groups.values())


class _Holding(NamedTuple):
    """Who holds which track when. The first and the last column stand for the time before and after."""

    track: NDArray[np.int32]  # shape (people, frames + 2), the track that a person holds; -1 for none
    person: NDArray[np.int32]  # shape (tracks, frames + 2), the person who holds a track; -1 for nobody


def find_sections(
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
        (people.index(person), tracks.index(track)): Evidence(first - begin, gain)
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


def _total(found: Evidence) -> float:
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
