"""Decoded frames as every step takes them.

A frame is three planes (luma, two chroma), never converted to RGB and back: what is not masked reaches the encoder bit
for bit as the decoder gave it. Networks take a `Picture`, its conversion to blue-green-red.
"""

import math
from collections.abc import Collection, Iterable, Iterator
from functools import cached_property
from typing import NamedTuple, TypeVar

import cv2
import numpy as np
import pandas as pd


class Frame(NamedTuple):
    """One decoded frame, upright.

    ``index`` counts from 0 in presentation order; ``planes`` are three uint8 arrays, luma of shape
    (height, width), chroma of half that (4:2:0) or the same (4:4:4).
    """

    index: int  # type: ignore[assignment]  # hides tuple.index, which nobody wants here
    time_s: float
    planes: tuple[np.ndarray, np.ndarray, np.ndarray]
    full_range: bool


class Picture:
    """A frame as networks take it: ``index``, and ``bgr``, the array of `to_bgr`, made when it is first asked for."""

    def __init__(self, frame: Frame) -> None:
        self.index = frame.index
        self._frame = frame

    @cached_property
    def bgr(self) -> np.ndarray:
        """The picture, shape (height, width, 3), uint8, blue-green-red."""
        return to_bgr(self._frame)

    def forget(self) -> None:
        """Free the memory of the array; it is made again when it is next asked for."""
        self.__dict__.pop("bgr", None)


def converted(frame: Frame) -> Picture:
    """Return the picture of a frame, converted here and now: by the thread that reads ahead, say."""
    picture = Picture(frame)
    _ = picture.bgr
    return picture


Indexed = TypeVar("Indexed", Frame, Picture)


def chunks(frames: Iterable[Indexed], length: int, cuts: Collection[int] = ()) -> Iterator[list[Indexed]]:
    """Yield frames in lists of at most ``length``, none of them over a cut (the first frame of a new shot)."""
    chunk: list[Indexed] = []
    for frame in frames:
        if chunk and (len(chunk) == length or frame.index in cuts):
            yield chunk
            chunk = []
        chunk.append(frame)
    if chunk:
        yield chunk


def frame_rate(timestamps: pd.DataFrame) -> float:
    """Return the mean frames per second of a table ``timestamps``; 25 for a single frame."""
    span = float(timestamps["time_s"].iloc[-1] - timestamps["time_s"].iloc[0])
    return (len(timestamps) - 1) / span if span else 25.0


def to_bgr(frame: Frame) -> np.ndarray:
    """Return the picture of a frame, shape (height, width, 3), uint8, blue-green-red, as networks take it.

    The standard-definition matrix (BT.601) of OpenCV stands in for every colour matrix: networks do not see
    the difference, and it is the fastest.
    """
    luma, chroma_b, chroma_r = frame.planes
    if luma.shape == chroma_b.shape:
        if not frame.full_range:  # OpenCV takes separate planes for full range ...
            luma = cv2.LUT(luma, _WIDER_LUMA)
            chroma_b, chroma_r = cv2.LUT(chroma_b, _WIDER_CHROMA), cv2.LUT(chroma_r, _WIDER_CHROMA)
        return np.asarray(cv2.cvtColor(cv2.merge([luma, chroma_r, chroma_b]), cv2.COLOR_YCrCb2BGR))
    if frame.full_range:  # ... and packed ones for limited range
        luma = cv2.LUT(luma, _NARROWER_LUMA)
        chroma_b, chroma_r = cv2.LUT(chroma_b, _NARROWER_CHROMA), cv2.LUT(chroma_r, _NARROWER_CHROMA)
    height, width = luma.shape
    packed = np.empty((height * 3 // 2, width), np.uint8)
    packed[:height] = luma
    packed[height:].reshape(2, -1)[0] = chroma_b.ravel()
    packed[height:].reshape(2, -1)[1] = chroma_r.ravel()
    return np.asarray(cv2.cvtColor(packed, cv2.COLOR_YUV2BGR_I420))


def crop(frame: Frame, left: float, top: float, right: float, bottom: float) -> tuple[Frame, np.ndarray]:
    """Return the part of a frame that holds a rectangle, as far as it is in the picture, and the part's corner.

    Edges go outward to even pixels, so that a part has the chroma samples of all its pixels; its planes share the
    memory of the frame's. A part outside the picture has no pixels.
    """
    height, width = frame.planes[0].shape
    first = [min(max(0, math.floor(start / 2) * 2), end) for start, end in ((left, width), (top, height))]
    last = [min(max(0, math.ceil(stop / 2) * 2), end) for stop, end in ((right, width), (bottom, height))]
    steps = (1, *(1 if plane.shape == (height, width) else 2 for plane in frame.planes[1:]))
    luma, chroma_b, chroma_r = (
        plane[first[1] // step : last[1] // step, first[0] // step : last[0] // step]
        for plane, step in zip(frame.planes, steps, strict=True)
    )
    return frame._replace(planes=(luma, chroma_b, chroma_r)), np.array(first)


def _levels(scale: float, pivot: int, offset: int) -> np.ndarray:
    return np.clip(np.round((np.arange(256) - pivot) * scale + offset), 0, 255).astype(np.uint8)


# ITU-T H.273: limited range has 219 steps of luma from 16 on and 224 of chroma about 128, full range 255 of each.
_WIDER_LUMA, _WIDER_CHROMA = _levels(255 / 219, 16, 0), _levels(255 / 224, 128, 128)
_NARROWER_LUMA, _NARROWER_CHROMA = _levels(219 / 255, 0, 16), _levels(224 / 255, 128, 128)
