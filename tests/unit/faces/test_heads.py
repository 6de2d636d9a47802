"""Heads of skeletons whose every length is known: a person of 200 pixels has a head of 26."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deidpose import skeleton, tables
from deidpose.faces import heads
from deidpose.keypoints import poses
from fixtures.bodies import BACK, HEAD, STANDING, body, together, with_knuckles

_BOX = ["x_px", "y_px", "width_px", "height_px"]
LEGS = ("MidHip", "RHip", "LHip", "RKnee", "LKnee", "RAnkle", "LAnkle")
ARMS = ("RElbow", "LElbow", "RWrist", "LWrist")
#: Around the head of somebody whose hip is at (300, 240), from the crown to below the chin.
REAL_HEAD = (288, 136, 24, 28)


def place(keypoints: pd.DataFrame) -> pd.DataFrame:
    return heads.place(poses(keypoints))


def placed(keypoints: pd.DataFrame) -> pd.Series:
    table = place(keypoints)
    tables.check(table, "heads")
    return table.iloc[0]


def holds(row: pd.Series, box: tuple[float, float, float, float]) -> bool:
    x, y, width, height = box
    return bool(
        row["x_px"] <= x
        and row["y_px"] <= y
        and row["x_px"] + row["width_px"] >= x + width
        and row["y_px"] + row["height_px"] >= y + height
    )


def turned(
    keypoints: pd.DataFrame, degrees: float, scale: float = 1.0, shift: tuple[float, float] = (0, 0)
) -> pd.DataFrame:
    """Return keypoints turned clockwise about the origin, enlarged, and moved."""
    angle = math.radians(degrees)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]) * scale
    moved = keypoints[["x_px", "y_px"]].to_numpy() @ turn.T + shift
    return keypoints.assign(x_px=moved[:, 0], y_px=moved[:, 1])


# --------------------------------------------------------------------------------------------------- where the head is


@pytest.mark.parametrize(
    ("unseen", "by"),
    [
        ((), "head"),
        (("REye", "LEye", "REar", "LEar"), "head"),
        (HEAD, "neck"),
        ((*HEAD, *ARMS), "neck"),
        ((*HEAD, "MidHip", "RHip", "LHip"), "neck"),
    ],
)
def test_the_head_of_somebody_standing_lies_in_the_box_whatever_it_is_placed_by(
    unseen: tuple[str, ...], by: str
) -> None:
    row = placed(body(range(1), 300, 240, unseen=unseen))
    assert row["placed_by"] == by
    assert holds(row, REAL_HEAD)
    assert 26 <= row["width_px"] == row["height_px"] <= 60
    assert row["score"] == pytest.approx(0.9)


def test_with_neither_head_nor_neck_the_box_lies_over_the_upper_end_of_what_is_seen() -> None:
    row = placed(body(range(1), 300, 240, unseen=(*HEAD, "Neck", "RShoulder", "LShoulder", *ARMS)))
    assert row["placed_by"] == "body"
    assert row["score"] == pytest.approx(0.9)
    assert holds(row, (290, 230, 20, 20))  # the hips
    assert row["y_px"] < 215


def test_one_keypoint_is_enough_for_a_box() -> None:
    row = placed(body(range(1), 300, 240, unseen=tuple(name for name in STANDING if name != "LWrist")))
    assert row["placed_by"] == "body"
    assert holds(row, (330 - 5, 242 - 5, 10, 10))


def test_a_nose_alone_places_no_head_for_its_size_is_unknown_and_masks_what_is_seen() -> None:
    row = placed(body(range(1), 300, 240, unseen=tuple(name for name in STANDING if name != "Nose")))
    assert row["placed_by"] == "body"
    assert holds(row, (300 - 5, 150 - 5, 10, 10))


def test_nothing_seen_places_nothing() -> None:
    row = placed(body(range(1), 300, 240, unseen=tuple(STANDING)))
    assert row["placed_by"] == "nothing"
    assert row[_BOX].isna().all()
    assert row["score"] == 0
    assert not row["from_behind"]


def test_nobody_gives_an_empty_table() -> None:
    table = place(tables.empty("keypoints"))
    assert table.empty
    tables.check(table, "heads")


@pytest.mark.parametrize(
    "kept", [("Neck", "MidHip"), ("RShoulder", "LShoulder"), ("RKnee", "RAnkle"), ("LHip", "LKnee")]
)
def test_one_length_of_the_body_is_enough_to_tell_the_size_of_the_head(kept: tuple[str, str]) -> None:
    unseen = tuple(name for name in STANDING if name not in (*kept, "Nose"))
    row = placed(body(range(1), 300, 240, unseen=unseen))
    assert row["placed_by"] == "head"
    assert 22 <= row["width_px"] / heads.ROOM <= 30


def test_a_foreshortened_body_has_no_smaller_head() -> None:
    """Somebody leaning towards the camera: trunk and legs look short, the shoulders are as wide as ever."""
    leaning = {name: (right, down * 0.3) for name, (right, down) in STANDING.items()}
    row = placed(body(range(1), 300, 240, pose=leaning))
    assert row["width_px"] == pytest.approx(44 * 0.130 / 0.259 * heads.ROOM)


@pytest.mark.parametrize(("degrees", "towards"), [(90, (1, 0)), (-90, (-1, 0)), (180, (0, 1))])
def test_somebody_lying_has_the_head_beyond_the_shoulders_and_not_above_them(
    degrees: float, towards: tuple[float, float]
) -> None:
    row = placed(turned(body(range(1), 0, 0, unseen=HEAD), degrees, shift=(300, 240)))
    centre = np.array([row["x_px"] - 300, row["y_px"] - 240]) + row["width_px"] / 2
    np.testing.assert_allclose(centre, np.array(towards) * np.hypot(*centre), atol=1e-6)
    assert 75 < np.hypot(*centre) < 95


# ------------------------------------------------------------------------------------------------------ from behind


def from_behind(*parts: pd.DataFrame) -> list[bool]:
    return place(together(*parts))["from_behind"].tolist()


def test_somebody_is_seen_from_behind_only_where_all_frames_nearby_agree() -> None:
    back, front = body(range(12, 48), 300, 240, pose=BACK), body(range(12), 300, 240)
    flags = from_behind(front, back, body(range(48, 60), 300, 240))
    assert [index for index, flag in enumerate(flags) if flag] == list(range(17, 43))


def test_a_network_that_takes_a_front_for_a_back_for_a_moment_is_not_believed() -> None:
    parts = [body(range(20), 300, 240), body(range(20, 25), 300, 240, pose=BACK), body(range(25, 50), 300, 240)]
    assert not any(from_behind(*parts))


def test_the_front_of_one_person_does_not_turn_another() -> None:
    table = place(together(body(range(20), 150, 240), body(range(20), 450, 240, 1, pose=BACK)))
    assert table.loc[table["person"] == 1, "from_behind"].all()
    assert not table.loc[table["person"] == 0, "from_behind"].any()


@pytest.mark.parametrize("pair", ["Shoulder", "Hip", "Eye", "Ear"])
def test_shoulders_hips_eyes_or_ears_that_disagree_make_no_back(pair: str) -> None:
    pose = BACK | {f"{side}{pair}": STANDING[f"{side}{pair}"] for side in "LR"}
    assert all(from_behind(body(range(20), 300, 240, pose=BACK)))
    assert not any(from_behind(body(range(20), 300, 240, pose=pose)))


def test_a_body_seen_from_the_side_is_no_back() -> None:
    side = {name: (right * 0.1, down) for name, (right, down) in BACK.items()}
    assert not any(from_behind(body(range(20), 300, 240, pose=side)))


def test_eyes_and_ears_alone_make_no_back() -> None:
    trunk = ("RShoulder", "LShoulder", "RHip", "LHip")
    assert not any(from_behind(body(range(20), 300, 240, pose=BACK, unseen=trunk)))


@pytest.mark.parametrize("unseen", [HEAD, ("RHip", "LHip"), ("RShoulder", "LShoulder"), (*HEAD, *LEGS[3:])])
def test_what_is_not_seen_has_no_voice(unseen: tuple[str, ...]) -> None:
    assert all(from_behind(body(range(20), 300, 240, pose=BACK, unseen=unseen)))


@pytest.mark.parametrize("unseen", [("Neck",), ("MidHip",), tuple(STANDING)])
def test_without_neck_and_hip_nobody_is_seen_from_behind(unseen: tuple[str, ...]) -> None:
    assert not any(from_behind(body(range(20), 300, 240, pose=BACK, unseen=unseen)))


# ------------------------------------------------------------------------------------------------------- invariance

some_poses = st.builds(
    lambda base, moved: {name: (base[name][0] + x, base[name][1] + y) for name, (x, y) in moved.items()},
    st.sampled_from([STANDING, BACK]),
    st.fixed_dictionaries(
        {}, optional={name: st.tuples(st.integers(-20, 20), st.integers(-20, 20)) for name in STANDING}
    ),
)


@given(some_poses, st.floats(-180, 180), st.floats(0.2, 5), st.floats(-500, 500), st.floats(-500, 500))
def test_a_person_turned_enlarged_and_moved_has_the_head_turned_enlarged_and_moved_alike(
    pose: dict[str, tuple[float, float]], degrees: float, scale: float, x: float, y: float
) -> None:
    given_body = body(range(1), 0, 0, pose=pose)
    before, after = placed(given_body), placed(turned(given_body, degrees, scale, (x, y)))
    if before["placed_by"] not in ("head", "neck"):
        assert after["placed_by"] == before["placed_by"]
        return
    assert after["placed_by"] == before["placed_by"]
    assert after["width_px"] == pytest.approx(before["width_px"] * scale)
    if before["placed_by"] == "head" or {"Neck", "MidHip"} <= set(pose):  # else up is up in the picture
        angle = math.radians(degrees)
        turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]) * scale
        there = np.array([after["x_px"], after["y_px"]]) + after["width_px"] / 2
        here = np.array([before["x_px"], before["y_px"]]) + before["width_px"] / 2
        np.testing.assert_allclose(there, turn @ here + (x, y), atol=1e-6 * max(1.0, scale))


@given(st.floats(-180, 180), st.floats(0.2, 5), st.sampled_from([STANDING, BACK]))
def test_a_back_is_a_back_however_it_is_turned(
    degrees: float, scale: float, pose: dict[str, tuple[float, float]]
) -> None:
    flag = place(turned(body(range(2), 0, 0, pose=pose), degrees, scale))["from_behind"]
    assert flag.tolist() == [pose is BACK] * 2


@given(some_poses)
def test_nobody_is_seen_from_behind_both_in_a_picture_and_in_its_mirror_image(
    pose: dict[str, tuple[float, float]],
) -> None:
    mirrored = {name: (-x, y) for name, (x, y) in pose.items()}
    both = [from_behind(body(range(1), 0, 0, pose=shown))[0] for shown in (pose, mirrored)]
    assert not all(both)


@settings(max_examples=30)
@given(st.lists(st.tuples(some_poses, st.integers(0, 5), st.integers(0, 3)), min_size=1, max_size=8))
def test_people_are_placed_one_by_one_as_all_at_once(
    rows: list[tuple[dict[str, tuple[float, float]], int, int]],
) -> None:
    people = {
        (frame, person): body(range(frame, frame + 1), 300, 240, person, pose=pose) for pose, frame, person in rows
    }
    table = place(together(*people.values()))
    assert list(zip(table["frame"], table["person"], strict=True)) == sorted(people)
    columns = [column for column in table.columns if column != "from_behind"]
    alone = pd.concat([place(people[key]) for key in sorted(people)], ignore_index=True)
    pd.testing.assert_frame_equal(table[columns], alone[columns])
    for person, mine in table.groupby("person"):
        parts = [part for (_, number), part in people.items() if number == person]
        assert mine["from_behind"].tolist() == place(together(*parts))["from_behind"].tolist()


def test_keypoints_become_an_array_in_their_order() -> None:
    frames, people, points = heads.as_array(poses(together(body(range(2), 10, 20), body(range(2), 30, 40, 1))))
    assert frames.tolist() == [0, 0, 1, 1]
    assert people.tolist() == [0, 1, 0, 1]
    assert points.shape == (4, 25, 3)
    assert points[1, skeleton.INDEX["LKnee"]].tolist() == [45, 90, 0.9]
    assert np.isnan(points[:, skeleton.INDEX["LHeel"], :2]).all()


def test_knuckles_change_no_head() -> None:
    plain = together(body(range(2), 10, 20), body(range(2), 30, 40, 1))
    pd.testing.assert_frame_equal(place(with_knuckles(plain)), place(plain))
    both = (heads.as_array(poses(table)) for table in (with_knuckles(plain), plain))
    for values, expected in zip(*both, strict=True):
        np.testing.assert_array_equal(values, expected)
