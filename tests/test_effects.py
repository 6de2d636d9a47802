"""Effects of a method: who is who, what is counted, and the statistics computed by hand."""

import logging

import numpy as np
import pandas as pd
import pytest

from deidpose import tables
from deidpose.angles import ANGLES, joint_angles
from deidpose.effects import compare, match_people

#: Someone standing upright, seen from the side; the torso is 50 px long.
STANDING = {
    "Neck": (0, 20), "LShoulder": (0, 20), "LElbow": (0, 45), "LWrist": (0, 70), "RShoulder": (0, 20),
    "RElbow": (0, 45), "RWrist": (0, 70), "MidHip": (0, 70), "LHip": (0, 70), "LKnee": (0, 110), "LAnkle": (0, 150),
    "RHip": (0, 70), "RKnee": (0, 110), "RAnkle": (0, 150), "LHeel": (-5, 155), "LBigToe": (20, 155),
    "RHeel": (-5, 155), "RBigToe": (20, 155),
}  # fmt: skip
TORSO = 50


def walk(person: int, frames: range, x: float = 0.0, drop: tuple[str, ...] = ()) -> pd.DataFrame:
    """Someone who stands at ``x`` and bends the left knee, one degree a frame."""
    rows = []
    for frame in frames:
        bend = np.radians(frame)
        points = STANDING | {"LAnkle": (-40 * np.sin(bend), 110 + 40 * np.cos(bend))}
        for name, (px, py) in points.items():
            if name not in drop:
                rows.append((frame, frame / 25, person, name, px + x, float(py), 0.8))
    return pd.DataFrame(rows, columns=list(tables.TABLES["keypoints"]))


def effects_of(original: pd.DataFrame, method: pd.DataFrame) -> pd.DataFrame:
    matches = match_people(original, method)
    table = compare("v", "blur", joint_angles(original), joint_angles(method), matches)
    return table.set_index(["person", "angle"])


def angles_table(degrees: list[float], confidence: float = 0.9, person: int = 0) -> pd.DataFrame:
    n = len(degrees)
    return pd.DataFrame(
        {
            "frame": range(n),
            "time_s": np.arange(n) / 25,
            "person": person,
            "angle": "left_knee",
            "degrees": degrees,
            "confidence": confidence,
        }
    )


def test_people_are_matched_by_where_they_are_not_by_their_number() -> None:
    original = pd.concat([walk(0, range(10), x=0), walk(1, range(10), x=300)])
    method = pd.concat([walk(0, range(10), x=302), walk(5, range(10), x=1)])
    assert match_people(original, method) == {0: [5], 1: [0]}


def test_a_track_too_far_away_or_without_a_common_frame_matches_nobody() -> None:
    assert match_people(walk(0, range(10)), walk(0, range(10), x=0.6 * TORSO)) == {0: []}
    assert match_people(walk(0, range(10)), walk(0, range(10), x=0.4 * TORSO)) == {0: [0]}
    assert match_people(walk(0, range(10)), walk(0, range(10, 20))) == {0: []}


def test_the_long_track_wins_over_a_chance_encounter_that_is_a_little_nearer() -> None:
    method = pd.concat([walk(0, range(100), x=5), walk(1, range(50, 51), x=1)])
    assert match_people(walk(0, range(100)), method) == {0: [0]}


def test_a_few_frames_of_a_track_that_jumped_away_do_not_undo_the_match() -> None:
    method = pd.concat([walk(0, range(90)), walk(0, range(90, 100), x=5000)])
    assert match_people(walk(0, range(100)), method) == {0: [0]}


def test_a_broken_identity_is_not_booked_as_lost_frames() -> None:
    method = pd.concat([walk(3, range(40)), walk(7, range(45, 100))])
    assert match_people(walk(0, range(100)), method) == {0: [7, 3]}
    row = effects_of(walk(0, range(100)), method).loc[(0, "left_knee")]
    assert (row["n_original"], row["n_both"], row["n_lost"], row["n_gained"]) == (100, 95, 5, 0)
    assert row["mae_deg"] == pytest.approx(0.0, abs=1e-6)


def test_an_identity_that_broke_in_the_original_only_loses_and_gains_nothing() -> None:
    original = pd.concat([walk(0, range(40)), walk(1, range(40, 100))])
    method = walk(0, range(100))
    assert match_people(original, method) == {0: [0], 1: [0]}
    result = effects_of(original, method)
    assert result["n_lost"].sum() == 0
    assert result["n_gained"].sum() == 0
    assert result.loc[(1, "left_knee"), "n_both"] == 60


def test_two_tracks_at_the_same_time_are_never_both_the_same_person() -> None:
    method = pd.concat([walk(0, range(20)), walk(1, range(20), x=3)])
    assert match_people(walk(0, range(20)), method) == {0: [0]}


def test_someone_whose_trunk_is_never_seen_is_still_matched() -> None:
    hidden = ("Neck", "MidHip")
    method = pd.concat([walk(0, range(5), x=500, drop=hidden), walk(1, range(5), x=1, drop=hidden)])
    assert match_people(walk(0, range(5), drop=hidden), method) == {0: [1]}


def test_a_person_whom_the_method_lost_keeps_their_rows_with_every_frame_lost() -> None:
    result = effects_of(walk(0, range(10)), tables.empty("keypoints"))
    assert result.index.tolist() == [(0, angle) for angle in ANGLES]
    assert (result["n_lost"] == 10).all()
    assert (result["n_both"] == 0).all()
    assert result["mae_deg"].isna().all()


def test_people_whom_only_the_method_has_are_logged_and_have_no_row(caplog: pytest.LogCaptureFixture) -> None:
    method = pd.concat([walk(0, range(10)), walk(1, range(10), x=900)])
    with caplog.at_level(logging.INFO):
        result = effects_of(walk(0, range(10)), method)
    assert result.index.get_level_values("person").unique().tolist() == [0]
    assert "1 people of blur match nobody" in caplog.text


def test_an_original_without_people_gives_an_empty_table() -> None:
    assert effects_of(tables.empty("keypoints"), walk(0, range(3))).empty


def test_the_statistics_are_those_computed_by_hand() -> None:
    original = angles_table([10, 20, 30, 40, np.nan, 60], confidence=0.9)
    method = angles_table([12, 19, 30, np.nan, 50, 63], confidence=0.7)
    row = compare("v", "blur", original, method, {0: [0]}).set_index("angle").loc["left_knee"]
    assert (row["n_original"], row["n_both"], row["n_lost"], row["n_gained"]) == (5, 4, 1, 1)
    assert row["bias_deg"] == pytest.approx(1.0)  # (2 - 1 + 0 + 3) / 4
    assert row["mae_deg"] == pytest.approx(1.5)
    assert row["rmse_deg"] == pytest.approx(np.sqrt(14 / 4))
    assert row["p95_deg"] == pytest.approx(2.85)  # 2 + 0.85 x (3 - 2)
    assert row["percent_difference"] == pytest.approx(5.0)  # 100 x 1.5 / 30
    assert row["pearson_r"] == pytest.approx(np.corrcoef([10, 20, 30, 60], [12, 19, 30, 63])[0, 1])
    assert row["confidence_bias"] == pytest.approx(-0.2)


def test_statistics_that_have_no_meaning_are_missing_not_infinite() -> None:
    constant = compare("v", "blur", angles_table([0.0] * 4), angles_table([1.0] * 4), {0: [0]}).set_index("angle")
    assert np.isnan(constant.loc["left_knee", "percent_difference"])
    assert np.isnan(constant.loc["left_knee", "pearson_r"])
    short = compare("v", "blur", angles_table([1.0, 2.0]), angles_table([1.0, 2.0]), {0: [0]}).set_index("angle")
    assert np.isnan(short.loc["left_knee", "pearson_r"])
