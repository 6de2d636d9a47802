"""Collect the findings in one video that a person should look at."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from deidpose.boxes import covered_share, intersection_over_union, under_ellipse
from deidpose.review.apply_corrections import INSIDE

#: What a finding may be, worst first: a face that may be seen, a mask that may be wrong, and what is worth a look.
KINDS = (
    "not_masked", "leak", "not_applied", "residual", "glimpse", "no_head", "unsure", "unsupported", "no_face", "cut"
)  # fmt: skip
#: Of these the surest is the worst, of the others the longest.
_FACE_SEEN = ("not_masked", "leak", "not_applied", "residual", "glimpse")
_ABOUT_A_MASK = ("no_head", "unsure", "unsupported", "no_face")
_UNSTATED_KIND = "leak"  # the kind of a finding of the audit that states none

#: Findings of several audits with boxes that overlap by more than this, in frames that do, are the same.
_SAME_IOU = 0.3
BOX = ["x_px", "y_px", "width_px", "height_px"]


def collect_findings(
    review: pd.DataFrame, audits: Sequence[Mapping[str, Any]], faces: pd.DataFrame, timestamps: pd.DataFrame
) -> list[dict[str, Any]]:
    """Return everything in one video that a person should look at, worst first; what is settled comes last.

    Parameters
    ----------
    review, faces, timestamps : DataFrame
        The tables of these names.
    audits : sequence of mappings
        The audits of all methods. What several have found is listed once.

    Returns
    -------
    list of dict
        ``kind`` (of `KINDS`), ``first_frame``, ``last_frame``, ``frame`` (the one to look at), ``first_s``,
        ``last_s``, ``box`` (x, y, width, height in pixels, None for the whole picture), ``score`` (None if there is
        none), ``reason``, ``methods``, ``track``, ``person`` (-1 for none), ``region`` (the box that a decision is
        best about: around all findings that are listed as one, or around the masks of the track over the range),
        ``alone`` (whether taking the masks in that region away takes those of no other track) and ``settled``: what
        has been done about it since, "" for nothing.
    """
    listed = [
        {
            "kind": row["kind"],
            **{name: int(row[name]) for name in ("first_frame", "last_frame", "frame", "track", "person")},
            "box": None if row["kind"] == "cut" else box_of(row),
            "score": rounded(row["score"]),
            "reason": row["reason"],
            "methods": [],
            "settled": "",
        }
        for row in review.to_dict("records")
    ]
    listed = [*_joined(listed), *_of_audits(audits)]
    manual = faces[faces["origin"] == "manual"]
    times = timestamps["time_s"].to_numpy()
    for finding in listed:
        for end in ("first", "last"):
            finding[f"{end}_s"] = round(float(times[min(finding[f"{end}_frame"], len(times) - 1)]), 3)
        finding.setdefault("region", finding["box"])
        finding["alone"] = finding["kind"] not in _ABOUT_A_MASK
        if finding["kind"] in _ABOUT_A_MASK:
            finding |= _region_of_mask(finding, faces)
        finding["settled"] = finding["settled"] or _settled(finding, faces, manual)
    return sorted(listed, key=_severity)


def _joined(listed: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return findings with everything about one mask in one of them, whose kind is the worst."""
    joined: dict[tuple[Any, ...], dict[str, Any]] = {}
    for finding in sorted(listed, key=_severity):
        about_a_mask = finding["kind"] in _ABOUT_A_MASK and finding["track"] >= 0
        key = (
            tuple(finding[name] for name in ("track", "first_frame", "last_frame")) if about_a_mask else (id(finding),)
        )
        first = joined.setdefault(key, finding)
        if first is not finding and finding["reason"] not in first["reason"]:
            first["reason"] += "; " + finding["reason"]
    return list(joined.values())


def _region_of_mask(finding: Mapping[str, Any], faces: pd.DataFrame) -> dict[str, Any]:
    """Return the region that takes the masks of a finding's track away and no others; where there is none, its box."""
    masks = faces[faces["frame"].between(finding["first_frame"], finding["last_frame"]) & (faces["origin"] != "manual")]
    boxes, tracks = masks[BOX].to_numpy(float), masks["track"].to_numpy()
    regions = [finding["box"]]
    mine = boxes[tracks == finding["track"]]
    if len(mine):
        low, high = mine[:, :2].min(axis=0), (mine[:, :2] + mine[:, 2:]).max(axis=0)
        regions.insert(0, tuple(np.concatenate([low, high - low]).round(2).tolist()))
    for region in filter(None, regions):
        # As `apply_corrections.correct_masks` chooses; the row that is copied goes out to whole pixels.
        outward = np.array(region) + np.array([-1.0, -1.0, 2.0, 2.0])
        stays = pd.Series(covered_share(boxes, outward[None])[:, 0] >= INSIDE).groupby(tracks).all()
        if set(stays[stays].index) == {finding["track"]}:
            return {"region": region, "alone": True}
    return {"region": finding["box"], "alone": False}


def _of_audits(audits: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    merged: list[dict[str, Any]] = []
    for audit in audits:
        for leak in audit.get("findings", []):
            finding = {
                "kind": leak.get("kind") or _UNSTATED_KIND,
                **{name: int(leak[name]) for name in ("first_frame", "last_frame", "frame")},
                "track": -1,
                "person": -1,
                "box": box_of(leak),
                "region": box_of(leak),
                "score": rounded(leak.get("score")),
                "reason": f"found by {leak['source']}" if leak.get("source") else "",
                "methods": [audit["method"]],
                "settled": "accepted by a reviewer" if leak.get("accepted") else "",
            }
            same = next((other for other in merged if _is_same(finding, other)), None)
            if same is None:
                merged.append(finding)
            else:
                _merge(same, finding)
    return merged


def _is_same(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    if first["kind"] != second["kind"] or first["settled"] != second["settled"]:
        return False
    if first["first_frame"] > second["last_frame"] or second["first_frame"] > first["last_frame"]:
        return False
    # What one audit tells apart are two faces, however near to each other.
    if set(first["methods"]) & set(second["methods"]):
        return False
    if first["box"] is None or second["box"] is None:
        return first["box"] is second["box"]
    overlap = intersection_over_union(np.array([first["box"]]), np.array([second["box"]]))
    return bool(overlap[0, 0] > _SAME_IOU)


def _merge(finding: dict[str, Any], other: Mapping[str, Any]) -> None:
    """Merge another finding of the same face into ``finding``; the surer one of the two is shown."""
    if (other["score"] or 0) > (finding["score"] or 0):
        finding |= {key: other[key] for key in ("frame", "box", "score", "reason")}
    finding["first_frame"] = min(finding["first_frame"], other["first_frame"])
    finding["last_frame"] = max(finding["last_frame"], other["last_frame"])
    finding["methods"] = [*finding["methods"], *other["methods"]]
    if finding["region"] and other["region"]:
        corners = np.array([finding["region"], other["region"]])
        low, high = corners[:, :2].min(axis=0), (corners[:, :2] + corners[:, 2:]).max(axis=0)
        finding["region"] = tuple(np.concatenate([low, high - low]).round(2).tolist())


def _settled(finding: Mapping[str, Any], faces: pd.DataFrame, manual: pd.DataFrame) -> str:
    """Return what a person's decisions have done about a finding, "" for nothing."""
    if finding["kind"] in _FACE_SEEN:
        if finding["box"] is None or not len(manual):
            return ""
        masks = manual[manual["frame"].between(finding["first_frame"], finding["last_frame"])]
        throughout = masks["frame"].nunique() == finding["last_frame"] - finding["first_frame"] + 1
        there = masks.loc[masks["frame"] == finding["frame"], BOX].to_numpy(float)
        hidden = under_ellipse(np.array([finding["box"]]), there).any()
        return "masked by a reviewer in the frame shown" if throughout and hidden else ""
    if finding["kind"] in _ABOUT_A_MASK and finding["track"] >= 0:
        masks = faces[faces["track"] == finding["track"]]
        left = masks["frame"].between(finding["first_frame"], finding["last_frame"]).any()
        return "" if left else "no longer masked"
    return ""


def _severity(finding: Mapping[str, Any]) -> tuple[Any, ...]:
    kind = KINDS.index(finding["kind"]) if finding["kind"] in KINDS else 0
    n_frames = finding["last_frame"] - finding["first_frame"] + 1
    worst = (finding["score"] or 0, n_frames) if finding["kind"] in _FACE_SEEN else (n_frames, finding["score"] or 0)
    return bool(finding["settled"]), kind, -worst[0], -worst[1], finding["first_frame"], finding["box"] or ()


def box_of(row: Mapping[Any, Any]) -> tuple[float, float, float, float] | None:
    """Return the box of a row in pixels, rounded to hundredths; None where it has none."""
    values = [row.get(name) for name in BOX]
    if any(value is None or not np.isfinite(value) for value in values):
        return None
    x, y, width, height = (round(float(value), 2) for value in values if value is not None)
    return x, y, width, height


def rounded(value: float | None) -> float | None:
    """Return a number with three decimals; None for a missing one."""
    return None if value is None or pd.isna(value) else round(float(value), 3)
