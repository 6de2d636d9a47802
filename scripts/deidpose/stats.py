"""From the effects of every video to what each method costs over the whole dataset.

docs/statistics.md says what is estimated and tested, and why. In short: the people of a video are averaged, then the
videos of a subject; subjects, and videos of nobody in particular, are the units that count.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from deidpose import power, tables
from deidpose.angles import JOINTS, SEGMENTS
from deidpose.errors import UserError

#: The method whose effects are those of the codec alone: decoded and encoded like the others, with no mask.
CONTROL = "reencode"

#: The condition of every video together.
ALL = "all"

#: In the column ``angle``: the mean over the joint angles that a video has, and what concerns the whole person.
JOINT_MEAN, BODY = "joints", "body"

SIGNALS = ("unfiltered", "filtered")
BASES = ("raw", "net")

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

#: Measures that are tested for equivalence.
TESTED = ("bias_deg", "mae_deg")

#: 95 % of normally distributed differences lie within this many standard deviations (Bland & Altman 2007).
LIMITS_FACTOR = 1.96

#: Units whose values differ by less than this, in their own unit, do not differ: what is left is rounding.
_ROUNDING = 1e-9

#: Columns that the bootstrap resamples at a time, which bounds its memory at some tens of megabytes.
_CHUNK = 512

_COLUMN = ["method", "angle", "signal", "measure", "basis"]


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
    wide = _per_video(effects, settings["people"], MEASURES)
    wide = pd.concat(
        [wide, _mean_over_joints(wide), _of_body(keypoint_effects, identities, settings["people"])], axis=1
    )
    columns = _grid(effects, keypoint_effects, identities)
    summaries = []
    for condition, chosen in _by_condition(wide, videos):
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
            sd=_mean_and_deviation(matrix)[1],
            low=low,
            high=high,
        )
        summaries.append(summary)
    return tables.check(pd.concat(summaries), "summary") if len(columns) else tables.empty("summary")


def units(wide: pd.DataFrame, videos: pd.DataFrame) -> pd.DataFrame:
    """Average the videos of each subject, each video counting once. A video without a subject is a unit of its own.

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


def bootstrap(
    matrix: NDArray[np.float64], samples: int, level: float, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return the mean of each column and its percentile bootstrap interval over rows, NaN left out.

    Parameters
    ----------
    matrix : array, shape (units, columns)
        Values, NaN where a unit has none.
    samples : int
        Bootstrap samples. A sample in which a column has no value is left out for that column.
    level : float
        Coverage of the interval, such as 0.95.
    seed : int
        Seed of the draws, which are the same for every column.

    Returns
    -------
    mean, low, high : arrays, shape (columns,)
        The interval is NaN for columns with fewer than two values.
    """
    n_units, n_columns = matrix.shape
    mean = _mean_and_deviation(matrix)[0]
    low, high = np.full(n_columns, np.nan), np.full(n_columns, np.nan)
    enough = np.flatnonzero(np.isfinite(matrix).sum(axis=0) > 1)
    if not enough.size:
        return mean, low, high
    # Drawing units with replacement is drawing how often each is taken; so a sample's sums are one matrix product.
    taken = np.random.default_rng(seed).multinomial(n_units, np.full(n_units, 1.0 / n_units), size=samples)
    taken = taken.astype(float)
    tails = [50.0 * (1.0 - level), 50.0 * (1.0 + level)]
    for start in range(0, len(enough), _CHUNK):
        chosen = enough[start : start + _CHUNK]
        part = matrix[:, chosen]
        finite = np.isfinite(part)
        # About the mean, so that a large common value leaves the digits to the differences.
        centred = np.where(finite, part - mean[chosen], 0.0)
        drawn = np.full((samples, len(chosen)), float(n_units)) if finite.all() else taken @ finite
        means = np.divide(taken @ centred, drawn, out=np.full(drawn.shape, np.nan), where=drawn > 0)
        whole = drawn.all(axis=0)
        low[chosen[whole]], high[chosen[whole]] = np.percentile(means[:, whole], tails, axis=0) + mean[chosen[whole]]
        for column in np.flatnonzero(~whole):
            kept = means[np.isfinite(means[:, column]), column]
            low[chosen[column]], high[chosen[column]] = np.percentile(kept, tails) + mean[chosen[column]]
    return mean, low, high


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
    wide = _per_video(effects, settings["people"], TESTED)
    columns = _grid(effects, measures=TESTED)
    alpha, margin = settings["alpha"], settings["margin_deg"]
    results = []
    for condition, chosen in _by_condition(wide, videos):
        matrix = units(chosen, videos).reindex(columns=columns).to_numpy(dtype=float)
        n = np.isfinite(matrix).sum(axis=0)
        mean, deviation = _mean_and_deviation(matrix)
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


def t_tests(
    mean: ArrayLike, standard_error: ArrayLike, freedom: ArrayLike, margin: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Test means against a margin of equivalence, and against 0.

    Parameters
    ----------
    mean, standard_error, margin : array_like, shape (n,) or scalar
        The estimated mean and its standard error, and the margin to either side of 0, in one unit.
    freedom : array_like
        Degrees of freedom of the standard error.

    Returns
    -------
    p_equivalence : array, shape (n,)
        The larger p of the two one-sided tests (Schuirmann 1987). With a standard error of 0 it is 0 within the
        margin and 1 elsewhere.
    p_difference : array, shape (n,)
        p of the two-sided test against 0. With a standard error of 0 it is 1 for a mean of 0 and 0 elsewhere.
        Both are NaN without degrees of freedom.
    """
    mean, error, freedom, margin = np.broadcast_arrays(
        *(np.atleast_1d(np.asarray(value, dtype=float)) for value in (mean, standard_error, freedom, margin))
    )
    p_equivalence, p_difference = np.full(mean.shape, np.nan), np.full(mean.shape, np.nan)
    testable = (freedom > 0) & np.isfinite(mean)
    exact, usual = testable & (error == 0), testable & (error > 0)
    p_equivalence[exact] = np.abs(mean[exact]) >= margin[exact]
    p_difference[exact] = np.abs(mean[exact]) <= _ROUNDING
    # The larger p is that of the nearer end.
    t_margin = (margin[usual] - np.abs(mean[usual])) / error[usual]
    p_equivalence[usual] = stats.t.sf(t_margin, freedom[usual])
    p_difference[usual] = 2.0 * stats.t.sf(np.abs(mean[usual]) / error[usual], freedom[usual])
    return p_equivalence, p_difference


def holm(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Adjust the p values of one family by the method of Holm 1979, Scandinavian Journal of Statistics 6:65-70.

    Parameters
    ----------
    p : array, shape (n,)
        NaN for what was not tested, which does not count.

    Returns
    -------
    array, shape (n,)
        Adjusted p: below alpha where Holm's procedure rejects at the family-wise level alpha. NaN where ``p`` is.
    """
    adjusted = np.full(p.shape, np.nan)
    tested = np.flatnonzero(np.isfinite(p))
    order = tested[np.argsort(p[tested], kind="stable")]
    steps = np.arange(len(order), 0, -1) * p[order]
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted


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
    wide = _per_video(effects, settings["people"], ("mae_deg",))
    masks = [method for method in dict.fromkeys(effects["method"]) if method != CONTROL]
    pairs = list(itertools.combinations(masks, 2))
    signals = _signals(effects)
    if not pairs:
        return tables.empty("contrasts")
    columns = pd.MultiIndex.from_product([range(len(pairs)), signals], names=["pair", "signal"])
    differences = {}
    for pair, signal in columns:
        first, second = (
            wide.reindex(columns=[(method, joint, signal, "mae_deg", "raw") for joint in JOINTS]).to_numpy(dtype=float)
            for method in pairs[pair]
        )
        differences[pair, signal] = _row_means(first - second)
    wide = pd.DataFrame(differences, index=wide.index, columns=columns)
    results = []
    for condition, chosen in _by_condition(wide, videos):
        matrix = units(chosen, videos).reindex(columns=columns).to_numpy(dtype=float)
        n = np.isfinite(matrix).sum(axis=0)
        mean, deviation = _mean_and_deviation(matrix)
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


def agreement(effects: pd.DataFrame, videos: pd.DataFrame, settings: Mapping[str, Any]) -> pd.DataFrame:
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
    icc_of_videos = _per_video(effects, settings["people"], ("icc_2_1",))
    grid = _grid(effects, measures=("icc_2_1",))
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
    for condition, chosen in _by_condition(icc_of_videos, videos):
        here = (column >= 0) & ((rows["condition"] == condition).to_numpy() | (condition == ALL))
        names, code = np.unique(unit[here].astype(str), return_inverse=True)
        cell = code * len(columns) + column[here]
        n, mean, within = (
            values.reshape(len(names), len(columns))
            for values in _pool(
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
            icc_2_1=_mean_and_deviation(icc_of_units)[0],
            **limits,
        )
        results.append(result)
    return tables.check(pd.concat(results), "agreement")


def limits_of_variances(
    n: NDArray[np.float64], mean: NDArray[np.float64], within: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """Return limits of agreement with several measurements per unit, where the true value varies.

    Bland & Altman 2007, Journal of Biopharmaceutical Statistics 17:571-582: a one-way analysis of variance
    of the differences with unequal numbers. The variance between units is (mean square between - mean square within)
    / (((sum of n) ** 2 - sum of n ** 2) / ((units - 1) x sum of n)), and 0 where that is negative.

    Parameters
    ----------
    n, mean, within : arrays, shape (units, columns)
        Number and mean of the differences in each unit, and their sum of squares about that mean. A unit with
        ``n`` of 0 does not count.

    Returns
    -------
    dict
        ``bias_deg`` (mean over all differences), ``sd_between_deg``, ``sd_within_deg``, ``loa_low_deg``,
        ``loa_high_deg``: arrays of shape (columns,). NaN where the numbers do not suffice: two units for between, more
        differences than units for within; the limits want both, but one difference a unit leaves the usual limits.
    """
    units_with, total = (n > 0).sum(axis=0), n.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        bias = np.where(n > 0, n * mean, 0.0).sum(axis=0) / total
        between_square = np.where(n > 0, n * (mean - bias) ** 2, 0.0).sum(axis=0) / (units_with - 1)
        within_square = np.where(n > 0, within, 0.0).sum(axis=0) / (total - units_with)
        divisor = (total**2 - (n**2).sum(axis=0)) / ((units_with - 1) * total)
        single = total == units_with
        between = np.maximum(between_square - np.where(single, 0.0, within_square), 0.0) / divisor
    enough = units_with > 1
    bias = np.where(total > 0, bias, np.nan)
    between = np.where(enough, between, np.nan)
    within_variance = np.where(total > units_with, within_square, np.nan)
    half = LIMITS_FACTOR * np.sqrt(between + np.where(single, 0.0, within_variance))
    return {
        "bias_deg": bias,
        "sd_between_deg": np.sqrt(between),
        "sd_within_deg": np.sqrt(within_variance),
        "loa_low_deg": bias - half,
        "loa_high_deg": bias + half,
    }


def icc(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Return ICC(2,1) of two measurements of the same targets, such as an angle in the same frames of two videos.

    Parameters
    ----------
    x, y : arrays, shape (n,)
        Finite values, in any unit that both share.

    Returns
    -------
    float
        As `icc_of_ratings`.
    """
    return icc_of_ratings(np.column_stack([x, y]))


def icc_of_ratings(ratings: NDArray[np.float64]) -> float:
    """Return ICC(2,1): two-way random effects, absolute agreement, a single rating.

    Case 2 of Shrout & Fleiss 1979, Psychological Bulletin 86:420-428; ICC(A,1) of McGraw & Wong 1996, Psychological
    Methods 1:30-46. It can be negative, when targets differ less than ratings of one target.

    Parameters
    ----------
    ratings : array, shape (targets, raters)
        Finite values.

    Returns
    -------
    float
        NaN for fewer than two targets or raters, and where every rating is the same.
    """
    n, k = ratings.shape
    if n < 2 or k < 2 or np.ptp(ratings) == 0:
        return float("nan")
    # About the grand mean, so that squares of large values do not swamp small differences.
    centred = ratings - ratings.mean()
    of_target, of_rater = centred.mean(axis=1), centred.mean(axis=0)
    targets = k * float(of_target @ of_target) / (n - 1)
    raters = n * float(of_rater @ of_rater) / (k - 1)
    rest = centred - of_target[:, None] - of_rater
    error = float((rest**2).sum()) / ((n - 1) * (k - 1))
    return float((targets - error) / (targets + (k - 1) * error + k * (raters - error) / n))


def net_column(measure: str) -> str:
    """Return the name of the column that holds a measure net of the control: bias_deg -> bias_net_deg."""
    return measure.removesuffix("_deg") + "_net" + ("_deg" if measure.endswith("_deg") else "")


def _signals(effects: pd.DataFrame) -> list[str]:
    """Return the signals that the effects have, in their order."""
    present = set(effects["signal"].unique())
    return [signal for signal in SIGNALS if signal in present]


def _bases(measure: str, table: str, method: str) -> tuple[str, ...]:
    """Return the bases that a measure of a table has for a method."""
    return BASES if method != CONTROL and net_column(measure) in tables.TABLES[table] else BASES[:1]


def _grid(effects: pd.DataFrame, *of_body: pd.DataFrame, measures: Iterable[str] = tuple(MEASURES)) -> pd.MultiIndex:
    """Return every column that a study of these tables has, in order, whether or not a video has a value for it."""
    methods = list(dict.fromkeys(method for table in (effects, *of_body) for method in table["method"].unique()))
    signals, measures = _signals(effects), list(measures)
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


def _by_condition(wide: pd.DataFrame, videos: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
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


def _per_video(effects: pd.DataFrame, people: str, measures: Iterable[str]) -> pd.DataFrame:
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


def _of_body(keypoint_effects: pd.DataFrame, identities: pd.DataFrame, people: str) -> pd.DataFrame:
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


def _mean_over_joints(wide: pd.DataFrame) -> pd.DataFrame:
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
    means = {name: _row_means(np.where(common[name[2:]], matrix, np.nan)) for name, matrix in values.items()}
    columns = pd.MultiIndex.from_tuples(names, names=_COLUMN)
    return pd.DataFrame(means, index=wide.index, columns=columns, dtype=float)


def _row_means(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean of each row, NaN left out; NaN for a row without values."""
    return _mean_and_deviation(matrix.T)[0]


def _mean_and_deviation(matrix: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and standard deviation (n - 1) of each column, NaN left out; NaN below one and two values.

    Values that differ by rounding alone have a standard deviation of exactly 0, so that they are seen to be equal.
    """
    finite = np.isfinite(matrix)
    n = finite.sum(axis=0)
    total = np.where(finite, matrix, 0.0).sum(axis=0)
    mean = np.divide(total, n, out=np.full(total.shape, np.nan), where=n > 0)
    apart = np.where(finite, matrix - np.where(n > 0, mean, 0.0), 0.0)
    squares = (apart**2).sum(axis=0)
    squares[(np.abs(apart) <= _ROUNDING).all(axis=0)] = 0.0
    variance = np.divide(squares, n - 1, out=np.full(squares.shape, np.nan), where=n > 1)
    return mean, np.sqrt(variance)


def _pool(
    cell: NDArray[np.int64],
    n_cells: int,
    n: NDArray[np.float64],
    mean: NDArray[np.float64],
    deviation: NDArray[np.float64],
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Put groups of values together that share a cell: their number, mean, and sum of squares about that mean."""
    total = np.bincount(cell, weights=n, minlength=n_cells)
    summed = np.bincount(cell, weights=n * mean, minlength=n_cells)
    pooled = np.divide(summed, total, out=np.full(n_cells, np.nan), where=total > 0)
    squares = np.maximum(n - 1.0, 0.0) * deviation**2 + n * (mean - pooled[cell]) ** 2
    return total, pooled, np.bincount(cell, weights=squares, minlength=n_cells)
