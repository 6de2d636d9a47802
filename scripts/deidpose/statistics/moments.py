"""Compute means and standard deviations of columns with missing values."""

import numpy as np
from numpy.typing import NDArray

#: Units whose values differ by less than this, in their own unit, do not differ: what is left is rounding.
ROUNDING = 1e-9


def row_means(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean of each row, NaN left out; NaN for a row without values."""
    return mean_and_deviation(matrix.T)[0]


def mean_and_deviation(matrix: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and standard deviation (n - 1) of each column, NaN left out; NaN below one and two values.

    Values that differ by rounding alone have a standard deviation of exactly 0, so that they are seen to be equal.
    """
    finite = np.isfinite(matrix)
    n = finite.sum(axis=0)
    total = np.where(finite, matrix, 0.0).sum(axis=0)
    mean = np.divide(total, n, out=np.full(total.shape, np.nan), where=n > 0)
    apart = np.where(finite, matrix - np.where(n > 0, mean, 0.0), 0.0)
    squares = (apart**2).sum(axis=0)
    squares[(np.abs(apart) <= ROUNDING).all(axis=0)] = 0.0
    variance = np.divide(squares, n - 1, out=np.full(squares.shape, np.nan), where=n > 1)
    return mean, np.sqrt(variance)
