"""Who is who between original and method, on people whose identities are known."""

import itertools
from collections.abc import Callable, Sequence
from random import Random

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deidpose import tables
from deidpose.evaluation.identity_switches import compare_identities, headcounts
from deidpose.evaluation.matching import carry, match_people
from deidpose.evaluation.section_search import _best_frames
from deidpose.keypoints import Poses, poses
from deidpose.skeleton import KEYPOINTS
from fixtures.bodies import BACK, STANDING, body, together

TORSO = 65.0  # px, of `STANDING`
Sections = list[tuple[int, int, int, int]]


def matched(original: pd.DataFrame, method: pd.DataFrame) -> pd.DataFrame:
    return match_people(poses(original), poses(method))


def sections(original: pd.DataFrame, method: pd.DataFrame) -> Sections:
    """Return person, method_person, first_frame, last_frame of all sections."""
    found = matched(original, method)
    tables.check(found.assign(method="blur"), "matches")
    return [tuple(row) for row in found.to_numpy().tolist()]


def counted(original: pd.DataFrame, method: pd.DataFrame, patient: int = 0) -> pd.DataFrame:
    """Return the table ``identities``, by person."""
    matches = matched(original, method)
    return compare_identities("v", "blur", poses(original), poses(method), matches, [patient]).set_index(
        "person", drop=False
    )


def heads(original: pd.DataFrame, method: pd.DataFrame) -> pd.Series:
    """Return the row of the table ``headcounts``."""
    return headcounts("v", "blur", poses(original), poses(method), matched(original, method)).iloc[0]


def noisy(table: pd.DataFrame, seed: int = 0, torsos: float = 0.05) -> pd.DataFrame:
    """Move every keypoint at random, by this standard deviation in torso lengths."""
    moved = table.copy()
    moved[["x_px", "y_px"]] += np.random.default_rng(seed).normal(0, torsos * TORSO, (len(table), 2))
    return moved


def without(table: pd.DataFrame, frames: range) -> pd.DataFrame:
    """Leave out these frames."""
    return table[~table["frame"].isin(frames)]


def renumbered(table: pd.DataFrame, number: Callable[[pd.Series, pd.Series], pd.Series]) -> pd.DataFrame:
    """Change the number of everyone by a function of frame and person."""
    return table.assign(person=number(table["frame"], table["person"])).sort_values(["frame", "person"], kind="stable")


def exchanged(table: pd.DataFrame, frames: range) -> pd.DataFrame:
    """Exchange the numbers 0 and 1 in these frames."""
    return renumbered(table, lambda frame, person: person.where(~frame.isin(frames) | (person > 1), 1 - person))


def crossing(seed: int = 0) -> pd.DataFrame:
    """Two people who walk past one another: they meet in frame 150 of 300."""
    return noisy(together(body(range(300), 100, 300, 0, step=2), body(range(300), 700, 300, 1, step=-2)), seed)


def near(found: Sections, wanted: Sections, frames: int) -> bool:
    """Say whether the sections are those wanted, with bounds that are off by at most so many frames."""
    same = len(found) == len(wanted) and all(one[:2] == other[:2] for one, other in zip(found, wanted, strict=True))
    return same and bool((np.abs(np.array(found) - np.array(wanted)) <= frames).all())


def test_people_are_matched_by_where_they_are_not_by_their_number() -> None:
    original = together(body(range(30), 100, 300, 0), body(range(30), 400, 300, 1))
    method = together(body(range(30), 402, 300, 0), body(range(30), 101, 300, 5))
    assert sections(original, method) == [(0, 5, 0, 29), (1, 0, 0, 29)]


def test_a_track_too_far_away_or_without_a_common_frame_matches_nobody() -> None:
    person = body(range(30), 100, 300)
    assert sections(person, body(range(30), 100 + 0.6 * TORSO, 300)) == []
    assert sections(person, body(range(30), 100 + 0.4 * TORSO, 300)) == [(0, 0, 0, 29)]
    assert sections(person, body(range(30, 60), 100, 300)) == []


def test_the_long_track_wins_over_a_chance_encounter_that_is_a_little_nearer() -> None:
    method = together(body(range(100), 105, 300, 0), body(range(50, 51), 101, 300, 1))
    assert sections(body(range(100), 100, 300), method) == [(0, 0, 0, 99)]


def test_somebody_found_again_under_a_new_number_is_not_booked_as_lost_frames() -> None:
    method = together(body(range(40), 100, 300, 3), body(range(45, 100), 100, 300, 1))
    original = body(range(100), 100, 300)
    assert sections(original, method) == [(0, 3, 0, 39), (0, 1, 45, 99)]
    row = counted(original, method).loc[0]
    assert (row["n_both"], row["n_lost"], row["n_tracks"], row["n_switches"]) == (95, 5, 2, 1)


def test_a_track_that_comes_back_under_its_own_number_is_one_section() -> None:
    method = without(body(range(100), 100, 300), range(40, 60))
    original = body(range(100), 100, 300)
    assert sections(original, method) == [(0, 0, 0, 99)]
    row = counted(original, method).loc[0]
    assert (row["n_lost"], row["n_switches"]) == (20, 0)


def test_a_short_track_fills_a_gap_and_counts_as_two_switches() -> None:
    method = together(
        without(body(range(100), 100, 300, 0), range(40, 46)),
        body(range(41, 45), 100, 300, 1),
    )
    original = body(range(100), 100, 300)
    assert sections(original, method) == [(0, 0, 0, 39), (0, 1, 41, 44), (0, 0, 46, 99)]
    row = counted(original, method).loc[0]
    assert (row["n_lost"], row["n_tracks"], row["n_switches"]) == (2, 2, 2)


def test_a_second_skeleton_on_the_same_body_fills_no_single_missing_frames() -> None:
    method = together(
        without(body(range(100), 100, 300, 0), range(0, 100, 5)),
        body(range(100), 100 + 0.3 * TORSO, 300, 1),
    )
    assert sections(body(range(100), 100, 300), method) == [(0, 0, 1, 99)]


def test_an_identity_that_broke_in_the_original_only_loses_gains_and_switches_nothing() -> None:
    original = together(body(range(40), 100, 300, 0), body(range(40, 100), 100, 300, 1))
    method = body(range(100), 100, 300, 7)
    assert sections(original, method) == [(0, 7, 0, 39), (1, 7, 40, 99)]
    assert counted(original, method)[["n_lost", "n_gained", "n_switches"]].to_numpy().sum() == 0


def test_frames_between_two_identities_of_the_original_are_gained_by_the_earlier_one() -> None:
    original = together(body(range(10, 40), 100, 300, 0), body(range(50, 90), 100, 300, 1))
    method = body(range(100), 100, 300, 7)
    assert sections(original, method) == [(0, 7, 0, 49), (1, 7, 50, 99)]
    assert counted(original, method)["n_gained"].tolist() == [20, 10]


def test_identities_that_broke_at_different_times_in_both_are_told_apart() -> None:
    original = together(body(range(40), 100, 300, 0), body(range(40, 100), 100, 300, 1))
    method = together(body(range(70), 100, 300, 0), body(range(70, 100), 100, 300, 1))
    assert sections(original, method) == [(0, 0, 0, 39), (1, 0, 40, 69), (1, 1, 70, 99)]
    assert counted(original, method)["n_switches"].tolist() == [0, 1]


def test_an_exchange_at_a_crossing_is_a_switch_of_both_people() -> None:
    for frame in (135, 150, 165):
        method = exchanged(noisy(crossing(), 1), range(frame, 300))
        wanted = [(0, 0, 0, frame - 1), (0, 1, frame, 299), (1, 1, 0, frame - 1), (1, 0, frame, 299)]
        assert near(sections(crossing(), method), wanted, 4)
        assert counted(crossing(), method)["n_switches"].tolist() == [1, 1]
        assert counted(crossing(), method)["n_lost"].tolist() == [0, 0]


def test_an_exchange_in_the_original_changes_who_is_who_likewise() -> None:
    original = exchanged(crossing(), range(150, 300))
    wanted = [(0, 0, 0, 149), (0, 1, 150, 299), (1, 1, 0, 149), (1, 0, 150, 299)]
    assert near(sections(original, noisy(crossing(), 1)), wanted, 4)


def test_an_exchange_in_both_is_no_switch() -> None:
    original = exchanged(crossing(), range(150, 300))
    method = exchanged(noisy(crossing(), 1), range(152, 300))
    assert sections(original, method) == [(0, 0, 0, 299), (1, 1, 0, 299)]
    assert counted(original, method)["n_switches"].sum() == 0


def test_three_people_who_pass_on_their_numbers_in_a_circle_are_followed() -> None:
    scene = noisy(together(*(body(range(200), 100 + 100 * place, 300, place) for place in range(3))))
    method = renumbered(scene, lambda frame, person: (person + (frame >= 80)) % 3)
    wanted = [(place, (place + late) % 3, 80 * late, 199 if late else 79) for place in range(3) for late in (0, 1)]
    assert sections(scene, method) == wanted


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.floats(0, 0.15))
def test_noise_at_a_crossing_makes_no_sections(seed: int, torsos: float) -> None:
    assert sections(crossing(seed), noisy(crossing(seed), seed + 1, torsos)) == [(0, 0, 0, 299), (1, 1, 0, 299)]


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_noise_while_one_stands_in_front_of_the_other_for_seconds_makes_no_sections(seed: int) -> None:
    def walk(person: int, start: float) -> pd.DataFrame:
        path = np.interp(np.arange(300), [0, 100, 200, 299], [start, 400, 400, start])
        table = body(range(300), 0, 300, person)
        return table.assign(x_px=table["x_px"] + path[table["frame"]])

    scene = together(walk(0, 100), walk(1, 700))
    found = sections(noisy(scene, seed, 0.1), noisy(scene, seed + 1, 0.1))
    assert found == [(0, 0, 0, 299), (1, 1, 0, 299)]


def test_a_phantom_of_the_method_matches_nobody() -> None:
    person = body(range(100), 100, 300)
    method = together(person, body(range(100), 600, 300, 4))
    assert sections(person, method) == [(0, 0, 0, 99)]
    row = heads(person, method)
    assert (row["n_people_unmatched"], row["n_frames_more"], row["n_frames_fewer"]) == (1, 100, 0)


def test_a_phantom_of_the_original_is_somebody_whom_the_method_loses() -> None:
    original = together(body(range(100), 100, 300, 0), body(range(100), 600, 300, 1))
    assert sections(original, body(range(100), 100, 300)) == [(0, 0, 0, 99)]
    row = counted(original, body(range(100), 100, 300)).loc[1]
    counts = ["n_original", "n_both", "n_lost", "n_gained", "n_tracks", "n_switches"]
    assert row[counts].tolist() == [100, 0, 100, 0, 0, 0]
    assert not row["patient"]


def test_two_people_one_torso_apart_keep_their_identities() -> None:
    scene = together(body(range(200), 100, 300, 0), body(range(200), 100 + TORSO, 300, 1))
    assert sections(noisy(scene), noisy(scene, 1, 0.1)) == [(0, 0, 0, 199), (1, 1, 0, 199)]
    alone = body(range(200), 100 + TORSO, 300, 0)
    assert sections(scene, alone) == [(1, 0, 0, 199)]


def leaping(frames: range, towards: float) -> pd.DataFrame:
    """Two people; the track of the first leaps to another place in some frames."""
    scene = together(body(range(200), 100, 300, 0), body(range(200), 500, 300, 1))
    leaps = (scene["person"] == 0) & scene["frame"].isin(frames)
    return scene.assign(x_px=scene["x_px"].where(~leaps, scene["x_px"] - 100 + towards))


@pytest.mark.parametrize("first", [0, 100, 198])
@pytest.mark.parametrize("towards", [500.0, 900.0])
def test_a_track_that_leaps_away_for_two_frames_stays_that_person(towards: float, first: int) -> None:
    scene = leaping(range(0), 0)
    assert sections(scene, leaping(range(first, first + 2), towards)) == [(0, 0, 0, 199), (1, 1, 0, 199)]


@pytest.mark.parametrize("towards", [500.0, 900.0])
def test_a_track_that_leaps_away_for_a_second_is_nobody_meanwhile(towards: float) -> None:
    scene = leaping(range(0), 0)
    method = leaping(range(100, 130), towards)
    assert sections(scene, method) == [(0, 0, 0, 99), (0, 0, 130, 199), (1, 1, 0, 199)]
    assert counted(scene, method)["n_switches"].tolist() == [0, 0]
    assert counted(scene, method)["n_lost"].tolist() == [30, 0]
    assert sections(scene, leaping(range(30), towards)) == [(0, 0, 30, 199), (1, 1, 0, 199)]
    assert sections(scene, leaping(range(170, 200), towards)) == [(0, 0, 0, 169), (1, 1, 0, 199)]


def test_a_track_that_is_somebody_else_for_a_second_is_two_switches_of_theirs() -> None:
    scene = leaping(range(0), 0)
    other_unseen = (scene["person"] == 1) & scene["frame"].isin(range(100, 130))
    method = leaping(range(100, 130), 500)[~other_unseen]
    assert sections(scene, method) == [
        (0, 0, 0, 99),
        (0, 0, 130, 199),
        (1, 1, 0, 99),
        (1, 0, 100, 129),
        (1, 1, 130, 199),
    ]
    assert counted(scene, method)["n_switches"].tolist() == [0, 2]


@pytest.mark.parametrize(("n_frames", "n_switches"), [(2, 0), (30, 4)])
def test_an_exchange_counts_when_it_lasts(n_frames: int, n_switches: int) -> None:
    scene = leaping(range(0), 0)
    method = exchanged(scene, range(100, 100 + n_frames))
    assert counted(scene, method)["n_switches"].sum() == n_switches


def test_how_long_a_change_must_last_is_a_matter_of_time_and_not_of_frames() -> None:
    scene = leaping(range(0), 0)
    method = exchanged(scene, range(100, 112))
    fast = [table.assign(time_s=table["frame"] / 120) for table in (scene, method)]
    assert counted(scene, method)["n_switches"].sum() == 4  # 0.4 s
    assert counted(*fast)["n_switches"].sum() == 0  # 0.1 s


def test_two_tracks_at_the_same_time_are_never_both_the_same_person() -> None:
    method = together(body(range(20), 100, 300, 0), body(range(20), 103, 300, 1))
    assert sections(body(range(20), 100, 300), method) == [(0, 0, 0, 19)]


def test_somebody_taken_for_facing_the_other_way_is_the_same_person() -> None:
    wide = {name: (3 * right, down) for name, (right, down) in STANDING.items()}
    turned = {name: (3 * right, down) for name, (right, down) in BACK.items()}
    assert sections(body(range(60), 300, 300, pose=wide), body(range(60), 300, 300, pose=turned)) == [(0, 0, 0, 59)]


def test_frames_in_which_the_method_exchanges_left_and_right_are_counted() -> None:
    wide = {name: (3 * across, down) for name, (across, down) in STANDING.items()}
    narrow = {name: (across / 10, down) for name, (across, down) in STANDING.items()}
    for pose, n_mirrored in ((wide, 20), (narrow, 0)):
        original = together(body(range(60), 300, 300, pose=pose), body(range(60), 800, 300, 1, pose=pose))
        turned = {name: (-across, down) for name, (across, down) in pose.items()}
        method = together(
            body(range(40), 300, 300, 4, pose=pose),
            body(range(40, 60), 300, 300, 4, pose=turned),
            body(range(60), 800, 300, 2, pose=pose),
        )
        assert counted(original, noisy(method))["n_mirrored"].tolist() == [n_mirrored, 0]


def test_somebody_whose_trunk_is_never_seen_is_still_matched() -> None:
    hidden = ("Neck", "MidHip")
    method = together(body(range(30), 600, 300, 0, hidden), body(range(30), 101, 300, 1, hidden))
    assert sections(body(range(30), 100, 300, 0, hidden), method) == [(0, 1, 0, 29)]


def test_frames_without_a_keypoint_are_frames_in_which_nobody_is_seen() -> None:
    original, method = body(range(60), 100, 300), body(range(60), 100, 300)
    method.loc[method["frame"] >= 40, ["x_px", "y_px"]] = np.nan
    assert sections(original, method) == [(0, 0, 0, 39)]
    row = counted(original, method).loc[0]
    assert (row["n_both"], row["n_lost"]) == (40, 20)
    assert heads(original, method)["n_frames_fewer"] == 20


def test_a_track_halfway_between_two_people_is_the_same_ones_whatever_the_numbers() -> None:
    def scene(first: int, second: int) -> pd.DataFrame:
        return together(body(range(60), 100, 300, first), body(range(60), 140, 300, second))

    track = body(range(60), 120, 300)
    assert sections(scene(0, 1), track) == [(0, 0, 0, 59)]
    assert sections(scene(1, 0), track) == [(1, 0, 0, 59)]


def walkers(seed: int, n_people: int, changes: int) -> pd.DataFrame:
    """People who wander about in a narrow place, and whose numbers end, begin and are exchanged at random."""
    random = np.random.default_rng(seed)
    n_frames = 160
    people = []
    for person in range(n_people):
        path = np.cumsum(random.normal(0, 4, (n_frames, 2)), axis=0) + random.uniform(0, 250, 2)
        table = body(range(n_frames), 0, 0, person)
        people.append(
            table.assign(x_px=table["x_px"] + path[table["frame"], 0], y_px=table["y_px"] + path[table["frame"], 1])
        )
    return broken(together(*people), seed + 1, changes)


def broken(table: pd.DataFrame, seed: int, changes: int) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    for _ in range(changes):
        begin, length = random.integers(0, 160), random.integers(2, 80)
        now = table["frame"].between(begin, begin + length)
        one, other = random.choice(table["person"].unique(), 2, replace=True)
        kind = random.integers(3)
        if kind == 0:  # nobody is seen under this number
            table = table[~(now & (table["person"] == one))]
        elif kind == 1:  # a new number
            table = table.assign(
                person=table["person"].where(~(now & (table["person"] == one)), table["person"].max() + 1)
            )
        else:
            swap = {one: other, other: one}
            table = table.assign(person=table["person"].where(~now, table["person"].replace(swap)))
    return table.sort_values(["frame", "person"], kind="stable", ignore_index=True)


scenes = st.tuples(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(0, 6))


@settings(max_examples=40)
@given(scenes, st.randoms(use_true_random=False))
def test_the_numbering_of_people_does_not_matter(scene: tuple[int, int, int], random: Random) -> None:
    original = walkers(*scene)
    method = broken(noisy(original, scene[0]), scene[0] + 7, 4)

    def other_numbers(table: pd.DataFrame) -> tuple[pd.DataFrame, dict[int, int]]:
        numbers = table["person"].unique().tolist()
        new = list(range(10, 10 + len(numbers)))
        random.shuffle(new)
        names = dict(zip(numbers, new, strict=True))
        return table.assign(person=table["person"].map(names)).sort_values(["frame", "person"], kind="stable"), names

    (new_original, people), (new_method, tracks) = other_numbers(original), other_numbers(method)
    expected = [(people[one], tracks[other], *bounds) for one, other, *bounds in sections(original, method)]
    assert sections(new_original, new_method) == sorted(expected, key=lambda row: (row[0], row[2]))


@settings(max_examples=40)
@given(scenes)
def test_nobody_is_two_people_at_once(scene: tuple[int, int, int]) -> None:
    original = walkers(*scene)
    method = broken(noisy(original, scene[0]), scene[0] + 7, 4)
    found = matched(original, method)
    assert (found["first_frame"] <= found["last_frame"]).all()
    for side in ("person", "method_person"):
        ordered = found.sort_values([side, "first_frame"])
        follows = ordered[side].eq(ordered[side].shift())
        assert (ordered["first_frame"] > ordered["last_frame"].shift())[follows].all()
    assert set(found["person"]) <= set(original["person"])
    seen = set(zip(method["frame"], method["person"], strict=True))
    assert all({(first, track), (last, track)} <= seen for _, track, first, last in found.to_numpy().tolist())
    counts = counted(original, method)
    frames = poses(original)
    assert counts["n_original"].tolist() == [int((frames.person == person).sum()) for person in counts.index]
    assert (counts["n_original"] == counts["n_both"] + counts["n_lost"]).all()
    carried = carry(poses(method), found)
    sights = list(zip(carried.frame.tolist(), carried.person.tolist(), strict=True))
    assert sights == sorted(set(sights))
    assert len(sights) == counts["n_both"].sum() + counts["n_gained"].sum()


@settings(max_examples=40)
@given(scenes)
def test_a_video_matches_itself_without_loss_and_switch(scene: tuple[int, int, int]) -> None:
    video = walkers(*scene)
    counts = counted(video, video)
    assert counts[["n_lost", "n_gained", "n_switches"]].to_numpy().sum() == 0
    assert (matched(video, video)["person"] == matched(video, video)["method_person"]).all()


def test_without_people_there_are_no_sections() -> None:
    nobody, person = tables.empty("keypoints"), body(range(10), 100, 300)
    for original, method in ((nobody, nobody), (nobody, person), (person, nobody)):
        assert sections(original, method) == []
        assert not len(carry(poses(method), matched(original, method)).frame)
        assert len(counted(original, method)) == original["person"].nunique()
    assert heads(nobody, person).tolist() == ["v", "blur", 10, 0, 1, 1, 0, 10, 0]


def test_identities_are_counted_as_by_hand() -> None:
    original = together(body(range(10, 100), 100, 300, 0), body(range(60), 500, 300, 2))
    method = together(body(range(50), 100, 300, 0), body(range(55, 100), 100, 300, 1), body(range(70), 500, 300, 2))
    assert counted(original, method, patient=2).to_numpy().tolist() == [
        ["v", "blur", 0, False, 90, 85, 5, 10, 0, 2, 1],
        ["v", "blur", 2, True, 60, 60, 0, 10, 0, 1, 0],
    ]
    # Fewer in frames 50 to 54, more in frames 0 to 9 and 60 to 69.
    assert heads(original, method).tolist() == ["v", "blur", 100, 2, 3, 0, 5, 20, 1]


def matches(*rows: Sequence[int]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["person", "method_person", "first_frame", "last_frame"], dtype="int64")


def sighted(*rows: tuple[int, int]) -> Poses:
    """Return poses with these frames and people, and the number of the row in place of the time."""
    frame, person = np.array(rows).T
    shape = (len(rows), len(KEYPOINTS))
    return Poses(frame, np.arange(len(rows), dtype=float), person, np.zeros((*shape, 2)), np.zeros(shape))


def test_rows_get_the_number_that_the_person_has_in_the_original() -> None:
    body = sighted((0, 3), (0, 5), (4, 3), (5, 3), (5, 5), (9, 3), (9, 4))
    carried = carry(body, matches((0, 5, 0, 4), (1, 3, 0, 4), (0, 3, 5, 8), (2, 4, 9, 9)))
    rows = np.column_stack([carried.frame, carried.person, carried.time_s])
    assert rows.tolist() == [[0, 0, 1], [0, 1, 0], [4, 1, 2], [5, 0, 3], [9, 2, 6]]
    assert body.person.tolist() == [3, 5, 3, 3, 5, 3, 4]


def test_numbers_that_no_section_knows_are_nobody() -> None:
    body = sighted((0, -1), (1, 0), (2, 2), (3, 99))
    assert not len(carry(body, matches((0, 1, 0, 9), (1, 3, 0, 9))).frame)
    assert not len(carry(body, matches()).frame)


@settings(max_examples=300)
@given(st.data(), st.integers(2, 8))
def test_the_best_frames_are_those_of_an_exhaustive_search(data: st.DataObject, n_frames: int) -> None:
    steps = st.integers(-6, 6)
    difference = np.array([-1e9, *data.draw(st.lists(steps, min_size=n_frames, max_size=n_frames)), -1e9])
    costs = data.draw(st.lists(st.integers(0, 4), min_size=4 * (n_frames + 1), max_size=4 * (n_frames + 1)))
    cost = np.array(costs, float).reshape(2, 2, -1)

    def worth(moved: Sequence[int]) -> float:
        taken = difference[np.array(moved, bool)].sum()
        return float(taken - sum(cost[a, b, i] for i, (a, b) in enumerate(itertools.pairwise(moved))))

    best = max(worth((0, *moved, 0)) for moved in itertools.product((0, 1), repeat=n_frames))
    assert worth(_best_frames(difference, cost).astype(int).tolist()) == pytest.approx(best)


def frame_by_frame(difference: np.ndarray, cost: np.ndarray) -> np.ndarray:
    """Choose as `_best_frames` does, with the loop of Viterbi; of two equal ways, the frame before is not moved."""
    worth, came_from = np.array([0.0, -1e9]), []
    for i, gain in enumerate(difference[1:]):
        ways = worth[:, None] - cost[:, :, i]
        came_from.append((ways[1] > ways[0]).astype(int))
        worth = ways.max(axis=0) + np.array([0.0, gain])
    path = [0]
    for before in reversed(came_from):
        path.append(before[path[-1]])
    return np.array(path[::-1], bool)


@settings(max_examples=500)
@given(st.integers(0, 2**32 - 1), st.integers(2, 300), st.integers(1, 8), st.integers(1, 8))
def test_the_best_frames_are_those_of_a_loop_over_frames_ties_and_all(
    seed: int, n_frames: int, largest_gain: int, largest_cost: int
) -> None:
    rng = np.random.default_rng(seed)
    # Whole numbers: many ways are equally good, and sums are exact.
    difference = rng.integers(-largest_gain, largest_gain + 1, n_frames).astype(float)
    cost = rng.integers(0, largest_cost + 1, (2, 2, n_frames - 1)).astype(float)
    np.testing.assert_array_equal(_best_frames(difference, cost), frame_by_frame(difference, cost))
