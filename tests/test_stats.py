"""The summary over videos: hand-computed means, the control taken off in pairs, and the bootstrap."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deidpose import tables
from deidpose.angles import ANGLES
from deidpose.stats import MEASURES, summarize


def row(video: str, method: str, mae: float, person: int = 0, frames: int = 100, lost: int = 0) -> dict[str, object]:
    numbers = {name: np.nan for name, column in tables.TABLES["effects"].items() if column.dtype == "float64"}
    counts = {"n_original": frames, "n_both": frames - lost, "n_lost": lost, "n_gained": 0}
    key = {"video": video, "method": method, "person": person, "angle": "left_knee"}
    return key | counts | numbers | {"mae_deg": mae}


def table(*rows: dict[str, object]) -> pd.DataFrame:
    return tables.check(pd.DataFrame(rows), "effects")


def pick(summary: pd.DataFrame, **wanted: str) -> pd.Series:
    match = np.logical_and.reduce([summary[column] == value for column, value in wanted.items()])
    assert match.sum() == 1
    return summary[match].iloc[0]


KNEE = {"angle": "left_knee", "measure": "mae_deg"}


def test_people_are_weighted_by_their_frames_and_videos_count_once() -> None:
    effects = table(
        row("a", "blur", mae=2.0, person=0, frames=300),
        row("a", "blur", mae=6.0, person=1, frames=100),  # video a: 3 deg
        row("b", "blur", mae=9.0, frames=10),  # video b: 9 deg, though it is short
    )
    result = pick(summarize(effects, 100, 0.95, 1), method="blur", basis="raw", **KNEE)
    assert result["mean"] == pytest.approx(6.0)
    assert result["n_videos"] == 2


def test_lost_frames_are_a_share_of_the_frames_of_the_original() -> None:
    effects = table(
        row("a", "blur", mae=1.0, frames=100, lost=10),
        row("a", "blur", mae=np.nan, person=1, frames=100, lost=100),  # lost altogether, and still counted
    )
    result = pick(
        summarize(effects, 100, 0.95, 1), method="blur", basis="raw", angle="left_knee", measure="lost_percent"
    )
    assert result["mean"] == pytest.approx(55.0)


def test_net_takes_off_the_control_of_the_same_video_and_person_before_averaging() -> None:
    effects = table(
        row("a", "blur", mae=5.0, person=0, frames=100),
        row("a", "blur", mae=7.0, person=1, frames=300),
        row("a", "reencode", mae=1.0, person=0, frames=100),
        row("a", "reencode", mae=2.0, person=1, frames=300),
        row("b", "blur", mae=50.0),  # the control lost this person: raw has the video, net cannot
        row("b", "reencode", mae=np.nan),
    )
    summary = summarize(effects, 100, 0.95, 1)
    assert pick(summary, method="blur", basis="raw", **KNEE)["mean"] == pytest.approx((6.5 + 50) / 2)
    net = pick(summary, method="blur", basis="net", **KNEE)
    assert net["mean"] == pytest.approx((4.0 * 100 + 5.0 * 300) / 400)
    assert net["n_videos"] == 1
    assert not ((summary["method"] == "reencode") & (summary["basis"] == "net")).any()


def test_rows_keep_the_order_of_methods_angles_and_measures() -> None:
    effects = table(row("a", "pixelate", mae=1.0), row("a", "blur", mae=1.0), row("a", "reencode", mae=1.0))
    summary = summarize(effects, 10, 0.95, 1)
    assert list(dict.fromkeys(summary["method"])) == ["pixelate", "blur", "reencode"]
    assert list(dict.fromkeys(summary["angle"])) == list(ANGLES)
    assert summary["measure"].tolist()[: len(MEASURES)] == list(MEASURES)
    assert len(summary) == (2 * 2 + 1) * len(ANGLES) * len(MEASURES)


def test_an_angle_that_no_video_has_keeps_its_row_with_nothing_in_it() -> None:
    summary = summarize(table(row("a", "blur", mae=1.0)), 10, 0.95, 1)
    result = pick(summary, method="blur", basis="raw", angle="right_ankle", measure="mae_deg")
    assert result["n_videos"] == 0
    assert np.isnan(result["mean"])


def test_one_video_has_a_mean_and_no_interval() -> None:
    result = pick(summarize(table(row("a", "blur", mae=3.0)), 100, 0.95, 1), method="blur", basis="raw", **KNEE)
    assert result["mean"] == 3.0
    assert np.isnan(result["low"])
    assert np.isnan(result["high"])


def test_no_effects_give_an_empty_summary() -> None:
    assert summarize(tables.empty("effects"), 10, 0.95, 1).empty


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0, 90), min_size=2, max_size=12), st.integers(0, 5))
def test_the_interval_holds_the_mean_between_the_extremes_and_repeats_with_its_seed(
    values: list[float], seed: int
) -> None:
    effects = table(*(row(f"v{index:02}", "blur", mae=value) for index, value in enumerate(values)))
    wide = pick(summarize(effects, 400, 0.95, seed), method="blur", basis="raw", **KNEE)
    narrow = pick(summarize(effects, 400, 0.5, seed), method="blur", basis="raw", **KNEE)
    again = pick(summarize(effects, 400, 0.95, seed), method="blur", basis="raw", **KNEE)
    tolerance = 1e-9
    assert min(values) - tolerance <= wide["low"] <= narrow["low"] + tolerance
    assert narrow["high"] - tolerance <= wide["high"] <= max(values) + tolerance
    assert wide["low"] <= wide["mean"] + tolerance
    assert wide["mean"] <= wide["high"] + tolerance
    assert wide.equals(again)


def test_the_interval_agrees_with_the_normal_theory_of_the_mean() -> None:
    values = np.random.default_rng(0).normal(10.0, 2.0, size=200)
    effects = table(*(row(f"v{index:03}", "blur", mae=value) for index, value in enumerate(values)))
    result = pick(summarize(effects, 4000, 0.95, 1), method="blur", basis="raw", **KNEE)
    half = 1.96 * values.std() / np.sqrt(len(values))
    assert result["low"] == pytest.approx(values.mean() - half, abs=0.03)
    assert result["high"] == pytest.approx(values.mean() + half, abs=0.03)
