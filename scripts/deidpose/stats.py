"""From the effects of every video to what each method costs over the whole dataset."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from deidpose import tables
from deidpose.angles import ANGLES

#: The method whose effects are those of the codec alone: decoded and encoded like the others, with no mask.
CONTROL = "reencode"

#: Measure -> the column of the effects table that weights the people of one video.
MEASURES: dict[str, str] = {
    "bias_deg": "n_both",
    "mae_deg": "n_both",
    "percent_difference": "n_both",
    "lost_percent": "n_original",
    "gained_percent": "n_original",
    "confidence_bias": "n_both",
}


def summarize(effects: pd.DataFrame, samples: int, level: float, seed: int) -> pd.DataFrame:
    """Average the effects of every method over videos.

    The unit is the video. The people in a video are averaged first, weighted by their frames with the angle in
    both (degrees, percent difference, confidence) or in the original (lost and gained frames). Then the videos are
    averaged, each counting once. The interval is a percentile bootstrap over videos (Efron & Tibshirani 1993,
    An Introduction to the Bootstrap, chapter 13); every method and measure is resampled with the same draws.

    Basis ``raw`` is the effect as measured. Basis ``net`` is the effect minus that of the control, subtracted for
    the same video, person and angle before anything is averaged. ``net`` of an absolute measure is therefore
    the *additional* cost, and is negative where the control happened to do worse.

    Parameters
    ----------
    effects : DataFrame
        The table ``effects`` of any number of videos and methods, the control among them.
    samples : int
        Bootstrap samples.
    level : float
        Coverage of the interval, such as 0.95.
    seed : int
        Seed of the bootstrap.

    Returns
    -------
    DataFrame
        The table ``summary``, in the order method (as they first appear in ``effects``), basis (raw, net), angle
        (as in `ANGLES`), measure (as in `MEASURES`). ``n_videos`` counts the videos that have the measure at
        all; the interval is NaN when there are fewer than two.
    """
    if effects.empty:
        return tables.empty("summary")
    values = effects.assign(
        lost_percent=100.0 * effects["n_lost"] / effects["n_original"].where(effects["n_original"] > 0),
        gained_percent=100.0 * effects["n_gained"] / effects["n_original"].where(effects["n_original"] > 0),
    )
    methods = list(dict.fromkeys(effects["method"]))
    bases = {"raw": values, "net": _minus_control(values)}
    wide = pd.concat({basis: _per_video(table) for basis, table in bases.items()}, axis=1)
    columns = pd.MultiIndex.from_tuples(
        [
            (basis, measure, method, angle)
            for method in methods
            for basis in bases
            for angle in ANGLES
            for measure in MEASURES
            if not (basis == "net" and method == CONTROL)
        ]
    )
    matrix = wide.reindex(columns=columns).to_numpy(dtype=float)
    mean, low, high = _bootstrap(matrix, samples, level, seed)
    summary = columns.to_frame(index=False, name=["basis", "measure", "method", "angle"])
    summary = summary.assign(n_videos=np.isfinite(matrix).sum(axis=0), mean=mean, low=low, high=high)
    return tables.check(summary, "summary")


def _minus_control(values: pd.DataFrame) -> pd.DataFrame:
    """Subtract the control from every other method, for the same video, person and angle."""
    key = ["video", "person", "angle"]
    control = values.loc[values["method"] == CONTROL, [*key, *MEASURES]]
    paired = values[values["method"] != CONTROL].merge(control, on=key, how="left", suffixes=("", "_control"))
    return paired.assign(**{measure: paired[measure] - paired[f"{measure}_control"] for measure in MEASURES})


def _per_video(values: pd.DataFrame) -> pd.DataFrame:
    """Average the people in each video: a row for each video, columns (measure, method, angle)."""
    per_video = {}
    for measure, weight in MEASURES.items():
        # A person without the measure has no say in its mean; a video in which nobody has it stays empty.
        weights = values[weight].where(values[measure].notna(), 0)
        terms = values[["video", "method", "angle"]].assign(
            product=values[measure].fillna(0.0) * weights, weight=weights
        )
        total = terms.groupby(["video", "method", "angle"])[["product", "weight"]].sum()
        mean = total["product"] / total["weight"].where(total["weight"] > 0)
        per_video[measure] = mean.unstack(["method", "angle"])
    return pd.concat(per_video, axis=1)


def _bootstrap(
    matrix: NDArray[np.float64], samples: int, level: float, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return the mean of each column and its percentile bootstrap interval over rows, NaN left out.

    Parameters
    ----------
    matrix : array, shape (videos, columns)
        Values, NaN where a video has none.
    samples, level, seed
        As in `summarize`.

    Returns
    -------
    mean, low, high : arrays, shape (columns,)
    """
    finite = np.isfinite(matrix)
    count = finite.sum(axis=0)
    filled = np.where(finite, matrix, 0.0)
    videos = len(matrix)
    mean = np.divide(filled.sum(axis=0), count, out=np.full(len(count), np.nan), where=count > 0)
    # Drawing videos with replacement is drawing how often each is taken; so a sample's sums are one matrix product.
    taken = np.random.default_rng(seed).multinomial(videos, np.full(videos, 1.0 / videos), size=samples).astype(float)
    drawn = taken @ finite
    means = np.divide(taken @ filled, drawn, out=np.full(drawn.shape, np.nan), where=drawn > 0)
    low, high = np.full(len(count), np.nan), np.full(len(count), np.nan)
    enough = count > 1
    tail = 50.0 * (1.0 - level)
    if enough.any():
        low[enough], high[enough] = np.nanpercentile(means[:, enough], [tail, 100.0 - tail], axis=0)
    return mean, low, high


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
    return (targets - error) / (targets + (k - 1) * error + k * (raters - error) / n)
