"""Draw the statistics of a study, for papers as well as for Snakemake's report.

Every figure of `STUDY` is a function of a `Study`, the tables of the study in one, that returns a Matplotlib figure.
Unless a figure says otherwise it shows all conditions together, in the headline signal, with the control as its last
method. What is missing stays empty and says so; a figure that has nothing at all to show is a sentence.
"""

import math
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from deidpose.kinematics.angles import JOINTS, SEGMENTS
from deidpose.labels import CONTROL
from deidpose.report.distribution_figures import bland_altman, bland_altman_joints, identities, keypoints, raincloud
from deidpose.report.plotting import (
    EDGE,
    INK,
    SMALL,
    STYLE,
    WIDTH_MM,
    Study,
    draw_arrows,
    draw_interval,
    draw_legend,
    draw_lines_between,
    exceeded_ends,
    heat_map,
    joint_and_segment_maps,
    joint_grid,
    label_method_rows,
    mark_empty,
    methods_in_order,
    new_figure,
    nothing_to_show,
    signed,
    spread_apart,
)
from deidpose.report.style import AGREEMENT_BANDS, COLOURS, VERDICTS, Look, agreement_band, looks, words

_BAND = "#e3ebf1"

# --- The answer


def tradeoff(study: Study) -> Figure:
    """Privacy against kinematic cost, one mark a method: further up is more private, further left costs less.

    Methods that cover every face found stand in a strip of their own at the top, one below the other; those that leave
    some uncovered below it, on a logarithmic scale of the share of face-frames that they leave. Methods with no
    face-frame to judge stand at the bottom. The margin of equivalence is a band. What each mark stands for is written
    beside it, so that equal methods stay legible.
    """
    rows = study.choice[study.choice["method"] != CONTROL].sort_values("rank", kind="stable")
    with mpl.rc_context(STYLE):
        if rows.empty:
            return nothing_to_show("tradeoff")
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

        figure = new_figure("tradeoff", WIDTH_MM, 29 + 10 * height)
        axes = figure.add_subplot()
        axes.set_facecolor("white")
        margin = study.margin_deg
        ends = rows[["mae_net_deg", "low", "high"]].to_numpy(dtype=float)
        low = min(0.0, float(np.nanmin(ends, initial=0.0)))
        high = max(1.3 * margin, float(np.nanmax(ends, initial=0.0)))
        room = 0.04 * (high - low)
        axes.set(xlim=(low - room, high + room), ylim=(height, 0))
        axes.axvspan(max(-margin, low - room), margin, color=_BAND, linewidth=0)
        axes.axvline(margin, color=EDGE, linestyle="--", linewidth=0.9)
        axes.axvline(0, color=EDGE, linewidth=0.8)
        axes.annotate(
            f"margin: {margin:g}°",
            (margin, 0),
            xytext=(3, 2),
            textcoords="offset points",
            ha="center",
            va="bottom",
            fontsize=SMALL,
        )
        for border in {top, top + scale} - {0.0, height}:
            axes.axhline(border, color=EDGE, linewidth=0.6)
        # Texts stand beside their marks, pushed apart where marks are close.
        places = spread_apart(position, 1.0, 0.5, max(height, len(rows)) - 0.5)
        look = looks(rows["method"])
        row: Any
        for row, y, place in zip(rows.itertuples(), position, places, strict=True):
            one = look[row.method]
            draw_interval(axes, [row.mae_net_deg], [row.low], [row.high], [y], one, size=8 if row.recommended else 6.5)
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
                fontsize=SMALL,
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
    interval = "" if math.isnan(row.low) else f" ({signed(row.low)} to {signed(row.high)})"
    return f"{signed(row.mae_net_deg)}°{interval}"


# --- By angle, from the summary


def accuracy(study: Study) -> Figure:
    """Mean absolute difference of every method and joint angle, left knee and left elbow large, raw.

    A dashed line with a band marks the control: what encoding alone costs.
    """
    rows = _summary(study, ["mae_deg"], "raw", JOINTS)
    with mpl.rc_context(STYLE):
        if rows["mean"].isna().all():
            return nothing_to_show("accuracy")
        methods = methods_in_order(rows)
        look = looks(methods)
        figure = new_figure("accuracy", WIDTH_MM, 40 + 3 * max(18.0, 4.5 * len(methods)))
        limit = 1.08 * float(np.nanmax(rows[["mean", "high"]].to_numpy(dtype=float), initial=0.0)) or 1.0
        for angle, axes in joint_grid(figure, 1.3).items():
            mine = rows[rows["angle"] == angle].set_index("method")[["mean", "low", "high"]].reindex(methods)
            numbers = dict(zip(methods, mine.to_numpy(dtype=float).tolist(), strict=True))
            mean, low, high = numbers.get(CONTROL, [math.nan] * 3)
            axes.axvspan(low, high, color="#dddddd", linewidth=0)
            axes.axvline(mean, color=COLOURS[CONTROL], linestyle="--", linewidth=0.9)
            for row, method in enumerate(methods):
                mean, low, high = numbers[method]
                draw_interval(axes, [mean], [low], [high], [row], look[method])
            mark_empty(axes, bool(mine["mean"].isna().all()))
            axes.set(xlim=(0, limit), ylim=(len(methods) - 0.5, -0.5))
            label_method_rows(axes, methods)
        figure.supxlabel(f"Mean absolute difference from the original (deg), {_shown(rows, study.level)}")
        return figure


def heatmap(study: Study) -> Figure:
    """Mean absolute difference net of the control of every joint and segment angle, with its numbers."""
    rows = _summary(study, ["mae_deg"], "net", (*JOINTS, *SEGMENTS))
    with mpl.rc_context(STYLE):
        methods = [method for method in methods_in_order(rows) if method != CONTROL]
        values = _pivot(rows, "mean", (*JOINTS, *SEGMENTS), methods)
        numbers = np.abs(values.to_numpy(dtype=float))
        if not np.isfinite(numbers).any():
            return nothing_to_show("heatmap")
        # Noise far below the margin must not look like an effect, and one large number not pale all others.
        bound = max(2 * study.margin_deg, float(np.nanpercentile(numbers, 90)))
        figure, panels = joint_and_segment_maps("heatmap", values)
        for axes, part in panels.items():
            image = heat_map(axes, part, mpl.colormaps["PuOr_r"], Normalize(-bound, bound), signed)
        bar = figure.colorbar(
            image, ax=list(panels), extend=exceeded_ends(values.to_numpy(dtype=float), bound), aspect=35
        )
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
    with mpl.rc_context(STYLE):
        if rows["mean"].isna().all():
            return nothing_to_show(name)
        methods = methods_in_order(rows)
        look = looks(methods)
        figure = new_figure(name, WIDTH_MM, 26 + len(JOINTS) * max(7.5, 1.9 * len(methods)))
        panels = figure.subplots(1, len(measures), sharey=True, squeeze=False)[0]
        for axes, (measure, label) in zip(panels, measures.items(), strict=True):
            chosen = rows[rows["measure"] == measure]
            for index, method in enumerate(methods):
                shift = 0.76 * ((index + 0.5) / len(methods) - 0.5)
                mine = chosen[chosen["method"] == method].set_index("angle").reindex(list(JOINTS))
                draw_interval(
                    axes, mine["mean"], mine["low"], mine["high"], np.arange(len(JOINTS)) + shift, look[method], size=4
                )
            axes.axvline(0, color="#444444", linewidth=0.8)
            axes.set(xlabel=f"{label},\n{_shown(rows, study.level)}", ylim=(len(JOINTS) - 0.5, -0.5))
            axes.set_yticks(range(len(JOINTS)), [words(angle) for angle in JOINTS])
            draw_lines_between(axes, len(JOINTS))
            ends = chosen[["mean", "low", "high"]].to_numpy(dtype=float)
            if measure.endswith("_percent"):
                # Room to the left of 0, so that marks at 0 are whole.
                axes.set_xlim(np.array([-0.03, 1.06]) * max(1.0, float(np.nanmax(ends, initial=0.0))))
            else:
                # No narrower than a hundredth either way: less is noise and must not fill the panel.
                axes.set_xlim(1.1 * np.nanmin(ends, initial=-0.01), 1.1 * np.nanmax(ends, initial=0.01))
            mark_empty(axes, bool(chosen["mean"].isna().all()))
        draw_legend(figure, methods, look)
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
    with mpl.rc_context(STYLE):
        if rows["mean"].isna().all():
            return nothing_to_show("equivalence")
        methods = [method for method in methods_in_order(rows) if method != CONTROL]
        columns = min(3, len(methods))
        lines = math.ceil(len(methods) / columns)
        figure = new_figure("equivalence", WIDTH_MM, 22 + lines * (8 + 4.8 * len(JOINTS)))
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
                axes.axvline(edge, color=EDGE, linestyle="--", linewidth=0.7)
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
                    fontsize=SMALL,
                    annotation_clip=False,
                )
            axes.set_title(words(method), color=look[method].colour, fontweight="bold")
            axes.annotate(
                "n",
                (1.0, 1.0),
                xycoords="axes fraction",
                xytext=(14, 4),
                textcoords="offset points",
                fontsize=SMALL,
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
                color=INK,
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
    draw_arrows(axes, y, low < -bound, high > bound, (-bound, bound), look)
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
    with mpl.rc_context(STYLE):
        methods = methods_in_order(rows)
        values = _pivot(rows, "icc_2_1", (*JOINTS, *SEGMENTS), methods)
        if not np.isfinite(values.to_numpy(dtype=float)).any():
            return nothing_to_show("agreement")
        figure, panels = joint_and_segment_maps("agreement", values)
        shades = ListedColormap(["#b35806", "#fdb863", "#b2abd2", "#542788"])
        # The upper ends belong to the lower band at 0.9 only; `agreement_band` decides, not the colour map.
        norm = BoundaryNorm([-0.5, 0.5, 1.5, 2.5, 3.5], shades.N)
        bands = [band for _, band in AGREEMENT_BANDS]
        for axes, part in panels.items():
            ranks = part.map(lambda icc: float(bands.index(agreement_band(icc))) if not math.isnan(icc) else math.nan)
            image = heat_map(axes, ranks, shades, norm, lambda icc: f"{icc:.2f}".replace("-", "−"), written=part)
        bar = figure.colorbar(image, ax=list(panels), aspect=35, ticks=range(4))
        bounds = ("< 0.5", "0.5 to 0.75", "0.75 to 0.9", "> 0.9")
        bar.set_ticklabels([f"{band}\n{bound}" for band, bound in zip(bands, bounds, strict=True)])
        bar.ax.tick_params(length=0)
        bar.set_label("Agreement with the original, ICC(2,1)")
        bar.outline.set_visible(False)
        return figure


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


def _pivot(rows: pd.DataFrame, column: str, angles: Iterable[str], methods: Sequence[str]) -> pd.DataFrame:
    return rows.pivot(index="angle", columns="method", values=column).reindex(index=list(angles), columns=list(methods))


def _shown(rows: pd.DataFrame, level: float) -> str:
    """Return what is drawn: the mean, and its interval where there is one."""
    return f"mean and {100 * level:g} % interval" if rows["low"].notna().any() else "mean"
