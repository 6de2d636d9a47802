"""Place heads from the skeleton: where no detector sees a face, the body still shows where the head is."""

import numpy as np
import pandas as pd

from deidpose import skeleton, tables
from deidpose.keypoints import Poses

#: Height of the head as a share of other lengths of the body, from the segment lengths of Winter (2009,
#: "Biomechanics and Motor Control of Human Movement", figure 4.1): head 0.130, shoulder to hip 0.288, shoulder
#: width 0.259, thigh 0.245, shank 0.246 of the stature. Foreshortening only ever shortens a length in the
#: picture, so the largest estimate is the best one.
_HEAD_OVER = {
    ("Neck", "MidHip"): 0.130 / 0.288,
    ("LShoulder", "RShoulder"): 0.130 / 0.259,
    ("LHip", "LKnee"): 0.130 / 0.245,
    ("RHip", "RKnee"): 0.130 / 0.245,
    ("LKnee", "LAnkle"): 0.130 / 0.246,
    ("RKnee", "RAnkle"): 0.130 / 0.246,
}
HEAD_KEYPOINTS = ("Nose", "REye", "LEye", "REar", "LEar")
_HEAD = [skeleton.INDEX[name] for name in HEAD_KEYPOINTS]
#: From the tip of the nose to an ear is about half the height of a head.
_HEIGHT_OVER_SPREAD = 1.2
#: Side of the square around a head over the height of the head: room for the error of the keypoints and for hair.
ROOM = 1.4
#: ... when only the neck tells where it is ...
_ROOM_ABOVE_NECK = 1.3 * ROOM
#: ... so many head heights away.
_ABOVE_NECK = 0.7
#: Side of the square over the longer side of what is seen, when neither head nor neck is.
_UPPER_BODY = 0.7
_SMALLEST_SIDE_PX = 16.0

#: Shoulders or hips closer together than this share of the trunk are seen from the side and tell nothing.
_SIDEWAYS = 0.12
#: Frames on either side that must agree before a head counts as seen from behind: a network mistakes a back for
#: a front now and then.
_AGREEING = 5


def place(keypoints: Poses) -> pd.DataFrame:
    """Place everyone's head.

    Parameters
    ----------
    keypoints : Poses
        The table ``keypoints``.

    Returns
    -------
    DataFrame
        The table ``heads``, a row for every frame and person. Where nothing of a person is seen well enough, the box
        is NaN and ``placed_by`` is "nothing".
    """
    frame, person, body = as_array(keypoints)
    if not len(frame):
        return tables.empty("heads")
    head_height = _head_heights(body)
    seen = np.isfinite(body[..., 0])
    n_head = seen[:, _HEAD].sum(axis=1)
    neck, hip = (body[:, skeleton.INDEX[name]] for name in ("Neck", "MidHip"))
    by_head = (n_head > 0) & np.isfinite(head_height)
    by_neck = ~by_head & seen[:, skeleton.INDEX["Neck"]] & np.isfinite(head_height)
    by_body = ~by_head & ~by_neck & seen.any(axis=1)

    centre, side = np.full((len(frame), 2), np.nan), np.full(len(frame), np.nan)
    centre[by_head] = _mean(body[:, _HEAD, :2][by_head])
    side[by_head] = head_height[by_head] * ROOM
    up = neck[:, :2] - hip[:, :2]
    up[~np.isfinite(up).all(axis=1)] = (0.0, -1.0)
    up /= np.maximum(np.hypot(*up.T), 1e-9)[:, None]
    centre[by_neck] = (neck[:, :2] + up * (head_height * _ABOVE_NECK)[:, None])[by_neck]
    side[by_neck] = head_height[by_neck] * _ROOM_ABOVE_NECK
    if by_body.any():
        low, high = np.nanmin(body[by_body, :, :2], axis=1), np.nanmax(body[by_body, :, :2], axis=1)
        centre[by_body] = np.column_stack([(low[:, 0] + high[:, 0]) / 2, low[:, 1]])
        side[by_body] = np.maximum((high - low).max(axis=1) * _UPPER_BODY, _SMALLEST_SIDE_PX)

    score = np.zeros(len(frame))
    score[by_head] = _mean(body[:, _HEAD, 2:][by_head], body[:, _HEAD, :1][by_head])[:, 0]
    score[by_neck] = neck[by_neck, 2]
    score[by_body] = _mean(body[by_body][:, :, 2:], body[by_body][:, :, :1])[:, 0]
    table = pd.DataFrame(
        {
            "frame": frame,
            "person": person,
            "x_px": centre[:, 0] - side / 2,
            "y_px": centre[:, 1] - side / 2,
            "width_px": side,
            "height_px": side,
            "score": score,
            "placed_by": np.select([by_head, by_neck, by_body], ["head", "neck", "body"], "nothing"),
            "from_behind": _steadily(frame, person, _backs(body)),
        }
    )
    return tables.check(table, "heads")


def as_array(body: Poses) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return frames (n,), people (n,), and x, y in pixels and confidence of their BODY_25 keypoints (n, 25, 3).

    The rows are by frame and person. The knuckles, which not every backend has, are left out: hands say nothing of
    where a head is.

    Parameters
    ----------
    body : Poses
        The table ``keypoints``.
    """
    n_body = len(skeleton.BODY_25)
    values = np.concatenate([body.position[:, :n_body], body.confidence[:, :n_body, None]], axis=2)
    return body.frame, body.person, values


def _head_heights(body: np.ndarray) -> np.ndarray:
    """Return the height of everyone's head in pixels, shape (n,); NaN where no length of the body is seen."""
    estimates = []
    for (first, second), share in _HEAD_OVER.items():
        offset = body[:, skeleton.INDEX[first], :2] - body[:, skeleton.INDEX[second], :2]
        estimates.append(np.hypot(*offset.T) * share)
    head = body[:, _HEAD, :2]
    spread = np.hypot(*np.moveaxis(head[:, :, None] - head[:, None], -1, 0)).reshape(len(body), -1)
    at_least_two = np.isfinite(head[..., 0]).sum(axis=1) > 1
    widest = np.where(at_least_two, np.nan_to_num(spread, nan=0.0).max(axis=1), np.nan)
    estimates.append(widest * _HEIGHT_OVER_SPREAD)
    stacked = np.stack(estimates)
    known = np.isfinite(stacked).any(axis=0)
    return np.asarray(np.where(known, np.nan_to_num(stacked, nan=0.0).max(axis=0), np.nan))


def _mean(values: np.ndarray, known: np.ndarray | None = None) -> np.ndarray:
    """Return the mean over the keypoints (axis 1) that are seen."""
    finite = np.isfinite(values if known is None else known)
    total = np.where(finite, values, 0.0).sum(axis=1)
    return np.asarray(total / np.maximum(finite.sum(axis=1), 1))


def _backs(body: np.ndarray) -> np.ndarray:
    """Return whether the camera sees a back, shape (n,): not a front, and not a side.

    From the front, a person's left is to the right of their upward axis. Shoulders, hips, eyes and ears vote; a
    back needs the shoulders or the hips, and no vote against it.
    """
    up = body[:, skeleton.INDEX["Neck"], :2] - body[:, skeleton.INDEX["MidHip"], :2]
    reach = {}
    for name in ("Shoulder", "Hip", "Eye", "Ear"):
        across = body[:, skeleton.INDEX[f"L{name}"], :2] - body[:, skeleton.INDEX[f"R{name}"], :2]
        # Positive from the front. NaN, where a keypoint is not seen, compares as false: no vote.
        reach[name] = (up[:, 0] * across[:, 1] - up[:, 1] * across[:, 0]) / np.maximum(np.hypot(*up.T) ** 2, 1e-9)
    trunk, head = np.stack([reach["Shoulder"], reach["Hip"]]), np.stack([reach["Eye"], reach["Ear"]])
    front = (trunk > _SIDEWAYS).any(axis=0) | (head > 0).any(axis=0)
    return np.asarray((trunk < -_SIDEWAYS).any(axis=0) & ~front)


def _steadily(frame: np.ndarray, person: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Return where ``value`` holds for the person in this frame and in all their frames nearby."""
    steady = np.zeros(len(value), bool)
    for number in np.unique(person):
        rows = np.flatnonzero(person == number)
        against = frame[rows][~value[rows]]
        if not len(against):
            steady[rows] = True
            continue
        after = np.clip(np.searchsorted(against, frame[rows]), 0, len(against) - 1)
        before = np.clip(after - 1, 0, None)
        nearest = np.minimum(np.abs(against[after] - frame[rows]), np.abs(against[before] - frame[rows]))
        steady[rows] = nearest > _AGREEING
    return np.asarray(steady & value)
