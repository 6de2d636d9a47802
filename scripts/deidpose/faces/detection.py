"""Detect the faces in a video, and decide how thoroughly to search each frame.

A box is x, y, width, height in pixels of the upright picture, (x, y) its upper left corner.
"""

import math
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pandas as pd

from deidpose import tables
from deidpose.boxes import intersection_over_union
from deidpose.faces.yunet import SAME_FACE_IOU, YuNet, best_faces
from deidpose.runtime.threads import side_by_side, work_ahead
from deidpose.video.frames import Frame, Picture, chunks, crop, to_bgr

#: Below about 16 pixels it finds many more faces in an enlarged picture, and is surer of them; enlarged too far, it
#: takes texture for faces. A picture is enlarged up to this scale and this many pixels: in every frame ...
_ENLARGED = (2.0, 1.1e6)
#: ... and in the frames that are searched thoroughly. A larger picture is enlarged there in four overlapping parts,
#: each to the size of the whole, so that no network is larger than that of the whole picture.
_THOROUGHLY_ENLARGED = (3.0, 2.5e6)
_PART = 5 / 9
#: A face that is lost is looked for where it was, in a window of this many times its side, which is brought to this
#: size: there the network finds nine in ten of the faces of the corpus, large or small (docs/corpus.md).
_WINDOW_OVER_FACE = 5.0
_WINDOW_PX = 256
#: A face that is looked for is given up when it is not found in so many frames in a row.
_MOST_MISSES = 3
#: From one sight to the next, its size changes by less than this: a natural logarithm.
_LARGEST_GROWTH = 0.6
#: What only a thorough search has found is a face when it is found again in so many frames, and in half of those in
#: which it is looked for: an enlarged picture shows more that is no face, too.
_FEWEST_SIGHTS = 5
#: A stretch that is searched together has at most this many frames. Of four stretches, frames are in memory at once: of
#: two that are past, of one that is worked on, and of the one that is read.
_LONGEST_CHUNK = 30
#: Pixels around a place that its cubic interpolation reads.
_CUBIC_REACH_PX = 4
_NOTHING = np.empty((0, 5))


@dataclass
class _Lead:
    """A face that is looked for where it was last seen, in a picture turned as it was when it was found."""

    face: np.ndarray
    quarter_turns: int
    sights: list[tuple[int, np.ndarray]]  # frame and face; not yet believed
    n_looks: int = 0
    n_misses: int = 0  # in a row
    believed: bool = True


def detect_faces(
    frames: Iterable[Frame],
    model: str | Path,
    threshold: float,
    thorough_every: int,
    search_every: int = 1,
    threads: int = 1,
    precision: str = "f32",
    cuts: Collection[int] = (),
) -> pd.DataFrame:
    """Find the faces in every frame of a video.

    One frame in ``search_every`` is searched upright, as a whole. One in ``thorough_every`` is also searched enlarged,
    for faces of a dozen pixels, and turned by 90, 180 or 270 degrees in their turn, for people who lie on a couch. A
    face that was seen is looked for in the frames after, and before, in which no search of the whole picture has found
    it: where it was, enlarged and turned as the face is.

    Parameters
    ----------
    frames : iterable of Frame
        All of one size.
    model, precision
        See `YuNet`.
    threshold : float
        Lowest score, 0..1, that counts.
    thorough_every, search_every : int
        Frames between thorough searches, and between searches at all.
    threads : int
        Searches of the whole picture that run at the same time. The result does not depend on it.
    cuts : collection of int
        First frames of new shots: no face is looked for beyond one.

    Returns
    -------
    DataFrame
        The table ``detections``, by frame, best first.
    """
    found: dict[int, list[np.ndarray]] = {}
    leads: list[_Lead] = []
    thorough_every = max(1, min(thorough_every, _LONGEST_CHUNK))
    past: deque[Frame] = deque(maxlen=2 * thorough_every)
    networks: list[_Networks] = []  # of the size of the first frame

    def searches(planned: _Planned) -> list[Callable[[], np.ndarray]]:
        if not networks:
            height, width = planned.frame.planes[0].shape
            networks.append(_compile(model, height, width, threads, precision))
        return _searches(planned, networks[0], threshold)

    plan = _plan(frames, thorough_every, search_every, cuts)
    for planned, results in work_ahead(plan, searches, threads, thorough_every):
        frame, seen = planned.frame, results[0] if results else _NOTHING
        if planned.begins:
            leads = []
            past.clear()
        found[frame.index] = list(seen)
        _continue(leads, frame, found, networks[0].window, threshold)
        leads = _still_followed(leads)
        newcomers = [_Lead(face, 0, []) for face in seen]
        newcomers += _unproven(results, planned, seen)
        for lead in newcomers:
            if _is_new(lead.face, [other.face for other in leads]):
                _look_back(lead, frame.index, past, found, networks[0].window, threshold)
                leads.append(lead)
        past.append(frame)
    rows = [(index, *face) for index, faces in found.items() if faces for face in best_faces(np.array(faces))]
    return tables.check(pd.DataFrame(rows, columns=list(tables.TABLES["detections"])), "detections")


class _Networks(NamedTuple):
    upright: YuNet
    sideways: YuNet
    window: YuNet
    enlarged: YuNet | None = None


def _compile(model: str | Path, height: int, width: int, threads: int, precision: str) -> _Networks:
    # Networks that thorough searches alone need are run by one thread at a time, for the sake of memory.
    scale = _scale(height, width, *_ENLARGED)
    thorough = _scale(height, width, *_THOROUGHLY_ENLARGED)
    tasks = [
        partial(YuNet, model, height, width, threads, precision, scale),
        partial(YuNet, model, width, height, 1, precision, scale),
        partial(YuNet, model, _WINDOW_PX, _WINDOW_PX, 1, precision),
    ]
    if thorough >= 1 / _PART:
        tasks.append(partial(YuNet, model, height, width, 1, precision, thorough))
    with side_by_side(threads) as pool:
        return _Networks(*pool.together(tasks))


class _Planned(NamedTuple):
    """A frame and how it is searched: not at all, upright, or thoroughly too, the so manieth time."""

    frame: Frame
    begins: bool  # a shot
    is_searched: bool
    n_thorough: int  # 0 where it is not searched thoroughly


def _plan(frames: Iterable[Frame], thorough_every: int, search_every: int, cuts: Collection[int]) -> Iterator[_Planned]:
    """Yield every frame with how it is to be searched.

    Searches are spread evenly, the last frame of a shot and the first are among them, and so is a thorough one in each
    stretch of ``thorough_every`` frames, somewhere in its middle.
    """
    for number, chunk in enumerate(chunks(frames, thorough_every, cuts), 1):
        begins = number == 1 or chunk[0].index in cuts
        count = math.ceil(len(chunk) / search_every)
        searched = [math.ceil(part * len(chunk) / count) - 1 for part in range(1, count + 1)]
        thorough = searched[(count - 1) // 2]
        for position, frame in enumerate(chunk):
            first = begins and position == 0
            yield _Planned(frame, first, first or position in searched, number if position == thorough else 0)


def _searches(planned: _Planned, networks: _Networks, threshold: float) -> list[Callable[[], np.ndarray]]:
    """Return the searches of one frame, which do not depend on one another.

    None, or the upright one; and where the frame is searched thoroughly the turned one and those enlarged.
    """
    if not planned.is_searched:
        return []
    picture = Picture(planned.frame)
    upright = networks.upright
    if not planned.n_thorough:
        return [lambda: upright.detect(picture.bgr, threshold)]
    return [
        lambda: upright.detect(picture.bgr, threshold),
        lambda: _turned(picture.bgr, _turned_by(planned), networks, threshold),
        *_enlarged(picture, networks, threshold),
    ]


def _enlarged(picture: Picture, networks: _Networks, threshold: float) -> list[Callable[[], np.ndarray]]:
    """Return the searches of the picture enlarged: as a whole, or part by part."""
    if networks.enlarged is not None:
        whole = networks.enlarged
        return [lambda: whole.detect(picture.bgr, threshold)]
    height, width = networks.upright.size
    return [
        partial(_part, picture, left, top, networks.upright, threshold)
        for top in (0, height - round(height * _PART))
        for left in (0, width - round(width * _PART))
    ]


def _turned_by(planned: _Planned) -> int:
    return 1 + planned.n_thorough % 3


def _turned(picture: np.ndarray, turned_by: int, networks: _Networks, threshold: float) -> np.ndarray:
    """Return the faces found in the picture turned by quarters, in coordinates of the upright picture."""
    turned = np.ascontiguousarray(np.rot90(picture, turned_by))
    lying = (networks.upright if turned_by == 2 else networks.sideways).detect(turned, threshold)
    return _turned_back(lying, turned_by, picture.shape[:2])


def _part(picture: Picture, left: int, top: int, upright: YuNet, threshold: float) -> np.ndarray:
    """Return what is found in a part of the picture that is enlarged to the size of the whole."""
    height, width = upright.size
    rows, columns = round(height * _PART), round(width * _PART)
    part = picture.bgr[top : top + rows, left : left + columns]
    large = cv2.resize(part, (width, height), interpolation=cv2.INTER_CUBIC)
    faces = upright.detect(large, threshold, slice(0, 1))
    faces[:, :4] *= _PART
    faces[:, :2] += (left, top)
    return faces


def _unproven(results: Sequence[np.ndarray], planned: _Planned, known: np.ndarray) -> list[_Lead]:
    """Return what was found in the picture enlarged, and turned this or that way, and not among the known faces."""
    leads: list[_Lead] = []
    if planned.n_thorough:
        turned, enlarged = results[1], best_faces(np.concatenate(results[2:]))
        for quarter_turns, faces in ((0, enlarged), (_turned_by(planned), turned)):
            for face in faces:
                if _is_new(face, [*known, *(lead.face for lead in leads)]):
                    leads.append(_Lead(face, quarter_turns, [], believed=False))
    return leads


def _continue(
    leads: list[_Lead], frame: Frame, found: dict[int, list[np.ndarray]], window: YuNet, threshold: float
) -> None:
    """Find every lead in the next frame: among its faces, or where it was."""
    for lead in leads:
        again = _same(lead.face, found[frame.index])
        # Of a face that lies, the upright search finds at best something near it, and is unsure of it.
        if again is None or lead.quarter_turns:
            _try(lead, frame, found, window, threshold)
        if again is not None and (not lead.quarter_turns or lead.n_misses):
            lead.face, lead.n_misses = again, 0


def _still_followed(leads: list[_Lead]) -> list[_Lead]:
    """Return the leads that are not given up; of two that have come upon one face, the older one."""
    kept: list[_Lead] = []
    for lead in leads:
        if lead.n_misses <= _MOST_MISSES and _is_new(lead.face, [other.face for other in kept]):
            kept.append(lead)
    return kept


def _look_back(
    lead: _Lead,
    index: int,
    before: Sequence[Frame],
    found: dict[int, list[np.ndarray]],
    window: YuNet,
    threshold: float,
) -> None:
    """Follow a new lead back to where it came into view, or to where it was already known."""
    start = lead.face
    _note(lead, index, start, found)
    for frame in reversed(before):
        if _same(lead.face, found[frame.index]) is not None or lead.n_misses > _MOST_MISSES:
            break
        _try(lead, frame, found, window, threshold)
    lead.face, lead.n_misses = start, 0


def _try(lead: _Lead, frame: Frame, found: dict[int, list[np.ndarray]], window: YuNet, threshold: float) -> None:
    lead.n_looks += 1
    seen = _look(frame, lead.face, lead.quarter_turns, window, threshold)
    if seen is None:
        lead.n_misses += 1
    else:
        lead.face, lead.n_misses = seen, 0
        _note(lead, frame.index, seen, found)


def _note(lead: _Lead, index: int, face: np.ndarray, found: dict[int, list[np.ndarray]]) -> None:
    """Add a sight to what is found, at once or as soon as its lead is believed."""
    lead.sights.append((index, face))
    if not lead.believed:
        lead.believed = len(lead.sights) > max(_FEWEST_SIGHTS, lead.n_looks / 2)
    if lead.believed:
        for frame, sight in lead.sights:
            same = _same(sight, found[frame])
            if same is None or same[4] < sight[4]:
                found[frame].append(sight)
        lead.sights.clear()


def _scale(height: int, width: int, largest: float, pixels: float) -> float:
    """Return how much a picture is to be enlarged."""
    return max(1.0, min(largest, float(np.sqrt(pixels / (height * width)))))


def _same(face: np.ndarray, others: Sequence[np.ndarray]) -> np.ndarray | None:
    """Return that one of the others which is the same face, None where there is none."""
    if not len(others):
        return None
    overlap = intersection_over_union(face[None, :4], np.array(others)[:, :4])[0]
    return others[int(overlap.argmax())] if overlap.max() > SAME_FACE_IOU else None


def _is_new(face: np.ndarray, known: Sequence[np.ndarray]) -> bool:
    return _same(face, known) is None


def _look(frame: Frame, face: np.ndarray, quarter_turns: int, window: YuNet, threshold: float) -> np.ndarray | None:
    """Return the face in the window around where it was last seen; None where there is none."""
    side = float(face[2:4].max()) * _WINDOW_OVER_FACE
    corner = face[:2] + face[2:4] / 2 - side / 2
    # Only the part of the picture that the window shows is converted.
    part, origin = crop(frame, *(corner - _CUBIC_REACH_PX), *(corner + side + _CUBIC_REACH_PX))
    if not part.planes[0].size:
        return None
    scale = _WINDOW_PX / side
    shift = np.column_stack([np.eye(2) * scale, (origin - corner) * scale])
    shown = cv2.warpAffine(to_bgr(part), shift, (_WINDOW_PX, _WINDOW_PX), flags=cv2.INTER_CUBIC)
    seen = window.detect(np.ascontiguousarray(np.rot90(shown, quarter_turns)), threshold)
    if not len(seen):
        return None
    placed = _turned_back(seen, quarter_turns, (_WINDOW_PX, _WINDOW_PX))
    placed[:, :4] /= scale
    placed[:, :2] += corner
    # Of several, the one that is nearest to where the face was, and about as large.
    distance = np.hypot(*(placed[:, :2] + placed[:, 2:4] / 2 - face[:2] - face[2:4] / 2).T) / face[2:4].max()
    growth = np.abs(np.log(placed[:, 2:4].max(axis=1) / face[2:4].max()))
    nearest = int(np.argmin(distance + growth))
    return np.asarray(placed[nearest]) if distance[nearest] < 1 and growth[nearest] < _LARGEST_GROWTH else None


def _turned_back(faces: np.ndarray, quarter_turns: int, size: tuple[int, ...]) -> np.ndarray:
    """Return boxes of a picture as they lie in it from those in the picture that `numpy.rot90` has turned.

    ``size`` is the height and the width of the picture before it was turned.
    """
    height, width = size[:2]
    x, y, wide, high, score = faces.T
    turned = {
        0: (x, y, wide, high),
        1: (width - y - high, x, high, wide),
        2: (width - x - wide, height - y - high, wide, high),
        3: (y, height - x - wide, high, wide),
    }[quarter_turns]
    return np.stack([*turned, score], axis=1)
