"""Summarize a movement: its range, its peak, and the duration of a cycle if it repeats."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import ndimage, signal

from deidpose import tables
from deidpose.kinematics.angles import ANGLES, Angles

#: A movement smaller than this, in degrees, is not searched for cycles: it is the noise of pose estimation, or sway.
#: Our choice.
SMALLEST_RANGE = 5.0
#: Autocorrelation at the time of a cycle, from which on a movement counts as repeated; for few cycles, which are alike
#: by chance more easily, so much divided by their number more. Our choice: of noise with frequencies up to 1, 3 or
#: 6 Hz that lasts 3 to 30 seconds, at most two series in a hundred then seem to repeat themselves.
LEAST_REPETITION = 0.45
_FEW_CYCLES = 0.35
#: How far the autocorrelation has to rise to the peak that is the time of a cycle.
_LEAST_RISE = 0.2
#: Cycles whose times vary by more than this part of their mean (standard deviation) are none.
LEAST_REGULAR = 0.3
#: How far the angle has to fall on both sides of a peak, as a part of the range of motion. Our choice: the second
#: and smaller peak of the knee in walking is about a third of the first.
LEAST_PROMINENCE = 0.4
#: Fewest cycles, each from one peak to the next. One alone does not show that a movement is repeated.
FEWEST_CYCLES = 2
#: Two peaks are one cycle apart if the time between them is within this part of the time that the autocorrelation
#: gives; further apart, a peak between them was not seen.
_CYCLE_LIMITS = (0.6, 1.5)
#: The series is smoothed with a Gaussian of this part of a cycle before its peaks are searched.
_SMOOTHING = 1 / 16
#: Peaks of the autocorrelation from this part of the highest on count; the first is the cycle, later ones are two or
#: more cycles.
_FIRST_OF_ALIKE = 0.85
#: Fewest values for the search for cycles.
_FEWEST_VALUES = 10
#: A shorter hole than this, in seconds, is taken as bridged when the series is compared with itself.
_SHORT_HOLE_S = 0.2


def movements(measured: Angles, video: str, source: str) -> pd.DataFrame:
    """Summarise the movement of every angle of everyone in one video.

    Parameters
    ----------
    measured : Angles
        The table ``angles``.
    video, source : str
        What to write in these columns.

    Returns
    -------
    DataFrame
        The table ``movements``: a row for each person, angle and signal. There are rows for the filtered signal only
        where something was filtered. An angle that is never seen has ``n_frames`` 0 and no values.
    """
    signals = {"unfiltered": measured.degrees}
    if measured.is_filtered:
        signals["filtered"] = measured.degrees_filtered
    rows = []
    for person in np.unique(measured.person).tolist():
        mine = np.flatnonzero(measured.person == person)
        for column, angle in enumerate(ANGLES):
            for name, values in signals.items():
                keys = {"video": video, "source": source, "person": person, "angle": angle, "signal": name}
                rows.append(keys | _summary(measured.time_s[mine], values[mine, column]))
    return tables.check(pd.DataFrame(rows), "movements") if rows else tables.empty("movements")


def _summary(time_s: NDArray[np.float64], degrees: NDArray[np.float64]) -> dict[str, float]:
    """Return the measures of one series; both arrays have the shape (n,)."""
    seen = np.isfinite(degrees)
    n_cycles, mean, sd = cycle_time(time_s, degrees)
    low, high, peak = np.nan, np.nan, np.nan
    if seen.any():
        low, high = float(degrees[seen].min()), float(degrees[seen].max())
        peak = float(time_s[np.nanargmax(degrees)])
    return {
        "n_frames": int(seen.sum()),
        "minimum_deg": low,
        "maximum_deg": high,
        "range_of_motion_deg": high - low,
        "time_of_peak_s": peak,
        "n_cycles": n_cycles,
        "cycle_time_s": mean,
        "cycle_time_sd_s": sd,
    }


def cycle_time(time_s: NDArray[np.float64], degrees: NDArray[np.float64]) -> tuple[int, float, float]:
    """Find the cycles of a repeated movement, such as squats, steps or lifting an arm, and how long they take.

    The series is brought to even steps of the median time between frames. Its autocorrelation, over what is seen on
    both sides, tells the time of a cycle. A cycle goes from one peak to the next; where the angle rests near its
    largest value, as the trunk does between squats, from one trough to the next.

    Parameters
    ----------
    time_s : array, shape (n,)
        Seconds, ascending; the steps need not be even.
    degrees : array, shape (n,)
        The angle in degrees; NaN where it is not seen.

    Returns
    -------
    n_cycles : int
        Whole cycles; 0 where no repeated movement is found.
    mean_s, sd_s : float
        Mean and standard deviation (n - 1) of the time of a cycle in seconds; NaN where none is found.
    """
    nothing = (0, np.nan, np.nan)
    seen = np.isfinite(time_s) & np.isfinite(degrees)
    if seen.sum() < _FEWEST_VALUES:
        return nothing
    time, angle = np.asarray(time_s, float)[seen], np.asarray(degrees, float)[seen]
    low, high = np.percentile(angle, (1, 99))
    step = float(np.median(np.diff(np.asarray(time_s, float)[np.isfinite(time_s)])))
    if high - low < SMALLEST_RANGE or not step > 0:
        return nothing
    grid = np.arange(time[0], time[-1] + step / 2, step)
    even = np.interp(grid, time, angle)
    after = np.minimum(np.searchsorted(time, grid), len(time) - 1)
    hole = time[after] - time[np.maximum(after - 1, 0)]
    bridged = (hole <= max(_SHORT_HOLE_S, 1.5 * step)) | (np.abs(time[after] - grid) < step / 2)
    lag = _repetition(even, bridged)
    if lag == 0:
        return nothing
    smooth = ndimage.gaussian_filter1d(even, _SMOOTHING * lag, mode="nearest")
    low, high = np.percentile(smooth, (1, 99))
    if np.median(smooth) > low + 0.6 * (high - low):
        smooth = -smooth
    peaks, _ = signal.find_peaks(smooth, distance=_CYCLE_LIMITS[0] * lag, prominence=LEAST_PROMINENCE * (high - low))
    times = grid[peaks] + step * _vertex(smooth, peaks)
    cycles = np.diff(times)
    cycles = cycles[(cycles >= _CYCLE_LIMITS[0] * lag * step) & (cycles <= _CYCLE_LIMITS[1] * lag * step)]
    if len(cycles) < FEWEST_CYCLES or cycles.std(ddof=1) > LEAST_REGULAR * cycles.mean():
        return nothing
    return len(cycles), float(cycles.mean()), float(cycles.std(ddof=1))


def _repetition(series: NDArray[np.float64], seen: NDArray[np.bool_]) -> int:
    """Return the lag, in steps, at which a series repeats itself; 0 where it does not.

    Both series have the shape (n,). The autocorrelation at each lag is the correlation of all pairs of values that
    far apart of which both are seen, up to half the length, since a repeated movement has `FEWEST_CYCLES` cycles.
    """
    n = len(series)
    weight = seen.astype(float)
    centred = np.where(seen, signal.detrend(series) if seen.all() else series - series[seen].mean(), 0.0)

    def correlate(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(signal.correlate(first, second, method="fft")[n - 1 :])

    pairs = np.maximum(correlate(weight, weight), 1.0)
    left, right = correlate(weight, centred), correlate(centred, weight)
    left_square, right_square = correlate(weight, centred**2), correlate(centred**2, weight)
    covariance = correlate(centred, centred) / pairs - left * right / pairs**2
    variance = np.maximum(left_square / pairs - (left / pairs) ** 2, 0) * np.maximum(
        right_square / pairs - (right / pairs) ** 2, 0
    )
    alike = np.divide(covariance, np.sqrt(variance), out=np.zeros(n), where=variance > 1e-12 * variance[0])
    alike[pairs < n / 4] = 0.0
    lags, _ = signal.find_peaks(alike[: n // 2 + 1], prominence=_LEAST_RISE)
    compared = (n - lags) / np.maximum(lags, 1)
    lags = lags[alike[lags] >= LEAST_REPETITION + _FEW_CYCLES / compared]
    if not len(lags):
        return 0
    return int(lags[alike[lags] >= _FIRST_OF_ALIKE * alike[lags].max()][0])


def _vertex(series: NDArray[np.float64], peaks: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return how far, in steps, the vertex of the parabola through a peak and its neighbours is from the peak."""
    before, at, after = series[peaks - 1], series[peaks], series[peaks + 1]
    bend = before - 2 * at + after
    return np.divide(0.5 * (before - after), bend, out=np.zeros(len(peaks)), where=bend < 0)
