"""Angles: Sports2D's formula as an independent reference, movements with known angles, and who faces where."""

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deidpose import tables
from deidpose.errors import UserError
from deidpose.keypoints import poses
from deidpose.kinematics.angles import ANGLES, JOINTS, SEGMENTS, joint_angles
from deidpose.kinematics.facing import carry_directions, find_directions
from deidpose.skeleton import INDEX, KEYPOINTS
from fixtures import moving_body
from fixtures.bodies import as_table

#: Someone standing upright, facing right, arms hanging, feet flat; the picture's y axis points down.
STANDING = {
    "REar": (0, 0), "LEar": (0, 0), "Neck": (0, 20), "RShoulder": (0, 20), "RElbow": (0, 45), "RWrist": (0, 70),
    "RIndex": (0, 80), "LShoulder": (0, 20), "LElbow": (0, 45), "LWrist": (0, 70), "LIndex": (0, 80),
    "MidHip": (0, 70), "RHip": (0, 70), "RKnee": (0, 110), "RAnkle": (0, 150), "LHip": (0, 70), "LKnee": (0, 110),
    "LAnkle": (0, 150), "LBigToe": (20, 155), "LHeel": (-5, 155), "RBigToe": (20, 155), "RHeel": (-5, 155),
}  # fmt: skip
TOES_AND_HEELS = ("LBigToe", "LHeel", "RBigToe", "RHeel")


def table(points: dict[str, tuple[float, float]], frame: int = 0, person: int = 0) -> pd.DataFrame:
    rows = [(frame, frame / 30, person, name, float(x), float(y), 0.9) for name, (x, y) in points.items()]
    return pd.DataFrame(rows, columns=list(tables.TABLES["keypoints"]))


def measured(keypoints: pd.DataFrame, directions: pd.DataFrame) -> pd.DataFrame:
    return as_table(joint_angles(poses(keypoints), directions))


def test_a_direction_that_is_missing_stays_missing() -> None:
    keypoints = pd.concat([table({"Neck": (0, 20)}, person=person) for person in range(2)])
    both = joint_angles(poses(keypoints), pd.concat([facing("right", person) for person in range(2)]))
    written = as_table(both._replace(direction=np.array([None, "right"], object)))
    assert written.loc[written["person"] == 0, "direction"].isna().all()
    assert (written.loc[written["person"] == 1, "direction"] == "right").all()


def facing(direction: str, person: int = 0, first: int = 0, last: int = 10**9) -> pd.DataFrame:
    return pd.DataFrame(
        [(person, first, last, direction)], columns=["person", "first_frame", "last_frame", "direction"]
    )


def degrees(points: dict[str, tuple[float, float]], direction: str = "right") -> pd.Series:
    return measured(table(points), facing(direction)).set_index("angle")["degrees"]


def series(keypoints: pd.DataFrame, directions: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return the angles of one person, a column each."""
    directions = find_directions(poses(keypoints)) if directions is None else directions
    return measured(keypoints, directions).pivot(index="frame", columns="angle", values="degrees")


def told(keypoints: pd.DataFrame) -> list[str]:
    return find_directions(poses(keypoints))["direction"].tolist()


# --- each angle by itself ---------------------------------------------------------------------------------------


def test_someone_standing_upright_has_every_joint_angle_at_zero_and_segments_as_documented() -> None:
    upright = dict.fromkeys(SEGMENTS, -90.0) | {"trunk": 90.0, "head": 90.0, "left_foot": 0.0, "right_foot": 0.0}
    result = degrees(STANDING)
    assert result[list(JOINTS)].to_dict() == pytest.approx(dict.fromkeys(JOINTS, 0.0), abs=1e-9)
    # Both hips lie in one place, and both shoulders: these lines have no direction.
    assert result[["pelvis", "shoulders"]].isna().all()
    others = [name for name in SEGMENTS if name not in ("pelvis", "shoulders")]
    assert result[others].to_dict() == pytest.approx({name: upright[name] for name in others}, abs=1e-9)


@pytest.mark.parametrize(
    ("moved", "angle", "expected"),
    [
        ({"LAnkle": (-40, 110)}, "left_knee", 90.0),  # shank pulled back to the horizontal
        ({"LAnkle": (-40, 70)}, "left_knee", 135.0),
        ({"LAnkle": (40, 150)}, "left_knee", -45.0),  # overstretched
        ({"RWrist": (25, 45)}, "right_elbow", 90.0),  # forearm held out
        ({"LKnee": (40, 70)}, "left_hip", 90.0),  # thigh raised to the horizontal
        ({"LKnee": (-40, 110)}, "left_hip", -45.0),  # thigh behind
        ({"RElbow": (25, 20)}, "right_shoulder", 90.0),  # arm held out
        ({"RElbow": (0, -5)}, "right_shoulder", 180.0),  # arm held up
        ({"LBigToe": (20, 130)}, "left_ankle", 45.0),  # toes up: dorsiflexion is positive
        ({"RBigToe": (20, 180)}, "right_ankle", -45.0),  # toes down: plantarflexion is negative
        ({"LIndex": (10, 80)}, "left_wrist", 45.0),
        ({"RIndex": (10, 80)}, "right_wrist", 45.0),
        ({"LBigToe": (20, 130)}, "left_foot", 45.0),
        ({"Neck": (50, 20)}, "trunk", 45.0),  # bent forward
        ({"LHip": (10, 60)}, "pelvis", 45.0),  # the right end of the line is higher
        ({"LEar": (20, 0), "REar": (20, 0)}, "head", 45.0),
        ({"LEar": (40, 0)}, "head", 45.0),  # the middle of both ears
    ],
)
def test_a_moved_joint_has_the_angle_computed_by_hand(
    moved: dict[str, tuple[float, float]], angle: str, expected: float
) -> None:
    assert degrees(STANDING | moved)[angle] == pytest.approx(expected)


def sports2d(points: dict[str, tuple[float, float]], name: str, direction: str) -> float:
    """Return an angle as Sports2D 0.8.34 defines it, from its documentation and definitions, one by one.

    An angle of two vectors is the difference of their headings in the picture; the offset is added, then the sign is
    given, and the result wrapped to half a turn on either side of 0.
    """

    def place(keypoint: str) -> complex:
        x, y = points[keypoint]
        mirrored = {"right": False, "left": True, "front": keypoint[0] == "R", "back": keypoint[0] == "L"}[direction]
        return complex(-x if mirrored else x, y)

    def heading(start: str, end: str) -> float:
        step = place(end) - place(start)
        return math.degrees(math.atan2(step.imag, step.real))

    side, _, part = name.rpartition("_")
    letter = side[:1].upper()
    joint = {
        "ankle": lambda s: heading(s + "Knee", s + "Ankle") - heading(s + "BigToe", s + "Heel") + 90,
        "knee": lambda s: heading(s + "Knee", s + "Ankle") - heading(s + "Knee", s + "Hip") - 180,
        "hip": lambda s: -(heading(s + "Knee", s + "Hip") - heading("MidHip", "Neck")),
        "shoulder": lambda s: -(heading(s + "Elbow", s + "Shoulder") - heading("MidHip", "Neck")),
        "elbow": lambda s: -(heading(s + "Elbow", s + "Wrist") - heading(s + "Elbow", s + "Shoulder") + 180),
        "wrist": lambda s: heading(s + "Wrist", s + "Elbow") - heading(s + "Wrist", s + "Index") - 180,
        "foot": lambda s: -heading(s + "Heel", s + "BigToe"),
        "shank": lambda s: -heading(s + "Knee", s + "Ankle"),
        "thigh": lambda s: -heading(s + "Hip", s + "Knee"),
        "arm": lambda s: -heading(s + "Shoulder", s + "Elbow"),
        "forearm": lambda s: -heading(s + "Elbow", s + "Wrist"),
        "hand": lambda s: -heading(s + "Wrist", s + "Index"),
        "trunk": lambda s: -heading("MidHip", "Neck"),
        "pelvis": lambda s: -heading("RHip", "LHip"),
        "shoulders": lambda s: -heading("RShoulder", "LShoulder"),
    }
    return joint[part](letter)


coordinates = st.integers(-1000, 1000)
bodies = st.lists(
    st.tuples(coordinates, coordinates), min_size=len(KEYPOINTS), max_size=len(KEYPOINTS), unique=True
).map(lambda points: dict(zip(KEYPOINTS, points, strict=True)))


def apart(first: float, second: float, turn: float) -> float:
    return abs((first - second + turn / 2) % turn - turn / 2)


@given(bodies, st.sampled_from(["right", "left", "front", "back"]))
def test_every_angle_is_that_of_sports2d(points: dict[str, tuple[float, float]], direction: str) -> None:
    result = degrees(points, direction)
    for name, angle in ANGLES.items():
        if name == "head":  # Sports2D has none for BODY_25
            continue
        flat = direction in ("front", "back")
        expected = sports2d(points, name, "right" if flat and name in ("pelvis", "shoulders") else direction)
        if flat and name.endswith(("knee", "elbow")):  # positive whether the limb points inward or outward
            expected = abs((expected + 180) % 360 - 180)
        assert apart(result[name], expected, angle.turn) < 1e-6, name


@given(bodies, st.sampled_from(["right", "left", "front", "back"]))
def test_a_single_angle_lies_in_the_turn_around_its_middle(
    points: dict[str, tuple[float, float]], direction: str
) -> None:
    result = degrees(points, direction)
    for name, angle in ANGLES.items():
        if np.isfinite(result[name]):
            assert abs(result[name] - angle.middle) <= angle.turn / 2 + 1e-9


@given(bodies, st.floats(0.1, 10), coordinates, coordinates, st.sampled_from(["right", "left", "front", "back"]))
def test_angles_do_not_depend_on_where_the_person_is_or_how_large(
    points: dict[str, tuple[float, float]], scale: float, x: int, y: int, direction: str
) -> None:
    moved = {name: (scale * px + x, scale * py + y) for name, (px, py) in points.items()}
    before, after = degrees(points, direction), degrees(moved, direction)
    for name, angle in ANGLES.items():
        if np.isfinite(before[name]):
            assert apart(after[name], before[name], angle.turn) < 1e-5


def mirror(name: str) -> str:
    """Return the name of the same keypoint or angle on the other side."""
    for one, other in (("left_", "right_"), ("right_", "left_"), ("L", "R"), ("R", "L")):
        if name.startswith(one):
            return other + name[len(one) :]
    return name


@given(bodies, st.sampled_from([("right", "left"), ("left", "right")]))
def test_a_mirrored_picture_of_a_side_view_has_the_same_angles_on_the_other_side(
    points: dict[str, tuple[float, float]], directions: tuple[str, str]
) -> None:
    before = degrees(points, directions[0])
    after = degrees({mirror(name): (-x, y) for name, (x, y) in points.items()}, directions[1])
    for name, angle in ANGLES.items():
        if np.isfinite(before[name]):
            assert apart(after[mirror(name)], before[name], angle.turn) < 1e-6


def test_a_missing_keypoint_empties_only_the_angles_that_need_it() -> None:
    apart_hips = STANDING | {"LHip": (1, 70), "LShoulder": (1, 20)}
    result = degrees(apart_hips | {"LKnee": (np.nan, np.nan)})
    assert sorted(result[result.isna()].index) == ["left_ankle", "left_hip", "left_knee", "left_shank", "left_thigh"]


def test_a_keypoint_without_a_row_is_missing_too() -> None:
    result = degrees({name: point for name, point in STANDING.items() if name != "RWrist"})
    assert result[["right_elbow", "right_wrist", "right_forearm", "right_hand"]].isna().all()
    assert np.isfinite(result["right_arm"])


def test_the_head_is_placed_by_the_one_ear_that_is_seen_and_has_its_confidence() -> None:
    keypoints = table(STANDING | {"LEar": (20, 0), "REar": (np.nan, np.nan)})
    keypoints.loc[keypoints["keypoint"] == "LEar", "confidence"] = 0.4
    row = measured(keypoints, facing("right")).set_index("angle").loc["head"]
    assert row["degrees"] == pytest.approx(45.0)
    assert row["confidence"] == 0.4
    assert np.isnan(degrees(STANDING | {"LEar": (np.nan, 0), "REar": (np.nan, 0)})["head"])


def test_two_keypoints_in_one_place_have_no_angle() -> None:
    assert math.isnan(degrees(STANDING | {"LAnkle": STANDING["LKnee"]})["left_knee"])


def test_left_knee_and_left_elbow_lead_and_every_frame_and_person_has_every_angle() -> None:
    keypoints = pd.concat([table(STANDING, frame, person) for frame, person in ((2, 0), (1, 1), (1, 0))])
    result = measured(keypoints, pd.concat([facing("right", 0), facing("left", 1)]))
    assert list(ANGLES) == [*JOINTS, *SEGMENTS]
    assert list(ANGLES)[:2] == ["left_knee", "left_elbow"]
    assert result["angle"].tolist() == list(ANGLES) * 3
    assert result.loc[:: len(ANGLES), ["frame", "person"]].to_numpy().tolist() == [[1, 0], [1, 1], [2, 0]]
    assert result.loc[:: len(ANGLES), "direction"].tolist() == ["right", "left", "right"]
    assert result["time_s"].to_numpy() == pytest.approx(result["frame"].to_numpy() / 30)
    assert result["degrees_filtered"].isna().all()


def test_the_confidence_is_the_lowest_of_the_keypoints_used() -> None:
    keypoints = table(STANDING)
    keypoints.loc[keypoints["keypoint"] == "LHip", "confidence"] = 0.2
    confidence = measured(keypoints, facing("right")).set_index("angle")["confidence"]
    assert confidence["left_knee"] == 0.2
    assert confidence["left_elbow"] == 0.9


def test_an_empty_table_gives_an_empty_table() -> None:
    directions = find_directions(poses(tables.empty("keypoints")))
    assert directions.empty
    assert measured(tables.empty("keypoints"), directions).empty


def test_someone_without_a_direction_is_refused() -> None:
    with pytest.raises(UserError, match="do not hold everybody"):
        measured(table(STANDING, person=3), facing("right"))


# --- over time --------------------------------------------------------------------------------------------------


def turning(heading: np.ndarray, name: str = "LWrist", start: str = "LElbow", times: np.ndarray | None = None) -> Any:
    """Return keypoints of somebody whose left forearm points to ``heading``, degrees counterclockwise."""
    x, y = STANDING[start]
    frames = []
    for frame, angle in enumerate(np.radians(heading)):
        moved = {name: (x + 25 * math.cos(angle), y - 25 * math.sin(angle))} if np.isfinite(angle) else {}
        points = {key: point for key, point in (STANDING | moved).items() if moved or key != name}
        frames.append(table(points, frame))
    return pd.concat(frames)


def test_a_forearm_that_turns_twice_has_no_jump() -> None:
    heading = np.arange(-100, 620, 12.0)
    forearm = series(turning(heading), facing("right"))["left_forearm"].to_numpy()
    assert np.diff(forearm) == pytest.approx(np.full(len(heading) - 1, 12.0))


def test_an_angle_that_sways_about_half_a_turn_has_no_jump_across_holes() -> None:
    heading = 180 + 30 * np.sin(np.arange(90) / 5)
    heading[[10, 30, 31, 32, 50, 51, 52, 53, 54]] = np.nan
    forearm = series(turning(heading), facing("right"))["left_forearm"].to_numpy()
    seen = np.isfinite(heading)
    offset = forearm[seen] - heading[seen]
    assert np.ptp(offset) == pytest.approx(0, abs=1e-9)


def test_one_wrong_frame_does_not_shift_what_follows_by_a_turn() -> None:
    heading = np.r_[np.linspace(100, 200, 40), np.full(40, 200.0)]
    wrong = heading.copy()
    wrong[[20, 45, 46]] -= 130
    right, disturbed = (series(turning(h), facing("right"))["left_forearm"].to_numpy() for h in (heading, wrong))
    same = heading == wrong
    assert disturbed[same] == pytest.approx(right[same])


def test_a_hand_that_jumps_about_does_not_wander_off_by_turns() -> None:
    heading = np.random.default_rng(0).uniform(-180, 180, 2000)
    forearm = series(turning(heading), facing("right"))["left_forearm"]
    assert forearm.abs().max() < 540


def test_arms_held_up_from_the_beginning_have_the_angle_that_they_have_when_lifted() -> None:
    up = -90 + 185 + 4 * np.sin(np.arange(60) / 3)
    shoulder = series(turning(up, "LElbow", "LShoulder"), facing("right"))["left_shoulder"]
    assert shoulder.to_numpy() == pytest.approx(up + 90)


def test_the_same_movement_has_the_same_numbers_whatever_is_missing_at_its_beginning() -> None:
    heading = 90 + 100 * np.sin(np.arange(200) / 10)
    cut = heading.copy()
    cut[:25] = np.nan
    whole, part = (series(turning(h), facing("right"))["left_forearm"].to_numpy() for h in (heading, cut))
    assert part[25:] == pytest.approx(whole[25:])


@given(st.integers(0, 2**32 - 1), st.sampled_from([0, 180, 45, 135]))
def test_a_smooth_movement_never_jumps(seed: int, turned: int) -> None:
    rng = np.random.default_rng(seed)
    flexion = {
        joint: np.cumsum(np.cumsum(rng.normal(0, 0.5, 60)))
        for joint in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")
    }
    keypoints = moving_body.table(moving_body.project(flexion, 60, turned=turned))
    direction = "right" if turned < 90 else "left"
    angles = series(keypoints, facing(direction))
    steps = angles.diff()
    for name, angle in ANGLES.items():
        small = (steps[name] - angle.turn * (steps[name] / angle.turn).round()).abs() < angle.turn / 8
        assert (steps.loc[small, name].abs() < angle.turn / 8).all(), name


# --- directions -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("turned", [0, 20, 45, 60, 120, 135, 160, 180, 200, 225, 240, 300, 315, 340])
def test_squats_seen_from_the_side_or_obliquely_have_positive_knees(turned: float) -> None:
    flexion = moving_body.squat(225)
    position = moving_body.project(flexion, 225, turned=turned, trunk=flexion["trunk"])
    angles = series(moving_body.table(position))
    knee = angles["left_knee"].to_numpy()
    assert knee.min() > -1e-6
    if turned in (0, 180):
        for joint in ("knee", "hip", "ankle"):
            assert angles[f"left_{joint}"].to_numpy() == pytest.approx(flexion[joint], abs=1e-6)
            assert angles[f"right_{joint}"].to_numpy() == pytest.approx(flexion[joint], abs=1e-6)
    else:
        assert 50 < knee.max() <= 95 + 1e-6


@pytest.mark.parametrize("unseen", [(), TOES_AND_HEELS, ("LBigToe", "LHeel", "LAnkle"), ("Nose", "LEar", "REar")])
@pytest.mark.parametrize(("turned", "expected"), [(0, "right"), (40, "right"), (140, "left"), (180, "left")])
@pytest.mark.parametrize("movement", ["gait", "squat"])
def test_the_direction_stands_noise_and_missing_keypoints(
    movement: str, turned: float, expected: str, unseen: tuple[str, ...]
) -> None:
    flexion = getattr(moving_body, movement)(240)
    trunk = flexion.pop("trunk", 5.0)
    position = moving_body.project(flexion, 240, turned=turned, trunk=trunk)
    position += np.random.default_rng(0).normal(0, 5, position.shape)
    assert told(moving_body.table(position, unseen=unseen)) == [expected]


@pytest.mark.parametrize(("turned", "expected"), [(0, "right"), (180, "left")])
def test_walking_has_the_angles_that_it_was_made_with(turned: float, expected: str) -> None:
    flexion = moving_body.gait(150)
    keypoints = moving_body.table(moving_body.project(flexion, 150, turned=turned, at=300 + 4 * np.arange(150)))
    assert told(keypoints) == [expected]
    angles = series(keypoints)
    for name, values in flexion.items():
        assert angles[name].to_numpy() == pytest.approx(values, abs=1e-6)


@pytest.mark.parametrize(("turned", "expected"), [(90, "front"), (80, "front"), (270, "back"), (280, "back")])
@pytest.mark.parametrize("unseen", [(), TOES_AND_HEELS])
def test_front_and_back_are_told_by_the_width_and_the_side_of_the_shoulders(
    turned: float, expected: str, unseen: tuple[str, ...]
) -> None:
    position = moving_body.project(moving_body.gait(120), 120, turned=turned)
    position += np.random.default_rng(0).normal(0, 3, position.shape)
    keypoints = moving_body.table(position, unseen=unseen)
    assert told(keypoints) == [expected]
    assert series(keypoints)["left_knee"].min() >= 0


def test_somebody_seen_from_the_waist_up_who_faces_the_camera_is_seen_from_the_front() -> None:
    below = [name for name in KEYPOINTS if any(part in name for part in ("Hip", "Knee", "Ankle", "Toe", "Heel"))]
    swing = np.sin(np.arange(150) / 8)
    flexion = {"shoulder": 40 + 30 * swing, "left_elbow": 70 + 50 * swing, "right_elbow": 90 - 40 * swing}
    position = moving_body.project(flexion, 150, turned=85)
    assert told(moving_body.table(position, unseen=below)) == ["front"]


def test_arms_lifted_sideways_are_positive_on_both_sides() -> None:
    spread = STANDING | {
        "LShoulder": (18, 20), "LElbow": (18 + 25, 20), "RShoulder": (-18, 20), "RElbow": (-18 - 25, 20),
    }  # fmt: skip
    front = degrees(spread, "front")
    assert front[["left_shoulder", "right_shoulder"]].tolist() == pytest.approx([90, 90])
    assert front[["left_arm", "right_arm"]].tolist() == pytest.approx([0, 0], abs=1e-9)
    seen_from_behind = {mirror(name): point for name, point in spread.items()}
    assert degrees(seen_from_behind, "back")["left_shoulder"] == pytest.approx(90)


def test_the_direction_does_not_depend_on_the_head() -> None:
    position = moving_body.project(moving_body.gait(90), 90, turned=30)
    keypoints = moving_body.table(position)
    expected = find_directions(poses(keypoints))
    head = keypoints["keypoint"].isin(["Nose", "LEye", "REye", "LEar", "REar"])
    keypoints.loc[head, ["x_px", "y_px"]] = np.random.default_rng(0).uniform(0, 2000, (int(head.sum()), 2))
    pd.testing.assert_frame_equal(find_directions(poses(keypoints)), expected)


@pytest.mark.parametrize("way", [1, -1])
def test_somebody_who_turns_round_changes_direction_once_and_in_time(way: int) -> None:
    turned = 180 * np.clip((np.arange(300) - 140) / 20, 0, 1)
    position = moving_body.project(moving_body.gait(300), 300, turned=way * turned)
    position += np.random.default_rng(1).normal(0, 3, position.shape)
    keypoints = moving_body.table(position)
    directions = find_directions(poses(keypoints))
    assert directions["direction"].tolist() == ["right", "left"]
    assert directions["first_frame"].tolist() == [0, directions["last_frame"][0] + 1]
    assert abs(directions["first_frame"][1] - 150) <= 5
    knee = series(keypoints)["right_knee"]
    assert knee[(knee.index < 135) | (knee.index > 165)].min() > -15


def test_somebody_who_turns_to_the_camera_for_a_while_is_seen_from_the_front_then() -> None:
    turned = np.select([np.arange(300) < 100, np.arange(300) < 200], [0, 90], 180)
    directions = find_directions(
        poses(moving_body.table(moving_body.project(moving_body.gait(300), 300, turned=turned)))
    )
    assert directions["direction"].tolist() == ["right", "front", "left"]
    assert directions["first_frame"].to_numpy() == pytest.approx([0, 100, 200], abs=8)


def test_feet_that_are_wrong_for_a_moment_do_not_change_the_direction() -> None:
    position = moving_body.project(moving_body.gait(200), 200)
    for frames in (slice(50, 55), slice(120, 124)):
        for side in "LR":
            toe, heel = INDEX[f"{side}BigToe"], INDEX[f"{side}Heel"]
            position[frames, [toe, heel]] = position[frames, [heel, toe]]
    assert told(moving_body.table(position)) == ["right"]


def test_feet_that_flicker_are_averaged() -> None:
    position = moving_body.project({}, 200, turned=180)  # standing: neither knees nor elbows tell anything
    wrong = np.flatnonzero(np.random.default_rng(0).random(200) < 0.3)
    for side in "LR":
        toe, heel = INDEX[f"{side}BigToe"], INDEX[f"{side}Heel"]
        position[wrong[:, None], [toe, heel]] = position[wrong[:, None], [heel, toe]]
    assert told(moving_body.table(position)) == ["left"]


@pytest.mark.parametrize(("turned", "expected"), [(10, "right"), (170, "left")])
def test_somebody_seen_from_the_waist_up_from_the_side_faces_where_the_elbows_bend(
    turned: float, expected: str
) -> None:
    below = [name for name in KEYPOINTS if any(part in name for part in ("Knee", "Ankle", "Toe", "Heel"))]
    flexion = {"shoulder": 40.0, "elbow": 60 + 40 * np.sin(np.arange(90) / 8)}
    assert told(moving_body.table(moving_body.project(flexion, 90, turned=turned), unseen=below)) == [expected]


def test_a_person_who_was_away_comes_back_with_a_direction_of_their_own() -> None:
    there = moving_body.table(moving_body.project(moving_body.gait(60), 60))
    back = moving_body.table(moving_body.project(moving_body.gait(60), 60, turned=180), first=400)
    directions = find_directions(poses(pd.concat([there, back])))
    assert directions.to_numpy().tolist() == [[0, 0, 59, "right"], [0, 400, 459, "left"]]


def test_everybody_has_sections_of_their_own_and_nobody_without_evidence_is_left_out() -> None:
    one = moving_body.table(moving_body.project(moving_body.gait(60), 60, turned=180), person=2)
    nothing = moving_body.table(np.full((30, len(KEYPOINTS), 2), np.nan), person=5)
    directions = find_directions(poses(pd.concat([one, nothing])))
    assert directions.to_numpy().tolist() == [[2, 0, 59, "left"], [5, 0, 29, "right"]]


@given(st.integers(0, 2**32 - 1))
def test_a_mirrored_video_has_the_mirrored_directions_and_the_same_angles(seed: int) -> None:
    rng = np.random.default_rng(seed)
    turned = rng.choice([0.0, 30.0, 150.0, 180.0, 200.0, 330.0]) + np.zeros(60)
    position = moving_body.project(moving_body.gait(60), 60, turned=turned)
    position += rng.normal(0, 4, position.shape)
    keypoints = moving_body.table(position)
    other = keypoints.assign(x_px=1000 - keypoints["x_px"], keypoint=keypoints["keypoint"].map(mirror))
    swapped = {"right": "left", "left": "right"}
    assert told(other) == [swapped.get(direction, direction) for direction in told(keypoints)]
    here, there = series(keypoints), series(other)
    for name, angle in ANGLES.items():
        difference = here[name] - there[mirror(name)]
        assert (difference - angle.turn * (difference / angle.turn).round()).abs().max() < 1e-6 or here[
            name
        ].isna().all()


# --- directions carried to a method -----------------------------------------------------------------------------


def matches(*rows: tuple[int, int, int, int]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["person", "method_person", "first_frame", "last_frame"])


def test_people_of_a_method_have_the_directions_of_those_whom_they_match() -> None:
    directions = pd.concat([facing("left", 0, 0, 49), facing("front", 0, 50, 99), facing("right", 1, 0, 99)])
    method = pd.concat(
        [
            moving_body.table(moving_body.project(moving_body.gait(100), 100), person=4),
            moving_body.table(np.zeros((100, 27, 2)), person=9),
        ]
    )
    carried = carry_directions(directions, matches((0, 4, 0, 99), (1, 9, 0, 99)), poses(method))
    assert carried.to_numpy().tolist() == [[4, 0, 49, "left"], [4, 50, 99, "front"], [9, 0, 99, "right"]]


def test_an_identity_that_changes_hands_changes_direction_and_other_frames_follow_the_nearest_section() -> None:
    directions = pd.concat([facing("left", 0, 0, 40), facing("right", 1, 60, 99)])
    method = moving_body.table(np.zeros((100, 27, 2)), person=3)
    carried = carry_directions(directions, matches((0, 3, 10, 40), (1, 3, 61, 90)), poses(method))
    assert carried.to_numpy().tolist() == [[3, 0, 50, "left"], [3, 51, 99, "right"]]


def test_somebody_who_matches_nobody_has_a_direction_of_their_own() -> None:
    method = moving_body.table(moving_body.project(moving_body.gait(60), 60, turned=180), person=7)
    carried = carry_directions(facing("right"), matches(), poses(method))
    pd.testing.assert_frame_equal(carried, find_directions(poses(method)))


def test_carried_directions_of_an_empty_method_are_empty() -> None:
    assert carry_directions(facing("right"), matches(), poses(tables.empty("keypoints"))).empty
