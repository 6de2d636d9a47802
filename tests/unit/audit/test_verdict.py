from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deidpose import tables
from deidpose.audit import centerface, leaks
from deidpose.audit.evidence import CENTERFACE, SKELETON, YUNET, merge_evidence
from deidpose.audit.pixel_comparison import Comparison, compare_pixels
from deidpose.audit.verdict import audit_video, upper_bound
from deidpose.faces import linking
from deidpose.masking import masks
from deidpose.video.frames import Frame

BOX = ["x_px", "y_px", "width_px", "height_px"]
SIZE = (400, 300)
N = 30
TIMES = np.arange(N) / 30
SETTINGS = {"evidence_score": 0.6, "sustained_frames": 3}
FACE = (100.0, 80.0, 30.0, 40.0)
MASK = (85.0, 70.0, 60.0, 60.0)

Audit = dict[str, Any]
Judged = Callable[..., Audit]


def boxes(frames: range | list[int], box: tuple[float, ...] = FACE, score: float = 0.8) -> pd.DataFrame:
    """Return the table ``detections`` with the same box in every frame."""
    rows = [(frame, *box, score) for frame in frames]
    return tables.check(pd.DataFrame(rows, columns=list(tables.TABLES["detections"])), "detections")


def masked(frames: range | list[int], box: tuple[float, ...] = MASK) -> pd.DataFrame:
    return tables.check(boxes(frames, box).assign(track=0, person=-1, origin="detected"), "faces")


def headed(
    frames: range | list[int], box: tuple[float, ...] = FACE, person: int = 0, back: bool = False, by: str = "head"
) -> pd.DataFrame:
    return tables.check(boxes(frames, box, 1.0).assign(person=person, placed_by=by, from_behind=back), "heads")


NOTHING = boxes([])
APPLIED = Comparison(N, 0, 0.1, masked([]).assign(source="")[["frame", *BOX, "score", "source"]])


def judged(**given_tables: Any) -> Audit:
    content: dict[str, Any] = {
        "comparison": APPLIED, "faces": masked(range(N)), "heads": headed([]), "detections": boxes(range(N)),
        "searched": NOTHING, "searched_masked": NOTHING, "times": TIMES, "size": SIZE, "shape": "ellipse",
        "settings": SETTINGS,
    }  # fmt: skip
    return audit_video(**(content | given_tables))


# ------------------------------------------------------------------------------------------- what counts as a face


def test_a_face_counts_once_however_many_find_it() -> None:
    found = judged(searched=boxes(range(10), (102, 82, 30, 36)), heads=headed(range(N), (90, 75, 50, 50)))
    assert found["n_face_frames"] == found["n_covered"] == N
    assert found["n_face_frames_by_source"] == {"YuNet": N, "CenterFace": 10, "skeleton": N}
    assert found["n_face_tracks"] == 1
    assert found["share_covered"] == 1
    assert found["verdict"] == "pass"


def test_what_only_one_of_them_finds_counts_too() -> None:
    elsewhere = [(300.0, 80.0, 30.0, 40.0), (200.0, 200.0, 50.0, 50.0)]
    found = judged(searched=boxes(range(N), elsewhere[0]), heads=headed(range(N), elsewhere[1]))
    assert found["n_face_frames"] == 3 * N
    assert found["n_leaked_face_frames"] == 2 * N
    assert found["n_face_tracks"] == 3
    assert found["n_leaked_tracks"] == 2


def test_a_face_inside_the_box_of_another_is_the_same_face() -> None:
    assert (
        judged(searched=boxes(range(N), (90, 60, 60, 90)), faces=masked(range(N), (0, 0, 300, 300)))["n_face_frames"]
        == N
    )


def test_two_faces_of_one_detector_near_each_other_are_two() -> None:
    two = pd.concat([boxes(range(N)), boxes(range(N), (125, 80, 30, 40))])
    found = judged(detections=two, searched=two, faces=masked(range(N), (50, 30, 150, 150)))
    assert found["n_face_frames"] == 2 * N
    assert found["n_face_tracks"] == 2


def test_unsure_boxes_of_yunet_are_no_evidence() -> None:
    assert judged(detections=boxes(range(N), score=0.59))["n_face_frames"] == 0


def test_heads_from_behind_show_no_face_but_guessed_ones_do() -> None:
    far = (300.0, 200.0, 50.0, 50.0)
    assert judged(heads=headed(range(N), far, back=True))["n_face_frames"] == N
    for by in ("neck", "body"):
        assert judged(heads=headed(range(N), far, by=by))["n_leaked_face_frames"] == N
    nowhere = headed(range(N), (np.nan,) * 4, by="nothing")
    assert judged(heads=nowhere)["n_face_frames"] == N


def test_of_a_head_only_the_middle_must_be_covered() -> None:
    middle = masked(range(N), (120, 120, 60, 60))
    found = judged(detections=NOTHING, faces=middle, heads=headed(range(N), (100, 100, 100, 100)))
    assert found["share_covered"] == 1
    assert judged(detections=NOTHING, faces=middle, heads=headed(range(N), (95, 95, 110, 110)))["share_covered"] == 0


def test_where_a_detector_has_found_a_face_the_box_of_the_skeleton_need_not_be_covered() -> None:
    head = headed(range(N), (70, 55, 85, 85))
    faces = masked(range(N), (97, 76, 36, 48))
    assert judged(heads=head, faces=faces)["verdict"] == "pass"
    assert judged(heads=head, faces=faces, detections=NOTHING)["verdict"] == "review"


def test_every_box_that_a_detector_has_drawn_of_a_face_must_be_covered() -> None:
    assert judged(searched=boxes([7], (90, 60, 60, 90)))["leaked_frames"] == [7]


def test_a_face_beyond_the_edge_is_looked_at_as_far_as_it_is_in_the_picture() -> None:
    found = judged(detections=boxes(range(N), (-20, 80, 30, 40)), faces=masked(range(N), (-30, 70, 60, 60)))
    assert found["share_covered"] == 1
    assert judged(detections=boxes(range(N), (-40, 80, 30, 40)))["n_face_frames"] == 0


def test_a_rectangle_covers_what_its_ellipse_does_not() -> None:
    corner = boxes(range(N), (85, 70, 25, 25))
    assert judged(detections=corner, shape="ellipse")["share_covered"] == 0
    assert judged(detections=corner, shape="rectangle")["share_covered"] == 1


def scattered() -> st.SearchStrategy[pd.DataFrame]:
    row = st.tuples(
        st.integers(0, 6), st.integers(0, 80), st.integers(0, 80), st.integers(5, 40), st.integers(5, 40),
        st.sampled_from([0.6, 0.7, 0.8]), st.sampled_from([YUNET, CENTERFACE, SKELETON]),
    )  # fmt: skip
    columns = ["frame", *BOX, "score", "source"]
    return st.lists(row, min_size=1, max_size=25).map(lambda rows: pd.DataFrame(rows, columns=columns))


@given(evidence=scattered())
def test_no_box_is_lost_and_no_face_is_in_two_frames(evidence: pd.DataFrame) -> None:
    merged = merge_evidence(evidence)
    order = list(evidence)
    pd.testing.assert_frame_equal(
        merged[order].sort_values(order, ignore_index=True), evidence.sort_values(order, ignore_index=True)
    )
    assert (merged.groupby("face")["frame"].nunique() == 1).all()
    assert merged["face"].nunique() == merged["face"].max() + 1


@given(found=scattered(), gap=st.integers(0, 3))
def test_a_place_has_one_box_a_frame_and_no_gap_longer_than_is_allowed(found: pd.DataFrame, gap: int) -> None:
    numbers = leaks.link_boxes(found, gap)
    assert sorted(set(numbers)) == list(range(max(numbers) + 1))
    for _, rows in found.groupby(numbers):
        steps = np.diff(np.sort(rows["frame"]))
        assert (steps > 0).all()
        assert (steps <= gap + 1).all()


# --------------------------------------------------------------------------------------------------- leaks and runs


def test_leaks_are_counted_and_the_longest_is_measured_on_the_true_time_axis() -> None:
    times = np.concatenate([np.arange(20) / 30, 1 + np.arange(10) / 10])  # the rate falls from 30 to 10 per second
    bare = [3, 4, 20, 21, 22]
    found = judged(faces=masked([frame for frame in range(N) if frame not in bare]), times=times)
    assert found["leaked_frames"] == bare
    assert found["n_leaked_frames"] == found["n_leaked_face_frames"] == 5
    assert found["share_covered"] == round(25 / 30, 6)
    assert found["longest_leak_frames"] == 3
    assert found["longest_leak_s"] == pytest.approx(0.3)
    assert [(f["first_frame"], f["last_frame"], f["n_frames"]) for f in found["findings"]] == [(3, 4, 2), (20, 22, 3)]


def test_a_leak_in_the_last_frame_lasts_as_long_as_a_frame() -> None:
    assert judged(faces=masked(range(N - 1)))["longest_leak_s"] == pytest.approx(1 / 30, abs=1e-3)


def test_two_places_in_turn_are_not_one_place_for_long() -> None:
    left, right = (50.0, 80.0, 30.0, 40.0), (300.0, 80.0, 30.0, 40.0)
    in_turn = pd.concat([boxes([frame], (left, right)[frame // 2 % 2], 0.95) for frame in range(8)])
    found = judged(detections=in_turn)
    assert found["n_leaked_frames"] == 8
    assert max(finding["n_frames"] for finding in found["findings"]) < 8
    assert {finding["x_px"] for finding in found["findings"]} == {50, 300}


def test_a_leak_goes_on_while_the_detector_is_silent_for_a_moment() -> None:
    found = judged(detections=boxes([3, 4, 7, 8]), faces=masked([]))
    assert [(f["first_frame"], f["last_frame"], f["n_frames"]) for f in found["findings"]] == [(3, 8, 4)]
    apart = judged(detections=boxes([3, 4, 12, 13]), faces=masked([]))
    assert len(apart["findings"]) == 2


def test_a_face_that_moves_is_one_place() -> None:
    moving = pd.concat([boxes([frame], (20 + 10.0 * frame, 80, 30, 40)) for frame in range(N)])
    (finding,) = judged(detections=moving, faces=masked([]))["findings"]
    assert finding["n_frames"] == N


def test_a_finding_shows_the_frame_in_which_it_is_surest() -> None:
    scores = pd.concat([boxes([4], score=0.65), boxes([5], (104, 80, 30, 40), 0.85), boxes([6], score=0.7)])
    (finding,) = judged(detections=scores, faces=masked([]), searched=boxes([4], score=0.5))["findings"]
    assert finding == {
        "kind": "leak", "first_frame": 4, "last_frame": 6, "frame": 5, "x_px": 104.0, "y_px": 80.0, "width_px": 30.0,
        "height_px": 40.0, "score": 0.85, "score_delivered": 0.0, "source": "YuNet, CenterFace", "n_frames": 3,
        "accepted": False,
    }  # fmt: skip


def test_lists_are_cut_and_counts_are_not() -> None:
    n = 1500
    far = pd.concat([boxes(range(n), (20, 20, 20, 20)), boxes(range(0, n, 10), (200, 200, 20, 20))])
    comparison = APPLIED._replace(n_frames=n)
    found = judged(detections=far, faces=masked([]), times=np.arange(n) / 10, comparison=comparison)
    assert found["n_leaked_frames"] == n
    assert len(found["leaked_frames"]) == 1000
    assert found["n_findings"] == 151


# --------------------------------------------------------------------------------------------------------- verdicts


EVERYWHERE = {"first_frame": 0, "last_frame": N - 1, **dict.fromkeys(BOX)}


def bare(frames: list[int]) -> pd.DataFrame:
    return masked([frame for frame in range(N) if frame not in frames])


@pytest.mark.parametrize(
    ("changes", "verdict", "said"),
    [
        ({}, "pass", "No face that was found in the original is left uncovered."),
        ({"detections": NOTHING}, "review", "No face was found in the original"),
        ({"detections": NOTHING, "accepted": [EVERYWHERE]}, "pass", "No face was found in the original"),
        ({"n_unplaced": 3}, "review", "In 3 frames somebody is seen whose head could not be placed"),
        ({"n_unplaced": 3, "accepted": [EVERYWHERE]}, "pass", "No face that was found in the original is left"),
        ({"faces": bare([5, 6])}, "review", "in 2 frames, found by YuNet with a score of up to 0.80"),
        ({"faces": bare([5])}, "review", "in 1 frame,"),
        # Three in a row: of both detectors, of a detector and the skeleton, or of a sure one.
        ({"faces": bare([5, 6, 7]), "searched": boxes([6])}, "fail", "in 3 frames, at one place in 3"),
        ({"faces": bare([5, 6, 7]), "heads": headed([6], (90, 75, 50, 50))}, "fail", "YuNet, skeleton"),
        ({"faces": bare([5, 6, 7]), "detections": boxes(range(N), score=0.9)}, "fail", "YuNet"),
        ({"faces": bare([5, 6, 7]), "detections": NOTHING, "searched": boxes(range(N))}, "fail", "CenterFace"),
        ({"faces": bare([5, 6, 7])}, "review", "YuNet"),
        ({"faces": bare(list(range(N))), "detections": NOTHING, "heads": headed(range(N))}, "review", "skeleton"),
        # In the masked video, outside the masks.
        ({"searched_masked": boxes([9], (300, 80, 30, 40), 0.79)}, "review", "CenterFace in the masked video"),
        ({"searched_masked": boxes([9], (300, 80, 30, 40), 0.8)}, "fail", "at one place in 1 of them"),
        ({"searched_masked": boxes([9, 10, 11], (300, 80, 30, 40), 0.5)}, "fail", "CenterFace in the masked video"),
        # Glimpses: brief, unsure, of one alone, and nobody's face before or after.
        ({"searched": boxes([9], (300, 80, 30, 40), 0.69)}, "pass", "but for 1 glimpse that may be none."),
        ({"searched": boxes([9], (300, 80, 30, 40), 0.7)}, "review", "CenterFace"),
        ({"searched_masked": boxes([9], (300, 80, 30, 40), 0.69)}, "pass", "but for 1 glimpse"),
        ({"heads": headed([9], (290, 70, 50, 50))}, "pass", "but for 1 glimpse"),
        ({"faces": bare([5]), "detections": boxes(range(N), score=0.6)}, "review", "in 1 frame,"),
        # ... and inside them.
        ({"searched_masked": boxes([9, 10], score=0.7)}, "pass", ""),
        ({"searched_masked": boxes([9, 10, 11], score=0.7)}, "review", "through a mask in 3 frames"),
        ({"searched_masked": boxes([9], score=0.8)}, "review", "the masks are too weak"),
        # What the pixels say.
        ({"comparison": APPLIED._replace(n_frames=N - 1)}, "fail", "a different number of frames"),
        ({"comparison": APPLIED._replace(n_frames=N + 1)}, "fail", "a different number of frames"),
        ({"comparison": APPLIED._replace(n_unlike=1)}, "fail", "In 1 frame the masked video does not show its source"),
        (
            {"comparison": APPLIED._replace(not_applied=boxes([4, 5], MASK).assign(source="pixels"))},
            "fail",
            "In 2 frames a mask is not in the file.",
        ),
    ],
)
def test_the_verdict_follows_from_what_is_found(changes: dict[str, Any], verdict: str, said: str) -> None:
    found = judged(**changes)
    assert found["verdict"] == verdict
    assert said in found["reason"]
    assert found["reason"].endswith(".")


def test_faces_seen_through_masks_are_counted_and_told_from_those_outside() -> None:
    seen = pd.concat([boxes([9, 10]), boxes([9], (300, 80, 30, 40))])
    found = judged(searched_masked=seen)
    assert (found["n_residual_inside"], found["n_residual_outside"]) == (2, 1)
    assert found["share_residual_inside"] == round(2 / N, 6)
    assert sorted(finding["kind"] for finding in found["findings"]) == ["leak", "residual"]
    assert found["leaked_frames"] == [9]
    assert found["n_face_frames"] == found["n_covered"] == N  # the original shows no face there


def test_a_video_without_frames_masked_and_without_faces_has_nothing_to_say_about_rates() -> None:
    found = judged(detections=NOTHING, faces=masked([]))
    assert found["verdict"] == "review"
    assert found["share_covered"] is found["leak_rate_upper_95"] is found["track_leak_rate_upper_95"] is None


# ----------------------------------------------------------------------------------------- what a reviewer accepts


def accept(first: int, last: int, *box: float) -> dict[str, Any]:
    return {"first_frame": first, "last_frame": last, **dict(zip(BOX, box or (None,) * 4, strict=True))}


@pytest.mark.parametrize(
    ("region", "counts"),
    [
        (accept(0, N - 1), False),
        (accept(5, 6), False),
        (accept(5, 6, *FACE), False),
        (accept(5, 6, 90, 70, 60, 60), False),
        (accept(5, 5), True),
        (accept(6, 9), True),
        (accept(0, N - 1, 110, 70, 60, 60), True),
        (accept(0, N - 1, 300, 70, 60, 60), True),
    ],
)
def test_what_a_reviewer_has_accepted_counts_when_it_lies_wholly_in_what_was_accepted(
    region: dict[str, Any], counts: bool
) -> None:
    found = judged(faces=bare([5, 6]), accepted=[region])
    assert found["verdict"] == ("review" if counts else "pass")
    assert found["n_accepted"] == (not counts)
    assert found["findings"][0]["accepted"] == (not counts)
    assert ("A reviewer has accepted 1 finding." in found["reason"]) == (not counts)
    assert found["n_leaked_frames"] == 2  # what is there stays on record


def test_what_is_accepted_may_reach_beyond_the_picture_as_the_find_does() -> None:
    face = (-10.0, 80.0, 30.0, 40.0)
    found = judged(detections=boxes([4], face), faces=masked([]), accepted=[accept(0, 9, 0, 80, 20, 40)])
    assert found["verdict"] == "pass"


def test_one_of_two_findings_accepted_leaves_the_other() -> None:
    two = pd.concat([boxes([4, 5]), boxes([4], (300, 80, 30, 40), 0.7)])
    found = judged(detections=two, faces=masked([]), accepted=[accept(0, 9, 290, 70, 60, 60)])
    assert found["verdict"] == "review"
    assert "in 2 frames" in found["reason"]
    assert [finding["accepted"] for finding in found["findings"]] == [False, True]


def test_a_file_that_is_not_of_its_source_cannot_be_accepted() -> None:
    everything = [accept(0, N + 9)]
    assert judged(comparison=APPLIED._replace(n_unlike=3), accepted=everything)["verdict"] == "fail"
    assert judged(comparison=APPLIED._replace(n_frames=3), accepted=everything)["verdict"] == "fail"


# -------------------------------------------------------------------------------------------- who is to be visible


def test_the_face_of_somebody_who_is_left_visible_is_no_leak_and_is_counted() -> None:
    patient, other = (100.0, 80.0, 60.0, 60.0), (300.0, 80.0, 60.0, 60.0)
    heads = pd.concat([headed(range(N), patient, 0), headed(range(N), other, 1)])
    seen = pd.concat([boxes(range(N), (115, 90, 30, 40)), boxes(range(N), (315, 90, 30, 40))])
    shown = boxes(range(N), (115, 90, 30, 40))
    faces = masked(range(N), (295, 70, 80, 80))
    content = {"heads": heads, "detections": seen, "faces": faces, "searched": seen, "searched_masked": shown}
    assert judged(**content)["verdict"] == "fail"
    found = judged(**content, visible=[0])
    assert found["verdict"] == "pass"
    assert found["n_left_visible"] == N
    assert f"By choice, {N} face-frames stayed visible." in found["reason"]
    assert found["n_face_frames"] == N
    assert found["n_leaked_frames"] == found["n_residual_outside"] == 0
    assert judged(**content, visible=[1])["verdict"] == "fail"


def test_of_two_heads_a_face_belongs_to_the_nearer_one() -> None:
    heads = pd.concat([headed(range(N), (100, 80, 60, 60), 0), headed(range(N), (130, 80, 60, 60), 1)])
    content = {"heads": heads, "faces": masked([]), "searched": boxes(range(N), (147, 90, 30, 40))}
    found = judged(**content, detections=NOTHING, visible=[0])
    assert found["n_left_visible"] == N  # the skeleton's own
    assert found["verdict"] == "fail"


def test_where_the_head_of_somebody_left_visible_is_not_placed_a_face_is_a_leak() -> None:
    heads = headed(range(20), (90, 75, 50, 50))
    found = judged(heads=heads, faces=masked([]), visible=[0])
    assert found["leaked_frames"] == list(range(20, N))


# ----------------------------------------------------------------------------------------------------------- bounds


@given(n=st.integers(1, 10**6))
def test_when_nothing_has_leaked_the_bound_is_exact_and_just_below_three_over_n(n: int) -> None:
    bound = upper_bound(0, n)
    assert bound == pytest.approx(1 - 0.05 ** (1 / n), rel=1e-9)
    assert bound <= 3 / n


@given(n=st.integers(1, 5000), share=st.floats(0, 1))
def test_a_bound_lies_above_the_rate_and_falls_with_every_face_that_did_not_leak(n: int, share: float) -> None:
    leaked = round(n * share)
    bound = upper_bound(leaked, n)
    assert bound is not None
    assert leaked / n <= bound <= 1
    further = upper_bound(leaked, n + 1)
    assert further is not None
    assert further <= bound


def test_the_bound_is_that_of_clopper_and_pearson() -> None:
    assert upper_bound(2, 20) == pytest.approx(0.2826, abs=1e-4)  # 90 % two-sided limits of 2 in 20
    assert upper_bound(20, 20) == 1
    assert upper_bound(0, 0) is None


def test_the_bound_over_tracks_is_the_more_careful_one() -> None:
    found = judged()
    assert found["leak_rate_upper_95"] == pytest.approx(1 - 0.05 ** (1 / N), abs=1e-6)
    assert found["track_leak_rate_upper_95"] == 0.95


# ------------------------------------------------------------------------------------------------------ real pixels

SHOWN = 8


@pytest.fixture(scope="module")
def look(
    frames: list[Frame],
    tracked: linking.Tracked,
    detections: pd.DataFrame,
    models: dict[str, Path],
    config: dict[str, Any],
) -> Judged:
    """Return a function that searches, compares and judges frames that pass for a masked file."""
    originals = frames[:SHOWN]

    def search(shown: list[Frame]) -> pd.DataFrame:
        return centerface.search(lambda: iter(shown), models["centerface"], config["audit"], 2)

    searched = search(originals)

    def of_clip(table: pd.DataFrame) -> pd.DataFrame:
        return table[table["frame"] < SHOWN]

    def run(shown: list[Frame], method: str = "block", faces: pd.DataFrame | None = None, **strength: Any) -> Audit:
        faces = of_clip(tracked.faces) if faces is None else faces
        mask = config["mask"] | strength
        return audit_video(
            compare_pixels(originals, shown, faces, method, mask), faces, of_clip(tracked.heads), of_clip(detections),
            searched, search(shown), np.arange(SHOWN) / 30, (884, 498), mask["shape"], config["audit"],
        )  # fmt: skip

    return run


@pytest.fixture(scope="module")
def hide(frames: list[Frame], tracked: linking.Tracked, config: dict[str, Any]) -> Callable[..., list[Frame]]:
    def run(method: str = "block", faces: pd.DataFrame | None = None, **strength: Any) -> list[Frame]:
        faces = tracked.faces if faces is None else faces
        planes = masks.mask_frames(frames[:SHOWN], faces, method, masks.Strength(**(config["mask"] | strength)))
        return [frame._replace(planes=hidden) for frame, hidden in zip(frames[:SHOWN], planes, strict=True)]

    return run


@pytest.mark.parametrize("method", masks.METHODS)
def test_a_video_whose_faces_are_hidden_passes(method: str, look: Judged, hide: Callable[..., list[Frame]]) -> None:
    found = look(hide(method), method)
    assert (found["verdict"], found["findings"]) == ("pass", [])
    assert found["n_frames"] == found["n_frames_masked"] == SHOWN
    assert found["n_face_frames"] == found["n_covered"] >= 2 * SHOWN
    assert found["n_residual_inside"] == found["n_residual_outside"] == 0


def test_a_video_that_was_never_masked_fails(look: Judged, frames: list[Frame], tracked: linking.Tracked) -> None:
    found = look(frames[:SHOWN])
    assert found["verdict"] == "fail"
    assert found["n_not_applied"] > SHOWN
    assert found["n_residual_inside"] > SHOWN
    found = look(frames[:SHOWN], faces=tracked.faces.iloc[:0])
    assert found["verdict"] == "fail"
    assert found["leaked_frames"] == list(range(SHOWN))
    assert found["share_covered"] == 0
    assert found["longest_leak_frames"] == SHOWN
    assert found["masked_area_percent"] == 0


def test_masks_beside_the_faces_are_no_masks(
    look: Judged, hide: Callable[..., list[Frame]], tracked: linking.Tracked
) -> None:
    faces = tracked.faces[tracked.faces["frame"] < SHOWN]
    beside = faces.assign(x_px=faces["x_px"] - 100)
    found = look(hide(faces=beside), faces=beside)
    assert found["verdict"] == "fail"
    assert found["n_not_applied"] == 0  # they are where the table says, and that is the wrong place
    assert look(hide(faces=beside))["n_not_applied"] > SHOWN


def test_a_frame_that_has_no_mask_by_mistake_is_for_review(
    look: Judged, hide: Callable[..., list[Frame]], frames: list[Frame], tracked: linking.Tracked
) -> None:
    shown = hide()
    shown[3] = frames[3]
    faces = tracked.faces[(tracked.faces["frame"] < SHOWN) & (tracked.faces["frame"] != 3)]
    found = look(shown, faces=faces)
    assert found["verdict"] == "review"
    assert found["leaked_frames"] == [3]
    assert found["longest_leak_frames"] == 1
    assert look(shown)["verdict"] == "fail"  # the table says that there is one


@pytest.mark.parametrize("n_frames", [SHOWN - 1, SHOWN + 1])
def test_a_file_with_another_number_of_frames_than_its_source_fails(
    n_frames: int, look: Judged, hide: Callable[..., list[Frame]]
) -> None:
    shown = [frame._replace(index=index) for index, frame in enumerate((hide() * 2)[:n_frames])]
    found = look(shown)
    assert found["verdict"] == "fail"
    assert "a different number of frames" in found["reason"]


def test_the_file_of_another_video_fails(look: Judged, hide: Callable[..., list[Frame]]) -> None:
    other = [
        frame._replace(planes=tuple(np.ascontiguousarray(plane[::-1]) for plane in frame.planes)) for frame in hide()
    ]
    found = look(other)
    assert found["verdict"] == "fail"
    assert found["n_frames_unlike_original"] == SHOWN


@pytest.mark.parametrize(("method", "weak"), [("blur", {"blur_strength": 0.03}), ("pixelate", {"pixelate_cells": 40})])
def test_masks_too_weak_to_hide_a_face_do_not_pass(
    method: str, weak: dict[str, Any], look: Judged, hide: Callable[..., list[Frame]]
) -> None:
    found = look(hide(method, **weak), method, **weak)
    assert found["n_residual_inside"] > 0
    assert found["share_residual_inside"] > 0
    assert found["verdict"] != "pass"
