"""Who is the patient among imported people, and whether they are people of the video at all."""

import pandas as pd
import pytest

from deidpose import tables
from deidpose.errors import UserError
from deidpose.evaluation import imported_people, matching
from deidpose.keypoints import poses
from deidpose.pose.people import people
from fixtures.bodies import body, together

SIZE, N_FRAMES = (1000, 600), 40
FRAMES = range(N_FRAMES)
#: The larger and more central of two people, whom `people.list_people` takes for the patient.
LARGE = body(FRAMES, 500, 300, 0, scale=1.5)
SMALL = body(FRAMES, 150, 300, 1)


def listed(
    imported: pd.DataFrame, backend: pd.DataFrame, patient: int | None = None, is_named: bool = False
) -> pd.DataFrame:
    ours, theirs = poses(imported), poses(backend)
    of_backend = people.list_people(theirs, SIZE, N_FRAMES)
    if patient is not None:
        of_backend["patient"] = of_backend["person"] == patient
    matches = matching.match_people(theirs, ours)
    found = imported_people.list_imported(ours, of_backend, matches, SIZE, N_FRAMES, is_named)
    return tables.check(found, "people").set_index("person")


def test_the_patient_is_the_backends_whatever_number_and_size_they_have() -> None:
    backend = together(LARGE, SMALL)
    imported = together(SMALL.assign(person=0), LARGE.assign(person=1))
    assert listed(imported, backend)["patient"].tolist() == [False, True]
    assert listed(imported, backend, patient=1)["patient"].tolist() == [True, False]


def test_of_a_patient_in_pieces_the_longest_is_taken() -> None:
    pieces = together(body(range(10), 500, 300, 0, scale=1.5), body(range(10, 40), 500, 300, 1, scale=1.5))
    assert listed(pieces, LARGE)["patient"].tolist() == [False, True]


def test_where_nobody_is_the_backends_patient_it_is_whom_the_keypoints_make_one_unless_a_person_named_another() -> None:
    backend = together(LARGE, SMALL)
    alone = SMALL.assign(person=0)
    assert listed(alone, backend)["patient"].tolist() == [True]
    with pytest.raises(UserError, match="nobody in OpenPose's results"):
        listed(alone, backend, is_named=True)


def test_no_imported_person_has_a_token() -> None:
    both = together(LARGE, SMALL)
    found = listed(both, both)
    assert (found["token"] == "").all()
    token = people.list_people(poses(both), SIZE, N_FRAMES)["token"].iloc[0]
    with pytest.raises(UserError, match="Nobody in this video"):
        people.named(found.reset_index(), [token], "visible")


def test_nobody_imported_is_an_empty_list() -> None:
    assert listed(tables.empty("keypoints"), LARGE).empty


def agreement(imported: pd.DataFrame, backend: pd.DataFrame) -> imported_people.Agreement:
    ours, theirs = poses(imported), poses(backend)
    return imported_people.agreement(ours, theirs, matching.match_people(theirs, ours))


def test_agreement_is_counted_and_measured_in_pixels() -> None:
    moved = SMALL.assign(person=7, x_px=SMALL["x_px"] + 3, y_px=SMALL["y_px"] + 4)
    found = agreement(moved, together(LARGE, SMALL))
    assert found.n_sights == found.n_shared == N_FRAMES
    assert found.n_keypoints == SMALL["x_px"].notna().sum()
    assert found.median_px == pytest.approx(5)


def test_people_where_nobody_is_are_of_another_video() -> None:
    with pytest.raises(UserError, match="another video"):
        agreement(body(FRAMES, 850, 100), together(LARGE, SMALL))


def test_people_in_frames_in_which_the_backend_sees_nobody_say_nothing() -> None:
    found = agreement(body(range(20, 40), 850, 100), body(range(20), 300, 300))
    assert found.n_sights == 0
