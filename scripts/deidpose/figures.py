"""The figures of a study, for papers and for Snakemake's report.

Every figure of `STUDY` is a function of a `Study`, the tables of the study in one, and returns a Matplotlib figure.
`save` writes it as SVG, PDF or PNG, the same bytes for the same input. All are 180 mm wide, two columns of a journal,
unless there are so many methods that they need more; nothing in them is smaller than 7 points.

Unless a figure says otherwise it shows all conditions together and the headline signal, and the control as its last
method. What is missing stays empty and says so; a figure that has nothing at all to show is a sentence.
"""

import logging
import math
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import BoundaryNorm, Colormap, LinearSegmentedColormap, ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray
from scipy.stats import gaussian_kde

from deidpose.angles import ANGLES, JOINTS, SEGMENTS, Angles
from deidpose.stats import CONTROL
from deidpose.style import (
    AGREEMENT_BANDS,
    COLOURS,
    FIGURES,
    LEADING,
    VERDICTS,
    Look,
    agreement_band,
    looks,
    words,
)

#: Width of every figure in mm: two columns of a journal.
WIDTH_MM = 180.0

#: A trace shows at most this much of a video, in seconds: enough for several strides, and small in a report.
TRACE_SECONDS = 20.0

#: A Bland–Altman panel draws up to so many frame pairs as dots, more as hexagons shaded by their number.
MAX_DOTS = 1500

#: A distribution of fewer videos than this is drawn without a box, and of fewer than that without a violin: quartiles
#: of four values, or a density of nine, show more than is known.
MIN_BOX = 5
MIN_VIOLIN = 10

#: Resolution of PNG and of the dots inside SVG and PDF, in dots per inch.
DPI = 300

#: Angle -> its column in the arrays of `Angles`.
_COLUMN = {angle: column for column, angle in enumerate(ANGLES)}

_SMALL = 7.0  # points; the smallest text
_EDGE = "#666666"
_INK = "#222222"
_BAND = "#e3ebf1"
_STYLE: Any = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # it comes with matplotlib, so the layout is the same everywhere
    "font.size": 8,
    "text.color": _INK,
    "axes.labelcolor": _INK,
    "axes.labelsize": 8,
    "axes.titlesize": 8,
    "axes.titlelocation": "left",
    "axes.titlepad": 3.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.edgecolor": _EDGE,
    "axes.linewidth": 0.6,
    "axes.unicode_minus": True,
    "xtick.labelsize": _SMALL,
    "ytick.labelsize": _SMALL,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.5,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "lines.linewidth": 1.1,
    "lines.markersize": 4,
    "figure.labelsize": 8,
    "figure.titlesize": 9,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "svg.hashsalt": "deidpose",  # otherwise the ids in an SVG are drawn at random
    "svg.fonttype": "none",  # text stays text: to be searched, read out and edited
    "pdf.fonttype": 42,  # TrueType, embedded; journals refuse Type 3
}


class Study(NamedTuple):
    """The tables of a study, as in ``tables.TABLES``, and the settings that their numbers were made with.

    Attributes
    ----------
    summary, equivalence, agreement, choice : DataFrame
        The tables of these names.
    effects, keypoint_effects, identities, headcounts, pairs : DataFrame
        The tables of these names, of all videos.
    signal : str
        The headline signal: ``filtered`` or ``unfiltered``.
    people : str
        ``patient`` or ``all``: whose rows of ``effects``, ``keypoint_effects`` and ``pairs`` are drawn.
    level : float
        Level of the bootstrap intervals of ``summary`` and ``choice``, such as 0.95.
    margin_deg : float
        Margin of equivalence, degrees.
    alpha : float
        Error rate of the tests; ``equivalence`` holds 1 - 2 x alpha intervals.
    """

    summary: pd.DataFrame
    equivalence: pd.DataFrame
    agreement: pd.DataFrame
    choice: pd.DataFrame
    effects: pd.DataFrame
    keypoint_effects: pd.DataFrame
    identities: pd.DataFrame
    headcounts: pd.DataFrame
    pairs: pd.DataFrame
    signal: str
    people: str
    level: float
    margin_deg: float
    alpha: float


def save(figure: Figure, path: str | Path) -> None:
    """Write a figure as SVG, PDF or PNG, by the ending of ``path``, without a date or a version in it."""
    # The library that embeds fonts tells of every table of every font.
    logging.getLogger("fontTools").setLevel(logging.WARNING)
    metadata: dict[str, Any] = {"Title": figure.get_label()} if figure.get_label() else {}
    ending = Path(path).suffix.lower()
    if ending == ".svg":
        metadata |= {"Date": None, "Creator": None}
    elif ending == ".pdf":
        metadata |= {"CreationDate": None, "Creator": None, "Producer": None}
    else:
        metadata |= {"Software": None}
    with mpl.rc_context(_STYLE):
        figure.savefig(path, dpi=DPI, metadata=metadata)


# --- The answer


def tradeoff(study: Study) -> Figure:
    """Privacy against kinematic cost, one mark a method: further up is more private, further left costs less.

    Methods that cover every face found stand in a strip of their own at the top, one below the other; those that leave
    some uncovered below it, on a logarithmic scale of the share of face-frames that they leave. Methods with no
    face-frame to judge stand at the bottom. The margin of equivalence is a band. What each mark stands for is written
    beside it, so that equal methods stay legible.
    """
    rows = study.choice[study.choice["method"] != CONTROL].sort_values("rank", kind="stable")
    with mpl.rc_context(_STYLE):
        if rows.empty:
            return _nothing("tradeoff")
        left = (1.0 - rows["share_covered"]).to_numpy(dtype=float) * 100.0
        covered, unknown = left <= 0, np.isnan(left)
        leaking = ~covered & ~unknown
        # One unit of height is one row of text of two lines.
        scale = 0.0 if not leaking.any() else max(3.0, 1.2 * leaking.sum())
        top = float(max(covered.sum(), 1)) if covered.any() or leaking.any() else 0.0
        height = float(top + scale + unknown.sum())
        position = np.empty(len(rows))
        position[covered] = np.arange(covered.sum()) + 0.5
        position[unknown] = top + scale + np.arange(unknown.sum()) + 0.5
        ticks: list[tuple[float, str]] = []
        if leaking.any():
            exponents = np.log10(left[leaking])
            decades = np.arange(math.floor(exponents.min()), math.ceil(exponents.max()) + 1)
            decades = decades if len(decades) > 1 else decades[0] + np.array([-1, 0])
            first, per_decade = top + 0.4, (scale - 0.8) / (decades[-1] - decades[0])
            position[leaking] = first + per_decade * (exponents - decades[0])
            ticks += [
                (first + per_decade * float(step), f"{10.0 ** (decades[0] + step):g} %") for step in range(len(decades))
            ]
        if top:
            ticks.append((top / 2, "none"))
        if unknown.any():
            ticks.append((top + scale + unknown.sum() / 2, "no face\nfound"))

        figure = _figure("tradeoff", WIDTH_MM, 29 + 10 * height)
        axes = figure.add_subplot()
        axes.set_facecolor("white")
        margin = study.margin_deg
        ends = rows[["mae_net_deg", "low", "high"]].to_numpy(dtype=float)
        low = min(0.0, float(np.nanmin(ends, initial=0.0)))
        high = max(1.3 * margin, float(np.nanmax(ends, initial=0.0)))
        room = 0.04 * (high - low)
        axes.set(xlim=(low - room, high + room), ylim=(height, 0))
        axes.axvspan(max(-margin, low - room), margin, color=_BAND, linewidth=0)
        axes.axvline(margin, color=_EDGE, linestyle="--", linewidth=0.9)
        axes.axvline(0, color=_EDGE, linewidth=0.8)
        axes.annotate(
            f"margin: {margin:g}°",
            (margin, 0),
            xytext=(3, 2),
            textcoords="offset points",
            ha="center",
            va="bottom",
            fontsize=_SMALL,
        )
        for border in {top, top + scale} - {0.0, height}:
            axes.axhline(border, color=_EDGE, linewidth=0.6)
        # Texts stand beside their marks, pushed apart where marks are close.
        places = _apart(position, 1.0, 0.5, max(height, len(rows)) - 0.5)
        look = looks(rows["method"])
        row: Any
        for row, y, place in zip(rows.itertuples(), position, places, strict=True):
            one = look[row.method]
            _interval(axes, [row.mae_net_deg], [row.low], [row.high], [y], one, size=8 if row.recommended else 6.5)
            known = not math.isnan(row.mae_net_deg)
            end = float(np.nanmax([row.mae_net_deg, row.high])) if known else math.nan
            text = axes.annotate(
                f"{words(row.method)}{': recommended' if row.recommended else ''}",
                (1.0, place),
                xycoords=("axes fraction", "data"),
                xytext=(14, 1),
                textcoords="offset points",
                va="bottom",
                fontweight="bold" if row.recommended else "normal",
                color=one.colour,
                annotation_clip=False,
            )
            axes.annotate(
                f"{_cover(row)}; {_cost(row)}",
                (0, 0),
                xycoords=text,
                xytext=(0, -1),
                textcoords="offset points",
                va="top",
                fontsize=_SMALL,
                annotation_clip=False,
            )
            if known:
                axes.annotate(
                    "",
                    (end, y),
                    xytext=(1.0, place),
                    textcoords=("axes fraction", "data"),
                    arrowprops={
                        "arrowstyle": "-",
                        "color": one.colour,
                        "linewidth": 0.5,
                        "linestyle": ":",
                        "shrinkA": 0,
                        "shrinkB": 2,
                    },
                    annotation_clip=False,
                )
        axes.set_yticks([place for place, _ in ticks], [text for _, text in ticks])
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)
        axes.set_ylabel("Faces left uncovered\n(% of face-frames)")
        n = int(rows["n_videos"].max())
        axes.set_xlabel(
            "Additional mean absolute difference of the joint angles (deg), "
            f"{_shown(rows, study.level)}, {n} {'video' if n == 1 else 'videos'}\n← smaller is better",
            loc="left",
        )
        figure.suptitle(_answer(rows), x=0.01, ha="left", fontweight="bold", fontsize=9)
        return figure


def _answer(choice: pd.DataFrame) -> str:
    """Return the answer in one sentence, broken into lines."""
    best: list[Any] = [row for row in choice.itertuples() if row.recommended]
    if not best:
        return "No method is recommended"
    cost = float(best[0].mae_net_deg)
    change = (
        "what it costs the joint angles is not known"
        if math.isnan(cost)
        else f"the joint angles change by {cost:.2f}° more than by encoding alone"
        if cost > 0
        else "the joint angles change no more than by encoding alone"
    )
    return textwrap.fill(f"Choose {words(str(best[0].method)).lower()}: {_cover(best[0])}, and {change}", 88)


def _cover(row: Any) -> str:
    """Return how many faces a method covers, in words; never rounded to all that they are not."""
    if math.isnan(row.share_covered):
        return "no face found to judge by"
    if row.share_covered < 1:
        shown = min(100.0 * row.share_covered, 99.99)
        return f"{shown:.2f} % of {row.n_face_frames:,} face-frames covered".replace(",", "\N{NARROW NO-BREAK SPACE}")
    text = f"all {row.n_face_frames:,} face-frames covered".replace(",", "\N{NARROW NO-BREAK SPACE}")
    return text + (f", {row.n_leaked_frames} leaked" if row.n_leaked_frames else "")


def _cost(row: Any) -> str:
    """Return what a method costs, in words."""
    if math.isnan(row.mae_net_deg):
        return "no joint angle to compare"
    interval = "" if math.isnan(row.low) else f" ({_signed(row.low)} to {_signed(row.high)})"
    return f"{_signed(row.mae_net_deg)}°{interval}"


# --- By angle, from the summary


def accuracy(study: Study) -> Figure:
    """Mean absolute difference of every method and joint angle, left knee and left elbow large, raw.

    A dashed line with a band marks the control: what encoding alone costs.
    """
    rows = _summary(study, ["mae_deg"], "raw", JOINTS)
    with mpl.rc_context(_STYLE):
        if rows["mean"].isna().all():
            return _nothing("accuracy")
        methods = _methods(rows)
        look = looks(methods)
        figure = _figure("accuracy", WIDTH_MM, 40 + 3 * max(18.0, 4.5 * len(methods)))
        limit = 1.08 * float(np.nanmax(rows[["mean", "high"]].to_numpy(dtype=float), initial=0.0)) or 1.0
        for angle, axes in _joint_grid(figure, 1.3).items():
            mine = rows[rows["angle"] == angle].set_index("method")[["mean", "low", "high"]].reindex(methods)
            numbers = dict(zip(methods, mine.to_numpy(dtype=float).tolist(), strict=True))
            mean, low, high = numbers.get(CONTROL, [math.nan] * 3)
            axes.axvspan(low, high, color="#dddddd", linewidth=0)
            axes.axvline(mean, color=COLOURS[CONTROL], linestyle="--", linewidth=0.9)
            for row, method in enumerate(methods):
                mean, low, high = numbers[method]
                _interval(axes, [mean], [low], [high], [row], look[method])
            _empty(axes, bool(mine["mean"].isna().all()))
            axes.set(xlim=(0, limit), ylim=(len(methods) - 0.5, -0.5))
            _method_rows(axes, methods)
        figure.supxlabel(f"Mean absolute difference from the original (deg), {_shown(rows, study.level)}")
        return figure


def heatmap(study: Study) -> Figure:
    """Mean absolute difference net of the control of every joint and segment angle, with its numbers."""
    rows = _summary(study, ["mae_deg"], "net", (*JOINTS, *SEGMENTS))
    with mpl.rc_context(_STYLE):
        methods = [method for method in _methods(rows) if method != CONTROL]
        values = _pivot(rows, "mean", (*JOINTS, *SEGMENTS), methods)
        numbers = np.abs(values.to_numpy(dtype=float))
        if not np.isfinite(numbers).any():
            return _nothing("heatmap")
        # Noise far below the margin must not look like an effect, and one large number not pale all others.
        bound = max(2 * study.margin_deg, float(np.nanpercentile(numbers, 90)))
        figure, panels = _two_maps("heatmap", values)
        for axes, part in panels.items():
            image = _map(axes, part, mpl.colormaps["PuOr_r"], Normalize(-bound, bound), _signed)
        bar = figure.colorbar(image, ax=list(panels), extend=_beyond(values.to_numpy(dtype=float), bound), aspect=35)
        bar.set_label("Additional mean absolute difference,\nnet of the control (deg)")
        bar.outline.set_visible(False)
        return figure


def lost_frames(study: Study) -> Figure:
    """Frames in which the original alone, and in which the method alone, has the joint angle, of every method, raw."""
    return _by_angle(
        study,
        "lost_frames",
        {"lost_percent": "Frames lost (% of original)", "gained_percent": "Frames gained (% of original)"},
    )


def confidence(study: Study) -> Figure:
    """Change of the confidence of the pose estimation, of every method and joint angle, raw."""
    return _by_angle(study, "confidence", {"confidence_bias": "Confidence, method minus original (0 to 1)"})


def _by_angle(study: Study, name: str, measures: Mapping[str, str]) -> Figure:
    """Draw one panel a measure: a joint angle a row, a method a mark, raw, with intervals."""
    rows = _summary(study, list(measures), "raw", JOINTS)
    with mpl.rc_context(_STYLE):
        if rows["mean"].isna().all():
            return _nothing(name)
        methods = _methods(rows)
        look = looks(methods)
        figure = _figure(name, WIDTH_MM, 26 + len(JOINTS) * max(7.5, 1.9 * len(methods)))
        panels = figure.subplots(1, len(measures), sharey=True, squeeze=False)[0]
        for axes, (measure, label) in zip(panels, measures.items(), strict=True):
            chosen = rows[rows["measure"] == measure]
            for index, method in enumerate(methods):
                shift = 0.76 * ((index + 0.5) / len(methods) - 0.5)
                mine = chosen[chosen["method"] == method].set_index("angle").reindex(list(JOINTS))
                _interval(
                    axes, mine["mean"], mine["low"], mine["high"], np.arange(len(JOINTS)) + shift, look[method], size=4
                )
            axes.axvline(0, color="#444444", linewidth=0.8)
            axes.set(xlabel=f"{label},\n{_shown(rows, study.level)}", ylim=(len(JOINTS) - 0.5, -0.5))
            axes.set_yticks(range(len(JOINTS)), [words(angle) for angle in JOINTS])
            _lines_between(axes, len(JOINTS))
            ends = chosen[["mean", "low", "high"]].to_numpy(dtype=float)
            if measure.endswith("_percent"):
                # Room to the left of 0, so that marks at 0 are whole.
                axes.set_xlim(np.array([-0.03, 1.06]) * max(1.0, float(np.nanmax(ends, initial=0.0))))
            else:
                # No narrower than a hundredth either way: less is noise and must not fill the panel.
                axes.set_xlim(1.1 * np.nanmin(ends, initial=-0.01), 1.1 * np.nanmax(ends, initial=0.01))
            _empty(axes, bool(chosen["mean"].isna().all()))
        _legend(figure, methods, look)
        return figure


# --- Tests and agreement


def equivalence(study: Study) -> Figure:
    """Mean bias net of the control of every method and joint angle with its 1 - 2 x alpha interval, and the verdict.

    The band is the margin of equivalence. Filled circle and ``=``: equivalent. Cross and ``≠``: different. Hollow
    circle and ``?``: undecided, followed by the number of units that would be expected to decide. The verdicts are
    those of the table, after the correction for multiple tests, so that a lone interval inside the band can still be
    undecided. Intervals that reach beyond the panel end in an arrow.
    """
    table = study.equivalence
    chosen = (table["condition"] == "all") & (table["signal"] == study.signal) & table["angle"].isin(JOINTS)
    rows = table[chosen & (table["measure"] == "bias_deg") & (table["basis"] == "net")]
    with mpl.rc_context(_STYLE):
        if rows["mean"].isna().all():
            return _nothing("equivalence")
        methods = [method for method in _methods(rows) if method != CONTROL]
        columns = min(3, len(methods))
        lines = math.ceil(len(methods) / columns)
        figure = _figure("equivalence", WIDTH_MM, 22 + lines * (8 + 4.8 * len(JOINTS)))
        look = looks(methods)
        margin = study.margin_deg
        means = rows["mean"].abs().max()
        ends = float(np.nanmax(rows[["low", "high"]].abs().to_numpy(dtype=float), initial=0.0))
        bound = max(1.6 * margin, 1.12 * means, min(1.06 * ends, 5 * margin))
        panels = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False).ravel()
        for axes, method in zip(panels, methods, strict=False):
            mine = rows[rows["method"] == method].set_index("angle").reindex(list(JOINTS))
            axes.axvspan(-margin, margin, color=_BAND, linewidth=0)
            for edge in (-margin, margin):
                axes.axvline(edge, color=_EDGE, linestyle="--", linewidth=0.7)
            axes.axvline(0, color="#444444", linewidth=0.8)
            _forest(axes, mine, look[method], bound)
            for y, row in enumerate(mine.itertuples()):
                axes.annotate(
                    _decision(row),
                    (1.0, y),
                    xycoords=("axes fraction", "data"),
                    xytext=(4, 0),
                    textcoords="offset points",
                    va="center",
                    fontsize=_SMALL,
                    annotation_clip=False,
                )
            axes.set_title(words(method), color=look[method].colour, fontweight="bold")
            axes.annotate(
                "n",
                (1.0, 1.0),
                xycoords="axes fraction",
                xytext=(14, 4),
                textcoords="offset points",
                fontsize=_SMALL,
                annotation_clip=False,
            )
            axes.set(xlim=(-bound, bound), ylim=(len(JOINTS) - 0.5, -0.5))
            axes.set_yticks(range(len(JOINTS)), [words(angle) for angle in JOINTS])
            axes.tick_params(axis="y", length=0)
        for axes in panels[len(methods) :]:
            axes.set_visible(False)
        figure.supxlabel(
            f"Additional bias, net of the control (deg), {_shown(rows, 1 - 2 * study.alpha)}; "
            f"band: margin of ±{margin:g}°"
        )
        marks = [
            Line2D(
                [],
                [],
                color=_INK,
                linestyle="",
                markersize=5,
                label=f"{sign} {_VERDICT_WORDS[verdict]}",
                **_VERDICT_MARKS[verdict],
            )
            for verdict, sign in VERDICTS.items()
        ]
        figure.legend(handles=marks, loc="outside upper left", ncols=3)
        return figure


#: How the mean of each verdict is marked.
_VERDICT_MARKS: dict[str, dict[str, Any]] = {
    "equivalent": {"marker": "o"},
    "different": {"marker": "X"},
    "undecided": {"marker": "o", "markerfacecolor": "white"},
}

_VERDICT_WORDS = {
    "equivalent": "equivalent",
    "different": "different",
    "undecided": "undecided → n that would decide",
}


def _forest(axes: Axes, rows: pd.DataFrame, look: Look, bound: float) -> None:
    """Draw a row for each mean with its interval, an arrow where that leaves the panel, and a mark by its verdict."""
    mean, low, high = (rows[column].to_numpy(dtype=float) for column in ("mean", "low", "high"))
    y = np.arange(len(rows), dtype=float)
    axes.hlines(y, np.clip(low, -bound, bound), np.clip(high, -bound, bound), color=look.colour, linewidth=1.3)
    _arrows(axes, y, low < -bound, high > bound, (-bound, bound), look)
    for verdict, mark in _VERDICT_MARKS.items():
        mine = (rows["verdict"] == verdict).to_numpy(dtype=bool)
        axes.plot(mean[mine], y[mine], linestyle="", color=look.colour, markersize=5, gid=verdict, **mark)


def _decision(row: Any) -> str:
    """Return the verdict as its sign, the units that it rests on and, where undecided, those that would decide."""
    if pd.isna(row.verdict) or row.verdict not in VERDICTS:
        return "no data"
    needed = f" → {row.n_needed}" if pd.notna(row.n_needed) else ""
    return f"{VERDICTS[row.verdict]} {int(row.n_units)}{needed}"


def agreement(study: Study) -> Figure:
    """ICC(2,1) of every joint and segment angle with the original, with its numbers, in the bands of Koo & Li 2016."""
    table = study.agreement
    rows = table[(table["condition"] == "all") & (table["signal"] == study.signal)]
    with mpl.rc_context(_STYLE):
        methods = _methods(rows)
        values = _pivot(rows, "icc_2_1", (*JOINTS, *SEGMENTS), methods)
        if not np.isfinite(values.to_numpy(dtype=float)).any():
            return _nothing("agreement")
        figure, panels = _two_maps("agreement", values)
        shades = ListedColormap(["#b35806", "#fdb863", "#b2abd2", "#542788"])
        # The upper ends belong to the lower band at 0.9 only; `agreement_band` decides, not the colour map.
        norm = BoundaryNorm([-0.5, 0.5, 1.5, 2.5, 3.5], shades.N)
        bands = [band for _, band in AGREEMENT_BANDS]
        for axes, part in panels.items():
            ranks = part.map(lambda icc: float(bands.index(agreement_band(icc))) if not math.isnan(icc) else math.nan)
            image = _map(axes, ranks, shades, norm, lambda icc: f"{icc:.2f}".replace("-", "−"), written=part)
        bar = figure.colorbar(image, ax=list(panels), aspect=35, ticks=range(4))
        bounds = ("< 0.5", "0.5 to 0.75", "0.75 to 0.9", "> 0.9")
        bar.set_ticklabels([f"{band}\n{bound}" for band, bound in zip(bands, bounds, strict=True)])
        bar.ax.tick_params(length=0)
        bar.set_label("Agreement with the original, ICC(2,1)")
        bar.outline.set_visible(False)
        return figure


def bland_altman(study: Study) -> Figure:
    """Difference of method and original against their mean, frame by frame, left knee and left elbow."""
    return _bland_altman(study, "bland_altman", LEADING, 48.0)


def bland_altman_joints(study: Study) -> Figure:
    """Difference of method and original against their mean, frame by frame, every joint angle."""
    return _bland_altman(study, "bland_altman_joints", JOINTS, 19.5)


def _bland_altman(study: Study, name: str, angles: Sequence[str], row_mm: float) -> Figure:
    """Draw a row for each angle and a column for each method.

    Frame pairs are dots, or, where there are more than `MAX_DOTS`, hexagons, the darker the more pairs they hold, on a
    logarithmic scale. Lines are the bias and the limits of agreement of the table ``agreement``; pairs outside the
    panel are counted in its corner.
    """
    pairs = study.pairs[(study.pairs["signal"] == study.signal) & study.pairs["angle"].isin(angles)]
    if study.people == "patient":
        pairs = pairs[pairs["patient"]]
    pairs = pairs[pairs["original_deg"].notna() & pairs["method_deg"].notna()]
    table = study.agreement
    limits = table[(table["condition"] == "all") & (table["signal"] == study.signal)]
    numbers = limits[["bias_deg", "loa_low_deg", "loa_high_deg"]].to_numpy(dtype=float).tolist()
    lines = dict(zip(zip(limits["method"], limits["angle"], strict=True), numbers, strict=True))
    with mpl.rc_context(_STYLE):
        if pairs.empty:
            return _nothing(name)
        methods = _methods(pairs)
        look = looks(methods)
        figure = _figure(name, max(WIDTH_MM, 32.0 * len(methods)), 14 + row_mm * len(angles))
        panels = figure.subplots(len(angles), len(methods), squeeze=False, sharex="row", sharey="row")
        groups = {str(key): rows for key, rows in pairs.groupby("angle", sort=False)}
        for line, angle in zip(panels, angles, strict=True):
            rows = groups.get(angle, pairs.iloc[:0])
            mean = ((rows["original_deg"] + rows["method_deg"]) / 2).to_numpy(dtype=float)
            difference = (rows["method_deg"] - rows["original_deg"]).to_numpy(dtype=float)
            ends = limits.loc[limits["angle"] == angle, ["loa_low_deg", "loa_high_deg"]]
            bound = max(
                1.35 * float(np.nanmax(np.abs(ends.to_numpy(dtype=float)), initial=0.0)),
                float(np.percentile(np.abs(difference), 99)) if len(difference) else 0.0,
                0.5 * study.margin_deg,
            )
            extent = (*(_span(mean) if len(mean) else (0.0, 1.0)), -bound, bound)
            for axes, method in zip(line, methods, strict=True):
                mine = (rows["method"] == method).to_numpy(dtype=bool)
                _pairs(axes, mean[mine], difference[mine], extent, look[method])
                if (method, angle) in lines:
                    _limits(axes, *lines[method, angle])
                # Room above for the numbers.
                axes.set(xlim=extent[:2], ylim=(-bound, 1.45 * bound))
                axes.tick_params(labelleft=method == methods[0])
                if angle == angles[0]:
                    axes.set_title(words(method), color=look[method].colour, fontweight="bold")
            line[0].set_ylabel(words(angle).replace(" ", "\n") if row_mm < 30 else words(angle))
        figure.align_ylabels(panels[:, 0])
        figure.supxlabel("Mean of original and method (deg)")
        figure.supylabel("Method minus original (deg)", fontsize=8)
        return figure


def _pairs(
    axes: Axes,
    mean: NDArray[np.float64],
    difference: NDArray[np.float64],
    extent: tuple[float, float, float, float],
    look: Look,
) -> None:
    """Draw frame pairs as dots or hexagons inside ``extent`` (left, right, bottom, top) and count those outside."""
    inside = (mean >= extent[0]) & (mean <= extent[1]) & (np.abs(difference) <= extent[3])
    if len(mean) > MAX_DOTS:
        shades = LinearSegmentedColormap.from_list("pairs", ["#e6e6e6", look.colour])
        axes.hexbin(
            mean[inside],
            difference[inside],
            gridsize=(36, 14),
            extent=extent,
            bins="log",
            mincnt=1,
            cmap=shades,
            linewidths=0.1,
            rasterized=True,
        )
    else:
        axes.plot(
            mean[inside],
            difference[inside],
            linestyle="",
            marker=look.marker,
            markersize=1.8 if len(mean) > 200 else 3.0,
            markeredgewidth=0,
            color=look.colour,
            alpha=0.45,
            rasterized=True,
        )
    _empty(axes, len(mean) == 0)
    if not inside.all():
        axes.annotate(
            f"{(~inside).sum():,} outside".replace(",", "\N{NARROW NO-BREAK SPACE}"),
            (1, 0),
            xycoords="axes fraction",
            xytext=(-1, 1),
            textcoords="offset points",
            ha="right",
            fontsize=_SMALL,
            bbox={"facecolor": "white", "alpha": 0.8, "linewidth": 0, "pad": 0.6},
        )


def _limits(axes: Axes, bias: float, low: float, high: float) -> None:
    """Draw the line of no difference, the bias and the limits of agreement, and write the numbers above."""
    axes.axhline(0, color="#999999", linewidth=0.6)
    if math.isnan(bias):
        return
    axes.axhline(bias, color="black", linewidth=1.1, gid="bias")
    for limit in (low, high):
        if not math.isnan(limit):
            axes.axhline(limit, color="black", linewidth=0.9, linestyle="--", gid="limit")
    interval = "" if math.isnan(low) else f" ({_signed(low, 1)}, {_signed(high, 1)})"
    axes.annotate(
        f"{_signed(bias, 1)}{interval}",
        (0, 1),
        xycoords="axes fraction",
        xytext=(2, -1),
        textcoords="offset points",
        va="top",
        fontsize=_SMALL,
    )


# --- Distributions over videos


def raincloud(study: Study) -> Figure:
    """Distribution over videos of the mean absolute difference of every method and joint angle.

    Of the methods net of the control; of the control itself raw, as the scale of what encoding alone does. Each video
    is a dot: the people in it are averaged, weighted by the frames they have the angle in. From `MIN_BOX` videos on a
    box shows median and quartiles, its whiskers end at the outermost video within 1.5 times their distance; from
    `MIN_VIOLIN` on half a violin shows the density (Allen et al. 2019, Wellcome Open Research 4:63). Videos outside the
    panel are arrows at its edge.
    """
    effects = study.effects[(study.effects["signal"] == study.signal) & study.effects["angle"].isin(JOINTS)]
    effects = effects.assign(value=effects["mae_net_deg"].where(effects["method"] != CONTROL, effects["mae_deg"]))
    videos = _per_video(effects, study.people, ["angle"], "value", "n_both")
    with mpl.rc_context(_STYLE):
        if videos.empty:
            return _nothing("raincloud")
        methods = _methods(effects)
        look = looks(methods)
        figure = _figure("raincloud", WIDTH_MM, 34 + 3 * max(22.0, 9.5 * len(methods)))
        span = _span(videos["value"].to_numpy(dtype=float), keep=(0.0,))
        for angle, axes in _joint_grid(figure, 1.2).items():
            mine = videos[videos["angle"] == angle]
            axes.axvline(0, color="#444444", linewidth=0.8)
            for row, method in enumerate(methods):
                values = mine.loc[mine["method"] == method, "value"].to_numpy(dtype=float)
                _cloud(axes, values, float(row), look[method], span)
            _empty(axes, mine.empty)
            axes.set(xlim=span, ylim=(len(methods) - 0.4, -0.6))
            _method_rows(axes, methods, {CONTROL: "Control (raw)"})
        figure.supxlabel("Additional mean absolute difference, net of the control (deg); each dot a video")
        return figure


def _cloud(axes: Axes, values: NDArray[np.float64], y: float, look: Look, span: tuple[float, float]) -> None:
    """Draw values as dots below ``y``, with a box and half a violin above where they are enough."""
    if not len(values):
        return
    if len(values) >= MIN_VIOLIN and np.ptp(values) > 0:
        grid = np.linspace(values.min(), values.max(), 160)  # no density where no video is
        density = gaussian_kde(values)(grid)
        if density.max() > 0:
            top = y - 0.1 - 0.44 * density / density.max()
            axes.fill_between(grid, top, y - 0.1, color=look.colour, alpha=0.35, linewidth=0, gid="violin")
    if len(values) >= MIN_BOX:
        axes.boxplot(
            values,
            positions=[y],
            orientation="horizontal",
            widths=0.13,
            showfliers=False,
            manage_ticks=False,
            medianprops={"color": "black", "linewidth": 1.2},
            boxprops={"color": look.colour, "linewidth": 0.8},
            whiskerprops={"color": look.colour, "linewidth": 0.8},
            capprops={"linewidth": 0},
        )
    boxed = len(values) >= MIN_BOX
    _dots(axes, values, y + (0.24 if boxed else 0.0), 0.13, look, span)


def _dots(
    axes: Axes, values: NDArray[np.float64], y: float, spread: float, look: Look, span: tuple[float, float]
) -> None:
    """Draw a dot for each value around ``y``, scattered so that they can be told apart; those outside as arrows."""
    order = np.argsort(np.argsort(values, kind="stable"), kind="stable")
    # Neighbours land far apart, the same way each time: the golden ratio (Weyl's sequence).
    scatter = spread * (2 * ((order * 0.6180339887498949) % 1) - 1) * float(len(values) > 1)
    many = len(values) > 100
    if many:
        # Wide where there are many, as in a sina plot (Sidiropoulos et al. 2018, J Comput Graph Stat 27:673-676).
        counts, edges = np.histogram(values, bins=40, range=span)
        scatter = scatter * (counts / counts.max(initial=1))[np.clip(np.digitize(values, edges) - 1, 0, 39)]
    scatter = scatter + y
    inside = (values >= span[0]) & (values <= span[1])
    axes.plot(
        values[inside],
        scatter[inside],
        linestyle="",
        marker=look.marker,
        markersize=1.6 if many else 2.8 if len(values) >= MIN_BOX else 4.5,
        markeredgewidth=0,
        color=look.colour,
        alpha=0.35 if many else 0.8,
        rasterized=many,
        gid="videos",
    )
    _arrows(axes, np.asarray(scatter), values < span[0], values > span[1], span, look)


def _arrows(
    axes: Axes,
    y: NDArray[np.float64],
    left: NDArray[np.bool_],
    right: NDArray[np.bool_],
    span: tuple[float, float],
    look: Look,
) -> None:
    """Draw arrows at the edges of a panel, for what lies outside it to the left and to the right."""
    for outside, marker, edge in ((left, "<", span[0]), (right, ">", span[1])):
        # An empty line that is not clipped would count with the corner of the figure in its layout.
        if outside.any():
            axes.plot(
                np.full(int(outside.sum()), edge),
                y[outside],
                linestyle="",
                marker=marker,
                markersize=3.5,
                color=look.colour,
                clip_on=False,
                gid="beyond",
            )


#: Keypoints as they are listed: from head to foot, left before right.
_HEAD_TO_FOOT = (
    "Nose", "LEye", "REye", "LEar", "REar", "Neck", "LShoulder", "RShoulder", "LElbow", "RElbow", "LWrist", "RWrist",
    "LIndex", "RIndex", "MidHip", "LHip", "RHip", "LKnee", "RKnee", "LAnkle", "RAnkle", "LHeel", "RHeel", "LBigToe",
    "RBigToe", "LSmallToe", "RSmallToe",
)  # fmt: skip


def keypoints(study: Study) -> Figure:
    """Share of sightings within 0.2 torso lengths of the original's (PCK@0.2), and mean displacement, raw.

    Means over videos; the people in a video are averaged, weighted by their sightings in the original (PCK) or in both
    (displacement).
    """
    table = study.keypoint_effects
    near = _per_video(table, study.people, ["keypoint"], "pck_0_2", "n_original")
    moved = _per_video(table, study.people, ["keypoint"], "displacement_mean", "n_both")
    with mpl.rc_context(_STYLE):
        if near.empty and moved.empty:
            return _nothing("keypoints")
        methods = _methods(table)
        seen = set(near["keypoint"]) | set(moved["keypoint"])
        names = [name for name in ("head", "body", *_HEAD_TO_FOOT) if name in seen]
        over_videos = [
            rows.groupby(["keypoint", "method"], as_index=False)["value"]
            .mean()
            .pivot(index="keypoint", columns="method", values="value")
            .reindex(index=names, columns=methods)
            for rows in (near, moved)
        ]
        figure = _figure("keypoints", max(WIDTH_MM, 70 + 24.0 * len(methods)), 26 + 4.4 * len(names))
        left, right = figure.subplots(1, 2, sharey=True)
        shares = 100 * over_videos[0]
        # The scale reaches down to half at least, so that a share of 98 % looks like what it is.
        lowest = min(50.0, float(np.nanmin(shares.to_numpy(dtype=float), initial=100.0)))
        furthest = max(0.2, float(np.nanmax(over_videos[1].to_numpy(dtype=float), initial=0.0)))
        blues = LinearSegmentedColormap.from_list("far", ["#f7fbff", "#6baed6", "#08306b"])
        image = _map(left, shares, blues.reversed(), Normalize(lowest, 100), lambda value: f"{value:.1f}")
        figure.colorbar(
            image, ax=left, location="bottom", aspect=30, pad=0.02, label="Within 0.2 torso lengths (% of sightings)"
        )
        image = _map(right, over_videos[1], blues, Normalize(0, furthest), lambda value: f"{value:.3f}")
        figure.colorbar(
            image, ax=right, location="bottom", aspect=30, pad=0.02, label="Mean displacement (torso lengths)"
        )
        right.tick_params(labelleft=False)
        return figure


def identities(study: Study) -> Figure:
    """Draw what became of the people: each video a dot, their mean as a number.

    Of the patient: the share of the original's frames in which the method does not see the patient, and of the frames
    in both in which it exchanges left and right. Of everybody in the video: the changes of identity, and the share of
    frames in which the method sees fewer, or more, people than the original.
    """
    patients = study.identities[study.identities["patient"]]
    counts = ["n_lost", "n_original", "n_mirrored", "n_both"]
    lost = patients.groupby(["video", "method"], sort=False)[counts].sum().reset_index()
    heads = study.headcounts
    panels = {
        "Patient not seen\n(% of frames)": _shares(lost, "n_lost", "n_original"),
        "Left, right exchanged\n(% of frames)": _shares(lost, "n_mirrored", "n_both"),
        "Changes of identity\n(per video)": heads.assign(value=heads["n_switches"].astype(float)),
        "Fewer people\n(% of frames)": _shares(heads, "n_frames_fewer", "n_frames"),
        "More people\n(% of frames)": _shares(heads, "n_frames_more", "n_frames"),
    }
    methods = _methods(pd.concat([lost[["method"]], heads[["method"]]]))
    with mpl.rc_context(_STYLE):
        if all(rows["value"].isna().all() for rows in panels.values()):
            return _nothing("identities")
        look = looks(methods)
        figure = _figure("identities", WIDTH_MM, 20 + 8 * len(methods))
        for axes, (label, rows) in zip(
            figure.subplots(1, len(panels), sharey=True, squeeze=False)[0], panels.items(), strict=True
        ):
            rows = rows[rows["value"].notna()]
            span = _span(rows["value"].to_numpy(dtype=float), keep=(0.0, 1.0))
            for row, method in enumerate(methods):
                values = rows.loc[rows["method"] == method, "value"].to_numpy(dtype=float)
                _dots(axes, values, row + 0.16, 0.18, look[method], span)
                axes.annotate(
                    f"mean {values.mean():.2f}" if len(values) else "no data",
                    (1, row - 0.2),
                    xycoords=("axes fraction", "data"),
                    xytext=(0, 0),
                    textcoords="offset points",
                    ha="right",
                    va="center",
                    fontsize=_SMALL,
                )
            axes.set(xlim=span, ylim=(len(methods) - 0.4, -0.6), xlabel=label)
            axes.set_yticks(range(len(methods)), [words(method) for method in methods])
            _lines_between(axes, len(methods))
        return figure


def _shares(table: pd.DataFrame, part: str, whole: str) -> pd.DataFrame:
    """Return the table with ``value``: one count in percent of another, NaN where that is 0."""
    return table.assign(value=100.0 * table[part] / table[whole].where(table[whole] > 0))


#: Every figure of a study, in the order in which to show them: name -> function.
STUDY: dict[str, Callable[[Study], Figure]] = {
    "tradeoff": tradeoff,
    "accuracy": accuracy,
    "equivalence": equivalence,
    "heatmap": heatmap,
    "raincloud": raincloud,
    "bland_altman": bland_altman,
    "bland_altman_joints": bland_altman_joints,
    "agreement": agreement,
    "lost_frames": lost_frames,
    "confidence": confidence,
    "keypoints": keypoints,
    "identities": identities,
}


# --- One video


def leading_angles(original_angles: Angles, signal: str) -> list[str]:
    """Return the two angles to draw of one person: left knee and left elbow, or where one is missing those seen most.

    Parameters
    ----------
    original_angles : Angles
        The rows of one person of the table ``angles`` of the original.
    signal : str
        ``filtered`` or ``unfiltered``.
    """
    seen = np.isfinite(_values(original_angles, signal)).sum(axis=0)
    counts = {angle: int(seen[_COLUMN[angle]]) for angle in (*LEADING, *JOINTS, *SEGMENTS)}
    if all(counts[angle] for angle in LEADING):
        return list(LEADING)
    # Sorting keeps the order of angles that are seen equally often: leading ones first, joints before segments.
    return sorted((angle for angle in counts if counts[angle]), key=lambda angle: -counts[angle])[:2]


def trace_span(original_angles: Angles, signal: str) -> tuple[float, float]:
    """Return the time that `traces` shows of one person, s: rows of the methods outside of it are not needed.

    Parameters are those of `leading_angles`. Both are NaN where there is nothing to show.
    """
    times = _traced_times(original_angles, signal)
    return (float(times[0]), float(times[0]) + TRACE_SECONDS) if len(times) else (np.nan, np.nan)


def traces(
    original_angles: Angles,
    method_angles: Mapping[str, Angles],
    signal: str,
    title: str,
) -> Figure:
    """Two angles of one person over time, original and methods, and below each the differences from the original.

    The first `TRACE_SECONDS` in which the person has one of the angles, on the time axis of the video. Lines break
    where the angle is missing.

    Parameters
    ----------
    original_angles : Angles
        The rows of one person of the table ``angles`` of the original.
    method_angles : mapping
        Method -> the rows of the same person of the table ``angles`` of that method, as `matching.carry` gives them.
    signal : str
        Which to draw: ``filtered`` or ``unfiltered``.
    title : str
        What to write above, such as the id of the video.
    """
    angles = leading_angles(original_angles, signal)
    with mpl.rc_context(_STYLE):
        if not angles:
            return _nothing("")
        methods = _methods(pd.DataFrame({"method": list(method_angles)}))
        look = looks(methods)
        span = trace_span(original_angles, signal)
        cut = _traced_times(original_angles, signal)[-1] > span[1]
        figure = _figure("", WIDTH_MM, 18 + 52 * len(angles))
        figure.set_label(title)
        panels = figure.subplots(2 * len(angles), 1, sharex=True, height_ratios=[2, 1.1] * len(angles))
        for index, angle in enumerate(angles):
            above, below = panels[2 * index], panels[2 * index + 1]
            original = _over_time(original_angles, angle, signal, span)
            above.plot(
                original["time_s"], original["degrees"], color=COLOURS["original"], linewidth=1.8, label="Original"
            )
            for method in methods:
                line = _over_time(method_angles[method], angle, signal, span)
                style: dict[str, Any] = {
                    "color": look[method].colour,
                    "label": words(method),
                    "linewidth": 1.0,
                    "linestyle": (0, look[method].dashes) if look[method].dashes else "-",
                }
                above.plot(line["time_s"], line["degrees"], **style)
                difference = line["degrees"] - original["degrees"].reindex(line.index)
                below.plot(line["time_s"], difference, **style)
            above.set_title(words(angle), fontweight="bold")
            above.set_ylabel("Angle (deg)")
            above.margins(x=0.01)
            below.axhline(0, color="#444444", linewidth=0.8)
            below.set_ylabel("Difference\n(deg)")
        panels[-1].set_xlabel("Time (s)")
        figure.align_ylabels()
        figure.suptitle(f"{title}, the first {TRACE_SECONDS:g} s" if cut else title, x=0.01, ha="left", fontsize=9)
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower left", ncols=min(6, len(methods) + 1))
        return figure


# --- Pose networks

#: The names of more pairs than this stand upright below their columns.
_MOST_LEVEL = 3


def backends(
    cost: pd.DataFrame, of_keypoints: pd.DataFrame, of_angles: pd.DataFrame, signal: str, titles: Mapping[str, str]
) -> Figure:
    """How far pose networks are from one another, keypoint by keypoint and joint by joint, and what each costs.

    Parameters
    ----------
    cost : DataFrame
        The table ``backends``.
    of_keypoints : DataFrame
        The columns backend, other, keypoint and ``distance_median``, one row for each pair and keypoint.
    of_angles : DataFrame
        The table ``backend_agreement``.
    signal : str
        The signal of the angles that are drawn.
    titles : mapping
        Network -> its name for a reader.
    """
    with mpl.rc_context(_STYLE):
        if cost.empty:
            return _nothing("backends")
        pairs = list(of_keypoints[["backend", "other"]].drop_duplicates().itertuples(index=False, name=None))
        names = ["\n".join(titles[name] for name in pair) for pair in pairs]
        seen = set(of_keypoints.loc[of_keypoints["distance_median"].notna(), "keypoint"])
        parts = ["head", "body", *(name for name in _HEAD_TO_FOOT if name in seen)]
        rows_mm = 5 * max(len(parts), 14 * bool(pairs))
        cost_mm = 16 + 6 * len(cost)
        turned = len(pairs) > _MOST_LEVEL
        below_mm = 50 if turned else 30
        figure = _figure("backends", max(WIDTH_MM, 70 + 22.0 * len(pairs)), rows_mm + cost_mm + below_mm * bool(pairs))
        shares = [rows_mm + below_mm, cost_mm] if pairs else [1]
        subfigures: Any = figure.subfigures(len(shares), 1, height_ratios=shares, squeeze=False)[:, 0]
        if pairs:
            left, right = subfigures[0].subplots(1, 2)
            joints = of_angles[of_angles["signal"] == signal]
            panels = (
                (left, of_keypoints, "keypoint", parts, "distance_median", "Median distance (torso lengths)", "{:.3f}"),
                (right, joints, "angle", list(JOINTS), "mae_deg", "Mean absolute difference (deg)", "{:.1f}"),
            )
            blues = LinearSegmentedColormap.from_list("far", ["#f7fbff", "#6baed6", "#08306b"])
            for axes, rows, key, index, column, label, form in panels:
                values = pd.DataFrame(
                    {
                        name: rows[(rows["backend"] == pair[0]) & (rows["other"] == pair[1])].set_index(key)[column]
                        for name, pair in zip(names, pairs, strict=True)
                    }
                ).reindex(index)
                top = float(np.nanmax(values.to_numpy(dtype=float), initial=0.0)) or 1.0
                image = _map(axes, values, blues, Normalize(0, top), form.format)
                axes.set_xticks(range(len(names)), names, rotation=90 if turned else 0)
                axes.set_title("Keypoints" if key == "keypoint" else "Joint angles", fontweight="bold")
                subfigures[0].colorbar(image, ax=axes, location="bottom", aspect=30, pad=0.02, label=label)
        speed, memory = subfigures[-1].subplots(1, 2, sharey=True)
        places = np.arange(len(cost))
        bars = (
            (speed, "cpu_ms_per_frame", "Processor time for a frame (ms)"),
            (memory, "peak_mb", "Most memory of the process (MB)"),
        )
        for axes, column, label in bars:
            lengths = cost[column].to_numpy(dtype=float)
            axes.barh(places, lengths, height=0.6, color="#6baed6")
            for place, value in zip(places, lengths, strict=True):
                axes.annotate(
                    f"{value:.0f}", (value, place), xytext=(3, 0), textcoords="offset points", va="center",
                    fontsize=_SMALL,
                )  # fmt: skip
            axes.set(xlabel=label, xlim=(0, 1.15 * float(np.nanmax(lengths, initial=1.0))))
            axes.grid(visible=False, axis="y")
            axes.tick_params(axis="y", length=0)
        speed.set_ylim(len(cost) - 0.5, -0.5)
        speed.set_yticks(places, [titles[name] for name in cost["backend"]])
        return figure


def _degrees(signal: str) -> str:
    return "degrees_filtered" if signal == "filtered" else "degrees"


def _over_time(angles: Angles, angle: str, signal: str, span: tuple[float, float]) -> pd.DataFrame:
    """Return time and degrees by frame, with a hole for frames without the person so that the line breaks there."""
    within = (angles.time_s >= span[0]) & (angles.time_s <= span[1])
    values = {"time_s": angles.time_s[within], "degrees": _values(angles, signal)[within, _COLUMN[angle]]}
    rows = pd.DataFrame(values, index=angles.frame[within])
    rows = rows[~rows.index.duplicated()]
    return rows.reindex(range(rows.index.min(), rows.index.max() + 1)) if len(rows) else rows


def _traced_times(original: Angles, signal: str) -> np.ndarray:
    """Return the times at which one of `leading_angles` has a value, shape (n,), s."""
    columns = [_COLUMN[angle] for angle in leading_angles(original, signal)]
    return np.asarray(original.time_s[np.isfinite(_values(original, signal)[:, columns]).any(axis=1)])


def _values(angles: Angles, signal: str) -> np.ndarray:
    """Return the degrees of a signal, shape (n, 28)."""
    values: np.ndarray = getattr(angles, _degrees(signal))
    return values


# --- Rows of the tables


def _summary(study: Study, measures: Sequence[str], basis: str, angles: Iterable[str]) -> pd.DataFrame:
    """Return the rows of the summary over all conditions, in the headline signal."""
    table = study.summary
    return table[
        (table["condition"] == "all")
        & (table["signal"] == study.signal)
        & (table["basis"] == basis)
        & table["measure"].isin(measures)
        & table["angle"].isin(list(angles))
    ]


def _methods(rows: pd.DataFrame) -> list[str]:
    """Return the methods in the order of the table, the control last."""
    methods = list(dict.fromkeys(rows["method"]))
    return [method for method in methods if method != CONTROL] + [CONTROL] * (CONTROL in methods)


def _pivot(rows: pd.DataFrame, column: str, angles: Iterable[str], methods: Sequence[str]) -> pd.DataFrame:
    return rows.pivot(index="angle", columns="method", values=column).reindex(index=list(angles), columns=list(methods))


def _per_video(table: pd.DataFrame, people: str, keys: list[str], column: str, weight: str) -> pd.DataFrame:
    """Average the people in each video, weighted: columns video, method, ``keys`` and ``value``, none missing."""
    rows = table[table["patient"]] if people == "patient" else table
    rows = rows[rows[column].notna() & (rows[weight] > 0)]
    by = ["video", "method", *keys]
    terms = rows[by].assign(product=rows[column] * rows[weight], weight=rows[weight].astype(float))
    total = terms.groupby(by, sort=False, as_index=False)[["product", "weight"]].sum()
    return total[by].assign(value=total["product"] / total["weight"])


# --- Parts of figures


def _figure(name: str, width_mm: float, height_mm: float) -> Figure:
    """Return an empty figure that draws with Agg, apart from any state of pyplot; its label is its heading."""
    figure = Figure(figsize=(width_mm / 25.4, height_mm / 25.4), layout="constrained", label=FIGURES.get(name, ""))
    FigureCanvasAgg(figure)
    return figure


def _nothing(name: str) -> Figure:
    """Return a figure that says that there is nothing to show."""
    figure = _figure(name, WIDTH_MM, 16)
    heading = f"{FIGURES[name]}: there" if name in FIGURES else "There"
    figure.text(0.5, 0.5, f"{heading} is nothing to show. Nothing was measured.", ha="center", va="center")
    return figure


def _empty(axes: Axes, empty: bool) -> None:
    """Say in the middle of a panel that it has no data."""
    if empty:
        axes.text(0.5, 0.5, "no data", transform=axes.transAxes, ha="center", va="center", fontsize=_SMALL)


def _joint_grid(figure: Figure, lead: float) -> dict[str, Axes]:
    """Return a panel for each joint: the two leading ones in a row ``lead`` times as high, five a row below."""
    others = [angle for angle in JOINTS if angle not in LEADING]
    # Two figures in one: a single grid with panels of two widths keeps the layout's solver busy for minutes.
    parts: Any = figure.subfigures(2, 1, height_ratios=[lead, math.ceil(len(others) / 5)])
    above, below = parts
    places = [*above.subplots(1, len(LEADING)), *below.subplots(math.ceil(len(others) / 5), 5).ravel()]
    panels = dict(zip([*LEADING, *others], places, strict=True))
    for angle, axes in panels.items():
        axes.set_title(words(angle), fontweight="bold" if angle in LEADING else "normal")
    return panels


def _method_rows(axes: Axes, methods: Sequence[str], names: Mapping[str, str] | None = None) -> None:
    """Label the rows of a panel with methods, in the leftmost panels only."""
    axes.set_yticks(range(len(methods)), [(names or {}).get(method, words(method)) for method in methods])
    place = axes.get_subplotspec()
    axes.tick_params(axis="y", length=0, labelleft=place is not None and place.is_first_col())
    axes.grid(visible=False, axis="y")


def _lines_between(axes: Axes, rows: int) -> None:
    """Draw the lines of the grid between rows, not through them."""
    axes.set_yticks(np.arange(rows - 1) + 0.5, minor=True)
    axes.grid(visible=False, axis="y")
    axes.grid(visible=True, axis="y", which="minor")
    axes.tick_params(axis="y", which="both", length=0)


def _interval(
    axes: Axes,
    mean: Iterable[Any],
    low: Iterable[Any],
    high: Iterable[Any],
    y: Iterable[float],
    look: Look,
    size: float = 5,
) -> None:
    """Draw means as marks with their intervals; nothing where there is no mean, only the mark without an interval."""
    means, lows, highs, rows = (np.asarray(list(values), dtype=float) for values in (mean, low, high, y))
    both = np.isfinite(lows) & np.isfinite(highs)
    axes.hlines(rows[both], lows[both], highs[both], color=look.colour, linewidth=1.4)
    axes.plot(means, rows, linestyle="", marker=look.marker, color=look.colour, markersize=size, gid="means")


def _legend(figure: Figure, methods: Sequence[str], look: Mapping[str, Look]) -> None:
    marks = [
        Line2D([], [], linestyle="", marker=look[m].marker, color=look[m].colour, markersize=5, label=words(m))
        for m in methods
    ]
    figure.legend(handles=marks, loc="outside upper left", ncols=min(6, len(methods)))


def _two_maps(name: str, values: pd.DataFrame) -> tuple[Figure, dict[Axes, pd.DataFrame]]:
    """Return a figure with a panel for joints and one for segments, and the rows that belong in each."""
    figure = _figure(name, max(WIDTH_MM, 84 + 22.0 * values.shape[1]), 18 + 4.9 * len(SEGMENTS))
    left, right = figure.subplots(1, 2)
    left.set_title("Joint angles", fontweight="bold")
    right.set_title("Segment angles", fontweight="bold")
    return figure, {left: values.loc[list(JOINTS)], right: values.loc[list(SEGMENTS)]}


def _map(
    axes: Axes,
    values: pd.DataFrame,
    shades: Colormap,
    norm: Normalize,
    text: Callable[[float], str],
    written: pd.DataFrame | None = None,
) -> Any:
    """Draw a table as a heat map with a number in each cell; cells without one are a grey dash. Return the image."""
    numbers = values.to_numpy(dtype=float)
    shown = numbers if written is None else written.to_numpy(dtype=float)
    axes.set_facecolor("#f0f0f0")
    image = axes.imshow(numbers, cmap=shades, norm=norm, aspect="auto", interpolation="nearest")
    colours = image.to_rgba(np.ma.masked_invalid(numbers))
    for (row, column), value in np.ndenumerate(numbers):
        if math.isnan(value):
            axes.text(column, row, "–", ha="center", va="center", color=_EDGE, fontsize=_SMALL)
            continue
        # Above this luminance black stands out more from it than white (the same source: equal contrast).
        ink = "black" if _luminance(colours[row, column]) > 0.179 else "white"
        axes.text(column, row, text(float(shown[row, column])), ha="center", va="center", color=ink, fontsize=_SMALL)
    axes.set_xticks(range(values.shape[1]), [words(str(name)) for name in values.columns])
    axes.set_yticks(range(values.shape[0]), [words(str(name)) for name in values.index])
    axes.tick_params(length=0)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    # White lines keep cells apart.
    axes.set_xticks(np.arange(values.shape[1] - 1) + 0.5, minor=True)
    axes.set_yticks(np.arange(values.shape[0] - 1) + 0.5, minor=True)
    axes.grid(visible=True, which="minor", color="white", linewidth=1.2)
    axes.tick_params(which="minor", length=0)
    axes.set_axisbelow(False)
    return image


def _luminance(colour: Any) -> float:
    """Return the relative luminance of a colour, 0..1 (WCAG 2.2, https://www.w3.org/TR/WCAG22/#dfn-relative-luminance)."""
    channels = np.asarray(colour[:3], dtype=float)
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ np.array([0.2126, 0.7152, 0.0722]))


def _beyond(values: NDArray[np.float64], bound: float) -> str:
    """Return at which ends a colour bar from -bound to bound is exceeded."""
    above, below = bool((values > bound).any()), bool((values < -bound).any())
    return {(True, True): "both", (True, False): "max", (False, True): "min", (False, False): "neither"}[above, below]


def _span(values: NDArray[np.float64], keep: Sequence[float] = ()) -> tuple[float, float]:
    """Return ends for an axis that holds the values and ``keep``, but not what lies far outside of the others.

    Far is more than three times as far from the median as the 2.5th or 97.5th percentile.
    """
    ends = list(keep)
    if len(values):
        middle, low, high = np.percentile(values, [50, 2.5, 97.5])
        ends += [
            max(float(values.min()), float(middle - 3 * (middle - low))),
            min(float(values.max()), float(middle + 3 * (high - middle))),
        ]
    first, last = min(ends, default=0.0), max(ends, default=0.0)
    room = 0.04 * (last - first) or 0.5
    return first - room, last + room


def _apart(places: NDArray[np.float64], distance: float, low: float, high: float) -> NDArray[np.float64]:
    """Move places as little as a sweep needs until they are ``distance`` apart and between ``low`` and ``high``."""
    order = np.argsort(places, kind="stable")
    moved = places[order].copy()
    for index in range(len(moved)):
        moved[index] = max(moved[index], moved[index - 1] + distance if index else low)
    for index in reversed(range(len(moved))):
        moved[index] = min(moved[index], moved[index + 1] - distance if index + 1 < len(moved) else high)
    result = np.empty(len(places))
    result[order] = moved
    return result


def _signed(value: float, decimals: int = 2) -> str:
    """Return a number with its sign, and none for zero."""
    rounded = round(float(value), decimals) + 0.0  # adding 0 turns -0.0 into 0.0
    return (f"{rounded:+.{decimals}f}" if rounded else f"{rounded:.{decimals}f}").replace("-", "−")


def _shown(rows: pd.DataFrame, level: float) -> str:
    """Return what is drawn: the mean, and its interval where there is one."""
    return f"mean and {100 * level:g} % interval" if rows["low"].notna().any() else "mean"
