"""Who is in a video, who is taken for the patient, and who is left unmasked."""

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deidpose import skeleton, tables
from deidpose.errors import UserError
from deidpose.keypoints import poses
from deidpose.pose.people import people
from deidpose.workflow import dataset

SIZE, N_FRAMES = (1000, 500), 50
BOX = ["x_px", "y_px", "width_px", "height_px"]


def body(person: int, frames: range, x: float, y: float, height: float, step: float = 0.0) -> pd.DataFrame:
    """Return the keypoints of somebody of a height whose middle is at x, y and moves by ``step`` a frame."""
    names = list(skeleton.BODY_25)
    down = np.linspace(-0.5, 0.5, len(names)) * height
    parts = [
        pd.DataFrame(
            {
                "frame": frame,
                "time_s": frame / 30,
                "person": person,
                "keypoint": names,
                "x_px": x + step * frame + down / 4,
                "y_px": y + down,
                "confidence": 0.9,
            }
        )
        for frame in frames
    ]
    return pd.concat(parts, ignore_index=True)


def listed(*bodies: pd.DataFrame, patient: str = "") -> pd.DataFrame:
    return people.list_people(poses(pd.concat(bodies, ignore_index=True)), SIZE, N_FRAMES, patient)


def test_knuckles_change_neither_the_boxes_nor_the_tokens() -> None:
    plain = body(0, range(10), 500, 250, 200)
    hands = plain[plain["keypoint"].isin(["LWrist", "RWrist"])].assign(x_px=900.0, y_px=400.0)
    hands["keypoint"] = hands["keypoint"].map({"LWrist": "LIndex", "RWrist": "RIndex"})
    pd.testing.assert_frame_equal(listed(pd.concat([plain, hands])), listed(plain))


def patient(table: pd.DataFrame) -> int:
    (person,) = table.loc[table["patient"], "person"]
    return int(person)


def test_everybody_is_listed_with_what_the_choice_is_made_by() -> None:
    table = listed(body(0, range(10, 30), 500, 250, 200), body(3, range(50), 250, 250, 100))
    assert table["person"].tolist() == [0, 3]
    assert table["first_frame"].tolist() == [10, 0]
    assert table["last_frame"].tolist() == [29, 49]
    assert table["n_frames"].tolist() == [20, 50]
    assert table["height_px"].tolist() == pytest.approx([200, 100])
    assert table["centrality"].tolist() == pytest.approx([1.0, 0.5])
    pd.testing.assert_frame_equal(tables.check(table, "people"), table)


@pytest.mark.parametrize(
    "other",
    [
        body(0, range(50), 500, 250, 150),  # smaller
        body(0, range(20), 500, 250, 200),  # shorter
        body(0, range(50), 200, 250, 200),  # at the side
        body(0, range(50), 500, 100, 200),  # at the top
    ],
)
def test_the_patient_is_the_largest_the_longest_and_the_most_central(other: pd.DataFrame) -> None:
    assert patient(listed(other, body(1, range(50), 500, 250, 200))) == 1


def test_of_two_alike_the_first_is_the_patient() -> None:
    assert patient(listed(body(4, range(50), 500, 250, 200), body(2, range(50), 500, 250, 200))) == 2


def test_the_table_of_videos_overrides_the_choice() -> None:
    bodies = (body(0, range(50), 500, 250, 200), body(1, range(50), 300, 250, 100))
    token = listed(*bodies)["token"].iloc[1]
    table = listed(*bodies, patient=token)
    assert patient(table) == 1
    assert table["token"].tolist() == listed(*bodies)["token"].tolist()


def test_a_video_with_nobody_lists_nobody() -> None:
    assert not len(listed(tables.empty("keypoints")))
    unseen = body(0, range(5), 500, 250, 200).assign(x_px=np.nan, y_px=np.nan)
    assert not len(listed(unseen))


def test_frames_in_which_nothing_of_a_person_is_seen_do_not_count() -> None:
    seen = body(0, range(10), 500, 250, 200)
    seen.loc[seen["frame"] == 4, ["x_px", "y_px"]] = np.nan
    seen.loc[seen["frame"] == 9, ["x_px", "y_px"]] = np.nan
    table = listed(seen)
    assert (table["n_frames"].iloc[0], table["last_frame"].iloc[0]) == (8, 8)


# ------------------------------------------------------------------------------------------------------------- tokens


def test_a_token_is_the_number_and_six_digits_as_the_table_of_videos_takes_it() -> None:
    (token,) = listed(body(12, range(50), 500, 250, 200))["token"]
    assert re.fullmatch(dataset.TOKEN_PATTERN, token)
    assert token.startswith("12-")


def test_a_token_stays_when_positions_differ_in_their_last_digits() -> None:
    path = body(0, range(50), 503, 257, 200)
    assert listed(path)["token"].tolist() == listed(path.assign(x_px=path["x_px"] + 1e-4))["token"].tolist()


@pytest.mark.parametrize(
    "changed",
    [
        body(0, range(50), 600, 250, 200),  # somebody else
        body(0, range(49), 500, 250, 200),  # lost a frame earlier
        pd.concat([body(0, range(30), 500, 250, 200), body(0, range(30, 50), 700, 250, 200)]),  # two people swapped
    ],
)
def test_a_token_changes_when_the_number_means_another_path(changed: pd.DataFrame) -> None:
    before = listed(body(0, range(50), 500, 250, 200))["token"].iloc[0]
    assert listed(changed)["token"].iloc[0] != before
    with pytest.raises(UserError, match="Nobody in this video has the token"):
        listed(changed, patient=before)


def test_a_token_that_names_nobody_is_told_with_what_to_do_and_nobody_is_returned() -> None:
    table = listed(body(0, range(50), 500, 250, 200))
    known = table["token"].iloc[0]
    assert people.named(table, [known], "visible") == [0]
    for tokens in ([known, "1-000000"], ["1-000000"]):
        with pytest.raises(UserError, match=r"token 1-000000 of the column visible .*review/index\.html") as caught:
            people.named(table, tokens, "visible")
        assert "\n" not in str(caught.value)


# ------------------------------------------------------------------------------------------------------ left visible


def masks(*rows: tuple[float, ...], origin: str = "detected") -> pd.DataFrame:
    """Return the table ``faces`` from frame, person and box; each row is a track of its own."""
    faces = pd.DataFrame(rows, columns=["frame", "person", *BOX])
    return tables.check(faces.assign(track=range(len(faces)), score=0.9, origin=origin), "faces")


def heads(*rows: tuple[float, ...]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["frame", "person", *BOX])
    return tables.check(table.assign(score=0.9, placed_by="head", from_behind=False), "heads")


def test_by_default_everybody_is_masked() -> None:
    faces = masks((0, 0, 0, 0, 20, 20))
    assert people.leave_visible(faces, heads(), []) is faces
    assert people.leave_visible(faces, heads(), [-1]) is faces


def test_the_masks_of_a_person_are_taken_away_and_nobody_elses() -> None:
    faces = masks((0, 0, 0, 0, 20, 20), (0, 1, 100, 0, 20, 20), (1, 0, 0, 0, 20, 20), (1, -1, 300, 0, 20, 20))
    own = heads((0, 0, 0, 0, 20, 20), (0, 1, 100, 0, 20, 20), (1, 0, 0, 0, 20, 20))
    after = people.leave_visible(faces, own, [0])
    assert after["person"].tolist() == [1, -1]
    assert len(people.leave_visible(faces, own, [0, 1])) == 1


def test_a_mask_that_is_not_on_the_head_of_its_person_in_that_frame_stays() -> None:
    faces = masks((0, 0, 0, 0, 20, 20), (1, 0, 300, 0, 20, 20), (2, 0, 0, 0, 20, 20))
    after = people.leave_visible(faces, heads((0, 0, 0, 0, 20, 20), (1, 0, 0, 0, 20, 20)), [0])
    assert after["frame"].tolist() == [1, 2]


@pytest.mark.parametrize("other", [1, -1])
def test_a_mask_that_touches_anybody_elses_stays_in_that_frame(other: int) -> None:
    faces = masks((0, 0, 0, 0, 20, 20), (0, other, 19, 19, 20, 20), (1, 0, 0, 0, 20, 20), (1, other, 21, 0, 20, 20))
    after = people.leave_visible(faces, heads((0, 0, 0, 0, 20, 20), (1, 0, 0, 0, 20, 20)), [0])
    assert after["frame"].tolist() == [0, 0, 1]


def test_a_mask_that_touches_the_head_of_somebody_who_has_no_mask_stays() -> None:
    faces = masks((0, 0, 0, 0, 20, 20), (1, 0, 0, 0, 20, 20))
    after = people.leave_visible(
        faces, heads(*((f, 0, 0, 0, 20, 20) for f in (0, 1)), (0, 1, 10, 10, 20, 20), (1, 1, 50, 50, 9, 9)), [0]
    )
    assert after["frame"].tolist() == [0]


def test_a_mask_drawn_by_a_person_stays() -> None:
    faces = masks((0, 0, 0, 0, 20, 20), origin="manual")
    assert len(people.leave_visible(faces, heads(), [0])) == 1


boxes = st.tuples(*[st.integers(0, 100)] * 2, *[st.integers(1, 60)] * 2)
rows = st.lists(st.tuples(st.integers(0, 4), st.integers(-1, 3), boxes), max_size=25).map(
    lambda found: [(frame, person, *box) for frame, person, box in found]
)


@given(rows, rows, st.sets(st.integers(-1, 3)))
def test_the_masks_of_others_never_change_and_no_part_of_them_is_uncovered(
    found: list[tuple[float, ...]], placed: list[tuple[float, ...]], persons: set[int]
) -> None:
    faces, others = masks(*found), heads(*(row for row in placed if row[1] >= 0))
    before = faces.copy()
    after = people.leave_visible(faces, others, persons)
    pd.testing.assert_frame_equal(faces, before)
    theirs = faces[~faces["person"].isin(persons - {-1})]
    pd.testing.assert_frame_equal(
        after[~after["person"].isin(persons - {-1})].reset_index(drop=True), theirs.reset_index(drop=True)
    )
    protected = [
        *theirs[["frame", *BOX]].to_numpy(),
        *others.loc[~others["person"].isin(persons), ["frame", *BOX]].to_numpy(),
    ]
    for row in faces[~faces["track"].isin(after["track"])].itertuples():
        picture = np.zeros((161, 161), bool)
        picture[int(row.y_px) : int(row.y_px + row.height_px), int(row.x_px) : int(row.x_px + row.width_px)] = True
        for frame, x, y, width, height in protected:
            if frame == row.frame:
                assert not picture[int(y) : int(y + height), int(x) : int(x + width)].any()
