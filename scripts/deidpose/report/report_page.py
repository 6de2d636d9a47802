"""Render the report: one HTML file that opens offline, without source pixels or source names.

The first screen is plain HTML. Everything below it is made in the reader's browser from tables that the page carries
packed, each of which is unpacked when it is looked at, so that a study of a thousand videos opens like one of four.
"""

import base64
import gzip
import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
import markupsafe
import numpy as np
import pandas as pd

from deidpose.errors import UserError
from deidpose.kinematics.angles import ANGLES, JOINTS, SEGMENTS
from deidpose.labels import CONTROL, JOINT_MEAN
from deidpose.report import style, video_data
from deidpose.report.packing import pack_table
from deidpose.report.page_tables import (
    MEASURES,
    SHOWN_OF_SCREENING,
    SHOWN_TABLES,
    audit_table,
    column_definition,
    definitions,
    describe_columns,
    describe_video_columns,
    keep_most_important,
    mean_differences,
    rows_of_people,
    thin_pairs,
    video_table,
)
from deidpose.review import apply_corrections
from deidpose.skeleton import LIMBS

VERDICTS = ("pass", "review", "fail")

#: The files of config/page_libraries.yaml that the page needs.
LIBRARIES = ("plotly", "datatables", "datatables_style")

#: Those of them that are modules.
_MODULES = ("datatables",)

#: The folder beside the page for the videos that are not kept inside it.
FOLDER = "report"

#: Percent of the frames from which on losses and exchanged sides are told on the first screen.
_WORTH_TELLING = 1.0

_EXPORT = re.compile(r"export\s*\{([^}]*)\}\s*;?")


class Page(NamedTuple):
    """The report: its text, and the names of the payloads that belong in `FOLDER` beside it, as they are called."""

    text: str
    beside: list[str]


def render(
    *,
    screening: pd.DataFrame,
    choice: pd.DataFrame,
    contrasts: pd.DataFrame,
    summary: pd.DataFrame,
    equivalence: pd.DataFrame,
    agreement: pd.DataFrame,
    effects: pd.DataFrame,
    keypoint_effects: pd.DataFrame,
    identities: pd.DataFrame,
    headcounts: pd.DataFrame,
    movements: pd.DataFrame,
    pairs: pd.DataFrame,
    audits: Sequence[Mapping[str, Any]],
    methods: Sequence[str],
    settings: Mapping[str, Any],
    provenance: Mapping[str, Any],
    libraries: Mapping[str, str],
    payloads: Mapping[str, str | Path],
    sentence: str,
    conditions: Mapping[str, str] | None = None,
    imported: str = "",
) -> Page:
    """Write the report.

    Parameters
    ----------
    screening, choice, contrasts, summary, equivalence, agreement : DataFrame
        The tables of these names. Of the screening, only what does not identify is shown. Videos that a
        reviewer has left out are marked by `apply_corrections.leave_out`.
    effects, keypoint_effects, identities, headcounts, movements, pairs : DataFrame
        The tables of these names, of all videos.
    audits : sequence of mappings
        The audit of each video and method, after `verdicts.apply_proofs`.
    methods : sequence of str
        The masking methods, without the control, in the order to show them.
    settings : mapping
        The settings of the run, nested, without paths.
    provenance : mapping
        ``versions``: package -> version; ``models``: name -> sha256, licence and whatever else is known, of networks
        and of `LIBRARIES`.
    libraries : mapping
        Name, as in `LIBRARIES`, -> text of the file.
    payloads : mapping
        Video -> path of its script, from `video_data.script`.
    sentence : str
        Which method to choose and why.
    conditions : mapping, optional
        Video -> condition of the table of videos.
    imported : str
        From `origins.warning_of_imports`.

    Returns
    -------
    Page
        HTML that loads nothing but the files that go beside it, of which there are none while all of them together have
        at most ``report.max_embedded_mb``.

    Raises
    ------
    UserError
        A library is missing, or the data of a video are not what the workflow writes.
    """
    missing = [name for name in LIBRARIES if name not in libraries]
    if missing:
        raise UserError(f"The page needs the libraries {', '.join(missing)}; see config/page_libraries.yaml.")
    conditions = conditions or {}
    audits = sorted(audits, key=lambda audit: (audit["video"], _rank(methods, audit["method"])))
    withhold = settings.get("audit", {}).get("withhold", [])
    signal = "filtered" if settings.get("kinematics", {}).get("filter", True) else "unfiltered"
    accepted = screening[screening["status"] == "accepted"]
    everything = {
        "choice": choice,
        "contrasts": contrasts,
        "summary": summary,
        "equivalence": equivalence,
        "agreement": agreement,
        "effects": effects,
        "keypoint_effects": keypoint_effects,
        "identities": identities,
        "headcounts": headcounts,
        "movements": movements,
        "pairs": thin_pairs(rows_of_people(pairs, settings)),
        "audits": audit_table(audits, withhold),
        "screening": screening[list(SHOWN_OF_SCREENING)],
    }
    totals = {name: len(table) for name, table in everything.items()} | {"pairs": len(pairs)}
    shown = {name: keep_most_important(table, signal) for name, table in everything.items()}
    packed = {name: pack_table(table) for name, table in shown.items()}
    packed["videos"] = pack_table(
        video_table(
            accepted, rows_of_people(effects, settings), headcounts, audits, methods, signal, conditions
        ).reset_index(drop=True)
    )
    packed["points"] = pack_table(mean_differences(rows_of_people(effects, settings)))
    embedded, beside = _embedded(payloads, float(settings.get("report", {}).get("max_embedded_mb", 0)))
    script = (_TEMPLATES / "report_page.js").read_text(encoding="utf-8")
    study: dict[str, Any] = {
        "methods": list(methods),
        "control": CONTROL,
        "looks": {name: _look(look) for name, look in style.looks(["original", *methods, CONTROL]).items()},
        "verdicts": style.VERDICTS,
        "words": {name: style.words(name) for name in (*JOINTS, *SEGMENTS, *methods, CONTROL, "original", "body")}
        | {JOINT_MEAN: "Mean over joints"},
        "mean": JOINT_MEAN,
        "joints": list(JOINTS),
        "segments": list(SEGMENTS),
        "turns": {name: angle.turn for name, angle in ANGLES.items() if angle.turn != 360},
        "limbs": [list(limb) for limb in LIMBS],
        "bands": [list(band) for band in style.AGREEMENT_BANDS],
        "signal": signal,
        "margin": float(settings.get("study", {}).get("margin_deg", 2)),
        "level": float(settings.get("study", {}).get("confidence_level", 0.95)),
        "conditions": {video: conditions[video] for video in sorted(conditions) if conditions[video]},
        "tables": {
            name: {
                "heading": SHOWN_TABLES[name][0],
                "row": SHOWN_TABLES[name][1],
                "total": totals[name],
                "columns": describe_columns(name, map(str, shown[name])),
            }
            for name in SHOWN_TABLES
        }
        | {
            "videos": {
                "heading": "Videos",
                "row": "",
                "total": len(accepted),
                "columns": describe_video_columns(methods),
            }
        },
        "measures": [
            {"name": name, "heading": heading, "unit": unit, "text": text}
            for name, (heading, unit, text) in MEASURES.items()
        ],
        "tradeoff": _tradeoff(choice),
        "beside": {Path(name).stem: f"{FOLDER}/{name}" for name in beside},
    }
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": number, "count": count, "percent": percent, "words": style.words}
    margin = number(study["margin"], 1).removesuffix(".0")
    lead, rest = _parts(sentence, choice)
    text = environment.get_template("report_page.html.j2").render(
        style=markupsafe.Markup((_TEMPLATES / "report_page.css").read_text(encoding="utf-8")),
        script=markupsafe.Markup(script),
        # Only this script, and what it loads itself, may run: nothing that a table holds can become one.
        script_digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        study=_json(study),
        packed=packed,
        embedded=embedded,
        libraries={
            name: _compressed(_classic(libraries[name]) if name in _MODULES else libraries[name]) for name in LIBRARIES
        },
        sentence=sentence,
        lead=lead,
        rest=rest,
        caution=_caution(choice, summary, equivalence, signal, margin),
        imported=imported,
        choice=_records(choice.sort_values("rank")),
        marks=study["looks"],
        flow=_flow(screening, audits, withhold),
        withheld=[audit for audit in audits if audit["verdict"] in withhold],
        withhold=withhold,
        rejected=_records(screening[screening["status"] != "accepted"].sort_values("video")),
        level=f"{100 * study['level']:g} %",
        margin=margin,
        signal=signal,
        tables=SHOWN_TABLES,
        definition=column_definition,
        definitions=definitions(),
        audit_terms={column["name"]: column for column in describe_columns("audits")},
        settings=_flat(settings),
        versions=dict(provenance.get("versions", {})),
        models=dict(provenance.get("models", {})),
        n_beside=len(beside),
        folder=FOLDER,
    )
    return Page(text, beside)


_TEMPLATES = Path(__file__).parent / "templates"


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


def _rank(methods: Sequence[str], method: str) -> int:
    return list(methods).index(method) if method in methods else len(methods)


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return rows as dictionaries, with None for everything that is missing."""
    return [
        {str(key): None if pd.isna(value) else value for key, value in row.items()} for row in table.to_dict("records")
    ]


def _json(value: Any) -> markupsafe.Markup:
    """Return JSON that cannot end the HTML element around it."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return markupsafe.Markup(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))


def _compressed(text: str) -> str:
    return base64.b64encode(gzip.compress(text.encode(), compresslevel=9, mtime=0)).decode()


def _classic(text: str) -> str:
    """Return a module as a script that any page can load: what it exports becomes ``window.deidposeModule``.

    A page opened from a disk has no origin, and browsers differ in whether such a page may load a module.
    """
    exports = list(_EXPORT.finditer(text))
    if not exports:
        raise UserError("The library of tables exports nothing; see config/page_libraries.yaml.")
    last = exports[-1]
    names = [part.split(" as ") for part in last[1].split(",")]
    members = ",".join(f'"{pair[-1].strip()}":{pair[0].strip()}' for pair in names)
    return (
        f'(()=>{{"use strict";{text[: last.start()]}window.deidposeModule={{{members}}};}})();\n{text[last.end() :]}\n'
    )


def _look(look: style.Look) -> dict[str, Any]:
    """Return colour, symbol and dashes as the charts of the page want them."""
    symbols = {
        "o": ("circle", "●"), "s": ("square", "■"), "^": ("triangle-up", "▲"), "D": ("diamond", "◆"),
        "v": ("triangle-down", "▼"), "P": ("cross", "✚"), "X": ("x", "✖"), "<": ("triangle-left", "◀"),
        ">": ("triangle-right", "▶"), "*": ("star", "★"), "p": ("pentagon", "⬟"),
    }  # fmt: skip
    dashes = ",".join(f"{2 * length:g}px" for length in look.dashes)
    symbol, sign = symbols[look.marker]
    return {"colour": look.colour, "symbol": symbol, "sign": sign, "dash": dashes or "solid"}


def _embedded(payloads: Mapping[str, str | Path], most_mb: float) -> tuple[dict[str, str], list[str]]:
    """Return the data of the videos that go into the page, or else the names of the files that go beside it."""
    paths = {video: Path(payloads[video]) for video in sorted(payloads)}
    if sum(path.stat().st_size for path in paths.values()) > most_mb * 1e6:
        for video, path in paths.items():
            video_data.data_of_script(path.read_text("ascii"), video)
        return {}, [f"{video}.js" for video in paths]
    return {video: video_data.data_of_script(path.read_text("ascii"), video) for video, path in paths.items()}, []


def _tradeoff(choice: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the first figure: for each method what it costs and how many of its files the audit has passed."""
    shown = ("method", "recommended", "mae_net_deg", "low", "high", "n_pass", "n_videos")
    return [{key: row[key] for key in shown} for row in _records(choice.sort_values("rank"))]


def _parts(sentence: str, choice: pd.DataFrame) -> tuple[str, str]:
    """Return the first sentence and the others, without a beginning that says only what the heading says."""
    best = choice[choice["recommended"].astype(bool)]
    text = sentence.removeprefix(f"Use {best['method'].iloc[0]}. ") if len(best) else sentence
    first, point, rest = text.partition(". ")
    return first + point.strip(), rest


def _caution(choice: pd.DataFrame, summary: pd.DataFrame, equivalence: pd.DataFrame, signal: str, margin: str) -> str:
    """Return what to know before following the choice, in a few sentences; nothing if there is nothing."""
    best = choice[choice["recommended"].astype(bool)]
    if best.empty:
        return ""
    method = str(best["method"].iloc[0])
    tests = equivalence[
        (equivalence["method"] == method)
        & (equivalence["condition"] == "all")
        & (equivalence["signal"] == signal)
        & (equivalence["basis"] == "net")
        & (equivalence["measure"] == "mae_deg")
        & equivalence["angle"].isin(list(JOINTS))
    ]
    measured = tests[tests["n_units"] > 0]
    undecided = measured[measured["verdict"] == "undecided"]
    cost = float(best["mae_net_deg"].iloc[0])
    dear = f"Its added error, {number(cost, 1)}°, is beyond the margin of {margin}°. " if cost > float(margin) else ""
    lost = float(best["lost_percent_net"].iloc[0])
    if lost >= _WORTH_TELLING:
        dear += f"It loses the angles in {number(lost, 0, ' %')} more frames than re-encoding does. "
    turned = summary[
        (summary["method"] == method)
        & (summary["condition"] == "all")
        & (summary["basis"] == "net")
        & (summary["measure"] == "mirrored_percent")
    ]["mean"]
    if (turned >= _WORTH_TELLING).any():
        dear += f"Without a face, left and right are exchanged in {number(turned.iloc[0], 0, ' %')} more frames. "
    if undecided.empty:
        return dear.strip()
    text = dear + (
        f"Too few data to be sure: for {method}, whether the added error stays within {margin}° is undecided at "
        f"{len(undecided)} of {len(measured)} joint angles."
    )
    if len(measured) < len(tests):
        text += f" {len(tests) - len(measured)} more could not be measured."
    # Where the number is empty, more are needed than can be planned for.
    half = undecided["n_needed"].astype("Float64").fillna(np.inf).median()
    if np.isinf(half):
        return text
    return f"{text} Deciding half of them takes about {count(float(half))} videos or subjects in all."


def _flow(screening: pd.DataFrame, audits: Sequence[Mapping[str, Any]], withhold: Sequence[str]) -> dict[str, Any]:
    """Return what became of all videos and files, counted, and the reasons of rejection with how many they stopped."""
    status = screening["status"]
    rejected = screening[(status != "accepted") & (status != apply_corrections.LEFT_OUT)]
    n_withheld = sum(audit["verdict"] in withhold for audit in audits)
    return {
        "n_videos": len(screening),
        "n_accepted": int((status == "accepted").sum()),
        "n_rejected": len(rejected),
        "n_left_out": int((status == apply_corrections.LEFT_OUT).sum()),
        "n_files": len(audits),
        "n_withheld": n_withheld,
        "n_released": len(audits) - n_withheld,
        "reasons": Counter(rejected["reason"].fillna("").map(str)).most_common(),
    }


def _flat(settings: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Return nested settings as (dotted key, value) in their own order."""
    rows: list[tuple[str, str]] = []
    for key, value in settings.items():
        if isinstance(value, Mapping):
            rows += _flat(value, f"{prefix}{key}.")
        else:
            rows.append((f"{prefix}{key}", value if isinstance(value, str) else json.dumps(value, default=str)))
    return rows
