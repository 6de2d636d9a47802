"""Find the frames at which a video cuts from one scene to another.

Nothing is carried over a cut: no person is followed and no gap is bridged from one shot into the next.
"""

from collections.abc import Iterable

import cv2
import numpy as np
import pandas as pd

from deidpose import tables
from deidpose.video.frames import Frame

#: Pictures are compared as thumbnails of this size: what moves within a scene hardly shows in them.
_THUMBNAIL = (64, 36)
#: Of a thumbnail, structure finer than this many of its pixels counts: the sun behind a cloud changes the rest.
_COARSEST = 4.0
#: Structure weaker than this, in levels of 0..255, is noise.
_NOISE = 2.0
#: Two pictures with nothing in common differ by 1, two alike by 0. A cut changes the picture by this much ...
_SMALLEST_CHANGE = 0.5
#: ... and by this many times what the frames around it change: a swaying camera changes every frame.
_OVER_NEIGHBOURS = 3.0
#: Frames on either side that a change is compared with.
_NEIGHBOURS = 4
#: The pictures two frames before and two frames after a cut differ by this share of the change at least: after a
#: flash the scene is back.
_LASTING = 0.6


def find_cuts(frames: Iterable[Frame]) -> pd.DataFrame:
    """Find the hard cuts of a video.

    Parameters
    ----------
    frames : iterable of Frame
        All of one video, in order. One thumbnail is kept of each of the last few, so memory does not grow.

    Returns
    -------
    DataFrame
        The table ``cuts``. Slow transitions, where one scene fades into the next, are not found.
    """
    recent: list[np.ndarray] = []
    step: list[float] = []  # change from the frame before
    leap: list[float] = []  # change from four frames before
    for frame in frames:
        recent = [*recent[-4:], _thumbnail(frame)]
        step.append(_change(recent[-2], recent[-1]) if len(recent) > 1 else 0.0)
        leap.append(_change(recent[0], recent[-1]) if len(recent) > 4 else np.inf)
    found = [index for index in range(1, len(step)) if _is_cut(index, step, leap)]
    return tables.check(pd.DataFrame({"frame": np.array(found, int)}), "cuts")


def _is_cut(index: int, step: list[float], leap: list[float]) -> bool:
    if step[index] < _SMALLEST_CHANGE:
        return False
    around = step[max(1, index - _NEIGHBOURS) : index] + step[index + 1 : index + 1 + _NEIGHBOURS]
    if around and step[index] < _OVER_NEIGHBOURS * float(np.median(around)):
        return False
    # From two frames before the cut to two frames after it; near the ends of the video there is nothing to compare.
    return index + 2 >= len(leap) or leap[index + 2] >= _LASTING * step[index]


def _thumbnail(frame: Frame) -> np.ndarray:
    """Return the fine structure of a picture's luma, which light and shadow do not change."""
    small = cv2.resize(frame.planes[0], _THUMBNAIL, interpolation=cv2.INTER_AREA).astype(np.float32)
    return np.asarray(small - cv2.GaussianBlur(small, (0, 0), _COARSEST))


def _change(first: np.ndarray, second: np.ndarray) -> float:
    energy = float((first**2).sum() + (second**2).sum())
    return float(((first - second) ** 2).sum()) / (energy + 2 * first.size * _NOISE**2)
