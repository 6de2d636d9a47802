import itertools
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deidpose import skeleton, tables, tracking
from deidpose.faces import covered_share

SETTINGS = {
    "track_score": 0.6, "max_gap_s": 1.0, "hold_s": 0.5, "enlarge": 1.6, "heads_from_behind": "near", "near_s": 5.0
}  # fmt: skip
SIZE = (640, 480)

#: Somebody standing upright, 200 pixels tall, as offsets from the hip.
STANDING = {
    "Nose": (0, -90), "REye": (-3, -93), "LEye": (3, -93), "REar": (-7, -91), "LEar": (7, -91), "Neck": (0, -65),
    "RShoulder": (-22, -65), "LShoulder": (22, -65), "RElbow": (-28, -30), "LElbow": (28, -30), "RWrist": (-30, 2),
    "LWrist": (30, 2), "MidHip": (0, 0), "RHip": (-14, 0), "LHip": (14, 0), "RKnee": (-15, 50), "LKnee": (15, 50),
    "RAnkle": (-15, 98), "LAnkle": (15, 98),
}  # fmt: skip
HEAD = ("Nose", "REye", "LEye", "REar", "LEar")


def found(*rows: tuple[float, ...]) -> pd.DataFrame:
    return tables.check(pd.DataFrame(rows, columns=list(tables.TABLES["detections"])), "detections")


def body(
    frames: range, x: float, y: float, person: int = 0, unseen: tuple[str, ...] = (), step: float = 0.0
) -> pd.DataFrame:
    rows = []
    for frame in frames:
        for name in skeleton.BODY_25:
            seen = name in STANDING and name not in unseen
            right, down = STANDING[name] if seen else (np.nan, np.nan)
            rows.append((frame, frame / 30, person, name, x + right + step * frame, y + down, 0.9))
    return pd.DataFrame(rows, columns=list(tables.TABLES["keypoints"]))


NOBODY = tables.empty("keypoints")


def track(
    given_faces: pd.DataFrame,
    keypoints: pd.DataFrame = NOBODY,
    n_frames: int = 60,
    cuts: tuple[int, ...] = (),
    **settings: Any,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    tracked = tracking.track_faces(
        given_faces, keypoints, shots_at(*cuts), n_frames, 30.0, SIZE, {**SETTINGS, **settings}
    )
    return tracked.faces, tracked.review


def shots_at(*cuts: int) -> pd.DataFrame:
    return pd.DataFrame({"frame": np.array(cuts, int)})


def linked(table: pd.DataFrame, max_gap: int, n_frames: int = 100) -> list[tracking.Track]:
    """Return the tracks of detections that belong to nobody."""
    shots = tracking.Shots(np.array([], int), n_frames)
    return tracking.join(tracking.link(table, np.full(len(table), -1), shots, min(max_gap, 2)), shots, max_gap)


def masked(faces: pd.DataFrame, frame: int, box: tuple[float, float, float, float]) -> bool:
    """Return whether one region of the frame covers the whole box."""
    rows = faces.loc[faces["frame"] == frame, ["x_px", "y_px", "width_px", "height_px"]].to_numpy(float)
    return bool(len(rows)) and bool(covered_share(np.array([box], float), rows).max() > 0.999)


# ---------------------------------------------------------------------------------------------------------- linking

some_faces = st.lists(
    st.tuples(
        st.integers(0, 40), st.floats(0, 600), st.floats(0, 400), st.floats(5, 80), st.floats(5, 80), st.floats(0.3, 1)
    ),
    max_size=40,
)


@given(some_faces, st.integers(0, 30))
def test_every_detection_is_in_exactly_one_track(rows: list[tuple[float, ...]], max_gap: int) -> None:
    tracks = linked(found(*rows), max_gap)
    members = [(frame, *box) for t in tracks for frame, box in zip(t.frames, t.boxes, strict=True)]
    assert sorted(members) == sorted(row[:5] for row in rows)
    for t in tracks:
        assert (np.diff(t.frames) >= 1).all()
        assert (np.diff(t.frames) <= max_gap + 1).all()


def test_two_faces_that_cross_keep_their_identities() -> None:
    rows = []
    for frame in range(30):
        rows += [(frame, 100 + 10 * frame, 100, 40, 50, 0.9), (frame, 400 - 10 * frame, 104, 40, 50, 0.9)]
    tracks = linked(found(*rows), 30)
    assert len(tracks) == 2
    for t in tracks:
        steps = np.diff(t.boxes[:, 0])
        assert len(t.frames) == 30
        assert (steps == steps[0]).all()


def test_two_faces_that_cross_while_both_are_hidden_keep_their_identities() -> None:
    rows = []
    for frame in [*range(13), *range(17, 30)]:
        rows += [(frame, 100 + 10 * frame, 100, 40, 50, 0.9), (frame, 400 - 10 * frame, 104, 40, 50, 0.9)]
    tracks = linked(found(*rows), 30)
    assert sorted(t.boxes[-1, 0] - t.boxes[0, 0] for t in tracks) == [-290, 290]


def test_a_far_jump_or_a_sudden_growth_is_another_face() -> None:
    assert len(linked(found((0, 100, 100, 40, 40, 0.9), (1, 400, 100, 40, 40, 0.9)), 30)) == 2
    assert len(linked(found((0, 100, 100, 20, 20, 0.9), (1, 90, 90, 60, 60, 0.9)), 30)) == 2
    assert len(linked(found((0, 100, 100, 40, 40, 0.9), (1, 110, 100, 44, 44, 0.9)), 30)) == 1


# ---------------------------------------------------------------------------------------------------------- filling


@given(
    frames=st.sets(st.integers(0, 99), min_size=1, max_size=20),
    max_gap=st.integers(0, 30),
    hold=st.integers(0, 20),
    seed=st.integers(0, 1000),
)
def test_filling_leaves_no_gap_that_it_should_bridge_and_moves_no_detection(
    frames: set[int], max_gap: int, hold: int, seed: int
) -> None:
    known = np.array(sorted(frames))
    boxes = np.random.default_rng(seed).uniform(1, 100, (len(known), 4))
    given_track = tracking.Track(known, boxes, np.full(len(known), 0.8), np.ones(len(known), bool))
    filled = tracking.fill(given_track, None, tracking.Shots(np.array([], int), 100), max_gap, hold)
    covered = set(filled.frames.tolist())
    assert (np.diff(filled.frames) > 0).all()
    for before, after in itertools.pairwise(known):
        if after - before - 1 <= max_gap:
            assert covered >= set(range(before, after))
        else:  # too long to know where the face was: each end is held
            assert covered >= set(range(before, min(before + hold, after) + 1))
            assert covered >= set(range(max(after - hold, before), after + 1))
    assert covered >= {max(0, known[0] - hold), min(99, known[-1] + hold)}
    assert min(covered) >= max(0, known[0] - hold)
    assert max(covered) <= min(99, known[-1] + hold)
    np.testing.assert_array_equal(filled.frames[filled.detected], known)
    np.testing.assert_allclose(filled.boxes[filled.detected], boxes)


def test_a_gap_is_bridged_along_a_straight_line() -> None:
    two = tracking.Track(
        np.array([10, 20]), np.array([[0.0, 0, 10, 10], [100, 50, 20, 10]]), np.ones(2), np.ones(2, bool)
    )
    filled = tracking.fill(two, None, tracking.Shots(np.array([], int), 100), 10, 0)
    np.testing.assert_allclose(filled.boxes[filled.frames == 15][0], [50, 25, 15, 10])


# ------------------------------------------------------------------------------------------------------- what is masked


def test_a_face_is_masked_in_every_frame_from_before_it_is_found_until_after() -> None:
    rows = [(frame, 100 + frame, 100, 40, 40, 0.9) for frame in (20, 21, 22, 30, 31)]
    faces, review = track(found(*rows))
    assert faces["frame"].tolist() == list(range(20 - 15, 31 + 15 + 1))
    assert faces.loc[faces["frame"].isin([20, 21, 22, 30, 31]), "origin"].eq("detected").all()
    assert faces.loc[faces["frame"].between(23, 29), "origin"].eq("interpolated").all()
    assert set(review["kind"]) == {"unsupported"}
    for frame, x, y, width, height, _ in rows:
        assert masked(faces, frame, (x, y, width, height))


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


def test_an_unsure_spot_away_from_everybody_is_masked_and_held_only_if_it_lasts() -> None:
    brief, lasting = ([(frame, 50, 50, 30, 30, 0.4) for frame in range(20, 20 + count)] for count in (2, 8))
    assert track(found(*brief))[0]["frame"].tolist() == [20, 21]
    assert track(found(*lasting))[0]["frame"].tolist() == list(range(20 - 15, 27 + 15 + 1))


def test_two_people_side_by_side_are_both_masked_in_every_frame() -> None:
    people = pd.concat([body(range(60), 150, 240, 0, step=2), body(range(60), 450, 240, 1, step=-2)])
    people = people.sort_values(["frame", "person"], kind="stable")
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
    detections: pd.DataFrame, keypoints: pd.DataFrame, tracked: tracking.Tracked
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
