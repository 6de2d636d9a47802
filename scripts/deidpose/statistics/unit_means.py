"""Average effects up to units: over the people of a video, then over the videos of a subject.

A unit is a subject, or a video of nobody in particular.
"""

from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from deidpose import tables
from deidpose.errors import UserError
from deidpose.kinematics.angles import JOINTS, SEGMENTS
from deidpose.labels import ALL, BASES, BODY, CONTROL, JOINT_MEAN, SIGNALS
from deidpose.statistics.moments import row_means

#: Measure of the table ``effects`` -> the column that weights the people of one video.
MEASURES: dict[str, str] = {
    "bias_deg": "n_both",
    "sd_deg": "n_both",
    "mae_deg": "n_both",
    "rmse_deg": "n_both",
    "p95_deg": "n_both",
    "percent_difference": "n_both",
    "icc_2_1": "n_both",
    "pearson_r": "n_both",
    "lost_percent": "n_original",
    "gained_percent": "n_original",
    "range_of_motion_bias_deg": "n_both",
    "peak_bias_deg": "n_both",
    "cycle_time_bias_s": "n_both",
    "confidence_bias": "n_both",
}

#: The same for the rows ``body`` of the table ``keypoint_effects``.
BODY_MEASURES: dict[str, str] = {"displacement_mean": "n_both", "pck_0_2": "n_original", "oks": "n_original"}

#: Measures of the table ``identities`` -> the column that weights the people of one video; what has none is summed.
#: ``mirrored_percent`` is 100 x n_mirrored / n_both.
IDENTITY_MEASURES: dict[str, str] = {"lost_percent": "n_original", "mirrored_percent": "n_both", "n_switches": ""}

#: Measures that are also averaged over the joint angles of a video, angle `JOINT_MEAN`.
JOINT_MEASURES = ("mae_deg", "lost_percent")

_COLUMN = ["method", "angle", "signal", "measure", "basis"]


def units(wide: pd.DataFrame, videos: pd.DataFrame) -> pd.DataFrame:
    """Average the videos of each subject, each video counting once. A video without a subject is its own unit.

    Parameters
    ----------
    wide : DataFrame
        A row for each video, indexed by its id; NaN where a video has no value.
    videos : DataFrame
        As in `summarize`.

    Returns
    -------
    DataFrame
        The columns of ``wide``, a row for each unit that has any value, in the order of their names, which begin with
        ``subject`` or ``video``.
    """
    subject = videos.set_index("video")["subject"].reindex(wide.index)
    if subject.isna().any():
        raise ValueError("a video of the effects is not among the videos")
    name = np.where(subject == "", "video " + wide.index.astype(str), "subject " + subject.astype(str))
    names, unit = np.unique(name.astype(str), return_inverse=True)
    matrix = wide.to_numpy(dtype=float)
    finite = np.isfinite(matrix)
    member = np.zeros((len(names), len(matrix)))
    member[unit, np.arange(len(matrix))] = 1.0
    count, total = member @ finite, member @ np.where(finite, matrix, 0.0)
    mean = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    return pd.DataFrame(mean, index=names, columns=wide.columns).dropna(how="all")


def net_column(measure: str) -> str:
    """Return the name of the column that holds a measure net of the control: bias_deg -> bias_net_deg."""
    return measure.removesuffix("_deg") + "_net" + ("_deg" if measure.endswith("_deg") else "")


def signals_of(effects: pd.DataFrame) -> list[str]:
    """Return the signals that the effects have, in their order."""
    present = set(effects["signal"].unique())
    return [signal for signal in SIGNALS if signal in present]


def _bases(measure: str, table: str, method: str) -> tuple[str, ...]:
    """Return the bases that a measure of a table has for a method."""
    return BASES if method != CONTROL and net_column(measure) in tables.TABLES[table] else BASES[:1]


def study_columns(
    effects: pd.DataFrame, *of_body: pd.DataFrame, measures: Iterable[str] = tuple(MEASURES)
) -> pd.MultiIndex:
    """Return every column that a study of these tables has, in order, whether or not a video has a value for it."""
    methods = list(dict.fromkeys(method for table in (effects, *of_body) for method in table["method"].unique()))
    signals, measures = signals_of(effects), list(measures)
    angles = [(angle, measures) for angle in (*JOINTS, *SEGMENTS)]
    if of_body:
        angles.append((JOINT_MEAN, [measure for measure in JOINT_MEASURES if measure in measures]))
    columns = []
    for method in methods:
        columns += [
            (method, angle, signal, measure, basis)
            for angle, of_angle in angles
            for signal in signals
            for measure in of_angle
            for basis in _bases(measure, "effects", method)
        ]
        if of_body:
            columns += [
                (method, BODY, "", measure, basis)
                for measure in BODY_MEASURES
                for basis in _bases(measure, "keypoint_effects", method)
            ]
            columns += [
                (method, BODY, "", measure, basis)
                for measure in IDENTITY_MEASURES
                for basis in (BASES if method != CONTROL else BASES[:1])
            ]
    return pd.MultiIndex.from_tuples(columns, names=_COLUMN)


def by_condition(wide: pd.DataFrame, videos: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield `ALL` with all videos, then each named condition, by name, with its videos."""
    condition = videos.set_index("video")["condition"]
    named = sorted(set(condition) - {""})
    if ALL in named:
        raise UserError(
            "The table of videos calls a condition 'all', which the results call all videos together; rename it."
        )
    yield ALL, wide
    for name in named:
        yield name, wide[wide.index.isin(condition.index[condition == name])]


def per_video(effects: pd.DataFrame, people: str, measures: Iterable[str]) -> pd.DataFrame:
    """Average the people of each video: a row for each video, columns method, angle, signal, measure, basis."""
    return _averaged(effects, people, {measure: MEASURES[measure] for measure in measures}, "effects")


def _averaged(table: pd.DataFrame, people: str, measures: Mapping[str, str], name: str) -> pd.DataFrame:
    """Average the people of each video, weighted: as `_per_video`, for a table with columns angle and signal."""
    rows = table[table["patient"]] if people == "patient" else table
    videos, video = np.unique(table["video"].to_numpy(dtype=str), return_inverse=True)
    if people == "patient":
        video = video[table["patient"].to_numpy(dtype=bool)]
    grouped = rows.groupby(["method", "angle", "signal"], sort=False)
    keys = list(rows[["method", "angle", "signal"]].drop_duplicates().itertuples(index=False, name=None))
    cell = video * len(keys) + grouped.ngroup().to_numpy()
    shape = (len(videos), len(keys))
    columns, values = [], []
    for measure, weight in measures.items():
        for basis in BASES:
            column = measure if basis == "raw" else net_column(measure)
            if column not in tables.TABLES[name]:
                continue
            value, weights = rows[column].to_numpy(dtype=float), rows[weight].to_numpy(dtype=float)
            # A person without the measure has no say in its mean; a video in which nobody has it stays empty.
            weights = np.where(np.isfinite(value), weights, 0.0)
            weighted = np.where(weights > 0, value, 0.0) * weights
            total = np.bincount(cell, weights=weights, minlength=shape[0] * shape[1])
            summed = np.bincount(cell, weights=weighted, minlength=shape[0] * shape[1])
            mean = np.divide(summed, total, out=np.full(total.shape, np.nan), where=total > 0)
            kept = [place for place, key in enumerate(keys) if basis == "raw" or key[0] != CONTROL]
            columns += [(*keys[place], measure, basis) for place in kept]
            values.append(mean.reshape(shape)[:, kept])
    matrix = np.hstack(values) if values else np.empty((len(videos), 0))
    return pd.DataFrame(matrix, index=videos, columns=pd.MultiIndex.from_tuples(columns, names=_COLUMN))


def body_per_video(keypoint_effects: pd.DataFrame, identities: pd.DataFrame, people: str) -> pd.DataFrame:
    """Return what concerns the whole person, for each video: the columns of `_per_video` with angle `BODY`."""
    body = keypoint_effects[keypoint_effects["keypoint"] == BODY].assign(angle=BODY, signal="")
    wide = _averaged(body, people, BODY_MEASURES, "keypoint_effects")
    rows = identities[identities["patient"]] if people == "patient" else identities
    rows = rows.assign(
        lost_percent=100.0 * rows["n_lost"] / rows["n_original"].where(rows["n_original"] > 0),
        mirrored_percent=100.0 * rows["n_mirrored"] / rows["n_both"].where(rows["n_both"] > 0),
        n_switches=rows["n_switches"].astype(float),
    )
    key, measures = ["video", "person"], list(IDENTITY_MEASURES)
    control = rows.loc[rows["method"] == CONTROL, [*key, *measures]]
    paired = rows[rows["method"] != CONTROL].merge(control, on=key, how="inner", suffixes=("", "_control"))
    for measure in measures:
        paired[measure] = paired[measure] - paired[f"{measure}_control"]
    parts = [wide]
    for basis, table in zip(BASES, (rows, paired), strict=True):
        for measure, weight in IDENTITY_MEASURES.items():
            known = table[table[measure].notna()]
            weights = known[weight] if weight else 1.0
            terms = known.assign(product=known[measure] * weights, weight=weights).groupby(["video", "method"])
            sums = terms[["product", "weight"]].sum()
            values = sums["product"] / sums["weight"] if weight else sums["product"]
            of_methods = pd.DataFrame(values.unstack("method"), dtype=float)
            names = [(method, BODY, "", measure, basis) for method in of_methods]
            parts.append(of_methods.set_axis(pd.MultiIndex.from_tuples(names, names=_COLUMN), axis=1))
    return pd.concat(parts, axis=1)


def mean_over_joints(wide: pd.DataFrame) -> pd.DataFrame:
    """Average `JOINT_MEASURES` of each video over its joint angles: columns with angle `JOINT_MEAN`.

    Only over angles that every method has the measure of in that video: a method that loses the hard joints must not
    come out better for it.
    """
    chosen = wide.columns[
        wide.columns.get_level_values("angle").isin(JOINTS)
        & wide.columns.get_level_values("measure").isin(JOINT_MEASURES)
    ]
    names = list(dict.fromkeys((key[0], JOINT_MEAN, *key[2:]) for key in chosen.to_list()))
    values = {
        name: wide.reindex(columns=[(name[0], joint, *name[2:]) for joint in JOINTS]).to_numpy(dtype=float)
        for name in names
    }
    # The same signal, measure and basis; a method without any value in a video takes no part there.
    alike: dict[tuple[str, ...], list[NDArray[np.bool_]]] = {}
    for name, matrix in values.items():
        has = np.isfinite(matrix)
        alike.setdefault(name[2:], []).append(has | ~has.any(axis=1, keepdims=True))
    common = {of: np.logical_and.reduce(masks) for of, masks in alike.items()}
    means = {name: row_means(np.where(common[name[2:]], matrix, np.nan)) for name, matrix in values.items()}
    columns = pd.MultiIndex.from_tuples(names, names=_COLUMN)
    return pd.DataFrame(means, index=wide.index, columns=columns, dtype=float)
