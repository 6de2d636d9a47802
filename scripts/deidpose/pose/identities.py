"""Who is who: fragments of what a pose network has followed, linked into one identity a person.

A network that follows bodies by their place alone confuses people who meet, and gives a new number to whoever comes
back. Here what has been followed is cut wherever it may have changed bodies, and the pieces are linked anew over a
whole shot: one successor for each at most, by the least total cost (Zhang, Li and Nevatia 2008, CVPR, doi
10.1109/CVPR.2008.4587584, with pairs in place of flows), from how they move, how large they are and what they wear.

Nothing is dropped and nothing is added: only numbers change. Heads say nothing here, because they are masked in the
copies, where everybody should be who they are in the original. Of each sight a few numbers are kept, no picture.
"""

from typing import NamedTuple

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import min_weight_full_bipartite_matching

from deidpose.skeleton import INDEX

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]

# ------------------------------------------------------------------------------------------------------ what is worn

#: Where clothes are looked at: on the trunk from shoulder to shoulder and down to the hips, as shares of both (the
#: collar is left out: it is under the mask of the face), and along the thighs and shanks.
_ACROSS, _DOWN = (axis.ravel() for axis in np.meshgrid((0.2, 0.35, 0.5, 0.65, 0.8), np.linspace(0.25, 0.95, 6)))
_ALONG = np.array([0.2, 0.4, 0.6, 0.8])
_TRUNK = [INDEX[name] for name in ("LShoulder", "RShoulder", "LHip", "RHip")]
_LEGS = [[INDEX[side + joint] for joint in ("Hip", "Knee", "Ankle")] for side in "LR"]
#: Of the trunk or the legs, fewer points than this in the picture say nothing.
_FEWEST_POINTS = 6
_QUARTILES = (0.25, 0.5, 0.75)
#: Numbers that describe what somebody wears: three quartiles of three channels, of the trunk and of the legs.
N_COLOURS = 2 * len(_QUARTILES) * 3
#: Light and shadow change the lightness of a coat more than its hue.
_WEIGHTS = np.tile([0.5, 1.0, 1.0], N_COLOURS // 3)


def colours(picture: NDArray[np.uint8], body: Floats) -> NDArray[np.float32]:
    """Return the colours that somebody wears.

    Parameters
    ----------
    picture : array, shape (height, width, 3)
        Blue-green-red.
    body : array, shape (25 or more, 2)
        Their keypoints in the order of `skeleton.KEYPOINTS`, in pixels.

    Returns
    -------
    array, shape (18,)
        For the trunk and for the legs the quartiles of CIE L*a*b* (L* 0..100), channels last; NaN for a part that is
        not in the picture.
    """
    left, right, left_hip, right_hip = body[_TRUNK, None, :]
    across, down = _ACROSS[:, None], _DOWN[:, None]
    trunk = (1 - down) * ((1 - across) * left + across * right)
    trunk += down * ((1 - across) * left_hip + across * right_hip)
    joints = body[np.array(_LEGS)]
    legs = joints[:, :-1, None] + _ALONG[:, None] * (joints[:, 1:] - joints[:, :-1])[:, :, None]
    described = np.full((2, len(_QUARTILES), 3), np.nan, np.float32)
    for part, points in enumerate((trunk, legs.reshape(-1, 2))):
        inside = np.isfinite(points).all(axis=1) & (points >= 0).all(axis=1)
        inside &= (points < picture.shape[1::-1]).all(axis=1)
        if inside.sum() < _FEWEST_POINTS:
            continue
        column, row = points[inside].astype(int).T
        lab = cv2.cvtColor(picture[row, column][None].astype(np.float32) / 255, cv2.COLOR_BGR2LAB)[0]
        described[part] = np.quantile(lab, _QUARTILES, axis=0)
    return described.ravel()


# ---------------------------------------------------------------------------------------------------------- identities


class Sights(NamedTuple):
    """What a network has followed in one shot, in any order; n sights, of one body in one frame each."""

    track: Integers  # shape (n,), the number under which the network followed the body
    frame: Integers  # shape (n,)
    place: Floats  # shape (n, 2), px, middle of the trunk
    size: Floats  # shape (n,), px, side of the square around the body: somewhat more than its height
    colours: Floats  # shape (n, 18), from `colours`


#: Two people meet where the middles of their trunks are closer than this share of the larger one's size.
_MEETING = 0.15
#: ... and are beside each other where they are closer than this.
_BESIDE = 0.3
#: What is followed is cut after a gap longer than this, ...
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
        which they begin: where nobody is confused, in the order of the tracks.
    """
    if not len(sights.frame):
        return np.empty(0, np.int64)
    order = np.lexsort((sights.frame, sights.track))
    ordered = Sights(*(np.asarray(values)[order] for values in sights))
    pairs = _pairs(ordered)
    meeting = np.zeros(len(order), bool)
    meeting[pairs[0][pairs[2] < _MEETING]] = True
    piece = _pieces(ordered, meeting, pairs, frame_rate)
    chain = _chains(ordered, meeting, piece, frame_rate, picture)
    identity = np.empty(len(order), np.int64)
    identity[order] = _attach(ordered, piece, chain, frame_rate)
    return identity


def _pairs(sights: Sights) -> tuple[Integers, Integers, Floats]:
    """Return all pairs of sights in one frame, in both orders, and their distance over the size of the larger."""
    order = np.lexsort((sights.track, sights.frame))
    frame = sights.frame[order]
    one, other = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for apart in range(1, len(order)):
        together = frame[:-apart] == frame[apart:]
        if not together.any():
            break
        one += [order[:-apart][together], order[apart:][together]]
        other += [order[apart:][together], order[:-apart][together]]
    first, second = np.concatenate(one), np.concatenate(other)
    way = np.hypot(*(sights.place[first] - sights.place[second]).T)
    return first, second, way / np.maximum(sights.size[first], sights.size[second])


def _pieces(
    sights: Sights, meeting: Booleans, pairs: tuple[Integers, Integers, Floats], frame_rate: float
) -> Integers:
    """Return the number of the piece that each sight is in, from 0, shape (n,): within a piece is one body."""
    new = np.ones(len(sights.frame), bool)
    elapsed = np.diff(sights.frame) / frame_rate
    way = np.hypot(*np.diff(sights.place, axis=0).T) / np.maximum(sights.size[1:], sights.size[:-1])
    new[1:] = np.diff(sights.track) != 0
    start = np.flatnonzero(new)
    new[1:] |= elapsed > max(_LONGEST_STEP_S, 1.5 / frame_rate)
    begins, ends = new.copy(), np.append(new[1:], True)
    new[1:] |= way > _JUMP + _FASTEST * elapsed
    new[1:] |= meeting[:-1] & ~meeting[1:]  # they part again
    new |= _changes(sights, start, frame_rate)
    # Where one begins or ends beside another, either may be the other.
    one, other, way = (values[pairs[2] < _BESIDE] for values in pairs)
    new[other[begins[one]]] = True
    after = other[ends[one]] + 1
    new[after[after < len(new)]] = True
    return np.cumsum(new) - 1


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
        change[first:end] = np.nan_to_num(_difference(before, turned.mean().to_numpy()[::-1]))
    # Where it is greatest within a window.
    highest = pd.Series(change).rolling(window + 1 - window % 2, center=True, min_periods=1).max().to_numpy()
    found = (change >= _CHANGE) & (change == highest)
    found[1:] &= ~found[:-1]
    return np.asarray(found)


def _difference(first: Floats, second: Floats) -> Floats:
    """Return by how much clothes differ in L*a*b*, over the last axis; NaN where no part is known of both."""
    apart = np.abs(first - second) * _WEIGHTS
    known = np.isfinite(apart)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(known, apart, 0.0).sum(axis=-1) / known.sum(axis=-1))


# ---------------------------------------------------------------------------------------------------------------- links


class _Pieces(NamedTuple):
    """Pieces with enough sights, by number; time in frames, lengths in px, velocity in px a frame."""

    number: Integers
    track: Integers
    first: Integers  # frames
    last: Integers
    begin: tuple[Integers, Floats, Floats]  # frame, place and velocity of the first sight that meets nobody
    end: tuple[Integers, Floats, Floats]  # ... and of the last
    size_first: Floats  # px, at the beginning
    size_last: Floats
    colours: Floats
    n_sights: Integers


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
    for earlier in np.argsort(solid.first, kind="stable"):
        if successor[earlier] >= 0:
            label[successor[earlier]] = label[earlier]
    chain[solid.number] = label
    return chain


def _describe(sights: Sights, meeting: Booleans, piece: Integers, frame_rate: float) -> _Pieces:
    count = np.bincount(piece)
    start = np.concatenate([[0], np.cumsum(count)[:-1]])
    number = np.flatnonzero(count >= _FEWEST_SIGHTS)
    # Sights that meet nobody tell; where there are too few of them, all do.
    clean = ~meeting
    clean |= (np.bincount(piece, clean, len(count)) < _FEWEST_SIGHTS)[piece]
    table = pd.DataFrame(sights.colours[clean]).groupby(piece[clean])
    worn = table.median().reindex(number).to_numpy()
    reach = _MEMORY_S * frame_rate
    ends = []
    for last in (False, True):
        rows = np.flatnonzero(clean)
        at = rows[(np.searchsorted(piece[rows], number, "right") - 1) if last else np.searchsorted(piece[rows], number)]
        anchor = np.full(len(count), -1)
        anchor[number] = at
        near = clean & (anchor[piece] >= 0)
        near &= np.abs(sights.frame - sights.frame[anchor[piece]]) <= reach
        velocity = _velocity(sights.frame[near], sights.place[near], piece[near], len(count))[number]
        near &= np.abs(sights.frame - sights.frame[anchor[piece]]) <= _GLANCE_S * frame_rate
        size = pd.Series(sights.size[near]).groupby(piece[near]).median().loc[number].to_numpy()
        ends.append((sights.frame[at], sights.place[at], velocity, size))
    begin, end = ends
    return _Pieces(
        number,
        sights.track[start[number]],
        sights.frame[start[number]],
        sights.frame[start[number] + count[number] - 1],
        begin[:3],
        end[:3],
        begin[3],
        end[3],
        worn,
        count[number],
    )


def _velocity(frame: Integers, place: Floats, group: Integers, n_groups: int) -> Floats:
    """Return the velocity of each group by least squares, shape (n_groups, 2); the fewer sights, the nearer to 0."""
    count = np.maximum(np.bincount(group, minlength=n_groups), 1)
    time = frame - (np.bincount(group, frame, n_groups) / count)[group]
    spread = np.bincount(group, time**2, n_groups)
    along = np.stack([np.bincount(group, time * place[:, axis], n_groups) for axis in (0, 1)], axis=1)
    return np.asarray(along / np.maximum(spread, 1e-9)[:, None] * (count / (count + _FEWEST_SIGHTS - 1))[:, None])


def _candidates(solid: _Pieces, frame_rate: float) -> tuple[Integers, Integers]:
    """Return pairs of pieces, the second of which begins after the first has ended, and not too long after."""
    by_start = np.argsort(solid.first, kind="stable")
    starts = solid.first[by_start]
    low = np.searchsorted(starts, solid.last, "right")
    high = np.searchsorted(starts, solid.last + _LONGEST_ABSENCE_S * frame_rate, "right")
    first = np.repeat(np.arange(len(starts)), high - low)
    second = by_start[np.arange(len(first)) - np.repeat(np.cumsum(high - low) - (high - low), high - low) + low[first]]
    return first, second


def _costs(
    solid: _Pieces, first: Integers, second: Integers, frame_rate: float, picture: tuple[int, int]
) -> Floats:
    """Return what it costs to take the second piece of each pair for the same person as the first."""
    absence = (solid.first[second] - solid.last[first]) / frame_rate
    size = np.sqrt(solid.size_last[first] * solid.size_first[second])
    (left, place, velocity), (back, later, velocity_later) = (
        [values[pairs] for values in ends] for ends, pairs in ((solid.end, first), (solid.begin, second))
    )
    elapsed = (back - left) / frame_rate
    ahead = np.minimum(back - left, _FORESIGHT_S * frame_rate)[:, None]
    forward, backward = (np.clip(there, 0, picture) for there in (place + velocity * ahead, later - velocity_later * ahead))
    missed = np.hypot(*(forward - later).T) + np.hypot(*(backward - place).T)
    moved = (missed / 2 / size / (_NOISE + _NOISE_PER_S * elapsed)) ** 2
    grown = (np.log(solid.size_first[second] / solid.size_last[first]) / _GROWTH) ** 2
    few = np.minimum(solid.n_sights[first], solid.n_sights[second])
    apart = _difference(solid.colours[first], solid.colours[second]) - _CLOTHES_OF_ONE_SIGHT / np.sqrt(few)
    dressed = (np.maximum(apart, 0) / np.where(absence > _MOMENT_S, _CLOTHES_LATER, _CLOTHES)) ** 2
    dressed = np.where(np.isfinite(dressed), dressed, _UNKNOWN)
    followed = solid.track[first] == solid.track[second]
    cost = sum((np.minimum(part, _MOST) for part in (moved, grown, dressed)), np.zeros(len(first)))
    cost += _ABSENCE * np.log1p(absence / _ABSENCE_S)
    cost -= np.where(followed, _FOLLOWED * np.exp(-absence / _FOLLOWED_S), 0.0)
    far = np.hypot(*(later - place).T) / size > _REACH + _REACH_PER_S * elapsed
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


def _unambiguous(
    solid: _Pieces, successor: Integers, first: Integers, second: Integers, cost: Floats
) -> Integers:
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
        at_once = (solid.first[rival] <= solid.last[mine]) & (solid.first[mine] <= solid.last[rival])
        as_good = cost < paid[owner] + _CLEARLY
        hit = (mine >= 0) & (owner >= 0) & (mine != rival) & free & at_once & as_good
        unclear[owner[hit]] = True
    followed = solid.track == np.where(successor >= 0, solid.track[successor], -1)
    successor[unclear & ~followed] = -1
    return successor


# -------------------------------------------------------------------------------------------------------- what is left


def _attach(sights: Sights, piece: Integers, chain: Integers, frame_rate: float) -> Integers:
    """Return the identity of each sight: small pieces stay with the chain before or after them in their track.

    What fits into neither, because the chain is seen elsewhere at that time or too far away, stays together with what
    else is left of the same track.
    """
    start = np.flatnonzero(np.diff(piece, prepend=-1))
    end = np.append(start[1:], len(piece))
    track = sights.track[start]
    label = chain.copy()
    solid = np.flatnonzero(chain >= 0)
    options: list[tuple[float, int, int]] = []
    for small in np.flatnonzero(chain < 0).tolist():
        after = int(np.searchsorted(solid, small))
        for other in solid[max(0, after - 1) : after + 1].tolist():
            if track[other] != track[small]:
                continue
            here, there = (start[small], end[other] - 1) if other < small else (end[small] - 1, start[other])
            elapsed = abs(int(sights.frame[here] - sights.frame[there])) / frame_rate
            way = float(np.hypot(*(sights.place[here] - sights.place[there]))) / float(sights.size[there])
            if elapsed <= _LONGEST_ABSENCE_S and way <= _REACH / 2 + _REACH_PER_S * elapsed:
                options.append((elapsed, small, int(chain[other])))
    taken: dict[int, set[int]] = {}
    for _, small, number in sorted(options):
        if label[small] >= 0:
            continue
        mine = set(sights.frame[start[small] : end[small]].tolist())
        if number not in taken:
            parts = np.flatnonzero(chain == number)
            taken[number] = {frame for part in parts for frame in sights.frame[start[part] : end[part]].tolist()}
        if taken[number].isdisjoint(mine):
            label[small] = number
            taken[number] |= mine
    left = label < 0
    label[left] = len(chain) + track[left]
    identity = label[piece]
    begins = pd.DataFrame({"label": identity, "track": sights.track, "frame": sights.frame})
    begins = begins.sort_values(["frame", "track"], kind="stable").drop_duplicates("label")
    ranked = begins.sort_values(["track", "frame"], kind="stable")["label"].to_numpy()
    return np.asarray(pd.Series(np.arange(len(ranked)), index=ranked).loc[identity], dtype=np.int64)
