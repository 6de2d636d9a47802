from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given

from deidpose import tables
from deidpose.boxes import covered_share, enlarge
from deidpose.faces import linking, review_flags
from deidpose.faces.tracks import Track
from deidpose.keypoints import poses
from fixtures.bodies import BACK, HEAD, STANDING, body, found, some_faces, together, with_knuckles

SETTINGS = {
    "track_score": 0.6, "max_gap_s": 1.0, "hold_s": 0.5, "enlarge": 1.6, "heads_from_behind": "near", "near_s": 5.0
}  # fmt: skip
SIZE = (640, 480)


NOBODY = tables.empty("keypoints")


def track(
    given_faces: pd.DataFrame,
    keypoints: pd.DataFrame = NOBODY,
    n_frames: int = 60,
    cuts: tuple[int, ...] = (),
    **settings: Any,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    tracked = linking.track_faces(
        given_faces, poses(keypoints), shots_at(*cuts), n_frames, 30.0, SIZE, {**SETTINGS, **settings}
    )
    return tracked.faces, tracked.review


def shots_at(*cuts: int) -> pd.DataFrame:
    return pd.DataFrame({"frame": np.array(cuts, int)})


def masked(faces: pd.DataFrame, frame: int, box: tuple[float, float, float, float]) -> bool:
    """Return whether one region of the frame covers the whole box."""
    rows = faces.loc[faces["frame"] == frame, ["x_px", "y_px", "width_px", "height_px"]].to_numpy(float)
    return bool(len(rows)) and bool(covered_share(np.array([box], float), rows).max() > 0.999)


# ------------------------------------------------------------------------------------------------------- what is masked


def test_a_face_is_masked_in_every_frame_from_before_it_is_found_until_after() -> None:
    """On a body for half a second; alone for as many frames as it was found in."""
    rows = [(frame, 288, 138, 24, 26, 0.9) for frame in (20, 21, 22, 30, 31)]
    for keypoints, hold, kinds in ((body(range(20, 32), 300, 240), 15, set()), (NOBODY, 5, {"unsupported"})):
        faces, review = track(found(*rows), keypoints)
        assert faces["frame"].tolist() == list(range(20 - hold, 31 + hold + 1))
        assert faces.loc[faces["frame"].isin([20, 21, 22, 30, 31]), "origin"].eq("detected").all()
        assert faces.loc[faces["frame"].between(23, 29), "origin"].eq("interpolated").all()
        assert set(review["kind"]) == kinds
        for frame in range(20, 32):
            assert masked(faces, frame, (288, 138, 24, 26))


def test_a_mask_is_larger_than_the_face_by_the_factor_asked_for() -> None:
    faces, _ = track(found((5, 100, 100, 30, 40, 0.9)), enlarge=2.0)
    row = faces[faces["frame"] == 5].iloc[0]
    assert (row["width_px"], row["height_px"]) == (64, 80)  # at least 0.8 times as wide as high
    assert (row["x_px"] + 32, row["y_px"] + 40) == (115, 120)


def test_a_person_whose_face_is_never_found_gets_a_mask_over_the_head() -> None:
    faces, review = track(found(), body(range(60), 300, 240))
    assert faces["frame"].tolist() == list(range(60))
    assert (faces["origin"] == "pose").all()
    assert review["kind"].tolist() == ["no_face"]
    assert review[["first_frame", "last_frame"]].to_numpy().tolist() == [[0, 59]]
    for frame in (0, 30, 59):
        assert masked(faces, frame, (300 - 12, 240 - 104, 24, 28))  # a head 26 pixels high: 0.13 of the stature
    assert (faces["width_px"] < 70).all()


def test_the_back_of_a_head_without_any_keypoint_is_placed_from_the_shoulders() -> None:
    faces, _ = track(found(), body(range(30), 300, 240, unseen=HEAD), n_frames=30)
    for frame in range(30):
        assert masked(faces, frame, (300 - 12, 240 - 104, 24, 28))


def test_somebody_lying_has_the_head_beyond_the_shoulders_and_not_above_them() -> None:
    lying = body(range(3), 0, 0, unseen=HEAD)
    lying[["x_px", "y_px"]] = np.column_stack([300 - lying["y_px"], 240 + lying["x_px"]])
    faces, _ = track(found(), lying, n_frames=3)
    assert masked(faces, 1, (300 + 78, 240 - 12, 26, 24))


def test_a_person_seen_only_from_the_hips_down_is_masked_at_the_top_and_listed_for_review() -> None:
    above = tuple(name for name in STANDING if STANDING[name][1] < 0)
    faces, review = track(found(), body(range(10), 300, 20, unseen=above), n_frames=10)
    assert set(faces["frame"]) == set(range(10))
    assert review["kind"].tolist() == ["no_head"]
    assert review[["first_frame", "last_frame"]].to_numpy().tolist() == [[0, 9]]
    assert masked(faces, 4, (290, 0, 20, 20))


def test_a_head_needs_no_second_mask_where_its_face_is_found() -> None:
    rows = [(frame, 288, 138, 24, 26, 0.9) for frame in range(60)]
    faces, _ = track(found(*rows), body(range(60), 300, 240))
    assert (faces["origin"] == "detected").all()
    assert len(faces) == 60


def test_where_the_face_is_lost_for_long_the_head_takes_over() -> None:
    rows = [(frame, 288, 138, 24, 26, 0.9) for frame in (0, 59)]
    faces, _ = track(found(*rows), body(range(60), 300, 240))
    assert set(faces["frame"]) == set(range(60))
    assert faces.loc[faces["frame"].between(16, 43), "origin"].eq("pose").all()


@pytest.mark.parametrize("score", [0.35, 0.65])
def test_a_face_in_front_of_a_body_is_masked_and_listed_for_review(score: float) -> None:
    """A child that somebody holds, two people embracing, a therapist at a knee; or a print on a shirt."""
    rows = [(frame, 292, 190, 16, 18, score) for frame in range(20)]
    faces, review = track(found(*rows), body(range(60), 300, 240))
    assert "unsupported" in set(review["kind"])
    for frame in range(20):
        assert masked(faces, frame, (292, 190, 16, 18))


def spot(frames: range, score: float, surest: float = 0.0) -> pd.DataFrame:
    """Return detections of something away from everybody; the detector is surest of the first."""
    return found(*((frame, 50, 50, 30, 30, surest if frame == frames[0] else score) for frame in frames))


@pytest.mark.parametrize(
    ("frames", "score", "surest", "throughout"),
    [
        (range(20, 28), 0.59, 0.59, False),  # never sure
        (range(20, 28), 0.59, 0.6, True),  # sure enough, and found in every frame
        (range(20, 29, 2), 0.59, 0.62, True),  # 0.33 on average over the frames from first to last
        (range(20, 30, 3), 0.59, 0.62, False),  # 0.24
        (range(20, 28), 0.3, 0.62, True),
        (range(20, 30, 3), 0.3, 0.74, False),
        (range(20, 30, 3), 0.3, 0.75, True),  # as sure as this once is enough
    ],
)
def test_a_spot_away_from_everybody_is_masked_between_and_beyond_only_if_it_is_a_face(
    frames: range, score: float, surest: float, throughout: bool
) -> None:
    faces, review = track(spot(frames, score, surest))
    held = len(frames)
    everywhere = list(range(frames[0] - held, frames[-1] + held + 1))
    assert faces["frame"].tolist() == (everywhere if throughout else list(frames))
    assert "unsupported" in set(review["kind"])
    for frame in frames:
        assert masked(faces, frame, (50, 50, 30, 30))


def test_a_spot_away_from_everybody_is_not_held_longer_than_any_other() -> None:
    assert track(spot(range(20, 40), 0.9, 0.9))[0]["frame"].tolist() == list(range(5, 55))


@pytest.mark.parametrize(
    ("side", "score", "is_masked"), [(79, 0.59, True), (80, 0.59, False), (200, 0.3, False), (200, 0.6, True)]
)
def test_a_large_spot_without_a_body_is_masked_only_if_the_detector_is_sure_of_it_once(
    side: float, score: float, is_masked: bool
) -> None:
    faces, review = track(found(*((frame, 200, 100, side, side, score) for frame in range(20, 30))))
    assert all(masked(faces, frame, (200, 100, side, side)) == is_masked for frame in range(20, 30))
    listed = review[review["kind"] == "not_masked"]
    expected = [] if is_masked else [[20, 29, review_flags.REASONS["glimpse"]]]
    assert listed[["first_frame", "last_frame", "reason"]].to_numpy().tolist() == expected


def test_a_large_face_of_which_the_detector_is_never_sure_is_masked_on_its_body() -> None:
    rows = [(frame, 245, 110, 110, 125, 0.4) for frame in range(10)]
    faces, _ = track(found(*rows), body(range(10), 300, 640, scale=5.0), n_frames=10)
    for frame in range(10):
        assert masked(faces, frame, (245, 110, 110, 125))


def test_two_people_side_by_side_are_both_masked_in_every_frame() -> None:
    people = together(body(range(60), 150, 240, 0, step=2), body(range(60), 450, 240, 1, step=-2))
    rows = [(frame, 138 + 2 * frame, 138, 24, 26, 0.9) for frame in range(0, 60, 4)]
    faces, _ = track(found(*rows), people)
    for frame in range(60):
        assert masked(faces, frame, (150 + 2 * frame - 11, 240 - 103, 22, 26))
        assert masked(faces, frame, (450 - 2 * frame - 11, 240 - 103, 22, 26))


def test_a_head_that_has_left_the_picture_needs_no_mask() -> None:
    faces, _ = track(found(), body(range(5), 300, 20), n_frames=5)
    assert faces.empty or (faces["y_px"] + faces["height_px"] > 0).all()
    assert track(found(), body(range(5), -400, 240), n_frames=5)[0].empty


def test_nothing_seen_gives_empty_tables() -> None:
    for table, name in zip(track(found()), ("faces", "review"), strict=True):
        assert table.empty
        tables.check(table, name)


def test_in_a_real_clip_everyone_is_masked_in_every_frame(
    detections: pd.DataFrame, keypoints: pd.DataFrame, tracked: linking.Tracked
) -> None:
    faces = tracked.faces
    assert not (tracked.review["kind"] == "not_masked").any()
    for face in detections.itertuples():
        assert masked(faces, face.frame, (face.x_px, face.y_px, face.width_px, face.height_px))
    noses = keypoints[(keypoints["keypoint"] == "Nose") & keypoints["x_px"].notna()]
    assert len(noses) == 60
    for nose in noses.itertuples():
        assert masked(faces, nose.frame, (nose.x_px - 2, nose.y_px - 2, 4, 4))


@given(some_faces)
def test_every_detection_is_masked_or_listed_for_review_and_every_sure_one_is_masked(
    rows: list[tuple[float, ...]],
) -> None:
    faces, review = track(found(*rows), body(range(41), 300, 240))
    listed = [
        range(first, last + 1)
        for kind, first, last in zip(review["kind"], review["first_frame"], review["last_frame"], strict=True)
        if kind == "not_masked"
    ]
    for frame, x, y, width, height, score in rows:
        right, bottom = min(x + width, SIZE[0]), min(y + height, SIZE[1])
        hidden = masked(faces, int(frame), (x, y, max(right - x, 0.1), max(bottom - y, 0.1)))
        assert hidden or (score < 0.9 and any(frame in frames for frames in listed))


@pytest.mark.parametrize("n_frames", [1, 2, 60])
def test_no_mask_lies_beyond_the_video(n_frames: int) -> None:
    faces, _ = track(found((0, 100, 100, 40, 40, 0.9)), body(range(1), 300, 240), n_frames)
    assert faces["frame"].between(0, n_frames - 1).all()


def test_a_bare_chest_is_no_face_for_it_is_larger_than_its_head() -> None:
    rows = [(frame, 270, 180, 60, 70, 0.8) for frame in range(20)]
    faces, review = track(found(*rows), body(range(60), 300, 240))
    assert (faces["origin"] == "pose").all()
    assert review["kind"].tolist() == ["not_masked", "no_face"]
    assert review.loc[0, ["first_frame", "last_frame"]].tolist() == [0, 19]


def kicking(frames: range) -> pd.DataFrame:
    """Return somebody whose left knee swings to and fro."""
    table = body(frames, 300, 240)
    knee = table["keypoint"] == "LKnee"
    table.loc[knee, "x_px"] += 40 * np.sin(table.loc[knee, "frame"] / 5)
    return table


def test_what_keeps_to_a_swinging_knee_is_no_face_and_listed() -> None:
    people = kicking(range(60))
    knees = people.loc[people["keypoint"] == "LKnee", ["x_px", "y_px"]].to_numpy()
    at_knee = [(frame, x - 10, y - 12, 20, 24, 0.8) for frame, (x, y) in enumerate(knees)]
    faces, review = track(found(*at_knee), people)
    assert (faces["origin"] == "pose").all()
    assert review.loc[0, ["kind", "first_frame", "last_frame"]].tolist() == ["not_masked", 0, 59]
    assert "knee" in review.loc[0, "reason"]


def test_a_face_that_a_knee_swings_past_or_that_the_detector_is_sure_of_is_masked() -> None:
    people = kicking(range(60))
    knees = people.loc[people["keypoint"] == "LKnee", ["x_px", "y_px"]].to_numpy()
    still = [(frame, 305, 278, 20, 24, 0.8) for frame in range(60)]
    sure = [(frame, x - 10, y - 12, 20, 24, 0.92) for frame, (x, y) in enumerate(knees)]
    for rows in (still, sure):
        faces, _ = track(found(*rows), people)
        for frame, x, y, width, height, _ in rows:
            assert masked(faces, frame, (x, y, width, height))


def test_a_large_spot_on_a_body_whose_head_is_not_placed_is_masked() -> None:
    rows = [(frame, 270, 225, 60, 50, 0.8) for frame in range(20)]
    legs = body(range(60), 300, 240, unseen=(*HEAD, "Neck", "LShoulder", "RShoulder", "LElbow", "RElbow"))
    faces, _ = track(found(*rows), legs)
    for frame in range(20):
        assert masked(faces, frame, (270, 225, 60, 50))


def test_a_head_in_the_corner_of_another_mask_gets_its_own() -> None:
    """The corner of the square is not under the ellipse that is drawn."""
    rows = [(frame, 400, 200, 150, 150, 0.95) for frame in range(60)]
    people = body(range(60), 370, 270)  # the head is near (370, 180), the square begins at (355, 155)
    faces, _ = track(found(*rows), people)
    assert (faces["origin"] == "pose").sum() == 60


def test_a_person_of_whom_nothing_is_placed_is_listed_for_review() -> None:
    nothing = body(range(10), 300, 240, unseen=tuple(STANDING))
    faces, review = track(found(), nothing)
    assert faces.empty
    assert review["kind"].tolist() == ["not_masked"]
    assert review[["first_frame", "last_frame"]].to_numpy().tolist() == [[0, 9]]


# ---------------------------------------------------------------------------------------------------------------- cuts


def test_nothing_is_bridged_or_held_over_a_cut() -> None:
    rows = [(frame, 100, 100, 40, 40, 0.9) for frame in [*range(5, 20), *range(24, 40)]]
    faces, review = track(found(*rows), cuts=(22,))
    for number, first, last in ((0, 0, 21), (1, 22, 54)):
        assert faces.loc[faces["track"] == number, "frame"].tolist() == list(range(first, last + 1))
    assert review.loc[review["kind"] == "cut", "frame"].tolist() == [22]


def test_what_moves_towards_a_cut_is_not_drawn_to_what_follows_it() -> None:
    rows = [(frame, 100, 100, 40, 40, 0.9) for frame in range(10, 20)]
    elsewhere = [(frame, 400, 300, 40, 40, 0.9) for frame in range(22, 30)]
    faces, _ = track(found(*rows, *elsewhere), cuts=(21,))
    assert (faces.loc[faces["frame"] <= 20, "x_px"] < 150).all()
    assert (faces.loc[faces["frame"] >= 21, "x_px"] > 300).all()


def test_a_head_is_not_held_over_a_cut() -> None:
    faces, _ = track(found(), body(range(20), 300, 240), cuts=(25,))
    assert faces["frame"].tolist() == list(range(25))


# ------------------------------------------------------------------------------------------------- faces on their heads


def swinging(frames: range) -> pd.DataFrame:
    """Return somebody who sways to the right and back again."""
    return together(*(body(range(n, n + 1), 300 + 90 * np.sin(np.pi * n / 36), 240) for n in frames))


def test_a_face_that_is_lost_stays_on_the_head_of_its_person_wherever_that_moves() -> None:
    def face(frame: int) -> tuple[float, float, float, float]:
        return 288 + 90 * np.sin(np.pi * frame / 36), 138, 24, 26

    seen = [*range(4), *range(33, 37)]
    faces, _ = track(found(*((frame, *face(frame), 0.9) for frame in seen)), swinging(range(37)), 37)
    assert set(faces["origin"]) == {"detected", "interpolated"}
    for frame in range(37):
        assert masked(faces, frame, face(frame))
    straight, _ = track(found(*((frame, *face(frame), 0.9) for frame in seen)), n_frames=37)
    assert not masked(straight, 18, face(18))


def test_the_mask_of_a_face_is_never_smaller_than_the_enlarged_detection() -> None:
    random = np.random.default_rng(1)
    boxes = np.column_stack(
        [288 + random.normal(0, 3, 60), 138 + random.normal(0, 3, 60), random.uniform(18, 30, (60, 2))]
    )
    faces, _ = track(found(*((frame, *box, 0.9) for frame, box in enumerate(boxes))), body(range(60), 300, 240))
    for frame, box in enumerate(enlarge(boxes, SETTINGS["enlarge"])):
        assert masked(faces, frame, tuple(box))


def test_every_head_has_one_face_and_a_spot_of_another_size_is_none_of_it() -> None:
    head = Track(np.array([0]), np.array([[280.0, 130, 40, 40]]), np.ones(1), np.zeros(1, bool), 4)
    rows = [
        (0, 289, 137, 24, 26, 0.5), (0, 286, 141, 24, 26, 0.9), (0, 298, 148, 5, 5, 0.9), (0, 270, 120, 60, 60, 0.9),
        (0, 330, 137, 24, 26, 0.9), (1, 289, 137, 24, 26, 0.9),
    ]  # fmt: skip
    assert linking.owners(found(*rows), {4: head}).tolist() == [4, -1, -1, -1, -1, -1]


def test_a_head_beside_the_mask_of_its_sure_face_needs_no_mask_of_its_own() -> None:
    """The skeleton misplaces a head by a third of it; where the detector is unsure, both are masked."""
    for score, origins in ((0.9, {"detected"}), (0.5, {"detected", "pose"})):
        rows = [(frame, 297, 138, 24, 26, score) for frame in range(60)]
        assert set(track(found(*rows), body(range(60), 300, 240))[0]["origin"]) == origins


# ------------------------------------------------------------------------------------------------------------ phantoms

LARGE = body(range(60), 300, 240, scale=2.0)  # the head near (300, 60), the trunk from 110 to 240
PHANTOM_HEAD = (283, 209, 34, 18)


def phantom(scale: float = 1.4, x: float = 300, y: float = 340, frames: range = range(60)) -> pd.DataFrame:
    return body(frames, x, y, person=1, scale=scale)


def test_a_skeleton_within_another_one_is_not_masked_and_listed() -> None:
    faces, review = track(found(), together(LARGE, phantom()))
    assert set(faces["person"]) == {0}
    assert set(faces["frame"]) == set(range(60))
    row = review[review["kind"] == "not_masked"]
    assert row[["first_frame", "last_frame", "person"]].to_numpy().tolist() == [[0, 59, 1]]
    assert row["reason"].tolist() == [review_flags.REASONS["phantom"]]


def test_a_child_in_somebodys_arms_is_masked() -> None:
    faces, review = track(found(), together(LARGE, phantom(1.0, y=300)))
    assert set(faces.loc[faces["person"] == 1, "frame"]) == set(range(60))
    assert set(review["kind"]) == {"no_face"}


def test_a_skeleton_within_another_one_is_masked_when_its_face_is_once_found() -> None:
    faces, _ = track(found((30, 283, 196, 34, 36, 0.5)), together(LARGE, phantom()))
    for frame in range(60):
        assert masked(faces, frame, PHANTOM_HEAD)


def test_two_people_who_embrace_are_both_masked() -> None:
    faces, review = track(found(), together(LARGE, phantom(2.0, 330, 250)))
    for frame in range(60):
        assert masked(faces, frame, (280, 40, 40, 40))
        assert masked(faces, frame, (310, 50, 40, 40))
    assert set(review["kind"]) == {"no_face"}


def test_knuckles_change_no_mask() -> None:
    plain, faces = together(LARGE, phantom()), found((30, 283, 196, 34, 36, 0.5))
    for with_hands, without in zip(track(faces, with_knuckles(plain)), track(faces, plain), strict=True):
        pd.testing.assert_frame_equal(with_hands, without)


def test_somebody_who_passes_in_front_of_another_is_no_phantom() -> None:
    passing = body(range(60), 80, 340, person=1, scale=1.4, step=8)
    faces, _ = track(found(), together(LARGE, passing))
    for frame in range(60):
        assert masked(faces, frame, (80 + 8 * frame - 16, 209, 32, 18))


# --------------------------------------------------------------------------------------------------- heads from behind


def back(frames: range) -> pd.DataFrame:
    return body(frames, 300, 240, pose=BACK)


def test_a_head_seen_from_behind_throughout_is_listed_or_masked_as_configured() -> None:
    faces, review = track(found(), back(range(60)))
    assert faces.empty
    assert review["kind"].tolist() == ["not_masked"]
    assert review.loc[0, ["first_frame", "last_frame"]].tolist() == [0, 59]
    assert review.loc[0, "reason"] == review_flags.REASONS["back"]
    faces, review = track(found(), back(range(60)), heads_from_behind="always")
    assert faces["frame"].tolist() == list(range(60))
    assert review["kind"].tolist() == ["no_face"]


def test_a_head_seen_from_behind_is_masked_near_the_time_at_which_its_face_shows() -> None:
    person = together(body(range(60), 300, 240), back(range(60, 240)))
    faces, review = track(found(), person, 240, near_s=1.0)
    # Up to frame 64 the skeleton has not shown its back for long enough.
    assert faces["frame"].tolist() == list(range(64 + 30 + 1))
    listed = review[review["kind"] == "not_masked"]
    assert listed[["first_frame", "last_frame"]].to_numpy().tolist() == [[95, 239]]
    assert track(found(), person, 240, near_s=6.0)[0]["frame"].tolist() == list(range(240))


def test_a_face_that_is_found_on_a_back_shows_that_it_is_none() -> None:
    faces, _ = track(found((100, 288, 138, 24, 26, 0.9)), back(range(200)), 200, near_s=1.0)
    assert set(faces["frame"]) == set(range(70, 131))


def test_a_face_in_another_shot_is_not_near() -> None:
    person = together(body(range(60), 300, 240), back(range(60, 120)))
    faces, _ = track(found(), person, 120, cuts=(66,))
    assert faces["frame"].tolist() == list(range(66))


# ---------------------------------------------------------------------------------------------------------- fail closed


def test_somebody_whose_head_is_not_placed_for_long_keeps_a_mask_in_every_frame() -> None:
    gone = body(range(20, 150), 300, 240, unseen=tuple(STANDING))
    faces, review = track(found(), together(body(range(20), 300, 240), gone, body(range(150, 160), 300, 240)), 160)
    assert set(faces["frame"]) == set(range(160))
    assert not (review["kind"] == "not_masked").any()
    for frame in range(160):
        assert masked(faces, frame, (288, 136, 24, 28))


def test_somebody_seen_from_the_hips_down_for_a_while_is_masked_there_and_where_the_head_was() -> None:
    above = tuple(name for name in STANDING if STANDING[name][1] < 0)
    faces, review = track(
        found(), together(body(range(20), 300, 240), body(range(20, 120), 300, 240, unseen=above)), 120
    )
    for frame in range(20, 120):
        assert masked(faces, frame, (288, 136, 24, 28))
        assert masked(faces, frame, (290, 230, 20, 20))
    assert "no_head" in set(review["kind"])


def test_somebody_of_whom_nothing_is_placed_in_a_whole_shot_is_listed_there() -> None:
    gone = body(range(30, 60), 300, 240, unseen=tuple(STANDING))
    faces, review = track(found(), together(body(range(30), 300, 240), gone), cuts=(30,))
    assert faces["frame"].tolist() == list(range(30))
    listed = review[review["kind"] == "not_masked"]
    assert listed[["first_frame", "last_frame", "person"]].to_numpy().tolist() == [[30, 59, 0]]


def test_every_pattern_that_is_not_masked_is_listed_by_itself() -> None:
    """A bare chest each on two people, one after the other: both regions are to be looked at."""
    people = together(body(range(60), 150, 240, 0), body(range(60), 450, 240, 1))
    rows = [(frame, 120, 180, 60, 70, 0.8) for frame in range(20)]
    rows += [(frame, 420, 180, 60, 70, 0.7) for frame in range(10, 30)]
    _, review = track(found(*rows), people)
    listed = review[review["kind"] == "not_masked"]
    assert listed[["first_frame", "last_frame"]].to_numpy().tolist() == [[0, 19], [10, 29]]
    assert listed["x_px"].tolist() == [120, 420]
