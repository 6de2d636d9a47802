"""Compute bootstrap intervals of means over units."""

import numpy as np
from numpy.typing import NDArray

from deidpose.statistics.moments import mean_and_deviation

#: Columns that the bootstrap resamples at a time, which bounds its memory at some tens of megabytes.
_CHUNK = 512


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
    mean = mean_and_deviation(matrix)[0]
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
