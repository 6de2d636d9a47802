import itertools
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bodies import BACK, HEAD, STANDING, body, together
from deidpose import doubts, tables, tracking
from deidpose.faces import covered_share, enlarge

SETTINGS = {
    "track_score": 0.6, "max_gap_s": 1.0, "hold_s": 0.5, "enlarge": 1.6, "heads_from_behind": "near", "near_s": 5.0
}  # fmt: skip
SIZE = (640, 480)


def found(*rows: tuple[float, ...]) -> pd.DataFrame:
    return tables.check(pd.DataFrame(rows, columns=list(tables.TABLES["detections"])), "detections")


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


def piece(
    frames: range, x: float, step: float = 0.0, person: int = -1, side: float = 40.0, y: float = 100.0
) -> tracking.Track:
    """Return a track that moves to the right."""
    n = len(frames)
    boxes = np.column_stack([x + step * np.arange(n), np.full(n, y), np.full((n, 2), side)])
    return tracking.Track(np.array(frames), boxes, np.full(n, 0.9), np.ones(n, bool), person)


def joined(*pieces: tracking.Track, max_gap: int = 30, cuts: tuple[int, ...] = ()) -> list[list[tuple[int, float]]]:
    """Return for every joined track the first frame and the first x of the pieces in it."""
    starts = {(int(part.frames[0]), float(part.boxes[0, 0])) for part in pieces}
    tracks = tracking.join(list(pieces), tracking.Shots(np.array(cuts, int), 200), max_gap)
    members = [zip(t.frames.tolist(), t.boxes[:, 0].tolist(), strict=True) for t in tracks]
    return [[member for member in track if member in starts] for track in members]


def test_ends_and_beginnings_are_matched_all_at_once_and_not_the_nearest_first() -> None:
    """The second face ends nearest to where the third begins; but then the first would lead nowhere."""
    first, second = piece(range(11), 100), piece(range(13), 130)
    third, fourth = piece(range(20, 30), 118), piece(range(21, 31), 155)
    assert joined(first, second, third, fourth) == [[(0, 100), (20, 118)], [(0, 130), (21, 155)]]


def test_three_faces_that_cross_while_all_are_hidden_keep_their_identities() -> None:
    rows = []
    for frame in [*range(15), *range(22, 40)]:
        for x, step in ((100, 8), (240, 0), (380, -8)):
            rows.append((frame, x + step * frame, 100, 40, 50, 0.9))
    tracks = linked(found(*rows), 30)
    assert sorted(t.boxes[-1, 0] - t.boxes[0, 0] for t in tracks) == [-8 * 39, 0, 8 * 39]


def test_a_face_is_joined_over_a_gap_only_to_one_about_as_large_where_it_was_heading() -> None:
    before = piece(range(11), 100, 2)
    there = 100 + 2 * 10 + 2 * tracking._STEADY_FRAMES
    assert len(joined(before, piece(range(18, 30), there, 2))) == 1
    assert len(joined(before, piece(range(18, 30), there + 60, 2))) == 2
    assert len(joined(before, piece(range(18, 30), there, 2, side=80, y=80))) == 2


def test_no_gap_longer_than_allowed_is_joined() -> None:
    before, after = piece(range(11), 100), piece(range(31, 40), 100)
    assert len(joined(before, after, max_gap=20)) == 1
    assert len(joined(before, after, max_gap=19)) == 2


def test_faces_of_one_person_are_joined_however_they_have_moved() -> None:
    assert len(joined(piece(range(11), 100, person=3), piece(range(20, 30), 500, person=3, side=90))) == 1
    assert len(joined(piece(range(11), 100, person=3), piece(range(20, 30), 500, person=-1, side=90))) == 2


def test_faces_of_two_people_are_never_joined() -> None:
    assert len(joined(piece(range(11), 100, person=0), piece(range(12, 30), 100, person=1))) == 2


def test_faces_of_two_people_are_not_joined_by_way_of_a_face_that_is_nobodys() -> None:
    parts = [piece(range(10), 100, person=0), piece(range(15, 20), 100), piece(range(25, 30), 100, person=1)]
    assert joined(*parts) == [[(0, 100), (15, 100)], [(25, 100)]]
    again = parts[2]._replace(person=0)
    assert len(joined(*parts[:2], again)) == 1


@given(
    st.lists(
        st.tuples(st.integers(0, 40), st.integers(0, 100), st.integers(-1, 2)),
        max_size=10,
        unique_by=lambda row: row[:2],
    ),
    st.sets(st.integers(1, 40), max_size=2),
)
def test_joining_loses_nothing_and_never_mixes_people_or_shots(
    rows: list[tuple[int, int, int]], cuts: set[int]
) -> None:
    shots = tracking.Shots(np.array(sorted(cuts), int), 100)
    parts = [piece(range(start, start + 1), x, person=person) for start, x, person in rows]
    tracks = tracking.join(parts, shots, 10)
    kept = sorted((int(f), float(b[0])) for t in tracks for f, b in zip(t.frames, t.boxes, strict=True))
    assert kept == sorted((start, float(x)) for start, x, _ in rows)
    people = {(start, float(x)): person for start, x, person in rows}
    for t in tracks:
        assert (np.diff(t.frames) >= 1).all()
        assert len(set(shots.of(t.frames).tolist())) == 1
        inside = {people[int(f), float(b[0])] for f, b in zip(t.frames, t.boxes, strict=True)} - {-1}
        assert len(inside) <= 1
        assert t.person in {*inside, -1}


def test_linking_ends_at_a_cut() -> None:
    shots = tracking.Shots(np.array([10]), 20)
    table = found(*((frame, 100, 100, 40, 40, 0.9) for frame in range(20)))
    tracks = tracking.link(table, np.full(20, -1), shots, 2)
    assert [t.frames.tolist() for t in tracks] == [list(range(10)), list(range(10, 20))]


def test_a_shot_begins_with_a_cut_and_cuts_outside_the_video_are_none() -> None:
    shots = tracking.Shots(np.array([0, 10, 10, 25, 60]), 60)
    assert shots.of(np.array([0, 9, 10, 24, 25, 59])).tolist() == [0, 0, 1, 1, 2, 2]
    assert [shots.span(frame) for frame in (0, 9, 10, 59)] == [(0, 9), (0, 9), (10, 24), (25, 59)]


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


@given(
    frames=st.sets(st.integers(0, 99), min_size=1, max_size=20),
    cuts=st.sets(st.integers(1, 99), max_size=4),
    max_gap=st.integers(0, 30),
    hold=st.integers(0, 20),
    seed=st.integers(0, 1000),
)
def test_every_shot_is_filled_as_if_there_were_no_other(
    frames: set[int], cuts: set[int], max_gap: int, hold: int, seed: int
) -> None:
    known = np.array(sorted(frames))
    boxes = np.random.default_rng(seed).uniform(1, 100, (len(known), 4))
    track = tracking.Track(known, boxes, np.full(len(known), 0.8), np.ones(len(known), bool))
    shots = tracking.Shots(np.array(sorted(cuts), int), 100)
    filled = tracking.soften(tracking.fill(track, None, shots, max_gap, hold), shots, 2)
    for start, end in itertools.pairwise([0, *sorted(cuts), 100]):
        here = (known >= start) & (known < end)
        inside = (filled.frames >= start) & (filled.frames < end)
        if not here.any():
            assert not inside.any()
            continue
        alone = tracking.Track(known[here] - start, boxes[here], np.full(here.sum(), 0.8), np.ones(here.sum(), bool))
        whole = tracking.Shots(np.array([], int), end - start)
        alone = tracking.soften(tracking.fill(alone, None, whole, max_gap, hold), whole, 2)
        np.testing.assert_array_equal(filled.frames[inside], alone.frames + start)
        np.testing.assert_allclose(filled.boxes[inside], alone.boxes)


def test_what_is_held_reaches_from_where_the_face_was_to_where_it_was_going() -> None:
    for step in (6.0, -6.0):
        track = piece(range(20, 31), 300, step)
        filled = tracking.fill(track, None, tracking.Shots(np.array([], int), 100), 30, 15)
        for beyond in range(1, 16):
            moved = step * min(beyond, 5)
            for frame, x, way in ((30 + beyond, 300 + 10 * step, moved), (20 - beyond, 300, -moved)):
                box = filled.boxes[filled.frames == frame][0]
                assert box.tolist() == pytest.approx([min(x, x + way), 100, 40 + abs(way), 40])


def test_what_is_held_reaches_no_further_than_one_side_of_the_box() -> None:
    filled = tracking.fill(piece(range(20, 25), 100, 60), None, tracking.Shots(np.array([], int), 100), 30, 15)
    assert filled.boxes[-1].tolist() == pytest.approx([340, 100, 80, 40])


@given(
    frames=st.sets(st.integers(0, 60), min_size=1, max_size=40),
    cuts=st.sets(st.integers(1, 60), max_size=3),
    soft=st.integers(0, 6),
    seed=st.integers(0, 1000),
)
def test_a_soft_mask_holds_every_box_that_it_is_made_of(frames: set[int], cuts: set[int], soft: int, seed: int) -> None:
    known = np.array(sorted(frames))
    boxes = np.random.default_rng(seed).uniform(1, 100, (len(known), 4))
    track = tracking.Track(known, boxes, np.full(len(known), 0.8), np.ones(len(known), bool))
    softened = tracking.soften(track, tracking.Shots(np.array(sorted(cuts), int), 61), soft)
    assert (softened.boxes[:, :2] <= boxes[:, :2] + 1e-9).all()
    assert (softened.boxes[:, :2] + softened.boxes[:, 2:] >= boxes[:, :2] + boxes[:, 2:] - 1e-9).all()
    np.testing.assert_array_equal(softened.frames, known)


@pytest.mark.parametrize("step", [0.5, 4.0, 24.0])
def test_a_soft_mask_of_a_face_that_moves_steadily_is_hardly_larger_than_the_face(step: float) -> None:
    softened = tracking.soften(piece(range(60), 100, step), tracking.Shots(np.array([], int), 60), 2)
    assert (softened.boxes[:, 2:] <= 40 * 1.05).all()


def test_a_soft_mask_trembles_less_than_the_boxes_it_is_made_of() -> None:
    track = piece(range(60), 100, 3)
    track.boxes[:, :2] += np.random.default_rng(1).normal(0, 2, (60, 2))
    softened = tracking.soften(track, tracking.Shots(np.array([], int), 60), 2)
    for edge in (softened.boxes[:, 0], softened.boxes[:, 0] + softened.boxes[:, 2]):
        assert np.abs(np.diff(edge, 2)).mean() < 0.4 * np.abs(np.diff(track.boxes[:, 0], 2)).mean()


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
    expected = [] if is_masked else [[20, 29, doubts.REASONS["glimpse"]]]
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
    head = tracking.Track(np.array([0]), np.array([[280.0, 130, 40, 40]]), np.ones(1), np.zeros(1, bool), 4)
    rows = [
        (0, 289, 137, 24, 26, 0.5), (0, 286, 141, 24, 26, 0.9), (0, 298, 148, 5, 5, 0.9), (0, 270, 120, 60, 60, 0.9),
        (0, 330, 137, 24, 26, 0.9), (1, 289, 137, 24, 26, 0.9),
    ]  # fmt: skip
    assert tracking.owners(found(*rows), {4: head}).tolist() == [4, -1, -1, -1, -1, -1]


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
    assert row["reason"].tolist() == [doubts.REASONS["phantom"]]


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
    assert review.loc[0, "reason"] == doubts.REASONS["back"]
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
