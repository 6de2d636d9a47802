"""Decide what to mask in every frame: link detections over the whole video, fill gaps, and add heads without a face.

Three kinds of evidence are fused. The detector sees faces, now and then; a *track* is one face over time. The
skeleton knows where a head is while no face is seen. A mask is held for a moment where both give up. Nothing is
carried over a cut.
"""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from deidpose import skeleton, tables
from deidpose.boxes import enlarge, under_ellipse
from deidpose.faces.heads import ROOM, as_array, place
from deidpose.faces.review_flags import find_review_flags
from deidpose.faces.tracks import SHORT_GAP, Shots, Track, fill, join, link, nearest_of, pick, same_frame, soften
from deidpose.keypoints import Poses
from deidpose.labels import BOX

#: A track that no body supports is a face throughout when the detector was once this sure of it, or this sure on
#: average, with nothing for a frame in which it is not detected. Texture that looks like a face flickers.
_SURE = 0.75
_SURE_ON_AVERAGE = 0.3
#: A detector is sure of a face of so many pixels: where it is not, and no body is there, there is none.
_LARGE_PX = 80.0
#: A face-like spot on a body, larger than the head of that body, is masked only when the detector is this sure: it
#: would be a face much nearer to the camera, which detectors do not doubt. A bare chest is less.
_SURE_ON_BODY = 0.9
#: A face-like spot is a knee or a foot when it keeps this close to that keypoint, in head heights, in this share of
#: its frames and in so many of them at least.
_AT_A_LEG = 0.6
_STAYS = 0.7
_OFTEN = 5
#: A face is not larger than this many times the head that it belongs to, and not smaller than ...
_LARGEST_FACE_OVER_HEAD = 1.3
_SMALLEST_FACE_OVER_HEAD = 0.25
#: Masks move softly: each of their edges is averaged over this time on either side.
_SOFT_S = 0.07


#: A skeleton is a part of another when this share of its keypoints lies in the box around the other one, which is
#: widened by this share of its sides, and its head is at least this large beside the other's; it is a phantom when
#: that is so in this share of its frames.
_INSIDE = 0.6
_MARGIN = 0.1
_AS_LARGE = 0.6
_MOSTLY = 0.5


#: A head needs no mask of its own where that of a face covers this share of the square around it, about its middle:
#: of a sure face, whose box is better than the square, or of another.
_MIDDLE_OF_SURE = 0.3
_MIDDLE = 0.6


class Tracked(NamedTuple):
    """What is masked (table ``faces``), where heads are (``heads``), and what to look at (``review``)."""

    faces: pd.DataFrame
    heads: pd.DataFrame
    review: pd.DataFrame


def track_faces(
    detections: pd.DataFrame,
    body: Poses,
    cuts: pd.DataFrame,
    n_frames: int,
    frame_rate: float,
    size: tuple[int, int],
    settings: Mapping[str, Any],
) -> Tracked:
    """Decide what is masked in every frame.

    Parameters
    ----------
    detections : DataFrame
        The table ``detections``.
    body : Poses
        The table ``keypoints`` of the original.
    cuts : DataFrame
        The table ``cuts``.
    n_frames : int
    frame_rate : float
        Mean frames per second.
    size : tuple of int
        Width and height of the picture, in pixels.
    settings : mapping
        ``faces`` of the configuration: track_score, max_gap_s, hold_s, enlarge, heads_from_behind, near_s.
    """
    max_gap, hold, near, soft = (
        round(seconds * frame_rate)
        for seconds in (settings["max_gap_s"], settings["hold_s"], settings["near_s"], _SOFT_S)
    )
    shots = Shots(cuts["frame"].to_numpy(), n_frames)
    every = place(body)
    nowhere = every[every["placed_by"] == "nothing"]
    placed = every[every["placed_by"] != "nothing"].reset_index(drop=True)
    paths = _head_paths(placed, nowhere, shots, max_gap, hold)

    owner = owners(detections, paths)
    phantoms = _phantoms(body, every, set(paths) - set(owner.tolist()))
    tracks = join(link(detections, owner, shots, min(max_gap, SHORT_GAP)), shots, max_gap)
    bodies = _bodies(body, paths, phantoms)
    doubts_of = [_pattern(track, bodies) or ("glimpse" if _glimpse(track, settings) else "") for track in tracks]
    faces = []
    for track in (track for track, case in zip(tracks, doubts_of, strict=True) if not case):
        # Unsure: masked where it was seen, for it may be a face, and not between or beyond. Without a body that is
        # there, no mask is held longer than the face was seen.
        held = hold if track.person >= 0 else min(hold, len(track.frames))
        filled = fill(track, paths.get(track.person), shots, max_gap, held) if _is_face(track, settings) else track
        faces.append(soften(filled._replace(boxes=enlarge(filled.boxes, settings["enlarge"])), shots, soft))

    backs = _unseen_backs(placed, paths, faces, shots, near) if settings["heads_from_behind"] == "near" else {}
    heads = []
    for path in (path for person, path in paths.items() if person not in phantoms):
        head = soften(pick(path, ~np.isin(path.frames, backs.get(path.person, []))), shots, soft)
        heads.append(pick(head, ~_covered(head, faces, settings["track_score"])))
    masked = _within_picture(_rows([*faces, *heads, *_upper_bodies(placed, phantoms)]), size)

    whole = np.array([0.0, 0.0, *size])
    unmasked = [_unmasked(case, track) for track, case in zip(tracks, doubts_of, strict=True) if case]
    unmasked += [
        _unmasked("back", pick(paths[person], np.isin(paths[person].frames, f))) for person, f in backs.items()
    ]
    unmasked += [_unmasked("phantom", paths[person]) for person in sorted(phantoms)]
    for person, rows in nowhere.groupby("person", sort=True):
        known = paths.get(int(str(person)))
        bare = rows if known is None else rows[~rows["frame"].isin(known.frames)]
        if len(bare):
            unmasked.append(_unmasked("nothing", _as_path(bare.assign(**dict(zip(BOX, whole, strict=True))))))
    review = find_review_flags(masked, placed, unmasked, cuts, frame_rate, size, settings)
    return Tracked(masked, tables.check(placed, "heads"), review)


# ----------------------------------------------------------------------------------------------------------- heads


def owners(detections: pd.DataFrame, paths: Mapping[int, Track]) -> np.ndarray:
    """Return for every detection the person whose head is there and about as large, or -1; each head has one face."""
    owner = np.full(len(detections), -1)
    if not paths or detections.empty:
        return owner
    boxes = detections[BOX].to_numpy(float)
    head_frames = np.concatenate([path.frames for path in paths.values()])
    head_boxes = np.concatenate([path.boxes for path in paths.values()])
    people = np.concatenate([np.full(len(path.frames), path.person) for path in paths.values()])
    face, head = same_frame(detections["frame"].to_numpy(), head_frames)
    offset = boxes[face, :2] + boxes[face, 2:] / 2 - head_boxes[head, :2] - head_boxes[head, 2:] / 2
    distance = np.hypot(*offset.T) / head_boxes[head, 2]
    ratio = boxes[face, 2:].max(axis=1) / (head_boxes[head, 2] / ROOM)
    fits = (distance < 0.5) & (ratio > _SMALLEST_FACE_OVER_HEAD) & (ratio < _LARGEST_FACE_OVER_HEAD)
    face, head, distance = face[fits], head[fits], distance[fits]
    taken: set[int] = set()
    for pair in np.argsort(distance, kind="stable"):
        if owner[face[pair]] < 0 and int(head[pair]) not in taken:
            owner[face[pair]] = people[head[pair]]
            taken.add(int(head[pair]))
    return owner


def _head_paths(placed: pd.DataFrame, nowhere: pd.DataFrame, shots: Shots, max_gap: int, hold: int) -> dict[int, Track]:
    """Return everyone's head by person, with gaps filled.

    A gap in which the person is seen and the head is not placed is filled however long it is.
    """
    paths = {}
    present = pd.concat([placed[["frame", "person"]], nowhere[["frame", "person"]]])
    frames_of = {int(str(person)): rows["frame"].to_numpy() for person, rows in present.groupby("person")}
    for _, rows in placed[placed["placed_by"] != "body"].groupby("person", sort=True):
        track = _as_path(rows)
        path = fill(track, None, shots, max_gap, hold)
        missing = np.setdiff1d(frames_of[track.person], path.frames)
        missing = missing[np.isin(shots.of(missing), shots.of(track.frames))]
        if len(missing):
            frames = np.concatenate([path.frames, missing])
            source = np.concatenate([np.arange(len(path.frames)), nearest_of(missing, path.frames)])
            order = np.argsort(frames, kind="stable")
            path = pick(path, source[order])._replace(frames=frames[order])
        paths[track.person] = path
    return paths


def _as_path(rows: pd.DataFrame) -> Track:
    """Return the track of one person's head from rows of ``heads``."""
    return Track(
        rows["frame"].to_numpy(),
        rows[BOX].to_numpy(float),
        rows["score"].to_numpy(float),
        np.zeros(len(rows), bool),
        int(rows["person"].iloc[0]),
    )


def _unseen_backs(
    placed: pd.DataFrame, paths: Mapping[int, Track], faces: list[Track], shots: Shots, near: int
) -> dict[int, np.ndarray]:
    """Return by person the frames in which their head is seen from behind and their face is not seen nearby in time.

    Their face is seen where it is detected, or where their skeleton does not show its back.
    """
    backs = {}
    for person in paths:
        rows = placed[placed["person"] == person]
        behind = rows.loc[rows["from_behind"], "frame"].to_numpy()
        seen = [rows.loc[~rows["from_behind"], "frame"].to_numpy()]
        seen += [face.frames[face.detected] for face in faces if face.person == person]
        evidence = np.unique(np.concatenate(seen)).astype(int)
        alone = np.ones(len(behind), bool)
        for shot in np.unique(shots.of(evidence)):
            here = shots.of(behind) == shot
            there = evidence[shots.of(evidence) == shot]
            alone[here] = np.abs(there[nearest_of(behind[here], there)] - behind[here]) > near
        if alone.any():
            backs[person] = behind[alone]
    return backs


def _covered(head: Track, faces: list[Track], sure: float) -> np.ndarray:
    """Return in which frames the mask of a face covers the middle of a head."""
    covered = np.zeros(len(head.frames), bool)
    for face in faces:
        _, mine, theirs = np.intersect1d(head.frames, face.frames, return_indices=True)
        if len(mine):
            is_sure = face.scores[theirs] >= sure
            for share, rows in ((_MIDDLE_OF_SURE, is_sure), (_MIDDLE, ~is_sure)):
                middle = enlarge(head.boxes[mine[rows]], share)
                covered[mine[rows]] |= under_ellipse(middle, face.boxes[theirs[rows]])
    return covered


def _upper_bodies(placed: pd.DataFrame, phantoms: Collection[int]) -> list[Track]:
    """Return the upper part of people whose head is not placed."""
    rows = placed[(placed["placed_by"] == "body") & ~placed["person"].isin(phantoms)]
    return [_as_path(mine) for _, mine in rows.groupby("person", sort=True)]


def _phantoms(poses: Poses, every: pd.DataFrame, faceless: Collection[int]) -> set[int]:
    """Return those of the people without a detected face who are a part of somebody else.

    The pose network takes a trunk or a pair of legs for another person now and then. Such a skeleton lies inside the
    other one, its head is on the other's body, and it is about as large. A child in somebody's arms is smaller; of
    two people who embrace, the heads are side by side.
    """
    frames, person, body = as_array(poses)
    head = every[BOX].to_numpy(float)
    below = body[:, [skeleton.INDEX[name] for name in _BELOW_THE_HEAD], :2]
    one, other = same_frame(frames, frames)
    one, other = one[one != other], other[one != other]
    low, high = (reduce(body[..., :2], axis=1) for reduce in (np.fmin.reduce, np.fmax.reduce))
    margin = _MARGIN * (high - low)[other]
    points = body[one][..., :2]
    inside = (points >= (low[other] - margin)[:, None]) & (points <= (high[other] + margin)[:, None])
    share = inside.all(axis=2).sum(axis=1) / np.maximum(np.isfinite(points[..., 0]).sum(axis=1), 1)
    centre = (head[:, :2] + head[:, 2:] / 2)[one]
    on_body = (centre >= np.fmin.reduce(below, axis=1)[other]) & (centre <= np.fmax.reduce(below, axis=1)[other])
    as_large = head[one, 2] >= _AS_LARGE * head[other, 2]
    part = np.zeros(len(frames), bool)
    part[one[(share >= _INSIDE) & on_body.all(axis=1) & as_large]] = True
    return {number for number in faceless if float(part[person == number].mean()) >= _MOSTLY}


def _is_face(track: Track, settings: Mapping[str, Any]) -> bool:
    """Return whether a track is a face for all of its time, and not only where it is detected."""
    if track.person >= 0:
        return True
    span = int(track.frames[-1] - track.frames[0]) + 1
    often = (
        float(track.scores.sum()) / span >= _SURE_ON_AVERAGE and float(track.scores.max()) >= settings["track_score"]
    )
    return often or float(track.scores.max()) >= _SURE


def _glimpse(track: Track, settings: Mapping[str, Any]) -> bool:
    """Return whether a track is large, has no body, and was neither sure nor there for long: large faces are clear."""
    unsure = track.scores.max() < settings["track_score"] and not _is_face(track, settings)
    return bool(track.person < 0 and unsure and np.median(track.boxes[:, 2:].max(axis=1)) >= _LARGE_PX)


class _Bodies(NamedTuple):
    """Everyone in every frame, by frame, in pixels.

    ``frames`` (n,); ``low`` and ``high`` (n, 2), the box below the head; ``legs`` (n, 8, 2), keypoints; ``head`` (n,),
    the height of the head, infinite where it is not placed.
    """

    frames: np.ndarray
    low: np.ndarray
    high: np.ndarray
    legs: np.ndarray
    head: np.ndarray


def _bodies(poses: Poses, paths: Mapping[int, Track], phantoms: Collection[int]) -> _Bodies:
    frames, people, body = as_array(poses)
    head = np.full(len(frames), np.inf)
    for person, path in paths.items():
        _, mine, theirs = np.intersect1d(np.where(people == person, frames, -1), path.frames, return_indices=True)
        head[mine] = path.boxes[theirs, 2] / ROOM
    below, legs = (body[:, [skeleton.INDEX[name] for name in names], :2] for names in (_BELOW_THE_HEAD, _LEGS))
    low, high = np.fmin.reduce(below, axis=1), np.fmax.reduce(below, axis=1)
    order = np.argsort(frames, kind="stable")
    order = order[~np.isin(people[order], list(phantoms))]
    return _Bodies(*(values[order] for values in (frames, low, high, legs, head)))


def _pattern(track: Track, bodies: _Bodies) -> str:
    """Return "pattern" or "leg" for a track that is no face but something on a body, else nothing.

    A pattern is too large for the heads of all those on whom it lies. What stays on one spot of a leg however that
    moves is a knee or a foot.
    """
    if track.person >= 0 or track.scores.max() >= _SURE_ON_BODY:
        return ""
    start, end = np.searchsorted(bodies.frames, [track.frames[0], track.frames[-1] + 1])
    face, body = same_frame(track.frames, bodies.frames[start:end])
    body = body + start
    centre = (track.boxes[:, :2] + track.boxes[:, 2:] / 2)[face]
    on = ((centre >= bodies.low[body]) & (centre <= bodies.high[body])).all(axis=1)
    largest = np.zeros(len(track.frames))
    np.maximum.at(largest, face[on], bodies.head[body[on]])
    too_large = (largest > 0) & (track.boxes[:, 2:].max(axis=1) > largest * _LARGEST_FACE_OVER_HEAD)
    if too_large.mean() > 0.5:
        return "pattern"
    away = np.hypot(*np.moveaxis(bodies.legs[body] - centre[:, None], -1, 0))
    close = (np.fmin.reduce(away, axis=1) < _AT_A_LEG * bodies.head[body]) & np.isfinite(bodies.head[body])
    at_a_leg = np.zeros(len(track.frames), bool)
    at_a_leg[face[close]] = True
    return "leg" if at_a_leg.mean() >= _STAYS and len(track.frames) >= _OFTEN else ""


_BELOW_THE_HEAD = ("Neck", "LShoulder", "RShoulder", "LHip", "RHip", "LKnee", "RKnee", "LAnkle", "RAnkle")
_LEGS = ("LKnee", "RKnee", "LAnkle", "RAnkle", "LHeel", "RHeel", "LBigToe", "RBigToe")


# ---------------------------------------------------------------------------------------------------------- tables


def _rows(tracks: list[Track]) -> pd.DataFrame:
    """Return the table ``faces`` of tracks; which of them are faces, and not heads, their detections tell."""
    parts = [tables.empty("faces")]
    for number, track in enumerate(track for track in tracks if len(track.frames)):
        otherwise = "interpolated" if track.detected.any() else "pose"
        parts.append(
            pd.DataFrame(
                {
                    "frame": track.frames,
                    "track": number,
                    "person": track.person,
                    "x_px": track.boxes[:, 0],
                    "y_px": track.boxes[:, 1],
                    "width_px": track.boxes[:, 2],
                    "height_px": track.boxes[:, 3],
                    "score": track.scores,
                    "origin": np.where(track.detected, "detected", otherwise),
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


def _unmasked(case: str, track: Track) -> tuple[str, pd.DataFrame]:
    """Return what `review_flags.find_review_flags` takes of a track that is not masked."""
    boxes = {name: track.boxes[:, side] for side, name in enumerate(BOX)}
    return case, pd.DataFrame(
        {"frame": track.frames, "track": -1, "person": track.person, **boxes, "score": track.scores}
    )
