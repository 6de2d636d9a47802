import numpy as np
import pytest

from deidpose import skeleton
from deidpose.pose.backends import blazepose

#: Of BlazePose's 33 landmarks, those after the face are odd on the left and even on the right side of the body.
FIRST_BODY_LANDMARK = 11


def landmarks() -> np.ndarray:
    random = np.random.default_rng(2)
    return np.column_stack([random.uniform(0, 500, (33, 2)), random.uniform(0.1, 1, 33)])


def test_names_limbs_and_colours_fit_together() -> None:
    assert len(skeleton.BODY_25) == len(set(skeleton.BODY_25)) == len(skeleton.COLOURS) == 25
    assert len(set(skeleton.LIMBS)) == 24
    assert {name for limb in skeleton.LIMBS for name in limb} == set(skeleton.BODY_25)


def test_every_limb_leads_to_a_keypoint_of_its_own_side() -> None:
    for first, second in skeleton.LIMBS:
        if first[0] in "LR" and second[0] in "LR":
            assert first[0] == second[0]


@pytest.mark.parametrize(("name", "landmark"), blazepose.LANDMARKS.items())
def test_left_stays_left_and_right_stays_right(name: str, landmark: int) -> None:
    assert name in skeleton.KEYPOINTS
    if landmark >= FIRST_BODY_LANDMARK:
        assert name[0] == ("L" if landmark % 2 else "R")


def test_no_landmark_is_used_twice() -> None:
    assert len(set(blazepose.LANDMARKS.values())) == len(blazepose.LANDMARKS)


def test_neck_and_hip_are_midpoints_with_the_lower_confidence() -> None:
    given = landmarks()
    body = blazepose.to_body_25(given)
    for name, left, right in (("Neck", 11, 12), ("MidHip", 23, 24)):
        x, y, confidence = body[skeleton.INDEX[name]]
        np.testing.assert_allclose([x, y], (given[left, :2] + given[right, :2]) / 2)
        assert confidence == min(given[left, 2], given[right, 2])


def test_only_the_small_toes_have_no_counterpart() -> None:
    missing = np.isnan(blazepose.to_body_25(landmarks())).any(axis=1)
    assert {skeleton.KEYPOINTS[index] for index in np.flatnonzero(missing)} == {"LSmallToe", "RSmallToe"}


def test_the_knuckles_of_the_index_fingers_come_after_body_25() -> None:
    given = landmarks()
    body = blazepose.to_body_25(given)
    assert body.shape == (27, 3)
    assert [skeleton.INDEX[name] for name in ("LIndex", "RIndex")] == [25, 26]
    np.testing.assert_array_equal(body[25:], given[[19, 20]])


def test_landmarks_beyond_the_body_change_nothing() -> None:
    more = np.concatenate([landmarks(), np.ones((6, 3))])
    np.testing.assert_array_equal(blazepose.to_body_25(more), blazepose.to_body_25(landmarks()))
