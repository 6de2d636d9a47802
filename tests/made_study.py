"""A made-up study as the workflow hands it to the report: tables that fit together, and the data of every video."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from bodies import body, together
from made_up import table
from scipy import stats as scipy_stats

from deidpose import payload, report, tables
from deidpose.angles import JOINTS, SEGMENTS

ANGLES = (*JOINTS, *SEGMENTS)
METHODS = ("blur", "block", "pixelate")
SIGNALS = ("filtered", "unfiltered")
SIZE = (640, 480)
SETTINGS: dict[str, Any] = {
    "methods": list(METHODS),
    "audit": {"withhold": ["fail", "review"]},
    "kinematics": {"filter": True},
    "study": {"people": "patient", "margin_deg": 2, "confidence_level": 0.95},
    "report": {"max_embedded_mb": 20},
}
#: Additional degrees that each method costs at every joint of a made-up study.
COST = {"blur": 0.4, "block": 2.6, "pixelate": 1.3, "reencode": 0.0}
MARGIN = 2.0


def videos(n: int) -> list[str]:
    return [f"v{number:04d}" for number in range(n)]


def screening(accepted: Sequence[str], rejected: Sequence[tuple[str, str]] = ()) -> pd.DataFrame:
    facts: dict[str, Any] = {"width": SIZE[0], "height": SIZE[1], "fps": 30.0, "n_frames": 90, "duration_s": 3.0, "codec": "h264"}
    nothing = dict.fromkeys(tables.TABLES["screening"])
    rows = [nothing | facts | {"video": video, "status": "accepted", "reason": ""} for video in accepted]
    rows += [nothing | {"video": video, "status": "rejected", "reason": reason} for video, reason in rejected]
    return tables.check(pd.DataFrame(rows, columns=list(tables.TABLES["screening"])), "screening")


def effects(names: Sequence[str], people: int = 2, seed: int = 0) -> pd.DataFrame:
    """Return the table ``effects``: person 0 is the patient, the control differs by about a degree."""
    rng = np.random.default_rng(seed)
    keys = {"video": names, "method": [*METHODS, "reencode"], "person": range(people), "angle": ANGLES, "signal": SIGNALS}
    made = table("effects", keys, seed)
    made["patient"] = made["person"] == 0
    joint = dict(zip(ANGLES, rng.uniform(0.3, 1.9, len(ANGLES)), strict=True))
    per_video = dict(zip(names, rng.normal(0, 0.7, len(names)), strict=True))
    cost = made["method"].map(COST) * made["angle"].map(joint)
    noise = rng.normal(0, 0.5, len(made))
    made["bias_deg"] = 0.6 * cost + made["video"].map(per_video) * (0.3 + 0.4 * cost) + noise
    made["sd_deg"] = 1 + cost + rng.uniform(0, 0.5, len(made))
    made["mae_deg"] = 0.9 + cost + np.abs(noise)
    made["n_original"], made["n_lost"], made["n_gained"] = 90, rng.integers(0, 6, len(made)), rng.integers(0, 3, len(made))
    made["n_both"] = made["n_original"] - made["n_lost"]
    made["lost_percent"] = 100 * made["n_lost"] / made["n_original"]
    made["gained_percent"] = 100 * made["n_gained"] / made["n_original"]
    made["loa_low_deg"], made["loa_high_deg"] = made["bias_deg"] - 1.96 * made["sd_deg"], made["bias_deg"] + 1.96 * made["sd_deg"]
    made["icc_2_1"] = np.clip(1 - 0.05 * made["mae_deg"] - 0.05 * rng.random(len(made)), 0, 1)
    made["confidence_bias"] = -0.01 * cost + rng.normal(0, 0.005, len(made))
    for measure in ("bias_deg", "mae_deg", "lost_percent", "confidence_bias"):
        shape = made[measure].to_numpy().reshape(len(names), 4, -1)
        net = measure.replace("_deg", "_net_deg") if measure.endswith("_deg") else f"{measure}_net"
        made[net] = (shape - shape[:, 3:]).ravel()
    return made


def summary(effects_: pd.DataFrame, conditions: dict[str, str]) -> pd.DataFrame:
    chosen = effects_[effects_["patient"]]
    parts = []
    for condition in ["all", *sorted(set(conditions.values()))]:
        some = chosen if condition == "all" else chosen[chosen["video"].map(conditions) == condition]
        for measure, net in (("mae_deg", "mae_net_deg"), ("bias_deg", "bias_net_deg"), ("lost_percent", "lost_percent_net"),
                             ("confidence_bias", "confidence_bias_net"), ("icc_2_1", "")):  # fmt: skip
            for basis, column in (("raw", measure), ("net", net)):
                if not column:
                    continue
                groups = some.groupby(["method", "angle", "signal"], sort=False)[column]
                part = pd.DataFrame({"mean": groups.mean(), "sd": groups.std(), "n_units": groups.size()}).reset_index()
                half = 1.96 * part["sd"] / np.sqrt(part["n_units"])
                parts.append(part.assign(low=part["mean"] - half, high=part["mean"] + half, measure=measure, basis=basis,
                                         condition=condition, n_videos=part["n_units"]))  # fmt: skip
        body_rows = [
            {"method": method, "angle": "body", "signal": "", "measure": measure, "basis": "raw", "mean": mean, "sd": 0.1,
             "low": mean - 0.02, "high": mean + 0.02, "n_units": 4, "n_videos": 4, "condition": condition}
            for method in (*METHODS, "reencode")
            for measure, mean in (("displacement_mean", 0.02 + 0.02 * COST[method]), ("pck_0_2", 0.98 - 0.02 * COST[method]), ("oks", 0.95 - 0.03 * COST[method]))
        ]  # fmt: skip
        parts.append(pd.DataFrame(body_rows))
    made = pd.concat(parts, ignore_index=True)
    return tables.check(made[(made["basis"] == "raw") | (made["method"] != "reencode")], "summary")


def equivalence(effects_: pd.DataFrame, conditions: dict[str, str]) -> pd.DataFrame:
    chosen = effects_[effects_["patient"]]
    parts = []
    for condition in ["all", *sorted(set(conditions.values()))]:
        some = chosen if condition == "all" else chosen[chosen["video"].map(conditions) == condition]
        for measure in ("bias_deg", "mae_deg"):
            for basis, column in (("raw", measure), ("net", measure.replace("_deg", "_net_deg"))):
                groups = some.groupby(["method", "angle", "signal"], sort=False)[column]
                part = pd.DataFrame({"mean": groups.mean(), "sd": groups.std(), "n_units": groups.size()}).reset_index()
                error, freedom = part["sd"] / np.sqrt(part["n_units"]), np.maximum(part["n_units"] - 1, 1)
                half = scipy_stats.t.ppf(0.95, freedom) * error
                equal = np.maximum(scipy_stats.t.sf((part["mean"] + MARGIN) / error, freedom), scipy_stats.t.cdf((part["mean"] - MARGIN) / error, freedom))
                differ = 2 * scipy_stats.t.sf(np.abs(part["mean"]) / error, freedom)
                verdict = np.where(equal < 0.05, "equivalent", np.where(differ < 0.05, "different", "undecided"))
                needed = np.where(verdict == "undecided", np.ceil(40 * part["sd"]) + 5, np.nan)
                parts.append(part.assign(low=part["mean"] - half, high=part["mean"] + half, margin_deg=MARGIN, p_equivalence=equal,
                                         p_difference=differ, p_equivalence_adjusted=equal, p_difference_adjusted=differ, verdict=verdict,
                                         n_needed=needed, measure=measure, basis=basis, condition=condition))  # fmt: skip
    made = pd.concat(parts, ignore_index=True)
    return tables.check(made[(made["basis"] == "raw") | (made["method"] != "reencode")], "equivalence")


def agreement(effects_: pd.DataFrame, conditions: dict[str, str]) -> pd.DataFrame:
    chosen = effects_[effects_["patient"]]
    parts = []
    for condition in ["all", *sorted(set(conditions.values()))]:
        some = chosen if condition == "all" else chosen[chosen["video"].map(conditions) == condition]
        groups = some.groupby(["method", "angle", "signal"], sort=False)
        part = groups.agg(bias_deg=("bias_deg", "mean"), sd_between_deg=("bias_deg", "std"), sd_within_deg=("sd_deg", "mean"),
                          icc_2_1=("icc_2_1", "mean"), n_units=("video", "size"), n_pairs=("n_both", "sum")).reset_index()  # fmt: skip
        spread = 1.96 * np.hypot(part["sd_between_deg"].fillna(0), part["sd_within_deg"])
        parts.append(part.assign(loa_low_deg=part["bias_deg"] - spread, loa_high_deg=part["bias_deg"] + spread, condition=condition))
    return tables.check(pd.concat(parts, ignore_index=True), "agreement")


def pairs(effects_: pd.DataFrame, per_row: int, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    chosen = effects_[effects_["patient"]]
    made = chosen.loc[chosen.index.repeat(per_row), ["video", "method", "person", "patient", "angle", "signal", "bias_deg", "sd_deg"]]
    made["frame"] = np.tile(np.arange(per_row) * (90 // per_row), len(chosen))
    made["original_deg"] = 30 + 30 * np.sin(made["frame"] / 7) + rng.normal(0, 3, len(made))
    made["method_deg"] = made["original_deg"] + rng.normal(made["bias_deg"], made["sd_deg"])
    return tables.check(made.drop(columns=["bias_deg", "sd_deg"]), "pairs")


def choice(effects_: pd.DataFrame, equivalence_: pd.DataFrame, audits: Sequence[dict[str, Any]]) -> pd.DataFrame:
    joints = effects_[effects_["patient"] & effects_["angle"].isin(JOINTS) & (effects_["signal"] == "filtered")]
    rows = []
    for method in METHODS:
        mine = joints[joints["method"] == method].groupby("video")["mae_net_deg"].mean()
        half = 1.96 * mine.std() / np.sqrt(len(mine)) if len(mine) > 1 else np.nan
        tests = equivalence_[(equivalence_["method"] == method) & (equivalence_["condition"] == "all") & (equivalence_["signal"] == "filtered")
                             & (equivalence_["basis"] == "net") & (equivalence_["measure"] == "mae_deg") & equivalence_["angle"].isin(JOINTS)]  # fmt: skip
        theirs = [audit for audit in audits if audit["method"] == method]
        faces = sum(audit["n_face_frames"] for audit in theirs)
        leaked = sum(audit["n_leaked_frames"] for audit in theirs)
        rows.append({
            "method": method, "recommended": False, "n_videos": len(theirs), **{f"n_{verdict}": sum(audit["verdict"] == verdict for audit in theirs) for verdict in report.VERDICTS},
            "n_face_frames": faces, "n_leaked_frames": leaked, "share_covered": 1 - leaked / faces if faces else np.nan,
            "mae_net_deg": mine.mean(), "low": mine.mean() - half, "high": mine.mean() + half, "lost_percent_net": 0.3 * COST[method],
            **{f"n_{verdict}": int((tests["verdict"] == verdict).sum()) for verdict in ("equivalent", "different", "undecided")},
            "reason": f"All its files passed or were looked at; it adds {mine.mean():.1f}° to the error of a joint angle.",
        })  # fmt: skip
    made = pd.DataFrame(rows).sort_values("mae_net_deg", ignore_index=True)
    made["rank"], made["recommended"] = np.arange(1, len(made) + 1), np.arange(len(made)) == 0
    return tables.check(made, "choice")


def audit(video: str, method: str, verdict: str = "pass", reason: str = "", leaked: int = 0) -> dict[str, Any]:
    return {
        "video": video, "method": method, "verdict": verdict, "reason": reason, "n_frames": 90,
        "n_frames_masked": 90, "n_masks": 120, "masked_area_percent": 1.5, "n_face_frames": 90,
        "share_covered": 1 - leaked / 90, "n_leaked_frames": leaked, "longest_leak_frames": leaked,
        "longest_leak_s": leaked / 30, "leak_rate_upper_95": 0.0327, "track_leak_rate_upper_95": 0.7764,
        "n_residual_inside": 7, "sha256": "0" * 64,
    }  # fmt: skip


def walking(frames: range, person: int, x: float, y: float, shake: float = 0.0, seed: int = 0) -> pd.DataFrame:
    """Return the table ``keypoints`` of somebody who walks on the spot, every keypoint shaken by some pixels."""
    made = body(frames, x, y, person)
    swing = 25 * np.sin(made["frame"] / 7) * np.where(made["keypoint"].str.startswith("L"), 1, -1)
    legs = made["keypoint"].isin(["LKnee", "RKnee"]) * 0.5 + made["keypoint"].isin(["LAnkle", "RAnkle"]) * 1.0
    arms = made["keypoint"].isin(["LElbow", "RElbow"]) * -0.4 + made["keypoint"].isin(["LWrist", "RWrist"]) * -0.9
    rng = np.random.default_rng(seed)
    made["x_px"] += swing * (legs + arms) + rng.normal(0, shake, len(made)) if shake else swing * (legs + arms)
    return made


def angles_of(keypoints: pd.DataFrame, added: float = 0.0, noise: float = 0.0, seed: int = 0) -> pd.DataFrame:
    """Return a table ``angles`` for everyone in a table ``keypoints``: waves of known height."""
    people = keypoints[["frame", "time_s", "person"]].drop_duplicates()
    made = people.merge(pd.DataFrame({"angle": ANGLES, "phase": np.arange(len(ANGLES))}), how="cross")
    wave = 30 + 25 * np.sin(made["frame"] / 7 + made["phase"])
    made["degrees"] = wave + added + np.random.default_rng(seed).normal(0, noise, len(made))
    made["degrees_filtered"] = wave + added
    return tables.check(made.assign(confidence=0.9, direction="right").drop(columns="phase"), "angles")


def payload_script(video: str, n_frames: int = 90, sources: Sequence[str] = ("original", *METHODS, "reencode")) -> str:
    """Return the data of a video with a patient, somebody else, and somebody whom only blur sees."""
    keypoints, angles = {}, {}
    for number, source in enumerate(sources):
        people = [walking(range(n_frames), 0, 300, 240, 1.2 * number, number), walking(range(20, n_frames), 1, 480, 260, 1.2 * number, number)]
        if source == "blur":
            people.append(walking(range(30, 60), 2, 100, 240))
        keypoints[source] = together(*people)
        angles[source] = angles_of(keypoints[source], COST.get(source, 0.0), 0.3 * number, number)
    matches = pd.DataFrame(
        [{"method": source, "person": person, "method_person": person, "first_frame": 0, "last_frame": n_frames} for source in sources[1:] for person in (0, 1)]
    )  # fmt: skip
    people = pd.DataFrame({"person": [1, 0], "first_frame": [20, 0], "last_frame": n_frames - 1, "n_frames": [n_frames - 20, n_frames],
                           "height_px": 200.0, "centrality": 0.5, "patient": [False, True], "token": ["1-a", "0-b"]})  # fmt: skip
    facts = {"width": SIZE[0], "height": SIZE[1], "n_frames": n_frames, "fps": 30.0}
    return payload.script(video, facts, keypoints, angles, tables.check(matches, "matches"), tables.check(people, "people"))


def study(
    folder: Path, n_videos: int = 4, n_rejected: int = 1, seed: int = 0, n_frames: int = 90, pairs_per_row: int = 5, people: int = 2, with_payloads: bool = True
) -> dict[str, Any]:
    """Return all that `report.render` takes; the data of the videos are written into ``folder``."""
    names = videos(n_videos)
    conditions = {video: ("barefoot", "shod")[number % 2] for number, video in enumerate(names)}
    made = effects(names, people, seed)
    audits = [audit(video, method, *(("review", "Somebody should look at 2 frames.", 2) if number % 7 == 3 and method == "block" else ())) for number, video in enumerate(names) for method in METHODS]  # fmt: skip
    tests = equivalence(made, conditions)
    payloads = {}
    for video in names if with_payloads else ():
        payloads[video] = folder / f"{video}.js"
        payloads[video].write_text(payload_script(video, n_frames), "ascii")
    everyone = {"video": names, "method": [*METHODS, "reencode"], "person": range(people)}
    rejected = [(f"bad{number:03d}", ("No picture decodes.", "It is empty.")[number % 2]) for number in range(n_rejected)]
    libraries = Path(__file__).parent.parent / "resources/libraries"
    files = {"plotly": "plotly.min.js", "datatables": "dt_bundle.js", "datatables_style": "dt_bundle.css"}
    return {
        "screening": screening(names, rejected),
        "choice": choice(made, tests, audits),
        "contrasts": table("contrasts", {"method": ["block", "pixelate"], "other": ["blur"], "condition": ["all"], "signal": ["filtered"]}),
        "summary": summary(made, conditions),
        "equivalence": tests,
        "agreement": agreement(made, conditions),
        "effects": made,
        "keypoint_effects": table("keypoint_effects", everyone | {"keypoint": ["body", "LKnee", "RKnee"]}, patient=True),
        "identities": table("identities", everyone, patient=True),
        "headcounts": table("headcounts", {"video": names, "method": [*METHODS, "reencode"]}, n_people_original=people, n_switches=1, n_frames=90, n_frames_fewer=2, n_frames_more=1),
        "movements": table("movements", {"video": names, "source": ["original", *METHODS], "person": range(people), "angle": ANGLES, "signal": SIGNALS}),
        "pairs": pairs(made, pairs_per_row),
        "audits": audits,
        "methods": METHODS,
        "settings": SETTINGS,
        "provenance": {"versions": {"numpy": "2.4"}, "models": {"yunet": {"sha256": "8f23", "licence": "MIT", "purpose": "finds faces"}}},
        "libraries": {name: (libraries / file).read_bytes().decode() for name, file in files.items() if (libraries / file).is_file()},
        "payloads": payloads,
        "sentence": "Use blur. It costs least and hides as much as the others: it adds 0.4° to the error of a joint angle, and all of its files passed the audit.",
        "conditions": conditions,
    }  # fmt: skip


