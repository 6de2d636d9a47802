"""The study on one page: a file of HTML that opens offline, with no source pixel and no source name in it.

The first screen is plain HTML. Everything below it is made in the reader's browser from tables that the page carries
packed, each of which is unpacked when it is looked at, so that a study of a thousand videos opens like one of four.
"""

import base64
import gzip
import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
import markupsafe
import numpy as np
import pandas as pd

from deidpose import corrections, payload, style, tables
from deidpose.angles import ANGLES, JOINTS, SEGMENTS
from deidpose.errors import UserError
from deidpose.skeleton import LIMBS
from deidpose.stats import CONTROL, JOINT_MEAN

VERDICTS = ("pass", "review", "fail")

#: The files of config/page_libraries.yaml that the page needs.
LIBRARIES = ("plotly", "datatables", "datatables_style")

#: Those of them that are modules.
_MODULES = ("datatables",)

#: The folder beside the page for the videos that are not kept inside it.
FOLDER = "report"

#: A table on the page has at most so many values; of a longer one the rows that matter most, see `_most_important`.
MAX_VALUES = 2_500_000

#: At most so many pairs of angles are kept for each method, angle and signal, evenly over all there are.
MAX_PAIRS = 1200

#: Rows from which on numbers are kept with three decimals, and not as they are.
_MANY_ROWS = 20_000
_DECIMALS = 3
_MISSING = -(2**31)

#: Columns of the screening that identify nobody.
SHOWN_OF_SCREENING = (
    "video", "status", "reason", "width", "height", "fps", "n_frames", "duration_s", "codec",
)  # fmt: skip

#: Percent of the frames from which on losses and exchanged sides are told on the first screen.
_WORTH_TELLING = 1.0

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
        "frames with a face that is not covered, or that CenterFace finds outside the masks of the delivered file",
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
    "n_residual_inside": ("", "faces that CenterFace still sees in the masks of the delivered file"),
}

#: Measures of the summary that are a column of no table.
_MEASURES: dict[str, tuple[str, str, str]] = {
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
_TABLES: dict[str, tuple[str, str]] = {
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
    "audits": ("Audits", "One row for each masked file."),
    "screening": ("Videos that went in", "Accepted and rejected videos, with the reason."),
}

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
        reviewer has left out are marked by `corrections.leave_out`.
    effects, keypoint_effects, identities, headcounts, movements, pairs : DataFrame
        The tables of these names, of all videos.
    audits : sequence of mappings
        The audit of each video and method, after `sanitizing.judge`.
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
        Video -> path of its script, from `payload.script`.
    sentence : str
        Which method to choose and why.
    conditions : mapping, optional
        Video -> condition of the table of videos.
    imported : str
        From `pose.warning_of_imports`.

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
        "pairs": _thinned(_of_the_people(pairs, settings)),
        "audits": _audit_table(audits, withhold),
        "screening": screening[list(SHOWN_OF_SCREENING)],
    }
    totals = {name: len(table) for name, table in everything.items()} | {"pairs": len(pairs)}
    shown = {name: _most_important(table, signal) for name, table in everything.items()}
    packed = {name: _pack_table(table) for name, table in shown.items()}
    packed["videos"] = _pack_table(
        _video_table(
            accepted, _of_the_people(effects, settings), headcounts, audits, methods, signal, conditions
        ).reset_index(drop=True)
    )
    packed["points"] = _pack_table(_points(_of_the_people(effects, settings)))
    embedded, beside = _embedded(payloads, float(settings.get("report", {}).get("max_embedded_mb", 0)))
    script = (_TEMPLATES / "report.js").read_text(encoding="utf-8")
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
                "heading": _TABLES[name][0],
                "row": _TABLES[name][1],
                "total": totals[name],
                "columns": _described(name, map(str, shown[name])),
            }
            for name in _TABLES
        }
        | {"videos": {"heading": "Videos", "row": "", "total": len(accepted), "columns": _described_videos(methods)}},
        "measures": [
            {"name": name, "heading": heading, "unit": unit, "text": text}
            for name, (heading, unit, text) in _MEASURES.items()
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
    text = environment.get_template("report.html.j2").render(
        style=markupsafe.Markup((_TEMPLATES / "report.css").read_text(encoding="utf-8")),
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
        tables=_TABLES,
        definition=_definition,
        definitions=definitions(),
        audit_terms={column["name"]: column for column in _described("audits")},
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


def definitions() -> list[tuple[tuple[str, str], list[tuple[str, str, str, str]]]]:
    """Return what every column of every table is: (name and heading of the table, [(name, heading, unit, text)])."""
    return [
        (
            (name, heading),
            [(column["name"], column["heading"], column["unit"], column["text"]) for column in _described(name)],
        )
        for name, (heading, _) in _TABLES.items()
    ]


def _definition(table: str, column: str) -> str:
    return next(found["text"] for found in _described(table) if found["name"] == column)


def _described(table: str, columns: Iterable[str] | None = None) -> list[dict[str, str]]:
    """Return name, heading, unit and definition of the columns of a table."""
    if table == "audits":
        known = _AUDIT
    else:
        known = {name: (column.unit, column.description) for name, column in tables.TABLES[table].items()}
    if table == "screening":
        known = {name: known[name] for name in SHOWN_OF_SCREENING}
    return [_column(name, *known[name]) for name in (known if columns is None else columns)]


def _described_videos(methods: Sequence[str]) -> list[dict[str, str]]:
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
    """Return a column's name in words: the unit stands elsewhere."""
    net = column.endswith("_net") or "_net_" in column
    base = column.replace("_net", "") if net else column
    if net and base in _HEADINGS:
        return f"{_HEADINGS[base]}, net"
    for ending in ("_deg", "_s", "_px", "_percent"):
        base = base.removesuffix(ending)
    text = base.removeprefix("n_").replace("_", " ")
    return text[:1].upper() + text[1:] + (", net" if net else "")


def _rank(methods: Sequence[str], method: str) -> int:
    return list(methods).index(method) if method in methods else len(methods)


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return rows as dictionaries, with None for everything that is missing."""
    return [
        {str(key): None if pd.isna(value) else value for key, value in row.items()} for row in table.to_dict("records")
    ]


def _json(value: Any) -> markupsafe.Markup:
    """Return JSON that cannot end the element of HTML that it stands in."""
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
            payload.data(path.read_text("ascii"), video)
        return {}, [f"{video}.js" for video in paths]
    return {video: payload.data(path.read_text("ascii"), video) for video, path in paths.items()}, []


def _pack_table(table: pd.DataFrame) -> str:
    """Return a table, column by column: texts as numbers of a list, numbers as they are or with three decimals."""
    columns, arrays = [], []
    many = len(table) > _MANY_ROWS
    for name in table.columns:
        values = table[name]
        if pd.api.types.is_bool_dtype(values.dtype):
            values = values.map({True: "yes", False: "no"})
        if pd.api.types.is_numeric_dtype(values.dtype):
            numbers = values.to_numpy(dtype=float, na_value=np.nan)
            largest = np.nanmax(np.abs(numbers), initial=0.0) if np.isfinite(numbers).any() else 0.0
            whole = not (np.nan_to_num(numbers) % 1).any()
            scale = 1 if whole else 10**_DECIMALS
            if (many or whole) and largest * scale < -_MISSING:
                rounded = np.where(np.isfinite(numbers), np.round(np.nan_to_num(numbers) * scale), _MISSING)
                columns.append({"name": name, "scale": scale})
                arrays.append(rounded.astype(np.int32))
            else:
                columns.append({"name": name})
                arrays.append(numbers)
        else:
            codes, texts = pd.factorize(values.fillna("").astype(str))
            columns.append({"name": name, "texts": list(texts)})
            arrays.append(codes.astype(np.uint8 if len(texts) < 256 else np.uint32))
    return payload.pack({"rows": len(table), "columns": columns}, arrays)


def _most_important(table: pd.DataFrame, signal: str) -> pd.DataFrame:
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


def _of_the_people(table: pd.DataFrame, settings: Mapping[str, Any]) -> pd.DataFrame:
    """Return the rows of the people that the study is about."""
    if settings.get("study", {}).get("people", "patient") == "patient":
        return table[table["patient"].astype(bool)]
    return table


def _thinned(pairs: pd.DataFrame) -> pd.DataFrame:
    """Return at most `MAX_PAIRS` pairs of each method, angle and signal, evenly over all of them."""
    groups = pairs.groupby(["method", "angle", "signal"], sort=False)["frame"]
    at, size = groups.cumcount().to_numpy(), groups.transform("size").to_numpy()
    wanted = np.minimum(size, MAX_PAIRS)
    return pairs[at * wanted // size != (at - 1) * wanted // size] if len(pairs) else pairs


def _points(effects: pd.DataFrame) -> pd.DataFrame:
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


def _video_table(
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


def _audit_table(audits: Sequence[Mapping[str, Any]], withhold: Sequence[str]) -> pd.DataFrame:
    """Return the audits as a table with the columns of `_AUDIT`."""
    rows = [
        {**audit, "released": "withheld" if audit["verdict"] in withhold else "yes"} | {"reason": audit["reason"] or ""}
        for audit in audits
    ]
    texts = ("video", "method", "verdict", "released", "reason")
    return pd.DataFrame(rows, columns=list(_AUDIT)).astype(
        {name: "str" if name in texts else "float64" for name in _AUDIT}
    )


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
    rejected = screening[(status != "accepted") & (status != corrections.LEFT_OUT)]
    n_withheld = sum(audit["verdict"] in withhold for audit in audits)
    return {
        "n_videos": len(screening),
        "n_accepted": int((status == "accepted").sum()),
        "n_rejected": len(rejected),
        "n_left_out": int((status == corrections.LEFT_OUT).sum()),
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
