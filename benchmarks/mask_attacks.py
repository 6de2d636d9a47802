"""Attempts to undo masks, by somebody who has the delivered file, this code, and knows where every region lies.

`deconvolve` and `interpolate` work on one picture. `restore` takes many pictures of a face that keeps still while
its region moves, and solves for what is under it. No network helps: what a network draws into a blurred face is the
face of somebody else.

Run as a command (``python benchmarks/mask_attacks.py``) it prints the tables of docs/masks.md.
"""

import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import cv2
import numpy as np
import pandas as pd
import scipy.linalg
import yaml

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / folder) for folder in ("scripts", "tests", ".")]

from benchmarks.face_networks import NAMES, Watchers, fetch
from deidpose import boxes
from deidpose.faces.yunet import YuNet
from deidpose.masking import masks
from deidpose.video import decode, encode, frames

Planes = masks.Planes

#: Cycles across the longer side of a face at which detail is compared. People recognise faces by about 8 to 16
#: (Parker and Costen 1999, Current Psychology 18:118-127).
CYCLES = (1, 2, 3, 4, 6)
#: Standard deviation in levels that the attacker reckons with; each is tried, and the best result counts.
_NOISES = (0.3, 1.0, 3.0)
#: How far a face varies within itself, in levels of luma, and over which share of the region it stays alike.
_SPREAD, _ALIKE = 40.0, 0.25
_ROOT = Path(__file__).resolve().parents[1]


class View(NamedTuple):
    """A face in a frame of a clip: the box around it, and all regions of that frame, the face's first."""

    clip: str
    frame: frames.Frame
    box: np.ndarray
    regions: np.ndarray


def views(demo: Path, yunet: Path, every: int, enlarge: float) -> Iterator[View]:
    """Yield the faces that YuNet is sure of in every so many frames of the demo clips."""
    for clip in sorted(demo.rglob("*.mp4")):
        detector = None
        for frame in decode.read_frames(clip):
            if frame.index % every:
                continue
            picture = frames.to_bgr(frame)
            detector = detector or YuNet(yunet, *picture.shape[:2])
            found = detector.detect(picture, 0.3)
            regions = boxes.enlarge(found[:, :4], enlarge)
            for index in np.flatnonzero(found[:, 4] >= 0.8):
                yield View(clip.stem, frame, found[index, :4], np.roll(regions, -index, axis=0))


def as_delivered(pictures: Sequence[Planes], encoding: encode.Encoding) -> list[Planes]:
    """Return the planes of pictures after the encoder."""
    count, (height, width) = len(pictures), pictures[0][0].shape
    times = {"frame": range(count), "pts": range(count), "time_base_numerator": 1, "time_base_denominator": 30}
    table = pd.DataFrame({**times, "time_s": np.arange(count) / 30, "container_ms": 0})
    with tempfile.TemporaryDirectory() as folder:
        layout = encode.Layout(width, height, "yuv420p", 1, 1, 1, 1, Fraction(1))
        encode.encode(pictures, table, layout, encoding, f"{folder}/video.mp4")
        return [frame.planes for frame in decode.read_frames(f"{folder}/video.mp4")]


# ---------------------------------------------------------------------------------------------------- one picture


def deconvolve(planes: Planes, region: np.ndarray, strength: masks.Strength, ratio: float) -> Planes:
    """Return the planes with a blurred region under the Wiener filter of its Gaussian.

    ``ratio`` is that of noise to signal. What lies in the ellipse's largest rectangle is taken, and continued
    beyond by its mirror image.
    """
    deviation = strength.blur_strength * max(region[2:])
    restored = []
    for plane in planes:
        step = planes[0].shape[1] // plane.shape[1]
        area = _inner_area(region, step, plane.shape)
        part = plane[area].astype(float)
        mirrored = np.pad(part, [(side, side) for side in part.shape], mode="symmetric")
        down, across = np.fft.fftfreq(mirrored.shape[0]), np.fft.rfftfreq(mirrored.shape[1])
        gain = np.exp(-2 * (np.pi * deviation / step) ** 2 * (down[:, None] ** 2 + across**2))
        sharp = np.fft.irfft2(np.fft.rfft2(mirrored) * gain * (1 + ratio) / (gain**2 + ratio), mirrored.shape)
        restored.append(_with(plane, area, sharp[part.shape[0] : 2 * part.shape[0], part.shape[1] : 2 * part.shape[1]]))
    return restored[0], restored[1], restored[2]


def interpolate(planes: Planes, region: np.ndarray, cells: int) -> Planes:
    """Return the planes with the cells of a pixelated region replaced by a cubic surface through their values."""
    restored = []
    for plane in planes:
        step = planes[0].shape[1] // plane.shape[1]
        area = _inner_area(region, step, plane.shape)
        rows, columns = (
            np.clip(((np.arange(where.start, where.stop) + 0.5) * step - start) / length * cells - 0.5, 0, cells - 1)
            for where, start, length in zip(area, region[[1, 0]], region[[3, 2]], strict=True)
        )
        centres = [
            np.clip(((np.arange(cells) + 0.5) / cells * length + start) / step, where.start, where.stop - 1).astype(int)
            for where, start, length in zip(area, region[[1, 0]], region[[3, 2]], strict=True)
        ]
        values = plane[centres[0][:, None], centres[1]].astype(np.float32)
        grid = [part.astype(np.float32) for part in np.meshgrid(columns, rows)]
        smooth = cv2.remap(values, *grid, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        restored.append(_with(plane, area, smooth))
    return restored[0], restored[1], restored[2]


def fill_in(planes: Planes, regions: np.ndarray) -> Planes:
    """Return the planes with every region filled in from around it: a head may be there, but no face of anybody."""
    result = []
    for plane in planes:
        step = planes[0].shape[1] // plane.shape[1]
        hidden = np.zeros(plane.shape, np.uint8)
        for x, y, width, height in regions / step:
            centre, half = (round(x + width / 2), round(y + height / 2)), (int(width / 2) + 3, int(height / 2) + 3)
            cv2.ellipse(hidden, centre, half, 0, 0, 360, 1, -1)
        result.append(cv2.inpaint(plane, hidden, 5, cv2.INPAINT_TELEA))
    return result[0], result[1], result[2]


def _inner_area(region: np.ndarray, step: int, shape: tuple[int, ...]) -> tuple[slice, slice]:
    """Return the largest rectangle inside the ellipse of a region that lies in the picture, in samples."""
    centre, half = region[:2] + region[2:] / 2, region[2:] / 2 * np.sqrt(0.5)
    low, high = np.ceil((centre - half) / step).astype(int), np.floor((centre + half) / step).astype(int)
    return slice(max(0, low[1]), min(shape[0], high[1])), slice(max(0, low[0]), min(shape[1], high[0]))


def _with(plane: np.ndarray, area: tuple[slice, slice], part: np.ndarray) -> np.ndarray:
    plane = plane.copy()
    plane[area] = np.clip(np.rint(part), 0, 255)
    return plane


# --------------------------------------------------------------------------------------------------- many pictures


def under_attack(view: View, strength: masks.Strength, encoding: encode.Encoding) -> dict[str, Planes]:
    """Return the planes of a view as they are, masked by each method and delivered, and what attacks make of these."""
    result = {"original": view.frame.planes}
    for method in masks.METHODS:
        planes = masks.mask(view.frame, view.regions, method, strength)
        (result[method],) = as_delivered([planes], encoding)
    for ratio in (1e-5, 1e-3, 1e-1):
        result[f"blur, deconvolved {ratio}"] = deconvolve(result["blur"], view.regions[0], strength, ratio)
    result["block, filled in"] = fill_in(result["block"], view.regions)
    cells = strength.pixelate_cells
    result["pixelate, interpolated"] = interpolate(result["pixelate"], view.regions[0], cells)
    return result


class Scene(NamedTuple):
    """A face that keeps still in the middle of a square picture, and regions that move over it.

    ``luma`` has the shape (side, side), ``box`` is the face's, ``regions`` has the shape (n, 4).
    """

    luma: np.ndarray
    box: np.ndarray
    regions: np.ndarray


def scene(view: View, enlarge: float, count: int, side: float = 64.0) -> Scene:
    """Return the face of a view at a size of ``side`` pixels across its region, and ``count`` regions over it.

    They lie up to a tenth of their side away, and are up to a twentieth larger or smaller: far more than a tracked
    face moves in its region.
    """
    width = round(side * 1.75)
    scale = enlarge * max(view.box[2:]) / side
    low = view.box[:2] + view.box[2:] / 2 - scale * width / 2
    luma = cv2.GaussianBlur(view.frame.planes[0], (0, 0), max(0.3, 0.4 * scale))
    matrix = np.array([[scale, 0, low[0]], [0, scale, low[1]]])
    how = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    luma = cv2.warpAffine(luma, matrix, (width, width), flags=how, borderMode=cv2.BORDER_REPLICATE)
    random = np.random.default_rng(1)
    sides = side * random.uniform(0.95, 1.05, count)
    centres = width / 2 + side * random.uniform(-0.1, 0.1, (count, 2))
    regions = np.column_stack([centres - sides[:, None] / 2, sides, sides])
    size = view.box[2:] / scale
    return Scene(np.asarray(luma), np.concatenate([width / 2 - size / 2, size]), regions)


def masked(shown: Scene, method: str, strength: masks.Strength, encoding: encode.Encoding) -> list[np.ndarray]:
    """Return the luma of a scene as delivered, a picture for every region."""
    grey = np.full((shown.luma.shape[0] // 2,) * 2, 128, np.uint8)
    frame = frames.Frame(0, 0.0, (shown.luma, grey, grey), False)
    pictures = [masks.mask(frame, region[None], method, strength) for region in shown.regions]
    return [planes[0] for planes in as_delivered(pictures, encoding)]


def restore(
    shown: Scene, pictures: Sequence[np.ndarray], method: str, strength: masks.Strength, noise: float
) -> np.ndarray:
    """Return the luma that is most probable, given the masked pictures and all that lies outside the regions.

    Every value seen in a region is a weighted sum of the luma below it, with weights that this code gives away. The
    luma below is taken for a Gaussian process about what its surroundings let expect; ``noise`` is the standard
    deviation of what rounding and the encoder add. The attacker knows ``shown.regions`` and the surroundings, not
    the rest of ``shown.luma``.
    """
    known, hidden = _surroundings(shown)
    down, across, values = (
        np.concatenate(parts)
        for parts in zip(
            *(
                _measure(picture, region, method, strength)
                for picture, region in zip(pictures, shown.regions, strict=True)
            ),
            strict=True,
        )
    )
    kept = np.random.default_rng(1).permutation(len(values))[:2500]
    down, across, values = down[kept], across[kept], values[kept]
    row, column = np.nonzero(hidden)
    weights = down[:, row] * across[:, column]
    surprise = values - np.einsum("ki,ij,kj->k", down, known, across, optimize=True)
    apart = np.hypot(row[:, None] - row, column[:, None] - column)
    alike = weights @ (_SPREAD**2 * np.exp(-apart / (_ALIKE * shown.regions[0, 2])))
    gain = scipy.linalg.solve(alike @ weights.T + noise**2 * np.eye(len(values)), surprise, assume_a="pos")
    known[hidden] += alike.T @ gain
    return np.asarray(known)


def _surroundings(shown: Scene) -> tuple[np.ndarray, np.ndarray]:
    """Return the luma filled in from what is never hidden, and which pixels are filled in."""
    hidden = np.all([_inside(region, shown.luma.shape[0], 1.0) for region in shown.regions], axis=0)
    known = cv2.inpaint(shown.luma, hidden.astype(np.uint8), 5, cv2.INPAINT_TELEA).astype(float)
    known[~hidden] = shown.luma[~hidden]
    return known, hidden


def _inside(region: np.ndarray, width: int, room: float) -> np.ndarray:
    """Return which pixels of a square picture lie under the ellipse of a region made larger by ``room`` pixels."""
    x, y = ((np.arange(width) + 0.5 - region[i] - region[2 + i] / 2) / (region[2 + i] / 2 + room) for i in (0, 1))
    return x**2 + y[:, None] ** 2 <= 1


def _measure(
    picture: np.ndarray, region: np.ndarray, method: str, strength: masks.Strength
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what a masked picture tells: values, shape (k,), and the weights of rows and columns, shape (k, width)."""
    width = picture.shape[0]
    seen = _inside(region, width, -2.0)
    windows, weights = [], []
    for i in (1, 0):
        axis = masks.axis(region[i], region[2 + i], max(region[2:]), width, slice(0, width), method, strength)
        bells = np.zeros((len(axis.bells), width))
        bells[:, axis.first : axis.first + axis.bells.shape[1]] = axis.bells
        if method == "pixelate":  # a value for each cell
            window = axis.drawn.T
        else:  # a smooth surface: its mean over each of eight by eight windows
            window = np.floor((np.arange(width) + 0.5 - region[i]) / region[2 + i] * 8) == np.arange(8)[:, None]
            window = window.astype(float)
        windows.append(window)
        weights.append(window / np.maximum(window.sum(axis=1, keepdims=True), 1) @ axis.drawn @ bells)
    count = windows[0] @ seen @ windows[1].T
    whole = windows[0].sum(axis=1)[:, None] * windows[1].sum(axis=1)
    row, column = np.nonzero((count >= (6 if method == "pixelate" else whole - 0.5)) & (whole > 0))
    values = (windows[0] @ (picture * seen) @ windows[1].T)[row, column] / count[row, column]
    return weights[0][row], weights[1][column], values


def likeness(shown: Scene, restored: np.ndarray) -> np.ndarray:
    """Return how much of a face's detail is restored, -1..1, for each of `CYCLES`.

    It is the correlation of face and restored face, both reduced to a band of about an octave. For what has nothing
    to do with the face it is not zero, since the surroundings of a face are known.
    """
    side, centre = max(shown.box[2:]), shown.box[:2] + shown.box[2:] / 2
    position = np.arange(shown.luma.shape[0]) + 0.5
    x, y = (np.exp(-0.5 * ((position - centre[i]) / (shown.box[2 + i] / 3)) ** 2) for i in (0, 1))
    window = y[:, None] * x
    result = []
    for cycles in CYCLES:
        deviation = side / cycles / (2 * np.pi)
        bands = []
        for luma in (shown.luma.astype(float), restored):
            band = cv2.GaussianBlur(luma, (0, 0), 0.8 * deviation) - cv2.GaussianBlur(luma, (0, 0), 1.4 * deviation)
            bands.append(band - (band * window).sum() / window.sum())
        first, second = bands
        energy = np.sqrt((first**2 * window).sum() * (second**2 * window).sum())
        result.append((first * second * window).sum() / energy)
    return np.array(result)


_axis = masks.axis


def plain_axis(
    start: float, length: float, longer: float, limit: int, where: slice, method: str, strength: masks.Strength
) -> masks.Axis:
    """Stand in for `masks.axis`: the same cells, but with plain means of what they cover instead of bells."""
    axis = _axis(start, length, longer, limit, where, method, strength)
    nearest = axis.drawn.argmax(axis=1)[axis.first - where.start :][: axis.bells.shape[1]]
    plain = (nearest == np.arange(len(axis.bells))[:, None]).astype(float)
    return axis._replace(bells=plain / np.maximum(plain.sum(axis=1, keepdims=True), 1))


def best_likeness(
    view: View, method: str, strength: masks.Strength, encoding: encode.Encoding, enlarge: float, count: int
) -> np.ndarray:
    """Return `likeness` of what `restore` makes of ``count`` pictures, the best over every noise reckoned with."""
    shown = scene(view, enlarge, count)
    if method == "block":
        return likeness(shown, _surroundings(shown)[0])
    pictures = masked(shown, method, strength, encoding)
    tried = [likeness(shown, restore(shown, pictures, method, strength, noise)) for noise in _NOISES]
    return np.max(tried, axis=0)


# --------------------------------------------------------------------------------------------------------- tables


def main() -> None:
    """Print what the four networks find under the masks, and what many pictures of a face give away."""
    settings = yaml.safe_load((_ROOT / "config/config.yaml").read_text(encoding="utf-8"))
    strength, encoding = masks.Strength(**settings["mask"]), encode.Encoding(**settings["encode"])
    enlarge = settings["faces"]["enlarge"]
    paths = fetch(_ROOT)
    watchers = Watchers(paths)
    chosen = list(views(_ROOT / "resources/demo", paths["yunet"], 8, enlarge))
    scores: dict[str, list[dict[str, float]]] = {}
    for view in chosen:
        for name, planes in under_attack(view, strength, encoding).items():
            picture = frames.to_bgr(view.frame._replace(planes=planes))
            scores.setdefault(name, []).append(watchers.look(picture, view.box))
    print(f"{len(chosen)} faces: found (score 0.5 or more), highest score")
    print(f"{'':24}" + "".join(f"{name:>16}" for name in NAMES) + "   two agree")
    for name, rows in scores.items():
        cells = [(sum(row[of] >= 0.5 for row in rows), max(row[of] for row in rows)) for of in NAMES]
        agreed = sum(sum(score >= 0.5 for score in row.values()) >= 2 for row in rows)
        print(f"{name:24}" + "".join(f"{found:10}{best:6.2f}" for found, best in cells) + f"{agreed:12}")
    print(f"\nlikeness of what 60 pictures give back, by cycles across the face ({', '.join(map(str, CYCLES))})")
    few = [view for view in chosen if view.frame.index % 48 == 0]
    for name, method, changed, axis in CASES:
        with patch.object(masks, "axis", axis):
            rows = [best_likeness(view, method, strength._replace(**changed), encoding, enlarge, 60) for view in few]
        print(f"{name:32}", *(f"{value:6.2f}" for value in np.mean(rows, axis=0)), flush=True)


#: What is compared: name, method, settings that differ from the default, how the cells are made.
CASES: list[tuple[str, str, dict[str, float], Callable[..., masks.Axis]]] = [
    ("pixelate, plain means", "pixelate", {}, plain_axis),
    ("pixelate", "pixelate", {}, masks.axis),
    ("pixelate, 5 cells (the most)", "pixelate", {"pixelate_cells": 5}, masks.axis),
    ("blur", "blur", {}, masks.axis),
    ("blur, 0.2 (the least)", "blur", {"blur_strength": 0.2}, masks.axis),
    ("nothing but the surroundings", "block", {}, masks.axis),
]


if __name__ == "__main__":
    main()
