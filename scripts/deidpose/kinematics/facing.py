"""Find which way each person faces over time.

The direction decides by which convention an angle is measured.
"""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import ndimage

from deidpose.errors import UserError
from deidpose.keypoints import Poses, pick, torso_lengths
from deidpose.skeleton import INDEX

_Array: TypeAlias = NDArray[np.float64]
_Average: TypeAlias = Callable[[_Array, _Array], tuple[_Array, _Array]]

#: Columns of a table of directions: every frame of a person lies in one section, both ends included.
DIRECTIONS: tuple[str, ...] = ("person", "first_frame", "last_frame", "direction")

#: Lengths in a person seen from the side or from the front, in torso lengths (Neck to MidHip): heel to big toe, and the
#: widths of the shoulders and of the hips. Our choice: at the lower end of what pose networks give in the demo clips,
#: so that a person who faces the camera has the full width with raised arms too.
_FOOT, _SHOULDERS, _HIPS = 0.45, 0.65, 0.35
#: Length of the upper arm in torso lengths, for people whose trunk is never seen: 0.186 and 0.288 of the height
#: (Drillis and Contini, in Winter 2009, Biomechanics and Motor Control of Human Movement, figure 4.1).
_ARM = 0.186 / 0.288
#: An offset of the knee (elbow) from the straight line through its neighbours of so much of a torso length is full
#: evidence for the side that the person faces.
_BENT = 0.2
#: A person is seen from the side if turned from that by less than the first, in degrees, and from the front or the
#: back if turned by more than the second. In between, the nearest clear frame decides on that. Our choice: above the
#: middle between side and front, since Sports2D takes everybody for seen from the side by itself.
_SIDE, _FLAT = 50.0, 65.0
#: Sideways evidence, from -1 to 1, that decides about right or left.
_DECIDED = 0.15
#: Evidence that weighs less than this, on average over time, is none.
_KNOWN = 0.05
#: Evidence is averaged with a Gaussian of this standard deviation, in seconds; a step in gait takes half a second.
_STEADY_S = 0.25
#: A direction that lasts less than this, in seconds, is none.
_SHORTEST_S = 0.5


def find_directions(body: Poses) -> pd.DataFrame:
    """Find which way each person faces over time.

    Sports2D asks in every frame whether the toes lie to the right of the heels. That flickers where the feet are
    hidden or point at the camera, so here more is asked, and averaged over time: on which side the toes lie of the
    heels, on which side the knees lie of the line from hip to ankle and the elbows of that from shoulder to wrist
    (knees bend forward, elbows backward), and how wide the shoulders and the hips are against the torso. Keypoints of
    the head have no say: masks hide them, and the direction must not depend on the mask.

    The torso is Neck to MidHip. Someone whose feet and shoulders tell that they are turned by more than `_FLAT`
    degrees from a side view is seen from the front, or from the back if the left shoulder lies left of the right one.

    Parameters
    ----------
    body : Poses
        The table ``keypoints`` of one video.

    Returns
    -------
    DataFrame
        Columns `DIRECTIONS`, sorted; ``direction`` is right, left, front or back. A person who gives no evidence
        at all faces right, as in Sports2D.
    """
    torso = torso_lengths(body)
    found = []
    for person in np.unique(body.person):
        rows = np.flatnonzero(body.person == person)
        facing = _facing(body.position[rows], torso[rows], body.time_s[rows])
        found.append(_sections(np.full(len(rows), person), body.frame[rows], facing))
    return pd.concat(found, ignore_index=True) if found else _sections(body.person, body.frame, np.empty(0, object))


def carry_directions(directions: pd.DataFrame, matches: pd.DataFrame, body: Poses) -> pd.DataFrame:
    """Give the people of a method the directions of those whom they match in the original.

    A method must not change an angle by changing the convention it is measured by: the direction that a person
    faces is decided once, in the original.

    Parameters
    ----------
    directions : DataFrame
        What `find_directions` returns for the original.
    matches : DataFrame
        Sections of one method: ``person`` of the original, ``method_person``, ``first_frame``, ``last_frame``.
    body : Poses
        The table ``keypoints`` of the method.

    Returns
    -------
    DataFrame
        Columns `DIRECTIONS` for every person of the method. Outside the sections of a person's matches, the nearest
        section counts; people who match nobody have directions of their own, from `find_directions`.
    """
    matched = np.isin(body.person, matches["method_person"].to_numpy(np.int64))
    carried = []
    for method_person in np.unique(body.person[matched]):
        frames = body.frame[body.person == method_person]
        sections = matches[matches["method_person"] == method_person].sort_values("first_frame")
        section = _nearest(
            sections["first_frame"].to_numpy(np.int64), sections["last_frame"].to_numpy(np.int64), frames
        )
        originals = sections["person"].to_numpy(np.int64)[section]
        facing = direction_at(directions, originals, frames)
        carried.append(_sections(np.full(len(frames), method_person), frames, facing))
    carried.append(find_directions(pick(body, ~matched)))
    return pd.concat(carried, ignore_index=True).sort_values(["person", "first_frame"], ignore_index=True)


def _nearest(first: NDArray[np.int64], last: NDArray[np.int64], frames: NDArray[np.int64]) -> NDArray[np.intp]:
    """Return the index of the section [first, last], sorted and apart, that each frame is in or nearest to."""
    before = np.clip(np.searchsorted(first, frames, side="right") - 1, 0, None)
    after = np.minimum(before + 1, len(first) - 1)
    closer = np.abs(first[after] - frames) < np.maximum(frames - last[before], 0)
    return np.where(closer, after, before)


def direction_at(directions: pd.DataFrame, person: NDArray[np.int64], frame: NDArray[np.int64]) -> NDArray[np.object_]:
    """Return the direction of each person in each frame, shape (n,): of the section it is in or nearest to."""
    result = np.empty(len(person), object)
    for number in np.unique(person):
        sections = directions[directions["person"] == number].sort_values("first_frame")
        if sections.empty:
            raise UserError("The directions do not hold everybody in the keypoints table; run joint_angles again.")
        rows = person == number
        section = _nearest(
            sections["first_frame"].to_numpy(np.int64), sections["last_frame"].to_numpy(np.int64), frame[rows]
        )
        result[rows] = sections["direction"].to_numpy(object)[section]
    return result


def _sections(person: NDArray[np.int64], frame: NDArray[np.int64], facing: NDArray[np.object_]) -> pd.DataFrame:
    """Return the runs of equal directions of one person as a table with the columns `DIRECTIONS`."""
    start = np.flatnonzero(np.r_[True, facing[1:] != facing[:-1]]) if len(facing) else np.empty(0, np.intp)
    stop = np.r_[start[1:], len(facing)][: len(start)] - 1
    values = (person[start], frame[start], frame[stop], facing[start].astype(str))
    return pd.DataFrame(dict(zip(DIRECTIONS, values, strict=True)))


def _facing(
    position: NDArray[np.float64], torso: NDArray[np.float64], time_s: NDArray[np.float64]
) -> NDArray[np.object_]:
    """Return the direction of one person in each frame, shape (n,), from positions of shape (n, 27, 2)."""
    steps = np.diff(time_s)
    step = float(np.median(steps[steps > 0])) if (steps > 0).any() else 1.0
    # Evidence is averaged over time, not over frames: a person who was away comes back with evidence of their own.
    slot = np.round((time_s - time_s[0]) / step).astype(np.int64)

    def average(value: _Array, weight: _Array) -> tuple[_Array, _Array]:
        known = np.isfinite(value) & (weight > 0)
        total, weights, sigma = np.zeros(slot[-1] + 1), np.zeros(slot[-1] + 1), _STEADY_S / step
        np.add.at(total, slot[known], (value * weight)[known])
        np.add.at(weights, slot[known], weight[known])
        total, weights = (ndimage.gaussian_filter1d(part, sigma, mode="constant")[slot] for part in (total, weights))
        return np.divide(total, weights, out=np.zeros(len(slot)), where=weights > 1e-6), weights

    def place(name: str) -> NDArray[np.float64]:
        return position[:, INDEX[name]]

    ones = np.ones(len(time_s))
    if not np.isfinite(place("Neck") + place("MidHip")).any():
        # Seen from the waist up: the longest that the arms look is nearest to how long they are.
        arms = [np.linalg.norm(place(f"{side}Elbow") - place(f"{side}Shoulder"), axis=1) for side in "LR"]
        if np.isfinite(arms).any():
            torso = np.full(len(time_s), np.nanpercentile(arms, 95) / _ARM)
    size, _ = average(torso, ones)
    size = np.where(size > 0, size, np.nan)
    feet = [(place(f"{side}BigToe")[:, 0] - place(f"{side}Heel")[:, 0]) / size / _FOOT for side in "LR"]
    bends = [
        sign * _offset(place(side + first), place(side + joint), place(side + last)) / size / _BENT
        for sign, first, joint, last in ((1, "Hip", "Knee", "Ankle"), (-1, "Shoulder", "Elbow", "Wrist"))
        for side in "LR"
    ]
    parts = [np.clip(part, -1, 1) for part in (*feet, *bends)]
    # Elbows count half: an arm that crosses the body or is lifted sideways seems to bend either way.
    shares = [*(ones, ones), *(share * np.abs(part) for share, part in zip((1, 1, 0.5, 0.5), parts[2:], strict=True))]
    sideways, sideways_known = _together(parts, shares, average)
    along, feet_known = _together(parts[:2], [ones, ones], average)
    across = [
        (place(f"L{part}")[:, 0] - place(f"R{part}")[:, 0]) / size / full
        for part, full in (("Shoulder", _SHOULDERS), ("Hip", _HIPS))
    ]
    wide, wide_known = _together([np.clip(part, -1, 1) for part in across], [ones, 0.5 * ones], average)
    # Where the feet are not seen, the width alone tells how far the person is turned.
    along = np.where(feet_known > _KNOWN, np.abs(along), np.sqrt(np.maximum(1 - wide**2, 0)))
    turned = np.where(wide_known > _KNOWN, np.degrees(np.arctan2(np.abs(wide), along)), 0.0)
    view = np.full(len(time_s), "", object)
    view[turned > _FLAT] = "flat"
    view[turned < _SIDE] = "side"
    flat = _settled(view, time_s, "side") == "flat"
    clear = np.full(len(time_s), "", object)
    clear[flat & (wide > 0)] = "front"
    clear[flat & (wide < 0)] = "back"
    decidable = ~flat & (sideways_known > _KNOWN)
    clear[decidable & (sideways > _DECIDED)] = "right"
    clear[decidable & (sideways < -_DECIDED)] = "left"
    return _settled(clear, time_s, "right")


def _together(parts: list[_Array], shares: list[_Array], average: _Average) -> tuple[_Array, _Array]:
    """Return the weighted mean of several kinds of evidence, averaged over time, and its weight; shapes (n,)."""
    values, given = np.stack(parts), np.stack(shares)
    given = np.where(np.isfinite(values) & np.isfinite(given), given, 0.0)
    weight = given.sum(axis=0)
    total = (np.nan_to_num(values) * given).sum(axis=0)
    return average(np.divide(total, weight, out=np.zeros(len(weight)), where=weight > 0), weight)


def _offset(first: NDArray[np.float64], joint: NDArray[np.float64], last: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how far a joint lies to the front of the line from first to last in somebody who faces right, in px.

    All have the shape (n, 2). In the picture, y points down: seen along the line, in front is on the left.
    """
    line = last - first
    length = np.linalg.norm(line, axis=1)
    cross = line[:, 1] * (joint - first)[:, 0] - line[:, 0] * (joint - first)[:, 1]
    return np.asarray(np.divide(cross, length, out=np.full(len(cross), np.nan), where=length > 0))


def _settled(clear: NDArray[np.object_], time_s: NDArray[np.float64], otherwise: str) -> NDArray[np.object_]:
    """Return a word for every frame, shape (n,), where some frames have none ("") because nothing is clear.

    A word that lasts too short does not count; frames without one get that of the nearest in time. Where none has
    one, all get ``otherwise``.
    """
    if not (clear != "").any():
        return np.full(len(clear), otherwise, object)
    while True:
        known = np.flatnonzero(clear != "")
        after = np.minimum(np.searchsorted(known, np.arange(len(clear))), len(known) - 1)
        before = np.maximum(after - 1, 0)
        left, right = known[before], known[after]
        nearer = np.abs(time_s - time_s[left]) < np.abs(time_s[right] - time_s)
        settled = clear[np.where(nearer, left, right)]
        start = np.flatnonzero(np.r_[True, settled[1:] != settled[:-1]])
        lasting = np.diff(np.r_[time_s[start], time_s[-1]])
        # The shortest go first, and what was on either side of them may then be long enough.
        shorter = (
            (lasting < _SHORTEST_S) & (lasting < np.r_[np.inf, lasting[:-1]]) & (lasting <= np.r_[lasting[1:], np.inf])
        )
        if len(start) == 1 or not shorter.any():
            return settled
        clear = np.where(np.repeat(shorter, np.diff(np.r_[start, len(clear)])), "", settled)
