"""Joint angles: hand-computed examples, symmetries, and what happens to keypoints that are missing."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deidpose import tables
from deidpose.angles import ANGLES, joint_angles
from deidpose.errors import UserError
from deidpose.skeleton import BODY_25

#: Someone standing upright, facing right, arms hanging, feet flat; the picture's y axis points down.
STANDING = {
    "Nose": (5, 10), "Neck": (0, 20), "RShoulder": (0, 20), "RElbow": (0, 45), "RWrist": (0, 70), "LShoulder": (0, 20),
    "LElbow": (0, 45), "LWrist": (0, 70), "MidHip": (0, 70), "RHip": (0, 70), "RKnee": (0, 110), "RAnkle": (0, 150),
    "LHip": (0, 70), "LKnee": (0, 110), "LAnkle": (0, 150), "LBigToe": (20, 155), "LHeel": (-5, 155),
    "RBigToe": (20, 155), "RHeel": (-5, 155),
}  # fmt: skip


def table(points: dict[str, tuple[float, float]], frame: int = 0, person: int = 0) -> pd.DataFrame:
    rows = [(frame, frame / 30, person, name, float(x), float(y), 0.9) for name, (x, y) in points.items()]
    return pd.DataFrame(rows, columns=list(tables.TABLES["keypoints"]))


def degrees(points: dict[str, tuple[float, float]]) -> pd.Series:
    return joint_angles(table(points)).set_index("angle")["degrees"]


def test_someone_standing_upright_has_every_angle_at_zero() -> None:
    assert degrees(STANDING).to_dict() == pytest.approx(dict.fromkeys(ANGLES, 0.0), abs=1e-9)


@pytest.mark.parametrize(
    ("moved", "angle", "expected"),
    [
        ({"LAnkle": (-40, 110)}, "left_knee", 90.0),  # shank pulled back to the horizontal
        ({"LAnkle": (-40, 70)}, "left_knee", 135.0),
        ({"RWrist": (25, 45)}, "right_elbow", 90.0),  # forearm held out
        ({"LKnee": (40, 70)}, "left_hip", 90.0),  # thigh raised to the horizontal
        ({"RElbow": (25, 20)}, "right_shoulder", 90.0),  # arm held out
        ({"RElbow": (0, -5)}, "right_shoulder", 180.0),  # arm held up
        ({"LBigToe": (20, 130)}, "left_ankle", 45.0),  # toes up: dorsiflexion is positive
        ({"RBigToe": (20, 180)}, "right_ankle", -45.0),  # toes down: plantarflexion is negative
    ],
)
def test_a_moved_joint_has_the_angle_computed_by_hand(
    moved: dict[str, tuple[float, float]], angle: str, expected: float
) -> None:
    assert degrees(STANDING | moved)[angle] == pytest.approx(expected)


def test_left_knee_and_left_elbow_lead_and_every_frame_and_person_has_every_angle() -> None:
    keypoints = pd.concat([table(STANDING, frame, person) for frame, person in ((2, 0), (1, 1), (1, 0))])
    result = joint_angles(keypoints)
    assert list(ANGLES)[:2] == ["left_knee", "left_elbow"]
    assert result["angle"].tolist() == list(ANGLES) * 3
    assert result.loc[:: len(ANGLES), ["frame", "person"]].to_numpy().tolist() == [[1, 0], [1, 1], [2, 0]]
    assert result["time_s"].to_numpy() == pytest.approx(result["frame"].to_numpy() / 30)


def test_a_missing_keypoint_empties_only_the_angles_that_need_it() -> None:
    result = degrees(STANDING | {"LKnee": (np.nan, np.nan)})
    assert result[result.isna()].index.tolist() == ["left_knee", "left_hip", "left_ankle"]


def test_a_keypoint_without_a_row_is_missing_too() -> None:
    result = degrees({name: point for name, point in STANDING.items() if name != "RWrist"})
    assert result[result.isna()].index.tolist() == ["right_elbow"]


def test_two_keypoints_in_one_place_have_no_angle() -> None:
    assert math.isnan(degrees(STANDING | {"LAnkle": STANDING["LKnee"]})["left_knee"])


def test_the_confidence_is_the_lowest_of_the_keypoints_used() -> None:
    keypoints = table(STANDING)
    keypoints.loc[keypoints["keypoint"] == "LHip", "confidence"] = 0.2
    confidence = joint_angles(keypoints).set_index("angle")["confidence"]
    assert confidence["left_knee"] == 0.2
    assert confidence["left_elbow"] == 0.9


def test_an_empty_table_gives_an_empty_table() -> None:
    assert joint_angles(tables.empty("keypoints")).empty


def test_an_unknown_or_repeated_keypoint_is_refused() -> None:
    with pytest.raises(UserError, match="not one of BODY_25"):
        joint_angles(table({"Tail": (0, 0)}))
    with pytest.raises(UserError, match="twice"):
        joint_angles(pd.concat([table(STANDING), table(STANDING)]))


coordinates = st.integers(-1000, 1000)
bodies = st.lists(st.tuples(coordinates, coordinates), min_size=25, max_size=25, unique=True).map(
    lambda points: np.array(points, dtype=float)
)


def all_degrees(points: np.ndarray) -> np.ndarray:
    return degrees(dict(zip(BODY_25, points, strict=True))).to_numpy()


@settings(deadline=None)
@given(bodies, st.floats(-math.pi, math.pi), st.floats(0.1, 10), coordinates, coordinates)
def test_angles_do_not_depend_on_where_the_person_is_how_big_or_how_turned(
    points: np.ndarray, turn: float, scale: float, x: int, y: int
) -> None:
    rotation = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    assert all_degrees(scale * points @ rotation + [x, y]) == pytest.approx(all_degrees(points), abs=1e-6)


@settings(deadline=None)
@given(bodies)
def test_a_mirror_swaps_left_and_right(points: np.ndarray) -> None:
    def other_side(name: str) -> str:
        return {"L": "R", "R": "L"}.get(name[0], name[0]) + name[1:]

    mirrored = {other_side(name): (-x, y) for name, (x, y) in zip(BODY_25, points, strict=True)}
    expected = pd.Series(all_degrees(points), index=list(ANGLES))
    swapped = degrees(mirrored).rename(lambda a: a.replace("left", "?").replace("right", "left").replace("?", "right"))
    assert swapped[expected.index].to_numpy() == pytest.approx(expected.to_numpy(), abs=1e-9)


@settings(deadline=None)
@given(bodies)
def test_flexions_stay_between_0_and_180_degrees_and_the_ankle_within_90(points: np.ndarray) -> None:
    values = pd.Series(all_degrees(points), index=list(ANGLES))
    ankle = values.index.str.endswith("ankle")
    assert values[ankle].abs().max() <= 90
    assert values[~ankle].between(0, 180).all()
