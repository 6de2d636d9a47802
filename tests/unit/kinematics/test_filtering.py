"""Smoothing: gaps, outliers and the low-pass filter, against what they are known to do."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deidpose import tables
from deidpose.kinematics.angles import ANGLES, Angles, angle_arrays
from deidpose.kinematics.filtering import bridge, filter_angles, hampel, low_pass
from fixtures.bodies import as_table

SETTINGS = {
    "filter": True, "max_gap_frames": 10, "hampel_window_frames": 7, "hampel_deviations": 2, "butterworth_order": 4,
    "cutoff_hz": 6,
}  # fmt: skip
NO_CUTS = tables.empty("cuts")


def table(degrees: np.ndarray, rate: float = 30.0, person: int = 0, angle: str = "left_knee", **columns: object) -> Any:
    n = len(degrees)
    values = {
        "frame": np.arange(n), "time_s": np.arange(n) / rate, "person": person, "angle": angle, "degrees": degrees,
        "degrees_filtered": np.nan, "confidence": 0.9, "direction": "right",
    }  # fmt: skip
    return tables.check(pd.DataFrame(values | columns), "angles")


def filtered(angles: pd.DataFrame, rate: float = 30.0, cuts: pd.DataFrame = NO_CUTS, **settings: object) -> np.ndarray:
    """Return the filtered degrees of the one angle in a table, by frame."""
    result = filter_angles(angle_arrays(angles), SETTINGS | settings, rate, cuts)
    return result.degrees_filtered[:, list(ANGLES).index(angles["angle"].iloc[0])]


def smoothed(angles: pd.DataFrame, **settings: object) -> Angles:
    return filter_angles(angle_arrays(angles), SETTINGS | settings, 30, NO_CUTS)


def gain(frequency: float, rate: float = 120.0, order: int = 4, cutoff: float = 6.0) -> float:
    """Return how much is left of the amplitude of a sine in the middle of a long series, by its projection."""
    time = np.arange(0, 20, 1 / rate)
    wave = np.sin(2 * np.pi * frequency * time)
    smooth = low_pass(wave[:, None], time, order, cutoff)[:, 0]
    inner = slice(len(time) // 4, 3 * len(time) // 4)
    return float((smooth[inner] * wave[inner]).sum() / (wave[inner] ** 2).sum())


# --- gaps -------------------------------------------------------------------------------------------------------


def test_short_gaps_are_bridged_by_a_straight_line_in_time_and_long_ones_stay() -> None:
    time = np.array([0, 1, 2, 4, 5, 6, 7, 8, 9], float)  # the third step is twice as long
    values = np.array([0, np.nan, np.nan, 40, 50, np.nan, np.nan, np.nan, 90])
    assert bridge(values, time, 2).tolist()[:5] == [0, 10, 20, 40, 50]
    assert np.isnan(bridge(values, time, 2)[5:8]).all()
    assert bridge(values, time, 3)[5:8].tolist() == [60, 70, 80]


def test_nothing_is_invented_before_the_first_or_after_the_last_value() -> None:
    values = np.array([np.nan, 1, np.nan, 3, np.nan])
    assert bridge(values, np.arange(5.0), 9).tolist()[1:4] == [1, 2, 3]
    assert np.isnan(bridge(values, np.arange(5.0), 9)[[0, 4]]).all()
    assert np.isnan(bridge(np.full(3, np.nan), np.arange(3.0), 9)).all()


def test_frames_without_the_person_count_in_the_length_of_a_gap() -> None:
    steady = table(np.full(60, 20.0))
    near, far = (steady.drop(range(20, 20 + gap)) for gap in (10, 11))
    near.loc[19, "degrees"] = np.nan  # with it, eleven frames are missing
    assert np.isnan(filtered(near)[19])
    assert np.isfinite(filtered(near, max_gap_frames=11)).all()
    assert np.isfinite(filtered(far)).all()


# --- outliers ---------------------------------------------------------------------------------------------------


def test_a_value_far_from_its_neighbours_becomes_their_median() -> None:
    values = np.arange(20, dtype=float)
    values[10] = 100
    result = hampel(values[:, None], 3, 2)[:, 0]
    assert result[10] == 11  # the median of 7, 8, 9, 11, 12, 13 and 100
    assert np.delete(result, 10).tolist() == np.delete(np.arange(20.0), 10).tolist()


@pytest.mark.parametrize(("middle", "outlier"), [(4.92, False), (4.94, True)])
def test_the_limit_is_in_deviations_estimated_from_the_median_deviation(middle: float, outlier: bool) -> None:
    # Median -1; deviations from it 0, 1, 1.5, 2, 2, 3 and that of the middle: their median 2 is 2 / 0.6745 = 2.965
    # standard deviations, so that the limit is -1 + 2 x 2.965 = 4.930.
    values = np.array([[-3, -2, -1, middle, 1, 2, -2.5]]).T
    assert hampel(values, 3, 2)[3, 0] == (-1 if outlier else middle)


def test_half_a_window_at_the_ends_and_beside_a_gap_is_kept_and_so_is_a_series_that_stands_still() -> None:
    values = np.arange(30, dtype=float)
    values[[1, 13, 28]] = 500
    values[15] = np.nan
    assert np.array_equal(hampel(values[:, None], 3, 2)[:, 0], values, equal_nan=True)
    still = np.zeros(20)
    still[10] = 1
    assert hampel(still[:, None], 3, 2)[10, 0] == 1


def test_the_window_grows_with_the_frame_rate_and_0_switches_it_off() -> None:
    time = np.arange(240) / 120
    degrees = 40 * time
    degrees[100:106] += 60  # six frames: nearly the whole window at 30 frames a second, a fifth of that at 120
    settings = {"cutoff_hz": 60}  # no low-pass, to see the outliers alone
    fast, slow = filtered(table(degrees, 120), 120, **settings), filtered(table(degrees, 120), 30, **settings)
    assert np.abs(fast - 40 * time).max() < 8
    assert np.abs(slow - 40 * time).max() > 50
    assert filtered(table(degrees, 120), 120, hampel_window_frames=0, **settings) == pytest.approx(degrees)


# --- low-pass ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [2, 4, 6, 8])
def test_the_amplitude_at_the_cut_off_is_halved(order: int) -> None:
    assert gain(6.0, order=order) == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize(("order", "frequency"), [(2, 2.0), (4, 3.0), (4, 10.0), (8, 5.0)])
def test_the_gain_is_that_of_the_filter_run_twice(order: int, frequency: float) -> None:
    # |H|^2 of a Butterworth filter of half the order, with the bilinear transform's frequencies.
    warped = np.tan(np.pi * frequency / 120) / np.tan(np.pi * 6 / 120)
    assert gain(frequency, order=order) == pytest.approx(1 / (1 + warped**order), abs=0.01)


def test_three_decibels_are_lost_at_four_fifths_of_the_cut_off() -> None:
    frequency = 6 * (np.sqrt(2) - 1) ** 0.25
    assert frequency == pytest.approx(0.8 * 6, abs=0.02)
    assert gain(frequency, rate=600) == pytest.approx(np.sqrt(0.5), abs=0.01)


@given(st.integers(0, 2**32 - 1))
def test_nothing_is_delayed(seed: int) -> None:
    time = np.arange(300) / 30
    wave = np.sin(2 * np.pi * np.random.default_rng(seed).uniform(0.3, 5) * time)
    smooth = low_pass(wave[:, None], time, 4, 6)[:, 0]
    shifts = range(-5, 6)
    inner = slice(50, 250)
    match = [float((smooth[inner] * wave[50 + shift : 250 + shift]).sum()) for shift in shifts]
    assert shifts[int(np.argmax(match))] == 0


@given(st.floats(-180, 180), st.floats(-50, 50))
def test_a_straight_line_stays_as_it_is(start: float, slope: float) -> None:
    degrees = start + slope * np.arange(60) / 30
    assert filtered(table(degrees)) == pytest.approx(degrees, abs=0.001)


@given(st.integers(0, 2**32 - 1))
def test_time_has_no_direction(seed: int) -> None:
    degrees = np.cumsum(np.random.default_rng(seed).normal(0, 3, 90))
    there, back = filtered(table(degrees)), filtered(table(degrees[::-1].copy()))
    assert back[::-1][15:-15] == pytest.approx(there[15:-15], abs=0.5)


def test_a_cut_off_of_half_the_frame_rate_or_more_filters_nothing() -> None:
    degrees = np.random.default_rng(0).normal(0, 10, 60)
    plain = {"hampel_window_frames": 0}
    assert filtered(table(degrees, 12), 12, **plain) == pytest.approx(degrees)
    assert np.ptp(filtered(table(degrees, 13), 13, **plain)) < np.ptp(degrees)


def test_a_stretch_no_longer_than_the_extension_of_its_ends_has_only_its_outliers_replaced() -> None:
    degrees = 5.0 * np.arange(10) ** 1.5
    degrees[5] += 800
    short = filtered(table(degrees[:9]))
    assert short[5] != degrees[5]
    assert np.delete(short, 5) == pytest.approx(np.delete(degrees[:9], 5))
    plain = {"hampel_window_frames": 0}
    assert filtered(table(degrees[:9]), **plain) == pytest.approx(degrees[:9])
    assert filtered(table(degrees), **plain) != pytest.approx(degrees)


def test_what_counts_is_time_not_the_number_of_the_frame() -> None:
    rng = np.random.default_rng(0)
    step = rng.choice([1 / 30, 1 / 30, 1 / 30, 1 / 15], 300)
    time = np.cumsum(step)
    slow, fast = 30 * np.sin(2 * np.pi * time), 5 * np.sin(2 * np.pi * 12 * time)
    smooth = filtered(table(slow + fast, time_s=time), hampel_window_frames=0)
    by_number = filtered(table(slow + fast), hampel_window_frames=0)
    inner = slice(20, -20)
    error = np.sqrt(np.mean((smooth - slow)[inner] ** 2))
    assert error < 2.5
    assert error < np.sqrt(np.mean((by_number - slow)[inner] ** 2))


def test_timestamps_rounded_to_milliseconds_count_as_even() -> None:
    degrees = np.random.default_rng(0).normal(0, 10, 300)
    rounded = np.round(np.arange(300) / 30, 3)
    assert filtered(table(degrees, time_s=rounded)) == pytest.approx(filtered(table(degrees)), abs=0.01)


def test_resampling_to_even_steps_changes_a_slow_movement_little() -> None:
    time = np.sort(np.r_[np.arange(200) / 30, 3.21, 4.56])
    slow = 40 * np.sin(2 * np.pi * 0.5 * time)
    assert filtered(table(slow, time_s=time), hampel_window_frames=0) == pytest.approx(slow, abs=0.5)


# --- what is filtered apart -------------------------------------------------------------------------------------


@pytest.mark.parametrize("border", ["cut", "direction", "gap", "person"])
def test_nothing_is_smoothed_across(border: str) -> None:
    step = np.r_[np.zeros(40), np.full(40, 90.0)]
    angles, cuts, expected = table(step), NO_CUTS, step
    if border == "cut":
        cuts = pd.DataFrame({"frame": [40]})
    elif border == "direction":
        angles["direction"] = ["right"] * 40 + ["left"] * 40
    elif border == "gap":
        angles.loc[30:40, "degrees"] = np.nan
        expected = angles["degrees"].to_numpy()
    else:
        angles["person"] = [0] * 40 + [1] * 40
    assert filtered(angles, cuts=cuts) == pytest.approx(expected, abs=1e-9, nan_ok=True)
    assert filtered(table(step))[38] != pytest.approx(0, abs=0.1)


def test_angles_and_people_are_filtered_each_by_itself() -> None:
    rng = np.random.default_rng(0)
    parts = [
        table(np.cumsum(rng.normal(0, 5, 50)), person=person, angle=angle)
        for person in (0, 3)
        for angle in ("left_knee", "right_hip")
    ]
    expected = np.stack([filtered(part) for part in parts])
    result = smoothed(pd.concat(parts).sample(frac=1, random_state=0))
    for person, alone in ((0, expected[:2]), (3, expected[2:])):
        columns = [list(ANGLES).index(angle) for angle in ("left_knee", "right_hip")]
        assert result.degrees_filtered[result.person == person][:, columns] == pytest.approx(alone.T)


def test_a_gap_in_one_angle_leaves_the_others_whole() -> None:
    knee, hip = table(np.arange(60.0)), table(np.arange(60.0), angle="left_hip")
    knee.loc[20:39, "degrees"] = np.nan
    result = as_table(smoothed(pd.concat([knee, hip])))
    result = result[result["angle"].isin(["left_knee", "left_hip"])]
    assert result.groupby("angle")["degrees_filtered"].count().to_dict() == {"left_knee": 40, "left_hip": 60}


def test_without_filtering_the_column_is_empty_and_measured_values_are_never_changed() -> None:
    degrees = np.random.default_rng(0).normal(0, 10, 60)
    off = smoothed(table(degrees), filter=False)
    on = smoothed(table(degrees))
    column = list(ANGLES).index("left_knee")
    assert np.isnan(off.degrees_filtered).all()
    assert np.isfinite(on.degrees_filtered[:, column]).all()
    assert off.degrees[:, column].tolist() == on.degrees[:, column].tolist() == degrees.tolist()


def test_an_empty_table_stays_empty() -> None:
    assert not len(smoothed(tables.empty("angles")).frame)


def test_noise_on_a_known_movement_becomes_less() -> None:
    time = np.arange(300) / 30
    truth = 45 * (1 - np.cos(2 * np.pi * time / 2.5))
    noisy = truth + np.random.default_rng(0).normal(0, 4, 300)
    noisy[[50, 120, 200]] += 80
    error = np.sqrt(np.mean((filtered(table(noisy)) - truth) ** 2))
    assert error < 0.7 * np.sqrt(np.mean(np.delete(noisy - truth, [50, 120, 200]) ** 2))
