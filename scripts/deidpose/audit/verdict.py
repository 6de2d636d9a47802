"""Decide whether a masked video hides every face that anything finds in its original.

It compares tables (what two face detectors and the skeleton found in the original, what was masked, what CenterFace
found in the masked video) and pixels (masked video against original), and comes to a verdict.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import betaincinv

from deidpose.audit.coverage import ENOUGH, share_under_masks
from deidpose.audit.evidence import (
    CENTERFACE,
    MASKED_VIDEO,
    SKELETON,
    YUNET,
    belongs_to,
    by_face,
    gather_evidence,
    merge_evidence,
    resized,
)
from deidpose.audit.leaks import duration, frames_within, is_glimpse, lies_in, link_boxes, make_findings, n_frames_of
from deidpose.audit.pixel_comparison import Comparison

#: A face that a detector loses for no longer than this is in the same place all the time: leaks are joined over it.
_SILENT_S = 0.1
#: ... and belongs to the same track when it is lost for no longer than this.
_TRACK_GAP_S = 0.5
#: A face outside the masks with this score, in any frame of the masked video, is no accident.
_SURE_SCORE = 0.8
#: A face that YuNet alone has found, in no frame of a leak anything else, is one with this score.
_SURE_ALONE = 0.9
#: CenterFace sees a face through a mask from this score on: below, it takes smooth ovals on shoulders, of which nothing
#: is left, for one now and then (docs/masks.md).
_SEEN_THROUGH = 0.65
#: ... and in fewer than this share of the masks.
_OFTEN_SEEN_THROUGH = 0.1
#: At most this many frame numbers and findings are listed; the counts are always complete.
_LISTED = 1000


def audit_video(
    comparison: Comparison,
    faces: pd.DataFrame,
    heads: pd.DataFrame,
    detections: pd.DataFrame,
    searched: pd.DataFrame,
    searched_masked: pd.DataFrame,
    times: np.ndarray,
    size: tuple[int, int],
    shape: str,
    settings: Mapping[str, Any],
    accepted: Sequence[Mapping[str, Any]] = (),
    visible: Sequence[int] = (),
    n_unplaced: int = 0,
) -> dict[str, Any]:
    """Compare what was found in a video with what was masked, and judge the masked video.

    Parameters
    ----------
    comparison : Comparison
        From `pixel_comparison.compare_pixels`.
    faces, heads, detections : DataFrame
        The tables of these names: the masks, the heads as the skeleton places them, and what YuNet found, all in the
        original.
    searched, searched_masked : DataFrame
        The table ``detections``, by CenterFace: in the original, and in the masked video.
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
        Frames in which somebody is seen whose head cannot be placed, see `review_flags.unplaced`.

    Returns
    -------
    dict
        ``verdict`` (pass, review or fail), ``reason`` (a sentence), counts, and ``findings``. A face-frame is one face
        in one frame of the original, however many detectors see it. See `upper_bound` for the two bounds.
    """
    evidence = gather_evidence(detections, searched, heads, settings["evidence_score"])
    shown = searched_masked.assign(source=MASKED_VIDEO, person=-1)
    excused, excused_shown = (belongs_to(table, heads, visible) for table in (evidence, shown))
    n_left_visible = int(merge_evidence(evidence[excused])["face"].nunique())
    evidence, shown = evidence[~excused], shown[~excused_shown].reset_index(drop=True)

    evidence = evidence.assign(covered=share_under_masks(evidence, faces, size, shape))
    evidence = merge_evidence(evidence[evidence["covered"].notna()])
    found = by_face(evidence)
    found["track"] = link_boxes(found, frames_within(_TRACK_GAP_S, times))
    leaked = found[~found["hidden"]]
    under = share_under_masks(resized(shown, 0.5), faces, size, shape)
    outside, inside = shown[~(under >= ENOUGH)], shown[under >= ENOUGH]

    silent = frames_within(_SILENT_S, times)
    findings = [
        *make_findings(pd.concat([leaked, outside], ignore_index=True), "leak", silent),
        *make_findings(comparison.not_applied, "not_applied", silent),
        *make_findings(inside, "residual", silent),
    ]
    hidden = found[found["hidden"]]
    for finding in findings:
        if is_glimpse(finding, hidden, frames_within(_TRACK_GAP_S, times), settings["sustained_frames"]):
            finding["kind"] = "glimpse"
        finding["accepted"] = any(lies_in(finding, region, size) for region in accepted)
    complete = comparison.n_frames == len(times)
    through = len(inside) / len(faces) if len(faces) else 0.0
    looked = any(
        region["x_px"] is None and region["first_frame"] == 0 and region["last_frame"] >= len(times) - 1
        for region in accepted
    )
    verdict, reason = judge_findings(
        findings, complete, comparison.n_unlike, len(found), settings["sustained_frames"], through, n_unplaced, looked
    )
    n_accepted = sum(finding["accepted"] for finding in findings)
    if n_accepted:
        reason += f" A reviewer has accepted {_count(n_accepted, 'finding')}."
    if n_left_visible:
        reason += f" By choice, {_count(n_left_visible, 'face-frame')} stayed visible."
    longest = max(
        (finding for finding in findings if finding["kind"] in ("leak", "glimpse")),
        key=lambda finding: duration(finding, times),
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
        "longest_leak_s": round(duration(longest, times), 3) if longest else 0.0,
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


def judge_findings(
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
    0.9; or CenterFace is sure of one (0.8) in the masked video. ``review``: all other leaks but glimpses, and faces
    that CenterFace sees through a mask for as long (with 0.65), as surely, or in one mask of ten; and where nothing was
    found, or the head of somebody who is seen could not be placed, unless a reviewer has accepted the whole video.
    ``pass``: none of these. What a reviewer has accepted counts for nothing but the first three.

    Parameters
    ----------
    findings : sequence of mappings
        As in what `audit` returns.
    complete : bool
        Whether the masked video has as many frames as its source.
    n_unlike : int
        Frames of it that do not show the original.
    n_face_frames : int
        Faces found in the original, for the reason of a pass.
    sustained : int
        ``audit.sustained_frames`` of the configuration.
    through : float
        Share of the masks in which CenterFace sees a face in the masked video.
    n_unplaced : int
        Frames in which somebody is seen whose head cannot be placed.
    looked : bool
        Whether a reviewer has accepted the whole picture in all frames.
    """
    if not complete:
        return "fail", "The masked video has a different number of frames than its source."
    if n_unlike:
        return "fail", f"In {_count(n_unlike, 'frame')} the masked video does not show its source."
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
        return "fail", f"In {_count(n_frames_of(not_applied), 'frame')} a mask is not in the file."
    if lasting or sure:
        most = max(lasting or sure, key=lambda leak: int(leak["n_frames"]))
        return "fail", (
            f"Faces are uncovered in {_count(n_frames_of(leaks), 'frame')}, at one place in {most['n_frames']} of "
            f"them, found by {most['source']} with a score of up to {most['score']:.2f}."
        )
    if leaks:
        surest = max(leaks, key=lambda leak: float(leak["score"]))
        return "review", (
            f"There may be a face that no mask covers in {_count(n_frames_of(leaks), 'frame')}, found by "
            f"{surest['source']} with a score of up to {surest['score']:.2f}."
        )
    if weak:
        seen = _count(n_frames_of(weak), "frame")
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


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


def _rounded(rate: float | None) -> float | None:
    return None if rate is None else round(rate, 6)
