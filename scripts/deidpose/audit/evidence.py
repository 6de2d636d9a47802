"""Collect the evidence of faces in the original: from two face detectors and from the skeleton."""

from collections.abc import Sequence
from itertools import compress

import numpy as np
import pandas as pd

from deidpose.audit.coverage import ENOUGH
from deidpose.boxes import about_centre, covered_share, intersection_over_union
from deidpose.labels import BOX

#: What the two detectors and the skeleton are called, those first whose boxes fit a face best.
YUNET, CENTERFACE, SKELETON = "YuNet", "CenterFace", "skeleton"
MASKED_VIDEO = "CenterFace in the masked video"
_RANKS = {YUNET: 0, CENTERFACE: 1, SKELETON: 2}

#: The part of a head's square, about its centre, that must be covered where the skeleton alone tells of a face. The
#: square has a side of 1.4 head heights (`heads.ROOM`) and its centre on the mean of eyes, ears and nose. Six tenths
#: are 0.84 head heights, a little more than the distance from chin to hairline; the rest is hair, neck, and room for
#: the error of the keypoints, which need not be hidden.
_FACE_OF_HEAD = 0.6
#: Two boxes of one frame are of the same face when they overlap by more than this, or one lies in the other by more.
_SAME_FACE_IOU, _SAME_FACE_SHARE = 0.3, 0.7


def gather_evidence(
    detections: pd.DataFrame, searched: pd.DataFrame, heads: pd.DataFrame, evidence_score: float
) -> pd.DataFrame:
    """Return every box that tells of a face in the original, whoever found it: frame, box, score, source, person."""
    found = [
        detections[detections["score"] >= evidence_score].assign(source=YUNET, person=-1),
        searched.assign(source=CENTERFACE, person=-1),
        _faces_of_heads(heads),
    ]
    return pd.concat(found, ignore_index=True)[["frame", *BOX, "score", "source", "person"]]


def merge_evidence(evidence: pd.DataFrame) -> pd.DataFrame:
    """Give boxes of one face in one frame the same number, so that a face counts once however many have found it.

    Parameters
    ----------
    evidence : DataFrame
        Columns frame, x_px, y_px, width_px, height_px, score and source.

    Returns
    -------
    DataFrame
        The same rows by frame, with a column ``face``: the same number for boxes of the same face in one frame. The
        first row of each is the box that fits it best.
    """
    order = np.lexsort((-evidence["score"], evidence["source"].map(_RANKS), evidence["frame"]))
    evidence = evidence.iloc[order].reset_index(drop=True)
    numbers = np.zeros(len(evidence), int)
    n_faces = 0
    boxes, frames = evidence[BOX].to_numpy(float), evidence["frame"].to_numpy()
    for rows in np.split(np.arange(len(evidence)), np.flatnonzero(np.diff(frames)) + 1):
        same = _likeness(boxes[rows])
        first: list[int] = []  # of every face of this frame, the row that began it
        for row in range(len(rows)):
            best = max(first, key=lambda other: float(same[row, other]), default=None)
            if best is None or same[row, best] == 0:
                first.append(row)
                numbers[rows[row]] = n_faces
                n_faces += 1
            else:
                numbers[rows[row]] = numbers[rows[best]]
    return evidence.assign(face=numbers).sort_values("face", kind="stable", ignore_index=True)


def _likeness(boxes: np.ndarray) -> np.ndarray:
    """Return for every two boxes how sure it is that they are of the same face, 0 when they are not, shape (n, n)."""
    overlap, share = intersection_over_union(boxes, boxes), covered_share(boxes, boxes)
    share = np.maximum(share, share.T)
    return np.where((overlap > _SAME_FACE_IOU) | (share > _SAME_FACE_SHARE), overlap + share, 0.0)


def by_face(evidence: pd.DataFrame) -> pd.DataFrame:
    """Return a row for every face: its best box, highest score, sources, and whether it is hidden.

    It is when every box that a detector has drawn of it is covered. The box and the score of the skeleton count where
    there is no other.
    """
    if evidence.empty:
        return evidence[["frame", *BOX, "score", "source"]].assign(hidden=pd.Series(dtype=bool))
    starts = np.flatnonzero(np.diff(evidence["face"], prepend=-1))
    by_detector = (evidence["source"] != SKELETON).to_numpy()
    counts = by_detector | ~np.logical_or.reduceat(by_detector, starts)[evidence["face"]]
    uncovered = counts & (evidence["covered"] < ENOUGH).to_numpy()
    seen_by = [np.logical_or.reduceat((evidence["source"] == source).to_numpy(), starts) for source in _RANKS]
    return (
        evidence.iloc[starts][["frame", *BOX]]
        .assign(
            score=np.maximum.reduceat(evidence["score"].to_numpy() * counts, starts),
            source=[", ".join(compress(_RANKS, seen)) for seen in zip(*seen_by, strict=True)],
            hidden=~np.logical_or.reduceat(uncovered, starts),
        )
        .reset_index(drop=True)
    )


def _faces_of_heads(heads: pd.DataFrame) -> pd.DataFrame:
    """Return where the skeleton sees a face: the middle of every head that is placed and not seen from behind."""
    rows = heads[~heads["from_behind"]]
    return resized(rows, _FACE_OF_HEAD).assign(source=SKELETON)


def resized(table: pd.DataFrame, factor: float) -> pd.DataFrame:
    """Return a table with the sides of its boxes times ``factor``, about their centres."""
    boxes = about_centre(table[BOX].to_numpy(float), factor)
    return table.assign(**dict(zip(BOX, boxes.T, strict=True)))


def belongs_to(found: pd.DataFrame, heads: pd.DataFrame, people: Sequence[int]) -> np.ndarray:
    """Return whether each box is of the head of one of these people and not nearer to somebody else's, shape (n,).

    Of several that one detector has found at one head, the nearest to its middle.
    """
    excused = np.array(found["person"].isin(people))
    if not people:
        return excused
    by_frame = {int(str(frame)): rows for frame, rows in heads.dropna(subset=BOX).groupby("frame")}
    centres = found[["x_px", "y_px"]].to_numpy(float) + found[["width_px", "height_px"]].to_numpy(float) / 2
    # By frame, person and source, the box nearest to the middle of their head: a person has one face.
    closest: dict[tuple[int, int, str], tuple[float, int]] = {}
    for row, (frame, person, source) in enumerate(zip(found["frame"], found["person"], found["source"], strict=True)):
        if person >= 0 or frame not in by_frame:
            continue
        boxes = by_frame[frame][BOX].to_numpy(float)
        away = np.abs((centres[row] - boxes[:, :2] - boxes[:, 2:4] / 2) / (boxes[:, 2:4] / 2)).max(axis=1)
        nearest = int(away.argmin())
        whose = int(by_frame[frame]["person"].iloc[nearest])
        if away[nearest] <= 1 and whose in people:
            key, here = (frame, whose, source), (float(away[nearest]), row)
            closest[key] = min(closest.get(key, here), here)
    excused[[row for _, row in closest.values()]] = True
    return excused
