"""Keypoints as arrays: who is where in them, what is missing, and how long a torso is."""

import numpy as np
import pandas as pd
import pytest

from deidpose import tables
from deidpose.errors import UserError
from deidpose.keypoints import poses, torso_lengths
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


def test_an_empty_table_gives_empty_arrays() -> None:
    body = poses(tables.empty("keypoints"))
    assert body.position.shape == (0, len(KEYPOINTS), 2)
    assert torso_lengths(body).shape == (0,)


def test_an_unknown_or_repeated_keypoint_is_refused() -> None:
    with pytest.raises(UserError, match="not one of BODY_25"):
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
