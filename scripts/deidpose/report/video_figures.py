"""Draw the angles of one video over time."""

from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from deidpose.kinematics.angles import ANGLES, JOINTS, SEGMENTS, Angles
from deidpose.report.plotting import STYLE, WIDTH_MM, methods_in_order, new_figure, nothing_to_show
from deidpose.report.style import COLOURS, LEADING, looks, words

#: A trace shows at most this much of a video, in seconds: enough for several strides, and small in a report.
TRACE_SECONDS = 20.0

#: Angle -> its column in the arrays of `Angles`.
_COLUMN = {angle: column for column, angle in enumerate(ANGLES)}

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
    with mpl.rc_context(STYLE):
        if not angles:
            return nothing_to_show("")
        methods = methods_in_order(pd.DataFrame({"method": list(method_angles)}))
        look = looks(methods)
        span = trace_span(original_angles, signal)
        cut = _traced_times(original_angles, signal)[-1] > span[1]
        figure = new_figure("", WIDTH_MM, 18 + 52 * len(angles))
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
