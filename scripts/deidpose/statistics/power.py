"""Compute the power of the tests of `deidpose.statistics` and the number of units needed.

A t statistic is a normal variable over an independent chi variable. Given the chi variable, the power of either
test is a difference of two normal probabilities, so the power is one integral over the chi density. For the two
one-sided tests that is Owen's Q (Owen 1965, Biometrika 52:437-446), the exact power of Phillips 1990, Journal of
Pharmacokinetics and Biopharmaceutics 18:137-144; for the t test it is the noncentral t distribution. The same
quadrature serves both, for whole tables at once and without the failures that the usual algorithms of the noncentral t
have far out.
"""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats

#: More units than this are not counted: a study of that size answers another question than this one.
MOST_UNITS = 100_000

#: Nodes of the Gauss-Legendre rule on each of the three stretches that the integral is cut into.
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(64)

#: Probability that the integral leaves out at each end of the chi density.
_TAIL = 1e-14

#: The normal probabilities in the integrand go from 1 to 0 within this many of their standard deviations.
_EDGE = 8.0


def equivalence_power(
    mean: ArrayLike, standard_error: ArrayLike, margin: ArrayLike, freedom: ArrayLike, alpha: ArrayLike
) -> NDArray[np.float64]:
    """Return the exact probability that two one-sided t tests find the mean between -margin and margin.

    Parameters
    ----------
    mean, standard_error, margin : array_like
        The true mean, the true standard error of its estimate, above 0, and the margin of equivalence, in one unit;
        broadcast against each other and the rest.
    freedom : array_like
        Degrees of freedom of the estimated standard error, at least 1.
    alpha : array_like
        Level of each one-sided test.

    Returns
    -------
    array, 0 to 1
    """
    mean, standard_error, margin, freedom, alpha = _broadcast(mean, standard_error, margin, freedom, alpha)
    critical = stats.t.isf(alpha, freedom)
    # In standard errors: the tests reject where the estimate is within the margin less `critical` x the estimated one.
    centre, half = np.abs(mean) / standard_error, margin / standard_error

    def given(scale: NDArray[np.float64]) -> Any:
        reach = np.maximum(half[:, None] - critical[:, None] * scale, 0.0)
        return special.ndtr(reach - centre[:, None]) - special.ndtr(-reach - centre[:, None])

    return _over_chi(given, freedom, (half - centre) / critical, _EDGE / critical, half / critical)


def difference_power(
    mean: ArrayLike, standard_error: ArrayLike, freedom: ArrayLike, alpha: ArrayLike
) -> NDArray[np.float64]:
    """Return the exact probability that a two-sided t test finds the mean different from 0.

    Parameters
    ----------
    mean, standard_error, freedom
        As in `equivalence_power`.
    alpha : array_like
        Level of the two-sided test.

    Returns
    -------
    array, 0 to 1
    """
    mean, standard_error, freedom, alpha = _broadcast(mean, standard_error, freedom, alpha)
    critical = stats.t.isf(alpha / 2.0, freedom)
    centre = np.abs(mean) / standard_error

    def given(scale: NDArray[np.float64]) -> Any:
        reach = critical[:, None] * scale
        return special.ndtr(centre[:, None] - reach) + special.ndtr(-centre[:, None] - reach)

    return _over_chi(given, freedom, centre / critical, _EDGE / critical, np.full(len(centre), np.inf))


def units_needed(
    mean: ArrayLike, deviation: ArrayLike, margin: ArrayLike, alpha: ArrayLike, power: float
) -> NDArray[np.float64]:
    """Return the smallest number of units with which a verdict is expected.

    Were ``mean`` and ``deviation`` the truth, then with this many units either the equivalence test or the two-sided
    difference test, each at ``alpha``, would reject with a probability of at least ``power``. A mean at the
    margin, or so near to it that no number of units below `MOST_UNITS` could tell, is decided by the difference test
    alone, and a mean near 0 by the equivalence test alone.

    Parameters
    ----------
    mean, deviation, margin : array_like
        Mean and standard deviation over units and the margin of equivalence, in one unit.
    alpha : array_like
        Level of each one-sided equivalence test and of the two-sided difference test.
    power : float
        Above every ``alpha``, below 1.

    Returns
    -------
    array
        Whole numbers from 2; NaN where more than `MOST_UNITS` would be needed, and where an input is not finite or the
        standard deviation is not above 0.
    """
    mean, deviation, margin, alpha = _broadcast(mean, deviation, margin, alpha)
    usable = np.isfinite(mean) & np.isfinite(deviation) & (deviation > 0) & np.isfinite(margin) & np.isfinite(alpha)
    needed = np.full(len(mean), np.nan)
    mean, deviation, margin, alpha = (values[usable] for values in (mean, deviation, margin, alpha))

    def decides(n: NDArray[np.int64]) -> NDArray[np.bool_]:
        error = deviation / np.sqrt(n)
        equivalence = equivalence_power(mean, error, margin, n - 1, alpha)
        return np.maximum(equivalence, difference_power(mean, error, n - 1, alpha)) >= power

    # Both powers rise with n, wherever they can reach `power` at all; so halving finds the first n that does.
    low, high = np.full(len(mean), 1), np.full(len(mean), MOST_UNITS)
    reached = decides(high)
    while np.any(high - low > 1):
        middle = np.maximum((low + high) // 2, 2)
        enough = decides(middle)
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    needed[usable] = np.where(reached, high, np.nan)
    return needed


def _broadcast(*values: ArrayLike) -> list[NDArray[np.float64]]:
    """Return the values as flat arrays of one length."""
    return [
        np.atleast_1d(array).ravel()
        for array in np.broadcast_arrays(*(np.asarray(value, dtype=float) for value in values))
    ]


def _over_chi(
    given: Callable[[NDArray[np.float64]], Any],
    freedom: NDArray[np.float64],
    edge: NDArray[np.float64],
    width: NDArray[np.float64],
    end: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the expectation of ``given`` over the estimated standard deviation relative to the true one.

    That ratio is a chi variable over the root of its degrees of freedom. ``given`` takes ratios of shape (n, nodes)
    and is 0 beyond ``end``; it changes fast only within ``width`` of ``edge``, so the integral is cut there.
    """
    lowest = np.sqrt(stats.chi2.ppf(_TAIL, freedom) / freedom)
    highest = np.minimum(np.sqrt(stats.chi2.isf(_TAIL, freedom) / freedom), end)
    highest = np.maximum(highest, lowest)
    cuts = [lowest, np.clip(edge - width, lowest, highest), np.clip(edge + width, lowest, highest), highest]
    total = np.zeros(len(freedom))
    root = np.sqrt(freedom)[:, None]
    for start, stop in itertools.pairwise(cuts):
        half = (stop - start)[:, None] / 2.0
        ratio = (start + stop)[:, None] / 2.0 + half * _NODES
        density = root * stats.chi.pdf(ratio * root, freedom[:, None])
        total += (half * _WEIGHTS * density * given(ratio)).sum(axis=1)
    result: NDArray[np.float64] = np.clip(total, 0.0, 1.0)
    return result
