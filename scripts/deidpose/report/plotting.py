"""The parts that several figures share.

All figures are 180 mm wide, two columns of a journal, unless there are so many methods that they need more; nothing in
them is smaller than 7 points. `save` writes a figure as SVG, PDF or PNG, the same bytes for the same input.
"""

import logging
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import Colormap, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from deidpose.kinematics.angles import JOINTS, SEGMENTS
from deidpose.labels import CONTROL
from deidpose.report.style import FIGURES, LEADING, Look, words

#: Width of every figure in mm: two columns of a journal.
WIDTH_MM = 180.0

#: Resolution of PNG and of the dots inside SVG and PDF, in dots per inch.
DPI = 300

SMALL = 7.0  # points; the smallest text
EDGE = "#666666"
INK = "#222222"
STYLE: Any = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # it comes with matplotlib, so the layout is the same everywhere
    "font.size": 8,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.labelsize": 8,
    "axes.titlesize": 8,
    "axes.titlelocation": "left",
    "axes.titlepad": 3.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.edgecolor": EDGE,
    "axes.linewidth": 0.6,
    "axes.unicode_minus": True,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
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
    with mpl.rc_context(STYLE):
        figure.savefig(path, dpi=DPI, metadata=metadata)


def draw_arrows(
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
HEAD_TO_FOOT = (
    "Nose", "LEye", "REye", "LEar", "REar", "Neck", "LShoulder", "RShoulder", "LElbow", "RElbow", "LWrist", "RWrist",
    "LIndex", "RIndex", "MidHip", "LHip", "RHip", "LKnee", "RKnee", "LAnkle", "RAnkle", "LHeel", "RHeel", "LBigToe",
    "RBigToe", "LSmallToe", "RSmallToe",
)  # fmt: skip


def methods_in_order(rows: pd.DataFrame) -> list[str]:
    """Return the methods in the order of the table, the control last."""
    methods = list(dict.fromkeys(rows["method"]))
    return [method for method in methods if method != CONTROL] + [CONTROL] * (CONTROL in methods)


# --- Parts of figures


def new_figure(name: str, width_mm: float, height_mm: float) -> Figure:
    """Return an empty figure that draws with Agg, apart from any state of pyplot; its label is its heading."""
    figure = Figure(figsize=(width_mm / 25.4, height_mm / 25.4), layout="constrained", label=FIGURES.get(name, ""))
    FigureCanvasAgg(figure)
    return figure


def nothing_to_show(name: str) -> Figure:
    """Return a figure that says that there is nothing to show."""
    figure = new_figure(name, WIDTH_MM, 16)
    heading = f"{FIGURES[name]}: there" if name in FIGURES else "There"
    figure.text(0.5, 0.5, f"{heading} is nothing to show. Nothing was measured.", ha="center", va="center")
    return figure


def mark_empty(axes: Axes, empty: bool) -> None:
    """Say in the middle of a panel that it has no data."""
    if empty:
        axes.text(0.5, 0.5, "no data", transform=axes.transAxes, ha="center", va="center", fontsize=SMALL)


def joint_grid(figure: Figure, lead: float) -> dict[str, Axes]:
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


def label_method_rows(axes: Axes, methods: Sequence[str], names: Mapping[str, str] | None = None) -> None:
    """Label the rows of a panel with methods, in the leftmost panels only."""
    axes.set_yticks(range(len(methods)), [(names or {}).get(method, words(method)) for method in methods])
    place = axes.get_subplotspec()
    axes.tick_params(axis="y", length=0, labelleft=place is not None and place.is_first_col())
    axes.grid(visible=False, axis="y")


def draw_lines_between(axes: Axes, rows: int) -> None:
    """Draw the lines of the grid between rows, not through them."""
    axes.set_yticks(np.arange(rows - 1) + 0.5, minor=True)
    axes.grid(visible=False, axis="y")
    axes.grid(visible=True, axis="y", which="minor")
    axes.tick_params(axis="y", which="both", length=0)


def draw_interval(
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


def draw_legend(figure: Figure, methods: Sequence[str], look: Mapping[str, Look]) -> None:
    """Draw a legend of the methods below a figure."""
    marks = [
        Line2D([], [], linestyle="", marker=look[m].marker, color=look[m].colour, markersize=5, label=words(m))
        for m in methods
    ]
    figure.legend(handles=marks, loc="outside upper left", ncols=min(6, len(methods)))


def joint_and_segment_maps(name: str, values: pd.DataFrame) -> tuple[Figure, dict[Axes, pd.DataFrame]]:
    """Return a figure with a panel for joints and one for segments, and the rows that belong in each."""
    figure = new_figure(name, max(WIDTH_MM, 84 + 22.0 * values.shape[1]), 18 + 4.9 * len(SEGMENTS))
    left, right = figure.subplots(1, 2)
    left.set_title("Joint angles", fontweight="bold")
    right.set_title("Segment angles", fontweight="bold")
    return figure, {left: values.loc[list(JOINTS)], right: values.loc[list(SEGMENTS)]}


def heat_map(
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
            axes.text(column, row, "–", ha="center", va="center", color=EDGE, fontsize=SMALL)
            continue
        # Above this luminance black stands out more from it than white (the same source: equal contrast).
        ink = "black" if _luminance(colours[row, column]) > 0.179 else "white"
        axes.text(column, row, text(float(shown[row, column])), ha="center", va="center", color=ink, fontsize=SMALL)
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


def exceeded_ends(values: NDArray[np.float64], bound: float) -> str:
    """Return at which ends a colour bar from -bound to bound is exceeded."""
    above, below = bool((values > bound).any()), bool((values < -bound).any())
    return {(True, True): "both", (True, False): "max", (False, True): "min", (False, False): "neither"}[above, below]


def axis_span(values: NDArray[np.float64], keep: Sequence[float] = ()) -> tuple[float, float]:
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


def spread_apart(places: NDArray[np.float64], distance: float, low: float, high: float) -> NDArray[np.float64]:
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


def signed(value: float, decimals: int = 2) -> str:
    """Return a number with its sign, and none for zero."""
    rounded = round(float(value), decimals) + 0.0  # adding 0 turns -0.0 into 0.0
    return (f"{rounded:+.{decimals}f}" if rounded else f"{rounded:.{decimals}f}").replace("-", "−")
