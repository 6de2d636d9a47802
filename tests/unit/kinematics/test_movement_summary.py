"""Movements: ranges and peaks by hand, and cycles found in what is repeated and in nothing else."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import signal

from deidpose import tables
from deidpose.kinematics.angles import ANGLES, angle_arrays
from deidpose.kinematics.movement_summary import cycle_time, movements

TIME = np.arange(360) / 30  # 12 s


def squats(time: np.ndarray, period: float = 2.4) -> np.ndarray:
    return 45 * (1 - np.cos(2 * np.pi * time / period))


def steps(time: np.ndarray, period: float = 1.1) -> np.ndarray:
    """Return the flexion of a knee in walking: a large peak in swing and a small one after the heel has landed."""
    phase = (time / period) % 1
    return 5 + 58 * np.exp(-(((phase - 0.72) / 0.09) ** 2)) + 15 * np.exp(-(((phase - 0.15) / 0.07) ** 2))


def noise(seed: int, size: float, n: int = len(TIME)) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, size, n)


def table(degrees: np.ndarray, filtered: np.ndarray | float = np.nan, person: int = 0, angle: str = "left_knee") -> Any:
    n = len(degrees)
    values = {
        "frame": np.arange(n), "time_s": np.arange(n) / 30, "person": person, "angle": angle, "degrees": degrees,
        "degrees_filtered": filtered, "confidence": 0.9, "direction": "right",
    }  # fmt: skip
    return tables.check(pd.DataFrame(values), "angles")


def summary(angles: pd.DataFrame, source: str = "original") -> pd.DataFrame:
    return movements(angle_arrays(angles), "v", source)


# --- cycles -----------------------------------------------------------------------------------------------------


def test_five_squats_are_four_cycles_from_one_peak_to_the_next() -> None:
    n, mean, sd = cycle_time(TIME, squats(TIME))
    assert n == 4
    assert mean == pytest.approx(2.4, abs=1e-3)
    assert sd == pytest.approx(0, abs=1e-3)


@given(st.integers(0, 2**32 - 1), st.floats(0.8, 3.0), st.floats(15, 120), st.floats(0, 1))
def test_the_time_of_a_cycle_is_found_in_noise(seed: int, period: float, size: float, phase: float) -> None:
    degrees = size / 2 * np.sin(2 * np.pi * (TIME / period + phase)) + noise(seed, 0.08 * size)
    n, mean, sd = cycle_time(TIME, degrees)
    assert n in range(int(12 / period) - 2, int(12 / period) + 1)
    assert mean == pytest.approx(period, rel=0.03)
    assert sd < 0.1 * period


def test_a_stride_is_one_cycle_though_the_knee_bends_twice_in_it() -> None:
    n, mean, sd = cycle_time(TIME, steps(TIME) + noise(0, 2))
    assert n == 10
    assert mean == pytest.approx(1.1, abs=0.01)
    assert sd < 0.05


def test_two_peaks_that_differ_are_one_cycle() -> None:
    phase = TIME % 1.2 / 1.2
    degrees = 60 * np.exp(-(((phase - 0.25) / 0.1) ** 2)) + 36 * np.exp(-(((phase - 0.75) / 0.1) ** 2))
    n, mean, _ = cycle_time(TIME, degrees + noise(0, 1))
    assert n == 9
    assert mean == pytest.approx(1.2, abs=0.01)


def test_cycles_are_timed_more_finely_than_in_frames() -> None:
    time = np.arange(150) / 10
    n, mean, sd = cycle_time(time, 40 * np.cos(2 * np.pi * time / 1.13))
    assert n == 11
    assert mean == pytest.approx(1.13, abs=0.002)
    assert sd < 0.02


def test_the_mean_and_standard_deviation_are_those_of_the_cycles_themselves() -> None:
    lengths = np.array([2.0, 2.3, 2.1, 2.6, 2.2, 2.4])
    peaks = 1 + np.concatenate([[0], np.cumsum(lengths)])
    time = np.arange(0, peaks[-1] + 1, 1 / 60)
    phase = np.interp(time, [peaks[0] - 2.2, *peaks, peaks[-1] + 2.2], np.arange(-1, len(peaks) + 1))
    n, mean, sd = cycle_time(time, 40 * np.cos(2 * np.pi * phase))
    assert n == 6
    assert mean == pytest.approx(lengths.mean(), abs=0.03)
    assert sd == pytest.approx(lengths.std(ddof=1), abs=0.05)


def test_pauses_between_repetitions_belong_to_the_cycle() -> None:
    one = np.concatenate([squats(np.arange(60) / 30, 2.0), np.zeros(30)])
    degrees = np.tile(one, 5)
    n, mean, _ = cycle_time(np.arange(len(degrees)) / 30, degrees + noise(1, 2, len(degrees)))
    assert n == 4
    assert mean == pytest.approx(3.0, abs=0.03)


def test_what_rests_at_its_largest_value_is_timed_at_its_troughs() -> None:
    trunk = np.tile(np.concatenate([np.full(30, 90.0), 90 - squats(np.arange(60) / 30, 2.0)]), 5)
    n, mean, sd = cycle_time(np.arange(len(trunk)) / 30, trunk + noise(2, 2, len(trunk)))
    assert n == 4
    assert mean == pytest.approx(3.0, abs=0.03)
    assert sd < 0.1


def test_holes_neither_add_nor_merge_cycles() -> None:
    degrees = squats(TIME) + noise(3, 3)
    degrees[(TIME > 0.6) & (TIME < 0.9)] = np.nan
    degrees[(TIME > 7.5) & (TIME < 8.2)] = np.nan  # between two peaks
    n, mean, _ = cycle_time(TIME, degrees)
    assert n == 4
    assert mean == pytest.approx(2.4, abs=0.05)


def test_a_peak_that_was_not_seen_makes_no_cycle_of_double_length() -> None:
    degrees = squats(TIME)
    degrees[(TIME > 5.2) & (TIME < 6.8)] = np.nan  # the third of five
    n, mean, _ = cycle_time(TIME, degrees)
    assert n == 2
    assert mean == pytest.approx(2.4, abs=0.05)


def test_uneven_timestamps_count() -> None:
    time = np.cumsum(np.random.default_rng(0).choice([1 / 30, 1 / 20, 1 / 15], 300))
    n, mean, _ = cycle_time(time, squats(time))
    assert n == int((time[-1] - 1.2) / 2.4)
    assert mean == pytest.approx(2.4, abs=0.02)


@given(st.floats(0.2, 5.0), st.floats(-500, 500))
def test_a_video_played_slower_or_later_has_cycles_longer_by_as_much(slower: float, later: float) -> None:
    degrees = squats(TIME) + noise(4, 3)
    n, mean, sd = cycle_time(TIME, degrees)
    assert cycle_time(TIME * slower + later, degrees) == pytest.approx((n, mean * slower, sd * slower), rel=1e-6)


@pytest.mark.parametrize(
    "degrees",
    [
        np.zeros(360),
        np.full(360, np.nan),
        np.where((TIME > 4) & (TIME < 6.4), squats(TIME - 4), 0.0),  # a single squat
        np.where(TIME < 4.8, squats(TIME), 0.0),  # two are one cycle, which proves nothing
        8 * TIME,
        90 * np.tanh(TIME - 6),
        30 * np.sin(TIME / 5),
        TIME**2,
        0.5 * np.sin(2 * np.pi * TIME),  # sway
    ],
    ids=["still", "unseen", "one", "two", "line", "step", "slow", "parabola", "sway"],
)
def test_nothing_is_found_in_what_is_not_repeated(degrees: np.ndarray) -> None:
    for seed in range(5):
        n, mean, sd = cycle_time(TIME, degrees + noise(seed, 0.3))
        assert n == 0
        assert np.isnan([mean, sd]).all()


@pytest.mark.parametrize("cutoff_hz", [None, 6])
def test_nothing_is_found_in_noise(cutoff_hz: float | None) -> None:
    found = 0
    for seed in range(100):
        degrees = noise(seed, 10)
        if cutoff_hz:
            degrees = signal.sosfiltfilt(signal.butter(2, cutoff_hz, fs=30, output="sos"), degrees)
        found += cycle_time(TIME, degrees)[0] > 0
    assert found == 0


def test_hardly_anything_is_found_in_a_random_walk() -> None:
    assert sum(cycle_time(TIME, np.cumsum(noise(seed, 5)))[0] > 0 for seed in range(200)) <= 4


@pytest.mark.parametrize("n", [0, 1, 2, 9])
def test_a_series_too_short_has_no_cycles(n: int) -> None:
    assert cycle_time(TIME[:n], squats(TIME)[:n])[0] == 0


# --- the table --------------------------------------------------------------------------------------------------


def test_range_peak_and_its_time_are_those_computed_by_hand() -> None:
    row = summary(table(np.array([10, np.nan, 70, -5, 30])), "blur").iloc[0]  # the left knee comes first
    assert row[["video", "source", "person", "angle", "signal"]].tolist() == ["v", "blur", 0, "left_knee", "unfiltered"]
    assert row["n_frames"] == 4
    assert (row["minimum_deg"], row["maximum_deg"], row["range_of_motion_deg"]) == (-5, 70, 75)
    assert row["time_of_peak_s"] == pytest.approx(2 / 30)
    assert row["n_cycles"] == 0
    assert np.isnan(row["cycle_time_s"])


def test_both_signals_are_summarised_each_by_itself() -> None:
    result = summary(table(squats(TIME) + noise(0, 5), squats(TIME)))
    result = result[result["angle"] == "left_knee"].set_index("signal")
    assert result.index.tolist() == ["unfiltered", "filtered"]
    assert result.loc["filtered", "maximum_deg"] == pytest.approx(90)
    assert result.loc["unfiltered", "maximum_deg"] > 92
    assert result["n_cycles"].tolist() == [4, 4]
    assert result["cycle_time_s"].to_numpy() == pytest.approx([2.4, 2.4], abs=0.05)


def test_every_person_and_angle_has_a_row_in_the_order_of_the_angles() -> None:
    parts = [
        table(squats(TIME) * (person + 1), person=person, angle=angle)
        for person in (1, 0)
        for angle in ("left_knee", "left_hip")
    ]
    result = summary(pd.concat(parts).sort_values(["frame", "person"], kind="stable"))
    assert result[["person", "angle"]].to_numpy().tolist() == [[person, name] for person in (0, 1) for name in ANGLES]
    seen = result[result["n_frames"] > 0]
    assert seen["angle"].tolist() == ["left_knee", "left_hip"] * 2
    assert seen["maximum_deg"].to_numpy() == pytest.approx([90, 90, 180, 180])


def test_an_angle_that_is_never_seen_has_a_row_without_values() -> None:
    row = summary(table(np.full(20, np.nan))).iloc[0]
    assert (row["n_frames"], row["n_cycles"]) == (0, 0)
    assert row[["minimum_deg", "maximum_deg", "range_of_motion_deg", "time_of_peak_s"]].isna().all()


def test_nobody_makes_an_empty_table() -> None:
    assert summary(tables.empty("angles")).empty
