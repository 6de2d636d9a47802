"""The figures of a study. Every function returns a figure; `save` writes it, the same bytes for the same input."""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from deidpose.angles import ANGLES
from deidpose.stats import CONTROL

#: Colours that stay apart for colour-blind readers (Okabe & Ito 2008, Color Universal Design).
COLOURS: dict[str, str] = {
    "original": "#000000",
    CONTROL: "#7a7a7a",
    "blur": "#0072B2",
    "block": "#D55E00",
    "pixelate": "#009E73",
}

#: Markers, so that no method is told by its colour alone.
MARKERS: dict[str, str] = {CONTROL: "D", "blur": "o", "block": "s", "pixelate": "^"}

#: The two angles that lead every figure.
LEADING = ("left_knee", "left_elbow")

#: A trace shows at most this much of a video: enough for several strides, and small in a report.
TRACE_SECONDS = 20.0

_STYLE: Any = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # it comes with matplotlib, so the layout is the same everywhere
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.edgecolor": "#666666",
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "lines.linewidth": 1.1,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "svg.hashsalt": "deidpose",  # otherwise the ids in an SVG are drawn at random
    "svg.fonttype": "none",
}


class _Interval(NamedTuple):
    mean: float
    low: float
    high: float


def words(name: str) -> str:
    """Return the name of an angle or method as a reader sees it: ``left_knee`` becomes ``Left knee``."""
    return "Control" if name == CONTROL else name.replace("_", " ").capitalize()


def save(figure: Figure, path: str | Path) -> None:
    """Write a figure as SVG or PNG, by the ending of ``path``, without a date or a version in it."""
    metadata = {"Date": None, "Creator": None} if str(path).endswith(".svg") else {"Software": None}
    with mpl.rc_context(_STYLE):
        figure.savefig(path, dpi=150, metadata=metadata)


def accuracy(summary: pd.DataFrame) -> Figure:
    """Mean absolute difference of every method and angle, left knee and left elbow large.

    A line with a band marks the control: what encoding alone costs.

    Parameters
    ----------
    summary : DataFrame
        The table ``summary``.
    """
    rows = _select(summary, "mae_deg", "raw")
    with mpl.rc_context(_STYLE):
        if rows.empty:
            return _nothing()
        figure = _figure(8.0, 6.4)
        methods = list(dict.fromkeys(rows["method"]))
        intervals = _intervals(rows)
        grid = figure.add_gridspec(3, 4, height_ratios=[1.5, 1, 1])
        others = [angle for angle in ANGLES if angle not in LEADING]
        places = [grid[0, :2], grid[0, 2:], *(grid[1 + i // 4, i % 4] for i in range(len(others)))]
        for place, angle in zip(places, [*LEADING, *others], strict=True):
            axes = figure.add_subplot(place)
            axes.set_title(words(angle), fontweight="bold" if angle in LEADING else "normal")
            if (CONTROL, angle) in intervals:
                control = intervals[CONTROL, angle]
                axes.axvspan(control.low, control.high, color="#bbbbbb", alpha=0.4, linewidth=0)
                axes.axvline(control.mean, color=COLOURS[CONTROL], linestyle="--", linewidth=0.9)
            for position, method in enumerate(methods):
                _dot(axes, intervals[method, angle], float(position), method)
            axes.set_yticks(range(len(methods)), [words(method) for method in methods])
            axes.set(xlim=(0, _limit(rows)), ylim=(len(methods) - 0.5, -0.5))
            axes.grid(visible=False, axis="y")
            axes.label_outer()
            axes.tick_params(labelbottom=angle in (*LEADING, *others[4:]))
        figure.supxlabel("Mean absolute difference from the original (deg), with bootstrap interval", fontsize=9)
        return figure


def heatmap(summary: pd.DataFrame) -> Figure:
    """Mean absolute difference net of the control, angle by method, with its numbers.

    Parameters
    ----------
    summary : DataFrame
        The table ``summary``.
    """
    rows = _select(summary, "mae_deg", "net")
    with mpl.rc_context(_STYLE):
        if rows.empty:
            return _nothing()
        methods = list(dict.fromkeys(rows["method"]))
        values = rows.pivot(index="angle", columns="method", values="mean").reindex(index=list(ANGLES), columns=methods)
        numbers = values.to_numpy(dtype=float)
        figure = _figure(2.6 + 1.2 * len(methods), 4.6)
        axes = figure.add_subplot()
        axes.set_facecolor("#eeeeee")
        # At least one degree to either side: noise far below it must not look like an effect.
        bound = max(1.0, float(np.nanmax(np.abs(numbers), initial=0.0)))
        norm = Normalize(-bound, bound)
        image = axes.imshow(numbers, cmap="PuOr_r", norm=norm, aspect="auto")
        for (row, column), value in np.ndenumerate(numbers):
            dark = abs(value) > 0.6 * bound
            text = "no data" if math.isnan(value) else f"{value:+.2f}"
            axes.text(column, row, text, ha="center", va="center", color="white" if dark else "black")
        axes.set_xticks(range(len(methods)), [words(method) for method in methods])
        axes.set_yticks(range(len(ANGLES)), [words(angle) for angle in ANGLES])
        axes.tick_params(length=0)
        axes.grid(visible=False)
        axes.spines[:].set_visible(False)
        bar = figure.colorbar(image, ax=axes)
        bar.set_label("Mean absolute difference, net of the control (deg)")
        bar.outline.set_visible(False)
        return figure


def confidence(summary: pd.DataFrame) -> Figure:
    """Change of the pose confidence of every method and angle.

    Parameters
    ----------
    summary : DataFrame
        The table ``summary``.
    """
    return _by_angle(summary, {"confidence_bias": "Confidence, method minus original (0 to 1)"})


def lost_frames(summary: pd.DataFrame) -> Figure:
    """Frames that lost an angle, and frames that gained one, of every method.

    Parameters
    ----------
    summary : DataFrame
        The table ``summary``.
    """
    return _by_angle(
        summary, {"lost_percent": "Frames lost (% of original)", "gained_percent": "Frames gained (% of original)"}
    )


def _by_angle(summary: pd.DataFrame, measures: Mapping[str, str]) -> Figure:
    """Draw one panel a measure: an angle a row, a method a mark, raw, with intervals."""
    rows = summary[summary["measure"].isin(measures) & (summary["basis"] == "raw")]
    with mpl.rc_context(_STYLE):
        if rows.empty:
            return _nothing()
        methods = list(dict.fromkeys(rows["method"]))
        figure = _figure(7.0, 5.2)
        panels = figure.subplots(1, len(measures), sharey=True, squeeze=False)[0]
        for axes, (measure, label) in zip(panels, measures.items(), strict=True):
            chosen = rows[rows["measure"] == measure]
            intervals = _intervals(chosen)
            for index, method in enumerate(methods):
                shift = 0.7 * ((index + 0.5) / len(methods) - 0.5)
                for position, angle in enumerate(ANGLES):
                    _dot(axes, intervals[method, angle], position + shift, method)
            axes.axvline(0, color="#444444", linewidth=0.8)
            axes.set(xlabel=label, ylim=(len(ANGLES) - 0.5, -0.5))
            axes.set_yticks(range(len(ANGLES)), [words(angle) for angle in ANGLES])
            axes.set_yticks(np.arange(len(ANGLES) - 1) + 0.5, minor=True)
            axes.grid(visible=False, axis="y")
            axes.grid(visible=True, axis="y", which="minor")
            axes.tick_params(axis="y", which="both", length=0)
            if measure.endswith("_percent"):
                axes.set_xlim(left=0, right=max(1.0, _limit(chosen)))
            else:
                ends = chosen[["mean", "low", "high"]].to_numpy(dtype=float)
                # No narrower than a hundredth either way: less is noise and must not fill the panel.
                axes.set_xlim(1.1 * np.nanmin(ends, initial=-0.01), 1.1 * np.nanmax(ends, initial=0.01))
        marks = [
            panels[0].plot([], [], linestyle="", marker=_marker(m), color=_colour(m), label=words(m))[0]
            for m in methods
        ]
        figure.legend(handles=marks, loc="outside upper left", ncols=len(methods))
        return figure


#: The four figures of a study, each drawn from the table ``summary``.
STUDY: dict[str, Callable[[pd.DataFrame], Figure]] = {
    "accuracy": accuracy,
    "heatmap": heatmap,
    "confidence": confidence,
    "lost_frames": lost_frames,
}


def main_person(original_angles: pd.DataFrame) -> int | None:
    """Return the person with the most frames of the left knee and left elbow, None where nobody has any."""
    seen = original_angles[original_angles["angle"].isin(LEADING) & original_angles["degrees"].notna()]
    if seen.empty:
        return None
    people, count = np.unique(seen["person"].to_numpy(dtype=np.int64), return_counts=True)
    return int(people[count.argmax()])


def traces_of_video(
    video: str,
    original_angles: pd.DataFrame,
    method_angles: Mapping[str, pd.DataFrame],
    matches: Mapping[str, Mapping[int, Sequence[int]]],
) -> Figure:
    """Left knee and left elbow over time of the person with the most frames, before and after every method.

    Parameters
    ----------
    video : str
        Id of the video.
    original_angles : DataFrame
        The table ``angles`` of the original.
    method_angles : mapping
        Method -> its table ``angles``.
    matches : mapping
        Method -> person of the original -> people of the method, as `effects.match_people` returns it.
    """
    person = main_person(original_angles)
    if person is None:
        with mpl.rc_context(_STYLE):
            return _nothing()
    followed = {
        method: angles[angles["person"].isin(matches[method].get(person, ()))]
        for method, angles in method_angles.items()
    }
    original = original_angles[original_angles["person"] == person]
    cut = np.ptp(original["time_s"].to_numpy()) > TRACE_SECONDS
    shown = f", the first {TRACE_SECONDS:g} s" if cut else ""
    return traces(original, followed, f"Video {video}, person {person}{shown}")


def traces(original_angles: pd.DataFrame, method_angles: Mapping[str, pd.DataFrame], title: str) -> Figure:
    """Left knee and left elbow of one person over time, and below each the difference from the original.

    Parameters
    ----------
    original_angles : DataFrame
        The rows of one person of the table ``angles`` of the original.
    method_angles : mapping
        Method -> the rows of the same person of the table ``angles`` of that method.
    title : str
        What to write above, such as the id of the video.
    """
    methods = list(method_angles)
    start = original_angles.loc[original_angles["degrees"].notna(), "time_s"].min()
    with mpl.rc_context(_STYLE):
        if math.isnan(start):
            return _nothing()
        figure = _figure(8.0, 6.0)
        panels = figure.subplots(4, 1, sharex=True, height_ratios=[2, 1, 2, 1])
        for index, angle in enumerate(LEADING):
            above, below = panels[2 * index], panels[2 * index + 1]
            original = _over_time(original_angles, angle, start)
            above.plot(
                original["time_s"], original["degrees"], color=COLOURS["original"], linewidth=1.8, label="Original"
            )
            for method in methods:
                line = _over_time(method_angles[method], angle, start)
                style = {"color": _colour(method), "label": words(method), "linewidth": 0.9}
                above.plot(line["time_s"], line["degrees"], **style)
                difference = line["degrees"] - original["degrees"].reindex(line.index)
                below.plot(line["time_s"], difference, **style)
            above.set_title(words(angle))
            above.set_ylabel("Angle (deg)")
            above.margins(x=0.01)
            below.axhline(0, color="#444444", linewidth=0.8)
            below.set_ylabel("Difference\n(deg)")
        panels[-1].set_xlabel("Time (s)")
        figure.align_ylabels()
        figure.suptitle(title, x=0.01, ha="left", fontsize=10)
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower left", ncols=len(methods) + 1)
        return figure


def _over_time(angles: pd.DataFrame, angle: str, start: float) -> pd.DataFrame:
    """Return time and degrees by frame, with a hole for frames without the person so that the line breaks there."""
    rows = angles[(angles["angle"] == angle) & angles["time_s"].between(start, start + TRACE_SECONDS)]
    rows = rows.set_index("frame")[["time_s", "degrees"]].sort_index()
    return rows.reindex(range(rows.index.min(), rows.index.max() + 1)) if len(rows) else rows


def _select(summary: pd.DataFrame, measure: str, basis: str) -> pd.DataFrame:
    return summary[(summary["measure"] == measure) & (summary["basis"] == basis)]


def _limit(rows: pd.DataFrame) -> float:
    """Return an upper end for an axis that starts at 0 and has to hold every mean and interval."""
    largest = float(np.nanmax(rows[["mean", "high"]].to_numpy(dtype=float), initial=0.0))
    return 1.08 * largest if largest > 0 else 1.0


def _intervals(rows: pd.DataFrame) -> dict[tuple[str, str], _Interval]:
    """Return the mean and interval of each method and angle."""
    keys = zip(rows["method"], rows["angle"], strict=True)
    numbers = rows[["mean", "low", "high"]].to_numpy(dtype=float).tolist()
    return {key: _Interval(*row) for key, row in zip(keys, numbers, strict=True)}


def _dot(axes: Axes, interval: _Interval, position: float, method: str) -> None:
    """Draw a mean with its interval; nothing where there is no mean."""
    colour = _colour(method)
    if not math.isnan(interval.low):
        axes.plot([interval.low, interval.high], [position, position], color=colour, linewidth=1.4)
    axes.plot([interval.mean], [position], marker=_marker(method), color=colour, markersize=5, linestyle="")


def _colour(method: str) -> str:
    return COLOURS.get(method, "#CC79A7")


def _marker(method: str) -> str:
    return MARKERS.get(method, "v")


def _figure(width: float, height: float) -> Figure:
    """Return an empty figure of a size in inches that draws with Agg, apart from any state of pyplot."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _nothing() -> Figure:
    """Return a figure that says that there is nothing to show."""
    figure = _figure(6.0, 1.2)
    figure.text(0.5, 0.5, "No video was accepted, or nobody was seen: there is nothing to show.", ha="center")
    return figure
