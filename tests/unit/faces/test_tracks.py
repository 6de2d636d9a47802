import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deidpose.faces.tracks import Shots, Track, fill, join, link, soften
from fixtures.bodies import found, some_faces


def linked(table: pd.DataFrame, max_gap: int, n_frames: int = 100) -> list[Track]:
    """Return the tracks of detections that belong to nobody."""
    shots = Shots(np.array([], int), n_frames)
    return join(link(table, np.full(len(table), -1), shots, min(max_gap, 2)), shots, max_gap)


# ---------------------------------------------------------------------------------------------------------- linking


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


def piece(frames: range, x: float, step: float = 0.0, person: int = -1, side: float = 40.0, y: float = 100.0) -> Track:
    """Return a track that moves to the right."""
    n = len(frames)
    boxes = np.column_stack([x + step * np.arange(n), np.full(n, y), np.full((n, 2), side)])
    return Track(np.array(frames), boxes, np.full(n, 0.9), np.ones(n, bool), person)


def joined(*pieces: Track, max_gap: int = 30, cuts: tuple[int, ...] = ()) -> list[list[tuple[int, float]]]:
    """Return for every joined track the first frame and the first x of the pieces in it."""
    starts = {(int(part.frames[0]), float(part.boxes[0, 0])) for part in pieces}
    tracks = join(list(pieces), Shots(np.array(cuts, int), 200), max_gap)
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
    there = 100 + 2 * 10 + 2 * 5
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
    shots = Shots(np.array(sorted(cuts), int), 100)
    parts = [piece(range(start, start + 1), x, person=person) for start, x, person in rows]
    tracks = join(parts, shots, 10)
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
    shots = Shots(np.array([10]), 20)
    table = found(*((frame, 100, 100, 40, 40, 0.9) for frame in range(20)))
    tracks = link(table, np.full(20, -1), shots, 2)
    assert [t.frames.tolist() for t in tracks] == [list(range(10)), list(range(10, 20))]


def test_a_shot_begins_with_a_cut_and_cuts_outside_the_video_are_none() -> None:
    shots = Shots(np.array([0, 10, 10, 25, 60]), 60)
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
    given_track = Track(known, boxes, np.full(len(known), 0.8), np.ones(len(known), bool))
    filled = fill(given_track, None, Shots(np.array([], int), 100), max_gap, hold)
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
    two = Track(np.array([10, 20]), np.array([[0.0, 0, 10, 10], [100, 50, 20, 10]]), np.ones(2), np.ones(2, bool))
    filled = fill(two, None, Shots(np.array([], int), 100), 10, 0)
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
    track = Track(known, boxes, np.full(len(known), 0.8), np.ones(len(known), bool))
    shots = Shots(np.array(sorted(cuts), int), 100)
    filled = soften(fill(track, None, shots, max_gap, hold), shots, 2)
    for start, end in itertools.pairwise([0, *sorted(cuts), 100]):
        here = (known >= start) & (known < end)
        inside = (filled.frames >= start) & (filled.frames < end)
        if not here.any():
            assert not inside.any()
            continue
        alone = Track(known[here] - start, boxes[here], np.full(here.sum(), 0.8), np.ones(here.sum(), bool))
        whole = Shots(np.array([], int), end - start)
        alone = soften(fill(alone, None, whole, max_gap, hold), whole, 2)
        np.testing.assert_array_equal(filled.frames[inside], alone.frames + start)
        np.testing.assert_allclose(filled.boxes[inside], alone.boxes)


def test_what_is_held_reaches_from_where_the_face_was_to_where_it_was_going() -> None:
    for step in (6.0, -6.0):
        track = piece(range(20, 31), 300, step)
        filled = fill(track, None, Shots(np.array([], int), 100), 30, 15)
        for beyond in range(1, 16):
            moved = step * min(beyond, 5)
            for frame, x, way in ((30 + beyond, 300 + 10 * step, moved), (20 - beyond, 300, -moved)):
                box = filled.boxes[filled.frames == frame][0]
                assert box.tolist() == pytest.approx([min(x, x + way), 100, 40 + abs(way), 40])


def test_what_is_held_reaches_no_further_than_one_side_of_the_box() -> None:
    filled = fill(piece(range(20, 25), 100, 60), None, Shots(np.array([], int), 100), 30, 15)
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
    track = Track(known, boxes, np.full(len(known), 0.8), np.ones(len(known), bool))
    softened = soften(track, Shots(np.array(sorted(cuts), int), 61), soft)
    assert (softened.boxes[:, :2] <= boxes[:, :2] + 1e-9).all()
    assert (softened.boxes[:, :2] + softened.boxes[:, 2:] >= boxes[:, :2] + boxes[:, 2:] - 1e-9).all()
    np.testing.assert_array_equal(softened.frames, known)


@pytest.mark.parametrize("step", [0.5, 4.0, 24.0])
def test_a_soft_mask_of_a_face_that_moves_steadily_is_hardly_larger_than_the_face(step: float) -> None:
    softened = soften(piece(range(60), 100, step), Shots(np.array([], int), 60), 2)
    assert (softened.boxes[:, 2:] <= 40 * 1.05).all()


def test_a_soft_mask_trembles_less_than_the_boxes_it_is_made_of() -> None:
    track = piece(range(60), 100, 3)
    track.boxes[:, :2] += np.random.default_rng(1).normal(0, 2, (60, 2))
    softened = soften(track, Shots(np.array([], int), 60), 2)
    for edge in (softened.boxes[:, 0], softened.boxes[:, 0] + softened.boxes[:, 2]):
        assert np.abs(np.diff(edge, 2)).mean() < 0.4 * np.abs(np.diff(track.boxes[:, 0], 2)).mean()
