"""Prepare the tables of the report page: their rows, described column by column."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from deidpose import tables
from deidpose.kinematics.angles import JOINTS
from deidpose.labels import CONTROL
from deidpose.report import style

#: A table on the page has at most so many values; of a longer one the rows that matter most, see `_most_important`.
MAX_VALUES = 2_500_000

#: At most so many pairs of angles are kept for each method, angle and signal, evenly over all there are.
MAX_PAIRS = 1200

#: Columns of the screening that identify nobody.
SHOWN_OF_SCREENING = (
    "video", "status", "reason", "width", "height", "fps", "n_frames", "duration_s", "codec",
)  # fmt: skip

#: Column -> heading, where the name alone would not say it.
_HEADINGS = {
    "mae_deg": "Mean absolute difference",
    "rmse_deg": "Root mean square difference",
    "p95_deg": "95th percentile",
    "sd_deg": "Standard deviation",
    "loa_low_deg": "Lower limit of agreement",
    "loa_high_deg": "Upper limit of agreement",
    "icc_2_1": "ICC(2,1)",
    "pearson_r": "Correlation r",
    "pck_0_2": "PCK@0.2",
    "oks": "OKS",
    "displacement_mean": "Mean displacement",
    "displacement_median": "Median displacement",
    "displacement_p95": "95th percentile of displacement",
    "fps": "Frame rate",
    "low": "Interval from",
    "high": "Interval to",
    "sd": "Standard deviation",
    "p_equivalence": "p of equivalence",
    "p_difference": "p of difference",
    "p_equivalence_adjusted": "p of equivalence, adjusted",
    "p_difference_adjusted": "p of difference, adjusted",
    "n_both": "Frames in both",
    "n_original": "Frames in the original",
    "n_lost": "Frames lost",
    "n_gained": "Frames gained",
    "lost_percent": "Frames lost (%)",
    "gained_percent": "Frames gained (%)",
    "percent_difference": "Percent difference",
    "n_needed": "Videos needed",
    "n_units": "Units",
    "n_pairs": "Frames compared",
    "n_pass": "Files passed",
    "n_review": "Files to review",
    "n_fail": "Files failed",
    "n_face_frames": "Face-frames",
    "n_leaked_frames": "Frames with a leak",
    "share_covered": "Faces covered",
    "leak_rate_upper_95": "Leak rate at most (face-frames)",
    "track_leak_rate_upper_95": "Leak rate at most (tracks)",
    "n_residual_inside": "Faces seen in masks",
    "longest_leak_frames": "Longest leak (frames)",
    "longest_leak_s": "Longest leak",
    "masked_area_percent": "Area masked",
    "n_switches": "Identity switches",
}

#: Numbers of the audit that the page shows, by their key in ``privacy/``: unit and definition.
_AUDIT: dict[str, tuple[str, str]] = {
    "video": ("", "pseudonymous id of the video"),
    "method": ("", "how faces were masked"),
    "verdict": ("", "pass, review (a person should look), or fail"),
    "released": ("", "yes, or withheld because of the verdict"),
    "reason": ("", "why it has this verdict"),
    "n_frames": ("frames", "frames of the video"),
    "masked_area_percent": ("%", "share of the picture that lies under masks, mean over frames"),
    "n_face_frames": (
        "",
        "faces in frames of the original, found by YuNet, CenterFace or the skeleton; found by several, once",
    ),
    "share_covered": ("0..1", "of these, the share of which at least 90 % of the face's ellipse lies under masks"),
    "n_leaked_frames": (
        "frames",
        "frames with a face that is not covered, or that CenterFace finds outside the masks of the masked video",
    ),
    "longest_leak_frames": ("frames", "the longest time that one place stays uncovered, in frames"),
    "longest_leak_s": ("s", "the longest time that one place stays uncovered, in seconds"),
    "leak_rate_upper_95": (
        "0..1",
        "exact upper 95 % confidence bound of the share of face-frames that leak, were they independent, which frames "
        "of one face are not",
    ),
    "track_leak_rate_upper_95": (
        "0..1",
        "the same for faces followed over time, of which one leaks when one of its frames does: the more careful bound",
    ),
    "n_residual_inside": ("", "faces that CenterFace still sees in the masks of the masked video"),
}

#: Measures of the summary that are a column of no table.
MEASURES: dict[str, tuple[str, str, str]] = {
    "mirrored_percent": (
        "Left and right exchanged (%)",
        "%",
        "share of the frames in both in which the method exchanges left and right",
    ),
}

_VIDEOS: dict[str, tuple[str, str]] = {
    "video": ("", "pseudonymous id of the video"),
    "condition": ("", "condition of the table of videos"),
    "duration_s": ("s", "from the first frame to the end of the last"),
    "n_frames": ("", "frames that decode"),
    "n_people": ("", "people in the original"),
    "n_switches": ("", "changes of identity, over all people and methods, the control left out"),
}

#: Table -> (heading, what a row is). In the order of the list.
SHOWN_TABLES: dict[str, tuple[str, str]] = {
    "choice": ("Choice of method", "One row for each method, the best first."),
    "contrasts": ("Methods compared", "What one method costs more than another, mean over joint angles."),
    "summary": ("Summary", "Means over videos (or subjects), by method, condition, angle and measure."),
    "equivalence": ("Equivalence", "The two one-sided tests, by method, condition, angle and measure."),
    "agreement": ("Agreement", "Limits of agreement and ICC, by method, condition and angle."),
    "effects": ("Effects on angles", "What a method did to one angle of one person in one video."),
    "keypoint_effects": ("Effects on keypoints", "What a method did to one keypoint of one person in one video."),
    "identities": ("Identities", "How well a method kept track of one person in one video."),
    "headcounts": ("Numbers of people", "How many people a method saw in one video."),
    "movements": ("Movements", "Range of motion, peak and cycle time, by video, source, person and angle."),
    "pairs": ("Pairs of angles", "Single frames: the angle in the original and in the method."),
    "audits": ("Audits", "One row for each masked video."),
    "screening": ("Videos that went in", "Accepted and rejected videos, with the reason."),
}


def definitions() -> list[tuple[tuple[str, str], list[tuple[str, str, str, str]]]]:
    """Return what every column of every table is: (name and heading of the table, [(name, heading, unit, text)])."""
    return [
        (
            (name, heading),
            [(column["name"], column["heading"], column["unit"], column["text"]) for column in describe_columns(name)],
        )
        for name, (heading, _) in SHOWN_TABLES.items()
    ]


def column_definition(table: str, column: str) -> str:
    """Return what one column of a released table means."""
    return next(found["text"] for found in describe_columns(table) if found["name"] == column)


def describe_columns(table: str, columns: Iterable[str] | None = None) -> list[dict[str, str]]:
    """Return name, heading, unit and definition of the columns of a table."""
    if table == "audits":
        known = _AUDIT
    else:
        known = {name: (column.unit, column.description) for name, column in tables.TABLES[table].items()}
    if table == "screening":
        known = {name: known[name] for name in SHOWN_OF_SCREENING}
    return [_column(name, *known[name]) for name in (known if columns is None else columns)]


def describe_video_columns(methods: Sequence[str]) -> list[dict[str, str]]:
    """Return name, unit, text and heading of every column of the page's table of videos."""
    columns = [_column(name, unit, text) for name, (unit, text) in _VIDEOS.items()]
    for method in methods:
        text = f"additional mean absolute difference of {method}, net of the control, mean over joints and people"
        columns.append(_column(f"cost_{method}", "deg", text) | {"heading": f"{style.words(method)}, added error"})
    for method in methods:
        columns.append(
            _column(f"audit_{method}", "", f"verdict of the audit of the file masked by {method}")
            | {"heading": f"{style.words(method)}, audit"}
        )
    return columns


def _column(name: str, unit: str, text: str) -> dict[str, str]:
    return {"name": name, "heading": _HEADINGS.get(name) or _heading(name), "unit": unit, "text": text}


def _heading(column: str) -> str:
    """Return a column's name in words, without its unit."""
    net = column.endswith("_net") or "_net_" in column
    base = column.replace("_net", "") if net else column
    if net and base in _HEADINGS:
        return f"{_HEADINGS[base]}, net"
    for ending in ("_deg", "_s", "_px", "_percent"):
        base = base.removesuffix(ending)
    text = base.removeprefix("n_").replace("_", " ")
    return text[:1].upper() + text[1:] + (", net" if net else "")


def keep_most_important(table: pd.DataFrame, signal: str) -> pd.DataFrame:
    """Return a table that is short enough for the page.

    Of a longer one: the patients and the original first, the signal of the headline, joints; then segments, the other
    signal, other people. What is not as important as the last row is left out as a whole, unless not even the first
    kind fits.
    """
    most = MAX_VALUES // max(1, len(table.columns))
    if len(table) <= most:
        return table.reset_index(drop=True)
    order = np.zeros(len(table), dtype=np.int64)
    for column, wanted in (("patient", [True]), ("source", ["original"]), ("signal", [signal]), ("angle", JOINTS)):
        if column in table:
            order = 2 * order + ~table[column].isin(list(wanted)).to_numpy()
    level, counts = np.unique(order, return_counts=True)
    fits = level[np.cumsum(counts) <= most]
    chosen = table[np.isin(order, fits)] if len(fits) else table[order == level[0]].iloc[:most]
    return chosen.reset_index(drop=True)


def rows_of_people(table: pd.DataFrame, settings: Mapping[str, Any]) -> pd.DataFrame:
    """Return the rows of the people that the study is about."""
    if settings.get("study", {}).get("people", "patient") == "patient":
        return table[table["patient"].astype(bool)]
    return table


def thin_pairs(pairs: pd.DataFrame) -> pd.DataFrame:
    """Return at most `MAX_PAIRS` pairs of each method, angle and signal, evenly over all of them."""
    groups = pairs.groupby(["method", "angle", "signal"], sort=False)["frame"]
    at, size = groups.cumcount().to_numpy(), groups.transform("size").to_numpy()
    wanted = np.minimum(size, MAX_PAIRS)
    return pairs[at * wanted // size != (at - 1) * wanted // size] if len(pairs) else pairs


def mean_differences(effects: pd.DataFrame) -> pd.DataFrame:
    """Return the differences of each video, method, angle and signal: mean over people, weighted by their frames."""
    measures = ["bias_deg", "bias_net_deg", "mae_deg", "mae_net_deg"]
    keys = ["video", "method", "angle", "signal"]
    table = effects[effects["n_both"] > 0]
    weights = pd.DataFrame(
        {measure: table["n_both"].where(table[measure].notna()).astype(float) for measure in measures}
    )
    sums = (table[measures] * weights).groupby([table[key] for key in keys]).sum(min_count=1)
    weight = weights.groupby([table[key] for key in keys]).sum(min_count=1)
    return (sums / weight).reset_index()


def video_table(
    accepted: pd.DataFrame,
    effects: pd.DataFrame,
    headcounts: pd.DataFrame,
    audits: Sequence[Mapping[str, Any]],
    methods: Sequence[str],
    signal: str,
    conditions: Mapping[str, str],
) -> pd.DataFrame:
    """Return a row for each accepted video, to choose one from."""
    videos = accepted.sort_values("video")[["video", "duration_s", "n_frames"]].reset_index(drop=True)
    videos.insert(1, "condition", [conditions.get(video, "") for video in videos["video"]])
    people = headcounts.groupby("video")["n_people_original"].max()
    switches = headcounts[headcounts["method"] != CONTROL].groupby("video")["n_switches"].sum()
    videos["n_people"] = videos["video"].map(people).astype(float)
    videos["n_switches"] = videos["video"].map(switches).astype(float)
    chosen = effects[(effects["signal"] == signal) & effects["angle"].isin(list(JOINTS))]
    cost = chosen.groupby(["method", "video"])["mae_net_deg"].mean()
    for method in methods:
        mine = cost.loc[method] if method in cost.index.get_level_values(0) else pd.Series(dtype=float)
        videos[f"cost_{method}"] = videos["video"].map(mine).astype(float)
    for method in methods:
        verdicts = {audit["video"]: audit["verdict"] for audit in audits if audit["method"] == method}
        videos[f"audit_{method}"] = [verdicts.get(video, "") for video in videos["video"]]
    return videos


def audit_table(audits: Sequence[Mapping[str, Any]], withhold: Sequence[str]) -> pd.DataFrame:
    """Return the audits as a table with the columns of `_AUDIT`."""
    rows = [
        {**audit, "released": "withheld" if audit["verdict"] in withhold else "yes"} | {"reason": audit["reason"] or ""}
        for audit in audits
    ]
    texts = ("video", "method", "verdict", "released", "reason")
    return pd.DataFrame(rows, columns=list(_AUDIT)).astype(
        {name: "str" if name in texts else "float64" for name in _AUDIT}
    )
