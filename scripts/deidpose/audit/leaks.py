"""Join the faces that are still visible in a masked video over time into leaks."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from deidpose.audit.evidence import CENTERFACE, MASKED_VIDEO, SKELETON
from deidpose.labels import BOX

#: What one detector, or the skeleton, sees for fewer frames than ``audit.sustained_frames``, with a lower score than
#: this, where nothing tells of a face shortly before or after, is a glimpse: a swinging hand, a fold of a shirt.
_GLIMPSE_SCORE = 0.7
#: ... where is within this share of the longer side of the larger box.
_SAME_PLACE = 0.5
#: A region that a reviewer has written down may be off by so much: whole pixels.
_READ_PX = 1.0


def link_boxes(found: pd.DataFrame, gap: int) -> np.ndarray:
    """Give boxes that follow one another over time the same number.

    Parameters
    ----------
    found : DataFrame
        Columns frame, x_px, y_px, width_px, height_px.
    gap : int
        Frames for which a place may have no box.

    Returns
    -------
    array, shape (n,), int
        Numbers from 0. A box follows another that is less than a side away from it.
    """
    numbers = np.full(len(found), -1)
    boxes, frames = found[BOX].to_numpy(float), found["frame"].to_numpy()
    centres, sides = boxes[:, :2] + boxes[:, 2:4] / 2, boxes[:, 2:4].max(axis=1, initial=0)
    order = np.argsort(frames, kind="stable")
    n_places = 0
    last: list[int] = []  # of every place that may go on, its last row
    for rows in np.split(order, np.flatnonzero(np.diff(frames[order])) + 1):
        if not len(rows):
            continue
        last = [row for row in last if frames[rows[0]] - frames[row] <= gap + 1]
        away = np.hypot(*(centres[rows][:, None] - centres[last][None]).T).T
        away = away / np.maximum(np.maximum(sides[rows][:, None], sides[last][None]), 1e-9)
        for new, old in zip(*np.unravel_index(np.argsort(away, axis=None, kind="stable"), away.shape), strict=True):
            row, before = rows[new], last[old]
            if away[new, old] < 1 and numbers[row] < 0 and frames[before] < frames[row]:
                numbers[row] = numbers[before]
                last[old] = int(row)
        for row in rows[numbers[rows] < 0]:
            numbers[row] = n_places
            n_places += 1
            last.append(int(row))
    return numbers


def make_findings(found: pd.DataFrame, kind: str, gap: int) -> list[dict[str, Any]]:
    """Return a finding for every place: its frames, and its box in the frame with the highest score.

    ``n_frames`` are those in which a detector has found it, or the skeleton where it alone did.
    """
    findings = []
    for _, rows in found.groupby(link_boxes(found, gap), sort=True):
        best = rows.iloc[int(rows["score"].argmax())]
        sources = list(dict.fromkeys(source for listed in rows["source"] for source in listed.split(", ")))
        by_detector = rows[rows["source"] != SKELETON]
        masked = rows.loc[rows["source"] == MASKED_VIDEO, "score"]
        findings.append(
            {
                "kind": kind,
                "first_frame": int(rows["frame"].min()),
                "last_frame": int(rows["frame"].max()),
                "frame": int(best["frame"]),
                **{column: round(float(best[column]), 2) for column in BOX},
                "score": round(float(best["score"]), 4),
                "score_delivered": round(float(masked.max()), 4) if len(masked) else 0.0,
                "source": ", ".join(sources),
                "n_frames": int((by_detector if len(by_detector) else rows)["frame"].nunique()),
                "accepted": False,
            }
        )
    return findings


def is_glimpse(finding: Mapping[str, Any], hidden: pd.DataFrame, gap: int, sustained: int) -> bool:
    """Return whether a leak is brief, unsure, found by one detector only, and no gap in an otherwise covered face."""
    by = set(finding["source"].replace(MASKED_VIDEO, CENTERFACE).split(", "))
    sure = finding["score"] >= _GLIMPSE_SCORE and by != {SKELETON}
    if finding["kind"] != "leak" or finding["n_frames"] >= sustained or sure or len(by) > 1:
        return False
    near = hidden[hidden["frame"].between(finding["first_frame"] - gap, finding["last_frame"] + gap)]
    box, others = np.array([[finding[column] for column in BOX]]), near[BOX].to_numpy(float)
    away = np.hypot(*(others[:, :2] + others[:, 2:] / 2 - box[:, :2] - box[:, 2:] / 2).T)
    return bool((away > _SAME_PLACE * np.maximum(others[:, 2:].max(axis=1, initial=0), box[:, 2:].max())).all())


def lies_in(finding: Mapping[str, Any], region: Mapping[str, Any], size: tuple[int, int]) -> bool:
    """Return whether the visible part of a finding lies wholly inside what a reviewer has accepted."""
    if finding["first_frame"] < region["first_frame"] or finding["last_frame"] > region["last_frame"]:
        return False
    if region["x_px"] is None:
        return True
    (low, high), (first, last) = (
        np.clip([(box["x_px"], box["y_px"]), (box["x_px"] + box["width_px"], box["y_px"] + box["height_px"])], 0, size)
        for box in (finding, region)
    )
    return bool((low >= first - _READ_PX).all() and (high <= last + _READ_PX).all())


def frames_within(seconds: float, times: np.ndarray) -> int:
    """Return how many frames, on average, last no longer than some seconds."""
    return int(seconds / float(np.mean(np.diff(times))) + 1e-6) if len(times) > 1 else 0


def duration(finding: Mapping[str, Any], times: np.ndarray) -> float:
    """Return the seconds for which a finding is shown: to the beginning of the frame after its last."""
    steps = np.diff(times)
    ends = np.append(times[1:], times[-1] + (float(np.median(steps)) if len(steps) else 0.0))
    first, last = (min(finding[key], len(times) - 1) for key in ("first_frame", "last_frame"))
    return float(ends[last] - times[first])


def n_frames_of(findings: Iterable[Mapping[str, Any]]) -> int:
    """Return in how many frames there is one of the findings."""
    return len({frame for one in findings for frame in range(one["first_frame"], one["last_frame"] + 1)})
