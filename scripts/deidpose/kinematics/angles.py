"""Joint and segment angles in the picture plane, from BODY_25 keypoints, with the conventions of Sports2D.

Every angle is that of Sports2D 0.8.34 (Pagnon and Kim 2024, Journal of Open Source Software 9:6849; its definitions
are those of Pose2Sim 0.10.49). All are two-dimensional: they equal the anatomical angle only as far as the movement
lies in the picture plane. They are stated for somebody who is seen from the side and faces the right of the picture.

Joint angles, 0 deg in somebody standing upright with the arms hanging and the feet flat, positive in flexion:

- knee: between the thigh and the shank, 0 deg when straight, positive with the heel behind;
- hip: between the thigh and the trunk (Neck to MidHip), positive with the knee in front;
- ankle: dorsiflexion, 90 deg less than the angle between the shank and the foot (heel to big toe), positive with the
  toes up;
- shoulder: between the upper arm and the trunk, positive with the elbow in front, 180 deg with the arm up;
- elbow: between the upper arm and the forearm, 0 deg when straight, positive with the wrist in front;
- wrist: between the forearm and the hand (wrist to the knuckle of the index finger), 0 deg when straight, positive
  with the knuckle in front.

Segment angles are measured from the horizontal, 0 deg pointing forward (to the right), positive counterclockwise: a
foot flat on the floor has 0 deg, a leg that somebody stands on -90 deg, an upright trunk 90 deg. The segments point
from the heel to the big toe (foot), from the knee to the ankle (shank), from the hip to the knee (thigh), from MidHip
to Neck (trunk), from Neck to the head, from the shoulder to the elbow (arm), from the elbow to the wrist (forearm) and
from the wrist to the knuckle of the index finger (hand). Pelvis and shoulders are lines between right and left without
a direction, from -90 to 90 deg.

Somebody who faces the left of the picture is mirrored first, so that flexion is positive again. Of somebody who faces
the camera the keypoints of the right side are mirrored, of somebody seen from behind those of the left side, so that
what moves outward counts as moving forward: shoulder abduction is positive.

What differs from Sports2D, and why:

- Sports2D 0.8.34 lists the keypoints of the left wrist in another order than those of the right wrist, apparently a
  slip; here the left wrist is defined as the right one.
- Sports2D knows no head angle for BODY_25, which has no keypoint at the top of the head. Here the middle of both ears
  takes its place, or the ear that is seen: of the keypoints of BODY_25 it lies closest to the line from the neck to
  the top of the head.
- In front and back views the picture does not tell whether a knee or an elbow is bent or overstretched, only whether
  the limb points inward or outward. Sports2D gives the angle the sign of that; here it is positive, since these joints
  bend one way. The thighs, shanks, arms and forearms keep the sign.
- In front and back views Sports2D mirrors one end of the pelvis and of the line of the shoulders, about the left edge
  of the picture. These two are not mirrored here.
- Sports2D decides on right or left in every frame and leaves front and back to its user, see `facing.find_directions`.
- Sports2D continues its angles in steps of 180 deg, which hides that an angle has changed its sign, see `joint_angles`.
- Where two keypoints that span a vector coincide, there is no angle; Sports2D has 0 deg.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import ndimage

from deidpose import tables
from deidpose.keypoints import Poses, keys, one_after_another, parts, places
from deidpose.kinematics.facing import direction_at
from deidpose.skeleton import INDEX, KEYPOINTS


class Angle(NamedTuple):
    """One angle: degrees = ``sign`` x (angle + ``offset``).

    With two points, the angle is that of the vector from the second to the first against the horizontal; with three,
    that at the second point from the third to the first; with four, that from the vector (third to fourth) to the
    vector (first to second). Angles run from the x axis to the y axis of the picture, which points down.
    """

    points: tuple[str, ...]  # keypoint names; Head stands for the middle of the ears
    offset: float  # deg
    sign: int
    middle: float  # deg; the middle of the whole turn in which the angle is expressed
    turn: float = 360.0  # deg; after how much the angle is the same again: 180 for a line without a direction


#: The joint angles, left knee and left elbow first, here and in every summary: they were the two angles of the
#: one-video prototype that this workflow replaces.
JOINTS: tuple[str, ...] = (
    "left_knee", "left_elbow", "right_knee", "right_elbow", "left_hip", "right_hip", "left_ankle", "right_ankle",
    "left_shoulder", "right_shoulder", "left_wrist", "right_wrist",
)  # fmt: skip

#: The segment angles, against the horizontal.
SEGMENTS: tuple[str, ...] = (
    "trunk", "pelvis", "shoulders", "head", "left_thigh", "right_thigh", "left_shank", "right_shank", "left_foot",
    "right_foot", "left_arm", "right_arm", "left_forearm", "right_forearm", "left_hand", "right_hand",
)  # fmt: skip

#: Definitions from Sports2D (``angle_dict``); of what there is on both sides, those of the right. The middles are
#: ours: half a turn from them lies where no joint gets, and segments only when somebody is upside down.
_DEFINITIONS: dict[str, Angle] = {
    "knee": Angle(("RAnkle", "RKnee", "RHip"), -180.0, 1, 60.0),
    "elbow": Angle(("RWrist", "RElbow", "RShoulder"), 180.0, -1, 60.0),
    "hip": Angle(("RKnee", "RHip", "MidHip", "Neck"), 0.0, -1, 45.0),
    "ankle": Angle(("RKnee", "RAnkle", "RBigToe", "RHeel"), 90.0, 1, 0.0),
    "shoulder": Angle(("RElbow", "RShoulder", "MidHip", "Neck"), 0.0, -1, 60.0),
    # Sports2D has LElbow, LIndex, LWrist on the left, see above.
    "wrist": Angle(("RElbow", "RWrist", "RIndex"), -180.0, 1, 0.0),
    "trunk": Angle(("Neck", "MidHip"), 0.0, -1, 90.0),
    "pelvis": Angle(("LHip", "RHip"), 0.0, -1, 0.0, 180.0),
    "shoulders": Angle(("LShoulder", "RShoulder"), 0.0, -1, 0.0, 180.0),
    "head": Angle(("Head", "Neck"), 0.0, -1, 90.0),
    "thigh": Angle(("RKnee", "RHip"), 0.0, -1, -90.0),
    "shank": Angle(("RAnkle", "RKnee"), 0.0, -1, -90.0),
    "foot": Angle(("RBigToe", "RHeel"), 0.0, -1, -45.0),
    "arm": Angle(("RElbow", "RShoulder"), 0.0, -1, 0.0),
    "forearm": Angle(("RWrist", "RElbow"), 0.0, -1, 0.0),
    "hand": Angle(("RIndex", "RWrist"), 0.0, -1, 0.0),
}


def _defined(name: str) -> Angle:
    """Return the definition of one angle of `JOINTS` or `SEGMENTS`."""
    side, _, part = name.rpartition("_")
    right = _DEFINITIONS[part]
    if side != "left":
        return right
    return right._replace(points=tuple("L" + point[1:] if point[0] == "R" else point for point in right.points))


#: Angle name -> definition.
ANGLES: dict[str, Angle] = {name: _defined(name) for name in (*JOINTS, *SEGMENTS)}

#: The keypoints of `KEYPOINTS`, and the head.
_POINTS: dict[str, int] = INDEX | {"Head": len(KEYPOINTS)}
#: Lines between the two sides of the body.
_CROSSWISE = ("pelvis", "shoulders")
#: Joints that bend one way only.
_HINGES = ("knee", "elbow")
#: Direction -> first letter of the keypoints that are mirrored; "" for all of them.
_MIRRORED = {"left": "", "front": "R", "back": "L"}

#: Longer than this, in seconds, without an angle, and it is not known how it went on. Our choice.
_LONG_HOLE_S = 1.0
#: A keypoint that jumps away for up to half of so many frames does not decide how an angle goes on.
_STEADY_FRAMES = 5


class Angles(NamedTuple):
    """The table ``angles`` as arrays, one row for each frame and person, in that order."""

    frame: NDArray[np.int64]  # shape (n,)
    time_s: NDArray[np.float64]  # shape (n,), s
    person: NDArray[np.int64]  # shape (n,)
    degrees: NDArray[np.float64]  # shape (n, 28), in the order of `ANGLES`; NaN where there is none
    degrees_filtered: NDArray[np.float64]  # shape (n, 28); NaN where there is none
    confidence: NDArray[np.float64]  # shape (n, 28), 0..1; NaN where there is none
    direction: NDArray[np.object_]  # shape (n,), which way the person faces

    @property
    def is_filtered(self) -> bool:
        """Whether any angle has been post-processed."""
        return bool(np.isfinite(self.degrees_filtered).any())


def angle_arrays(angles: pd.DataFrame) -> Angles:
    """Turn the long table ``angles``, its rows in any order, into arrays.

    Raises
    ------
    UserError
        An angle is not one of `ANGLES`, or stands in the table twice for the same frame and person.
    """
    first, row, column = places(angles, "angle", tuple(ANGLES), "run the step joint_angles again")
    measured, filtered, sure = wide = np.full((3, len(first), len(ANGLES)), np.nan)
    for values, name in zip(wide, ("degrees", "degrees_filtered", "confidence"), strict=True):
        values[row, column] = angles[name].to_numpy(dtype=float)
    return Angles(
        angles["frame"].to_numpy(dtype=np.int64)[first],
        angles["time_s"].to_numpy(dtype=float)[first],
        angles["person"].to_numpy(dtype=np.int64)[first],
        measured,
        filtered,
        sure,
        angles["direction"].iloc[first].to_numpy(dtype=object),
    )


def read(path: str | Path) -> Angles:
    """Read a file of the table ``angles``, whose rows are in the order of frames, as `angle_arrays` returns it.

    Raises
    ------
    UserError
        As `angle_arrays` and `tables.read_blocks` do.
    """
    return one_after_another(angle_arrays(block) for block in tables.read_blocks(path, "angles"))


def blocks(measured: Angles) -> Iterator[pd.DataFrame]:
    """Yield the table ``angles``, a row for each of `ANGLES`, frame and person, in blocks for `tables.write`."""
    for part in parts(measured):
        codes, facings = pd.factorize(part.direction)
        values = {
            "degrees": part.degrees.ravel(),
            "degrees_filtered": part.degrees_filtered.ravel(),
            "confidence": part.confidence.ravel(),
            "direction": pd.array(facings, dtype="str").take(np.repeat(codes, len(ANGLES)), allow_fill=True),
        }
        yield tables.check(pd.DataFrame(keys(part, tuple(ANGLES), "angle") | values), "angles")


def degrees(position: NDArray[np.float64], angle: Angle) -> NDArray[np.float64]:
    """Compute one angle.

    Parameters
    ----------
    position : array, shape (n, 28, 2)
        Keypoints in pixels, y down, in the order of `KEYPOINTS` and then the head; mirrored where the direction asks
        for it.
    angle : Angle
        One of the definitions of `ANGLES`.

    Returns
    -------
    array, shape (n,)
        Degrees, from -180 up to 180, of a line without direction from -90 up to 90; NaN where a keypoint is missing,
        or where two that span a vector coincide.
    """
    point = [position[:, _POINTS[name]] for name in angle.points]
    if len(point) == 2:
        first, second = point[0] - point[1], np.broadcast_to(np.array([1.0, 0.0]), point[0].shape)
    elif len(point) == 3:
        first, second = point[0] - point[1], point[2] - point[1]
    else:
        first, second = point[1] - point[0], point[3] - point[2]
    cross = second[:, 0] * first[:, 1] - second[:, 1] * first[:, 0]
    between = np.degrees(np.arctan2(cross, (first * second).sum(axis=1)))
    between[(first == 0).all(axis=1) | (second == 0).all(axis=1)] = np.nan
    half = angle.turn / 2
    return np.asarray((angle.sign * (between + angle.offset) + half) % angle.turn - half)


def joint_angles(body: Poses, directions: pd.DataFrame) -> Angles:
    """Compute every angle of everyone in one video.

    Angles go on over time without jumps of a whole turn: in a stretch, each is expressed within half a turn of the
    course that the medians of five frames take, so that a keypoint that jumps away for one or two frames does not
    change how the angle goes on after it, and a hole does not either. A stretch ends where the person changes
    direction, where the angle is not seen for more than a second, and where the course turns by more than a quarter
    of a turn from one frame to the next, which is no movement but a keypoint in another place. The median of each
    stretch lies within half a turn of the middle of its range (`ANGLES`), so that the same movement has the same
    numbers in every source of a video, and keypoints that were lost for a while shift nothing by a turn. At a change
    of direction the angle jumps as the convention demands.

    Parameters
    ----------
    body : Poses
        The table ``keypoints``.
    directions : DataFrame
        What `find_directions` or `carry_directions` returns.

    Returns
    -------
    Angles
        ``degrees`` is NaN where a keypoint is missing or two coincide, ``degrees_filtered`` is NaN; ``confidence`` is
        the lowest of the keypoints used.

    Raises
    ------
    UserError
        The directions do not hold everybody.
    """
    direction = direction_at(directions, body.person, body.frame)
    values, sure, nothing = (np.full((len(body.frame), len(ANGLES)), np.nan) for _ in range(3))
    start = 0
    for part in parts(body):
        rows = slice(start, start + len(part.frame))
        values[rows], sure[rows] = _frame_by_frame(part, direction[rows])
        start = rows.stop
    for person in np.unique(body.person):
        mine = np.flatnonzero(body.person == person)
        section = np.concatenate([[0], np.cumsum(direction[mine][1:] != direction[mine][:-1])])
        for column, angle in enumerate(ANGLES.values()):
            values[mine, column] = _continued(values[mine, column], body.time_s[mine], section, angle)
    return Angles(body.frame, body.time_s, body.person, values, nothing, sure, direction)


def _frame_by_frame(body: Poses, direction: NDArray[np.object_]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return degrees and the lowest confidence of every angle, shapes (n, 28), with jumps of a turn over time."""
    position, confidence = _with_head(body)
    mirrored = _mirror(position, direction)
    flat = (direction == "front") | (direction == "back")
    values, sure = (np.full((len(body.frame), len(ANGLES)), np.nan) for _ in range(2))
    for column, (name, angle) in enumerate(ANGLES.items()):
        values[:, column] = degrees(mirrored, angle)
        sure[:, column] = confidence[:, [_POINTS[point] for point in angle.points]].min(axis=1)
        if name in _CROSSWISE:
            values[flat, column] = degrees(position[flat], angle)
        elif name.endswith(_HINGES):
            values[flat, column] = np.abs(values[flat, column])
    return values, sure


def _with_head(body: Poses) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return positions, shape (n, 28, 2), and confidences, shape (n, 28), with the middle of the ears at the end."""
    ears = body.position[:, [INDEX["LEar"], INDEX["REar"]]]
    sure = body.confidence[:, [INDEX["LEar"], INDEX["REar"]]]
    left, right = (np.isfinite(ears[:, side, 0]) for side in (0, 1))
    # The one ear where only one is seen, and the middle, or nothing, else.
    share = np.where(left == right, 0.5, left.astype(float))[:, None]
    head = np.where(share > 0, share * ears[:, 0], 0.0) + np.where(share < 1, (1 - share) * ears[:, 1], 0.0)
    lowest = np.where(left == right, sure.min(axis=1), np.where(left, sure[:, 0], sure[:, 1]))
    return (
        np.concatenate([body.position, head[:, None]], axis=1),
        np.concatenate([body.confidence, lowest[:, None]], axis=1),
    )


def _mirror(position: NDArray[np.float64], direction: NDArray[np.object_]) -> NDArray[np.float64]:
    """Return the positions, shape (n, 28, 2), mirrored left to right as each frame's direction asks for."""
    mirrored = position.copy()
    for facing, letter in _MIRRORED.items():
        columns = [index for name, index in _POINTS.items() if name.startswith(letter)]
        rows = np.flatnonzero(direction == facing)
        mirrored[rows[:, None], columns, 0] *= -1
    return mirrored


def _continued(
    values: NDArray[np.float64], time_s: NDArray[np.float64], section: NDArray[np.int64], angle: Angle
) -> NDArray[np.float64]:
    """Express one angle of one person so that it goes on without jumps of a turn, see `joint_angles`.

    All arrays have the shape (n,), in the order of time; ``section`` changes where the direction does.
    """
    seen = np.flatnonzero(np.isfinite(values))
    if not len(seen):
        return values
    turns = values[seen] / angle.turn
    ends = np.flatnonzero((np.diff(section[seen]) != 0) | (np.diff(time_s[seen]) > _LONG_HOLE_S)) + 1
    steady = np.empty(len(seen))
    for start, stop in zip(np.r_[0, ends], np.r_[ends, len(seen)], strict=True):
        stretch = 2 * np.pi * turns[start:stop]
        sine, cosine = (
            ndimage.median_filter(part, _STEADY_FRAMES, mode="nearest") for part in (np.sin(stretch), np.cos(stretch))
        )
        steady[start:stop] = np.arctan2(sine, cosine) / (2 * np.pi)
    step = np.diff(steady)
    step -= np.round(step)
    course = steady[0] + np.concatenate([[0.0], np.cumsum(step)])
    followed = turns - np.round(turns - course)
    new = np.abs(step) > 0.25
    new[ends - 1] = True
    stretch_of = np.concatenate([[0], np.cumsum(new)])
    median = pd.Series(followed).groupby(stretch_of).transform("median").to_numpy()
    followed -= np.round(median - angle.middle / angle.turn)
    result = values.copy()
    result[seen] = followed * angle.turn
    return result
