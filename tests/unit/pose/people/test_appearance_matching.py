"""Who is who among synthetic sights: people as points that walk, with the colours that they wear."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deidpose import skeleton
from deidpose.pose.people import appearance, appearance_matching
from deidpose.pose.people.appearance import N_COLOURS
from deidpose.pose.people.appearance_matching import Sights

RATE = 30.0
PICTURE = (1000, 600)
SIZE = 200.0
RED, BLUE, MAROON = (np.tile(lab, N_COLOURS // 3).astype(float) for lab in ((50, 40, 30), (50, 0, -40), (46, 35, 28)))


def seen(
    track: int, frames: Sequence[int], x: float, step: float, worn: np.ndarray, y: float = 300.0, size: float = SIZE
) -> Sights:
    """Return the sights of somebody who is at ``x`` in frame 0 and moves by ``step`` pixels a frame."""
    frame = np.array(frames, np.int64)
    noise = np.random.default_rng(track).normal(0, 1, (len(frame), N_COLOURS))
    return Sights(
        np.full(len(frame), track),
        frame,
        np.column_stack([x + step * frame, np.full(len(frame), y)]),
        np.full(len(frame), size),
        worn + noise,
    )


def identify(*parts: Sights, frame_rate: float = RATE) -> list[list[int]]:
    """Return the identities of each part, in the order in which they come."""
    together = Sights(*(np.concatenate(values) for values in zip(*parts, strict=True)))
    found = appearance_matching.identify(together, frame_rate, PICTURE)
    ends = np.cumsum([len(part.frame) for part in parts])
    return [list(dict.fromkeys(mine.tolist())) for mine in np.split(found, ends[:-1])]


def test_whoever_is_followed_without_trouble_keeps_the_number_of_the_track() -> None:
    parts = [seen(track, range(60), 100 + 300 * track, 1, worn) for track, worn in enumerate((RED, BLUE, RED))]
    assert identify(*parts) == [[0], [1], [2]]
    assert identify(*reversed(parts)) == [[2], [1], [0]]


@pytest.mark.parametrize("worn", [BLUE, MAROON, RED], ids=["in other clothes", "dressed alike", "in the same clothes"])
def test_two_people_who_cross_keep_who_they_are(worn: np.ndarray) -> None:
    """One of them is hidden while they cross, and found under a new number."""
    front, behind = seen(0, range(60), 200, 8, RED), seen(1, range(25), 680, -8, worn)
    again = seen(2, range(36, 60), 680, -8, worn)
    assert identify(front, behind, again) == [[0], [1], [1]]


@pytest.mark.parametrize("worn", [BLUE, MAROON], ids=["in other clothes", "dressed alike"])
def test_a_swap_is_repaired(worn: np.ndarray) -> None:
    """The network follows both through the crossing, and leaves it with each on the body of the other."""
    first, second = seen(0, range(30), 200, 8, RED), seen(1, range(30), 680, -8, worn)
    first_later, second_later = seen(1, range(30, 60), 200, 8, RED), seen(0, range(30, 60), 680, -8, worn)
    found = identify(first, second, first_later, second_later)
    assert found[0][0] == found[2][-1]
    assert found[1][0] == found[3][-1]
    assert found[0][0] != found[1][0]


def test_two_people_dressed_alike_who_walk_side_by_side_are_not_exchanged() -> None:
    parts = [seen(track, range(90), 100 + 45 * track, 5, MAROON) for track in (0, 1)]
    assert identify(*parts) == [[0], [1]]
    close = [seen(track, range(90), 100 + 20 * track, 5, MAROON) for track in (0, 1)]
    assert identify(*close) == [[0], [1]]


def test_two_people_who_meet_and_turn_back_are_not_exchanged() -> None:
    left, right = seen(0, range(30), 200, 7, RED), seen(1, range(30), 640, -7, BLUE)
    left_back, right_back = seen(0, range(30, 60), 620, -7, RED), seen(1, range(30, 60), 220, 7, BLUE)
    assert identify(left, right, left_back, right_back) == [[0], [1], [0], [1]]


def test_someone_hidden_for_seconds_is_known_again_by_place_and_clothes() -> None:
    before, after = seen(0, range(40), 300, 0, RED), seen(1, range(130, 170), 330, 0, RED)
    assert identify(before, after) == [[0], [0]]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"worn": BLUE}, id="other clothes"),
        pytest.param({"x": 980.0}, id="too far away"),
        pytest.param({"size": 2.5 * SIZE}, id="much larger"),
        pytest.param({"frames": range(400, 440)}, id="too long after"),
    ],
)
def test_someone_else_gets_a_new_number(change: dict[str, Any]) -> None:
    later: dict[str, Any] = {"frames": range(100, 140), "x": 300.0, "step": 0.0, "worn": RED, **change}
    assert identify(seen(0, range(40), 300, 0, RED), seen(1, **later)) == [[0], [1]]


def test_where_either_of_two_may_be_the_one_who_was_lost_neither_is() -> None:
    lost = seen(0, range(40), 500, 0, RED)
    either, other = seen(1, range(100, 150), 470, 0, RED), seen(2, range(100, 150), 530, 0, RED)
    assert identify(lost, either, other) == [[0], [1], [2]]


def test_who_leaves_the_picture_and_comes_back_at_that_edge_is_known_again() -> None:
    leaves, returns = seen(0, range(40), 600, 10, RED), seen(1, range(70, 100), 1690, -10, RED)
    assert identify(leaves, returns) == [[0], [0]]


def test_a_body_that_is_followed_on_in_the_clothes_of_a_neighbour_is_the_neighbour() -> None:
    """The first is lost behind the second, and the region of the first slides onto the second."""
    first, second = seen(0, range(40), 400, 0, RED), seen(1, range(40), 430, 0, BLUE)
    slid = seen(0, range(43, 90), 432, 0, BLUE)
    assert identify(first, second, slid) == [[0], [1], [1]]


def test_a_jump_to_somebody_in_other_clothes_ends_an_identity() -> None:
    before, after = seen(0, range(40), 200, 0, RED), seen(0, range(40, 80), 320, 0, BLUE, size=2 * SIZE)
    assert identify(before, after) == [[0], [1]]


def test_whoever_is_followed_without_a_break_stays_who_they_are_in_a_shadow() -> None:
    shadow = RED - np.tile([25.0, 8.0, 8.0], N_COLOURS // 3)
    before, after = seen(0, range(40), 200, 3, RED), seen(0, range(40, 80), 200, 3, shadow)
    assert identify(before, after) == [[0], [0]]


def test_a_few_sights_stay_with_their_track_unless_its_person_is_elsewhere() -> None:
    person = seen(0, range(30), 200, 0, RED)
    again, stray = seen(0, range(36, 39), 204, 0, RED), seen(0, range(50, 53), 240, 0, RED)
    found = seen(1, range(45, 90), 205, 0, RED)
    assert identify(person, again, stray, found) == [[0], [0], [1], [0]]


def test_clothes_that_are_not_seen_leave_place_and_motion_to_decide() -> None:
    unseen = np.full(N_COLOURS, np.nan)
    before, after = seen(0, range(30), 200, 4, unseen), seen(1, range(36, 60), 200, 4, unseen)
    assert identify(before, after) == [[0], [0]]


def test_nobody_has_no_identity() -> None:
    nobody = seen(0, [], 0, 0, RED)
    assert appearance_matching.identify(nobody, RATE, PICTURE).tolist() == []


tracks = st.lists(
    st.tuples(
        st.lists(st.integers(0, 80), min_size=1, max_size=60, unique=True),
        st.floats(0, 1000),
        st.floats(-10, 10),
        st.sampled_from([RED, BLUE, MAROON, np.full(N_COLOURS, np.nan)]),
    ),
    min_size=1,
    max_size=5,
)


@given(tracks, st.sampled_from([0.5, 5.0, 30.0, 240.0]), st.randoms(use_true_random=False))
def test_identities_have_one_sight_a_frame_and_do_not_depend_on_the_order_of_sights(
    people: list[tuple[list[int], float, float, np.ndarray]], frame_rate: float, random: Any
) -> None:
    parts = [seen(track, sorted(frames), x, step, worn) for track, (frames, x, step, worn) in enumerate(people)]
    sights = Sights(*(np.concatenate(values) for values in zip(*parts, strict=True)))
    found = appearance_matching.identify(sights, frame_rate, PICTURE)
    assert found.shape == sights.frame.shape
    assert sorted(set(found.tolist())) == list(range(int(found.max()) + 1))
    assert len(set(zip(found.tolist(), sights.frame.tolist(), strict=True))) == len(found)
    order = np.array(random.sample(range(len(found)), len(found)))
    shuffled = Sights(*(values[order] for values in sights))
    np.testing.assert_array_equal(appearance_matching.identify(shuffled, frame_rate, PICTURE), found[order])


# ------------------------------------------------------------------------------------------------------ what is worn


def standing(x: float = 100.0, y: float = 60.0) -> np.ndarray:
    """Return the keypoints of somebody 120 pixels tall from shoulders to ankles, shoulders at y."""
    body = np.full((len(skeleton.KEYPOINTS), 2), np.nan)
    for side, sign in (("L", 1), ("R", -1)):
        for joint, across, down in (("Shoulder", 20, 0), ("Hip", 12, 50), ("Knee", 12, 85), ("Ankle", 12, 120)):
            body[skeleton.INDEX[side + joint]] = x + sign * across, y + down
    return body


def dressed() -> np.ndarray:
    picture = np.full((240, 200, 3), 128, np.uint8)
    picture[60:110, 70:130] = (0, 0, 255)  # blue, green, red
    picture[110:185, 80:120] = (255, 0, 0)
    return picture


def test_colours_are_those_of_the_trunk_and_of_the_legs() -> None:
    trunk, legs = appearance.colours(dressed(), standing()).reshape(2, 3, 3)
    # CIE L*a*b* of the primaries of ITU-R BT.709 (sRGB), D65.
    np.testing.assert_allclose(trunk[1], (53.2, 80.1, 67.2), atol=0.5)
    np.testing.assert_allclose(legs[1], (32.3, 79.2, -107.9), atol=0.5)


def test_what_covers_a_head_changes_no_colour() -> None:
    masked = dressed()
    masked[:66] = 0
    np.testing.assert_array_equal(appearance.colours(masked, standing()), appearance.colours(dressed(), standing()))


@pytest.mark.parametrize(("x", "y", "known"), [(100, 180, (True, False)), (500, 60, (False, False))])
def test_what_is_not_in_the_picture_is_not_known(x: float, y: float, known: tuple[bool, bool]) -> None:
    parts = appearance.colours(dressed(), standing(x, y)).reshape(2, 9)
    assert np.isfinite(parts).all(axis=1).tolist() == list(known)
    assert np.isnan(parts).all(axis=1).tolist() == [not part for part in known]
