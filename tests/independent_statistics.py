"""The statistics of docs/statistics.md once more, by loops over plain rows and without the library.

Rows are mappings as `csv.DictReader` or `DataFrame.to_dict("records")` give them, with numbers as floats. NumPy is used
for one thing: to draw the same random numbers.
"""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

CONTROL = "reencode"
JOINTS = [
    f"{side}_{joint}" for side in ("left", "right") for joint in ("ankle", "knee", "hip", "shoulder", "elbow", "wrist")
]
#: Condition, method, angle, signal, measure, basis.
Key = tuple[str, str, str, str, str, str]


def unit_values(
    effects: Sequence[Mapping[str, Any]],
    videos: Sequence[Mapping[str, str]],
    measure: str,
    weight: str,
    patient_only: bool,
) -> dict[Key, dict[str, list[float]]]:
    """Return, for each column of the results, the values of the videos of each unit."""
    control = {
        (row["video"], row["person"], row["angle"], row["signal"]): row[measure]
        for row in effects
        if row["method"] == CONTROL
    }
    people: dict[tuple[str, ...], list[tuple[float, float]]] = {}
    for row in effects:
        if patient_only and not row["patient"]:
            continue
        values = {"raw": row[measure]}
        if row["method"] != CONTROL:
            without_mask = control.get((row["video"], row["person"], row["angle"], row["signal"]), math.nan)
            values["net"] = row[measure] - without_mask
        for basis, value in values.items():
            if not math.isnan(value) and row[weight] > 0:
                key = (row["video"], row["method"], row["angle"], row["signal"], basis)
                people.setdefault(key, []).append((value, row[weight]))
    of_video = {video["video"]: video for video in videos}
    found: dict[Key, dict[str, list[float]]] = {}
    for (video, method, angle, signal, basis), pairs in people.items():
        mean = sum(value * frames for value, frames in pairs) / sum(frames for _, frames in pairs)
        named = of_video[video]
        unit = f"subject {named['subject']}" if named["subject"] else f"video {video}"
        for condition in {"all", named["condition"] or "all"}:
            key = (condition, method, angle, signal, measure, basis)
            found.setdefault(key, {}).setdefault(unit, []).append(mean)
    return found


def summarize(
    values: Mapping[Key, Mapping[str, Sequence[float]]],
    units: Mapping[str, Sequence[str]],
    samples: int,
    level: float,
    seed: int,
) -> dict[Key, tuple[float, ...]]:
    """Return n_videos, n_units, mean, sd, low, high. ``units``: condition -> the units that have any value, by name."""
    result = {}
    for key, of_units in values.items():
        means = {unit: statistics.fmean(of_videos) for unit, of_videos in of_units.items()}
        n_videos = sum(len(of_videos) for of_videos in of_units.values())
        mean = statistics.fmean(means.values())
        sd = low = high = math.nan
        if len(means) > 1:
            sd = statistics.stdev(means.values())
            names = sorted(units[key[0]])
            draws = np.random.default_rng(seed).multinomial(len(names), [1 / len(names)] * len(names), size=samples)
            resampled = []
            for draw in draws.tolist():
                drawn = [(means[name], times) for name, times in zip(names, draw, strict=True) if name in means]
                total = sum(times for _, times in drawn)
                if total:
                    resampled.append(sum(value * times for value, times in drawn) / total)
            resampled.sort()
            low, high = quantile(resampled, (1 - level) / 2), quantile(resampled, (1 + level) / 2)
        result[key] = (n_videos, len(means), mean, sd, low, high)
    return result


def equivalence(
    values: Mapping[Key, Mapping[str, Sequence[float]]], margin: float, alpha: float
) -> dict[Key, tuple[Any, ...]]:
    """Return n_units, mean, sd, low, high, the four p values and the verdict."""
    rows: dict[Key, list[Any]] = {}
    for key, of_units in values.items():
        means = [statistics.fmean(of_videos) for of_videos in of_units.values()]
        n, mean = len(means), statistics.fmean(means)
        if n < 2:
            rows[key] = [n, mean] + [math.nan] * 5
            continue
        sd = statistics.stdev(means)
        error = sd / math.sqrt(n)
        half = t_quantile(alpha, n - 1) * error
        p_low, p_high = t_tail((mean + margin) / error, n - 1), t_tail((margin - mean) / error, n - 1)
        p_difference = 2 * t_tail(abs(mean) / error, n - 1)
        rows[key] = [n, mean, sd, mean - half, mean + half, max(p_low, p_high), p_difference]
    families: dict[tuple[Any, ...], list[Key]] = {}
    for key in rows:
        condition, _, angle, signal, measure, basis = key
        families.setdefault((condition, signal, measure, basis, angle in JOINTS), []).append(key)
    result = {}
    for keys in families.values():
        adjusted = [holm({key: rows[key][place] for key in keys}) for place in (5, 6)]
        for key in keys:
            equivalent, different = adjusted[0][key] < alpha, adjusted[1][key] < alpha
            verdict = "equivalent" if equivalent else "different" if different else "undecided"
            result[key] = (*rows[key], adjusted[0][key], adjusted[1][key], verdict)
    return result


def holm(p_values: Mapping[Key, float]) -> dict[Key, float]:
    """Adjust the p values of one family, step by step."""
    adjusted, largest = dict.fromkeys(p_values, math.nan), 0.0
    tested = sorted((key for key in p_values if not math.isnan(p_values[key])), key=lambda key: p_values[key])
    for step, key in enumerate(tested):
        largest = max(largest, min(1.0, (len(tested) - step) * p_values[key]))
        adjusted[key] = largest
    return adjusted


def quantile(ordered: Sequence[float], share: float) -> float:
    """Return a quantile, interpolated between neighbours."""
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def t_tail(t: float, freedom: int) -> float:
    """Return the probability that a t variable exceeds t, by Simpson's rule on the angle whose tangent is t / root."""
    # With t = sqrt(freedom) tan(a) the density is proportional to cos(a) ** (freedom - 1), smooth and bounded.
    steps = 400
    start, stop = math.atan(t / math.sqrt(freedom)), math.pi / 2
    width = (stop - start) / steps
    terms = (
        (1 if i in (0, steps) else 4 if i % 2 else 2) * abs(math.cos(start + i * width)) ** (freedom - 1)
        for i in range(steps + 1)
    )
    scale = math.exp(math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2)) / math.sqrt(math.pi)
    return scale * width / 3 * sum(terms)


def t_quantile(tail: float, freedom: int) -> float:
    """Return the t that is exceeded with this probability, below 0.5, by halving."""
    low, high = 0.0, 1e6
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if t_tail(middle, freedom) > tail else (low, middle)
    return (low + high) / 2


def named_units(tables_of_values: Iterable[Mapping[Key, Mapping[str, Any]]]) -> dict[str, list[str]]:
    """Return the units of each condition that have a value in any column."""
    found: dict[str, set[str]] = {}
    for values in tables_of_values:
        for key, of_units in values.items():
            found.setdefault(key[0], set()).update(of_units)
    return {condition: sorted(names) for condition, names in found.items()}
