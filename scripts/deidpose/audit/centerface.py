"""CenterFace, a face detector that takes no part in masking: the audit searches originals and masked videos with it.

Every frame is searched at one base size. At an interval a frame is searched thoroughly: larger, smaller, and turned by
quarters of a circle. Where that finds what the base size missed, the frames around it are searched in the same way.
"""

import math
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import pandas as pd

from deidpose import tables
from deidpose.boxes import covered_share, intersection_over_union, non_maximum_suppression
from deidpose.runtime import inference
from deidpose.runtime.threads import work_ahead
from deidpose.video.frames import Frame, Picture, to_bgr

#: Of each detection the output has a cell for four by four pixels (Xu et al. 2019, arXiv 1911.03599).
_STRIDE = 4
#: The network halves its picture five times and needs whole numbers there.
_MULTIPLE_PX = 32
_SAME_FACE_IOU = 0.3
#: A box that lies inside another by more than this share of itself is no second face.
_SAME_FACE_SHARE = 0.7
#: A face with this score, though in a single frame and at a single size only, is no accident.
SURE_SCORE = 0.8
#: Around a find the same look is repeated in a window of at least so many pixels of the network's own picture a side,
#: and of so many sides of the box: within half an interval people move by less.
_LEAST_WINDOW_PX = 256
_WINDOW_OVER_FACE = 5.0
#: Frames that are held for each thread while others are searched thoroughly.
_AHEAD = 4
#: A second find confirms a first one that is not farther away than so many sides of its box.
_NEAR = 2.0


class Look(NamedTuple):
    """One way to look at a picture: its size over the base size, and quarters of a circle that it is turned by."""

    scale: float
    quarter_turns: int


#: Smaller finds faces that fill the picture; larger finds small ones; turned finds people who lie or hang, and
#: recordings whose display matrix is wrong. Turned pictures are a little larger than the base, because nobody
#: looks at them at any other size: at 960 pixels as many faces of the demo clips are found as at 1536, at 768 two
#: thirds of them.
_THOROUGH = (Look(2.0, 0), Look(0.5, 0), Look(1.25, 1), Look(1.25, 2), Look(1.25, 3))


class _Find(NamedTuple):
    """Something that only a thorough look saw: by which, and where (x, y, width, height, score)."""

    look: Look
    face: np.ndarray


class CenterFace:
    """The detector at any size; its network is compiled for each shape of picture when that shape first comes.

    Parameters
    ----------
    model : path
        ``centerface.onnx``.
    threads : int
    large_px : float
        Pictures with a longer side, as the network sees them, are searched by one thread at a time: each thread more
        would take hundreds of megabytes.
    """

    def __init__(self, model: str | Path, threads: int = 1, large_px: float = math.inf) -> None:
        self.model, self.threads, self.large_px = model, threads, large_px
        self.networks: dict[tuple[int, int], inference.Network] = {}
        self._compiling: dict[tuple[int, int], threading.Lock] = {}

    def detect(self, picture: np.ndarray, threshold: float, scale: float = 1.0, quarter_turns: int = 0) -> np.ndarray:
        """Find the faces of a picture.

        Parameters
        ----------
        picture : array, shape (height, width, 3), uint8, blue-green-red
        threshold : float
            Lowest score, 0..1, that counts.
        scale : float
            What the picture is resized by first.
        quarter_turns : int
            How often it is then turned by 90 degrees, counter-clockwise.

        Returns
        -------
        array, shape (n, 5)
            x, y, width, height in pixels of ``picture``, and score, best first.
        """
        size = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
        enlarged = size[0] > picture.shape[1]
        resized = cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR if enlarged else cv2.INTER_AREA)
        turned = np.rot90(resized, quarter_turns)
        shape = (_up(turned.shape[0]), _up(turned.shape[1]))
        padded = np.zeros((*shape, 3), np.uint8)
        padded[: turned.shape[0], : turned.shape[1]] = turned
        with self._compiling.setdefault(shape, threading.Lock()):
            if shape not in self.networks:
                n_threads = 1 if max(shape) > self.large_px else self.threads
                self.networks[shape] = inference.compile_network(self.model, (1, 3, *shape), n_threads, pictures=True)
        found = _decode(self.networks[shape](cv2.cvtColor(padded, cv2.COLOR_BGR2RGB)[None]), threshold)
        found[:, :4] = turn_back(found[:, :4], size, quarter_turns) / scale
        return found


def turn_back(boxes: np.ndarray, size: tuple[int, int], quarter_turns: int) -> np.ndarray:
    """Return where boxes of a turned picture lie in the picture as it was.

    Parameters
    ----------
    boxes : array, shape (n, 4)
        x, y, width, height in pixels of the turned picture.
    size : tuple of int
        Width and height of the picture before it was turned.
    quarter_turns : int
        How often it was turned by 90 degrees, counter-clockwise.
    """
    x, y, width, height = boxes.T
    match quarter_turns % 4:
        case 1:
            boxes = np.stack([size[0] - y - height, x, height, width], axis=1)
        case 2:
            boxes = np.stack([size[0] - x - width, size[1] - y - height, width, height], axis=1)
        case 3:
            boxes = np.stack([y, size[1] - x - width, height, width], axis=1)
    return boxes


def search(
    read: Callable[[], Iterable[Frame]], model: str | Path, settings: Mapping[str, Any], threads: int = 1
) -> pd.DataFrame:
    """Search every frame of a video for faces.

    Parameters
    ----------
    read : callable
        Returns the frames of the video from its first on; called once or twice.
    model : path
        ``centerface.onnx``.
    settings : mapping
        ``audit`` of the configuration: score_threshold, max_side_px, thorough_interval_s.
    threads : int

    Returns
    -------
    DataFrame
        The table ``detections``, by frame, best first. What only a thorough look saw, with a score below
        `SURE_SCORE`, is in it when it was found again in a frame around it: textures that look like a face do so in
        single frames.
    """
    detector = CenterFace(model, threads, _up(settings["max_side_px"]))
    threshold = settings["score_threshold"]
    faces: dict[int, np.ndarray] = {}
    finds: dict[int, list[_Find]] = {}

    def searches(planned: tuple[Frame, bool]) -> list[Callable[[], np.ndarray]]:
        frame, is_thorough = planned
        picture = Picture(frame)
        scale = min(1.0, settings["max_side_px"] / max(frame.planes[0].shape))
        looks = [Look(1.0, 0), *(_THOROUGH if is_thorough else ())]
        return [partial(_searched, detector, picture, threshold, scale, look) for look in looks]

    plan = _first_of_intervals(read(), settings["thorough_interval_s"])
    for (frame, is_thorough), (known, *results) in work_ahead(plan, searches, threads, _AHEAD * threads):
        faces[frame.index] = known
        if is_thorough:
            finds[frame.index] = []
            for look, seen in zip(_THOROUGH, results, strict=True):
                new = seen[_unknown(seen, known)]
                known = np.concatenate([known, new])
                finds[frame.index] += [_Find(look, face) for face in new]
    starts = list(finds)
    around = dict(zip(starts, map(range, [0, *starts], [*(s + 1 for s in starts[1:]), len(faces)]), strict=False))
    wanted: dict[int, list[_Find]] = {}
    for start in starts:
        for index in around[start]:
            if index not in finds and finds[start]:
                wanted.setdefault(index, []).extend(finds[start])

    def searches_again(frame: Frame) -> list[Callable[[], np.ndarray]]:
        return [partial(_look_again, detector, frame, wanted[frame.index], settings)]

    plan_again = (frame for frame in (read() if wanted else ()) if frame.index in wanted)
    for frame, (seen,) in work_ahead(islice(plan_again, len(wanted)), searches_again, threads, _AHEAD * threads):
        faces[frame.index] = np.concatenate([faces[frame.index], seen])
    thorough = {start: np.array([find.face for find in finds[start]]).reshape(-1, 5) for start in starts}
    for start, seen in thorough.items():
        others = [index for index in around[start] if index != start]
        near = np.concatenate([seen[:0], *(faces[i] for i in others), *(thorough[i] for i in others if i in thorough)])
        certain = (seen[:, 4] >= SURE_SCORE) | _is_near(seen, near) | (not others)
        faces[start] = np.concatenate([faces[start], seen[certain]])
    rows = [
        (index, *face)
        for index, found in sorted(faces.items())
        for face in found[non_maximum_suppression(found[:, :4], found[:, 4], _SAME_FACE_IOU)]
    ]
    return tables.check(pd.DataFrame(rows, columns=list(tables.TABLES["detections"])), "detections")


def _searched(detector: CenterFace, picture: Picture, threshold: float, base: float, look: Look) -> np.ndarray:
    return detector.detect(picture.bgr, threshold, base * look.scale, look.quarter_turns)


def _first_of_intervals(frames: Iterable[Frame], interval_s: float) -> Iterator[tuple[Frame, bool]]:
    """Yield every frame, and whether it is the first of its interval."""
    interval = None
    for frame in frames:
        before, interval = interval, _interval(frame, interval_s)
        yield frame, interval != before


def _interval(frame: Frame, interval_s: float) -> int:
    """Return the number of the interval that a frame is in; every frame is one when the interval is 0."""
    return int(frame.time_s / interval_s) if interval_s else frame.index


def _unknown(seen: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Return which boxes are of faces that are not among the known ones, shape (n,)."""
    same = intersection_over_union(seen[:, :4], known[:, :4]) > _SAME_FACE_IOU
    same |= covered_share(seen[:, :4], known[:, :4]) > _SAME_FACE_SHARE
    return np.asarray(~same.any(axis=1))


def _look_again(detector: CenterFace, frame: Frame, finds: Iterable[_Find], settings: Mapping[str, Any]) -> np.ndarray:
    """Repeat the looks that found something in a frame nearby, each in a window around its find, shape (n, 5)."""
    picture = to_bgr(frame)
    size = (picture.shape[1], picture.shape[0])
    base = min(1.0, settings["max_side_px"] / max(size))
    windows: dict[Look, list[np.ndarray]] = {}
    for find in finds:
        scale = base * find.look.scale
        others = windows.setdefault(find.look, [])
        centre = find.face[:2] + find.face[2:4] / 2
        if not any((np.abs(centre - other[:2] - other[2:] / 2) <= other[2:] / 4).all() for other in others):
            others.append(_window(find.face, scale, size))
    found = [np.empty((0, 5))]
    for look, places in windows.items():
        if sum(place[2] * place[3] for place in places) >= size[0] * size[1]:
            places = [np.array([0, 0, *size])]
        for left, top, width, height in places:
            part = picture[top : top + height, left : left + width]
            seen = detector.detect(part, settings["score_threshold"], base * look.scale, look.quarter_turns)
            seen[:, :2] += left, top
            found.append(seen[_whole(seen, np.array([left, top, width, height]), size)])
    return np.concatenate(found)


def _window(face: np.ndarray, scale: float, size: tuple[int, int]) -> np.ndarray:
    """Return x, y, width, height, whole pixels within the picture, of the square around a face to look at again."""
    # In steps, so that there are few shapes to compile the network for.
    steps = np.ceil(max(face[2:4]) * scale * _WINDOW_OVER_FACE / _LEAST_WINDOW_PX)
    sides = np.minimum(np.ceil(max(1.0, steps) * _LEAST_WINDOW_PX / scale), size)
    corner = np.clip(face[:2] + face[2:4] / 2 - sides / 2, 0, size - sides)
    return np.concatenate([corner, sides]).astype(int)


def _whole(found: np.ndarray, window: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return which boxes are not cut by an edge of a window that is no edge of the picture, shape (n,)."""
    low, high = found[:, :2], found[:, :2] + found[:, 2:4]
    first, last = window[:2], window[:2] + window[2:]
    return np.asarray((((low > first) | (first <= 0)) & ((high < last) | (last >= size))).all(axis=1))


def _is_near(faces: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return which faces have another one at about the same place, shape (n,)."""
    centres, theirs = (boxes[:, :2] + boxes[:, 2:4] / 2 for boxes in (faces, others))
    distance = np.abs(centres[:, None] - theirs[None]).max(axis=2)
    return np.asarray((distance <= _NEAR * faces[:, 2:4].max(axis=1, keepdims=True)).any(axis=1))


def _decode(outputs: list[np.ndarray], threshold: float) -> np.ndarray:
    """Turn heat map, sizes and offsets into boxes, shape (n, 5): x, y, width, height, score."""
    heat, size, offset = outputs[0][0, 0], outputs[1][0], outputs[2][0]
    row, column = np.nonzero(heat >= threshold)
    height, width = (np.exp(size[axis, row, column]) * _STRIDE for axis in (0, 1))
    centre_y = (row + offset[0, row, column] + 0.5) * _STRIDE
    centre_x = (column + offset[1, row, column] + 0.5) * _STRIDE
    faces = np.stack(
        [centre_x - width / 2, centre_y - height / 2, width, height, heat[row, column]], axis=1, dtype=float
    )
    return np.asarray(faces[non_maximum_suppression(faces[:, :4], faces[:, 4], _SAME_FACE_IOU)])


def _up(side: int) -> int:
    return -(-side // _MULTIPLE_PX) * _MULTIPLE_PX
