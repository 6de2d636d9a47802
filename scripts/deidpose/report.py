"""The study on one page: a file of HTML that opens offline, with no source pixel and no source name in it."""

import base64
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
import pandas as pd

from deidpose import corrections, tables
from deidpose.stats import CONTROL

#: The two angles that lead.
LEADING = ("left_knee", "left_elbow")

#: More than this many trace figures, or rows of the table of people, would make the page slow to open.
MAX_TRACES = 20
MAX_PEOPLE_ROWS = 5000

VERDICTS = ("pass", "review", "fail")

#: Measure -> (heading, decimals, unit, whether it is a change and so carries its sign).
_MEASURES: dict[str, tuple[str, int, str, bool]] = {
    "bias_deg": ("Bias", 2, "°", True),
    "mae_deg": ("Mean absolute difference", 2, "°", False),
    "percent_difference": ("Percent difference", 1, " %", False),
    "lost_percent": ("Frames lost", 1, " %", False),
    "gained_percent": ("Frames gained", 1, " %", False),
    "confidence_bias": ("Confidence change", 3, "", True),
}

#: Figure -> (heading, what it shows). The heading is also the text for those who cannot see it.
FIGURES: dict[str, tuple[str, str]] = {
    "accuracy": (
        "Mean absolute difference from the original",
        "Mean over videos with its bootstrap interval, raw. The dashed line and the band are the control: what "
        "decoding and encoding alone cost.",
    ),
    "heatmap": (
        "Additional mean absolute difference, by angle",
        "Net of the control: above zero the mask cost accuracy, around zero it made no difference.",
    ),
    "confidence": (
        "Change of pose confidence, by angle",
        "Confidence of the pose estimation in the anonymized video minus that in the original, raw.",
    ),
    "lost_frames": (
        "Frames lost and gained, by angle",
        "Frames in which the angle was measured in the original only (lost) or in the anonymized video only (gained), "
        "as a share of the frames of the original, raw.",
    ),
}

#: Measures of the summary that the table ``effects`` does not hold as a column.
_DERIVED = {
    "lost_percent": ("%", "100 x n_lost / n_original"),
    "gained_percent": ("%", "100 x n_gained / n_original"),
}

#: Numbers of the audit that the table ``audit`` of the page shows, by their key in ``privacy/``.
_AUDIT = {
    "n_face_frames": (
        "",
        "faces in frames of the original, found by YuNet, CenterFace or the skeleton; found by several, once",
    ),
    "share_covered": ("0..1", "of these, the share of which at least 90 % of the face's ellipse lies under masks"),
    "n_leaked_frames": (
        "frames",
        "frames with a face that is not covered, or that CenterFace finds outside the masks of the delivered file",
    ),
    "longest_leak_frames": ("frames", "the longest time that one place stays uncovered, in frames"),
    "longest_leak_s": ("s", "the same in seconds"),
    "leak_rate_upper_95": (
        "0..1",
        "exact upper 95 % confidence bound of the share of face-frames that leak, were they independent, which frames "
        "of one face are not",
    ),
    "track_leak_rate_upper_95": (
        "0..1",
        "the same for faces followed over time, of which one leaks when one of its frames does: the more careful bound",
    ),
    "n_residual_inside": ("", "faces that CenterFace still sees in the masks of the delivered file"),
}


class Image(NamedTuple):
    """A figure inside the page."""

    heading: str
    text: str
    uri: str


def render(
    screening: pd.DataFrame,
    effects: pd.DataFrame,
    summary: pd.DataFrame,
    audits: Sequence[Mapping[str, Any]],
    methods: Sequence[str],
    figures: Mapping[str, str],
    traces: Mapping[str, str],
    settings: Mapping[str, Any],
    provenance: Mapping[str, Any],
) -> str:
    """Write the report.

    Parameters
    ----------
    screening, effects, summary : DataFrame
        The tables of these names. Of the screening, only what does not identify is shown. Videos that a reviewer has
        left out are marked by `corrections.leave_out`.
    audits : sequence of mappings
        The audit of each video and method, as in its JSON file.
    methods : sequence of str
        The masking methods, without the control, in the order to show them.
    figures : mapping
        Name, as in `figures.STUDY`, -> SVG.
    traces : mapping
        Video -> SVG. The first `MAX_TRACES` are shown.
    settings : mapping
        The settings of the run, nested, without paths. ``study.confidence_level`` and ``audit.withhold`` are used.
    provenance : mapping
        ``versions``: package -> version; ``models``: name -> sha256, licence and whatever else is known.

    Returns
    -------
    str
        HTML that loads nothing from anywhere.
    """
    accepted = screening[screening["status"] == "accepted"]
    audits = sorted(audits, key=lambda audit: (audit["video"], _rank(methods, audit["method"])))
    withhold = settings.get("audit", {}).get("withhold", [])
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": number, "count": count, "percent": percent, "words": _words}
    people = _people(effects)
    return environment.get_template("report.html.j2").render(
        n_videos=len(screening),
        accepted=_records(accepted.sort_values("video")),
        rejected=_records(screening[screening["status"] != "accepted"].sort_values("video")),
        n_left_out=int((screening["status"] == corrections.LEFT_OUT).sum()),
        n_people=len(effects[["video", "person"]].drop_duplicates()),
        level=f"{100 * settings.get('study', {}).get('confidence_level', 0.95):g} %",
        lead=_lead(summary, audits, methods),
        answer=_answer(summary, methods),
        figures=[Image(*FIGURES[name], _uri(figures[name])) for name in FIGURES if name in figures],
        traces=[
            Image(f"Video {video}", "Left knee and left elbow over time, before and after.", _uri(traces[video]))
            for video in sorted(traces)[:MAX_TRACES]
        ],
        max_traces=MAX_TRACES,
        measures=[heading for heading, *_ in _MEASURES.values()],
        summary=_summary_rows(summary),
        people=people[:MAX_PEOPLE_ROWS],
        n_people_rows=len(people),
        max_people_rows=MAX_PEOPLE_ROWS,
        audits=audits,
        withheld=[audit for audit in audits if audit["verdict"] in withhold],
        withhold=withhold,
        settings=_flat(settings),
        versions=dict(provenance.get("versions", {})),
        models=dict(provenance.get("models", {})),
        definitions=_definitions(),
    )


def number(value: float | None, decimals: int, unit: str = "", signed: bool = False) -> str:
    """Return a number with its unit as a reader sees it; a dash where there is none."""
    if value is None or pd.isna(value):
        return "–"
    rounded = round(float(value), decimals) + 0.0  # adding 0 turns -0.0 into 0.0
    text = f"{rounded:+.{decimals}f}" if signed and rounded != 0 else f"{rounded:.{decimals}f}"
    return text.replace("-", "\N{MINUS SIGN}") + unit.replace(" ", "\N{NO-BREAK SPACE}")


def percent(share: float | None) -> str:
    """Return a share, 0..1, in percent; never rounded to 100 % or to 0 % that it is not."""
    if share is None or pd.isna(share):
        return "–"
    rounded = round(100 * share, 2)
    return number(rounded if share in (0, 1) else min(max(rounded, 0.01), 99.99), 2, " %")


def count(value: float | None) -> str:
    """Return a whole number with its thousands apart; a dash where there is none."""
    if value is None or pd.isna(value):
        return "–"
    return f"{int(value):,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def _words(name: str) -> str:
    return "Control" if name == CONTROL else str(name).replace("_", " ").capitalize()


def _rank(methods: Sequence[str], method: str) -> int:
    return list(methods).index(method) if method in methods else len(methods)


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return rows as dictionaries, with None for everything that is missing."""
    return [
        {str(key): None if pd.isna(value) else value for key, value in row.items()} for row in table.to_dict("records")
    ]


def _measured(summary: pd.DataFrame) -> dict[tuple[str, str, str, str], dict[str, Any]]:
    """Return the summary by (method, angle, measure, basis)."""
    return {(row["method"], row["angle"], row["measure"], row["basis"]): row for row in _records(summary)}


def _cell(row: Mapping[str, Any] | None, basis: str) -> dict[str, str]:
    """Return the texts of one mean: its value, and its interval where there is one."""
    if row is None or row["mean"] is None:
        return {"mean": "–", "interval": ""}
    _, decimals, unit, signed = _MEASURES[row["measure"]]
    signed = signed or basis == "net"
    interval = ""
    if row["low"] is not None:
        low, high = (number(row[end], decimals, "", signed) for end in ("low", "high"))
        interval = f"{low} to {high}"
    return {"mean": number(row["mean"], decimals, unit, signed), "interval": interval}


def _lead(summary: pd.DataFrame, audits: Sequence[Mapping[str, Any]], methods: Sequence[str]) -> list[dict[str, Any]]:
    """Return the rows of the first table: a method with its two leading angles and its audit."""
    measured = _measured(summary)
    rows = []
    for method in [*methods, CONTROL]:
        mine = [audit for audit in audits if audit["method"] == method]
        verdicts = Counter(audit["verdict"] for audit in mine)
        angles = []
        for angle in LEADING:
            cells = [
                _cell(measured.get((method, angle, "mae_deg", basis)), basis)
                if not (method == CONTROL and basis == "net")
                else None
                for basis in ("raw", "net")
            ]
            cells += [
                _cell(measured.get((method, angle, measure, "raw")), "raw")
                for measure in ("percent_difference", "confidence_bias", "lost_percent")
            ]
            angles.append({"angle": angle, "cells": cells})
        rows.append(
            {
                "method": method,
                "angles": angles,
                "control": method == CONTROL,
                "verdicts": [verdicts[verdict] for verdict in VERDICTS],
                "n_leaked": sum(audit["n_leaked_frames"] for audit in mine),
            }
        )
    return rows


def _answer(summary: pd.DataFrame, methods: Sequence[str]) -> str:
    """Return the result at the left knee in one sentence; empty where nothing was measured."""
    measured = _measured(summary)
    rows = [measured.get((method, LEADING[0], "mae_deg", "net")) for method in methods]
    found = sorted((row for row in rows if row and row["mean"] is not None), key=lambda row: float(row["mean"]))
    if not found:
        return ""
    parts = [f"{row['method']} {_cell(row, 'net')['mean']}" for row in found]
    return (
        f"Net of the control, the mean absolute difference at the left knee is, from least to most: {', '.join(parts)}."
    )


def _summary_rows(summary: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a row for every method, basis and angle, with a cell for every measure."""
    measured = _measured(summary)
    keys = dict.fromkeys((method, basis, angle) for method, angle, _, basis in measured)
    return [
        {
            "method": method,
            "basis": basis,
            "angle": angle,
            # Of a person whom a method lost there is a share of lost frames, and no difference.
            "n_videos": max(
                measured[method, angle, measure, basis]["n_videos"]
                for measure in _MEASURES
                if (method, angle, measure, basis) in measured
            ),
            "cells": [_cell(measured.get((method, angle, measure, basis)), basis) for measure in _MEASURES],
        }
        for method, basis, angle in keys
    ]


def _people(effects: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a row for every video, person and method, with the effects on the two leading angles."""
    chosen = effects[effects["angle"].isin(LEADING)]
    rows: dict[tuple[str, int, str], dict[str, Any]] = {}
    for record in _records(chosen):
        key = (record["video"], record["person"], record["method"])
        row = rows.setdefault(key, {"video": key[0], "person": key[1], "method": key[2], "angles": {}})
        row["angles"][record["angle"]] = record
    return [row | {"angles": [row["angles"][angle] for angle in LEADING]} for row in rows.values()]


def _flat(settings: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Return nested settings as (dotted key, value) in their own order."""
    rows: list[tuple[str, str]] = []
    for key, value in settings.items():
        if isinstance(value, Mapping):
            rows += _flat(value, f"{prefix}{key}.")
        else:
            rows.append((f"{prefix}{key}", value if isinstance(value, str) else json.dumps(value, default=str)))
    return rows


def _definitions() -> list[tuple[str, str, str]]:
    """Return (measure, unit, definition) of every number in the report."""
    effects = tables.TABLES["effects"]
    shown = {name: (effects[name].unit, effects[name].description) for name in effects if effects[name].unit}
    shown |= {name: (effects[name].unit, effects[name].description) for name in ("pearson_r", "confidence_bias")}
    shown |= _DERIVED | _AUDIT
    shown["basis"] = ("", tables.TABLES["summary"]["basis"].description)
    shown["mean"] = ("as measure", tables.TABLES["summary"]["mean"].description)
    shown["interval"] = ("as measure", "percentile bootstrap interval, drawn over videos")
    return [(name, unit, description) for name, (unit, description) in shown.items()]


def _uri(svg: str) -> str:
    """Return a figure as a data URI, so that the ids inside several figures cannot clash."""
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()
