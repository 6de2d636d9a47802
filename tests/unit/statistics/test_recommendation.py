"""The choice of a method: privacy before kinematics, no ranking without evidence, and the sentence that says so."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deidpose import tables
from deidpose.kinematics.angles import JOINTS
from deidpose.statistics.recommendation import FEWEST_UNITS, STRENGTH, recommend, sentence

STUDY = {"alpha": 0.05, "margin_deg": 2, "confidence_level": 0.95}
METHODS = ("blur", "block", "pixelate")


def audits_of(method: str, n: int = 10, verdicts: Sequence[str] = (), leaked: int = 0) -> list[dict[str, Any]]:
    """Return the audits of a method: the verdicts, then pass; leaked frames in the first file."""
    return [
        {
            "video": f"v{i}",
            "method": method,
            "verdict": verdicts[i] if i < len(verdicts) else "pass",
            "n_face_frames": 100 if i else 300,
            "share_covered": 1 - leaked / 300 if i == 0 else 1.0,
            "findings": [{"kind": "leak", "n_frames": leaked, "accepted": False}] if leaked and i == 0 else [],
        }
        for i in range(n)
    ]


PASSED = [audit for method in METHODS for audit in audits_of(method)]


def test_what_a_reviewer_has_accepted_is_no_face_and_counts_against_nobody() -> None:
    audits = audits_of("blur") + audits_of("block") + audits_of("pixelate")
    audits[0] |= {"share_covered": 0.9, "findings": [{"kind": "leak", "n_frames": 30, "accepted": True}]}
    audits[10] |= {"share_covered": 299 / 300, "findings": [{"kind": "glimpse", "n_frames": 1, "accepted": False}]}
    costs = dict.fromkeys(METHODS, 1.0)
    table = chosen(costs, audits=audits).set_index("method")
    assert table["n_leaked_frames"].tolist() == [0, 0, 0]
    assert table.loc["blur", "n_face_frames"] == table.loc["pixelate", "n_face_frames"] - 30
    assert table.loc["block", "n_face_frames"] == table.loc["pixelate", "n_face_frames"] - 1
    assert table["share_covered"].tolist() == pytest.approx([1, 1, 1])
    assert table.loc["block", "recommended"]


def summary_of(costs: dict[str, float], n: int = 12, n_videos: int | None = None) -> pd.DataFrame:
    rows = [
        {"method": method, "condition": condition, "angle": "joints", "signal": signal, "measure": measure}
        | {"basis": basis, "n_videos": n_videos or n, "n_units": n, "sd": 0.5}
        | dict.fromkeys(("mean", "low", "high"), 99.0)
        | wanted
        for method, cost in costs.items()
        for condition in ("all", "walk")
        for signal in ("unfiltered", "filtered")
        for basis in ("raw", "net")
        for measure, value in (("mae_deg", cost), ("lost_percent", 3.0))
        for wanted in [
            {"mean": value, "low": value - 0.2, "high": value + 0.2}
            # What is lost counts as measured.
            if (condition, basis) == ("all", "net") and signal == ("filtered" if measure == "mae_deg" else "unfiltered")
            else {}
        ]
    ]
    rows.append(rows[0] | {"method": "reencode", "basis": "raw"})
    return tables.check(pd.DataFrame(rows), "summary")


def contrasts_of(costs: dict[str, float], p: dict[tuple[str, str], float], n: int = 12) -> pd.DataFrame:
    methods = list(costs)
    rows = []
    for i, first in enumerate(methods):
        for second in methods[i + 1 :]:
            mean = costs[first] - costs[second]
            row = {"method": first, "other": second, "condition": "all", "signal": "filtered", "n_units": n, "sd": 0.5}
            known = p.get((first, second), p.get((second, first), 0.9))
            row |= {"mean": mean, "low": mean - 0.1, "high": mean + 0.1, "p": known, "p_adjusted": known}
            rows += [row, row | {"condition": "walk", "p_adjusted": 0.0}, row | {"signal": "unfiltered", "mean": 50.0}]
    return tables.check(pd.DataFrame(rows), "contrasts") if rows else tables.empty("contrasts")


def chosen(
    costs: dict[str, float],
    p: dict[tuple[str, str], float] | None = None,
    audits: Sequence[dict[str, Any]] = PASSED,
    n: int = 12,
    **settings: Any,
) -> pd.DataFrame:
    return recommend(
        audits,
        summary_of(costs, n),
        tables.empty("equivalence"),
        contrasts_of(costs, p or {}, n),
        STUDY,
        "filtered",
        **settings,
    )


ALIKE = {"blur": 0.5, "block": 0.6, "pixelate": 0.55}


def test_without_evidence_of_a_difference_the_strongest_mask_is_taken_and_the_sentence_says_so() -> None:
    table = chosen(ALIKE)
    assert table["method"].tolist() == ["block", "blur", "pixelate"]
    assert table["recommended"].tolist() == [True, False, False]
    text = sentence(table)
    assert text.startswith("Use block. All of its 10 files passed the audit. ")
    assert "no evidence that blur, block and pixelate differ" in text
    assert "0.60° (95 % interval 0.40° to 0.80°, 12 videos)" in text


def test_a_cost_that_is_shown_outweighs_the_strength_of_the_mask() -> None:
    costs = {"blur": 0.5, "block": 3.6, "pixelate": 0.55}
    table = chosen(costs, {("blur", "block"): 0.001, ("block", "pixelate"): 0.2})
    assert table["method"].tolist() == ["blur", "block", "pixelate"]  # block and pixelate alone are not told apart
    text = sentence(table)
    assert "no evidence that blur and pixelate differ" in text
    assert "Block costs more." in text
    assert "costs the joint angles more than blur, by 3.10° (3.00° to 3.20°)" in table["reason"][1]


def test_a_method_that_costs_less_than_all_others_is_named_with_the_differences() -> None:
    costs = {"blur": 0.5, "block": 3.6, "pixelate": 2.9}
    table = chosen(costs, {("blur", "block"): 0.001, ("blur", "pixelate"): 0.01})
    assert table["method"][0] == "blur"
    text = sentence(table)
    assert "costs the joint angles less than block by 3.10° (3.00° to 3.20°) and pixelate by 2.40°" in text
    assert "below the margin" not in text


def test_a_difference_below_the_margin_is_said_to_be_one() -> None:
    table = chosen({"blur": 0.5, "block": 0.7}, {("blur", "block"): 0.001}, [*audits_of("blur"), *audits_of("block")])
    assert table["method"][0] == "blur"
    assert "below the margin of 2°; the mask that leaves least of a face is block." in sentence(table)


def test_overlapping_rows_of_other_conditions_and_signals_do_not_decide() -> None:
    # contrasts_of gives every other condition a p of 0 and the other signal a difference of 50 deg.
    assert chosen(ALIKE)["mae_net_deg"].tolist() == [0.6, 0.5, 0.55]
    assert chosen(ALIKE)["lost_percent_net"].tolist() == [3.0, 3.0, 3.0]


@pytest.mark.parametrize(
    ("verdicts", "leaked"), [(["fail"], 0), (["review"], 0), ([], 5)], ids=["failed", "to be looked at", "leaked"]
)
def test_no_kinematic_gain_outweighs_a_worse_audit(verdicts: list[str], leaked: int) -> None:
    audits = [*audits_of("block"), *audits_of("blur", verdicts=verdicts, leaked=leaked)]
    table = chosen({"block": 30.0, "blur": 0.0}, {("block", "blur"): 1e-9}, audits)
    assert table["method"].tolist() == ["block", "blur"]
    assert "Blur did worse in the audit, and privacy comes before kinematics." in sentence(table)
    assert table["reason"][1].endswith("That is worse than for block, and privacy comes before kinematics.")


def test_a_leak_more_or_less_is_chance_and_leaves_the_choice_to_kinematics() -> None:
    audits = [*audits_of("block"), *audits_of("blur", leaked=4)]
    table = chosen({"block": 3.0, "blur": 0.5}, {("block", "blur"): 1e-9}, audits)
    assert table["method"].tolist() == ["blur", "block"]
    assert table["n_leaked_frames"].tolist() == [4, 0]


def test_files_that_may_go_out_count_before_leaks_and_the_setting_says_which() -> None:
    audits = [*audits_of("blur", verdicts=["review"] * 3), *audits_of("block", verdicts=["fail"])]
    costs = {"blur": 0.5, "block": 0.5}
    assert chosen(costs, audits=audits)["method"][0] == "block"  # one withheld file against three
    assert chosen(costs, audits=audits, withhold=["fail"])["method"][0] == "blur"


def test_what_was_found_is_added_up_over_files() -> None:
    audits = audits_of("blur", verdicts=["fail", "review", "review"], leaked=30)
    row = chosen({"blur": 0.5}, audits=audits).iloc[0]
    assert row[["n_videos", "n_pass", "n_review", "n_fail"]].tolist() == [10, 7, 2, 1]
    assert row[["n_face_frames", "n_leaked_frames"]].tolist() == [1200, 30]
    assert row["share_covered"] == pytest.approx(1 - 30 / 1200)
    assert row["recommended"]
    text = sentence(chosen({"blur": 0.5}, audits=audits))
    assert text.startswith(
        "Blur is the best of the methods, but not every file of it is safe. 7 of its 10 files passed"
    )
    assert "2 should be looked at and 1 failed; 30 leaked frames were found" in text


def test_too_few_units_are_not_ranked_by_kinematics() -> None:
    costs = {"blur": 0.0, "block": 9.0, "pixelate": 8.0}
    sure = {("blur", "block"): 1e-6, ("blur", "pixelate"): 1e-6}
    few, enough = chosen(costs, sure, n=FEWEST_UNITS - 1), chosen(costs, sure, n=FEWEST_UNITS)
    assert few["method"][0] == "block"
    assert "too few data to choose by kinematics" in sentence(few)
    assert "interval" not in sentence(few).replace("too few for an interval", "")
    assert enough["method"][0] == "blur"


def test_a_method_without_an_audit_comes_last_and_is_never_recommended() -> None:
    table = chosen(ALIKE, audits=audits_of("pixelate"))
    assert table["method"][0] == "pixelate"
    assert "Blur and block did worse in the audit or had none" in sentence(table)
    alone = chosen({"blur": 0.1}, audits=[])
    assert not alone["recommended"].any()
    assert sentence(alone).startswith(
        "No method can be recommended; blur comes nearest. None of its files was audited."
    )


def test_where_no_file_may_go_out_nothing_is_recommended() -> None:
    table = chosen({"blur": 0.1}, audits=audits_of("blur", n=2, verdicts=["fail", "fail"], leaked=5))
    assert not table["recommended"].any()
    assert sentence(table).startswith("No method can be recommended; blur comes nearest. 0 of its 2 files passed")


def test_one_method_is_said_to_be_the_only_one() -> None:
    assert "No other method was run." in sentence(chosen({"blur": 0.1}, audits=audits_of("blur")))


def test_without_methods_there_is_nothing_to_choose() -> None:
    table = recommend(
        [], tables.empty("summary"), tables.empty("equivalence"), tables.empty("contrasts"), STUDY, "filtered"
    )
    assert table.empty
    assert sentence(table) == "There is no method to choose from."


def test_audits_without_kinematics_still_choose() -> None:
    table = recommend(
        PASSED, tables.empty("summary"), tables.empty("equivalence"), tables.empty("contrasts"), STUDY, "filtered"
    )
    assert table["method"].tolist() == list(STRENGTH)
    assert sentence(table).endswith("What it costs the kinematics could not be measured.")


def test_an_audit_without_faces_has_no_share_covered() -> None:
    audit = audits_of("blur", n=1)[0] | {"n_face_frames": 0, "share_covered": None}
    assert pd.isna(chosen({"blur": 0.1}, audits=[audit])["share_covered"][0])


def test_subjects_are_called_subjects() -> None:
    table = recommend(
        PASSED,
        summary_of(ALIKE, n=8, n_videos=20),
        tables.empty("equivalence"),
        contrasts_of(ALIKE, {}, n=8),
        STUDY,
        "filtered",
    )
    assert "8 subjects)" in sentence(table)


def test_verdicts_are_counted_for_the_joint_angles_of_the_headline() -> None:
    keys = [
        {"method": "blur", "condition": condition, "angle": angle, "signal": signal, "measure": measure, "basis": basis}
        for condition in ("all", "walk")
        for angle in (*JOINTS, "trunk")
        for signal in ("filtered", "unfiltered")
        for measure in ("mae_deg", "bias_deg")
        for basis in ("net", "raw")
    ]
    table = pd.DataFrame(keys)
    headline = ((table["condition"] == "all") & (table["signal"] == "filtered") & (table["measure"] == "mae_deg")) & (
        table["basis"] == "net"
    )
    table["verdict"] = "different"
    table.loc[headline & table["angle"].isin(JOINTS[:7]), "verdict"] = "equivalent"
    table.loc[headline & table["angle"].isin(JOINTS[7:9]), "verdict"] = "undecided"
    for column, definition in tables.TABLES["equivalence"].items():
        if column not in table:
            table[column] = pd.Series([1] * len(table), dtype=definition.dtype)
    costs = {"blur": 0.5}
    row = recommend(
        audits_of("blur"),
        summary_of(costs),
        tables.check(table, "equivalence"),
        tables.empty("contrasts"),
        STUDY,
        "filtered",
    ).iloc[0]
    assert row[["n_equivalent", "n_undecided", "n_different"]].tolist() == [7, 2, 3]


method_audits = st.tuples(
    st.lists(st.sampled_from(["pass", "review", "fail"]), min_size=1, max_size=4), st.sampled_from([0, 1, 20])
)


@given(
    st.tuples(method_audits, method_audits, method_audits),
    st.tuples(*[st.floats(-5, 5)] * 3),
    st.tuples(*[st.floats(0, 1)] * 3),
    st.permutations(range(3)),
)
def test_the_choice_never_prefers_a_worse_audit_and_does_not_depend_on_order(
    audited: tuple[tuple[list[str], int], ...],
    means: tuple[float, ...],
    p: tuple[float, ...],
    order: list[int],
) -> None:
    audits = [
        audit
        for method, (verdicts, leaked) in zip(METHODS, audited, strict=True)
        for audit in audits_of(method, n=len(verdicts), verdicts=verdicts, leaked=leaked)
    ]
    costs = dict(zip(METHODS, means, strict=True))
    known = dict(zip([("blur", "block"), ("blur", "pixelate"), ("block", "pixelate")], p, strict=True))
    table = chosen(costs, known, audits)
    assert sorted(table["method"]) == sorted(METHODS)
    assert table["rank"].tolist() == [1, 2, 3]
    out = table["n_pass"] / table["n_videos"]
    assert (out.diff().dropna() <= 0).all()
    faultless = (table["n_pass"] == table["n_videos"]) & (table["n_leaked_frames"] <= 1)
    assert not (~faultless).any() or not faultless[(~faultless).idxmax() :].any()
    assert sentence(table)
    assert table["reason"].str.endswith(".").all()

    shuffled = {METHODS[i]: costs[METHODS[i]] for i in order}
    again = chosen(shuffled, known, sorted(audits, key=lambda audit: order[METHODS.index(audit["method"])]))
    assert again["method"].tolist() == table["method"].tolist()
