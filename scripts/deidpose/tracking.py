"""Faces over time: detections linked into tracks, gaps filled in both directions, heads placed from the pose."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment

from deidpose import skeleton, tables
from deidpose.faces import covered_share, enlarge, under_ellipse

#: A detection belongs to a track when its centre has moved by less than this many box sides a frame ...
_LARGEST_STEP = 0.6
#: ... or, after a gap, by less than this many box sides in all.
_LARGEST_JUMP = 2.0
#: ... and its size has changed by less than this factor.
_LARGEST_GROWTH = 2.0
#: So many detections of one track are a face, however unsure each of them is.
_SUSTAINED = 5
#: A face-like spot on a body, away from its head and larger than that head, is masked only when the detector is
#: this sure: it would be a face much nearer to the camera, which detectors do not doubt. A bare chest is less.
_SURE_ON_BODY = 0.9
#: A face is not larger than this many times the head that it belongs to.
_LARGEST_FACE_OVER_HEAD = 1.3

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
_HEAD_KEYPOINTS = ("Nose", "REye", "LEye", "REar", "LEar")
#: Side of the masked square over the height of the head: room for the error of the keypoints and for hair.
_HEAD_ROOM = 1.4


class Track(NamedTuple):
    """One face: frames of shape (n,), ascending, boxes (n, 4) in pixels, scores (n,), detected (n,) of bool."""

    frames: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray
    detected: np.ndarray


def track_faces(
    detections: pd.DataFrame,
    keypoints: pd.DataFrame,
    n_frames: int,
    frame_rate: float,
    size: tuple[int, int],
    settings: Mapping[str, Any],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Decide what is masked in every frame.

    Parameters
    ----------
    detections : DataFrame
        The table ``detections``.
    keypoints : DataFrame
        The table ``keypoints`` of the original.
    n_frames : int
    frame_rate : float
        Mean frames per second.
    size : tuple of int
        Width and height of the picture, in pixels.
    settings : mapping
        ``faces`` of the configuration: track_score, max_gap_s, hold_s, enlarge.

    Returns
    -------
    faces : DataFrame
        The table ``faces``: the regions to mask, already enlarged.
    review : DataFrame
        The table ``review``: frames in which a person is seen and only the upper body, or nothing, could be
        masked, and detections that the pose contradicts, which were not masked.
    """
    max_gap = round(settings["max_gap_s"] * frame_rate)
    hold = round(settings["hold_s"] * frame_rate)
    heads, unplaced = pose_heads(keypoints, size)
    bodies = _bodies(keypoints)
    faces, doubtful = [], []
    for track in link(detections, max_gap):
        on_body, too_large = _on_a_body(track, bodies, heads)
        contradicted = on_body & ~_supported(track, heads)
        enough = _SURE_ON_BODY if too_large.mean() > 0.5 else settings["track_score"]
        if contradicted.mean() > 0.5 and track.scores.max() < enough:
            doubtful.append(track)
        elif track.scores.max() >= settings["track_score"] or len(track.frames) >= _SUSTAINED:
            faces.append(fill(track, max_gap, hold, n_frames))
        else:
            # Brief and unsure: masked where it was seen, for it may be a face, and not held beyond.
            faces.append(track)
    faces = [track._replace(boxes=enlarge(track.boxes, settings["enlarge"])) for track in faces]
    from_pose = [fill(track, max_gap, hold, n_frames) for track in heads.values()]
    rows = _rows(faces, [_uncovered(track, faces) for track in from_pose])
    return _within_picture(rows, size), pd.concat([unplaced, _not_masked(doubtful)]).sort_values(
        ["frame", "x_px"], kind="stable", ignore_index=True
    )


def link(detections: pd.DataFrame, max_gap: int) -> list[Track]:
    """Link detections into tracks: frame by frame the assignment of least total displacement.

    Parameters
    ----------
    detections : DataFrame
        The table ``detections``.
    max_gap : int
        A track ends when it has gone undetected for more frames than this.

    Returns
    -------
    list of Track
        Every detection is in exactly one of them.
    """
    done: list[list[tuple[int, np.ndarray]]] = []
    open_tracks: list[list[tuple[int, np.ndarray]]] = []
    columns = ["x_px", "y_px", "width_px", "height_px", "score"]
    for frame, group in detections.sort_values("frame", kind="stable").groupby("frame", sort=True):
        index = int(str(frame))
        found = group[columns].to_numpy(float)
        done += [track for track in open_tracks if index - track[-1][0] > max_gap + 1]
        open_tracks = [track for track in open_tracks if index - track[-1][0] <= max_gap + 1]
        taken: set[int] = set()
        if open_tracks:
            cost = np.array([[_step(track, index, face) for face in found] for track in open_tracks])
            # A cost that no real match reaches lets the assignment leave a pair unmatched.
            for row, column in zip(*linear_sum_assignment(np.minimum(cost, 1e6)), strict=True):
                if np.isfinite(cost[row, column]):
                    open_tracks[row].append((index, found[column]))
                    taken.add(int(column))
        open_tracks += [[(index, face)] for column, face in enumerate(found) if column not in taken]
    done += open_tracks
    done.sort(key=lambda track: (track[0][0], track[0][1][0], track[0][1][1]))
    return [
        Track(
            np.array([frame for frame, _ in track]),
            np.array([face[:4] for _, face in track]),
            np.array([face[4] for _, face in track]),
            np.ones(len(track), bool),
        )
        for track in done
    ]


def _step(track: list[tuple[int, np.ndarray]], frame: int, face: np.ndarray) -> float:
    """Return the displacement from where the track should be, in box sides; infinite when it is another face."""
    last, box = track[-1]
    gap = frame - last
    centre = box[:2] + box[2:4] / 2
    if len(track) > 1:
        before, previous = track[-2]
        velocity = (centre - previous[:2] - previous[2:4] / 2) / (last - before)
        # A velocity from two detections carries their noise: trust it over a short gap only.
        centre = centre + velocity * min(gap, 5)
    side = float(max(box[2], box[3], face[2], face[3]))
    growth = max(box[2] * box[3], face[2] * face[3]) / max(min(box[2] * box[3], face[2] * face[3]), 1e-9)
    displacement = float(np.hypot(*(face[:2] + face[2:4] / 2 - centre))) / side
    if displacement > min(_LARGEST_STEP * gap + 0.4, _LARGEST_JUMP) or growth > _LARGEST_GROWTH**2:
        return float("inf")
    return displacement


def fill(track: Track, max_gap: int, hold: int, n_frames: int) -> Track:
    """Fill the gaps of a track by straight lines, and hold it before its first and after its last frame.

    Parameters
    ----------
    track : Track
    max_gap : int
        The longest gap, in frames, that a straight line bridges. In a longer one both ends are held.
    hold : int
        Frames to hold.
    n_frames : int
        Length of the video.
    """
    pieces = np.split(np.arange(len(track.frames)), np.flatnonzero(np.diff(track.frames) > max_gap + 1) + 1)
    frames, boxes, scores, away = [], [], [], []
    for piece in pieces:
        known = track.frames[piece]
        wanted = np.arange(max(0, known[0] - hold), min(n_frames - 1, known[-1] + hold) + 1)
        frames.append(wanted)
        boxes.append(np.column_stack([np.interp(wanted, known, track.boxes[piece, side]) for side in range(4)]))
        scores.append(np.interp(wanted, known, track.scores[piece]))
        away.append(np.maximum(np.maximum(known[0] - wanted, wanted - known[-1]), 0))
    # Where what is held reaches into the next piece, the nearer of the two has the frame.
    order = np.lexsort((np.concatenate(away), np.concatenate(frames)))
    frame, first = np.unique(np.concatenate(frames)[order], return_index=True)
    chosen = order[first]
    return Track(frame, np.concatenate(boxes)[chosen], np.concatenate(scores)[chosen], np.isin(frame, track.frames))


def _supported(track: Track, heads: Mapping[int, Track]) -> np.ndarray:
    """Return, for every frame of a track, whether somebody's head is there and about as large."""
    supported = np.zeros(len(track.frames), bool)
    for head in heads.values():
        _, mine, theirs = np.intersect1d(track.frames, head.frames, return_indices=True)
        for index, region in zip(mine, head.boxes[theirs], strict=True):
            face = track.boxes[index]
            small = max(face[2], face[3]) <= region[2] / _HEAD_ROOM * _LARGEST_FACE_OVER_HEAD
            supported[index] |= small and covered_share(face[None], region[None])[0, 0] > 0.5
    return supported


def _bodies(keypoints: pd.DataFrame) -> dict[int, list[tuple[int, np.ndarray]]]:
    """Return by frame everyone's number and the box around their trunk and legs."""
    below = ("Neck", "LShoulder", "RShoulder", "LHip", "RHip", "LKnee", "RKnee", "LAnkle", "RAnkle")
    rows = keypoints[keypoints["keypoint"].isin(below)]
    low_high = rows.groupby(["frame", "person"])[["x_px", "y_px"]].agg(["min", "max"]).dropna()
    bodies: dict[int, list[tuple[int, np.ndarray]]] = {}
    for (frame, person), (x0, x1, y0, y1) in zip(low_high.index, low_high.to_numpy(float), strict=True):
        bodies.setdefault(int(frame), []).append((int(person), np.array([x0, y0, x1 - x0, y1 - y0])))
    return bodies


def _on_a_body(
    track: Track, bodies: Mapping[int, list[tuple[int, np.ndarray]]], heads: Mapping[int, Track]
) -> tuple[np.ndarray, np.ndarray]:
    """Return, for every frame of a track, whether it lies on a body, and is too large to belong there.

    It lies on a body when the centre of its box is on somebody's trunk or legs; it is too large when the heads of
    all those people are placed and smaller than a face of that size needs.
    """
    on_body, too_large = np.zeros((2, len(track.frames)), bool)
    for index, frame in enumerate(track.frames):
        face = track.boxes[index]
        owners = []
        for person, box in bodies.get(int(frame), []):
            offset = face[:2] + face[2:4] / 2 - box[:2]
            if ((offset >= 0) & (offset <= box[2:4])).all():
                owners.append(person)
        sides = [_side_of_head(heads.get(person), int(frame)) for person in owners]
        on_body[index] = bool(owners)
        too_large[index] = bool(owners) and max(face[2:4]) > max(sides) * _LARGEST_FACE_OVER_HEAD
    return on_body, too_large


def _side_of_head(head: Track | None, frame: int) -> float:
    """Return the height of a head in one frame, in pixels; infinite where it is not placed."""
    if head is None:
        return float("inf")
    index = int(np.searchsorted(head.frames, frame))
    placed = index < len(head.frames) and head.frames[index] == frame
    return float(head.boxes[index, 2]) / _HEAD_ROOM if placed else float("inf")


def _not_masked(doubtful: list[Track]) -> pd.DataFrame:
    rows = [
        (int(frame), "looks like a face on a body away from its head: not masked", *box)
        for track in doubtful
        for frame, box in zip(track.frames, track.boxes, strict=True)
    ]
    return tables.check(pd.DataFrame(rows, columns=list(tables.TABLES["review"])), "review")


def pose_heads(keypoints: pd.DataFrame, size: tuple[int, int]) -> tuple[dict[int, Track], pd.DataFrame]:
    """Place everyone's head from their keypoints.

    Parameters
    ----------
    keypoints : DataFrame
        The table ``keypoints``.
    size : tuple of int
        Width and height of the picture, in pixels.

    Returns
    -------
    heads : dict of Track
        By person: the square around the head. Where neither the head nor the neck is seen, the square around the
        upper half of what is seen.
    review : DataFrame
        The table ``review``: those last, and people of whom nothing is seen well enough to be placed.
    """
    heads: dict[int, Track] = {}
    review = []
    names = list(skeleton.BODY_25)
    for person, rows in keypoints.groupby("person", sort=True):
        n_keypoints = len(names)
        # Rows come sorted by frame, and by keypoint within it: `estimate_pose` writes all 25 of them.
        frames = rows["frame"].to_numpy()[::n_keypoints]
        body = rows[["x_px", "y_px", "confidence"]].to_numpy(float).reshape(-1, n_keypoints, 3)
        boxes, scores, kept = [], [], []
        for frame, points in zip(frames, body, strict=True):
            box, score, sure = _head(points)
            if box is None:
                whole = (0.0, 0.0, float(size[0]), float(size[1]))
                review.append((int(frame), "a person is seen, but no keypoint is sure enough: not masked", *whole))
                continue
            boxes.append(box)
            scores.append(score)
            kept.append(frame)
            if not sure:
                review.append((int(frame), "a person is seen, but neither head nor neck: upper body masked", *box))
        if kept:
            heads[int(str(person))] = Track(
                np.array(kept), np.array(boxes), np.array(scores), np.zeros(len(kept), bool)
            )
    return heads, tables.check(pd.DataFrame(review, columns=list(tables.TABLES["review"])), "review")


def _head(body: np.ndarray) -> tuple[np.ndarray | None, float, bool]:
    """Return the square around a head (x, y, width, height), its score, and whether the head itself is placed."""
    points = {name: body[skeleton.INDEX[name]] for name in skeleton.BODY_25}

    def seen(name: str) -> bool:
        return bool(np.isfinite(points[name][0]))

    heights = [
        float(np.hypot(*(points[a][:2] - points[b][:2]))) * share
        for (a, b), share in _HEAD_OVER.items()
        if seen(a) and seen(b)
    ]
    head = np.array([points[name] for name in _HEAD_KEYPOINTS if seen(name)])
    if len(head) > 1:
        # From the tip of the nose to the ear is about half the height of a head.
        heights.append(2 * float(np.max(np.hypot(*(head[:, None, :2] - head[None, :, :2]).T))) * 0.6)
    visible = body[np.isfinite(body[:, 0])]
    if not len(visible):
        return None, 0.0, False
    if heights and len(head):
        return _square(head[:, :2].mean(axis=0), max(heights) * _HEAD_ROOM), float(head[:, 2].mean()), True
    if heights and seen("Neck"):
        up = points["Neck"][:2] - points["MidHip"][:2] if seen("MidHip") else np.array([0.0, -1.0])
        up = up / max(float(np.hypot(*up)), 1e-9)
        centre = points["Neck"][:2] + up * max(heights) * 0.7
        return _square(centre, max(heights) * _HEAD_ROOM * 1.3), float(points["Neck"][2]), True
    low, high = visible[:, :2].min(axis=0), visible[:, :2].max(axis=0)
    side = max(float(np.max(high - low)) * 0.7, 16.0)
    return _square(np.array([(low[0] + high[0]) / 2, low[1]]), side), float(visible[:, 2].mean()), False


def _square(centre: np.ndarray, side: float) -> np.ndarray:
    return np.array([centre[0] - side / 2, centre[1] - side / 2, side, side])


def _uncovered(track: Track, faces: list[Track]) -> Track:
    """Return the frames of a head in which no mask of a face covers its middle."""
    middle = enlarge(track.boxes, 0.5)
    needed = np.ones(len(track.frames), bool)
    for face in faces:
        _, mine, theirs = np.intersect1d(track.frames, face.frames, return_indices=True)
        for head, mask in zip(mine, theirs, strict=True):
            needed[head] &= not under_ellipse(middle[[head]], face.boxes[[mask]])[0, 0]
    return Track(*(values[needed] for values in track))


def _rows(faces: list[Track], heads: list[Track]) -> pd.DataFrame:
    parts = [tables.empty("faces")]
    for number, track in enumerate([*faces, *(head for head in heads if len(head.frames))]):
        origin = np.where(track.detected, "detected", "interpolated") if number < len(faces) else "pose"
        parts.append(
            pd.DataFrame(
                {
                    "frame": track.frames,
                    "track": number,
                    "x_px": track.boxes[:, 0],
                    "y_px": track.boxes[:, 1],
                    "width_px": track.boxes[:, 2],
                    "height_px": track.boxes[:, 3],
                    "score": track.scores,
                    "origin": origin,
                }
            )
        )
    table = pd.concat([part for part in parts if len(part)] or parts)
    return table.sort_values(["frame", "track"], kind="stable", ignore_index=True)


def _within_picture(faces: pd.DataFrame, size: tuple[int, int]) -> pd.DataFrame:
    """Leave out the regions that lie wholly outside the picture."""
    width, height = size
    inside = (
        (faces["x_px"] < width)
        & (faces["y_px"] < height)
        & (faces["x_px"] + faces["width_px"] > 0)
        & (faces["y_px"] + faces["height_px"] > 0)
    )
    return tables.check(faces[inside], "faces")
