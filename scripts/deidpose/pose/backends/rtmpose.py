"""RTMPose for several people, through OpenVINO: a detector of people, and a network that places 26 keypoints in a box.

Experimental: it was never run with the real weights; tests use small networks made for them.

The networks are OpenMMLab's as MMDeploy exports them: YOLOX (Ge et al. 2021, arXiv 2107.08430) and RTMPose (Jiang et
al. 2023, arXiv 2303.07399), trained for the 26 keypoints of Halpe Full-Body, which hold all of BODY_25. The arithmetic
around them is that of MMPose's configuration ``rtmpose-m_8xb512-700e_body8-halpe26-256x192``.

The detector takes far longer than the other network. So the video is read in short chunks: everybody is looked for
where they were in the frame before, the last frame of a chunk is searched for others, and those are followed back to
where they came into view. Who is who is decided afterwards, from all sights (`appearance_matching`).
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from deidpose.digests import file_sha256
from deidpose.errors import UserError
from deidpose.pose import layouts
from deidpose.pose.backends import protocol
from deidpose.pose.people import appearance
from deidpose.runtime import inference
from deidpose.runtime.threads import SideBySide, read_ahead, side_by_side
from deidpose.video.frames import Frame, Picture, chunks, converted

#: Where two people meet, this backend may go on with either: their tracks are made from all that it has seen.
TRACKS = False
LICENCE = "Apache-2.0"
#: Halpe has a neck and a middle of the hips of its own.
MIDPOINTS: tuple[tuple[str, str, str], ...] = ()

_LAYOUT = "HALPE-26"
#: Height and width of what the networks take, where their files leave it open.
_DETECTOR_SIZE, _LANDMARK_SIZE = (640, 640), (256, 192)
#: Grey with which YOLOX's input is filled up to its size.
_FILLING = 114
#: A box below this score shows nobody (rtmlib 0.0.16 has the same limit).
_DETECTOR_SCORE = 0.3
#: Mean and deviation of red, green and blue in RTMPose's training.
_MEAN = np.array([123.675, 116.28, 103.53], np.float32)
_DEVIATION = np.array([58.395, 57.12, 57.375], np.float32)
#: RTMPose sees a box with so much around it: its width or height times this.
_PADDING = 1.25
#: The box in which somebody is looked for next is that of their keypoints times this (as in rtmlib 0.0.16), ...
_MARGIN = 1.25
#: ... of those with at least this confidence, and of so many at least.
_SURE, _FEWEST_SURE = 0.3, 3
#: Somebody is there when the better half of their keypoints has this confidence on average (``min_presence``): the
#: network tells nothing else of it, and of whom a table or the picture's edge hides, half a body is seen.
_BETTER_HALF = len(layouts.LAYOUTS[_LAYOUT]) // 2
#: Two bodies of a frame are one when their keypoints lie closer than this share of the larger one's box (median).
_SAME_PERSON = 0.08
#: At most this many frames are held in memory at once.
_LONGEST_CHUNK = 30


class _Body(NamedTuple):
    """One person in one frame."""

    points: NDArray[np.float64]  # shape (26, 3), x and y in pixels and confidence 0..1, in the order of Halpe
    sight: protocol.Sight


class _Networks(NamedTuple):
    detector: inference.Network
    detector_size: tuple[int, int]
    landmarks: inference.Network
    landmark_size: tuple[int, int]
    min_presence: float
    pool: SideBySide


def people(
    frames: Iterable[Frame],
    frame_rate: float,
    models: Mapping[str, str | Path],
    settings: Mapping[str, Any],
    threads: int = 1,
    cuts: Collection[int] = (),
) -> Iterator[protocol.Sight]:
    """Yield everyone in a video, BODY_25 with all its toes, as `protocol.Backend` has it.

    Parameters
    ----------
    frames, frame_rate, threads, cuts
        As `pose.estimate.estimate_frames` has them.
    models : mapping
        Paths of ``rtmpose_detector`` and ``rtmpose_landmarks``.
    settings : mapping
        ``pose`` of the configuration: max_people, search_interval_s, min_presence, precision.

    Raises
    ------
    UserError
        A network gives something else than these networks do.
    """
    length = max(1, min(_LONGEST_CHUNK, round(settings["search_interval_s"] * frame_rate)))
    with side_by_side(threads) as pool:
        networks = _compile(models, settings, threads, pool)
        read = read_ahead(map(converted, frames), threads, length)
        yield from _people(chunks(read, length, cuts), networks, settings["max_people"], cuts)


def _people(
    parts: Iterable[list[Picture]], networks: _Networks, max_people: int, cuts: Collection[int]
) -> Iterator[protocol.Sight]:
    before: list[_Body] = []
    for chunk in parts:
        pictures, indices = [picture.bgr for picture in chunk], [picture.index for picture in chunk]
        found: list[list[_Body]] = []
        begins = indices[0] == 0 or indices[0] in cuts
        for position, (index, picture) in enumerate(zip(indices, pictures, strict=True)):
            if begins and position == 0:
                before = _search(picture, index, [], networks, max_people)
            else:
                before = _follow(picture, index, before, [], networks)
            found.append(before)
        if len(chunk) > 1 or not begins:
            newcomers = _search(pictures[-1], indices[-1], found[-1], networks, max_people)
            found[-1] = before = found[-1] + newcomers
            for position in range(len(chunk) - 2, -1, -1):
                newcomers = _follow(pictures[position], indices[position], newcomers, found[position], networks)
                found[position] = found[position] + newcomers
        yield from (body.sight for bodies in found for body in bodies)


def origin(models: Mapping[str, str | Path], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the version of the runtime and the digests of the networks."""
    names = ("rtmpose_detector", "rtmpose_landmarks")
    return {
        "version": f"OpenVINO {version('openvino')}",
        "models": {name: file_sha256(models[name]) for name in names},
    }


def _compile(
    models: Mapping[str, str | Path], settings: Mapping[str, Any], threads: int, pool: SideBySide
) -> _Networks:
    compiled: list[tuple[inference.Network, tuple[int, int]]] = []
    for name, default in (("rtmpose_detector", _DETECTOR_SIZE), ("rtmpose_landmarks", _LANDMARK_SIZE)):
        height, width = (
            own if own > 0 else other
            for own, other in zip(inference.input_shape(models[name])[2:], default, strict=True)
        )
        network = inference.compile_network(models[name], (1, 3, height, width), threads, settings["precision"])
        compiled.append((network, (height, width)))
    return _Networks(*compiled[0], *compiled[1], settings["min_presence"], pool)


# ------------------------------------------------------------------------------------------------ following people


def _search(
    picture: NDArray[np.uint8], index: int, known: Sequence[_Body], networks: _Networks, max_people: int
) -> list[_Body]:
    """Return the people in a picture who are not known there yet."""
    newcomers: list[_Body] = []
    for box in _detect(picture, networks.detector, networks.detector_size):
        if len(known) + len(newcomers) >= max_people:
            break
        # The second look has the box that the keypoints give, as every later one.
        body = _look(picture, index, box, networks)
        again = body and _box(body)
        body = _look(picture, index, again, networks) if again is not None else None
        if body is not None and not any(_is_same(body, other) for other in (*known, *newcomers)):
            newcomers.append(body)
    return newcomers


def _follow(
    picture: NDArray[np.uint8], index: int, bodies: Iterable[_Body], known: Sequence[_Body], networks: _Networks
) -> list[_Body]:
    """Return where those from a neighbouring frame are in a picture, without whom is known there already."""
    found: list[_Body] = []
    boxes = [box for box in map(_box, bodies) if box is not None]
    for body in networks.pool.together([partial(_look, picture, index, box, networks) for box in boxes]):
        if body is not None and not any(_is_same(body, there) for there in (*known, *found)):
            found.append(body)
    return found


def _box(body: _Body) -> NDArray[np.float64] | None:
    """Return the box in which to look for somebody next, as `_detect` returns them; None where too little is sure."""
    sure = body.points[body.points[:, 2] >= _SURE, :2]
    if len(sure) < _FEWEST_SURE:
        return None
    low, high = sure.min(axis=0), sure.max(axis=0)
    sides = (high - low) * _MARGIN
    return np.concatenate([(low + high - sides) / 2, sides])


def _is_same(first: _Body, second: _Body) -> bool:
    """Return whether two bodies of one frame are one."""
    seen = (first.points[:, 2] >= _SURE) & (second.points[:, 2] >= _SURE)
    if not seen.any():
        return False
    here, there = first.points[seen, :2], second.points[seen, :2]
    extent = max(float(np.ptp(points, axis=0).max()) for points in (here, there))
    return float(np.median(np.hypot(*(here - there).T))) <= _SAME_PERSON * extent


# --------------------------------------------------------------------------------------------------------- networks


def _detect(picture: NDArray[np.uint8], detector: inference.Network, size: tuple[int, int]) -> NDArray[np.float64]:
    """Return the boxes of people, best first: left, top, width and height in pixels, shape (n, 4).

    Raises
    ------
    UserError
        The network gives no boxes with their scores.
    """
    small, scale = _letterbox(picture, size)
    outputs = detector(np.ascontiguousarray(small.transpose(2, 0, 1)[None], dtype=np.float32))
    found = next((output for output in outputs if output.ndim == 3 and output.shape[2] == 5), None)
    if found is None:
        raise UserError(
            "The network rtmpose_detector gives no boxes with scores; one is needed that MMDeploy has exported with "
            "its non-maximum suppression."
        )
    rows = found[0].astype(float)
    kept = rows[:, 4] >= _DETECTOR_SCORE
    # Where it knows several classes, the first is that of people.
    labels = next((output for output in outputs if output.ndim == 2), None)
    if labels is not None:
        kept &= labels[0] == 0
    rows = rows[kept]
    rows = rows[np.argsort(-rows[:, 4], kind="stable")]
    return np.concatenate([rows[:, :2], rows[:, 2:4] - rows[:, :2]], axis=1) / scale


def _letterbox(picture: NDArray[np.uint8], size: tuple[int, int]) -> tuple[NDArray[np.uint8], float]:
    """Return a picture scaled into the upper left of a grey one of that height and width, and its scale."""
    height, width = picture.shape[:2]
    scale = min(size[0] / height, size[1] / width)
    shape = (max(1, int(width * scale)), max(1, int(height * scale)))
    small = np.full((*size, 3), _FILLING, np.uint8)
    small[: shape[1], : shape[0]] = cv2.resize(picture, shape, interpolation=cv2.INTER_LINEAR)
    return small, scale


def _look(picture: NDArray[np.uint8], index: int, box: NDArray[np.float64], networks: _Networks) -> _Body | None:
    """Run the landmark network on a box; return None where it sees no person.

    Raises
    ------
    UserError
        The network has other keypoints than Halpe's 26.
    """
    height, width = networks.landmark_size
    centre = box[:2] + box[2:] / 2
    # Pixels of the picture in one of the crop, the same along both axes.
    scale = float(max(box[2] / width, box[3] / height)) * _PADDING
    if not (1 <= scale * height <= 8 * max(picture.shape[:2])):
        return None
    shift = centre - scale * np.array([width, height]) / 2
    to_picture = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    crop = cv2.warpAffine(picture, to_picture, (width, height), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    rgb = (cv2.cvtColor(crop, cv2.COLOR_BGR2RGB).astype(np.float32) - _MEAN) / _DEVIATION
    outputs = networks.landmarks(np.ascontiguousarray(rgb.transpose(2, 0, 1)[None]))
    if len(outputs) != 2 or any(output.shape[:2] != (1, len(layouts.LAYOUTS[_LAYOUT])) for output in outputs):
        raise UserError(
            "The network rtmpose_landmarks does not give the 26 keypoints of Halpe along x and y; one of RTMPose's "
            "that was trained for them is needed (halpe26)."
        )
    points = decode(outputs[0][0], outputs[1][0], (width, height))
    if np.sort(points[:, 2])[-_BETTER_HALF:].mean() < networks.min_presence:
        return None
    points[:, :2] = points[:, :2] * scale + shift
    keypoints = layouts.to_body_25(points[None], _LAYOUT)[0]
    return _Body(points, protocol.Sight(index, keypoints, appearance.colours(picture, keypoints[:, :2])))


def decode(along_x: NDArray[np.float32], along_y: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float64]:
    """Return the keypoints encoded in RTMPose's two classifications of bins (SimCC, Li et al. 2022, arXiv 2107.03332).

    MMPose takes the highest bin, of which there are two a pixel. Here the position is that of the vertex of the
    parabola through it and its neighbours, at most half a bin away: steps of a bin would be seen in velocities. The
    confidence is the lesser of the two heights, as in MMPose. In training, the bins have the values of a Gaussian of
    height 1; what a network gives beyond that is cut off.

    Parameters
    ----------
    along_x, along_y : array, shape (n, bins)
        The network's outputs, for n keypoints.
    size : tuple of int
        Width and height of the network's input in pixels, from which the bins of a pixel are known.

    Returns
    -------
    array, shape (n, 3)
        x and y in pixels of the network's input, the centre of the first pixel at 0, and confidence 0..1.
    """
    x, height_x = _peaks(along_x)
    y, height_y = _peaks(along_y)
    confidence = np.clip(np.minimum(height_x, height_y), 0, 1)
    return np.column_stack([x * size[0] / along_x.shape[1], y * size[1] / along_y.shape[1], confidence])


def _peaks(rows: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return where each row is highest, in fractions of a bin, and how high its highest bin is; both of shape (n,)."""
    values = rows.astype(float)
    top = values.argmax(axis=1)
    number = np.arange(len(values))
    inner = np.clip(top, 1, values.shape[1] - 2)
    before, at, after = (values[number, inner + step] for step in (-1, 0, 1))
    curvature = before - 2 * at + after
    # At either end of the row there is no neighbour; a plateau has no vertex.
    curved = (inner == top) & (curvature < 0)
    offset = np.where(curved, (before - after) / np.where(curved, 2 * curvature, 1.0), 0.0)
    return top + np.clip(offset, -0.5, 0.5), values[number, top]
