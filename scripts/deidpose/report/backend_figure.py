"""Draw the figure that compares the pose networks."""

from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure

from deidpose.kinematics.angles import JOINTS
from deidpose.report.plotting import HEAD_TO_FOOT, SMALL, STYLE, WIDTH_MM, heat_map, new_figure, nothing_to_show

# --- Pose networks

#: The names of more pairs than this stand upright below their columns.
_MOST_LEVEL = 3


def compare_backends(
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
    with mpl.rc_context(STYLE):
        if cost.empty:
            return nothing_to_show("backends")
        pairs = list(of_keypoints[["backend", "other"]].drop_duplicates().itertuples(index=False, name=None))
        names = ["\n".join(titles[name] for name in pair) for pair in pairs]
        seen = set(of_keypoints.loc[of_keypoints["distance_median"].notna(), "keypoint"])
        parts = ["head", "body", *(name for name in HEAD_TO_FOOT if name in seen)]
        rows_mm = 5 * max(len(parts), 14 * bool(pairs))
        cost_mm = 16 + 6 * len(cost)
        turned = len(pairs) > _MOST_LEVEL
        below_mm = 50 if turned else 30
        figure = new_figure(
            "backends", max(WIDTH_MM, 70 + 22.0 * len(pairs)), rows_mm + cost_mm + below_mm * bool(pairs)
        )
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
                image = heat_map(axes, values, blues, Normalize(0, top), form.format)
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
                    fontsize=SMALL,
                )  # fmt: skip
            axes.set(xlabel=label, xlim=(0, 1.15 * float(np.nanmax(lengths, initial=1.0))))
            axes.grid(visible=False, axis="y")
            axes.tick_params(axis="y", length=0)
        speed.set_ylim(len(cost) - 0.5, -0.5)
        speed.set_yticks(places, [titles[name] for name in cost["backend"]])
        return figure
