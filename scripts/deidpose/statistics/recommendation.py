"""Recommend a method, with the sentence that says why: privacy first, then what it costs the kinematics."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd
from scipy.stats import binomtest

from deidpose import tables
from deidpose.kinematics.angles import JOINTS
from deidpose.labels import ALL, CONTROL, JOINT_MEAN

#: The masks, the one that leaves least of a face first: block leaves nothing; of the others, an attacker who knows
#: everything but the face gets a little less back from blur, with the default settings (docs/masks.md).
STRENGTH = ("block", "blur", "pixelate")

#: With fewer units than this, kinematics have no say: below six, even if every unit spoke for the same method, a
#: two-sided sign test would not reject at 0.05 (2 x 0.5 ** 5 = 0.0625).
FEWEST_UNITS = 6


#: Probability below which leaks are more than chance.
_CHANCE = 0.05


class _Cost(NamedTuple):
    """A mean in degrees or percent with its interval and the number of units and videos; NaN and 0 for none."""

    mean: float
    low: float
    high: float
    n_units: int
    n_videos: int


class _Contrast(NamedTuple):
    """What a method costs more than another, in degrees, with its interval, adjusted p and number of units."""

    mean: float
    low: float
    high: float
    p: float
    n_units: int


_NO_COST = _Cost(float("nan"), float("nan"), float("nan"), 0, 0)
_NO_CONTRAST = _Contrast(float("nan"), float("nan"), float("nan"), float("nan"), 0)


def recommend(
    audits: Sequence[Mapping[str, Any]],
    summary: pd.DataFrame,
    equivalence: pd.DataFrame,
    contrasts: pd.DataFrame,
    settings: Mapping[str, Any],
    headline_signal: str,
    withhold: Sequence[str] = ("fail", "review"),
) -> pd.DataFrame:
    """Rank the methods.

    1. Privacy, from the audits, lexicographically: the share of files that may go out (more is better), the share that
       failed (less is better), leaked frames (less is better, where more leaks than with the best are not chance; what
       a reviewer has accepted does not count). No gain in kinematics outweighs it.
    2. Among methods alike in that, kinematics: the additional mean absolute difference, mean over joint angles. A
       method costs more than the one with the lowest mean if the paired t test of the two says so, corrected by
       Holm's method over all pairs. The others are tied: there is no evidence that they differ. With fewer than
       `FEWEST_UNITS` units in any of the comparisons, all are tied.
    3. Among tied methods, the mask that leaves least of a face: `STRENGTH`.

    Parameters
    ----------
    audits : sequence of mappings
        The audit of each video and method, as in its JSON file: ``video``, ``method``, ``verdict``, ``n_face_frames``,
        ``share_covered`` and the leaks among ``findings`` are used. What a reviewer has accepted, and
        a glimpse, which the audit lists but does not take for a face, is none.
    summary, equivalence, contrasts : DataFrame
        The tables of these names. Their rows for all conditions together count.
    settings : mapping
        The part ``study`` of the config: ``alpha``, ``margin_deg`` and ``confidence_level``.
    headline_signal : str
        ``filtered`` or ``unfiltered``: the signal that counts.
    withhold : sequence of str
        Verdicts with which a file may not go out: ``audit.withhold`` of the config.

    Returns
    -------
    DataFrame
        The table ``choice``, best first; the control has no row. A method without an audit comes last. None is
        recommended if no file of the first may go out.
    """
    found = [*summary["method"].unique(), *(audit["method"] for audit in audits)]
    methods = [method for method in dict.fromkeys(found) if method != CONTROL]
    if not methods:
        return tables.empty("choice")
    of_joints = summary[(summary["condition"] == ALL) & (summary["angle"] == JOINT_MEAN)]
    headline = of_joints[of_joints["signal"] == headline_signal]
    unfiltered = of_joints[of_joints["signal"] == "unfiltered"]
    tested = equivalence[
        (equivalence["condition"] == ALL)
        & (equivalence["signal"] == headline_signal)
        & (equivalence["measure"] == "mae_deg")
        & (equivalence["basis"] == "net")
        & equivalence["angle"].isin(JOINTS)
    ]
    audited = {method: _audited(audits, method, withhold) for method in methods}
    cost = {method: _cost(headline, method, "mae_deg") for method in methods}
    more = _differences(contrasts, headline_signal)

    order: list[str] = []
    reasons: dict[str, str] = {}
    while len(order) < len(methods):
        left = [method for method in methods if method not in order]
        best = min(left, key=lambda method: _privacy(audited[method]))
        alike = [method for method in left if _alike(audited[method], audited[best])]
        few = _too_few(alike, cost, more)
        lowest, dearer = _dearer(alike, cost, more, settings["alpha"], few)
        order.append(min((method for method in alike if method not in dearer), key=_strength))
        if len(order) == 1:
            first = order[0]
            others = [method for method in methods if method not in alike]
            n_audited = {method: audited[method]["n_videos"] for method in methods}
            reasons[first] = _why_first(
                first, alike, dearer, others, few, audited[first], n_audited, cost[first], more, settings
            )
            for method in methods:
                if method != first:
                    reasons[method] = _why_not(
                        method, first, lowest, method in alike, method in dearer, few, audited[method], more
                    )
    rows = []
    for rank, method in enumerate(order, start=1):
        verdicts = tested.loc[tested["method"] == method, "verdict"].value_counts()
        rows.append(
            {name: value for name, value in audited[method].items() if name in tables.TABLES["choice"]}
            | {
                "method": method,
                "rank": rank,
                "recommended": rank == 1 and audited[method]["n_out"] > 0,
                "mae_net_deg": cost[method].mean,
                "low": cost[method].low,
                "high": cost[method].high,
                # As measured: filtering bridges short gaps, and so hides what was lost.
                "lost_percent_net": _cost(unfiltered, method, "lost_percent").mean,
                "n_equivalent": verdicts.get("equivalent", 0),
                "n_different": verdicts.get("different", 0),
                "n_undecided": verdicts.get("undecided", 0),
                "reason": reasons[method],
            }
        )
    return tables.check(pd.DataFrame(rows), "choice")


def sentence(choice: pd.DataFrame) -> str:
    """Say in plain words which method to choose and why.

    Parameters
    ----------
    choice : DataFrame
        The table ``choice``.

    Returns
    -------
    str
        One paragraph.
    """
    if choice.empty:
        return "There is no method to choose from."
    first = choice.sort_values("rank").iloc[0]
    method = str(first["method"])
    if not first["recommended"]:
        start = f"No method can be recommended; {method} comes nearest."
    elif first["n_pass"] == first["n_videos"]:
        start = f"Use {method}."
    else:
        start = f"{method.capitalize()} is the best of the methods, but not every file of it is safe."
    return f"{start} {first['reason']}"


def _audited(audits: Sequence[Mapping[str, Any]], method: str, withhold: Sequence[str]) -> dict[str, Any]:
    """Add up the audits of a method."""
    chosen = [audit for audit in audits if audit["method"] == method]
    verdicts = [audit["verdict"] for audit in chosen]
    # What was found and is no face, as a reviewer or the audit says.
    none = sum(_n_frames(audit, "leak", True) + _n_frames(audit, "glimpse") for audit in chosen)
    faces = sum(audit["n_face_frames"] for audit in chosen) - none
    covered = sum((audit["share_covered"] or 0.0) * audit["n_face_frames"] for audit in chosen)
    return {
        "n_videos": len(chosen),
        "n_pass": verdicts.count("pass"),
        "n_review": verdicts.count("review"),
        "n_fail": verdicts.count("fail"),
        "n_out": sum(verdict not in withhold for verdict in verdicts),
        "n_face_frames": faces,
        "n_leaked_frames": sum(_n_frames(audit, "leak", False) for audit in chosen),
        # One detection may be of two findings.
        "share_covered": min(covered / faces, 1.0) if faces > 0 else float("nan"),
    }


def _n_frames(audit: Mapping[str, Any], kind: str, accepted: bool | None = None) -> int:
    """Return the frames of the findings of a kind, of all or of those that a reviewer has, or has not, accepted."""
    findings = (finding for finding in audit["findings"] if finding["kind"] == kind)
    return sum(finding["n_frames"] for finding in findings if accepted in (None, finding["accepted"]))


def _privacy(audited: Mapping[str, Any]) -> tuple[float, float, float]:
    """Return what methods are compared by, the smaller the better."""
    n = audited["n_videos"]
    if n == 0:
        return (1.0, 1.0, 1.0)
    withheld, failed = 1.0 - audited["n_out"] / n, audited["n_fail"] / n
    return (withheld, failed, audited["n_leaked_frames"] / max(audited["n_face_frames"], 1))


def _alike(audited: Mapping[str, Any], best: Mapping[str, Any]) -> bool:
    """Return whether the audits of a method are as good as the best ones.

    All masks have the same shape, so a leak more or less is mostly chance: that one detector sees something in one of
    them. Leaks count as more when that many of all leaks of the two fall on one method with a probability below 0.05.
    """
    if _privacy(audited)[:2] != _privacy(best)[:2]:
        return False
    more, fewer = audited["n_leaked_frames"], best["n_leaked_frames"]
    return more <= fewer or bool(binomtest(more, more + fewer, alternative="greater").pvalue >= _CHANCE)


def _strength(method: str) -> int:
    """Return the place of a mask among the masks, 0 for the one that leaves least."""
    return STRENGTH.index(method) if method in STRENGTH else len(STRENGTH)


def _cost(headline: pd.DataFrame, method: str, measure: str) -> _Cost:
    """Return a row of the summary, net."""
    chosen = headline[(headline["method"] == method) & (headline["measure"] == measure) & (headline["basis"] == "net")]
    if chosen.empty:
        return _NO_COST
    row = chosen.iloc[0]
    return _Cost(float(row["mean"]), float(row["low"]), float(row["high"]), int(row["n_units"]), int(row["n_videos"]))


def _differences(contrasts: pd.DataFrame, signal: str) -> dict[tuple[str, str], _Contrast]:
    """Return what each method costs more than each other one."""
    more = {}
    for row in contrasts[(contrasts["condition"] == ALL) & (contrasts["signal"] == signal)].to_dict("records"):
        p, n = float(row["p_adjusted"]), int(row["n_units"])
        more[row["method"], row["other"]] = _Contrast(row["mean"], row["low"], row["high"], p, n)
        more[row["other"], row["method"]] = _Contrast(-row["mean"], -row["high"], -row["low"], p, n)
    return more


def _too_few(alike: Sequence[str], cost: Mapping[str, _Cost], more: Mapping[tuple[str, str], _Contrast]) -> int | None:
    """Return the smallest number of units in a comparison of these methods if that is too few, else None."""
    compared = [cost[method].n_units for method in alike]
    compared += [more.get((a, b), _NO_CONTRAST).n_units for a in alike for b in alike if a != b]
    return min(compared) if min(compared) < FEWEST_UNITS else None


def _dearer(
    alike: Sequence[str],
    cost: Mapping[str, _Cost],
    more: Mapping[tuple[str, str], _Contrast],
    alpha: float,
    few: int | None,
) -> tuple[str, list[str]]:
    """Return the method with the lowest cost, and those that are shown to cost more than it."""
    if few is not None:
        return min(alike, key=_strength), []
    lowest = min(alike, key=lambda method: (cost[method].mean, _strength(method)))
    dearer = []
    for method in alike:
        contrast = more.get((method, lowest), _NO_CONTRAST)
        if method != lowest and contrast.p < alpha and contrast.mean > 0:
            dearer.append(method)
    return lowest, dearer


def _why_first(
    first: str,
    alike: Sequence[str],
    dearer: Sequence[str],
    others: Sequence[str],
    few: int | None,
    audited: Mapping[str, Any],
    n_audited: Mapping[str, int],
    cost: _Cost,
    more: Mapping[tuple[str, str], _Contrast],
    settings: Mapping[str, Any],
) -> str:
    """Return the reason of the first method: its audits, what it was chosen by, what it costs."""
    tied = [method for method in alike if method not in dearer]
    strongest = min(alike, key=_strength)
    parts = [_audit_in_words(audited)]
    if others:
        unaudited = " or had none" if any(n_audited[method] == 0 for method in others) else ""
        parts.append(
            f"{_listed(others).capitalize()} did worse in the audit{unaudited}, and privacy comes before kinematics."
        )
    if len(alike) == 1:
        if not others:
            parts.append("No other method was run.")
    elif few is not None:
        n = _count(few, "video or subject", "videos or subjects")
        parts.append(
            f"{n.capitalize()} {'is' if few == 1 else 'are'} too few data to choose by kinematics (at least "
            f"{FEWEST_UNITS} are wanted), so the mask that leaves least of a face is preferred."
        )
    elif len(tied) > 1:
        parts.append(
            f"There is no evidence that {_listed(tied)} differ in what they cost the joint angles, so the mask that "
            f"leaves least of a face {'of these ' if dearer else ''}is preferred."
        )
        if dearer:
            parts.append(f"{_listed(dearer).capitalize()} cost{'s' if len(dearer) == 1 else ''} more.")
    else:
        by = [more[method, first] for method in dearer]
        listed = _listed([f"{method} by {_interval(c)}" for method, c in zip(dearer, by, strict=True)])
        parts.append(f"It costs the joint angles less than {listed}.")
        if all(contrast.mean < settings["margin_deg"] for contrast in by):
            stronger = "" if strongest == first else f"; the mask that leaves least of a face is {strongest}"
            parts.append(f"That is below the margin of {settings['margin_deg']:g}°{stronger}.")
    parts.append(_cost_in_words(cost, settings["confidence_level"]))
    return " ".join(parts)


def _why_not(
    method: str,
    first: str,
    lowest: str,
    is_alike: bool,
    is_dearer: bool,
    few: int | None,
    audited: Mapping[str, Any],
    more: Mapping[tuple[str, str], _Contrast],
) -> str:
    """Return the reason why a method does not come first."""
    if not is_alike:
        worse = f" That is worse than for {first}, and" if audited["n_videos"] else " Here"
        return f"{_audit_in_words(audited)}{worse} privacy comes before kinematics."
    start = f"Its audits are like those of {first}"
    if few is not None:
        return f"{start}, its mask leaves more of a face, and there are too few data to choose by kinematics."
    if is_dearer:
        return f"{start}, but it costs the joint angles more than {lowest}, by {_interval(more[method, lowest])}."
    than = first if method == lowest else lowest
    return (
        f"{start}, there is no evidence that it differs from {than} in what it costs the joint angles, and its mask "
        f"leaves more of a face than {first}."
    )


def _audit_in_words(audited: Mapping[str, Any]) -> str:
    """Say what the audits found."""
    n = audited["n_videos"]
    if n == 0:
        return "None of its files was audited."
    leaked = audited["n_leaked_frames"]
    leaks = f"; {_count(leaked, 'leaked frame')} {'was' if leaked == 1 else 'were'} found" if leaked else ""
    if audited["n_pass"] == n:
        return f"{'Its only file' if n == 1 else f'All of its {n} files'} passed the audit{leaks}."
    rest = [
        f"{audited[key]} {words}"
        for key, words in (("n_review", "should be looked at"), ("n_fail", "failed"))
        if audited[key]
    ]
    return f"{audited['n_pass']} of its {_count(n, 'file')} passed the audit, {' and '.join(rest)}{leaks}."


def _cost_in_words(cost: _Cost, level: float) -> str:
    """Say what a method costs the joint angles."""
    if cost.n_units == 0:
        return "What it costs the kinematics could not be measured."
    n = _count(cost.n_units, "video" if cost.n_units == cost.n_videos else "subject")
    # The bootstrap of a handful of units is far too sure of itself.
    sure = f"{100 * level:g} % interval {_degrees(cost.low)} to {_degrees(cost.high)}, {n}"
    change = "grows" if cost.mean >= 0 else "shrinks"
    return (
        f"Over re-encoding alone, the mean absolute difference of its joint angles {change} by "
        f"{_degrees(abs(cost.mean))} ({sure if cost.n_units >= FEWEST_UNITS else f'{n}, too few for an interval'})."
    )


def _interval(contrast: _Contrast) -> str:
    """Return a difference and its interval in words."""
    return f"{_degrees(contrast.mean)} ({_degrees(contrast.low)} to {_degrees(contrast.high)})"


def _degrees(value: float) -> str:
    """Return degrees with two decimals and a true minus sign, never minus zero."""
    return f"{round(value, 2) + 0.0:.2f}°".replace("-", "−")


def _count(number: int, noun: str, plural: str | None = None) -> str:
    """Return a number with its noun."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def _listed(names: Sequence[str], without: str | None = None) -> str:
    """Return names as in a sentence: a, b and c."""
    kept = [name for name in names if name != without]
    return kept[0] if len(kept) == 1 else f"{', '.join(kept[:-1])} and {kept[-1]}"
