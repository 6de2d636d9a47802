"""Keypoints as arrays: who is where in them, what is missing, and how long a torso is."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from deidpose import tables
from deidpose.errors import UserError
from deidpose.keypoints import blocks, one_after_another, poses, read, torso_lengths
from deidpose.skeleton import INDEX, KEYPOINTS

#: A torso 50 px long.
TRUNK = {"Neck": (0, 20), "MidHip": (0, 70)}


def table(points: dict[str, tuple[float, float]], frame: int = 0, person: int = 0) -> pd.DataFrame:
    rows = [(frame, frame / 30, person, name, float(x), float(y), 0.9) for name, (x, y) in points.items()]
    return pd.DataFrame(rows, columns=list(tables.TABLES["keypoints"]))


def test_rows_are_ordered_by_frame_and_then_by_person() -> None:
    body = poses(pd.concat([table(TRUNK, frame, person) for frame, person in ((2, 0), (1, 7), (1, 0))]))
    assert body.frame.tolist() == [1, 1, 2]
    assert body.person.tolist() == [0, 7, 0]
    assert body.time_s == pytest.approx(np.array([1, 1, 2]) / 30)


def test_a_keypoint_stands_at_its_index_and_what_has_no_row_is_missing() -> None:
    body = poses(pd.concat([table(TRUNK), table({"LIndex": (3, 4)}, person=1)]))
    assert body.position.shape == (2, len(KEYPOINTS), 2)
    assert body.position[0, INDEX["MidHip"]].tolist() == [0, 70]
    assert body.position[1, INDEX["LIndex"]].tolist() == [3, 4]
    assert np.isfinite(body.position).sum() == 6
    assert np.isnan(body.confidence).sum() == 2 * len(KEYPOINTS) - 3


def test_the_order_of_the_rows_of_the_table_does_not_matter() -> None:
    keypoints = pd.concat([table(TRUNK, frame, person) for frame in range(3) for person in range(2)])
    for one, other in zip(poses(keypoints), poses(keypoints.sample(frac=1, random_state=0)), strict=True):
        assert np.array_equal(one, other, equal_nan=True)


@pytest.mark.parametrize("rows", [1, 30, 1000])
def test_a_file_is_read_block_by_block_into_the_same_arrays(
    rows: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "_BLOCK_ROWS", rows)
    keypoints = pd.concat([table(TRUNK, frame, person) for frame in range(9) for person in range(1 + frame % 3)])
    tables.write(keypoints, "keypoints", tmp_path / "keypoints.parquet")
    for one, other in zip(read(tmp_path / "keypoints.parquet"), poses(keypoints), strict=True):
        np.testing.assert_array_equal(one, other)
        assert one.dtype == other.dtype


def test_the_table_of_arrays_has_every_keypoint_and_gives_the_same_arrays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deidpose.keypoints._BLOCK", 2)
    body = poses(pd.concat([table(TRUNK, frame, person) for frame in range(3) for person in (4, 0)]))
    parts = list(blocks(body))
    assert [len(part) for part in parts] == [2 * len(KEYPOINTS)] * 3
    written = pd.concat(parts, ignore_index=True)
    assert written["keypoint"].tolist() == list(KEYPOINTS) * 6
    for one, other in zip(poses(written), body, strict=True):
        np.testing.assert_array_equal(one, other)
    (nothing,) = blocks(poses(tables.empty("keypoints")))
    pd.testing.assert_frame_equal(nothing, tables.empty("keypoints"))


def test_arrays_are_put_together_in_whatever_order_they_lie_in_memory() -> None:
    body = poses(pd.concat([table(TRUNK, frame) for frame in range(3)]))
    turned = body._replace(position=np.asfortranarray(body.position))
    np.testing.assert_array_equal(one_after_another([turned, body]).position, np.tile(body.position, (2, 1, 1)))


def test_an_empty_table_gives_empty_arrays() -> None:
    body = poses(tables.empty("keypoints"))
    assert body.position.shape == (0, len(KEYPOINTS), 2)
    assert torso_lengths(body).shape == (0,)


def test_an_unknown_or_repeated_keypoint_is_refused() -> None:
    with pytest.raises(UserError, match="no keypoint of this workflow"):
        poses(table({"Tail": (0, 0)}))
    with pytest.raises(UserError, match="twice"):
        poses(pd.concat([table(TRUNK), table(TRUNK)]))


def test_a_torso_is_as_long_as_from_neck_to_midhip() -> None:
    assert torso_lengths(poses(table({"Neck": (3, 4), "MidHip": (0, 0)}))).tolist() == [5]


def test_a_torso_that_is_not_seen_or_is_foreshortened_is_taken_from_the_median_of_the_person() -> None:
    unseen = table({"Neck": (0, 20)}, 5)
    bent = table({"Neck": (0, 69), "MidHip": (0, 70)}, 6)
    other = table({"Neck": (0, 0), "MidHip": (0, 200)}, 0, person=1)
    lengths = torso_lengths(poses(pd.concat([*(table(TRUNK, frame) for frame in range(5)), unseen, bent, other])))
    assert lengths.tolist() == [50, 200, 50, 50, 50, 50, 50, 25]


def test_someone_whose_trunk_is_never_seen_is_measured_by_the_diagonal_of_what_is() -> None:
    body = poses(pd.concat([table({"LKnee": (0, 0), "LAnkle": (30, 40)}), table({"LKnee": (np.nan, 0)}, person=1)]))
    assert torso_lengths(body).tolist() == [50, 0]
