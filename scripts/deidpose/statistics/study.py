"""Summarize the effects of every video into what each method costs over the whole dataset.

docs/statistics.md says what is estimated and tested, and why. In short: the people of a video are averaged, then the
videos of a subject; subjects, and videos of nobody in particular, are the units that count.
"""

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from deidpose import tables
from deidpose.kinematics.angles import JOINTS
from deidpose.labels import ALL, CONTROL
from deidpose.statistics import power
from deidpose.statistics.agreement import limits_of_variances, pool
from deidpose.statistics.moments import mean_and_deviation, row_means
from deidpose.statistics.resampling import bootstrap
from deidpose.statistics.tests_of_means import holm, t_tests
from deidpose.statistics.unit_means import (
    MEASURES,
    body_per_video,
    by_condition,
    mean_over_joints,
    per_video,
    signals_of,
    study_columns,
    units,
)

#: Measures that are tested for equivalence.
TESTED = ("bias_deg", "mae_deg")


def summarize(
    effects: pd.DataFrame,
    keypoint_effects: pd.DataFrame,
    identities: pd.DataFrame,
    videos: pd.DataFrame,
    settings: Mapping[str, Any],
) -> pd.DataFrame:
    """Average the effects of every method over units.

    The people in a video are averaged first, weighted by their frames (`MEASURES`). Then the videos of a subject are
    averaged, each counting once, then the units, each counting once. The interval is a percentile bootstrap over
    units (Efron & Tibshirani 1993, An Introduction to the Bootstrap, chapter 13): whole subjects are drawn, with all
    their videos, and every column with the same draws.

    Basis ``raw`` is the effect as measured. Basis ``net`` is the effect minus that of the control, for the same
    video, person and angle, before anything is averaged; the control has none. ``net`` of an absolute measure
    is the *additional* cost, and is negative where the control happened to do worse. Only measures that have a
    column for it in their table have this basis.

    Parameters
    ----------
    effects, keypoint_effects, identities : DataFrame
        The tables of these names, of any number of videos and methods. All but the first may be empty.
    videos : DataFrame
        Columns ``video``, ``subject`` and ``condition``, one row for each video at least of these tables; "" where the
        table of videos names none.
    settings : mapping
        The part ``study`` of the config: ``people`` (``patient``: nobody else counts, and videos without one have no
        say; ``all``), ``bootstrap_samples``, ``confidence_level`` and ``seed``.

    Returns
    -------
    DataFrame
        The table ``summary``, in the order condition (`ALL` first), method (as they first appear), angle, signal,
        measure, basis. Angle `JOINT_MEAN` is the mean over the joint angles that a video has. Angle `BODY`
        has the measures of `BODY_MEASURES`, ``lost_percent`` (frames in which the method does not see the person),
        ``mirrored_percent`` (frames in both in which it exchanges left and right) and ``n_switches`` (changes of
        identity, summed over the people of a video), signal "". A column that no unit has
        keeps its row. ``sd`` and the interval are NaN below two units.

    Raises
    ------
    UserError
        A condition is called "all".
    """
    wide = per_video(effects, settings["people"], MEASURES)
    wide = pd.concat(
        [wide, mean_over_joints(wide), body_per_video(keypoint_effects, identities, settings["people"])], axis=1
    )
    columns = study_columns(effects, keypoint_effects, identities)
    summaries = []
    for condition, chosen in by_condition(wide, videos):
        table = units(chosen, videos).reindex(columns=columns)
        matrix = table.to_numpy(dtype=float)
        mean, low, high = bootstrap(
            matrix, settings["bootstrap_samples"], settings["confidence_level"], settings["seed"]
        )
        n_videos = chosen.notna().sum().reindex(columns, fill_value=0)
        summary = columns.to_frame(index=False).assign(
            condition=condition,
            n_videos=n_videos.to_numpy(),
            n_units=np.isfinite(matrix).sum(axis=0),
            mean=mean,
            sd=mean_and_deviation(matrix)[1],
            low=low,
            high=high,
        )
        summaries.append(summary)
    return tables.check(pd.concat(summaries), "summary") if len(columns) else tables.empty("summary")


def equivalence(effects: pd.DataFrame, videos: pd.DataFrame, settings: Mapping[str, Any]) -> pd.DataFrame:
    """Say of each method and angle whether its effect is equivalent to none, different, or undecided.

    The unit means (as in `summarize`) of `TESTED` are tested twice, by t tests with n - 1 degrees of freedom: against
    the margin, by two one-sided tests (Schuirmann 1987, Journal of Pharmacokinetics and Biopharmaceutics 15:657-680),
    and against 0, by the two-sided test. The p values of all methods and joint angles, or of all methods and segment
    angles, with one condition, signal, measure and basis, are one family, and are corrected by `holm`, those for
    equivalence and those for difference each for themselves. Rows that cannot be tested do not count in it.

    The verdict is from the adjusted p: ``equivalent`` if that of equivalence is below alpha, else ``different`` if
    that of difference is, else ``undecided`` (Lakens 2017, Social Psychological and Personality Science 8:355-362). A
    difference that is significant and yet surely within the margin is therefore equivalent: it is real, and too small
    to matter.

    Parameters
    ----------
    effects, videos
        As in `summarize`.
    settings : mapping
        The part ``study`` of the config: ``people``, ``margin_deg``, ``alpha`` and ``power``.

    Returns
    -------
    DataFrame
        The table ``equivalence``, in the order condition, method, angle, signal, measure, basis. Where all units have
        the same value, the decision is exact: p is 0 or 1. With fewer than two units p is NaN and the verdict
        undecided. ``n_needed`` is what `power.units_needed` returns at the level alpha / (size of the family), the
        smallest that Holm's correction can ask for, so that the number suffices whatever the rest of the family
        shows. It is empty where the verdict is decided, where fewer than two units leave nothing to plan with, and
        where more than `power.MOST_UNITS` would be needed.
    """
    wide = per_video(effects, settings["people"], TESTED)
    columns = study_columns(effects, measures=TESTED)
    alpha, margin = settings["alpha"], settings["margin_deg"]
    results = []
    for condition, chosen in by_condition(wide, videos):
        matrix = units(chosen, videos).reindex(columns=columns).to_numpy(dtype=float)
        n = np.isfinite(matrix).sum(axis=0)
        mean, deviation = mean_and_deviation(matrix)
        error = deviation / np.sqrt(np.maximum(n, 1))
        p_equivalence, p_difference = t_tests(mean, error, n - 1, margin)
        half = stats.t.isf(alpha, np.maximum(n - 1, 1)) * error
        result = columns.to_frame(index=False).assign(
            condition=condition,
            n_units=n,
            mean=mean,
            sd=deviation,
            low=mean - half,
            high=mean + half,
            margin_deg=margin,
            p_equivalence=p_equivalence,
            p_difference=p_difference,
        )
        results.append(result)
    if not len(columns):
        return tables.empty("equivalence")
    table = pd.concat(results, ignore_index=True)
    family = [table["condition"], table["signal"], table["measure"], table["basis"], table["angle"].isin(JOINTS)]
    for test in ("equivalence", "difference"):
        grouped = table.groupby(family, sort=False)[f"p_{test}"]
        table[f"p_{test}_adjusted"] = grouped.transform(lambda p: holm(p.to_numpy()))
    size = table.groupby(family, sort=False)["p_equivalence"].transform("count").to_numpy()
    equivalent = table["p_equivalence_adjusted"] < alpha
    different = ~equivalent & (table["p_difference_adjusted"] < alpha)
    table["verdict"] = np.select([equivalent, different], ["equivalent", "different"], "undecided")
    open_rows = (table["verdict"] == "undecided").to_numpy() & (size > 0)
    needed = np.full(len(table), np.nan)
    needed[open_rows] = power.units_needed(
        table["mean"][open_rows], table["sd"][open_rows], margin, alpha / size[open_rows], settings["power"]
    )
    return tables.check(table.assign(n_needed=pd.array(needed, dtype="Float64").astype("Int64")), "equivalence")


def contrasts(effects: pd.DataFrame, videos: pd.DataFrame, settings: Mapping[str, Any]) -> pd.DataFrame:
    """Compare the methods with one another in what they cost the joint angles.

    In each video and joint angle that both methods have, ``mae_deg`` of one is subtracted from that of the other (the
    control would cancel out). These differences are averaged over joint angles, then over the videos of a subject, and
    tested over units by the two-sided paired t test. The pairs of methods with one condition and signal are a family
    for `holm`.

    Parameters
    ----------
    effects, videos
        As in `summarize`.
    settings : mapping
        The part ``study`` of the config: ``people`` and ``alpha``.

    Returns
    -------
    DataFrame
        The table ``contrasts``: for each condition and signal every pair of masks, once, in their order. The interval
        is that of the single pair, without correction.
    """
    wide = per_video(effects, settings["people"], ("mae_deg",))
    masks = [method for method in dict.fromkeys(effects["method"]) if method != CONTROL]
    pairs = list(itertools.combinations(masks, 2))
    signals = signals_of(effects)
    if not pairs:
        return tables.empty("contrasts")
    columns = pd.MultiIndex.from_product([range(len(pairs)), signals], names=["pair", "signal"])
    differences = {}
    for pair, signal in columns:
        first, second = (
            wide.reindex(columns=[(method, joint, signal, "mae_deg", "raw") for joint in JOINTS]).to_numpy(dtype=float)
            for method in pairs[pair]
        )
        differences[pair, signal] = row_means(first - second)
    wide = pd.DataFrame(differences, index=wide.index, columns=columns)
    results = []
    for condition, chosen in by_condition(wide, videos):
        matrix = units(chosen, videos).reindex(columns=columns).to_numpy(dtype=float)
        n = np.isfinite(matrix).sum(axis=0)
        mean, deviation = mean_and_deviation(matrix)
        error = deviation / np.sqrt(np.maximum(n, 1))
        half = stats.t.isf(settings["alpha"] / 2.0, np.maximum(n - 1, 1)) * error
        result = columns.to_frame(index=False).assign(
            condition=condition,
            n_units=n,
            mean=mean,
            sd=deviation,
            low=mean - half,
            high=mean + half,
            p=t_tests(mean, error, n - 1, np.inf)[1],
        )
        results.append(result)
    table = pd.concat(results, ignore_index=True)
    table["method"] = [pairs[pair][0] for pair in table["pair"]]
    table["other"] = [pairs[pair][1] for pair in table["pair"]]
    family = table.groupby(["condition", "signal"], sort=False)["p"]
    table["p_adjusted"] = family.transform(lambda p: holm(p.to_numpy()))
    return tables.check(table.drop(columns="pair"), "contrasts")


def limits_of_agreement(effects: pd.DataFrame, videos: pd.DataFrame, settings: Mapping[str, Any]) -> pd.DataFrame:
    """Give the limits of agreement of each method with the original over the frames of all units.

    The frames of a unit are repeated measurements of a value that changes, so the variance of the differences is the
    sum of that between units and that within them, from a one-way analysis of variance: `limits_of_variances`.

    Parameters
    ----------
    effects, videos
        As in `summarize`.
    settings : mapping
        The part ``study`` of the config: ``people``.

    Returns
    -------
    DataFrame
        The table ``agreement``, in the order condition, method, angle, signal. The bias weights units by their
        frames, as that method does; the bias of the table ``summary`` counts each unit once. With fewer than two
        units there are no limits over units: they, and the standard deviation between units, are NaN.
    """
    icc_of_videos = per_video(effects, settings["people"], ("icc_2_1",))
    grid = study_columns(effects, measures=("icc_2_1",))
    if not len(grid):
        return tables.empty("agreement")
    columns = grid.droplevel(["measure", "basis"])
    rows = effects[effects["patient"]] if settings["people"] == "patient" else effects
    known = (rows["n_both"] > 0) & rows["bias_deg"].notna() & (rows["sd_deg"].notna() | (rows["n_both"] == 1))
    rows = rows[known].assign(sd_deg=rows.loc[known, "sd_deg"].fillna(0.0))
    rows = rows.merge(videos[["video", "subject", "condition"]], on="video", how="left")
    unit = np.where(rows["subject"] == "", "video " + rows["video"], "subject " + rows["subject"])
    column = columns.get_indexer(pd.MultiIndex.from_frame(rows[["method", "angle", "signal"]]))
    results = []
    for condition, chosen in by_condition(icc_of_videos, videos):
        here = (column >= 0) & ((rows["condition"] == condition).to_numpy() | (condition == ALL))
        names, code = np.unique(unit[here].astype(str), return_inverse=True)
        cell = code * len(columns) + column[here]
        n, mean, within = (
            values.reshape(len(names), len(columns))
            for values in pool(
                cell,
                len(names) * len(columns),
                rows.loc[here, "n_both"].to_numpy(dtype=float),
                rows.loc[here, "bias_deg"].to_numpy(dtype=float),
                rows.loc[here, "sd_deg"].to_numpy(dtype=float),
            )
        )
        limits = limits_of_variances(n, mean, within)
        icc_of_units = units(chosen, videos).reindex(columns=grid).to_numpy(dtype=float)
        result = columns.to_frame(index=False).assign(
            condition=condition,
            n_units=(n > 0).sum(axis=0),
            n_pairs=n.sum(axis=0),
            icc_2_1=mean_and_deviation(icc_of_units)[0],
            **limits,
        )
        results.append(result)
    return tables.check(pd.concat(results), "agreement")
