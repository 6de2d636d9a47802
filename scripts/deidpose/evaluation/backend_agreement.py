"""Compare pose networks on the same pictures: how well they agree, and what each costs.

Nobody knows the truth here: of two networks the first is the reference, as in the comparison of a masked video with its
original, and neither is right for that. People are matched over time, and lengths are torso lengths of the reference.
"""

import itertools
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from deidpose import labels, tables
from deidpose.evaluation import effects, identity_switches, matching
from deidpose.keypoints import Poses, torso_lengths
from deidpose.kinematics import angles, filtering
from deidpose.kinematics.facing import carry_directions, find_directions
from deidpose.skeleton import INDEX, KEYPOINTS
from deidpose.statistics import study

#: Two networks agree on a keypoint within this many torso lengths, five centimetres in an adult: about what two people
#: who mark joints by hand differ by. Half of `effects.PCK_LIMIT`, which is generous for two networks.
WITHIN = 0.1

#: Name of a candidate -> as a reader sees it.
TITLES: dict[str, str] = {
    "blazepose_full": "BlazePose full",
    "blazepose_heavy": "BlazePose heavy",
    "blazepose_lite": "BlazePose lite",
    "rtmpose": "RTMPose-m",
    "openpose": "OpenPose BODY_25",
}


def compare_backends(
    video: str,
    found: Mapping[str, Poses],
    kinematics: Mapping[str, Any],
    frame_rate: float,
    cuts: pd.DataFrame,
) -> dict[str, pd.DataFrame]:
    """Compare what every network found in one video with what every later one found.

    Parameters
    ----------
    video : str
        What to write in this column.
    found : mapping
        Name of a network -> its table ``keypoints``.
    kinematics : mapping
        ``kinematics`` of the configuration.
    frame_rate : float
        Mean frames per second.
    cuts : DataFrame
        The table ``cuts``.

    Returns
    -------
    dict
        The tables ``backend_people``, ``backend_keypoints`` and ``backend_angles``.
    """
    rows: dict[str, list[pd.DataFrame]] = {"backend_people": [], "backend_keypoints": [], "backend_angles": []}
    for backend, other in itertools.combinations(found, 2):
        first, second = found[backend], found[other]
        matches = matching.match_people(first, second)
        facing = find_directions(first)
        # Which way somebody faces is a fact of the view and no matter of the network.
        of_both = [
            filtering.filter_angles(angles.joint_angles(keypoints, directions), kinematics, frame_rate, cuts)
            for keypoints, directions in (
                (first, facing),
                (second, carry_directions(facing, matches, second)),
            )
        ]
        compared = effects.compare_angles(
            video, of_both[0], {other: of_both[1]}, {other: matches}, tables.empty("people")
        )
        parts = {
            "backend_people": _people(video, first, second, matches),
            "backend_keypoints": _keypoints(first, second, matches),
            "backend_angles": compared,
        }
        for name, part in parts.items():
            full = part.assign(video=video, backend=backend, other=other)
            rows[name].append(full[list(tables.TABLES[name])])
    return {name: pd.concat([tables.empty(name), *parts], ignore_index=True) for name, parts in rows.items()}


def _people(video: str, first: Poses, second: Poses, matches: pd.DataFrame) -> pd.DataFrame:
    who = identity_switches.compare_identities(video, "", first, second, matches, ())
    counts = {"n_both": "n_both", "n_mirrored": "n_mirrored", "n_switches": "n_switches"}
    row = {name: int(who[column].sum()) for name, column in counts.items()}
    return pd.DataFrame([{"n_backend": count(first).n_sightings, "n_other": count(second).n_sightings, **row}])


class Counts(NamedTuple):
    """What a network found in one video, in numbers."""

    n_people: int
    n_sightings: int  # people in frames, a keypoint of them seen
    n_frames: int  # with somebody of whom a keypoint is seen


def count(body: Poses) -> Counts:
    """Count the people in a table ``keypoints``."""
    seen = matching.seen(body)
    return Counts(len(np.unique(body.person)), len(seen.frame), len(np.unique(seen.frame)))


def _keypoints(first: Poses, second: Poses, matches: pd.DataFrame) -> pd.DataFrame:
    """Return the measures of ``backend_keypoints`` for every keypoint, and for those of `effects.TOGETHER`."""
    after = matching.carry(second, matches)
    size = torso_lengths(first)
    i, j = matching.same_people(first, after)
    seen = [np.asarray(np.isfinite(body.position[rows]).all(axis=2)) for body, rows in ((first, i), (after, j))]
    length = np.where(size[i] > 0, size[i], np.nan)[:, None, None]
    moved = (after.position[j] - first.position[i]) / length
    rows = []
    for name in (*KEYPOINTS, *effects.TOGETHER):
        columns = [INDEX[member] for member in effects.TOGETHER.get(name, (name,))]
        n_backend, n_other = (int(one[:, columns].sum()) for one in seen)
        ways = moved[:, columns][np.isfinite(moved[:, columns]).all(axis=2)]
        counts = {"keypoint": name, "n_backend": n_backend, "n_other": n_other, "n_both": len(ways)}
        rows.append(counts | _distances(ways))
    return pd.DataFrame(rows).reindex(columns=list(tables.TABLES["backend_keypoints"]))


def _distances(ways: NDArray[np.float64]) -> dict[str, float]:
    """Return the measures of differences of places, shape (n, 2), in torso lengths; nothing where there are none."""
    if not len(ways):
        return {}
    distance = np.linalg.norm(ways, axis=1)
    return {
        "distance_median": float(np.median(distance)),
        "distance_p95": float(np.percentile(distance, 95)),
        "within_0_1": float((distance <= WITHIN).mean()),
        "bias_x": float(ways[:, 0].mean()),
        "bias_y": float(ways[:, 1].mean()),
    }


# ----------------------------------------------------------------------------------------------------- over all videos


def costs(measured: Mapping[str, list[dict[str, Any]]], found: Mapping[str, list[Counts]]) -> pd.DataFrame:
    """Return the table ``backends``.

    Parameters
    ----------
    measured : mapping
        Name of a network -> for every video what ``scripts/try_backend.py`` writes: ``origin``, ``threads``, and what
        `profiling.Meter` reads.
    found : mapping
        Name of a network -> for every video what `count` returns.
    """
    rows = []
    for backend, of_videos in measured.items():
        n_frames = int(sum(one["n_frames"] for one in of_videos))
        seconds, cpu = (sum(one[key] for one in of_videos) for key in ("seconds", "cpu_seconds"))
        rows.append(
            {
                "backend": backend,
                "way": _several(one["origin"].get("way", "") for one in of_videos),
                "version": _several(one["origin"]["version"] for one in of_videos),
                "licence": _several(one["origin"]["licence"] for one in of_videos),
                "n_videos": len(of_videos),
                "n_frames": n_frames,
                "n_people": sum(one.n_people for one in found[backend]),
                "n_sightings": sum(one.n_sightings for one in found[backend]),
                "n_frames_empty": n_frames - sum(one.n_frames for one in found[backend]),
                "n_threads": max((one["threads"] for one in of_videos), default=1),
                "frames_per_s": n_frames / seconds if seconds else np.nan,
                "cpu_ms_per_frame": 1000 * cpu / n_frames if n_frames else np.nan,
                "peak_mb": max((one["peak_mb"] for one in of_videos), default=np.nan),
            }
        )
    return tables.check(pd.DataFrame(rows, columns=list(tables.TABLES["backends"])), "backends")


def _several(values: Any) -> str:
    return ", ".join(sorted(set(values)))


def agreement(of_angles: pd.DataFrame, videos: pd.DataFrame, settings: Mapping[str, Any]) -> pd.DataFrame:
    """Return the table ``backend_agreement``, of all people.

    Parameters
    ----------
    of_angles : DataFrame
        The tables ``backend_angles`` of all videos.
    videos : DataFrame
        As `study.summarize` has them; the condition is left alone.
    settings : mapping
        ``study`` of the configuration.

    Returns
    -------
    DataFrame
        By pair, joint and segment angle (`labels.JOINT_MEAN` too) and signal. Limits are those of
        `study.limits_of_agreement`, means those of `study.summarize`, so that a subject counts once.
    """
    everybody = {**settings, "people": "all"}
    together = videos.assign(condition="")
    keys = ["method", "angle", "signal"]
    parts = [tables.empty("backend_agreement")]
    for backend, rows in of_angles.groupby("backend", sort=False):
        as_effects = rows.rename(columns={"other": "method"}).reindex(columns=list(tables.TABLES["effects"]))
        as_effects["patient"] = False
        limits = study.limits_of_agreement(as_effects, together, everybody).drop(columns="n_units")
        means = study.summarize(
            as_effects, tables.empty("keypoint_effects"), tables.empty("identities"), together, everybody
        )
        means = means[(means["measure"] == "mae_deg") & (means["basis"] == "raw")]
        means = means[[*keys, "n_units", "mean"]].rename(columns={"mean": "mae_deg"})
        joined = means.merge(limits, on=keys, how="left", validate="one_to_one")
        joined["n_pairs"] = joined["n_pairs"].fillna(0)  # the mean over joints has no frames of its own
        parts.append(joined.rename(columns={"method": "other"}).assign(backend=backend))
    columns = list(tables.TABLES["backend_agreement"])
    return tables.check(pd.concat([part[columns] for part in parts], ignore_index=True), "backend_agreement")


def over_videos(of_keypoints: pd.DataFrame) -> pd.DataFrame:
    """Return the mean of every measure of ``backend_keypoints``, each video counting once, by pair and keypoint."""
    keys = ["backend", "other", "keypoint"]
    measures = [column for column in of_keypoints.columns if column not in ("video", *keys)]
    return of_keypoints.groupby(keys, sort=False, as_index=False)[measures].mean()


def describe(
    cost: pd.DataFrame,
    of_people: pd.DataFrame,
    of_keypoints: pd.DataFrame,
    of_angles: pd.DataFrame,
    signal: str,
    left_out: Mapping[str, str],
) -> str:
    """Return the tables for a reader, in Markdown.

    Parameters
    ----------
    cost : DataFrame
        The table ``backends``.
    of_people, of_keypoints : DataFrame
        The tables ``backend_people`` and ``backend_keypoints`` of all videos.
    of_angles : DataFrame
        The table ``backend_agreement``.
    signal : str
        The headline signal.
    left_out : mapping
        Name of a network -> why it was not run.
    """
    lines = [
        "| network | frames a second | processor time a frame | memory | people in frames | frames with nobody |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    row: Any
    for row in cost.itertuples():
        lines.append(
            f"| {TITLES[row.backend]}{f' ({row.way})' if row.way else ''} | {_text(row.frames_per_s, 1)} "
            f"| {_text(row.cpu_ms_per_frame, 0, ' ms')} | {_text(row.peak_mb, 0, ' MB')} | {row.n_sightings} "
            f"| {row.n_frames_empty} of {row.n_frames} |"
        )
    if len(of_people):
        lines += [
            "",
            "| the two | body keypoints apart | within 0.1 | joint angles apart | left and right exchanged "
            "| people in frames: both, one alone |",
            "| --- | ---: | ---: | ---: | ---: | ---: |",
        ]
        means: Any = over_videos(of_keypoints).set_index(["backend", "other", "keypoint"])
        joints = of_angles[(of_angles["angle"] == labels.JOINT_MEAN) & (of_angles["signal"] == signal)]
        mae: Any = joints.set_index(["backend", "other"])["mae_deg"]
        for (backend, other), people in of_people.groupby(["backend", "other"], sort=False):
            total = people[["n_backend", "n_other", "n_both", "n_mirrored"]].sum()
            body = means.loc[str(backend), str(other), "body"]
            mirrored = total.n_mirrored / total.n_both if total.n_both else np.nan
            lines.append(
                f"| {TITLES[str(backend)]}, {TITLES[str(other)]} | {_text(body.distance_median, 3)} "
                f"| {_text(100 * body.within_0_1, 0, ' %')} | {_text(mae.get((backend, other), np.nan), 1, '°')} "
                f"| {_text(100 * mirrored, 1, ' %')} "
                f"| {total.n_both}, {total.n_backend - total.n_both} and {total.n_other - total.n_both} |"
            )
    lines += ["", *(f"- {TITLES[name]} was left out. {why}" for name, why in left_out.items())]
    return "\n".join(lines).rstrip() + "\n"


def _text(value: float, decimals: int, unit: str = "") -> str:
    """Return a number with its unit, and a dash where there is none."""
    return "–" if np.isnan(value) else f"{value:.{decimals}f}{unit}"
