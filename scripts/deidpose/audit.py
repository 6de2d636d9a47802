"""The audit of a delivered file: whether every face that anything finds in the original is hidden in it.

It compares tables (what two face detectors and the skeleton found in the original, what was masked, what CenterFace
found in the delivered file) and pixels (delivered against original), and comes to a verdict.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import compress
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import betaincinv

from deidpose.comparison import Comparison
from deidpose.coverage import BOX, ENOUGH, about_centre, share_under_masks
from deidpose.faces import covered_share, intersection_over_union

#: What the two detectors and the skeleton are called, those first whose boxes fit a face best.
YUNET, CENTERFACE, SKELETON = "YuNet", "CenterFace", "skeleton"
DELIVERED = "CenterFace in the masked video"
_RANKS = {YUNET: 0, CENTERFACE: 1, SKELETON: 2}

#: The part of a head's square, about its centre, that must be covered where the skeleton alone tells of a face. The
#: square has a side of 1.4 head heights (`heads.ROOM`) and its centre on the mean of eyes, ears and nose. Six tenths
#: are 0.84 head heights, a little more than the distance from chin to hairline; the rest is hair, neck, and room for
#: the error of the keypoints, which need not be hidden.
_FACE_OF_HEAD = 0.6
#: Two boxes of one frame are of the same face when they overlap by more than this, or one lies in the other by more.
_SAME_FACE_IOU, _SAME_FACE_SHARE = 0.3, 0.7
#: A face that a detector loses for no longer than this is in the same place all the time: leaks are joined over it.
_SILENT_S = 0.1
#: ... and belongs to the same track when it is lost for no longer than this.
_TRACK_GAP_S = 0.5
#: A face outside the masks with this score, in any frame of the delivered file, is no accident.
_SURE_SCORE = 0.8
#: A face that YuNet alone has found, in no frame of a leak anything else, is one with this score.
_SURE_ALONE = 0.9
#: What one detector, or the skeleton, sees for fewer frames than ``audit.sustained_frames``, with a lower score than
#: this, where nothing tells of a face shortly before or after, is a glimpse: a swinging hand, a fold of a shirt.
_GLIMPSE_SCORE = 0.7
#: ... where is within this share of the longer side of the larger box.
_SAME_PLACE = 0.5
#: CenterFace sees a face through a mask from this score on: below, it takes smooth ovals on shoulders, of which nothing
#: is left, for one now and then (docs/masks.md).
_SEEN_THROUGH = 0.65
#: ... and in fewer than this share of the masks.
_OFTEN_SEEN_THROUGH = 0.1
#: A region that a reviewer has written down may be off by so much: whole pixels.
_READ_PX = 1.0
#: At most this many frame numbers and findings are listed; the counts are always complete.
_LISTED = 1000


def audit(
    comparison: Comparison,
    faces: pd.DataFrame,
    heads: pd.DataFrame,
    detections: pd.DataFrame,
    searched: pd.DataFrame,
    searched_delivered: pd.DataFrame,
    times: np.ndarray,
    size: tuple[int, int],
    shape: str,
    settings: Mapping[str, Any],
    accepted: Sequence[Mapping[str, Any]] = (),
    visible: Sequence[int] = (),
    n_unplaced: int = 0,
) -> dict[str, Any]:
    """Compare what was found in a video with what was masked, and judge the delivered file.

    Parameters
    ----------
    comparison : Comparison
        From `comparison.compare`.
    faces, heads, detections : DataFrame
        The tables of these names: the masks, the heads as the skeleton places them, and what YuNet found, all in the
        original.
    searched, searched_delivered : DataFrame
        The table ``detections``, by CenterFace: in the original, and in the delivered file.
    times : array, shape (n,)
        Seconds of every frame of the source.
    size : tuple of int
        Width and height of the picture, in pixels.
    shape : str
        ``mask.shape`` of the configuration.
    settings : mapping
        ``audit`` of the configuration: evidence_score, sustained_frames.
    accepted : sequence of mappings
        What a reviewer has accepted: first_frame, last_frame (which counts), and x_px, y_px, width_px, height_px in
        pixels, None each for the whole picture. A finding that lies wholly in one of them does not count for the
        verdict any more.
    visible : sequence of int
        People (of the table ``heads``) who are to be left visible. What is found within their heads is counted by
        itself, and is no leak.
    n_unplaced : int
        Frames in which somebody is seen whose head cannot be placed, see `doubts.unplaced`.

    Returns
    -------
    dict
        ``verdict`` (pass, review or fail), ``reason`` (a sentence), counts, and ``findings``. A face-frame is one face
        in one frame of the original, however many detectors see it. See `upper_bound` for the two bounds.
    """
    evidence = _evidence(detections, searched, heads, settings["evidence_score"])
    shown = searched_delivered.assign(source=DELIVERED, person=-1)
    excused, excused_shown = (_is_of(table, heads, visible) for table in (evidence, shown))
    n_left_visible = int(merge(evidence[excused])["face"].nunique())
    evidence, shown = evidence[~excused], shown[~excused_shown].reset_index(drop=True)

    evidence = evidence.assign(covered=share_under_masks(evidence, faces, size, shape))
    evidence = merge(evidence[evidence["covered"].notna()])
    found = _by_face(evidence)
    found["track"] = link(found, _frames(_TRACK_GAP_S, times))
    leaked = found[~found["hidden"]]
    under = share_under_masks(_resized(shown, 0.5), faces, size, shape)
    outside, inside = shown[~(under >= ENOUGH)], shown[under >= ENOUGH]

    silent = _frames(_SILENT_S, times)
    findings = [
        *_findings(pd.concat([leaked, outside], ignore_index=True), "leak", silent),
        *_findings(comparison.not_applied, "not_applied", silent),
        *_findings(inside, "residual", silent),
    ]
    hidden = found[found["hidden"]]
    for finding in findings:
        if _is_glimpse(finding, hidden, _frames(_TRACK_GAP_S, times), settings["sustained_frames"]):
            finding["kind"] = "glimpse"
        finding["accepted"] = any(_lies_in(finding, region, size) for region in accepted)
    complete = comparison.n_frames == len(times)
    through = len(inside) / len(faces) if len(faces) else 0.0
    looked = any(
        region["x_px"] is None and region["first_frame"] == 0 and region["last_frame"] >= len(times) - 1
        for region in accepted
    )
    verdict, reason = judge(
        findings, complete, comparison.n_unlike, len(found), settings["sustained_frames"], through, n_unplaced, looked
    )
    n_accepted = sum(finding["accepted"] for finding in findings)
    if n_accepted:
        reason += f" A reviewer has accepted {_count(n_accepted, 'finding')}."
    if n_left_visible:
        reason += f" By choice, {_count(n_left_visible, 'face-frame')} stayed visible."
    longest = max(
        (finding for finding in findings if finding["kind"] in ("leak", "glimpse")),
        key=lambda finding: _duration(finding, times),
        default=None,
    )
    leaked_frames = sorted({*leaked["frame"].tolist(), *outside["frame"].tolist()})
    tracks = found.groupby("track")["hidden"].all()
    return {
        "verdict": verdict,
        "reason": reason,
        "n_frames": comparison.n_frames,
        "n_frames_masked": int(faces["frame"].nunique()),
        "n_masks": len(faces),
        "masked_area_percent": round(100 * comparison.masked_share, 4),
        "n_face_frames": len(found),
        "n_face_frames_by_source": {
            source: int(evidence.loc[evidence["source"] == source, "face"].nunique())
            for source in (YUNET, CENTERFACE, SKELETON)
        },
        "n_covered": int(found["hidden"].sum()),
        "share_covered": round(float(found["hidden"].mean()), 6) if len(found) else None,
        "n_leaked_face_frames": len(leaked),
        "leak_rate_upper_95": _rounded(upper_bound(len(leaked), len(found))),
        "n_face_tracks": len(tracks),
        "n_leaked_tracks": int((~tracks).sum()),
        "track_leak_rate_upper_95": _rounded(upper_bound(int((~tracks).sum()), len(tracks))),
        "n_leaked_frames": len(leaked_frames),
        "leaked_frames": leaked_frames[:_LISTED],
        "longest_leak_frames": longest["last_frame"] - longest["first_frame"] + 1 if longest else 0,
        "longest_leak_s": round(_duration(longest, times), 3) if longest else 0.0,
        "n_left_visible": n_left_visible,
        "n_residual_outside": len(outside),
        "n_residual_inside": len(inside),
        "share_residual_inside": round(through, 6),
        "n_not_applied": len(comparison.not_applied),
        "n_frames_unlike_original": comparison.n_unlike,
        "n_accepted": n_accepted,
        "n_findings": len(findings),
        "findings": sorted(findings, key=lambda finding: (finding["accepted"], -finding["score"]))[:_LISTED],
    }


def judge(
    findings: Sequence[Mapping[str, Any]],
    complete: bool,
    n_unlike: int,
    n_face_frames: int,
    sustained: int,
    through: float = 0.0,
    n_unplaced: int = 0,
    looked: bool = False,
) -> tuple[str, str]:
    """Return the verdict and its reason.

    ``fail``: the file has not the frames of its source or does not show them; a mask is not there; an uncovered face
    is found in ``sustained`` frames in a row at one place, not by the skeleton alone nor by YuNet alone with less than
    0.9; or CenterFace is sure of one (0.8) in the delivered file. ``review``: all other leaks but glimpses, and faces
    that CenterFace sees through a mask for as long (with 0.65), as surely, or in one mask of ten; and where nothing was
    found, or the head of somebody who is seen could not be placed, unless a reviewer has accepted the whole video.
    ``pass``: none of these. What a reviewer has accepted counts for nothing but the first three.

    Parameters
    ----------
    findings : sequence of mappings
        As in what `audit` returns.
    complete : bool
        Whether the delivered file has as many frames as its source.
    n_unlike : int
        Frames of it that do not show the original.
    n_face_frames : int
        Faces found in the original, for the reason of a pass.
    sustained : int
        ``audit.sustained_frames`` of the configuration.
    through : float
        Share of the masks in which CenterFace sees a face in the delivered file.
    n_unplaced : int
        Frames in which somebody is seen whose head cannot be placed.
    looked : bool
        Whether a reviewer has accepted the whole picture in all frames.
    """
    if not complete:
        return "fail", "The masked file has not as many frames as its source."
    if n_unlike:
        return "fail", f"In {_count(n_unlike, 'frame')} the masked file does not show its source."
    open_findings = [finding for finding in findings if not finding["accepted"]]
    leaks, residual = (
        [finding for finding in open_findings if finding["kind"] == kind] for kind in ("leak", "residual")
    )
    not_applied = [finding for finding in findings if finding["kind"] == "not_applied"]
    lasting = [leak for leak in leaks if leak["n_frames"] >= sustained and _is_confirmed(leak)]
    sure = [leak for leak in leaks if leak["score_delivered"] >= _SURE_SCORE]
    weak = [
        finding
        for finding in residual
        if finding["score"] >= (_SEEN_THROUGH if finding["n_frames"] >= sustained else _SURE_SCORE)
        or through >= _OFTEN_SEEN_THROUGH
    ]
    if not_applied:
        return "fail", f"In {_count(_span(not_applied), 'frame')} a mask is not in the file."
    if lasting or sure:
        most = max(lasting or sure, key=lambda leak: int(leak["n_frames"]))
        return "fail", (
            f"Faces are uncovered in {_count(_span(leaks), 'frame')}, at one place in {most['n_frames']} of them, found"
            f" by {most['source']} with a score of up to {most['score']:.2f}."
        )
    if leaks:
        surest = max(leaks, key=lambda leak: float(leak["score"]))
        return "review", (
            f"There may be a face that no mask covers in {_count(_span(leaks), 'frame')}, found by {surest['source']}"
            f" with a score of up to {surest['score']:.2f}."
        )
    if weak:
        seen = _count(_span(weak), "frame")
        return "review", f"A face is still seen through a mask in {seen}: the masks are too weak."
    if n_unplaced and not looked:
        seen = _count(n_unplaced, "frame")
        return "review", f"In {seen} somebody is seen whose head could not be placed, and nothing of them is masked."
    if not n_face_frames:
        return (
            "pass" if looked else "review"
        ), "No face was found in the original: a person must see that there is none."
    n_glimpses = sum(finding["kind"] == "glimpse" for finding in open_findings)
    but = f", but for {_count(n_glimpses, 'glimpse')} that may be none" if n_glimpses else ""
    return "pass", f"No face that was found in the original is left uncovered{but}."


def _is_confirmed(leak: Mapping[str, Any]) -> bool:
    """Return whether more than YuNet, when it is not sure, or more than the skeleton tells of a leak.

    What YuNet alone takes for a face in many frames, with scores of up to 0.82 in the demo clips, are bare chests.
    """
    by = leak["source"].split(", ")
    return len(by) > 1 or by[0] not in (YUNET, SKELETON) or (by[0] == YUNET and leak["score"] >= _SURE_ALONE)


def upper_bound(n_leaked: int, n: int) -> float | None:
    """Return the upper 95 % confidence bound of a rate of leaks, one-sided, exact; None when there was nothing to leak.

    It is the bound of Clopper and Pearson (1934, Biometrika 26:404-413). When none of n has leaked it is
    1 - 0.05^(1/n), of which the rule of three, 3 / n (Hanley and Lippman-Hand 1983, JAMA 249:1743-1745), is an
    approximation.

    It takes the units for independent draws from what the masking meets. Face-frames are not: a face that is covered
    in one frame is likely to be in the next, so the bound over face-frames is too low, the more so the longer the
    tracks are. The bound over tracks (one leaked frame makes a leaked track) takes only people and shots for
    independent, and is the one to quote for a claim beyond this video; it is high where few people are seen. Neither
    says anything about faces that no detector and no skeleton has found.
    """
    if n == 0:
        return None
    return 1.0 if n_leaked >= n else float(betaincinv(n_leaked + 1, n - n_leaked, 0.95))


# ------------------------------------------------------------------------------------------------------- evidence


def _evidence(
    detections: pd.DataFrame, searched: pd.DataFrame, heads: pd.DataFrame, evidence_score: float
) -> pd.DataFrame:
    """Return every box that tells of a face in the original, whoever found it: frame, box, score, source, person."""
    found = [
        detections[detections["score"] >= evidence_score].assign(source=YUNET, person=-1),
        searched.assign(source=CENTERFACE, person=-1),
        _faces_of_heads(heads),
    ]
    return pd.concat(found, ignore_index=True)[["frame", *BOX, "score", "source", "person"]]


def merge(evidence: pd.DataFrame) -> pd.DataFrame:
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


def _by_face(evidence: pd.DataFrame) -> pd.DataFrame:
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
    return _resized(rows, _FACE_OF_HEAD).assign(source=SKELETON)


def _resized(table: pd.DataFrame, factor: float) -> pd.DataFrame:
    """Return a table with the sides of its boxes times ``factor``, about their centres."""
    boxes = about_centre(table[BOX].to_numpy(float), factor)
    return table.assign(**dict(zip(BOX, boxes.T, strict=True)))


def _is_of(found: pd.DataFrame, heads: pd.DataFrame, people: Sequence[int]) -> np.ndarray:
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


# ------------------------------------------------------------------------------------------------------- findings


def link(found: pd.DataFrame, gap: int) -> np.ndarray:
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


def _findings(found: pd.DataFrame, kind: str, gap: int) -> list[dict[str, Any]]:
    """Return a finding for every place: its frames, and its box in the frame with the highest score.

    ``n_frames`` are those in which a detector has found it, or the skeleton where it alone did.
    """
    findings = []
    for _, rows in found.groupby(link(found, gap), sort=True):
        best = rows.iloc[int(rows["score"].argmax())]
        sources = list(dict.fromkeys(source for listed in rows["source"] for source in listed.split(", ")))
        by_detector = rows[rows["source"] != SKELETON]
        delivered = rows.loc[rows["source"] == DELIVERED, "score"]
        findings.append(
            {
                "kind": kind,
                "first_frame": int(rows["frame"].min()),
                "last_frame": int(rows["frame"].max()),
                "frame": int(best["frame"]),
                **{column: round(float(best[column]), 2) for column in BOX},
                "score": round(float(best["score"]), 4),
                "score_delivered": round(float(delivered.max()), 4) if len(delivered) else 0.0,
                "source": ", ".join(sources),
                "n_frames": int((by_detector if len(by_detector) else rows)["frame"].nunique()),
                "accepted": False,
            }
        )
    return findings


def _is_glimpse(finding: Mapping[str, Any], hidden: pd.DataFrame, gap: int, sustained: int) -> bool:
    """Return whether a leak is brief, unsure, seen by one alone, and not a moment of a face that is hidden else."""
    by = set(finding["source"].replace(DELIVERED, CENTERFACE).split(", "))
    sure = finding["score"] >= _GLIMPSE_SCORE and by != {SKELETON}
    if finding["kind"] != "leak" or finding["n_frames"] >= sustained or sure or len(by) > 1:
        return False
    near = hidden[hidden["frame"].between(finding["first_frame"] - gap, finding["last_frame"] + gap)]
    box, others = np.array([[finding[column] for column in BOX]]), near[BOX].to_numpy(float)
    away = np.hypot(*(others[:, :2] + others[:, 2:] / 2 - box[:, :2] - box[:, 2:] / 2).T)
    return bool((away > _SAME_PLACE * np.maximum(others[:, 2:].max(axis=1, initial=0), box[:, 2:].max())).all())


def _lies_in(finding: Mapping[str, Any], region: Mapping[str, Any], size: tuple[int, int]) -> bool:
    """Return whether a finding lies wholly in what a reviewer has accepted, as far as it is in the picture."""
    if finding["first_frame"] < region["first_frame"] or finding["last_frame"] > region["last_frame"]:
        return False
    if region["x_px"] is None:
        return True
    (low, high), (first, last) = (
        np.clip([(box["x_px"], box["y_px"]), (box["x_px"] + box["width_px"], box["y_px"] + box["height_px"])], 0, size)
        for box in (finding, region)
    )
    return bool((low >= first - _READ_PX).all() and (high <= last + _READ_PX).all())


def _frames(seconds: float, times: np.ndarray) -> int:
    """Return how many frames, on average, last no longer than some seconds."""
    return int(seconds / float(np.mean(np.diff(times))) + 1e-6) if len(times) > 1 else 0


def _duration(finding: Mapping[str, Any], times: np.ndarray) -> float:
    """Return the seconds for which a finding is shown: to the beginning of the frame after its last."""
    steps = np.diff(times)
    ends = np.append(times[1:], times[-1] + (float(np.median(steps)) if len(steps) else 0.0))
    first, last = (min(finding[key], len(times) - 1) for key in ("first_frame", "last_frame"))
    return float(ends[last] - times[first])


def _span(findings: Iterable[Mapping[str, Any]]) -> int:
    """Return in how many frames there is one of the findings."""
    return len({frame for one in findings for frame in range(one["first_frame"], one["last_frame"] + 1)})


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


def _rounded(rate: float | None) -> float | None:
    return None if rate is None else round(rate, 6)
