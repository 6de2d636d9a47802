"""Made-up studies of realistic size and spread, for what draws or shows a whole study. None of the numbers is real."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from deidpose import figures, tables
from deidpose.angles import JOINTS, SEGMENTS
from deidpose.skeleton import KEYPOINTS
from deidpose.stats import CONTROL

#: Additional mean absolute difference that the made-up methods have at a joint, degrees.
COSTS = {"blur": 0.4, "block": 2.4, "pixelate": 1.0, CONTROL: 0.0}

_Rows = dict[str, Any]


def study(
    n_videos: int = 30,
    methods: Sequence[str] = ("blur", "block", "pixelate"),
    control: bool = True,
    leaks: Sequence[int] | None = None,
    frames: int = 40,
    seed: int = 0,
) -> figures.Study:
    """Return a study of ``n_videos`` videos with a patient and somebody else in each.

    ``leaks`` are the face-frames that each method leaves uncovered, none where it is not given; ``frames`` the frame
    pairs that each video has of each angle, method and signal.
    """
    rng = np.random.default_rng(seed)
    sources = [*methods, *([CONTROL] if control else [])]
    effects = _effects(rng, n_videos, sources)
    pairs = _pairs(rng, n_videos, sources, frames)
    summary = _summary(effects)
    return figures.Study(
        summary=summary,
        equivalence=_equivalence(effects, methods),
        agreement=_agreement(effects, pairs),
        choice=_choice(effects, n_videos, methods, leaks or [0] * len(methods)),
        effects=effects,
        keypoint_effects=_keypoint_effects(rng, n_videos, sources),
        identities=_identities(rng, n_videos, sources),
        headcounts=_headcounts(rng, n_videos, sources),
        pairs=pairs,
        signal="filtered",
        people="patient",
        level=0.95,
        margin_deg=2.0,
        alpha=0.05,
    )


def empty() -> figures.Study:
    """Return a study without a single row."""
    return figures.Study(
        *(tables.empty(name) for name in figures.Study._fields[:9]),
        signal="filtered",
        people="patient",
        level=0.95,
        margin_deg=2.0,
        alpha=0.05,
    )


def _table(name: str, keys: dict[str, Sequence[Any]], columns: Any) -> pd.DataFrame:
    made = pd.MultiIndex.from_product(keys.values(), names=list(keys)).to_frame(index=False)
    made = made.assign(**columns(made))
    for column, definition in tables.TABLES[name].items():
        if column not in made:
            made[column] = {"float64": np.nan, "int64": 0, "Int64": pd.NA, "bool": False}.get(definition.dtype, "")
    return tables.check(made, name)


def _videos(n_videos: int) -> list[str]:
    return [f"v{index:04d}" for index in range(n_videos)]


def _cost(rows: pd.DataFrame) -> np.ndarray:
    cost = rows["method"].map(lambda method: COSTS.get(method, 0.7)).to_numpy(dtype=float)
    worse = rows["angle"].map(lambda angle: 2.5 if "wrist" in angle or "hand" in angle else 1.0).to_numpy(dtype=float)
    return np.asarray(cost * worse)


def _effects(rng: np.random.Generator, n_videos: int, sources: Sequence[str]) -> pd.DataFrame:
    keys: dict[str, Sequence[Any]] = {
        "video": _videos(n_videos),
        "person": (0, 1),
        "angle": (*JOINTS, *SEGMENTS),
        "signal": ("unfiltered", "filtered"),
        "method": sources,
    }

    def columns(rows: pd.DataFrame) -> _Rows:
        n = len(rows)
        cost = _cost(rows)
        base = np.repeat(rng.gamma(3, 0.5, n // len(sources)), len(sources))
        mae = base + cost * rng.gamma(2, 0.5, n) + rng.normal(0, 0.05, n)
        bias = 0.5 * cost * rng.normal(0.6, 1, n)
        lost = rng.poisson(2 + 3 * cost)
        return {
            "patient": rows["person"] == 0,
            "n_original": 250,
            "n_both": 250 - lost,
            "n_lost": lost,
            "n_gained": rng.poisson(2, n),
            "lost_percent": 100 * lost / 250,
            "gained_percent": 100 * rng.poisson(2, n) / 250,
            "bias_deg": bias,
            "mae_deg": np.abs(mae),
            "icc_2_1": np.clip(1 - 0.12 * np.abs(mae) * rng.gamma(2, 0.5, n), -0.2, 1),
            "confidence_bias": -0.02 * cost + rng.normal(0, 0.01, n),
        }

    made = _table("effects", keys, columns)
    key = ["video", "person", "angle", "signal"]
    control = made[made["method"] == CONTROL].set_index(key)
    for measure in ("mae_deg", "bias_deg"):
        base = control[measure].reindex(pd.MultiIndex.from_frame(made[key])).to_numpy(dtype=float)
        net = measure.replace("_deg", "_net_deg")
        made[net] = (made[measure] - base).where(made["method"] != CONTROL)
    return made


def _summary(effects: pd.DataFrame) -> pd.DataFrame:
    patients = effects[effects["patient"]]
    parts = []
    measures = {
        "mae_deg": "mae_net_deg",
        "lost_percent": None,
        "gained_percent": None,
        "confidence_bias": None,
    }
    for measure, net in measures.items():
        for basis, column in (("raw", measure), ("net", net)):
            if column is None:
                continue
            rows = patients[patients[column].notna()] if basis == "net" else patients
            if rows.empty:
                continue
            grouped = rows.groupby(["method", "angle", "signal"], sort=False)[column].agg(["mean", "std", "count"])
            half = 1.96 * grouped["std"] / np.sqrt(grouped["count"])
            parts.append(
                grouped.reset_index().assign(
                    condition="all",
                    measure=measure,
                    basis=basis,
                    n_videos=grouped["count"].to_numpy(),
                    n_units=grouped["count"].to_numpy(),
                    sd=grouped["std"].to_numpy(),
                    low=(grouped["mean"] - half).to_numpy(),
                    high=(grouped["mean"] + half).to_numpy(),
                )
            )
    made = pd.concat(parts)
    return tables.check(made[list(tables.TABLES["summary"])], "summary")


def _equivalence(effects: pd.DataFrame, methods: Sequence[str]) -> pd.DataFrame:
    rows = effects[effects["patient"] & effects["method"].isin(methods) & effects["bias_net_deg"].notna()]
    if rows.empty:
        return tables.empty("equivalence")
    grouped = rows.groupby(["method", "angle", "signal"], sort=False)["bias_net_deg"].agg(["mean", "std", "count"])
    made = grouped.reset_index().rename(columns={"count": "n_units", "std": "sd"})
    from scipy.stats import t

    half = t.ppf(0.95, np.maximum(made["n_units"] - 1, 1)) * made["sd"] / np.sqrt(made["n_units"])
    made = made.assign(condition="all", measure="bias_deg", basis="net", margin_deg=2.0)
    made = made.assign(low=made["mean"] - half, high=made["mean"] + half)
    equivalent = (made["low"] > -2) & (made["high"] < 2)
    different = ((made["low"] > 0) | (made["high"] < 0)) & ~equivalent
    made["verdict"] = np.select([equivalent, different], ["equivalent", "different"], "undecided")
    made["n_needed"] = (made["n_units"] * 3 + 7).astype("Int64").where(made["verdict"] == "undecided")
    for column in ("p_equivalence", "p_difference", "p_equivalence_adjusted", "p_difference_adjusted"):
        made[column] = 0.03
    return tables.check(made, "equivalence")


def _pairs(rng: np.random.Generator, n_videos: int, sources: Sequence[str], frames: int) -> pd.DataFrame:
    keys: dict[str, Sequence[Any]] = {
        "video": _videos(n_videos),
        "person": (0,),
        "angle": JOINTS,
        "signal": ("filtered",),
        "method": sources,
        "frame": range(frames),
    }

    def columns(rows: pd.DataFrame) -> _Rows:
        original = 35 + 30 * np.sin(rows["frame"].to_numpy() / 4 + rng.uniform(0, 6)) + rng.normal(0, 4, len(rows))
        spread = 0.8 + _cost(rows)
        difference = 0.4 * _cost(rows) + spread * rng.standard_t(4, len(rows))
        return {"patient": True, "original_deg": original, "method_deg": original + difference}

    return _table("pairs", keys, columns)


def _agreement(effects: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
    patients = effects[effects["patient"]]
    made = patients.groupby(["method", "angle", "signal"], sort=False).agg(
        n_units=("video", "nunique"), n_pairs=("n_both", "sum"), icc_2_1=("icc_2_1", "mean")
    )
    difference = pairs.assign(difference=pairs["method_deg"] - pairs["original_deg"])
    spread = difference.groupby(["method", "angle", "signal"])["difference"].agg(["mean", "std"]).reindex(made.index)
    made = made.assign(
        condition="all",
        bias_deg=spread["mean"],
        sd_between_deg=0.3,
        sd_within_deg=spread["std"],
        loa_low_deg=spread["mean"] - 1.96 * spread["std"],
        loa_high_deg=spread["mean"] + 1.96 * spread["std"],
    )
    return tables.check(made.reset_index(), "agreement")


def _choice(effects: pd.DataFrame, n_videos: int, methods: Sequence[str], leaks: Sequence[int]) -> pd.DataFrame:
    faces = 420 * n_videos
    made = []
    for method, leaked in zip(methods, leaks, strict=True):
        rows = effects[effects["patient"] & (effects["method"] == method) & effects["angle"].isin(JOINTS)]
        by_video = rows[rows["signal"] == "filtered"].groupby("video")["mae_net_deg"].mean()
        half = 1.96 * by_video.std() / np.sqrt(max(by_video.count(), 1))
        mean = by_video.mean()
        made.append(
            {
                "method": method,
                "n_videos": n_videos,
                "n_face_frames": faces,
                "n_leaked_frames": leaked,
                "share_covered": 1 - leaked / faces if faces else np.nan,
                "mae_net_deg": mean,
                "low": mean - half,
                "high": mean + half,
            }
        )
    table = pd.DataFrame(made).sort_values(["share_covered", "mae_net_deg"], ascending=[False, True], kind="stable")
    table = table.assign(rank=range(1, len(table) + 1), reason="made up")
    table["recommended"] = table["rank"] == 1
    for column in ("n_pass", "n_review", "n_fail", "n_equivalent", "n_different", "n_undecided"):
        table[column] = 0
    return tables.check(table.assign(lost_percent_net=0.5), "choice")


def _keypoint_effects(rng: np.random.Generator, n_videos: int, sources: Sequence[str]) -> pd.DataFrame:
    keys: dict[str, Sequence[Any]] = {
        "video": _videos(n_videos),
        "person": (0,),
        "method": sources,
        "keypoint": ("head", "body", *KEYPOINTS),
    }

    def columns(rows: pd.DataFrame) -> _Rows:
        n = len(rows)
        small = rows["keypoint"].str.contains("SmallToe").to_numpy()
        head = rows["keypoint"].isin(["head", "Nose", "REye", "LEye", "REar", "LEar"]).to_numpy()
        cost = rows["method"].map(lambda method: COSTS.get(method, 0.7)).to_numpy(dtype=float) * np.where(head, 4, 1)
        moved = np.abs(0.02 + 0.02 * cost * rng.gamma(2, 0.5, n))
        return {
            "patient": True,
            "n_original": np.where(small, 0, 250),
            "n_both": np.where(small, 0, 245),
            "displacement_mean": np.where(small, np.nan, moved),
            "pck_0_2": np.where(small, np.nan, np.clip(1 - 2.0 * moved * rng.random(n), 0, 1)),
        }

    return _table("keypoint_effects", keys, columns)


def _identities(rng: np.random.Generator, n_videos: int, sources: Sequence[str]) -> pd.DataFrame:
    keys: dict[str, Sequence[Any]] = {"video": _videos(n_videos), "method": sources, "person": (0, 1)}

    def columns(rows: pd.DataFrame) -> _Rows:
        lost = rng.poisson(3, len(rows))
        return {
            "patient": rows["person"] == 0,
            "n_original": 250,
            "n_both": 250 - lost,
            "n_lost": lost,
            "n_mirrored": rng.poisson(0.5, len(rows)),
            "n_tracks": 1,
        }

    return _table("identities", keys, columns)


def _headcounts(rng: np.random.Generator, n_videos: int, sources: Sequence[str]) -> pd.DataFrame:
    keys: dict[str, Sequence[Any]] = {"video": _videos(n_videos), "method": sources}

    def columns(rows: pd.DataFrame) -> _Rows:
        cost = rows["method"].map(lambda method: COSTS.get(method, 0.7)).to_numpy(dtype=float)
        return {
            "n_frames": 250,
            "n_people_original": 2,
            "n_people_method": 2,
            "n_frames_fewer": rng.poisson(3 + 4 * cost),
            "n_frames_more": rng.poisson(2, len(rows)),
            "n_switches": rng.poisson(0.2 + 0.5 * cost),
        }

    return _table("headcounts", keys, columns)
