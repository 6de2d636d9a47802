"""Match people by appearance: link the fragments that a pose network has followed into one identity for each person.

A network that follows bodies by their place alone confuses people who meet, and gives a new number to whoever comes
back. Here what has been followed is cut wherever it may have changed bodies, and the pieces are linked anew over a
whole shot: one successor for each at most, by the least total cost (Zhang, Li and Nevatia 2008, CVPR, doi
10.1109/CVPR.2008.4587584, with pairs in place of flows), from how they move, how large they are and what they wear.

Nothing is dropped and nothing is added: only numbers change. Heads say nothing here, because they are masked in the
copies, where everybody should be who they are in the original. Of each sight a few numbers are kept, no picture.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import min_weight_full_bipartite_matching

from deidpose.pose.people.appearance import Floats, difference

Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]


class Sights(NamedTuple):
    """What a network has followed in one shot, in any order; n sights, of one body in one frame each."""

    track: Integers  # shape (n,), the number under which the network followed the body
    frame: Integers  # shape (n,)
    place: Floats  # shape (n, 2), px, middle of the trunk
    size: Floats  # shape (n,), px, side of the square around the body: somewhat more than its height
    colours: NDArray[np.float32]  # shape (n, 18), from `colours`


#: Two people meet where the middles of their trunks are closer than this share of the larger one's size, ...
_MEETING = 0.15
#: ... and where one of them appears or disappears within so long, closer than this to the other.
_HIDDEN_S, _BESIDE = 0.5, 0.3
#: A meeting that lasts longer is no crossing: what is followed then is as good as otherwise.
_LONGEST_MEETING_S = 2.0
#: What is followed is cut before and after every meeting, after a gap longer than this, ...
_LONGEST_STEP_S = 0.1
#: ... where the trunk jumps: farther than this share of the size, and this many sizes a second (a sprinter runs 5), ...
_JUMP, _FASTEST = 0.08, 2.5
#: ... and where what is worn changes by this much in L*a*b* from one half second to the next.
_CHANGE, _WINDOW_S = 5.0, 0.5
#: A piece of fewer sights says too little of motion and clothes to be linked by them.
_FEWEST_SIGHTS = 5

#: Nobody is known again after a longer absence.
_LONGEST_ABSENCE_S = 5.0
#: Motion is predicted from the last so many seconds, and for so many at most.
_MEMORY_S, _FORESIGHT_S = 0.4, 1.0
#: Deviation of the place that was predicted, in sizes: at once, and for each second of absence.
_NOISE, _NOISE_PER_S = 0.08, 0.5
#: How far somebody can be from where they were lost, in sizes: at once, and for each second of absence.
_REACH, _REACH_PER_S = 0.4, 1.2
#: Deviation of a difference of clothes in L*a*b* within one person (on the demo clips: 1 to 2 from half second to half
#: second, 3 at most, and 7 to 14 between people who dress differently, 3 to 6 between those who dress alike).
_CLOTHES, _CLOTHES_LATER = 3.0, 2.0
_CLOTHES_OF_ONE_SIGHT = 3.0
#: Who is absent for longer than this was not only hidden for a moment, and must look more alike.
_MOMENT_S = 1.0
#: Deviation of the logarithm of the size, which is the median over so long.
_GROWTH, _GLANCE_S = 0.25, 0.1
#: No single kind of evidence costs more than this, and none that is missing less than ...
_MOST, _UNKNOWN = 9.0, 1.0
#: That the network has followed somebody is worth this much, and less and less with the absence: whoever is followed
#: without a break stays who they are even in other clothes, unless somebody else explains it better.
_FOLLOWED, _FOLLOWED_S = 6.0, 0.5
#: ... and this much over a gap or a meeting, where networks confuse people, and less when the velocity, in sizes a
#: second, is another after it: people rarely turn back just where they meet.
_FOLLOWED_THROUGH, _STEADY = 3.0, 0.5
_ABSENCE, _ABSENCE_S = 0.5, 0.5
#: A link that costs more is none: a new number is better than a wrong one.
_DEAREST = 4.0
#: Where somebody else would have done as well, by this much, nobody is linked.
_CLEARLY = 1.0


def identify(sights: Sights, frame_rate: float, picture: tuple[int, int]) -> Integers:
    """Tell who is who in one shot.

    Parameters
    ----------
    sights : Sights
        A track has at most one sight in a frame.
    frame_rate : float
        Mean frames per second.
    picture : tuple of int
        Width and height in pixels: who leaves the picture waits at its edge.

    Returns
    -------
    array, shape (n,)
        An identity for each sight; none has two sights in a frame. They count from 0 in the order of the tracks in
        which they begin: where nobody is confused, in the order of the tracks. What is left over of tracks comes last.
    """
    if not len(sights.frame):
        return np.empty(0, np.int64)
    order = np.lexsort((sights.frame, sights.track))
    track, frame, place, size, worn = sights
    ordered = Sights(track[order], frame[order], place[order], size[order], worn[order])
    meeting = _meeting(ordered, frame_rate)
    piece, meeting = _pieces(ordered, meeting, frame_rate)
    chain = _chains(ordered, meeting, piece, frame_rate, picture)
    identity = np.empty(len(order), np.int64)
    identity[order] = _attach(ordered, piece, chain, frame_rate)
    return identity


def _meeting(sights: Sights, frame_rate: float) -> Booleans:
    """Return at which sights somebody else is in nearly the same place, or may be hidden there, shape (n,)."""
    n = len(sights.frame)
    meeting = np.zeros(n, bool)
    order = np.lexsort((sights.track, sights.frame))
    frame = sights.frame[order]
    for apart in range(1, n):
        together = frame[:-apart] == frame[apart:]
        if not together.any():
            break
        first, second = order[:-apart][together], order[apart:][together]
        way = np.hypot(*(sights.place[first] - sights.place[second]).T)
        close = way < _MEETING * np.maximum(sights.size[first], sights.size[second])
        meeting[first[close]] = True
        meeting[second[close]] = True
    start, end = _runs(_gaps(sights, frame_rate))
    lasting = end - start >= _FEWEST_SIGHTS
    reach = _HIDDEN_S * frame_rate
    # Somebody of whom nothing comes before, or after, in the meantime.
    for at, way_in in [
        *((i, False) for i in (end[lasting] - 1).tolist()),
        *((i, True) for i in start[lasting].tolist()),
    ]:
        now = sights.frame[at]
        low, high = np.searchsorted(frame, [now - reach, now] if way_in else [now + 1, now + reach + 1])
        others = order[low:high]
        others = others[sights.track[others] != sights.track[at]]
        way = np.hypot(*(sights.place[others] - sights.place[at]).T)
        meeting[others[way < _BESIDE * np.maximum(sights.size[others], sights.size[at])]] = True
    return meeting


def _gaps(sights: Sights, frame_rate: float) -> Booleans:
    """Return which sights are the first of a track, or the first after a gap, shape (n,)."""
    new = np.ones(len(sights.frame), bool)
    new[1:] = np.diff(sights.track) != 0
    new[1:] |= np.diff(sights.frame) / frame_rate > _longest_step(frame_rate)
    return new


def _longest_step(frame_rate: float) -> float:
    """Return the longest time in seconds between sights that follow each other, at any frame rate."""
    return max(_LONGEST_STEP_S, 1.5 / frame_rate)


def _runs(new: Booleans) -> tuple[Integers, Integers]:
    """Return where runs start and end (the next one's start), from which sights are the first of one."""
    start = np.flatnonzero(new)
    return start, np.append(start[1:], len(new))


def _pieces(sights: Sights, meeting: Booleans, frame_rate: float) -> tuple[Integers, Booleans]:
    """Return the number of the piece that each sight is in, from 0, and whether that is a short meeting, shape (n,).

    Within a piece is one body. A short meeting is cut in its middle: who is who before it and after it are told apart
    from it, and each half goes with the side that is nearer in time.
    """
    tracks = np.append(True, np.diff(sights.track) != 0)
    new = _gaps(sights, frame_rate)
    elapsed = np.diff(sights.frame) / frame_rate
    way = np.hypot(*np.diff(sights.place, axis=0).T) / np.maximum(sights.size[1:], sights.size[:-1])
    new[1:] |= way > _JUMP + _FASTEST * elapsed
    new |= _changes(sights, np.flatnonzero(tracks), frame_rate)
    start, end = _runs(tracks | np.append(True, np.diff(meeting.astype(int)) != 0))
    new[start] = True
    short = meeting[start] & ((sights.frame[end - 1] - sights.frame[start]) / frame_rate <= _LONGEST_MEETING_S)
    new[((start + end) // 2)[short]] = True
    return np.cumsum(new) - 1, np.repeat(short, end - start)


def _changes(sights: Sights, start: Integers, frame_rate: float) -> Booleans:
    """Return at which sights the clothes of a track become others, shape (n,); ``start`` are the first of tracks."""
    n = len(sights.frame)
    window = max(_FEWEST_SIGHTS, round(_WINDOW_S * frame_rate))
    change = np.zeros(n)
    for first, end in zip(start, [*start[1:], n], strict=True):
        if end - first < 2 * _FEWEST_SIGHTS:
            continue
        worn = pd.DataFrame(sights.colours[first:end]).rolling(window, min_periods=_FEWEST_SIGHTS)
        before = worn.mean().shift(1).to_numpy()
        turned = pd.DataFrame(sights.colours[first:end][::-1]).rolling(window, min_periods=_FEWEST_SIGHTS)
        change[first:end] = np.nan_to_num(difference(before, turned.mean().to_numpy()[::-1]))
    # Where it is greatest within a window.
    highest = pd.Series(change).rolling(window + 1 - window % 2, center=True, min_periods=1).max().to_numpy()
    found = (change >= _CHANGE) & (change == highest)
    found[1:] &= ~found[:-1]
    return np.asarray(found)


class _Pieces(NamedTuple):
    """Pieces that are no short meeting and have enough sights; m pieces, by number."""

    number: Integers  # shape (m,)
    track: Integers
    n_sights: Integers
    colours: Floats  # shape (m, 18)
    first: "_Ends"
    last: "_Ends"


class _Ends(NamedTuple):
    """The first, or last, sights of pieces."""

    frame: Integers  # shape (m,)
    place: Floats  # shape (m, 2), px
    velocity: Floats  # shape (m, 2), px a frame
    size: Floats  # shape (m,), px


def _chains(
    sights: Sights, meeting: Booleans, piece: Integers, frame_rate: float, picture: tuple[int, int]
) -> Integers:
    """Return the number of the chain of each piece, shape (number of pieces,); -1 where it has too few sights."""
    chain = np.full(int(piece[-1]) + 1, -1)
    solid = _describe(sights, meeting, piece, frame_rate)
    n = len(solid.number)
    if not n:
        return chain
    first, second = _candidates(solid, frame_rate)
    cost = _costs(solid, first, second, frame_rate, picture)
    keep = cost < _DEAREST
    first, second, cost = first[keep], second[keep], cost[keep]
    successor = _match(n, first, second, cost)
    successor = _unambiguous(solid, successor, first, second, cost)
    label = np.arange(n)
    for earlier in np.argsort(solid.first.frame, kind="stable"):
        if successor[earlier] >= 0:
            label[successor[earlier]] = label[earlier]
    chain[solid.number] = label
    return chain


def _describe(sights: Sights, meeting: Booleans, piece: Integers, frame_rate: float) -> _Pieces:
    start, end = _runs(np.append(True, np.diff(piece) != 0))
    number = np.flatnonzero((end - start >= _FEWEST_SIGHTS) & ~meeting[start])
    worn = pd.DataFrame(sights.colours).groupby(piece).median().to_numpy(dtype=float)
    ends = []
    for at in (start, end - 1):
        away = np.abs(sights.frame - sights.frame[at[piece]]) / frame_rate
        near, nearest = away <= _MEMORY_S, away <= _GLANCE_S
        velocity = _velocity(sights.frame[near], sights.place[near], piece[near], len(start))
        size = pd.Series(sights.size[nearest]).groupby(piece[nearest]).median().to_numpy(dtype=float)
        ends.append(_Ends(sights.frame[at[number]], sights.place[at[number]], velocity[number], size[number]))
    first, last = ends
    return _Pieces(number, sights.track[start[number]], (end - start)[number], worn[number], first, last)


def _velocity(frame: Integers, place: Floats, group: Integers, n_groups: int) -> Floats:
    """Return the velocity of each group by least squares, shape (n_groups, 2); the fewer sights, the nearer to 0."""
    count = np.maximum(np.bincount(group, minlength=n_groups), 1)
    time = frame - (np.bincount(group, frame, n_groups) / count)[group]
    spread = np.bincount(group, time**2, n_groups)
    along = np.stack([np.bincount(group, time * place[:, axis], n_groups) for axis in (0, 1)], axis=1)
    return np.asarray(along / np.maximum(spread, 1e-9)[:, None] * (count / (count + _FEWEST_SIGHTS - 1))[:, None])


def _candidates(solid: _Pieces, frame_rate: float) -> tuple[Integers, Integers]:
    """Return pairs of pieces, the second of which begins after the first has ended, and not too long after."""
    by_start = np.argsort(solid.first.frame, kind="stable")
    starts, ends = solid.first.frame[by_start], solid.last.frame
    low = np.searchsorted(starts, ends, "right")
    high = np.searchsorted(starts, ends + _LONGEST_ABSENCE_S * frame_rate, "right")
    first = np.repeat(np.arange(len(starts)), high - low)
    second = by_start[np.arange(len(first)) - np.repeat(np.cumsum(high - low) - (high - low), high - low) + low[first]]
    return first, second


def _costs(solid: _Pieces, first: Integers, second: Integers, frame_rate: float, picture: tuple[int, int]) -> Floats:
    """Return what it costs to take the second piece of each pair for the same person as the first."""
    left, place, velocity, size_then = (values[first] for values in solid.last)
    back, later, velocity_later, size_now = (values[second] for values in solid.first)
    absence = (back - left) / frame_rate
    size = np.sqrt(size_then * size_now)
    ahead = np.minimum(back - left, _FORESIGHT_S * frame_rate)[:, None]
    forward = np.clip(place + velocity * ahead, 0, picture)
    backward = np.clip(later - velocity_later * ahead, 0, picture)
    missed = (np.hypot(*(forward - later).T) + np.hypot(*(backward - place).T)) / 2 / size
    moved = (missed / (_NOISE + _NOISE_PER_S * absence)) ** 2
    grown = (np.log(size_now / size_then) / _GROWTH) ** 2
    few = np.minimum(solid.n_sights[first], solid.n_sights[second])
    apart = difference(solid.colours[first], solid.colours[second]) - _CLOTHES_OF_ONE_SIGHT / np.sqrt(few)
    dressed = (np.maximum(apart, 0) / np.where(absence > _MOMENT_S, _CLOTHES_LATER, _CLOTHES)) ** 2
    dressed = np.where(np.isfinite(dressed), dressed, _UNKNOWN)
    followed = solid.track[first] == solid.track[second]
    cost = sum((np.minimum(part, _MOST) for part in (moved, grown, dressed)), np.zeros(len(first)))
    cost += _ABSENCE * np.log1p(absence / _ABSENCE_S)
    turned = np.hypot(*(velocity - velocity_later).T) / size * frame_rate
    through = _FOLLOWED_THROUGH * np.exp(-((turned / _STEADY) ** 2))
    worth = np.where(absence > _longest_step(frame_rate), through, _FOLLOWED)
    cost -= np.where(followed, worth * np.exp(-absence / _FOLLOWED_S), 0.0)
    far = np.hypot(*(later - place).T) / size > _REACH + _REACH_PER_S * absence
    return np.asarray(np.where(far, np.inf, cost))


def _match(n: int, first: Integers, second: Integers, cost: Floats) -> Integers:
    """Return the successor of each of ``n`` pieces, or -1: one to one, by the least total cost."""
    # Each has a place of its own to go if it has no successor; costs are moved above zero, which means no edge.
    own = np.arange(n)
    lowest = 1 + _FOLLOWED
    weights = np.concatenate([cost, np.full(n, _DEAREST)]) + lowest
    pairs = (np.concatenate([first, own]), np.concatenate([second, n + own]))
    _, chosen = min_weight_full_bipartite_matching(csr_array((weights, pairs), shape=(n, 2 * n)))
    return np.where(chosen < n, chosen, -1).astype(np.int64)


def _unambiguous(solid: _Pieces, successor: Integers, first: Integers, second: Integers, cost: Floats) -> Integers:
    """Return the successors without those for whom somebody else, seen at the same time, would do nearly as well."""
    successor = successor.copy()
    n = len(successor)
    paid = np.full(n, np.inf)
    linked = successor[first] == second
    paid[first[linked]] = cost[linked]
    predecessor = np.full(n, -1)
    predecessor[successor[successor >= 0]] = np.flatnonzero(successor >= 0)
    unclear = np.zeros(n, bool)
    # Another who goes on after the same piece, and who follows nobody; another who ends before the same piece, and
    # whom nobody follows.
    for mine, rival, free, owner in (
        (successor[first], second, predecessor[second] < 0, first),
        (predecessor[second], first, successor[first] < 0, predecessor[second]),
    ):
        at_once = (solid.first.frame[rival] <= solid.last.frame[mine]) & (
            solid.first.frame[mine] <= solid.last.frame[rival]
        )
        as_good = cost < paid[owner] + _CLEARLY
        hit = (mine >= 0) & (owner >= 0) & (mine != rival) & free & at_once & as_good
        unclear[owner[hit]] = True
    followed = solid.track == np.where(successor >= 0, solid.track[successor], -1)
    successor[unclear & ~followed] = -1
    return successor


def _attach(sights: Sights, piece: Integers, chain: Integers, frame_rate: float) -> Integers:
    """Return the identity of each sight: small pieces stay with the chain before or after them in their track.

    Of the two with that in like clothes, and then with the nearer in time.

    What fits into neither, because the chain is seen elsewhere at that time or too far away, stays together with what
    else is left of the same track.
    """
    start = np.flatnonzero(np.diff(piece, prepend=-1))
    end = np.append(start[1:], len(piece))
    track = sights.track[start]
    label = chain.copy()
    solid = np.flatnonzero(chain >= 0)
    worn = pd.DataFrame(sights.colours).groupby(piece).median().to_numpy(dtype=float)
    options: list[tuple[bool, float, int, int]] = []
    for small in np.flatnonzero(chain < 0).tolist():
        after = int(np.searchsorted(solid, small))
        for other in solid[max(0, after - 1) : after + 1].tolist():
            if track[other] != track[small]:
                continue
            here, there = (start[small], end[other] - 1) if other < small else (end[small] - 1, start[other])
            elapsed = abs(int(sights.frame[here] - sights.frame[there])) / frame_rate
            way = float(np.hypot(*(sights.place[here] - sights.place[there]))) / float(sights.size[there])
            if elapsed <= _LONGEST_ABSENCE_S and way <= _REACH / 2 + _REACH_PER_S * elapsed:
                unlike = bool(difference(worn[small], worn[other]) >= _CHANGE)
                options.append((unlike, elapsed, small, int(chain[other])))
    by_chain = np.argsort(chain, kind="stable")
    taken: dict[int, set[int]] = {}
    for _, _, small, number in sorted(options):
        if label[small] >= 0:
            continue
        mine = set(sights.frame[start[small] : end[small]].tolist())
        if number not in taken:
            parts = by_chain[slice(*np.searchsorted(chain[by_chain], [number, number + 1]))]
            taken[number] = {frame for part in parts for frame in sights.frame[start[part] : end[part]].tolist()}
        if taken[number].isdisjoint(mine):
            label[small] = number
            taken[number] |= mine
    left = label < 0
    label[left] = len(chain) + track[left]
    identity = label[piece]
    begins = pd.DataFrame({"label": identity, "track": sights.track, "frame": sights.frame})
    begins = begins.sort_values(["frame", "track"], kind="stable").drop_duplicates("label")
    linked = np.unique(track[chain >= 0])
    begins["left"] = (begins["label"] >= len(chain)) & begins["track"].isin(linked)
    ranked = begins.sort_values(["left", "track", "frame"], kind="stable")["label"].to_numpy()
    return np.argsort(ranked, kind="stable")[np.searchsorted(np.sort(ranked), identity)]
