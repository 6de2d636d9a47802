"""Draw skeletons onto the planes of a picture."""

from collections.abc import Iterable, Iterator

import cv2
import numpy as np

from deidpose import skeleton
from deidpose.keypoints import Poses
from deidpose.masking.masks import Planes
from deidpose.video.frames import Frame

#: Thickness of a limb over the longer side of the picture.
_THICKNESS = 1 / 400


def draw_skeletons(frames: Iterable[Frame], shown: Poses) -> Iterator[Planes]:
    """Yield the planes of every frame with everyone's skeleton in OpenPose's BODY_25 colours.

    Parameters
    ----------
    frames : iterable of Frame
        Left as they are.
    shown : Poses
        The table ``keypoints`` of the same video.
    """
    numbers, positions = shown.frame, shown.position[:, : len(skeleton.BODY_25)]
    for frame in frames:
        people = positions[slice(*np.searchsorted(numbers, [frame.index, frame.index + 1]))]
        yield _draw(frame, people) if len(people) else frame.planes


def _draw(frame: Frame, people: np.ndarray) -> Planes:
    planes = (frame.planes[0].copy(), frame.planes[1].copy(), frame.planes[2].copy())
    thickness = max(2, round(max(planes[0].shape) * _THICKNESS))
    for body in people:
        for start, end in skeleton.LIMBS:
            first, second = body[skeleton.INDEX[start]], body[skeleton.INDEX[end]]
            if np.isfinite(first).all() and np.isfinite(second).all():
                colour = _to_planes(skeleton.COLOURS[skeleton.INDEX[end]], frame.full_range)
                _line(planes, first, second, colour, thickness)
        for index, point in enumerate(body):
            if np.isfinite(point).all():
                _line(planes, point, point, _to_planes(skeleton.COLOURS[index], frame.full_range), 2 * thickness)
    return planes


def _line(planes: Planes, first: np.ndarray, second: np.ndarray, colour: tuple[int, int, int], thickness: int) -> None:
    for plane, value in zip(planes, colour, strict=True):
        scale = plane.shape[1] / planes[0].shape[1]
        start, end = ((round(float(x) * scale), round(float(y) * scale)) for x, y in (first, second))
        cv2.line(plane, start, end, (value,), max(1, round(thickness * scale)))


def _to_planes(colour: tuple[int, int, int], full_range: bool) -> tuple[int, int, int]:
    """Return luma and chroma of a red-green-blue colour by the matrix of ITU-R BT.601."""
    red, green, blue = (value / 255 for value in colour)
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    chroma = ((blue - luma) / 1.772, (red - luma) / 1.402)
    if full_range:
        return round(255 * luma), round(128 + 255 * chroma[0]), round(128 + 255 * chroma[1])
    return round(16 + 219 * luma), round(128 + 224 * chroma[0]), round(128 + 224 * chroma[1])
