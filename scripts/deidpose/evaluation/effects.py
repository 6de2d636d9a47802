"""Measure what each method did to the kinematics of one video: the same people, frame by frame, before and after.

``docs/effects.md`` defines every measure, with its formula and source. Angles are in degrees, times in seconds,
positions in pixels of the upright picture; lengths between keypoints are reported in torso lengths of the original.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from deidpose import tables
from deidpose.evaluation.matching import carry
from deidpose.keypoints import Poses, torso_lengths
from deidpose.kinematics.angles import ANGLES, JOINTS, SEGMENTS, Angles
from deidpose.kinematics.movement_summary import cycle_time
from deidpose.labels import CONTROL
from deidpose.skeleton import INDEX, KEYPOINTS
from deidpose.statistics.agreement import LIMITS_FACTOR, icc

#: Signal -> the column of the table ``angles``, and the array of `Angles`, that holds it.
SIGNAL_COLUMNS: dict[str, str] = {"unfiltered": "degrees", "filtered": "degrees_filtered"}

#: A correlation needs as many frames: two points always lie on a line.
FEWEST_FRAMES = 3

#: An angle whose range is not above this, in degrees, is constant: tables hold six decimals.
_CONSTANT = 1e-6

#: Most frames of one method, person and angle in the table ``pairs``: enough to see the shape of a Bland-Altman
#: plot, few enough to draw a thousand videos in one.
MOST_PAIRS = 60

#: Keypoints under the mask. What a method does to them is meant; they are reported, but not as part of the body.
HEAD: tuple[str, ...] = ("Nose", "REye", "LEye", "REar", "LEar")

#: Rows of several keypoints together in the table ``keypoint_effects``.
TOGETHER: dict[str, tuple[str, ...]] = {
    "head": HEAD,
    "body": tuple(name for name in KEYPOINTS if name not in HEAD),
}

#: A keypoint is correct within this many torso lengths. Percentage of correct keypoints: Yang & Ramanan 2013, IEEE
#: TPAMI 35:2878-2890, who took a part of the person's box; of the torso: Sapp & Taskar 2013, CVPR 3674-3681.
PCK_LIMIT = 0.2

#: Standard deviation of human annotators for each keypoint, as a part of the root of the person's area. The 17
#: keypoints of COCO: Ronchi & Perona 2017, ICCV 369-378, and ``kpt_oks_sigmas`` of its evaluation code. Feet and
#: index knuckles: Jin et al. 2020, ECCV (COCO-WholeBody); of the feet, which it gives for left and right apart
#: (0.068, 0.066, 0.066; 0.092, 0.094, 0.094), the mean of both sides, so that the two feet count alike. Neck and
#: MidHip, which neither has, are between the shoulders and the hips and have their values: our choice.
ANNOTATOR_SD: dict[str, float] = {
    "Nose": 0.026, "Neck": 0.079, "RShoulder": 0.079, "RElbow": 0.072, "RWrist": 0.062, "LShoulder": 0.079,
    "LElbow": 0.072, "LWrist": 0.062, "MidHip": 0.107, "RHip": 0.107, "RKnee": 0.087, "RAnkle": 0.089, "LHip": 0.107,
    "LKnee": 0.087, "LAnkle": 0.089, "REye": 0.025, "LEye": 0.025, "REar": 0.035, "LEar": 0.035, "LBigToe": 0.080,
    "LSmallToe": 0.080, "LHeel": 0.080, "RBigToe": 0.080, "RSmallToe": 0.080, "RHeel": 0.080, "LIndex": 0.026,
    "RIndex": 0.026,
}  # fmt: skip

#: Area of a person in squares of the torso length, where COCO has the area of a segmented outline. Our choice.
BODY_AREA = 2.0

#: Column net of the control -> the column that it is made of.
NET: dict[str, dict[str, str]] = {
    "effects": {
        "lost_percent_net": "lost_percent",
        "gained_percent_net": "gained_percent",
        "bias_net_deg": "bias_deg",
        "mae_net_deg": "mae_deg",
        "rmse_net_deg": "rmse_deg",
        "p95_net_deg": "p95_deg",
        "percent_difference_net": "percent_difference",
        "confidence_bias_net": "confidence_bias",
    },
    "keypoint_effects": {
        "displacement_mean_net": "displacement_mean",
        "pck_0_2_net": "pck_0_2",
        "oks_net": "oks",
        "confidence_bias_net": "confidence_bias",
    },
}

#: What tells the rows of one method apart.
_KEY = {"effects": ["video", "person", "angle", "signal"], "keypoint_effects": ["video", "person", "keypoint"]}

_NO_ROWS = np.empty(0, np.intp)
#: Bounds the memory for copies of positions at some megabytes.
_FRAMES_AT_A_TIME = 20_000


def compare_angles(
    video: str,
    original: Angles,
    copies: Mapping[str, Angles],
    matches: Mapping[str, pd.DataFrame],
    people: pd.DataFrame,
) -> pd.DataFrame:
    """Compare the angles of everyone in one video before and after every method.

    A missing angle is an outcome: it is counted as lost or gained. A person whom a method lost altogether keeps
    their rows, with every frame lost and no other measure. People whom only a method has have no row, because a row
    belongs to a person of the original; ``identity_switches.headcounts`` counts them.

    Parameters
    ----------
    video : str
        What to write in this column.
    original : Angles
        The table ``angles`` of the original.
    copies : mapping
        Method -> its table ``angles``.
    matches : mapping
        Method -> what ``matching.match_people`` returns for it.
    people : DataFrame
        The table ``people`` of the video.

    Returns
    -------
    DataFrame
        The table ``effects``, in the order method (as in ``copies``), person, angle (`JOINTS`, `SEGMENTS`),
        signal. The filtered signal is left out for a method when neither the original nor the method has it. The
        columns net of the control are empty when the control is not among the methods; see `subtract_control`.

    Notes
    -----
    The methods are taken one after the other. Besides the tables that it is given, this needs at most a carried copy of
    one of them. A caller with a long video gives one method at a time, puts the tables together and calls
    `subtract_control`.
    """
    patients = _patients(people, original.person)
    rows_before = _rows_of_people(original.person)
    rows = []
    for method, angles in copies.items():
        after = carry(angles, matches[method])
        rows_after = _rows_of_people(after.person)
        signals = [
            signal for signal in SIGNAL_COLUMNS if signal != "filtered" or original.is_filtered or after.is_filtered
        ]
        for person, patient in patients.items():
            i, j = rows_before.get(person, _NO_ROWS), rows_after.get(person, _NO_ROWS)
            for angle in (*JOINTS, *SEGMENTS):
                both = _aligned(original, after, i, j, angle)
                for signal in signals:
                    row = {"video": video, "method": method, "person": person, "patient": patient}
                    row |= {"angle": angle, "signal": signal}
                    rows.append(row | _measures(both, SIGNAL_COLUMNS[signal], ANGLES[angle].turn))
    return subtract_control(_table(rows, "effects"), "effects")


def pairs(
    video: str,
    original: Angles,
    copies: Mapping[str, Angles],
    matches: Mapping[str, pd.DataFrame],
    people: pd.DataFrame,
    signal: str,
) -> pd.DataFrame:
    """Choose frames of every joint angle for Bland-Altman plots.

    Parameters
    ----------
    video, original, copies, matches, people
        As for `compare`.
    signal : str
        One of `SIGNALS`.

    Returns
    -------
    DataFrame
        The table ``pairs``: for each method, person and angle of `JOINTS` at most `MOST_PAIRS` frames, evenly spaced
        over the frames that have the angle in both, the first and the last among them. ``method_deg`` is without
        whole turns, as in `compare`.
    """
    column = SIGNAL_COLUMNS[signal]
    patients = _patients(people, original.person)
    rows_before = _rows_of_people(original.person)
    chosen = []
    for method, angles in copies.items():
        after = carry(angles, matches[method])
        rows_after = _rows_of_people(after.person)
        for person, patient in patients.items():
            i, j = rows_before.get(person, _NO_ROWS), rows_after.get(person, _NO_ROWS)
            for angle in JOINTS:
                both = _aligned(original, after, i, j, angle)
                turned = without_turns(both.method[column], both.original[column])
                frames = np.flatnonzero(np.isfinite(turned))
                if not len(frames):
                    continue
                at = frames[np.linspace(0, len(frames) - 1, min(len(frames), MOST_PAIRS)).round().astype(int)]
                keys = {"video": video, "method": method, "person": person, "patient": patient}
                values = {"original_deg": both.original[column][at], "method_deg": turned[at]}
                frame = {"angle": angle, "signal": signal, "frame": both.first_frame + at}
                chosen.append(pd.DataFrame(keys | frame | values))
    return tables.check(pd.concat(chosen), "pairs") if chosen else tables.empty("pairs")


def compare_keypoints(
    video: str,
    original: Poses,
    copies: Mapping[str, Poses],
    matches: Mapping[str, pd.DataFrame],
    people: pd.DataFrame,
) -> pd.DataFrame:
    """Compare where the keypoints of everyone in one video are before and after every method.

    Parameters
    ----------
    video : str
        What to write in this column.
    original : Poses
        The table ``keypoints`` of the original.
    copies : mapping
        Method -> its table ``keypoints``.
    matches, people
        As for `compare`.

    Returns
    -------
    DataFrame
        The table ``keypoint_effects``, in the order method, person, keypoint (`KEYPOINTS`, then `TOGETHER`). A
        keypoint that the original has and the method has not is neither correct nor similar. Where a person has no
        size, because a single keypoint is all that is ever seen of them, only a keypoint that has not moved at all
        is correct, and the others have no displacement.
    """
    patients = _patients(people, original.person)
    size = torso_lengths(original)
    rows_before = _rows_of_people(original.person)
    seen_before = _seen(original)
    rows = []
    for method, keypoints in copies.items():
        after = carry(keypoints, matches[method])
        rows_after = _rows_of_people(after.person)
        seen_after = _seen(after)
        for person, patient in patients.items():
            i, j = rows_before.get(person, _NO_ROWS), rows_after.get(person, _NO_ROWS)
            n_original, n_method = seen_before[i].sum(axis=0), seen_after[j].sum(axis=0)
            frames = original.frame[i], after.frame[j]
            _, first, second = np.intersect1d(*frames, assume_unique=True, return_indices=True)
            moved = _moved(original, after, size, i[first], j[second])
            for name in (*KEYPOINTS, *TOGETHER):
                columns = [INDEX[member] for member in TOGETHER.get(name, (name,))]
                row = {"video": video, "method": method, "person": person, "patient": patient, "keypoint": name}
                counts = int(n_original[columns].sum()), int(n_method[columns].sum())
                rows.append(row | _keypoint_measures(moved, columns, *counts))
    return subtract_control(_table(rows, "keypoint_effects"), "keypoint_effects")


def subtract_control(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """Set the columns net of the control: each row's measure minus that of the control of the same video.

    What the control does is the work of the encoder and not of the mask. A net value is empty where either side has
    none, and throughout in the rows of the control itself.

    Parameters
    ----------
    table : DataFrame
        The table ``effects`` or ``keypoint_effects``, of any number of videos and methods.
    name : str
        Which of the two: a key of `NET`.

    Returns
    -------
    DataFrame
        The same rows in the same order.
    """
    is_control = (table["method"] == CONTROL).to_numpy(dtype=bool)
    measures = list(NET[name].values())
    control = table.loc[is_control, [*_KEY[name], *measures]]
    same = table[_KEY[name]].merge(control, on=_KEY[name], how="left", validate="many_to_one")
    net = {
        column: np.where(is_control, np.nan, table[measure].to_numpy(float) - same[measure].to_numpy(float))
        for column, measure in NET[name].items()
    }
    return tables.check(table.assign(**net), name)


def without_turns(
    method: NDArray[np.float64], original: NDArray[np.float64], turn: float = 360.0
) -> NDArray[np.float64]:
    """Take whole turns off a method's angles, until they are at most half a turn from the original's.

    Angles are unwrapped in each source by itself, so that two that agree can differ by whole turns.

    Parameters
    ----------
    method, original : arrays, shape (n,)
        Degrees.
    turn : float
        After how many degrees the angle is the same again: 180 for a line without a direction (`Angle.turn`).

    Returns
    -------
    array, shape (n,)
        ``method`` plus a multiple of ``turn``, with (result - original) in (-turn / 2, turn / 2]; NaN where either is.
    """
    return np.asarray(method - turn * np.ceil((method - original - turn / 2) / turn))


class _Aligned(NamedTuple):
    """One angle of one person in the original and in a method, over the same frames; NaN where there is none."""

    first_frame: int
    time_s: NDArray[np.float64]  # shape (n,), s; NaN in frames that the original does not have
    original: dict[str, NDArray[np.float64]]  # values by their names in `Angles`, shape (n,) each
    method: dict[str, NDArray[np.float64]]  # the same of the method


class _Moved(NamedTuple):
    """The keypoints of one person in the frames that both have; NaN where one of the two does not see one."""

    distance: NDArray[np.float64]  # shape (n, 27), torso lengths; NaN also where the person has no size
    seen: NDArray[np.bool_]  # shape (n, 27): whether both see the keypoint
    confidence_original: NDArray[np.float64]  # shape (n, 27), 0..1
    confidence_method: NDArray[np.float64]  # shape (n, 27), 0..1


def _aligned(original: Angles, method: Angles, i: NDArray[np.intp], j: NDArray[np.intp], angle: str) -> _Aligned:
    """Put an angle of one person on the frames from the first to the last of either; ``i`` and ``j`` are their rows."""
    every = np.concatenate([original.frame[i], method.frame[j]])
    first, count = (int(every.min()), int(np.ptp(every)) + 1) if len(every) else (0, 0)
    at = list(ANGLES).index(angle)

    def spread(values: NDArray[np.float64], frame: NDArray[np.int64]) -> NDArray[np.float64]:
        result = np.full(count, np.nan)
        result[frame - first] = values
        return result

    names = (*SIGNAL_COLUMNS.values(), "confidence")
    before, after = (
        {name: spread(getattr(side, name)[rows, at], side.frame[rows]) for name in names}
        for side, rows in ((original, i), (method, j))
    )
    return _Aligned(first, spread(original.time_s[i], original.frame[i]), before, after)


def _measures(both: _Aligned, column: str, turn: float) -> dict[str, float]:
    """Return the measures of one angle of one person, by the columns of the table ``effects``; `Angle.turn`."""
    original, method = both.original[column], both.method[column]
    in_original, in_method = np.isfinite(original), np.isfinite(method)
    in_both = in_original & in_method
    n_original, n_both = int(in_original.sum()), int(in_both.sum())
    n_gained = int(in_method.sum()) - n_both
    result: dict[str, float] = {
        "n_original": n_original,
        "n_both": n_both,
        "n_lost": n_original - n_both,
        "n_gained": n_gained,
    }
    if n_original:
        result["lost_percent"] = 100.0 * (n_original - n_both) / n_original
        result["gained_percent"] = 100.0 * n_gained / n_original
    if not n_both:
        return result
    x = original[in_both]
    y = without_turns(method[in_both], x, turn)
    difference = y - x
    absolute = np.abs(difference)
    bias, mae = float(difference.mean()), float(absolute.mean())
    result |= {
        "bias_deg": bias,
        "mae_deg": mae,
        "rmse_deg": float(np.sqrt((difference**2).mean())),
        "p95_deg": float(np.percentile(absolute, 95)),
        "range_of_motion_original_deg": float(np.ptp(x)),
        "range_of_motion_bias_deg": float(np.ptp(y) - np.ptp(x)),
        "peak_bias_deg": float(y.max() - x.max()),
    }
    if n_both > 1:
        sd = float(difference.std(ddof=1))
        low, high = bias - LIMITS_FACTOR * sd, bias + LIMITS_FACTOR * sd
        result |= {"sd_deg": sd, "loa_low_deg": low, "loa_high_deg": high}
    size = float(np.abs(x).mean())
    if size > 0:
        result["percent_difference"] = 100.0 * mae / size
    vary = [bool(np.ptp(values) > _CONSTANT) for values in (x, y)]
    if n_both >= FEWEST_FRAMES and any(vary):
        result["icc_2_1"] = icc(x, y)
    if n_both >= FEWEST_FRAMES and all(vary):
        result["pearson_r"] = float(np.corrcoef(x, y)[0, 1])
    known = np.isfinite(both.original["confidence"]) & np.isfinite(both.method["confidence"]) & in_both
    result |= _confidence(both.original["confidence"][known], both.method["confidence"][known])
    return result | _cycles(both.time_s, in_both, x, y)


def _confidence(original: NDArray[np.float64], method: NDArray[np.float64]) -> dict[str, float]:
    """Return the mean confidences where both have one, and their difference; nothing where there are none."""
    if not len(original):
        return {}
    before, after = float(original.mean()), float(method.mean())
    return {"confidence_original": before, "confidence_method": after, "confidence_bias": after - before}


def _cycles(
    time_s: NDArray[np.float64], in_both: NDArray[np.bool_], x: NDArray[np.float64], y: NDArray[np.float64]
) -> dict[str, float]:
    """Return the measures of the cycle time, both over the frames in both; ``x`` and ``y`` hold these alone."""
    means = []
    for values in (x, y):
        series = np.full(len(time_s), np.nan)
        series[in_both] = values
        means.append(cycle_time(time_s, series)[1])
    return {"cycle_time_original_s": means[0], "cycle_time_bias_s": means[1] - means[0]}


def _seen(body: Poses) -> NDArray[np.bool_]:
    """Return whether each keypoint has a position, shape (n, 27)."""
    return np.asarray(np.isfinite(body.position).all(axis=2))


def _moved(before: Poses, after: Poses, size: NDArray[np.float64], i: NDArray[np.intp], j: NDArray[np.intp]) -> _Moved:
    """Return how far the keypoints of one person moved; ``i`` and ``j`` are rows of the same frames."""
    relative = np.full((len(i), len(KEYPOINTS)), np.nan)
    seen = np.zeros(relative.shape, bool)
    for start in range(0, len(i), _FRAMES_AT_A_TIME):
        part = slice(start, start + _FRAMES_AT_A_TIME)
        distance = np.linalg.norm(after.position[j[part]] - before.position[i[part]], axis=2)
        torso = np.broadcast_to(size[i[part], None], distance.shape)
        without_size = np.where(distance == 0, 0.0, np.nan)
        seen[part] = np.isfinite(distance)
        relative[part] = np.divide(distance, torso, out=without_size, where=torso > 0)
    return _Moved(relative, seen, before.confidence[i], after.confidence[j])


def _keypoint_measures(moved: _Moved, columns: list[int], n_original: int, n_method: int) -> dict[str, float]:
    """Return the measures of some keypoints of one person, by the columns of the table ``keypoint_effects``."""
    distance, seen = moved.distance[:, columns], moved.seen[:, columns]
    n_both = int(seen.sum())
    result: dict[str, float] = {
        "n_original": n_original,
        "n_both": n_both,
        "n_lost": n_original - n_both,
        "n_gained": n_method - n_both,
    }
    if n_original:
        spread = 2.0 * np.array([ANNOTATOR_SD[KEYPOINTS[column]] for column in columns])
        similarity = distance**2
        similarity /= -(2.0 * BODY_AREA * spread**2)
        np.exp(similarity, out=similarity)
        result["pck_0_2"] = int((distance <= PCK_LIMIT).sum()) / n_original
        result["oks"] = float(np.nansum(similarity)) / n_original
        del similarity  # as large as all keypoints of the person
    known = distance[np.isfinite(distance)]
    del distance
    if len(known):
        result |= {
            "displacement_mean": float(known.mean()),
            "displacement_median": float(np.median(known)),
            "displacement_p95": float(np.percentile(known, 95)),
        }
    del known
    original, method = moved.confidence_original[:, columns], moved.confidence_method[:, columns]
    both = seen & np.isfinite(original) & np.isfinite(method)
    return result | _confidence(original[both], method[both])


def _patients(people: pd.DataFrame, seen: Iterable[int]) -> dict[int, bool]:
    """Return person -> whether they are the patient, in ascending order, for everyone listed and everyone seen."""
    patients = dict.fromkeys((int(person) for person in pd.unique(pd.Series(seen))), False)
    listed = people["patient"].fillna(False).astype(bool)
    patients |= {int(person): bool(p) for person, p in zip(people["person"], listed, strict=True)}
    return dict(sorted(patients.items()))


def _rows_of_people(person: NDArray[np.int64]) -> dict[int, NDArray[np.intp]]:
    """Return person -> their rows, in order."""
    order = np.argsort(person, kind="stable")
    people, starts = np.unique(person[order], return_index=True)
    return dict(zip(people.tolist(), np.split(order, starts[1:]), strict=True)) if len(person) else {}


def _table(rows: list[dict[str, object]], name: str) -> pd.DataFrame:
    """Return the rows as the table ``name``, columns that none of them has empty."""
    if not rows:
        return tables.empty(name)
    return tables.check(pd.DataFrame(rows).reindex(columns=list(tables.TABLES[name])), name)
