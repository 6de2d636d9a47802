"""Smooth angles over time with the defaults of the field: short gaps, outliers, low-pass.

The order is that of Sports2D 0.8.34, which computes angles from unfiltered keypoints, makes them continuous and then
filters the angles, apart from its filtered keypoints. Each step is that of Pose2Sim 0.10.49 (Pagnon et al. 2022,
Journal of Open Source Software 7:4362), and differs where said:

- Gaps are bridged by a straight line in time if they are short enough, never before the first or after the last value.
  Sports2D bridges 100 frames by default, and repeats the last value in longer gaps; here those stay empty. Sports2D
  takes an angle of exactly 0 deg for a gap; here it is an angle.
- The Hampel filter replaces a value by the median of the window around it if it lies further from that than so many
  standard deviations, estimated as 1.4826 (that is, 1 / 0.6745) times the median absolute deviation of the window
  (Pearson 2002, IEEE Transactions on Control Systems Technology 10:55-63). The window grows with the frame rate, as it
  does for keypoints in Sports2D. Half a window at either end of a stretch is kept as it is.
- The Butterworth filter of half the order runs forward and backward, so that nothing is delayed. As in Sports2D, the
  cut-off frequency is not corrected for the second run: at the cut-off the amplitude is halved (-6 dB); -3 dB lie at
  about 0.8 times the cut-off for the default order of 4. The ends are extended by three times the length of the
  filter, mirrored in the last value. Stretches that are not longer than that are not low-pass filtered, but outliers
  are replaced in them.

Timestamps count, not frame numbers: where they are uneven, a stretch is brought to even steps of the median time
between its frames, filtered, and read off at the timestamps. Nothing is smoothed across a cut, a change of the
direction that the person faces, or a gap that is not bridged. Where the cut-off frequency is not below half the frame
rate, no low-pass filter is applied.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import signal

from deidpose.kinematics.angles import ANGLES, Angles

#: Standard deviations of a normal distribution in one median absolute deviation: its 75th percentile.
_MAD = 0.6745
#: Frame rate that the window of the Hampel filter is given for.
_WINDOW_RATE = 30.0
#: Timestamps are even if none is further than this part of a frame away from even steps. Containers round
#: timestamps, to milliseconds for instance.
_EVEN = 0.1


def filter_angles(measured: Angles, settings: Mapping[str, Any], frame_rate: float, cuts: pd.DataFrame) -> Angles:
    """Set ``degrees_filtered`` of every angle of everyone in one video.

    Parameters
    ----------
    measured : Angles
        The table ``angles``.
    settings : mapping
        The section ``kinematics`` of the settings.
    frame_rate : float
        Mean frame rate of the video, 1/s: what the window of the Hampel filter is scaled with.
    cuts : DataFrame
        The table ``cuts``.

    Returns
    -------
    Angles
        The same. ``degrees_filtered`` is NaN throughout if ``settings["filter"]`` is false, and where neither the
        angle nor a bridge across a short gap is.
    """
    filtered = np.full(measured.degrees.shape, np.nan)
    if settings["filter"] and len(filtered):
        shot = np.searchsorted(np.sort(cuts["frame"].to_numpy(np.int64)), measured.frame, side="right")
        direction, _ = pd.factorize(measured.direction)
        half_window = round(settings["hampel_window_frames"] * frame_rate / _WINDOW_RATE) // 2
        order = np.argsort(measured.person, kind="stable")
        changed = [np.diff(of[order]) != 0 for of in (measured.person, shot, direction)]
        starts = np.flatnonzero(np.r_[True, np.logical_or.reduce(changed)])
        for start, stop in zip(starts, np.r_[starts[1:], len(order)], strict=True):
            rows = order[start:stop]
            # Frames without the person have no row but are part of a gap.
            slot = measured.frame[rows] - measured.frame[rows[0]]
            times = np.interp(np.arange(slot[-1] + 1), slot, measured.time_s[rows])
            values = np.full((slot[-1] + 1, len(ANGLES)), np.nan)
            values[slot] = measured.degrees[rows]
            filtered[rows] = _smoothed(values, times, settings, half_window)[slot]
    return measured._replace(degrees_filtered=filtered)


def _smoothed(
    values: NDArray[np.float64], time_s: NDArray[np.float64], settings: Mapping[str, Any], half_window: int
) -> NDArray[np.float64]:
    """Bridge, replace outliers and filter, column by column; ``values`` has the shape (n, columns)."""
    bridged = np.stack([bridge(column, time_s, settings["max_gap_frames"]) for column in values.T], axis=1)
    result = hampel(bridged, half_window, settings["hampel_deviations"])
    # Columns that are seen in the same frames, mostly all of them, are filtered together.
    stretches: dict[tuple[int, int], list[int]] = {}
    for column, seen in enumerate(np.isfinite(result).T):
        edges = np.flatnonzero(np.diff(np.r_[False, seen, False]))
        for start, stop in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
            stretches.setdefault((start, stop), []).append(column)
    for (start, stop), columns in stretches.items():
        result[start:stop, columns] = low_pass(
            result[start:stop, columns], time_s[start:stop], settings["butterworth_order"], settings["cutoff_hz"]
        )
    return result


def bridge(values: NDArray[np.float64], time_s: NDArray[np.float64], longest: int) -> NDArray[np.float64]:
    """Fill gaps of at most ``longest`` frames between two values by a straight line in time.

    Parameters
    ----------
    values : array, shape (n,)
        NaN where there is none.
    time_s : array, shape (n,)
        Seconds, ascending.
    longest : int
        Frames.

    Returns
    -------
    array, shape (n,)
    """
    seen = np.flatnonzero(np.isfinite(values))
    if len(seen) < 2 or len(seen) == len(values):
        return values.copy()
    gap = np.flatnonzero(~np.isfinite(values))
    gap = gap[(gap > seen[0]) & (gap < seen[-1])]
    after = np.searchsorted(seen, gap)
    gap = gap[seen[after] - seen[after - 1] - 1 <= longest]
    result = values.copy()
    result[gap] = np.interp(time_s[gap], time_s[seen], values[seen])
    return result


def hampel(values: NDArray[np.float64], half_window: int, deviations: float) -> NDArray[np.float64]:
    """Replace outliers by the median of the window around them.

    Parameters
    ----------
    values : array, shape (n, columns)
        NaN where there is none: such a window is left alone, and so is one in which most values are the same.
    half_window : int
        Frames before, and after, a value that belong to its window; with 0, nothing is replaced.
    deviations : float
        Estimated standard deviations from the median that make an outlier.

    Returns
    -------
    array, shape (n, columns)
    """
    result = values.copy()
    size = 2 * half_window + 1
    if half_window < 1 or len(values) < size:
        return result
    for column in range(values.shape[1]):
        windows = np.lib.stride_tricks.sliding_window_view(values[:, column], size)
        middle = values[half_window : len(values) - half_window, column]
        median = np.median(windows, axis=1)
        spread = np.median(np.abs(windows - median[:, None]), axis=1)
        outlier = (spread > 0) & (_MAD * np.abs(middle - median) > deviations * spread)
        result[half_window : len(values) - half_window, column] = np.where(outlier, median, middle)
    return result


def low_pass(
    values: NDArray[np.float64], time_s: NDArray[np.float64], order: int, cutoff_hz: float
) -> NDArray[np.float64]:
    """Apply the zero-phase Butterworth low-pass filter to values without gaps.

    Parameters
    ----------
    values : array, shape (n, columns)
        Finite.
    time_s : array, shape (n,)
        Seconds, ascending; the steps need not be even.
    order : int
        Even; the filter of half this order runs forward and backward.
    cutoff_hz : float
        Frequency at which one run has -3 dB, and both together -6 dB.

    Returns
    -------
    array, shape (n, columns)
        The values as they are where there are too few of them, or the cut-off is not below half the frame rate.
    """
    extension = 3 * (order // 2 + 1)
    if len(values) <= extension:
        return values
    span = time_s[-1] - time_s[0]
    step = span / (len(time_s) - 1)
    even = np.linspace(time_s[0], time_s[-1], len(time_s))
    uneven = bool(np.abs(time_s - even).max() > _EVEN * step)
    if uneven:
        step = float(np.median(np.diff(time_s)))
        even = time_s[0] + step * np.arange(np.ceil(span / step - 1e-9) + 1)
    if not step > 0 or 2 * cutoff_hz * step >= 1 or len(even) <= extension:
        return values
    # In sections of second order, which stay exact where the cut-off is far below the frame rate.
    sections = signal.butter(order // 2, 2 * cutoff_hz * step, output="sos")
    if not uneven:
        return np.asarray(signal.sosfiltfilt(sections, values, axis=0, padlen=extension))
    result = np.empty_like(values)
    for column in range(values.shape[1]):
        smooth = signal.sosfiltfilt(sections, np.interp(even, time_s, values[:, column]), padlen=extension)
        result[:, column] = np.interp(time_s, even, smooth)
    return result
