"""Test means by t tests, corrected by Holm's method."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from deidpose.statistics.moments import ROUNDING


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
    p_difference[exact] = np.abs(mean[exact]) <= ROUNDING
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
