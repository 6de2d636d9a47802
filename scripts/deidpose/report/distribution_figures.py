"""Draw what a study measured in single videos, people or frames."""

import math
from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.stats import gaussian_kde

from deidpose.kinematics.angles import JOINTS
from deidpose.labels import CONTROL
from deidpose.report.plotting import (
    HEAD_TO_FOOT,
    SMALL,
    STYLE,
    WIDTH_MM,
    Study,
    axis_span,
    draw_arrows,
    draw_lines_between,
    heat_map,
    joint_grid,
    label_method_rows,
    mark_empty,
    methods_in_order,
    new_figure,
    nothing_to_show,
    signed,
)
from deidpose.report.style import LEADING, Look, looks, words

#: A Bland–Altman panel draws up to so many frame pairs as dots, more as hexagons shaded by their number.
MAX_DOTS = 1500

#: A distribution of fewer videos than this is drawn without a box, and of fewer than that without a violin: quartiles
#: of four values, or a density of nine, show more than is known.
MIN_BOX = 5
MIN_VIOLIN = 10


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
    with mpl.rc_context(STYLE):
        if pairs.empty:
            return nothing_to_show(name)
        methods = methods_in_order(pairs)
        look = looks(methods)
        figure = new_figure(name, max(WIDTH_MM, 32.0 * len(methods)), 14 + row_mm * len(angles))
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
            extent = (*(axis_span(mean) if len(mean) else (0.0, 1.0)), -bound, bound)
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
    mark_empty(axes, len(mean) == 0)
    if not inside.all():
        axes.annotate(
            f"{(~inside).sum():,} outside".replace(",", "\N{NARROW NO-BREAK SPACE}"),
            (1, 0),
            xycoords="axes fraction",
            xytext=(-1, 1),
            textcoords="offset points",
            ha="right",
            fontsize=SMALL,
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
    interval = "" if math.isnan(low) else f" ({signed(low, 1)}, {signed(high, 1)})"
    axes.annotate(
        f"{signed(bias, 1)}{interval}",
        (0, 1),
        xycoords="axes fraction",
        xytext=(2, -1),
        textcoords="offset points",
        va="top",
        fontsize=SMALL,
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
    with mpl.rc_context(STYLE):
        if videos.empty:
            return nothing_to_show("raincloud")
        methods = methods_in_order(effects)
        look = looks(methods)
        figure = new_figure("raincloud", WIDTH_MM, 34 + 3 * max(22.0, 9.5 * len(methods)))
        span = axis_span(videos["value"].to_numpy(dtype=float), keep=(0.0,))
        for angle, axes in joint_grid(figure, 1.2).items():
            mine = videos[videos["angle"] == angle]
            axes.axvline(0, color="#444444", linewidth=0.8)
            for row, method in enumerate(methods):
                values = mine.loc[mine["method"] == method, "value"].to_numpy(dtype=float)
                _cloud(axes, values, float(row), look[method], span)
            mark_empty(axes, mine.empty)
            axes.set(xlim=span, ylim=(len(methods) - 0.4, -0.6))
            label_method_rows(axes, methods, {CONTROL: "Control (raw)"})
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
    draw_arrows(axes, np.asarray(scatter), values < span[0], values > span[1], span, look)


def keypoints(study: Study) -> Figure:
    """Share of sightings within 0.2 torso lengths of the original's (PCK@0.2), and mean displacement, raw.

    Means over videos; the people in a video are averaged, weighted by their sightings in the original (PCK) or in both
    (displacement).
    """
    table = study.keypoint_effects
    near = _per_video(table, study.people, ["keypoint"], "pck_0_2", "n_original")
    moved = _per_video(table, study.people, ["keypoint"], "displacement_mean", "n_both")
    with mpl.rc_context(STYLE):
        if near.empty and moved.empty:
            return nothing_to_show("keypoints")
        methods = methods_in_order(table)
        seen = set(near["keypoint"]) | set(moved["keypoint"])
        names = [name for name in ("head", "body", *HEAD_TO_FOOT) if name in seen]
        over_videos = [
            rows.groupby(["keypoint", "method"], as_index=False)["value"]
            .mean()
            .pivot(index="keypoint", columns="method", values="value")
            .reindex(index=names, columns=methods)
            for rows in (near, moved)
        ]
        figure = new_figure("keypoints", max(WIDTH_MM, 70 + 24.0 * len(methods)), 26 + 4.4 * len(names))
        left, right = figure.subplots(1, 2, sharey=True)
        shares = 100 * over_videos[0]
        # The scale reaches down to half at least, so that a share of 98 % looks like what it is.
        lowest = min(50.0, float(np.nanmin(shares.to_numpy(dtype=float), initial=100.0)))
        furthest = max(0.2, float(np.nanmax(over_videos[1].to_numpy(dtype=float), initial=0.0)))
        blues = LinearSegmentedColormap.from_list("far", ["#f7fbff", "#6baed6", "#08306b"])
        image = heat_map(left, shares, blues.reversed(), Normalize(lowest, 100), lambda value: f"{value:.1f}")
        figure.colorbar(
            image, ax=left, location="bottom", aspect=30, pad=0.02, label="Within 0.2 torso lengths (% of sightings)"
        )
        image = heat_map(right, over_videos[1], blues, Normalize(0, furthest), lambda value: f"{value:.3f}")
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
    methods = methods_in_order(pd.concat([lost[["method"]], heads[["method"]]]))
    with mpl.rc_context(STYLE):
        if all(rows["value"].isna().all() for rows in panels.values()):
            return nothing_to_show("identities")
        look = looks(methods)
        figure = new_figure("identities", WIDTH_MM, 20 + 8 * len(methods))
        for axes, (label, rows) in zip(
            figure.subplots(1, len(panels), sharey=True, squeeze=False)[0], panels.items(), strict=True
        ):
            rows = rows[rows["value"].notna()]
            span = axis_span(rows["value"].to_numpy(dtype=float), keep=(0.0, 1.0))
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
                    fontsize=SMALL,
                )
            axes.set(xlim=span, ylim=(len(methods) - 0.4, -0.6), xlabel=label)
            axes.set_yticks(range(len(methods)), [words(method) for method in methods])
            draw_lines_between(axes, len(methods))
        return figure


def _shares(table: pd.DataFrame, part: str, whole: str) -> pd.DataFrame:
    """Return the table with ``value``: one count in percent of another, NaN where that is 0."""
    return table.assign(value=100.0 * table[part] / table[whole].where(table[whole] > 0))


def _per_video(table: pd.DataFrame, people: str, keys: list[str], column: str, weight: str) -> pd.DataFrame:
    """Average the people in each video, weighted: columns video, method, ``keys`` and ``value``, none missing."""
    rows = table[table["patient"]] if people == "patient" else table
    rows = rows[rows[column].notna() & (rows[weight] > 0)]
    by = ["video", "method", *keys]
    terms = rows[by].assign(product=rows[column] * rows[weight], weight=rows[weight].astype(float))
    total = terms.groupby(by, sort=False, as_index=False)[["product", "weight"]].sum()
    return total[by].assign(value=total["product"] / total["weight"])
