"""Effects of a method on angles and keypoints: every measure worked out by hand, and what must always hold."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike

from deidpose import tables
from deidpose.evaluation import effects
from deidpose.keypoints import poses
from deidpose.kinematics.angles import JOINTS, SEGMENTS, angle_arrays
from deidpose.skeleton import KEYPOINTS

NO_PEOPLE = tables.empty("people")
NAN = float("nan")

#: Peak expiratory flow of 17 people in l/min by two meters, first readings: Bland & Altman 1986, Lancet 327:307-310.
WRIGHT = [494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427]
MINI_WRIGHT = [512, 430, 520, 428, 500, 600, 364, 380, 658, 445, 432, 626, 260, 477, 259, 350, 451]

#: Measures that are differences from the original; the original compared with itself has 0.
DIFFERENCES = [
    "bias_deg", "sd_deg", "loa_low_deg", "loa_high_deg", "mae_deg", "rmse_deg", "p95_deg", "percent_difference",
    "range_of_motion_bias_deg", "peak_bias_deg", "cycle_time_bias_s", "confidence_bias",
]  # fmt: skip

degrees = st.floats(-80, 80).map(lambda value: round(value, 3))
series = st.lists(degrees, min_size=1, max_size=30)
gappy = st.lists(st.one_of(degrees, st.just(NAN)), min_size=1, max_size=30)
two_series = st.integers(1, 30).flatmap(
    lambda n: st.tuples(
        *[st.lists(st.one_of(degrees, st.just(NAN)), min_size=n, max_size=n)] * 2
    )
)  # fmt: skip
often = settings(max_examples=50)


def angles(
    values: ArrayLike,
    *,
    person: int = 0,
    angle: str = "left_knee",
    filtered: ArrayLike | None = None,
    confidence: float = 0.9,
    first: int = 0,
    rate: float = 25.0,
) -> pd.DataFrame:
    """Return the table ``angles`` of one angle of one person, from frame ``first`` on."""
    frame = first + np.arange(np.size(values))
    table = {
        "frame": frame,
        "time_s": frame / rate,
        "person": person,
        "angle": angle,
        "degrees": values,
        "degrees_filtered": NAN if filtered is None else filtered,
        "confidence": confidence,
        "direction": "right",
    }
    return tables.check(pd.DataFrame(table), "angles")


def same(*people: int, last: int = 999) -> pd.DataFrame:
    """Return matches in which these people have the same number in the method, throughout."""
    return sections(*((person, person, 0, last) for person in people))


def sections(*rows: tuple[int, int, int, int]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["person", "method_person", "first_frame", "last_frame"], dtype="int64")


def listed(patients: Mapping[int, bool | None]) -> pd.DataFrame:
    """Return the table ``people``, person -> whether they are the patient."""
    numbers = dict.fromkeys(tables.TABLES["people"], 1)
    table = pd.DataFrame([numbers | {"person": p, "patient": is_patient} for p, is_patient in patients.items()])
    return tables.check(table.astype({"token": "str"}), "people")


def compare(
    original: pd.DataFrame,
    copies: Mapping[str, pd.DataFrame],
    matches: Mapping[str, pd.DataFrame],
    people: pd.DataFrame = NO_PEOPLE,
) -> pd.DataFrame:
    """Return the table ``effects`` of tables ``angles``."""
    arrays = {method: angle_arrays(copy) for method, copy in copies.items()}
    return effects.compare_angles("v", angle_arrays(original), arrays, matches, people)


def pairs(original: pd.DataFrame, method: pd.DataFrame, signal: str, people: pd.DataFrame = NO_PEOPLE) -> pd.DataFrame:
    """Return the table ``pairs`` of tables ``angles`` in which person 0 is the same."""
    copies = {"blur": angle_arrays(method)}
    return effects.pairs("v", angle_arrays(original), copies, {"blur": same(0)}, people, signal)


def compare_keypoints(
    original: pd.DataFrame,
    copies: Mapping[str, pd.DataFrame],
    matches: Mapping[str, pd.DataFrame],
    people: pd.DataFrame = NO_PEOPLE,
) -> pd.DataFrame:
    """Return the table ``keypoint_effects`` of tables ``keypoints``."""
    arrays = {method: poses(copy) for method, copy in copies.items()}
    return effects.compare_keypoints("v", poses(original), arrays, matches, people)


def compared(original: pd.DataFrame | ArrayLike, method: pd.DataFrame | ArrayLike) -> pd.Series:
    """Return the row of the left knee of person 0, unfiltered."""
    before, after = (side if isinstance(side, pd.DataFrame) else angles(side) for side in (original, method))
    table = compare(before, {"blur": after}, {"blur": same(0)})
    return table[(table["angle"] == "left_knee") & (table["person"] == 0) & (table["signal"] == "unfiltered")].iloc[0]


# One angle of one person


def test_every_measure_is_the_one_worked_out_by_hand() -> None:
    # Differences in the four frames of both: 2, -1, 0, 3.
    original = angles([10, 20, 30, 40, NAN, 60], confidence=0.9)
    method = angles([12, 19, 30, NAN, 50, 63], confidence=0.7)
    row = compared(original, method)
    assert (row["n_original"], row["n_both"], row["n_lost"], row["n_gained"]) == (5, 4, 1, 1)
    assert row["lost_percent"] == 20
    assert row["gained_percent"] == 20
    assert row["bias_deg"] == pytest.approx(1)
    assert row["sd_deg"] == pytest.approx(np.sqrt(10 / 3))  # deviations 1, -2, -1, 2
    assert row["loa_low_deg"] == pytest.approx(1 - 1.96 * 1.8257419)
    assert row["loa_high_deg"] == pytest.approx(1 + 1.96 * 1.8257419)
    assert row["mae_deg"] == pytest.approx(1.5)
    assert row["rmse_deg"] == pytest.approx(np.sqrt(14 / 4))
    assert row["p95_deg"] == pytest.approx(2.85)  # 2 + 0.85 x (3 - 2)
    assert row["percent_difference"] == pytest.approx(5)  # 100 x 1.5 / 30
    assert row["pearson_r"] == pytest.approx(1460 / np.sqrt(1400 * 1530))
    # Mean squares: frames 975, sources 2, rest 5 / 3; n = 4, k = 2.
    assert row["icc_2_1"] == pytest.approx((975 - 5 / 3) / (975 + 5 / 3 + 2 * (2 - 5 / 3) / 4))
    assert row["range_of_motion_original_deg"] == 50
    assert row["range_of_motion_bias_deg"] == pytest.approx(1)  # 63 - 12, and 60 - 10
    assert row["peak_bias_deg"] == pytest.approx(3)
    assert row["confidence_original"] == pytest.approx(0.9)
    assert row["confidence_method"] == pytest.approx(0.7)
    assert row["confidence_bias"] == pytest.approx(-0.2)


def test_the_limits_of_agreement_are_those_that_bland_and_altman_published() -> None:
    row = compared(angles(MINI_WRIGHT), angles(WRIGHT))
    assert round(row["bias_deg"], 1) == -2.1
    assert round(row["sd_deg"], 1) == 38.8
    # They print -79.7 and 75.5: from the rounded figures, and with 2 in place of 1.96.
    assert round(row["bias_deg"], 1) - 2 * round(row["sd_deg"], 1) == pytest.approx(-79.7)
    assert round(row["bias_deg"], 1) + 2 * round(row["sd_deg"], 1) == pytest.approx(75.5)
    assert row["loa_high_deg"] - row["bias_deg"] == pytest.approx(1.96 * row["sd_deg"])
    assert row["bias_deg"] - row["loa_low_deg"] == pytest.approx(1.96 * row["sd_deg"])
    assert round(row["pearson_r"], 2) == 0.94


def test_the_time_of_a_cycle_is_compared_over_the_frames_in_both() -> None:
    time = np.arange(300) / 25
    swing = angles(30 + 25 * np.sin(2 * np.pi * time / 1.0))
    slower = angles(30 + 25 * np.sin(2 * np.pi * time / 1.2))
    row = compared(swing, slower)
    assert row["cycle_time_original_s"] == pytest.approx(1.0, abs=0.01)
    assert row["cycle_time_bias_s"] == pytest.approx(0.2, abs=0.02)
    assert np.isnan(compared(swing, angles(np.full(300, 30.0)))["cycle_time_bias_s"])


def test_range_and_peak_leave_aside_the_frames_that_only_one_has() -> None:
    row = compared([10, 20, 170], [10, 20, NAN])
    assert row["range_of_motion_original_deg"] == 10
    assert row["range_of_motion_bias_deg"] == 0
    assert row["peak_bias_deg"] == 0


def test_confidences_are_averaged_where_both_have_the_angle_and_a_confidence() -> None:
    original, method = angles([10, 20, 30], confidence=0.8), angles([10, 20, NAN], confidence=0.6)
    method["confidence"] = [0.6, NAN, 0.6]
    original["confidence"] = [0.8, 0.1, 0.1]
    assert compared(original, method)["confidence_original"] == pytest.approx(0.8)
    assert compared(original, method)["confidence_bias"] == pytest.approx(-0.2)


def test_measures_that_have_no_meaning_are_missing_not_infinite() -> None:
    constant = compared([0.0] * 5, [1.0] * 5)
    assert constant["bias_deg"] == 1
    assert constant[["percent_difference", "pearson_r", "icc_2_1"]].isna().all()
    frozen = compared([10, 20, 30, 40], [25.1] * 4)
    assert np.isnan(frozen["pearson_r"])
    assert frozen["icc_2_1"] == pytest.approx(0, abs=0.05)
    # Turns taken off a constant angle leave the noise of rounding, which is no movement.
    assert np.isnan(compared([0.1, 10.3, 20.2, 40.7], [360.3, 0.3, 720.3, -359.7])["pearson_r"])


def test_one_frame_has_a_bias_but_no_spread_and_two_have_no_correlation() -> None:
    one = compared([10.0], [13.0])
    assert (one["bias_deg"], one["mae_deg"], one["p95_deg"], one["lost_percent"]) == (3, 3, 3, 0)
    assert one[["sd_deg", "loa_low_deg", "loa_high_deg", "icc_2_1", "pearson_r"]].isna().all()
    two = compared([10.0, 20.0], [13.0, 21.0])
    assert two["sd_deg"] == pytest.approx(np.sqrt(2))
    assert two[["icc_2_1", "pearson_r"]].isna().all()


# What must always hold


@often
@given(gappy)
def test_a_source_compared_with_itself_differs_by_nothing(values: list[float]) -> None:
    row = compared(values, values)
    assert (row["n_lost"], row["n_gained"]) == (0, 0)
    assert row[DIFFERENCES].dropna().eq(0).all()
    seen = np.array(values)[np.isfinite(values)]
    if len(seen) > 2 and np.ptp(seen) > 0.1:
        assert row["icc_2_1"] == pytest.approx(1)
        assert row["pearson_r"] == pytest.approx(1)


@often
@given(series, st.floats(-99, 99))
def test_a_constant_that_is_added_is_the_bias_and_nothing_else(values: list[float], constant: float) -> None:
    row = compared(values, [value + constant for value in values])
    assert row["bias_deg"] == pytest.approx(constant, abs=1e-9)
    assert row["mae_deg"] == pytest.approx(abs(constant), abs=1e-9)
    assert row["rmse_deg"] == pytest.approx(abs(constant), abs=1e-9)
    assert row["peak_bias_deg"] == pytest.approx(constant, abs=1e-9)
    assert row["range_of_motion_bias_deg"] == pytest.approx(0, abs=1e-9)
    if len(values) > 1:
        assert row["sd_deg"] == pytest.approx(0, abs=1e-9)


@often
@given(two_series)
def test_the_two_sources_swapped_have_the_opposite_bias_and_the_same_agreement(
    both: tuple[list[float], list[float]],
) -> None:
    row, swapped = compared(both[0], both[1]), compared(both[1], both[0])
    assert (row["n_lost"], row["n_gained"], row["n_both"]) == (
        swapped["n_gained"],
        swapped["n_lost"],
        swapped["n_both"],
    )
    assert row["n_original"] == row["n_both"] + row["n_lost"]
    for one, other in (("bias_deg", "bias_deg"), ("loa_low_deg", "loa_high_deg"), ("peak_bias_deg", "peak_bias_deg")):
        assert row[one] == pytest.approx(-swapped[other], nan_ok=True)
    for measure in ("sd_deg", "mae_deg", "rmse_deg", "p95_deg", "icc_2_1", "pearson_r"):
        assert row[measure] == pytest.approx(swapped[measure], nan_ok=True)


@often
@given(two_series)
def test_the_mean_difference_is_never_more_than_the_mean_absolute_and_that_than_the_root_mean_square(
    both: tuple[list[float], list[float]],
) -> None:
    row = compared(*both)
    assume(row["n_both"] > 0)
    assert abs(row["bias_deg"]) <= row["mae_deg"] + 1e-9
    assert row["mae_deg"] <= row["rmse_deg"] + 1e-9


@often
@given(two_series, st.lists(st.integers(-3, 3), min_size=30, max_size=30))
def test_whole_turns_between_the_sources_do_not_matter(both: tuple[list[float], list[float]], turns: list[int]) -> None:
    turned = [value + 360 * turn for value, turn in zip(both[1], turns, strict=False)]
    pd.testing.assert_series_equal(compared(*both), compared(both[0], turned), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("line", ["pelvis", "shoulders"])
def test_a_line_without_a_direction_differs_by_a_quarter_of_a_turn_at_most(line: str) -> None:
    """An upright line has 89 deg in one source and -89 deg in the other: they are 2 deg apart, and not 178."""
    original, method = angles([89, 88, 80], angle=line), angles([-89, 268, 90], angle=line)
    table = compare(original, {"blur": method}, {"blur": same(0)})
    row = table[(table["angle"] == line) & (table["signal"] == "unfiltered")].iloc[0]
    assert (row["bias_deg"], row["mae_deg"]) == (pytest.approx((2 + 0 + 10) / 3), pytest.approx((2 + 0 + 10) / 3))
    assert row["range_of_motion_bias_deg"] == pytest.approx(3 - 9)
    assert row["peak_bias_deg"] == pytest.approx(91 - 89)


def test_half_a_turn_counts_as_positive_and_stays_within_the_limits() -> None:
    turned = effects.without_turns(np.array([180.0, -180.0, 181.0, 539.0, -541.0]), np.zeros(5))
    assert turned.tolist() == [180, 180, -179, 179, 179]
    assert effects.without_turns(np.array([90.0, -90.0, 91.0, -271.0]), np.zeros(4), 180).tolist() == [90, 90, -89, 89]


@often
@given(two_series, st.integers(0, 1000))
def test_the_order_of_the_rows_does_not_matter(both: tuple[list[float], list[float]], seed: int) -> None:
    shuffled = [angles(side).sample(frac=1, random_state=seed) for side in both]
    pd.testing.assert_series_equal(compared(*both), compared(*shuffled))


# People, sections, rows


def test_every_method_person_angle_and_signal_has_its_row_in_order() -> None:
    original = pd.concat([angles([1, 2], person=7, filtered=[1, 2]), angles([1, 2], person=2, filtered=[1, 2])])
    copies = {"pixelate": original, "blur": original}
    table = compare(original, copies, dict.fromkeys(copies, same(2, 7)), listed({2: True, 7: False}))
    expected = pd.MultiIndex.from_product([copies, [2, 7], [*JOINTS, *SEGMENTS], ["unfiltered", "filtered"]])
    assert list(pd.MultiIndex.from_frame(table[["method", "person", "angle", "signal"]])) == list(expected)
    assert table["patient"].tolist() == (table["person"] == 2).tolist()
    assert set(table["video"]) == {"v"}


def test_an_angle_that_the_original_never_has_is_counted_and_has_no_percentages() -> None:
    row = compared(angles([NAN, NAN, NAN]), angles([NAN, 5, 6]))
    assert (row["n_original"], row["n_both"], row["n_lost"], row["n_gained"]) == (0, 0, 0, 2)
    assert row[["lost_percent", "gained_percent", *DIFFERENCES]].isna().all()


def test_someone_without_any_angle_keeps_their_rows() -> None:
    table = compare(angles([1, 2]), {"blur": angles([1, 2])}, {"blur": same(0)}, listed({0: None, 4: True}))
    alone = table[table["person"] == 4]
    assert len(alone) == len(JOINTS) + len(SEGMENTS)
    assert (alone["n_original"] == 0).all()
    assert alone["patient"].all()
    assert not table.loc[table["person"] == 0, "patient"].any()


def test_a_person_whom_the_method_lost_altogether_has_every_frame_lost() -> None:
    row = compared(angles([1, 2, 3]), tables.empty("angles"))
    assert (row["n_original"], row["n_lost"], row["n_both"], row["lost_percent"]) == (3, 3, 0, 100)
    assert row[DIFFERENCES].isna().all()
    unmatched = compare(angles([1, 2]), {"blur": angles([1, 2])}, {"blur": sections()})
    assert unmatched.loc[unmatched["angle"] == "left_knee", "n_lost"].tolist() == [2]


def test_people_are_followed_through_the_sections_and_not_by_their_number() -> None:
    # The method calls person 0 number 5, and from frame 2 on number 1; number 0 is somebody else.
    original = angles([10, 20, 30, 40])
    method = pd.concat(
        [angles([11, 21, 99, 99], person=5), angles([99, 99, 33, 43], person=1), angles([77] * 4, person=0)]
    )
    matches = {"blur": sections((0, 5, 0, 1), (0, 1, 2, 3))}
    table = compare(original, {"blur": method}, matches).set_index("angle")
    assert set(table["person"]) == {0}
    assert table.loc["left_knee", "n_both"] == 4
    assert table.loc["left_knee", "bias_deg"] == pytest.approx(2)  # 1, 1, 3, 3


def test_frames_are_joined_by_number_and_not_by_position() -> None:
    row = compared(angles([10, 20, 30], first=100), angles([31, 40, 50], first=102))
    assert (row["n_both"], row["n_lost"], row["n_gained"]) == (1, 2, 2)
    assert row["bias_deg"] == pytest.approx(1)


def test_each_signal_is_compared_with_itself_and_one_that_nobody_has_is_left_out() -> None:
    original, method = angles([10, 20], filtered=[10, 20]), angles([11, 21], filtered=[13, NAN])
    table = compare(original, {"blur": method}, {"blur": same(0)})
    knee = table[table["angle"] == "left_knee"].set_index("signal")
    assert knee["bias_deg"].tolist() == [1, 3]
    assert knee["n_lost"].tolist() == [0, 1]
    plain = compare(angles([1]), {"blur": angles([1])}, {"blur": same(0)})
    assert set(plain["signal"]) == {"unfiltered"}
    lost = compare(original, {"blur": angles([11, 21])}, {"blur": same(0)})
    filtered = lost[(lost["signal"] == "filtered") & (lost["angle"] == "left_knee")]
    assert filtered["n_lost"].tolist() == [2]


def test_no_people_and_no_methods_give_empty_tables() -> None:
    nothing, nobody = tables.empty("angles"), tables.empty("keypoints")
    assert compare(nothing, {"blur": angles([1])}, {"blur": sections()}).empty
    assert compare(angles([1]), {}, {}).empty
    assert compare_keypoints(nobody, {"blur": nobody}, {"blur": sections()}).empty
    assert pairs(nothing, nothing, "unfiltered").empty


# Net of the control


def test_net_is_the_measure_minus_that_of_the_control_for_the_same_person_and_angle() -> None:
    original = pd.concat([angles([10, 20]), angles([50, 60], person=1)])
    blur = pd.concat([angles([14, 24], confidence=0.5), angles([57, NAN], person=1)])
    control = pd.concat([angles([11, 21], confidence=0.8), angles([52, 62], person=1)])
    table = compare(original, {"blur": blur, "reencode": control}, dict.fromkeys(("blur", "reencode"), same(0, 1)))
    knee = table[table["angle"] == "left_knee"].set_index(["method", "person"])
    first, second = knee.loc[("blur", 0)], knee.loc[("blur", 1)]
    for column in ("bias_net_deg", "mae_net_deg", "rmse_net_deg", "p95_net_deg"):
        assert first[column] == pytest.approx(3)
        assert second[column] == pytest.approx(5)
    assert first["percent_difference_net"] == pytest.approx(100 * 3 / 15)
    assert first["confidence_bias_net"] == pytest.approx(-0.3)
    assert second["lost_percent_net"] == pytest.approx(50)
    assert second["gained_percent_net"] == 0
    assert knee.loc["reencode", list(effects.NET["effects"])].isna().all(axis=None)


@often
@given(two_series)
def test_a_method_that_does_what_the_control_does_has_no_effect_of_its_own(
    both: tuple[list[float], list[float]],
) -> None:
    copy = angles(both[1])
    copies = {"reencode": copy, "blur": copy}
    table = compare(angles(both[0]), copies, dict.fromkeys(copies, same(0)))
    blur = table[table["method"] == "blur"]
    assert (blur[list(effects.NET["effects"])].fillna(0) == 0).all(axis=None)
    assert blur["bias_net_deg"].isna().tolist() == blur["bias_deg"].isna().tolist()


def test_without_a_control_nothing_is_net_and_the_methods_can_be_put_together_later() -> None:
    original, blur, control = angles([10, 20]), angles([14, 24]), angles([11, 21])
    alone = [
        compare(original, {method: copy}, {method: same(0)}) for method, copy in (("blur", blur), ("reencode", control))
    ]
    assert alone[0][list(effects.NET["effects"])].isna().all(axis=None)
    copies = {"blur": blur, "reencode": control}
    together = compare(original, copies, dict.fromkeys(copies, same(0)))
    pd.testing.assert_frame_equal(effects.subtract_control(pd.concat(alone), "effects"), together)


# Pairs


def test_pairs_are_spread_evenly_over_the_frames_in_both() -> None:
    original, method = angles(np.arange(1000.0), filtered=np.arange(1000.0)), angles(np.arange(1000.0) + 361)
    method["degrees_filtered"] = np.where(method["frame"] < 400, NAN, method["degrees"])
    table = pairs(original, method, "filtered", listed({0: True}))
    assert len(table) == 60
    assert (table["frame"].min(), table["frame"].max()) == (400, 999)
    assert set(np.diff(table["frame"])) <= {10, 11}
    assert (table["original_deg"] == table["frame"]).all()
    assert (table["method_deg"] - table["original_deg"] == 1).all()
    assert table["patient"].all()
    assert set(table["signal"]) == {"filtered"}


def test_pairs_hold_every_frame_of_a_short_clip_and_no_segment_angles() -> None:
    original = pd.concat([angles([1, 2, NAN]), angles([1, 2, 3], angle="trunk")])
    table = pairs(original, original, "unfiltered")
    assert table["angle"].tolist() == ["left_knee", "left_knee"]
    assert table["frame"].tolist() == [0, 1]


# Keypoints


def points(
    frames: Mapping[int, Mapping[str, tuple[float, float]]], person: int = 0, confidence: float = 0.9
) -> pd.DataFrame:
    """Return the table ``keypoints`` of one person: frame -> keypoint -> position in pixels."""
    rows = [
        (frame, frame / 25, person, name, *position, confidence)
        for frame, body in frames.items()
        for name, position in body.items()
    ]
    return tables.check(pd.DataFrame(rows, columns=list(tables.TABLES["keypoints"])), "keypoints")


def keypoint_rows(original: pd.DataFrame, method: pd.DataFrame) -> pd.DataFrame:
    table = compare_keypoints(original, {"blur": method}, {"blur": same(0)})
    return table[table["person"] == 0].set_index("keypoint")


#: Torso of 50 px.
BODY = {"Nose": (0, -20), "Neck": (0, 0), "MidHip": (0, 50), "LKnee": (0, 100), "LAnkle": (0, 150)}


def test_keypoint_measures_are_the_ones_worked_out_by_hand() -> None:
    # The knee moves by 10 px, then 12 px, and is lost once; the ankle is gained once; the nose moves by 25 px.
    original = points({0: BODY, 1: BODY, 2: BODY, 3: {k: v for k, v in BODY.items() if k != "LAnkle"}})
    moved = {0: {"LKnee": (6, 108)}, 1: {"LKnee": (12, 100)}, 2: {}, 3: {"Nose": (25, -20)}}
    method = points({frame: BODY | change for frame, change in moved.items()}, confidence=0.8)
    method = method[~((method["frame"] == 2) & (method["keypoint"] == "LKnee"))]
    table = keypoint_rows(original, method)
    knee, ankle = table.loc["LKnee"], table.loc["LAnkle"]
    assert (knee["n_original"], knee["n_both"], knee["n_lost"], knee["n_gained"]) == (4, 3, 1, 0)
    assert knee["displacement_mean"] == pytest.approx((0.2 + 0.24 + 0) / 3)
    assert knee["displacement_median"] == pytest.approx(0.2)
    assert knee["displacement_p95"] == pytest.approx(0.236)  # 0.2 + 0.9 x (0.24 - 0.2)
    assert knee["pck_0_2"] == pytest.approx(2 / 4)  # 0.2 is within, 0.24 is not, one is lost
    # exp(-d^2 / (2 area k^2)), area = 2 torso lengths squared, k = 2 x 0.087
    similar = [np.exp(-0.04 / 0.121104), np.exp(-0.0576 / 0.121104), 1, 0]
    assert knee["oks"] == pytest.approx(np.mean(similar))
    assert (ankle["n_original"], ankle["n_both"], ankle["n_lost"], ankle["n_gained"]) == (3, 3, 0, 1)
    assert knee["confidence_bias"] == pytest.approx(-0.1)
    assert table.loc["head", "displacement_mean"] == pytest.approx(0.5 / 4)
    assert table.loc["head", "n_both"] == 4
    body = table.loc["body"]
    assert (body["n_original"], body["n_both"], body["n_lost"], body["n_gained"]) == (15, 14, 1, 1)
    assert body["pck_0_2"] == pytest.approx(13 / 15)
    assert body["displacement_mean"] == pytest.approx(0.44 / 14)
    assert body["oks"] == pytest.approx((sum(similar) + 11) / 15)


def test_object_keypoint_similarity_is_that_of_the_coco_evaluation() -> None:
    # Its formula in pixels and with its constants for nose, left shoulder and left ankle (times 2, as there).
    sigmas = np.array([0.26, 0.79, 0.89]) / 10
    shift = np.array([3.0, 7.0, 20.0])
    area = 2.0 * 50**2
    similarity = np.exp(-(shift**2) / (2 * sigmas) ** 2 / area / 2)
    body = BODY | {"LShoulder": (20, 0)}
    moved = body | {"Nose": (3, -20), "LShoulder": (27, 0), "LAnkle": (0, 170)}
    table = keypoint_rows(points({0: body}), points({0: moved}))
    assert table.loc[["Nose", "LShoulder", "LAnkle"], "oks"].tolist() == pytest.approx(similarity)


def test_every_keypoint_has_a_constant_and_left_and_right_the_same() -> None:
    assert set(effects.ANNOTATOR_SD) == set(KEYPOINTS)
    for name in KEYPOINTS:
        if name.startswith("L"):
            assert effects.ANNOTATOR_SD[name] == effects.ANNOTATOR_SD["R" + name[1:]]


def test_the_body_is_everything_but_what_the_mask_covers() -> None:
    assert set(effects.TOGETHER["body"]) | set(effects.HEAD) == set(KEYPOINTS)
    assert not set(effects.TOGETHER["body"]) & set(effects.HEAD)


@often
@given(st.floats(0.2, 5), st.floats(-500, 500))
def test_keypoint_measures_depend_on_neither_size_nor_place(scale: float, shift: float) -> None:
    def drawn(body: Mapping[str, tuple[float, float]]) -> pd.DataFrame:
        return points({0: {name: (x * scale + shift, y * scale + shift) for name, (x, y) in body.items()}})

    moved = BODY | {"LKnee": (3, 101), "LAnkle": (9, 150)}
    expected = keypoint_rows(points({0: BODY}), points({0: moved}))
    pd.testing.assert_frame_equal(keypoint_rows(drawn(BODY), drawn(moved)), expected, rtol=1e-6, atol=1e-9)


def test_keypoints_compared_with_themselves_have_not_moved() -> None:
    table = keypoint_rows(points({0: BODY, 1: BODY}), points({0: BODY, 1: BODY}))
    seen = table.loc[[*BODY, "head", "body"]]
    assert (seen[["displacement_mean", "displacement_median", "displacement_p95", "confidence_bias"]] == 0).all(
        axis=None
    )
    assert (seen[["pck_0_2", "oks"]] == 1).all(axis=None)
    unseen = table.loc["RHeel"]
    assert (unseen["n_original"], unseen["n_gained"]) == (0, 0)
    assert unseen[["pck_0_2", "oks", "displacement_mean", "confidence_original"]].isna().all()


def test_a_person_lost_altogether_has_no_correct_keypoint() -> None:
    table = keypoint_rows(points({0: BODY}), tables.empty("keypoints"))
    assert (table.loc["body", "n_lost"], table.loc["body", "pck_0_2"], table.loc["body", "oks"]) == (4, 0, 0)
    assert np.isnan(table.loc["body", "displacement_mean"])


def test_someone_without_a_size_is_correct_only_where_nothing_moved() -> None:
    dot = points({0: {"LKnee": (5, 5)}})
    assert keypoint_rows(dot, dot).loc["LKnee", "pck_0_2"] == 1
    moved = keypoint_rows(dot, points({0: {"LKnee": (6, 5)}})).loc["LKnee"]
    assert (moved["n_both"], moved["pck_0_2"], moved["oks"]) == (1, 0, 0)
    assert np.isnan(moved["displacement_mean"])


def test_keypoints_follow_the_sections_and_are_net_of_the_control() -> None:
    original = pd.concat([points({0: BODY}), points({0: BODY, 1: BODY}, person=1)])
    moved = {name: (x + 10, y) for name, (x, y) in BODY.items()}
    nudged = {name: (x + 5, y) for name, (x, y) in BODY.items()}
    copies = {
        "blur": pd.concat([points({0: moved}, person=8), points({1: BODY}, person=9)]),
        "reencode": points({0: nudged, 1: BODY}, person=3),
    }
    matches = {"blur": sections((1, 8, 0, 0), (1, 9, 1, 1)), "reencode": sections((1, 3, 0, 1))}
    table = compare_keypoints(original, copies, matches, listed({0: False, 1: True}))
    rows = table.set_index(["method", "person", "keypoint"])
    assert rows.loc[("blur", 1, "body"), "displacement_mean"] == pytest.approx(0.1)
    assert rows.loc[("blur", 1, "body"), "displacement_mean_net"] == pytest.approx(0.05)
    assert rows.loc[("blur", 1, "body"), "patient"]
    assert rows.loc[("blur", 0, "body"), "n_lost"] == 4
    assert rows.loc[("blur", 0, "body"), "pck_0_2_net"] == 0
    assert rows.loc["reencode", list(effects.NET["keypoint_effects"])].isna().all(axis=None)
    assert table["keypoint"].tolist()[: len(KEYPOINTS) + 2] == [*KEYPOINTS, "head", "body"]
