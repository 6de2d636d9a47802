"""BlazePose for several people, through OpenVINO.

The networks and the arithmetic around them are MediaPipe's (Bazarevsky et al. 2020, arXiv 2006.10204, and the
public graph configurations). MediaPipe follows one person forward in time; here everybody is followed, forward
and backward: the video is read in short chunks, known people are followed through a chunk, its last frame is
searched for new ones, and those are followed back to where they came into view. Every second of the small tiles has its
turn in each search, so newcomers are followed back through two chunks. Who is who is decided afterwards, from
all sights (`tracking`, `appearance_matching`).
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from deidpose import skeleton
from deidpose.boxes import non_maximum_suppression
from deidpose.digests import file_sha256
from deidpose.pose.backends import protocol
from deidpose.pose.backends.blazepose_networks import choose_networks
from deidpose.pose.people import appearance
from deidpose.runtime import inference
from deidpose.runtime.threads import SideBySide, read_ahead, side_by_side
from deidpose.video.frames import Frame, Picture, chunks, converted

#: Every sight has the number of the person whom it was followed from.
TRACKS = True
LICENCE = "Apache-2.0"
MIDPOINTS = skeleton.MIDPOINTS

_DETECTOR_SIDE = 224
_LANDMARK_SIDE = 256
_DETECTOR_SCORE = 0.5
_DETECTOR_IOU = 0.3
#: Side of a person's region over the distance from hip centre to the point that spans the body: 2 x 1.25.
_REGION_SCALE = 2.5
#: Landmarks 33 and 34 are the hip centre and the point that spans the body.
_HIP_CENTRE, _BODY_POINT = 33, 34
#: Two skeletons are one person when their keypoints lie closer than this share of the region's side (median).
_SAME_PERSON = 0.06
#: ... or when their hips, and the sizes of their regions, nearly coincide: the second is the first, misread.
_SAME_HIPS = 0.08
_SAME_SIZE = 0.6
#: A person whom the network loses (behind an occluder, bent double) is looked for in the same place for this long.
_PATIENCE_S = 0.5
#: ... unless they were seen in so few frames that the network may have been wrong.
_FEWEST_FOR_PATIENCE = 5
#: A person who is lost keeps their identity for this long, if found again near where they were lost.
_REMEMBERED_S = 1.0
#: BlazePose landmarks with left and right exchanged: the network may take a back for a front.
_MIRRORED = (0, 4, 5, 6, 1, 2, 3, 8, 7, 10, 9, *(i + 1 if i % 2 else i - 1 for i in range(11, 33)))
#: A chunk has at most this many frames. Of three chunks, frames are in memory at once: of the one before, of the one
#: that is worked on, and of the one that is read.
_LONGEST_CHUNK = 30


class Region(NamedTuple):
    """A square in the picture, turned so that the person stands upright in it: pixels and radians."""

    x: float
    y: float
    side: float
    angle: float


class Sight(NamedTuple):
    """One person in one frame: landmarks of shape (39, 3), x and y in pixels, confidence 0..1; colours worn."""

    region: Region
    landmarks: np.ndarray
    colours: np.ndarray


@dataclass
class _Person:
    sights: dict[int, Sight]  # those that may still matter: `_settled` takes the others away
    last: int  # the latest frame among them; looking for it would cost more with every frame
    n_settled: int = 0  # sights that have been taken away


class _Tiles(Enum):
    """Parts of the picture that are searched for people: the large ones, and the two halves of the small ones.

    The small tiles overlap by half, and a half is every second one of them, as the fields of one colour on a
    chessboard: it covers the picture but for some corners.
    """

    LARGE = "large"
    WHITE = "white"
    BLACK = "black"


@dataclass
class _Shot:
    people: list[_Person]
    before: list[Picture]  # the chunk that has been searched last
    turn: _Tiles = _Tiles.WHITE  # which half of the small tiles is searched next


class _Networks(NamedTuple):
    detector: inference.Network
    landmarks: inference.Network
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
    """Yield everyone in a video, BODY_25 and the knuckles of the index fingers, as `protocol.Backend` has it.

    Parameters
    ----------
    frames, frame_rate, threads, cuts
        As `pose.estimate.estimate_frames` has them.
    models : mapping
        Paths of ``blazepose_detector`` and ``blazepose_landmarks``.
    settings : mapping
        ``pose`` of the configuration: max_people, search_interval_s, min_presence, precision.
    """
    searches_all = settings["search_interval_s"] == 0
    length = max(1, min(_LONGEST_CHUNK, round(settings["search_interval_s"] * frame_rate)))
    n_remembered = max(1, round(_REMEMBERED_S * frame_rate))
    n_patient = max(1, round(_PATIENCE_S * frame_rate))
    compiled = partial(inference.compile_network, shape=None, threads=threads, precision=settings["precision"])
    read = read_ahead(map(converted, frames), threads, length)
    shot = _Shot([], [])
    n_people = 0  # in the shots before this one
    with side_by_side(threads) as pool:
        # Landmarks and presence; the segmentation mask and the heat maps cost a third of the time.
        of_landmarks = partial(compiled, models["blazepose_landmarks"], outputs=(0, 1))
        detector, landmarks = pool.together([partial(compiled, models["blazepose_detector"]), of_landmarks])
        networks = _Networks(detector, landmarks, settings["min_presence"], pool)

        def search(pictures: list[Picture], detected: Callable[[], list[Region]]) -> None:
            _search(pictures, shot.people, detected, networks, settings["max_people"], n_remembered)

        def end() -> Iterator[protocol.Sight]:
            """Search the last picture in those tiles too whose turn it was not, and yield all that is left."""
            if shot.before and not searches_all:
                search(shot.before, _begin_detecting(shot.before[-1], networks, {shot.turn}))
            yield from _settled(shot.people, n_people, None)

        for chunk in chunks(read, length, cuts):
            if not shot.before or chunk[0].index in cuts:
                yield from end()
                n_people += len(shot.people)
                shot = _Shot([], [])
                search(chunk[:1], _begin_detecting(chunk[0], networks, {*_Tiles}))
            # Other threads search the last picture while this one follows people up to there.
            which = {*_Tiles} if searches_all else {_Tiles.LARGE, shot.turn}
            detected = _begin_detecting(chunk[-1], networks, which)
            for picture in chunk:
                _follow(picture, shot.people, networks, n_patient)
            search(shot.before + chunk, detected)
            shot.turn = _Tiles.BLACK if shot.turn is _Tiles.WHITE else _Tiles.WHITE
            shot.before = chunk
            for picture in chunk:
                picture.forget()
            yield from _settled(shot.people, n_people, chunk[0].index)
        yield from end()


def _settled(people: list[_Person], first_track: int, until: int | None) -> Iterator[protocol.Sight]:
    """Yield, and take away, the sights before a frame, or all of them: no search reaches back to them any more.

    Of those before a frame the latest sight of a person stays, since they may be found again near it.
    """
    for track, person in enumerate(people, first_track):
        known = [index for index in person.sights if until is None or (index < until and index != person.last)]
        for index in known:
            sight = person.sights.pop(index)
            keypoints = to_body_25(sight.landmarks)
            yield protocol.Sight(index, keypoints, sight.colours, track, _next_region(sight).side)
        person.n_settled += len(known)


def origin(models: Mapping[str, str | Path], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the version of the runtime and the digests of the networks."""
    return {
        "version": f"OpenVINO {version('openvino')}",
        "models": {entry: file_sha256(models[name]) for name, entry in choose_networks(settings["blazepose"]).items()},
    }


def _follow(picture: Picture, people: list[_Person], networks: _Networks, n_patient: int) -> None:
    """Add to everyone seen in the last few frames where they are in this one."""
    index = picture.index
    lately = []
    for person in people:
        n_sights = person.n_settled + len(person.sights)
        patience = n_patient if n_sights >= _FEWEST_FOR_PATIENCE else 1
        if index - patience <= person.last < index:
            lately.append(person)
    looks = [partial(_look, picture.bgr, _next_region(person.sights[person.last]), networks) for person in lately]
    found: list[tuple[float, _Person, Sight]] = []
    for person, sight in zip(lately, networks.pool.together(looks), strict=True):
        if sight is not None:
            found.append((_distance(sight, person.sights[person.last]), person, sight))
    # Where two regions have slid onto one body, the person who came the longer way is the one who was lost.
    found.sort(key=lambda item: item[0])
    for _, person, sight in found:
        if _same(sight, index, people) is None:
            person.sights[index] = sight
            person.last = index


def _search(
    pictures: list[Picture],
    people: list[_Person],
    detected: Callable[[], list[Region]],
    networks: _Networks,
    max_people: int,
    n_remembered: int,
) -> None:
    """Find people in the last picture who are not known there, and follow them back through the others."""
    shown, last = pictures[-1].bgr, pictures[-1].index
    known = [person.sights[last] for person in people if last in person.sights]
    for region in detected():
        if len(known) >= max_people:
            break
        if any(_within(region, sight.region) for sight in known):
            continue
        # The second look has the region that the landmarks give, which is better than the detector's.
        sight = _look(shown, region, networks)
        sight = sight and _look(shown, _next_region(sight), networks)
        if sight is None or any(_is_same(sight, other) for other in known):
            continue
        known.append(sight)
        newcomer = _Person({last: sight}, last)
        met: _Person | None = None
        for picture in pictures[-2::-1]:
            index = picture.index
            back = _look(picture.bgr, _next_region(newcomer.sights[index + 1]), networks)
            if back is None:
                break
            met = _same(back, index, people)
            if met is not None:
                break
            newcomer.sights[index] = back
        if met is not None and met.last < min(newcomer.sights):
            _merge(met, newcomer)  # found again, further on than where they were lost
        else:
            _admit(newcomer, people, n_remembered)


def _same(sight: Sight, index: int, people: list[_Person]) -> _Person | None:
    """Return the person whose body ``sight`` shows in frame ``index``, if they are already placed there."""
    for person in people:
        other = person.sights.get(index)
        if other is not None and _is_same(sight, other):
            return person
    return None


def _admit(newcomer: _Person, people: list[_Person], n_remembered: int) -> None:
    """Give the newcomer the identity of someone lost nearby a moment ago, or a new one."""
    first = min(newcomer.sights)
    here = newcomer.sights[first].region
    best: tuple[float, _Person] | None = None
    for person in people:
        lost = person.last
        there = person.sights[lost].region
        gap = (first - lost) / n_remembered
        if not 0 < gap <= 1 or not 0.6 < here.side / there.side < 1.67:
            continue
        way = float(np.hypot(here.x - there.x, here.y - there.y)) / there.side
        if way <= 0.15 + 0.35 * gap and (best is None or way < best[0]):
            best = (way, person)
    if best is None:
        people.append(newcomer)
    else:
        _merge(best[1], newcomer)


def _merge(person: _Person, later: _Person) -> None:
    person.sights |= later.sights
    person.last = later.last


def _distance(first: Sight, second: Sight) -> float:
    """Return the median distance of the landmarks of two sights as a share of the region's side.

    The lesser of two: landmark by landmark, and with the second's left and right exchanged.
    """
    here = first.landmarks[:33, :2]
    distances = []
    for there in (second.landmarks[:33, :2], second.landmarks[_MIRRORED, :2]):
        distances.append(np.median(np.hypot(*(here - there).T)))
    return float(min(distances)) / max(first.region.side, second.region.side)


def _is_same(first: Sight, second: Sight) -> bool:
    """Return whether two sights of one frame show the same body."""
    if _distance(first, second) <= _SAME_PERSON:
        return True
    small, large = sorted((_next_region(first), _next_region(second)), key=lambda region: region.side)
    way = float(np.hypot(small.x - large.x, small.y - large.y))
    return way < _SAME_HIPS * large.side and small.side > _SAME_SIZE * large.side


def _within(region: Region, other: Region) -> bool:
    """Return whether a detection is of the person of another region: nearly the same centre and a like size."""
    way = np.hypot(region.x - other.x, region.y - other.y)
    return bool(way < 0.1 * other.side and 0.5 < region.side / other.side < 2)


def _look(picture: np.ndarray, region: Region, networks: _Networks) -> Sight | None:
    """Run the landmark network on a region; return None where it sees no person."""
    if not (8 <= region.side <= 8 * max(picture.shape[:2])):
        return None
    scale = region.side / _LANDMARK_SIDE
    cosine, sine = np.cos(region.angle) * scale, np.sin(region.angle) * scale
    # From a pixel of the crop to a pixel of the picture: turn and scale about the centre of the region.
    turn = np.array([[cosine, -sine], [sine, cosine]])
    shift = np.array([region.x, region.y]) - turn @ np.full(2, _LANDMARK_SIDE / 2)
    to_picture = np.column_stack([turn, shift])
    crop = cv2.warpAffine(
        picture, to_picture, (_LANDMARK_SIDE, _LANDMARK_SIDE), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    )
    rgb = cv2.cvtColor(crop, cv2.COLOR_BGR2RGB).astype(np.float32) / 255
    rows, presence = networks.landmarks(rgb[None])
    if float(presence.ravel()[0]) < networks.min_presence:
        return None
    rows = rows.reshape(39, 5)
    landmarks = np.empty((39, 3))
    landmarks[:, :2] = rows[:, :2] @ turn.T + shift
    landmarks[:, 2] = _sigmoid(rows[:, 3])
    return Sight(region, landmarks, appearance.colours(picture, to_body_25(landmarks)[:, :2]))


def _next_region(sight: Sight) -> Region:
    """Return where to look for a person in a neighbouring frame."""
    return _region(sight.landmarks[_HIP_CENTRE, :2], sight.landmarks[_BODY_POINT, :2])


def _region(centre: np.ndarray, point: np.ndarray) -> Region:
    offset = point - centre
    return Region(
        float(centre[0]),
        float(centre[1]),
        float(np.hypot(*offset)) * _REGION_SCALE,
        # Turned so that the point lies straight above the centre; the picture's y axis points down.
        float(np.arctan2(offset[0], -offset[1])),
    )


def _begin_detecting(picture: Picture, networks: _Networks, which: Collection[_Tiles]) -> Callable[[], list[Region]]:
    """Find people in tiles of a picture.

    Returns
    -------
    callable
        Gives their regions, best first.
    """
    shown = picture.bgr
    searches = [
        partial(_detect_in_tile, shown, x, y, side, networks.detector)
        for kind, x, y, side in _tiles(*shown.shape[:2])
        if kind in which
    ]
    results = networks.pool.begin(searches)

    def regions() -> list[Region]:
        found = results()
        if not found:
            return []
        boxes, points = zip(*found, strict=True)
        box, point = np.concatenate(boxes), np.concatenate(points)
        return [_region(*point[index]) for index in non_maximum_suppression(box[:, :4], box[:, 4], _DETECTOR_IOU)]

    return regions


def _detect_in_tile(
    picture: np.ndarray, x: int, y: int, side: int, detector: inference.Network
) -> tuple[np.ndarray, np.ndarray]:
    """Return boxes and scores, shape (n, 5), and the two points of each person, shape (n, 2, 2), in a square."""
    tile = picture[max(0, y) : y + side, max(0, x) : x + side]
    # Pad to a square, the picture in its middle.
    square = np.zeros((_DETECTOR_SIDE, _DETECTOR_SIDE, 3), np.float32)
    scale = _DETECTOR_SIDE / side
    height, width = (max(1, round(length * scale)) for length in tile.shape[:2])
    top, left = (_DETECTOR_SIDE - height) // 2, (_DETECTOR_SIDE - width) // 2
    small = cv2.cvtColor(cv2.resize(tile, (width, height), interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2RGB)
    square[top : top + height, left : left + width] = small
    rows, scores = detector((square / 127.5 - 1)[None])
    score = _sigmoid(scores.ravel())
    kept = np.flatnonzero(score >= _DETECTOR_SCORE)
    found = rows.reshape(-1, 12)[kept].astype(float)
    anchors = np.tile(_ANCHORS[kept] * _DETECTOR_SIDE, 5)
    found[:, [0, 1, 4, 5, 6, 7]] += anchors[:, :6]
    to_picture = np.array([max(0, x) - left / scale, max(0, y) - top / scale])
    found /= scale
    centre = found[:, :2] + to_picture
    boxes = np.column_stack([centre - found[:, 2:4] / 2, found[:, 2:4], score[kept]])
    return boxes, found[:, 4:8].reshape(-1, 2, 2) + to_picture


def _tiles(height: int, width: int) -> Iterator[tuple[_Tiles, int, int, int]]:
    """Yield the kind, x, y and side of the whole picture, of squares of its shorter side and of half that.

    The squares overlap by half.
    """
    yield _Tiles.LARGE, 0, 0, max(height, width)
    short = min(height, width)
    for halves, side in (((_Tiles.LARGE, _Tiles.LARGE), short), ((_Tiles.WHITE, _Tiles.BLACK), short // 2)):
        if side == max(height, width) or side < _DETECTOR_SIDE // 2:
            continue
        for row, y in enumerate(_starts(height, side)):
            for column, x in enumerate(_starts(width, side)):
                yield halves[(row + column) % 2], x, y, side


def _starts(length: int, side: int) -> list[int]:
    count = 1 + -(-2 * (length - side) // side)
    return [round(start) for start in np.linspace(0, length - side, count)]


def _sigmoid(value: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-np.clip(value.astype(float), -100, 100))))


def _anchors() -> np.ndarray:
    """Return the centres of the detector's anchors, shape (2254, 2), 0..1: grids of 28, 14 and 7 cells a side."""
    centres = []
    for cells, per_cell in ((28, 2), (14, 2), (7, 6)):
        y, x = np.divmod(np.arange(cells * cells), cells)
        centres.append(np.repeat((np.stack([x, y], axis=1) + 0.5) / cells, per_cell, axis=0))
    return np.concatenate(centres)


_ANCHORS = _anchors()


#: Name -> BlazePose landmark (Bazarevsky et al. 2020, arXiv 2006.10204, figure 3).
LANDMARKS: dict[str, int] = {
    "Nose": 0, "RShoulder": 12, "RElbow": 14, "RWrist": 16, "LShoulder": 11, "LElbow": 13, "LWrist": 15,
    "RHip": 24, "RKnee": 26, "RAnkle": 28, "LHip": 23, "LKnee": 25, "LAnkle": 27, "REye": 5, "LEye": 2,
    "REar": 8, "LEar": 7, "LBigToe": 31, "LHeel": 29, "RBigToe": 32, "RHeel": 30, "LIndex": 19, "RIndex": 20,
}  # fmt: skip


def to_body_25(landmarks: np.ndarray) -> np.ndarray:
    """Map BlazePose landmarks to BODY_25 and the two knuckles.

    Neck and MidHip are the midpoints of the shoulders and of the hips, with the lower of the two confidences.
    The small toes have no counterpart and are NaN.

    Parameters
    ----------
    landmarks : array, shape (33 or more, 3)
        x, y in pixels and confidence 0..1.

    Returns
    -------
    array, shape (27, 3)
        x, y in pixels and confidence 0..1, in the order of `skeleton.KEYPOINTS`.
    """
    body = np.full((len(skeleton.KEYPOINTS), 3), np.nan)
    for name, landmark in LANDMARKS.items():
        body[skeleton.INDEX[name]] = landmarks[landmark]
    for middle, left, right in MIDPOINTS:
        pair = body[[skeleton.INDEX[left], skeleton.INDEX[right]]]
        body[skeleton.INDEX[middle], :2] = pair[:, :2].mean(axis=0)
        body[skeleton.INDEX[middle], 2] = pair[:, 2].min()
    return body
