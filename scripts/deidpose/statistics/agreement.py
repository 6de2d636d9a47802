"""Measure the agreement of two measurements: the intraclass correlation ICC(2,1), limits of agreement."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

#: 95 % of normally distributed differences lie within this many standard deviations (Bland & Altman 2007).
LIMITS_FACTOR = 1.96


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


def pool(
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
