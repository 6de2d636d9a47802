"""A made-up study as the workflow hands it to the report: tables that fit together, and the data of every video."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bodies import body, together
from deidpose import choice, models, payload, stats, tables
from deidpose.angles import JOINTS, SEGMENTS, angle_arrays
from deidpose.keypoints import poses
from made_up import table

ANGLES = (*JOINTS, *SEGMENTS)
METHODS = ("blur", "block", "pixelate")
COPIES = (*METHODS, stats.CONTROL)
SIGNALS = ("filtered", "unfiltered")
SIZE = (640, 480)
N_FRAMES = 90
SETTINGS: dict[str, Any] = {
    "methods": list(METHODS),
    "audit": {"withhold": ["fail", "review"]},
    "kinematics": {"filter": True},
    "study": {
        "people": "patient",
        "margin_deg": 2,
        "alpha": 0.05,
        "power": 0.8,
        "bootstrap_samples": 50,
        "confidence_level": 0.95,
        "seed": 1,
    },
    "report": {"max_embedded_mb": 20},
}
#: Additional degrees that each method costs at a joint.
COST = {"blur": 0.4, "block": 2.6, "pixelate": 1.3, "reencode": 0.0}
_ROOT = Path(__file__).parent.parent


def libraries() -> dict[str, str]:
    """Return the libraries of the page; fetched where they are not there yet."""
    texts = {}
    for name, entry in models.load(_ROOT / "config/page_libraries.yaml").items():
        path = _ROOT / "resources/libraries" / entry["file"]
        models.fetch(entry, path)
        texts[name] = path.read_bytes().decode()
    return texts


def screening(accepted: Sequence[str], rejected: Mapping[str, str]) -> pd.DataFrame:
    facts = {"width": SIZE[0], "height": SIZE[1], "fps": 30.0, "n_frames": N_FRAMES, "duration_s": 3.0, "codec": "h264"}
    nothing = dict.fromkeys(tables.TABLES["screening"])
    rows = [nothing | facts | {"video": video, "status": "accepted", "reason": ""} for video in accepted]
    rows += [nothing | {"video": video, "status": "rejected", "reason": why} for video, why in rejected.items()]
    return tables.check(pd.DataFrame(rows, columns=list(nothing)), "screening")


def effects(names: Sequence[str], people: int = 2, seed: int = 0) -> pd.DataFrame:
    """Return the table ``effects``: person 0 is the patient, the control differs by about a degree."""
    rng = np.random.default_rng(seed)
    keys = {"video": names, "method": COPIES, "person": range(people), "angle": ANGLES, "signal": SIGNALS}
    made = table("effects", keys, seed)
    joint = dict(zip(ANGLES, rng.uniform(0.3, 1.9, len(ANGLES)), strict=True))
    per_video = dict(zip(names, rng.normal(0, 0.7, len(names)), strict=True))
    cost = made["method"].map(COST) * made["angle"].map(joint)
    noise = rng.normal(0, 0.5, len(made))
    made["patient"] = made["person"] == 0
    made["bias_deg"] = 0.6 * cost + made["video"].map(per_video) * (0.3 + 0.4 * cost) + noise
    made["sd_deg"] = 1 + cost + rng.uniform(0, 0.5, len(made))
    made["mae_deg"] = 0.9 + cost + np.abs(noise)
    made["n_original"], made["n_lost"] = N_FRAMES, rng.integers(0, 6, len(made))
    made["n_both"] = made["n_original"] - made["n_lost"]
    made["lost_percent"] = 100 * made["n_lost"] / made["n_original"]
    made["loa_low_deg"] = made["bias_deg"] - 1.96 * made["sd_deg"]
    made["loa_high_deg"] = made["bias_deg"] + 1.96 * made["sd_deg"]
    made["icc_2_1"] = np.clip(1 - 0.05 * made["mae_deg"] - 0.05 * rng.random(len(made)), 0, 1)
    made["confidence_bias"] = -0.01 * cost + rng.normal(0, 0.005, len(made))
    for measure in ("bias_deg", "mae_deg", "lost_percent", "confidence_bias"):
        shape = made[measure].to_numpy().reshape(len(names), len(COPIES), -1)
        made[stats.net_column(measure)] = (shape - shape[:, -1:]).ravel()
    return made


def pairs(made: pd.DataFrame, per_row: int, seed: int = 1) -> pd.DataFrame:
    """Return so many ``pairs`` for each row of a table ``effects`` about a patient."""
    rng = np.random.default_rng(seed)
    chosen = made[made["patient"]]
    columns = ["video", "method", "person", "patient", "angle", "signal", "bias_deg", "sd_deg"]
    found = chosen.loc[chosen.index.repeat(per_row), columns]
    found["frame"] = np.tile(np.arange(per_row) * (N_FRAMES // per_row), len(chosen))
    found["original_deg"] = 30 + 30 * np.sin(found["frame"] / 7) + rng.normal(0, 3, len(found))
    found["method_deg"] = found["original_deg"] + rng.normal(found["bias_deg"], found["sd_deg"])
    return tables.check(found.drop(columns=["bias_deg", "sd_deg"]), "pairs")


def audit(video: str, method: str, verdict: str = "pass", reason: str = "", leaked: int = 0) -> dict[str, Any]:
    return {
        "video": video, "method": method, "verdict": verdict, "reason": reason, "n_frames": 90,
        "n_frames_masked": 90, "n_masks": 120, "masked_area_percent": 1.5, "n_face_frames": 90,
        "share_covered": 1 - leaked / 90, "n_leaked_frames": leaked, "longest_leak_frames": leaked,
        "longest_leak_s": leaked / 30, "leak_rate_upper_95": 0.0327, "track_leak_rate_upper_95": 0.7764,
        "n_residual_inside": 7, "sha256": "0" * 64,
        "findings": [{"kind": "leak", "n_frames": leaked, "accepted": False}] if leaked else [],
    }  # fmt: skip


def walking(frames: range, person: int, x: float, y: float, shake: float = 0.0, seed: int = 0) -> pd.DataFrame:
    """Return the table ``keypoints`` of somebody who walks on the spot, every keypoint shaken by some pixels."""
    made = body(frames, x, y, person)
    swing = 25 * np.sin(made["frame"] / 7) * np.where(made["keypoint"].str.startswith("L"), 1, -1)
    reach = {"Knee": 0.5, "Ankle": 1.0, "Elbow": -0.4, "Wrist": -0.9}
    share = made["keypoint"].str[1:].map(reach).fillna(0.0)
    made["x_px"] += swing * share + np.random.default_rng(seed).normal(0, shake, len(made))
    return made


def angles_of(keypoints: pd.DataFrame, added: float = 0.0, noise: float = 0.0, seed: int = 0) -> pd.DataFrame:
    """Return a table ``angles`` for everyone in a table ``keypoints``: waves of known height."""
    people = keypoints[["frame", "time_s", "person"]].drop_duplicates()
    made = people.merge(pd.DataFrame({"angle": ANGLES, "phase": np.arange(len(ANGLES))}), how="cross")
    wave = 30 + 25 * np.sin(made["frame"] / 7 + made["phase"])
    made["degrees"] = wave + added + np.random.default_rng(seed).normal(0, noise, len(made))
    made["degrees_filtered"] = wave + added
    return tables.check(made.assign(confidence=0.9, direction="right").drop(columns="phase"), "angles")


def timestamps(n_frames: int) -> pd.DataFrame:
    """Return the table ``timestamps`` of a video with 30 frames a second."""
    frame = np.arange(n_frames)
    numbers = {"frame": frame, "pts": frame, "time_base_numerator": 1, "time_base_denominator": 30}
    return tables.check(pd.DataFrame(numbers | {"time_s": frame / 30, "container_ms": frame * 33}), "timestamps")


def payload_script(video: str, n_frames: int = N_FRAMES) -> str:
    """Return the data of a video with a patient, somebody else, and somebody whom only blur sees."""
    keypoints, angles = {}, {}
    for number, source in enumerate(("original", *COPIES)):
        shake = 1.2 * number
        people = [walking(range(n_frames), 0, 300, 240, shake, number)]
        people.append(walking(range(n_frames // 3, n_frames), 1, 480, 260, shake, number))
        if source == "blur":
            people.append(walking(range(n_frames // 3, 2 * n_frames // 3), 2, 100, 240))
        keypoints[source] = together(*people)
        angles[source] = angles_of(keypoints[source], COST.get(source, 0.0), 0.3 * number, number)
    known = {"method": COPIES, "person": (0, 1)}
    matches = table("matches", known, first_frame=0, last_frame=n_frames)
    matches["method_person"] = matches["person"]
    seen = {"n_frames": [n_frames, n_frames - n_frames // 3], "patient": [True, False], "token": ["0-b", "1-a"]}
    people = table("people", {"person": (0, 1)}, **seen).iloc[::-1]
    facts = {"width": SIZE[0], "height": SIZE[1]}
    bodies = {source: poses(found) for source, found in keypoints.items()}
    measured = {source: angle_arrays(found) for source, found in angles.items()}
    return payload.script(video, facts, timestamps(n_frames), bodies, measured, matches, people)


def study(
    folder: Path, n_videos: int = 4, n_rejected: int = 1, n_frames: int = N_FRAMES, pairs_per_row: int = 5
) -> dict[str, Any]:
    """Return all that `report.render` takes; the data of the videos, alike, are written into ``folder``."""
    names = [f"v{number:04d}" for number in range(n_videos)]
    conditions = {video: ("barefoot", "shod")[number % 2] for number, video in enumerate(names)}
    videos = pd.DataFrame({"video": names, "subject": "", "condition": [conditions[video] for video in names]})
    made = effects(names)
    audits = [
        audit(video, method, "review", "Somebody should look at 2 frames.", 2)
        if number % 7 == 3 and method == "block"
        else audit(video, method)
        for number, video in enumerate(names)
        for method in METHODS
    ]
    everyone = {"video": names, "method": COPIES, "person": range(2)}
    keypoint_effects = table("keypoint_effects", everyone | {"keypoint": ["head", "body", "LKnee"]})
    keypoint_effects["patient"] = keypoint_effects["person"] == 0
    keypoint_effects["displacement_mean"] = 0.02 + 0.02 * keypoint_effects["method"].map(COST)
    keypoint_effects["oks"] = 0.95 - 0.03 * keypoint_effects["method"].map(COST)
    keypoint_effects["pck_0_2"] = 0.98 - 0.02 * keypoint_effects["method"].map(COST)
    identities = table("identities", everyone, n_original=N_FRAMES, n_lost=2, n_switches=0)
    identities["patient"] = identities["person"] == 0
    counts = {"n_frames": N_FRAMES, "n_people_original": 2, "n_frames_fewer": 2, "n_frames_more": 1, "n_switches": 1}
    moving = {"video": names, "source": ("original", *COPIES), "person": range(2), "angle": ANGLES, "signal": SIGNALS}
    settings = SETTINGS["study"]
    summary = stats.summarize(made, keypoint_effects, identities, videos, settings)
    tests = stats.equivalence(made, videos, settings)
    contrasts = stats.contrasts(made, videos, settings)
    chosen = choice.choose(audits, summary, tests, contrasts, settings, "filtered")
    payloads = {video: folder / f"{video}.js" for video in names}
    packed = payload.data(payload_script("v", n_frames), "v")
    for video, path in payloads.items():
        path.write_text(f'deidposeVideo("{video}","{packed}");\n', "ascii")
    reasons = ("No picture decodes.", "It is empty.")
    return {
        "screening": screening(names, {f"bad{number:03d}": reasons[number % 2] for number in range(n_rejected)}),
        "choice": chosen,
        "contrasts": contrasts,
        "summary": summary,
        "equivalence": tests,
        "agreement": stats.agreement(made, videos, settings),
        "effects": made,
        "keypoint_effects": keypoint_effects,
        "identities": identities,
        "headcounts": table("headcounts", {"video": names, "method": COPIES}, **counts),
        "movements": table("movements", moving),
        "pairs": pairs(made, pairs_per_row),
        "audits": audits,
        "methods": METHODS,
        "settings": SETTINGS,
        "provenance": {"versions": {"numpy": "2.4"}, "models": {"yunet": {"sha256": "8f23", "licence": "MIT"}}},
        "libraries": libraries(),
        "payloads": payloads,
        "sentence": choice.sentence(chosen),
        "conditions": conditions,
    }
