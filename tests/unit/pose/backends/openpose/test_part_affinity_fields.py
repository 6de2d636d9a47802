"""People from the maps of OpenPose's network: the maps are drawn here from skeletons whose every joint is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deidpose.pose.backends.openpose import part_affinity_fields
from deidpose.skeleton import BODY_25, INDEX
from fixtures.openpose_maps import Skeleton, drawn, standing


def away(found: np.ndarray, person: Skeleton) -> np.ndarray:
    """Return how far each joint was found from where it is, in pixels; NaN where it was not found."""
    return np.array([np.hypot(*(found[INDEX[name], :2] - place)) for name, place in person.items()])


def test_limbs_are_those_of_the_network_each_with_two_channels_of_its_own() -> None:
    assert part_affinity_fields.N_CHANNELS == 78
    assert sorted(part_affinity_fields.LIMBS.values()) == list(range(0, 52, 2))
    assert {name for limb in part_affinity_fields.LIMBS for name in limb} == set(BODY_25)


@given(st.floats(80, 560), st.floats(150, 200), st.floats(0.8, 1.4))
def test_every_joint_of_one_person_is_placed_within_half_a_pixel(x: float, y: float, size: float) -> None:
    person = standing(x, y, size)
    (found,) = part_affinity_fields.people(drawn(person))
    assert away(found, person).max() < 0.75
    assert away(found, person).mean() < 0.5
    missing = [INDEX[name] for name in BODY_25 if name not in person]
    assert np.isnan(found[missing, :2]).all()
    assert (found[missing, 2] == 0).all()


def test_two_people_close_together_are_told_apart() -> None:
    people = (standing(300.3, 170.7), standing(322.1, 174.2))
    found = part_affinity_fields.people(drawn(*people))
    assert len(found) == 2
    for person in people:
        assert min(away(one, person).max() for one in found) < 2


def test_limbs_that_cross_keep_to_their_people() -> None:
    # Two arms in the shape of an X: the wrong wrist is nearer to each elbow's line of sight than the right one.
    first = dict(standing(250, 170)) | {"LElbow": (290.0, 130.0), "LWrist": (340.0, 180.0)}
    second = dict(standing(380, 170)) | {"RElbow": (340.0, 130.0), "RWrist": (290.0, 180.0)}
    found = sorted(part_affinity_fields.people(drawn(first, second)), key=lambda one: one[INDEX["MidHip"], 0])
    assert len(found) == 2
    assert away(found[0], first).max() < 2
    assert away(found[1], second).max() < 2


def test_joints_that_are_hidden_stay_empty_and_the_others_belong_together() -> None:
    person = standing(300, 170, missing=("LKnee", "RElbow", "Nose"))
    found = part_affinity_fields.people(drawn(person))
    assert np.isnan(found[0, INDEX["LKnee"], 0])
    # The ankle below a hidden knee has no limb that leads to it, as in OpenPose.
    assert np.isnan(found[0, INDEX["LAnkle"], 0])
    assert np.isfinite(found[0, INDEX["RAnkle"], 0])


def test_a_few_joints_alone_are_nobody() -> None:
    assert len(part_affinity_fields.people(drawn({"LKnee": (300.0, 200.0), "LAnkle": (300.0, 260.0)}))) == 0
    assert part_affinity_fields.people(np.zeros((78, 46, 82), np.float32)).shape == (0, 25, 3)


def test_joints_without_a_field_between_them_do_not_belong_together() -> None:
    maps = drawn(standing(300, 170))
    maps[part_affinity_fields.N_MAPS :] = 0
    assert len(part_affinity_fields.people(maps)) == 0
    maps = drawn(standing(300, 170))
    maps[part_affinity_fields.N_MAPS :] *= -1  # every limb points the other way
    assert len(part_affinity_fields.people(maps)) == 0


def test_the_order_of_people_is_that_of_their_certainty() -> None:
    sure, unsure = drawn(standing(150, 170)), drawn(standing(450, 170))
    unsure[:25] *= 0.6
    found = part_affinity_fields.people(np.where(np.abs(sure) > np.abs(unsure), sure, unsure))
    assert [round(float(one[INDEX["MidHip"], 0]), -1) for one in found] == [150, 450]


@pytest.mark.parametrize("n_people", [1, 4])
def test_each_candidate_is_given_to_one_person(n_people: int) -> None:
    people = [standing(90 + 120.0 * number, 160 + 7.0 * number) for number in range(n_people)]
    found = part_affinity_fields.people(drawn(*people))
    places = found[..., :2][np.isfinite(found[..., 0])]
    assert len(found) == n_people
    assert len(np.unique(places, axis=0)) == len(places)
