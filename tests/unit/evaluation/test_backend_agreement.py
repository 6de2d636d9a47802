"""Pose networks against one another: people whose every keypoint is known, moved by amounts that are known."""

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest

from deidpose import labels, tables
from deidpose.evaluation import backend_agreement
from deidpose.keypoints import poses
from deidpose.kinematics.angles import JOINTS
from deidpose.report import backend_figure
from deidpose.skeleton import KEYPOINTS
from fixtures.bodies import body, together

TORSO = 65.0  # of `bodies.STANDING`, px
NO_CUTS = tables.empty("cuts")
FRAMES = range(40)
STUDY = {"people": "patient", "bootstrap_samples": 100, "confidence_level": 0.95, "seed": 1}


def two(frames: range = FRAMES) -> pd.DataFrame:
    """Return two people side by side, who walk to the right."""
    return together(body(frames, 200, 300, 0, step=1.0), body(frames, 500, 300, 1, step=1.0))


def moved(table: pd.DataFrame, keypoint: str, right: float, down: float) -> pd.DataFrame:
    table = table.copy()
    chosen = table["keypoint"] == keypoint
    table.loc[chosen, "x_px"] += right
    table.loc[chosen, "y_px"] += down
    return table


@pytest.fixture
def kinematics(config: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = config["kinematics"]
    return found


def compare(kinematics: dict[str, Any], **found: pd.DataFrame) -> dict[str, pd.DataFrame]:
    bodies = {backend: poses(keypoints) for backend, keypoints in found.items()}
    return backend_agreement.compare_backends("v", bodies, kinematics, 30.0, NO_CUTS)


def count(keypoints: pd.DataFrame) -> backend_agreement.Counts:
    return backend_agreement.count(poses(keypoints))


def test_a_network_agrees_with_itself(kinematics: dict[str, Any]) -> None:
    compared = compare(kinematics, blazepose_full=two(), blazepose_lite=two())
    (people,) = compared["backend_people"].to_dict("records")
    assert people["n_backend"] == people["n_other"] == people["n_both"] == 2 * len(FRAMES)
    assert people["n_mirrored"] == people["n_switches"] == 0
    seen = compared["backend_keypoints"].dropna()
    assert len(seen) == 21  # the 19 keypoints that are there, head, body
    assert (seen[["distance_median", "distance_p95", "bias_x", "bias_y"]] == 0).all(axis=None)
    assert (seen["within_0_1"] == 1).all()
    assert (compared["backend_angles"]["mae_deg"].dropna() == 0).all()
    assert compared["backend_angles"]["mae_deg"].notna().any()


def test_a_keypoint_that_is_placed_elsewhere_has_its_distance_and_its_bias(kinematics: dict[str, Any]) -> None:
    other = moved(two(), "LKnee", 0.3 * TORSO, -0.4 * TORSO)
    compared = compare(kinematics, blazepose_full=two(), openpose=other)
    found = compared["backend_keypoints"].set_index("keypoint")
    knee = found.loc["LKnee"]
    assert knee["distance_median"] == pytest.approx(0.5)
    assert (knee["bias_x"], knee["bias_y"]) == pytest.approx((0.3, -0.4))
    assert knee["within_0_1"] == 0
    assert found.loc["RKnee", "distance_p95"] == 0
    assert found.loc["body", "within_0_1"] == pytest.approx(1 - 1 / 14)  # of the 14 that are not in the head
    means = compared["backend_angles"].groupby(["angle", "signal"])["mae_deg"].mean()
    assert means["left_knee", "unfiltered"] > 5
    assert means["right_knee", "unfiltered"] == 0


def test_keypoints_and_people_that_one_does_not_see_are_counted_and_have_no_distance(
    kinematics: dict[str, Any],
) -> None:
    less = together(body(FRAMES, 200, 300, 7, unseen=("LAnkle",), step=1.0))
    compared = compare(kinematics, blazepose_full=two(), rtmpose=less)
    (people,) = compared["backend_people"].to_dict("records")
    assert (people["n_backend"], people["n_other"], people["n_both"]) == (80, 40, 40)
    ankle = compared["backend_keypoints"].set_index("keypoint").loc["LAnkle"]
    assert (ankle["n_backend"], ankle["n_other"], ankle["n_both"]) == (40, 0, 0)
    assert np.isnan(ankle["distance_median"])


def test_every_one_is_compared_with_every_other_and_each_pair_once(kinematics: dict[str, Any]) -> None:
    names = ["blazepose_full", "blazepose_heavy", "rtmpose"]
    compared = compare(kinematics, **{name: two() for name in names})
    for table in compared.values():
        pairs = list(table[["backend", "other"]].drop_duplicates().itertuples(index=False, name=None))
        assert pairs == [(names[0], names[1]), (names[0], names[2]), (names[1], names[2])]
    one = compare(kinematics, blazepose_full=two())
    assert all(table.empty for table in one.values())


def test_where_nobody_is_seen_there_is_nothing_to_compare(kinematics: dict[str, Any]) -> None:
    compared = compare(kinematics, blazepose_full=two(), blazepose_lite=tables.empty("keypoints"))
    (people,) = compared["backend_people"].to_dict("records")
    assert (people["n_other"], people["n_both"]) == (0, 0)
    assert (compared["backend_keypoints"]["n_both"] == 0).all()
    assert len(compared["backend_keypoints"]) == len(KEYPOINTS) + 2


def told(n_frames: int, seconds: float, peak: float) -> dict[str, Any]:
    origin = {"version": "OpenVINO 1", "licence": "Apache-2.0"}
    return {
        "origin": origin,
        "threads": 1,
        "n_frames": n_frames,
        "seconds": seconds,
        "cpu_seconds": seconds / 2,
        "peak_mb": peak,
    }


def test_costs_are_those_of_all_videos_together() -> None:
    table = backend_agreement.costs(
        {"blazepose_full": [told(100, 1.0, 500.0), told(300, 7.0, 700.0)]},
        {"blazepose_full": [count(two()), count(together(body(range(10), 0, 0)))]},
    )
    (row,) = table.to_dict("records")
    assert row["frames_per_s"] == pytest.approx(400 / 8)
    assert row["cpu_ms_per_frame"] == pytest.approx(10)
    assert row["peak_mb"] == 700
    assert (row["n_videos"], row["n_frames"], row["n_people"], row["n_sightings"]) == (2, 400, 3, 90)
    assert row["n_frames_empty"] == 400 - 50
    assert row["way"] == ""


def test_a_subject_counts_once_and_the_limits_are_those_of_all_frames(kinematics: dict[str, Any]) -> None:
    """Three videos, two of one subject: the mean of the first two, and the third, count alike."""
    parts, expected = [], []
    for video, shift in (("a", 6.0), ("b", 10.0), ("c", 20.0)):
        other = moved(two(), "LAnkle", shift, 0.0)
        found = compare(kinematics, blazepose_full=two(), blazepose_heavy=other)
        rows = found["backend_angles"].assign(video=video)
        parts.append(rows)
        knee = rows[(rows["angle"] == "left_knee") & (rows["signal"] == "unfiltered")]
        expected.append(float(np.average(knee["mae_deg"], weights=knee["n_both"])))
    videos = pd.DataFrame({"video": ["a", "b", "c"], "subject": ["S", "S", ""], "condition": ["x", "y", ""]})
    table = backend_agreement.agreement(pd.concat(parts), videos, STUDY).set_index(["angle", "signal"])
    knee = table.loc[("left_knee", "unfiltered")]
    assert knee["mae_deg"] == pytest.approx((np.mean(expected[:2]) + expected[2]) / 2)
    assert knee["n_units"] == 2
    assert knee["n_pairs"] == 3 * 2 * len(FRAMES)
    assert knee["loa_low_deg"] < knee["bias_deg"] < knee["loa_high_deg"]
    joints = table.loc[(labels.JOINT_MEAN, "unfiltered")]
    assert 0 < joints["mae_deg"] < knee["mae_deg"]


@pytest.mark.parametrize("names", [("blazepose_full",), tuple(backend_agreement.TITLES)], ids=["one", "all"])
def test_the_page_and_the_figure_hold_every_network_and_pair(
    kinematics: dict[str, Any], names: tuple[str, ...]
) -> None:
    found = {name: moved(two(), "LAnkle", 3.0 * place, 0.0) for place, name in enumerate(names)}
    compared = compare(kinematics, **found)
    cost = backend_agreement.costs(
        {name: [told(40, 1.0, 500.0)] for name in names}, {name: [count(found[name])] for name in names}
    )
    videos = pd.DataFrame({"video": ["v"], "subject": [""], "condition": [""]})
    angles = backend_agreement.agreement(compared["backend_angles"], videos, STUDY)
    left_out = {"openpose": "Nothing is here."} if len(names) == 1 else {}
    page = backend_agreement.describe(
        cost, compared["backend_people"], compared["backend_keypoints"], angles, "filtered", left_out
    )
    n_pairs = len(names) * (len(names) - 1) // 2
    rows = [line for line in page.splitlines() if line.startswith("| ") and "---" not in line]
    assert len(rows) == 1 + len(names) + (1 + n_pairs if n_pairs else 0)
    assert "nan" not in page
    assert ("OpenPose BODY_25 was left out. Nothing is here." in page) == bool(left_out)
    means = backend_agreement.over_videos(compared["backend_keypoints"])
    figure = backend_figure.compare_backends(cost, means, angles, "filtered", backend_agreement.TITLES)
    shown = [text.get_text() for axes in figure.axes for text in axes.get_yticklabels()]
    assert {backend_agreement.TITLES[name] for name in names} <= set(shown)
    assert len(figure.axes) == (6 if n_pairs else 2)  # with two bars of colours
    if n_pairs:
        figure.canvas.draw()
        boxes = [label.get_window_extent() for label in figure.axes[0].get_xticklabels()]
        assert len(boxes) == n_pairs
        assert all(left.x1 <= right.x0 for left, right in pairwise(boxes))
        assert len(figure.axes[1].get_yticklabels()) == len(JOINTS)


def test_a_network_that_finds_nobody_has_its_place_in_the_page_and_the_figure(kinematics: dict[str, Any]) -> None:
    found = {"blazepose_full": two(), "openpose": tables.empty("keypoints")}
    compared = compare(kinematics, **found)
    cost = backend_agreement.costs(
        {name: [told(40, 1.0, 500.0)] for name in found}, {name: [count(found[name])] for name in found}
    )
    videos = pd.DataFrame({"video": ["v"], "subject": [""], "condition": [""]})
    angles = backend_agreement.agreement(compared["backend_angles"], videos, STUDY)
    keypoints = compared["backend_keypoints"]
    page = backend_agreement.describe(cost, compared["backend_people"], keypoints, angles, "filtered", {})
    assert "| BlazePose full, OpenPose BODY_25 | – | – | – | – | 0, 80 and 0 |" in page
    figure = backend_figure.compare_backends(
        cost, backend_agreement.over_videos(keypoints), angles, "filtered", backend_agreement.TITLES
    )
    assert len(figure.axes) == 6
    assert compare(kinematics, blazepose_full=found["openpose"], openpose=two())["backend_angles"].empty
