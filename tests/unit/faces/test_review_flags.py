from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest

from deidpose import tables
from deidpose.faces import review_flags

BOX = ("x_px", "y_px", "width_px", "height_px")
SIZE = (640, 480)
SETTINGS = {"track_score": 0.6}


def masks(
    frames: range, score: float = 0.9, origin: str = "detected", *, track: int = 0, person: int = 0, step: float = 5.0
) -> pd.DataFrame:
    """Return rows of the table ``faces``: a face of 40 pixels that moves to the right."""
    x = 100.0 + step * np.array(frames)
    return tables.check(
        pd.DataFrame(
            {"frame": frames, "track": track, "person": person, "x_px": x, "y_px": 80.0, "width_px": 40.0,
             "height_px": 40.0, "score": score, "origin": origin}
        ),
        "faces",
    )  # fmt: skip


def heads(frames: range, placed_by: str, *, person: int = 0) -> pd.DataFrame:
    return tables.check(
        pd.DataFrame(
            {"frame": frames, "person": person, "x_px": 10.0, "y_px": 20.0, "width_px": 30.0, "height_px": 30.0,
             "score": 0.7, "placed_by": placed_by, "from_behind": False}
        ),
        "heads",
    )  # fmt: skip


def left_out(frames: range, case: str, *, person: int = -1, x: float = 1.0) -> tuple[str, pd.DataFrame]:
    boxes = {"x_px": x, "y_px": 2.0, "width_px": 3.0, "height_px": 4.0}
    return case, pd.DataFrame({"frame": frames, "track": -1, "person": person, **boxes, "score": 0.5})


def review(
    *parts: pd.DataFrame,
    heads: pd.DataFrame | None = None,
    unmasked: Sequence[tuple[str, pd.DataFrame]] = (),
    cuts: tuple[int, ...] = (),
    frame_rate: float = 30.0,
    **settings: Any,
) -> pd.DataFrame:
    table = review_flags.find_review_flags(
        pd.concat([tables.empty("faces"), *parts]) if parts else tables.empty("faces"),
        tables.empty("heads") if heads is None else heads,
        unmasked,
        pd.DataFrame({"frame": np.array(cuts, int)}),
        frame_rate,
        SIZE,
        {**SETTINGS, **settings},
    )
    pd.testing.assert_frame_equal(table, tables.check(table, "review"))
    return table


def ranges(table: pd.DataFrame) -> list[tuple[str, int, int]]:
    return list(table[["kind", "first_frame", "last_frame"]].itertuples(index=False, name=None))


def test_a_sure_face_on_a_body_leaves_nothing_to_look_at() -> None:
    quiet = review(masks(range(60)), masks(range(60), 0.7, track=1, person=1), heads=heads(range(60), "head"))
    assert quiet.empty


def test_a_video_in_which_nothing_is_seen_leaves_nothing_to_look_at() -> None:
    assert review().empty


def test_an_unsure_face_is_listed_at_its_surest_frame() -> None:
    faces = masks(range(10, 40), 0.4, track=3, person=2)
    faces.loc[faces["frame"] == 25, "score"] = 0.55
    row = review(faces).iloc[0]
    assert row["kind"] == "unsure"
    assert (row["first_frame"], row["last_frame"], row["frame"]) == (10, 39, 25)
    assert (row["track"], row["person"], row["score"]) == (3, 2, 0.55)
    assert tuple(row[list(BOX)]) == (225, 80, 40, 40)
    assert row["reason"] == review_flags.REASONS["unsure"]


@pytest.mark.parametrize(("best", "kinds"), [(0.59, ["unsure"]), (0.6, [])])
def test_one_sure_frame_makes_a_face_sure(best: float, kinds: list[str]) -> None:
    faces = masks(range(30), 0.35)
    faces.loc[7, "score"] = best
    assert review(faces)["kind"].tolist() == kinds


def test_what_counts_as_sure_is_what_the_configuration_says() -> None:
    assert review(masks(range(30), 0.7), track_score=0.8)["kind"].tolist() == ["unsure"]


def test_a_face_without_a_body_is_listed_as_alone_where_it_moves_and_as_still_where_it_never_does() -> None:
    moving, still = masks(range(45), person=-1), masks(range(45), person=-1, track=1, step=0.2)
    table = review(moving, still)
    assert ranges(table) == [("unsupported", 0, 44)] * 2
    assert table["reason"].tolist() == [review_flags.REASONS["alone"], review_flags.REASONS["still"]]
    assert table["track"].tolist() == [0, 1]


def test_a_face_seen_for_less_than_a_second_is_not_called_still() -> None:
    for frame_rate, reason in ((30.0, "still"), (31.0, "alone")):
        table = review(masks(range(30), person=-1, step=0.0), frame_rate=frame_rate)
        assert table["reason"].tolist() == [review_flags.REASONS[reason]]


def test_an_unsure_face_without_a_body_is_listed_for_both() -> None:
    assert review(masks(range(10), 0.4, person=-1))["kind"].tolist() == ["unsure", "unsupported"]


def test_the_upper_body_masked_for_a_head_is_listed_where_the_head_is_not_placed() -> None:
    table = review(heads=pd.concat([heads(range(5), "head"), heads(range(5, 9), "body"), heads(range(9, 12), "neck")]))
    assert ranges(table) == [("no_head", 5, 8)]
    row = table.iloc[0]
    assert (row["track"], row["person"], row["score"]) == (-1, 0, 0.7)
    assert tuple(row[list(BOX)]) == (10, 20, 30, 30)
    assert row["reason"] == review_flags.REASONS["body"]


@pytest.mark.parametrize(("length", "expected"), [(30, [("no_face", 0, 29)]), (29, [])])
def test_a_head_masked_by_the_skeleton_alone_is_listed_when_it_is_so_for_a_second(
    length: int, expected: list[tuple[str, int, int]]
) -> None:
    table = review(masks(range(length), 0.9, "pose"))
    assert ranges(table) == expected
    assert set(table["reason"]) <= {review_flags.REASONS["skeleton"]}


def test_heads_masked_by_the_skeleton_are_neither_unsure_nor_unsupported() -> None:
    assert set(review(masks(range(60), 0.3, "pose", person=-1))["kind"]) == {"no_face"}


@pytest.mark.parametrize("case", ["pattern", "glimpse", "back", "phantom", "nothing"])
def test_what_is_not_masked_is_listed_with_its_reason(case: str) -> None:
    table = review(unmasked=[left_out(range(3, 8), case, person=4)])
    assert ranges(table) == [("not_masked", 3, 7)]
    assert table.loc[0, "reason"] == review_flags.REASONS[case]
    assert "not masked" in table.loc[0, "reason"]
    assert (table.loc[0, "track"], table.loc[0, "person"]) == (-1, 4)
    assert tuple(table.loc[0, list(BOX)]) == (1, 2, 3, 4)


def test_every_cut_is_listed_with_the_whole_picture() -> None:
    table = review(cuts=(7, 8, 30))
    assert ranges(table) == [("cut", 7, 7), ("cut", 8, 8), ("cut", 30, 30)]
    assert (table["frame"] == table["first_frame"]).all()
    assert table[list(BOX)].to_numpy().tolist() == [[0, 0, *SIZE]] * 3
    assert (table[["track", "person"]] == -1).all(axis=None)
    assert set(table["reason"]) == {review_flags.REASONS["cut"]}


def test_a_gap_makes_two_rows_each_with_its_own_surest_frame() -> None:
    faces = pd.concat([masks(range(5), 0.4), masks(range(9, 14), 0.3)], ignore_index=True)
    faces.loc[faces["frame"] == 2, "score"] = 0.5
    faces.loc[faces["frame"] == 12, "score"] = 0.45
    table = review(faces)
    assert ranges(table) == [("unsure", 0, 4), ("unsure", 9, 13)]
    assert table["frame"].tolist() == [2, 12]
    assert table["score"].tolist() == [0.5, 0.45]


def test_two_regions_at_the_same_time_are_two_rows() -> None:
    for first, second in (({"person": 1}, {"person": 2}), ({"x": 10.0}, {"x": 300.0})):
        table = review(unmasked=[left_out(range(5), "pattern", **first), left_out(range(3, 9), "pattern", **second)])
        assert ranges(table) == [("not_masked", 0, 4), ("not_masked", 3, 8)]
        assert table["person"].tolist() == [first.get("person", -1), second.get("person", -1)]
        assert table["x_px"].tolist() == [first.get("x", 1), second.get("x", 1)]


def test_the_most_urgent_comes_first() -> None:
    table = review(
        masks(range(40), 0.9, "pose", track=2),
        masks(range(40), 0.9, track=1, person=-1),
        masks(range(40), 0.4),
        heads=heads(range(5), "body", person=5),
        unmasked=[left_out(range(5), "phantom", person=6)],
        cuts=(20,),
    )
    assert table["kind"].tolist() == ["not_masked", "no_head", "unsure", "unsupported", "no_face", "cut"]


def test_every_reason_is_a_phrase_of_its_own() -> None:
    assert len(set(review_flags.REASONS.values())) == len(review_flags.REASONS)
