"""The statistics over a dataset: published worked examples, hand-computed means, an independent script, properties."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from deidpose import tables
from deidpose.errors import UserError
from deidpose.kinematics.angles import JOINTS, SEGMENTS
from deidpose.labels import CONTROL
from deidpose.statistics import resampling, unit_means
from deidpose.statistics.agreement import icc, icc_of_ratings
from deidpose.statistics.power import units_needed
from deidpose.statistics.study import contrasts, equivalence, limits_of_agreement, summarize
from deidpose.statistics.tests_of_means import holm, t_tests
from fixtures import independent_statistics as independent

STUDY: dict[str, Any] = {
    "people": "all",
    "margin_deg": 2,
    "alpha": 0.05,
    "power": 0.8,
    "bootstrap_samples": 200,
    "confidence_level": 0.95,
    "seed": 1,
}
KNEE = {"angle": "left_knee", "signal": "unfiltered", "measure": "mae_deg", "condition": "all"}


def row(video: str, method: str, mae: float = np.nan, frames: int = 100, **columns: Any) -> dict[str, Any]:
    """Return a row of effects with a mean absolute difference and whatever else is given."""
    numbers = {name: np.nan for name, column in tables.TABLES["effects"].items() if column.dtype == "float64"}
    counts = {"n_original": frames, "n_both": frames, "n_lost": 0, "n_gained": 0}
    key = {"video": video, "method": method, "person": 0, "patient": True, "angle": "left_knee", "signal": "unfiltered"}
    return key | counts | numbers | {"mae_deg": mae} | columns


def effects_of(*rows: dict[str, Any]) -> pd.DataFrame:
    return tables.check(pd.DataFrame(rows), "effects")


def videos_of(
    effects: pd.DataFrame, subjects: Mapping[str, str] = {}, conditions: Mapping[str, str] = {}
) -> pd.DataFrame:
    names = sorted(effects["video"].unique())
    return pd.DataFrame(
        {
            "video": names,
            "subject": [subjects.get(name, "") for name in names],
            "condition": [conditions.get(name, "") for name in names],
        },
        dtype="str",
    )


def summary_of(
    effects: pd.DataFrame,
    subjects: Mapping[str, str] = {},
    conditions: Mapping[str, str] = {},
    **changed: Any,
) -> pd.DataFrame:
    videos = videos_of(effects, subjects, conditions)
    none = tables.empty("keypoint_effects"), tables.empty("identities")
    return summarize(effects, *none, videos, STUDY | changed)


def pick(table: pd.DataFrame, **wanted: str) -> pd.Series:
    match = np.logical_and.reduce([table[column] == value for column, value in wanted.items()])
    assert match.sum() == 1
    return table[match].iloc[0]


def made_up_study(seed: int, n_videos: int = 9) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return effects and videos with several people, subjects, conditions and gaps; net columns from the raw ones."""
    rng = np.random.default_rng(seed)
    rows = []
    for video in range(n_videos):
        for person in range(int(rng.integers(1, 4))):
            for method in ("blur", "block", CONTROL):
                for angle in ("left_knee", "right_hip", "trunk"):
                    for signal in ("unfiltered", "filtered"):
                        gap = rng.random() < 0.15
                        frames = 0 if gap else int(rng.integers(5, 200))
                        values = rng.normal([0.5, 1.5, 20.0], [1.5, 0.6, 5.0])
                        columns = dict(zip(("bias_deg", "mae_deg", "lost_percent"), values, strict=True))
                        if gap:
                            columns |= {"bias_deg": np.nan, "mae_deg": np.nan}
                        columns |= {"person": person, "patient": person == video % 3, "angle": angle, "signal": signal}
                        columns |= {"n_both": frames, "n_original": 200}
                        rows.append(row(f"v{video}", method, **columns))
    effects = effects_of(*rows)
    key = ["video", "person", "angle", "signal"]
    control = effects[effects["method"] == CONTROL].set_index(key)
    for measure, net in (
        ("bias_deg", "bias_net_deg"),
        ("mae_deg", "mae_net_deg"),
        ("lost_percent", "lost_percent_net"),
    ):
        same = control[measure].reindex(pd.MultiIndex.from_frame(effects[key]))
        effects[net] = effects[measure] - same.to_numpy()
    subjects = {f"v{video}": f"s{video // 2}" for video in range(n_videos - 2)}
    conditions = {f"v{video}": ("", "walk", "sit")[video % 3] for video in range(n_videos)}
    return effects, videos_of(effects, subjects, conditions)


# ---------------------------------------------------------------------------------------- published worked examples

# Shrout & Fleiss 1979, Psychological Bulletin 86:420-428, table 2: six targets, four judges.
SHROUT_FLEISS = np.array(
    [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], dtype=float
)

# Bland & Altman 1986, Lancet 327:307-310, table 1: first reading of peak expiratory flow, l/min, 17 subjects.
WRIGHT = [494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427]
MINI_WRIGHT = [512, 430, 520, 428, 500, 600, 364, 380, 658, 445, 432, 626, 260, 477, 259, 350, 451]

# Bland & Altman 2007, Journal of Biopharmaceutical Statistics 17:571-582, table 1 (table 4 of 1999): cardiac output by
# radionuclide ventriculography and impedance cardiography, l/min, for each of 12 subjects.
CARDIAC: list[tuple[list[float], list[float]]] = [
    ([7.83, 7.42, 7.89, 7.12, 7.88], [6.57, 5.62, 6.90, 6.57, 6.35]),
    ([6.16, 7.26, 6.71, 6.54], [4.06, 4.29, 4.26, 4.09]),
    ([4.75, 5.24, 4.86, 4.78, 6.05, 5.42], [4.71, 5.50, 5.08, 5.02, 6.01, 5.67]),
    ([4.21, 3.61, 3.72, 3.87, 3.92], [4.14, 4.20, 4.61, 4.68, 5.04]),
    ([3.13, 2.98, 2.85, 3.17, 3.09, 3.12], [3.03, 2.86, 2.77, 2.46, 2.32, 2.43]),
    ([5.92, 6.42, 5.92, 6.27], [5.90, 5.81, 5.70, 5.76]),
    ([7.13, 6.62, 6.58, 6.93], [5.09, 4.63, 4.61, 5.09]),
    ([4.54, 4.81, 5.11, 5.29, 5.39, 5.57], [4.72, 4.61, 4.36, 4.20, 4.36, 4.20]),
    ([4.48, 4.92, 3.97], [3.17, 3.12, 2.96]),
    ([4.22, 4.65, 4.74, 4.44, 4.50], [4.35, 4.62, 3.16, 3.53, 3.53]),
    ([6.78, 6.07, 6.52, 6.42, 6.41, 5.76], [7.20, 6.09, 7.00, 7.10, 7.40, 6.80]),
    ([5.06, 4.72, 4.90, 4.80, 4.90, 5.10], [4.50, 4.20, 3.80, 3.80, 4.20, 4.50]),
]


def test_the_icc_is_that_of_shrout_and_fleiss() -> None:
    assert icc_of_ratings(SHROUT_FLEISS) == pytest.approx(0.29, abs=0.005)  # their table 4, ICC(2,1)


def cardiac_effects(split: bool) -> pd.DataFrame:
    """Return the cardiac data as effects, a video a subject, or each subject's data cut into two videos."""
    rows = []
    for subject, (first, second) in enumerate(CARDIAC):
        difference = np.array(first) - np.array(second)
        parts = [difference[:2], difference[2:]] if split else [difference]
        for part, values in enumerate(parts):
            deviation = values.std(ddof=1) if len(values) > 1 else np.nan
            columns = {"bias_deg": values.mean(), "sd_deg": deviation}
            rows.append(row(f"v{subject:02}{part}", "blur", frames=len(values), **columns))
    return effects_of(*rows)


@pytest.mark.parametrize("split", [False, True])
def test_limits_with_several_measurements_are_those_of_bland_and_altman_2007(split: bool) -> None:
    effects = cardiac_effects(split)
    subjects = {video: video[:3] for video in effects["video"].unique()}
    found = pick(
        limits_of_agreement(effects, videos_of(effects, subjects), STUDY),
        angle="left_knee",
        condition="all",
        method="blur",
    )
    # Where the true value varies: mean square within 0.170714026 and between subjects 4.2090856, divisor 4.9818182,
    # total variance 0.98133606, limits -1.3394565 to 2.5437899 about a bias of 0.6021667.
    assert found["n_units"] == 12
    assert found["n_pairs"] == 60
    assert found["bias_deg"] == pytest.approx(0.6021667, abs=1e-7)
    assert found["sd_within_deg"] ** 2 == pytest.approx(0.170714026, rel=1e-6)
    assert found["sd_between_deg"] ** 2 == pytest.approx((4.2090856 - 0.170714026) / 4.9818182, rel=1e-6)
    assert found["sd_between_deg"] ** 2 + found["sd_within_deg"] ** 2 == pytest.approx(0.98133606, rel=1e-6)
    assert found["loa_low_deg"] == pytest.approx(-1.3394565, abs=1e-6)
    assert found["loa_high_deg"] == pytest.approx(2.5437899, abs=1e-6)


# Lakens, Improving Your Statistical Inferences, chapter 9 (TOSTER's tsum_TOST), bounds of 0.5 to either side: mean,
# standard error, degrees of freedom; p of the lower, the upper and the usual t test.
LAKENS = [
    (-0.32, 0.3945124, 27.91398, 0.32586680, 0.02348582, 0.42415467),
    (-0.32, 0.1628789, 173.4654, 1.353200e-01, 5.963225e-07, 5.105211e-02),
]


@pytest.mark.parametrize(("mean", "error", "freedom", "p_lower", "p_upper", "p_usual"), LAKENS)
def test_the_two_one_sided_tests_are_those_of_lakens(
    mean: float, error: float, freedom: float, p_lower: float, p_upper: float, p_usual: float
) -> None:
    p_equivalence, p_difference = t_tests(mean, error, freedom, 0.5)
    assert p_equivalence[0] == pytest.approx(max(p_lower, p_upper), rel=1e-5)
    assert p_difference[0] == pytest.approx(p_usual, rel=1e-5)
    assert t_tests(-mean, error, freedom, 0.5)[0][0] == pytest.approx(p_equivalence[0])


def test_holm_adjusts_as_pingouin_documents() -> None:
    # Vallat 2018, Journal of Open Source Software 3:1026, documentation of pingouin.multicomp, method holm.
    adjusted = holm(np.array([0.50, 0.003, 0.32, 0.054, 0.0003]))
    assert adjusted == pytest.approx([0.64, 0.012, 0.64, 0.162, 0.0015])


# ------------------------------------------------------------------------------------------------ against other code


@pytest.mark.parametrize("people", ["all", "patient"])
@pytest.mark.parametrize("seed", range(2))
def test_summary_and_equivalence_are_those_of_an_independent_script(seed: int, people: str) -> None:
    effects, videos = made_up_study(seed)
    rows, listed = effects.to_dict("records"), videos.to_dict("records")
    weights = {"bias_deg": "n_both", "mae_deg": "n_both", "lost_percent": "n_original"}
    values = {
        measure: independent.unit_values(rows, listed, measure, weight, people == "patient")
        for measure, weight in weights.items()
    }
    units = independent.named_units(values.values())
    key = ["condition", "method", "angle", "signal", "measure", "basis"]

    study = STUDY | {"people": people}
    none = tables.empty("keypoint_effects"), tables.empty("identities")
    summary = summarize(effects, *none, videos, study).set_index(key)
    columns = ["n_videos", "n_units", "mean", "sd", "low", "high"]
    n_compared = 0
    for of_measure in values.values():
        for name, expected in independent.summarize(of_measure, units, 200, 0.95, 1).items():
            found = summary.loc[name, columns].to_numpy(dtype=float)
            assert found == pytest.approx(np.array(expected), rel=1e-9, abs=1e-9, nan_ok=True)
            n_compared += 1
    assert (
        n_compared == (summary["n_units"] > 0).sum() - summary.loc[pd.IndexSlice[:, :, "joints"], "n_units"].gt(0).sum()
    )

    table = equivalence(effects, videos, study).set_index(key)
    columns = ["n_units", "mean", "sd", "low", "high", "p_equivalence", "p_difference"]
    columns += ["p_equivalence_adjusted", "p_difference_adjusted"]
    tested = independent.equivalence(values["bias_deg"] | values["mae_deg"], 2.0, 0.05)
    assert set(table.index[table["n_units"] > 0]) == set(tested)
    for name, (*expected, verdict) in tested.items():
        found = table.loc[name, columns].to_numpy(dtype=float)
        assert found == pytest.approx(np.array(expected), rel=1e-6, abs=1e-9, nan_ok=True)
        assert table.loc[name, "verdict"] == verdict
    assert {"equivalent", "undecided"} <= set(table["verdict"])


def test_the_interval_is_that_of_scipys_percentile_bootstrap() -> None:
    values = np.random.default_rng(0).gamma(2.0, 1.5, size=40)
    effects = effects_of(*(row(f"v{index:03}", "blur", mae=value) for index, value in enumerate(values)))
    found = pick(summary_of(effects, bootstrap_samples=20_000), method="blur", basis="raw", **KNEE)
    expected = scipy.stats.bootstrap(
        (values,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(5)
    ).confidence_interval
    # Standard error of a 2.5 % quantile of 20,000 normal draws: sqrt(0.025 x 0.975 / 20,000) / 0.0584 = 0.019 of the
    # standard error of the mean. Two such quantiles are compared, so 4 x sqrt(2) of them allow for chance.
    tolerance = 4 * math.sqrt(2) * 0.019 * values.std() / math.sqrt(len(values))
    assert found["low"] == pytest.approx(expected.low, abs=tolerance)
    assert found["high"] == pytest.approx(expected.high, abs=tolerance)


def test_whole_subjects_are_drawn() -> None:
    # Ten videos of each of three subjects that differ: were videos drawn, the interval would be far too narrow.
    rows = [row(f"v{subject}{take}", "blur", mae=float(subject)) for subject in range(3) for take in range(10)]
    effects = effects_of(*rows)
    subjects = {f"v{subject}{take}": f"s{subject}" for subject in range(3) for take in range(10)}
    found = pick(summary_of(effects, subjects, bootstrap_samples=2000), method="blur", basis="raw", **KNEE)
    assert (found["n_videos"], found["n_units"]) == (30, 3)
    # One draw in 27 takes the same subject three times, and that is more than the 2.5 % of each tail.
    assert (found["low"], found["high"]) == (0.0, 2.0)
    assert found["sd"] == pytest.approx(1.0)


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    # 400 columns of 30 normal units; the percentile interval of so many is a little short, hence the lower bound.
    matrix = np.random.default_rng(2).normal(1.0, 2.0, size=(30, 400))
    _, low, high = resampling.bootstrap(matrix, 1000, 0.9, 3)
    covered = ((low <= 1.0) & (high >= 1.0)).mean()
    assert 0.83 <= covered <= 0.94


# ------------------------------------------------------------------------------------------------------- the averages


def test_people_are_weighted_by_their_frames_and_videos_count_once() -> None:
    effects = effects_of(
        row("a", "blur", mae=2.0, person=0, frames=300),
        row("a", "blur", mae=6.0, person=1, frames=100),  # video a: 3 deg
        row("b", "blur", mae=9.0, frames=10),  # video b: 9 deg, though it is short
    )
    result = pick(summary_of(effects), method="blur", basis="raw", **KNEE)
    assert result["mean"] == pytest.approx(6.0)
    assert result["n_videos"] == result["n_units"] == 2


def test_videos_of_a_subject_count_as_one() -> None:
    effects = effects_of(
        row("a", "blur", mae=2.0),
        row("b", "blur", mae=4.0, frames=10),
        row("c", "blur", mae=9.0),
    )
    result = pick(summary_of(effects, {"a": "p1", "b": "p1"}), method="blur", basis="raw", **KNEE)
    assert result["mean"] == pytest.approx(6.0)
    assert (result["n_videos"], result["n_units"]) == (3, 2)


def test_a_subject_is_not_taken_for_a_video_of_the_same_name() -> None:
    effects = effects_of(row("a", "blur", mae=1.0), row("b", "blur", mae=2.0))
    assert pick(summary_of(effects, {"b": "a"}), method="blur", basis="raw", **KNEE)["n_units"] == 2


def test_lost_frames_are_weighted_by_the_frames_of_the_original() -> None:
    effects = effects_of(
        row("a", "blur", mae=1.0, lost_percent=10.0),
        row("a", "blur", person=1, n_both=0, n_lost=100, lost_percent=100.0),  # lost altogether, and still counted
    )
    result = pick(summary_of(effects), method="blur", basis="raw", **(KNEE | {"measure": "lost_percent"}))
    assert result["mean"] == pytest.approx(55.0)


def test_only_patients_count_if_so_set_and_videos_without_one_drop_out() -> None:
    effects = effects_of(
        row("a", "blur", mae=1.0, patient=True),
        row("a", "blur", mae=5.0, person=1, patient=False),
        row("b", "blur", mae=9.0, patient=False),
    )
    found = pick(summary_of(effects, people="patient"), method="blur", basis="raw", **KNEE)
    assert (found["mean"], found["n_videos"], found["n_units"]) == (1.0, 1, 1)
    assert pick(summary_of(effects), method="blur", basis="raw", **KNEE)["mean"] == pytest.approx(6.0)


def test_net_is_the_net_column_under_the_name_of_the_measure_and_the_control_has_none() -> None:
    effects = effects_of(
        row("a", "blur", mae=5.0, mae_net_deg=4.0),
        row("b", "blur", mae=50.0),  # the control lost this person: raw has the video, net cannot
        row("a", CONTROL, mae=1.0, mae_net_deg=0.0),
        row("b", CONTROL),
    )
    summary = summary_of(effects)
    assert pick(summary, method="blur", basis="raw", **KNEE)["mean"] == pytest.approx(27.5)
    net = pick(summary, method="blur", basis="net", **KNEE)
    assert (net["mean"], net["n_videos"]) == (4.0, 1)
    assert not ((summary["method"] == CONTROL) & (summary["basis"] == "net")).any()
    assert set(summary.loc[summary["measure"] == "icc_2_1", "basis"]) == {"raw"}


def test_each_condition_is_a_study_of_its_own_and_all_has_every_video() -> None:
    effects = effects_of(
        *(row(video, "blur", mae=float(mae)) for video, mae in zip("abcd", (1, 3, 8, 100), strict=True))
    )
    summary = summary_of(effects, {"a": "p", "b": "q", "c": "p"}, {"a": "walk", "b": "walk", "c": "sit"})
    assert list(dict.fromkeys(summary["condition"])) == ["all", "sit", "walk"]
    of = {c: pick(summary, method="blur", basis="raw", **(KNEE | {"condition": c})) for c in ("all", "sit", "walk")}
    assert of["walk"]["mean"] == 2.0
    assert (of["sit"]["mean"], of["sit"]["n_units"]) == (8.0, 1)
    assert of["all"]["mean"] == pytest.approx(((1 + 8) / 2 + 3 + 100) / 3)
    # A condition alone is the study of its videos alone, draws included.
    alone = effects[effects["video"].isin(["a", "b"])]
    assert pick(summary_of(alone, {"a": "p", "b": "q"}), method="blur", basis="raw", **KNEE)["low"] == of["walk"]["low"]


def test_a_condition_called_all_is_refused() -> None:
    effects = effects_of(row("a", "blur", mae=1.0))
    with pytest.raises(UserError, match="rename"):
        summary_of(effects, {}, {"a": "all"})


def test_a_video_that_is_not_listed_is_a_mistake_of_the_caller() -> None:
    effects = effects_of(row("a", "blur", mae=1.0))
    with pytest.raises(ValueError, match="not among the videos"):
        summarize(effects, tables.empty("keypoint_effects"), tables.empty("identities"), videos_of(effects[:0]), STUDY)


def test_the_mean_over_joints_leaves_segments_and_missing_joints_out() -> None:
    effects = effects_of(
        row("a", "blur", mae=1.0, mae_net_deg=0.5),
        row("a", "blur", mae=4.0, mae_net_deg=3.5, angle="right_hip"),
        row("a", "blur", mae=70.0, angle="trunk"),
        row("b", "blur", mae=6.5, mae_net_deg=6.0),
    )
    summary = summary_of(effects)
    joints = pick(summary, method="blur", basis="raw", **(KNEE | {"angle": "joints"}))
    assert (joints["mean"], joints["n_videos"]) == (pytest.approx((2.5 + 6.5) / 2), 2)
    assert pick(summary, method="blur", basis="net", **(KNEE | {"angle": "joints"}))["mean"] == pytest.approx(4.0)


def body_row(video: str, method: str, person: int, n: int, **columns: Any) -> dict[str, Any]:
    numbers = {name: np.nan for name, column in tables.TABLES["keypoint_effects"].items() if column.dtype == "float64"}
    counts = {"n_original": n, "n_both": n, "n_lost": 0, "n_gained": 0}
    key = {"video": video, "method": method, "person": person, "patient": person == 0, "keypoint": "body"}
    return key | counts | numbers | columns


def test_what_concerns_the_whole_person_has_rows_of_its_own() -> None:
    effects = effects_of(row("a", "blur", mae=1.0), row("a", CONTROL, mae=1.0))
    keypoints = tables.check(
        pd.DataFrame(
            [
                body_row("a", "blur", 0, 300, oks=0.9, oks_net=-0.05, pck_0_2=1.0, displacement_mean=0.1),
                body_row("a", "blur", 1, 100, oks=0.5, oks_net=-0.25, pck_0_2=0.6, displacement_mean=0.3),
                body_row("a", "blur", 1, 100, oks=0.0, keypoint="LKnee"),
            ]
        ),
        "keypoint_effects",
    )
    people = [("blur", 0, 100, 10, 2), ("blur", 1, 300, 90, 3), (CONTROL, 0, 100, 0, 1), (CONTROL, 1, 300, 30, 0)]
    identities = tables.check(
        pd.DataFrame(
            [
                {"video": "a", "method": method, "person": person, "patient": person == 0, "n_original": n}
                | {"n_both": n - lost, "n_lost": lost, "n_gained": 0, "n_mirrored": n // 10}
                | {"n_tracks": 1 + switches, "n_switches": switches}
                for method, person, n, lost, switches in people
            ]
        ),
        "identities",
    )
    summary = summarize(effects, keypoints, identities, videos_of(effects), STUDY)
    body = summary[(summary["angle"] == "body") & (summary["signal"] == "")]

    def of(measure: str, basis: str, method: str = "blur") -> float:
        return float(pick(body, measure=measure, basis=basis, method=method)["mean"])

    assert of("oks", "raw") == pytest.approx(0.8)
    assert of("oks", "net") == pytest.approx(-0.1)
    assert of("displacement_mean", "raw") == pytest.approx(0.15)
    assert of("lost_percent", "raw") == pytest.approx(100 * 100 / 400)
    assert of("lost_percent", "net") == pytest.approx((10 * 100 + 20 * 300) / 400)
    assert of("mirrored_percent", "raw") == pytest.approx(100 * (10 + 30) / (90 + 210))
    assert of("n_switches", "raw") == 5.0
    assert of("n_switches", "net") == 4.0
    assert of("n_switches", "raw", CONTROL) == 1.0
    patient = summarize(effects, keypoints, identities, videos_of(effects), STUDY | {"people": "patient"})
    assert pick(patient, angle="body", measure="n_switches", basis="raw", method="blur")["mean"] == 2.0


def test_rows_keep_the_order_of_methods_angles_and_measures() -> None:
    effects = effects_of(row("a", "pixelate", mae=1.0), row("a", "blur", mae=1.0), row("a", CONTROL, mae=1.0))
    summary = summary_of(effects)
    assert list(dict.fromkeys(summary["method"])) == ["pixelate", "blur", CONTROL]
    assert list(dict.fromkeys(summary["angle"])) == [*JOINTS, *SEGMENTS, "joints", "body"]
    assert list(dict.fromkeys(summary["measure"]))[: len(unit_means.MEASURES)] == list(unit_means.MEASURES)
    assert not summary.duplicated(["condition", "method", "angle", "signal", "measure", "basis"]).any()


def test_an_angle_that_no_video_has_keeps_its_row_with_nothing_in_it() -> None:
    result = pick(
        summary_of(effects_of(row("a", "blur", mae=1.0))),
        method="blur",
        basis="raw",
        **(KNEE | {"angle": "right_ankle"}),
    )
    assert result["n_videos"] == 0
    assert np.isnan(result["mean"])


def test_one_video_has_a_mean_and_no_interval() -> None:
    result = pick(summary_of(effects_of(row("a", "blur", mae=3.0))), method="blur", basis="raw", **KNEE)
    assert result["mean"] == 3.0
    assert np.isnan(result[["sd", "low", "high"]].to_numpy(dtype=float)).all()


def test_no_effects_give_empty_tables() -> None:
    none = tables.empty("effects")
    assert summary_of(none).empty
    assert equivalence(none, videos_of(none), STUDY).empty
    assert limits_of_agreement(none, videos_of(none), STUDY).empty
    assert contrasts(none, videos_of(none), STUDY).empty


# -------------------------------------------------------------------------------------------------- tests and verdicts


def equivalence_of(values: list[float], **changed: Any) -> pd.Series:
    effects = effects_of(
        *(row(f"v{i:03}", "blur", bias_deg=value, bias_net_deg=value) for i, value in enumerate(values))
    )
    table = equivalence(effects, videos_of(effects), STUDY | changed)
    return pick(table, method="blur", basis="net", **(KNEE | {"measure": "bias_deg"}))


def test_a_small_difference_that_is_real_is_equivalent() -> None:
    found = equivalence_of([0.4, 0.5, 0.6, 0.5, 0.45, 0.55])
    assert found["p_difference_adjusted"] < 0.05
    assert found["verdict"] == "equivalent"
    assert found["n_needed"] is pd.NA


def test_a_large_difference_is_different_and_noise_is_undecided() -> None:
    assert equivalence_of([4.0, 5.0, 6.0, 5.0, 4.5, 5.5])["verdict"] == "different"
    noise = equivalence_of([-9.0, 8.0, -7.0, 9.0])
    assert noise["verdict"] == "undecided"
    assert noise["n_needed"] > 4


def test_equal_units_are_decided_exactly() -> None:
    within, beyond, nothing = equivalence_of([1.1] * 3), equivalence_of([3.3] * 3), equivalence_of([0.0] * 2)
    assert (within["verdict"], within["p_equivalence"], within["p_difference"]) == ("equivalent", 0.0, 0.0)
    assert (beyond["verdict"], beyond["p_equivalence"], beyond["p_difference"]) == ("different", 1.0, 0.0)
    assert (nothing["verdict"], nothing["p_equivalence"], nothing["p_difference"]) == ("equivalent", 0.0, 1.0)
    assert equivalence_of([2.0, 2.0])["verdict"] == "different"  # the margin itself is not within the margin


def test_one_unit_decides_nothing() -> None:
    found = equivalence_of([0.0])
    assert found["verdict"] == "undecided"
    assert np.isnan(found["p_equivalence"])
    assert found["n_needed"] is pd.NA


def test_units_needed_are_planned_at_the_level_of_the_whole_family() -> None:
    values = {"blur": [3.0, -1.0, 2.0, -2.5], "block": [2.0, -2.0, 5.0, 4.0], CONTROL: [1.0, -3.0, 2.0, 4.0]}
    rows = [row(f"v{i}", method, bias_deg=value) for method, of in values.items() for i, value in enumerate(of)]
    effects = effects_of(*rows)
    table = equivalence(effects, videos_of(effects), STUDY)
    found = pick(table, method="blur", basis="raw", **(KNEE | {"measure": "bias_deg"}))
    expected = units_needed(np.mean(values["blur"]), np.std(values["blur"], ddof=1), 2.0, 0.05 / 3, 0.8)
    assert found["verdict"] == "undecided"
    assert found["n_needed"] == expected[0]


def test_joints_and_segments_signals_measures_bases_and_conditions_are_families_of_their_own() -> None:
    effects, videos = made_up_study(4)
    table = equivalence(effects, videos, STUDY)
    table["kind"] = table["angle"].isin(JOINTS)
    for _, family in table.groupby(["condition", "signal", "measure", "basis", "kind"]):
        for test in ("equivalence", "difference"):
            expected = scipy_holm(family[f"p_{test}"].to_numpy(dtype=float))
            assert family[f"p_{test}_adjusted"].to_numpy(dtype=float) == pytest.approx(expected, nan_ok=True)


def scipy_holm(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Holm by its definition: the smallest level at which the step-down procedure rejects."""
    tested = p[np.isfinite(p)]
    adjusted = np.full(p.shape, np.nan)
    for place in np.flatnonzero(np.isfinite(p)):
        steps = [(len(tested) - np.sum(tested < other)) * other for other in tested if other <= p[place]]
        adjusted[place] = min(1.0, max(steps))
    return adjusted


@given(st.lists(st.floats(-6, 6), min_size=2, max_size=12), st.floats(0.1, 5), st.floats(0.01, 0.3))
@settings(max_examples=60, deadline=None)
def test_equivalence_is_that_the_interval_lies_within_the_margin(
    values: list[float], margin: float, alpha: float
) -> None:
    found = equivalence_of(values, margin_deg=margin, alpha=alpha)
    inside = found["low"] > -margin and found["high"] < margin
    near = min(abs(found["low"] + margin), abs(found["high"] - margin)) < 1e-6
    assert near or (found["p_equivalence"] < alpha) == inside


# ------------------------------------------------------------------------------------------- contrasts and agreement


def test_contrasts_compare_what_both_methods_have_in_pairs() -> None:
    effects = effects_of(
        *(row(f"v{i}", "blur", mae=value) for i, value in enumerate((1.0, 2.0, 3.0, 4.0))),
        *(row(f"v{i}", "block", mae=value) for i, value in enumerate((1.5, 2.7, 3.2))),
        # Only one method has this joint in this video, so that it compares nothing.
        row("v0", "block", mae=50.0, angle="right_knee"),
        *(row(f"v{i}", CONTROL, mae=0.1) for i in range(4)),
    )
    table = contrasts(effects, videos_of(effects), STUDY)
    assert len(table) == 1
    found = table.iloc[0]
    expected = scipy.stats.ttest_rel([1.0, 2.0, 3.0], [1.5, 2.7, 3.2])
    interval = expected.confidence_interval(0.95)
    assert (found["method"], found["other"], found["n_units"]) == ("blur", "block", 3)
    assert found["mean"] == pytest.approx(-0.4666667)
    assert found["p"] == found["p_adjusted"] == pytest.approx(expected.pvalue)
    assert (found["low"], found["high"]) == pytest.approx((interval.low, interval.high))


def test_contrasts_of_three_methods_are_one_family() -> None:
    rng = np.random.default_rng(0)
    rows = [
        row(f"v{i}", method, mae=rng.normal(mean, 1.0))
        for i in range(8)
        for method, mean in (("blur", 1.0), ("block", 2.5), ("pixelate", 1.2))
    ]
    table = contrasts(effects_of(*rows), videos_of(effects_of(*rows)), STUDY)
    assert list(zip(table["method"], table["other"], strict=True)) == [
        ("blur", "block"),
        ("blur", "pixelate"),
        ("block", "pixelate"),
    ]
    assert table["p_adjusted"].to_numpy() == pytest.approx(holm(table["p"].to_numpy()))


def test_with_one_measurement_a_unit_the_limits_are_the_usual_ones() -> None:
    differences = np.array(WRIGHT, dtype=float) - np.array(MINI_WRIGHT)
    effects = effects_of(*(row(f"v{i:02}", "blur", frames=1, bias_deg=d) for i, d in enumerate(differences)))
    found = pick(
        limits_of_agreement(effects, videos_of(effects), STUDY), angle="left_knee", condition="all", method="blur"
    )
    # Bland & Altman 1986 have a bias of -2.1 and a standard deviation of 38.8 l/min.
    assert found["bias_deg"] == pytest.approx(-2.1, abs=0.05)
    assert (found["loa_low_deg"], found["loa_high_deg"]) == pytest.approx(
        (-2.1 - 1.96 * 38.8, -2.1 + 1.96 * 38.8), abs=0.2
    )
    assert np.isnan(found["sd_within_deg"])


def test_the_mean_over_joints_is_over_joints_that_every_method_has() -> None:
    joints = dict.fromkeys(("left_knee", "left_elbow"), 0.0)
    rows = [row("a", method, angle=angle, mae=1.0) for method in ("blur", CONTROL) for angle in joints]
    rows += [row("a", "block", angle="left_knee", mae=1.0)]
    rows[1] |= {"mae_deg": 9.0}
    summary = summary_of(effects_of(*rows))
    found = summary[(summary["angle"] == "joints") & (summary["measure"] == "mae_deg") & (summary["basis"] == "raw")]
    means = found.set_index(["condition", "method"])["mean"]
    # The elbow, which blur has wrong by 9 degrees, is lost by block: neither is judged by it.
    assert means["all", "blur"] == means["all", "block"] == 1.0


def test_one_unit_has_no_limits_over_units() -> None:
    effects = effects_of(row("a", "blur", bias_deg=1.0, sd_deg=2.0, icc_2_1=0.9))
    found = pick(
        limits_of_agreement(effects, videos_of(effects), STUDY), angle="left_knee", condition="all", method="blur"
    )
    assert (found["bias_deg"], found["sd_within_deg"], found["icc_2_1"]) == pytest.approx((1.0, 2.0, 0.9))
    assert np.isnan(found[["sd_between_deg", "loa_low_deg", "loa_high_deg"]].to_numpy(dtype=float)).all()


def test_units_that_differ_no_more_than_their_frames_have_no_variance_between() -> None:
    effects = effects_of(*(row(f"v{i}", "blur", bias_deg=1.0, sd_deg=2.0) for i in range(4)))
    found = pick(
        limits_of_agreement(effects, videos_of(effects), STUDY), angle="left_knee", condition="all", method="blur"
    )
    assert found["sd_between_deg"] == 0.0
    assert found["loa_high_deg"] == pytest.approx(1.0 + 1.96 * 2.0)


# ----------------------------------------------------------------------------------------------------------- properties


@given(st.integers(0, 10_000))
@settings(max_examples=10, deadline=None)
def test_neither_the_order_of_rows_nor_the_numbering_of_people_matters(seed: int) -> None:
    effects, videos = made_up_study(seed, n_videos=4)
    rng = np.random.default_rng(seed)
    shuffled = effects.iloc[rng.permutation(len(effects))]
    renumbered = shuffled.assign(person=shuffled["person"].map({0: 7, 1: 2, 2: 5}))
    other = renumbered.reset_index(drop=True), videos.iloc[::-1].reset_index(drop=True)
    none = tables.empty("keypoint_effects"), tables.empty("identities")
    key = ["condition", "method", "angle", "signal"]
    pairs = [
        (summarize(effects, *none, videos, STUDY), summarize(other[0], *none, other[1], STUDY), ["measure", "basis"]),
        (equivalence(effects, videos, STUDY), equivalence(*other, STUDY), ["measure", "basis"]),
        (limits_of_agreement(effects, videos, STUDY), limits_of_agreement(*other, STUDY), []),
    ]
    for first, second, more in pairs:
        by = [*key, *more]
        pd.testing.assert_frame_equal(
            first.sort_values(by).reset_index(drop=True), second.sort_values(by).reset_index(drop=True), rtol=1e-7
        )


@given(st.lists(st.floats(-90, 90), min_size=2, max_size=12), st.floats(-50, 50), st.floats(0.1, 10), st.integers(0, 5))
@settings(max_examples=40, deadline=None)
def test_intervals_move_with_a_shift_and_stretch_with_a_scale(
    values: list[float], shift: float, scale: float, seed: int
) -> None:
    matrix = np.array(values)[:, None]
    one = np.array(resampling.bootstrap(matrix, 300, 0.9, seed))
    other = np.array(resampling.bootstrap(shift + scale * matrix, 300, 0.9, seed))
    assert other == pytest.approx(shift + scale * one, abs=1e-7)
    mean, low, high = one[:, 0]
    assert min(values) - 1e-9 <= low <= high <= max(values) + 1e-9
    narrow = np.array(resampling.bootstrap(matrix, 300, 0.5, seed))
    assert low - 1e-9 <= narrow[1, 0] <= narrow[2, 0] <= high + 1e-9
    assert mean == pytest.approx(np.mean(values))


@given(st.integers(2, 40), st.integers(2, 5), st.floats(-1e4, 1e4), st.floats(0.01, 100), st.integers(0, 100))
@settings(max_examples=60, deadline=None)
def test_the_icc_does_not_change_with_unit_offset_or_order(
    n: int, k: int, shift: float, scale: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    ratings = rng.normal(0, 5, (n, 1)) + rng.normal(0, 1, (1, k)) + rng.normal(0, 2, (n, k))
    expected = icc_of_ratings(ratings)
    assert icc_of_ratings(shift + scale * ratings) == pytest.approx(expected, abs=1e-6)
    assert icc_of_ratings(ratings[rng.permutation(n)][:, rng.permutation(k)]) == pytest.approx(expected)
    assert expected <= 1.0


def test_the_icc_of_two_is_that_of_a_matrix_with_two_columns() -> None:
    x, y = SHROUT_FLEISS[:, 0], SHROUT_FLEISS[:, 3]
    assert icc(x, y) == icc_of_ratings(np.column_stack([x, y]))
    assert icc(x, y) == pytest.approx(icc(y, x))
    assert icc(x, x) == 1.0
    assert icc(x, x + 3.0) < 1.0  # absolute agreement: an offset counts


@pytest.mark.parametrize("values", [[], [1.0], [2.0, 2.0, 2.0]])
def test_without_anything_to_tell_apart_there_is_no_icc(values: list[float]) -> None:
    assert np.isnan(icc(np.array(values), np.array(values)))


def test_net_columns_are_named_as_in_the_tables() -> None:
    for measure in ("bias_deg", "mae_deg", "lost_percent", "percent_difference", "confidence_bias"):
        assert unit_means.net_column(measure) in tables.TABLES["effects"]
    for measure in unit_means.BODY_MEASURES:
        assert unit_means.net_column(measure) in tables.TABLES["keypoint_effects"]
