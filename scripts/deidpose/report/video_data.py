"""Pack what the report shows of one video into a small script: the skeletons and angles of everyone, in every source.

A page that is opened from a disk may not read other files, but it may load scripts. So the data of a video are a script
that calls one function of the page with its id and a text: `packing.pack`, gzip, base64. It holds numbers only, no
pixel, no name and no date, and the same tables give the same bytes.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from deidpose.errors import UserError
from deidpose.evaluation.matching import Arrays, carried_rows, carry
from deidpose.keypoints import Poses, pick
from deidpose.kinematics import angles as angles_module
from deidpose.kinematics.angles import JOINTS, SEGMENTS, Angles
from deidpose.report.packing import pack
from deidpose.skeleton import KEYPOINTS

#: A video is shown with at most so many frames: every second, third, ... frame of a longer one.
MAX_FRAMES = 5000

#: And with at most so many skeletons, over all people and sources.
MAX_POSES = 50_000

#: Stands for a missing number in 16 bits.
MISSING = -(2**15)

#: Steps in which positions and angles are kept, unless the numbers are so large that 16 bits want longer steps.
PIXELS = 0.1
DEGREES = 0.01

#: The angles of a payload, in its order.
ANGLES: tuple[str, ...] = (*JOINTS, *SEGMENTS)

#: Where each of them is in arrays of `Angles`.
_COLUMNS = [list(angles_module.ANGLES).index(name) for name in ANGLES]

_LARGEST = 2**15 - 1
_SCRIPT = re.compile(r'deidposeVideo\("([A-Za-z0-9-]+)","([A-Za-z0-9+/]+={0,2})"\);\n')


class Series(NamedTuple):
    """What is kept of one person in one source, on a grid of kept frames without holes."""

    source: str
    person: int  # of the original; negative for somebody whom only this source sees
    start: int  # index of the first kept frame
    position: NDArray[np.float64]  # shape (n, 27, 2), px
    degrees: NDArray[np.float64]  # shape (2, n, 28), deg: unfiltered, filtered


def thinned(arrays: Arrays, n_frames: int) -> Arrays:
    """Return the rows of `Poses` or `Angles` that are shown of a video with this many frames.

    A long video's arrays of all sources would not fit into memory together; thinned they do.
    """
    step = _first_step(n_frames)
    return arrays if step == 1 else pick(arrays, arrays.frame % step == 0)


def script(
    video: str,
    facts: Mapping[str, Any],
    timestamps: pd.DataFrame,
    keypoints: Mapping[str, Poses],
    angles: Mapping[str, Angles],
    matches: pd.DataFrame,
    people: pd.DataFrame,
) -> str:
    """Return the script with all that the report shows of one video.

    Parameters
    ----------
    video : str
        Id of the video.
    facts : mapping
        Its row of the table ``screening``: ``width`` and ``height`` (px) are used.
    timestamps : DataFrame
        The table of this name, with every frame.
    keypoints, angles : mapping
        Source -> `Poses` or `Angles`, whole or `thinned`, ``original`` first. The order is kept.
    matches : DataFrame
        Who of every method is whom of the original.
    people : DataFrame
        The table of this name, of the original.

    Returns
    -------
    str
        One statement of JavaScript. People whom only a method sees are in it with their skeletons, and are marked.
    """
    n_frames = len(timestamps)
    bodies = {source: thinned(body, n_frames) for source, body in keypoints.items()}
    n_poses = sum(len(body.frame) for body in bodies.values())
    step = _first_step(n_frames) * max(1, -(-n_poses // MAX_POSES))
    times = timestamps.sort_values("frame")["time_s"].to_numpy(dtype=float)[::step]
    series = [
        one
        for source, body in bodies.items()
        for one in _series(source, body, angles[source], matches[matches["method"] == source], step)
    ]
    pixels = _step([one.position for one in series], PIXELS)
    degrees = _step([one.degrees for one in series], DEGREES)
    entries, arrays = [], [times]
    for one in series:
        entries.append({"source": one.source, "person": one.person, "start": one.start, "n": len(one.position)})
        arrays.append(_deltas(np.moveaxis(one.position, 0, -1), pixels))
        # Of somebody who is nobody in the original there is nothing to compare.
        shown = one.degrees if one.person >= 0 else one.degrees[:, :0]
        arrays.append(_deltas(np.moveaxis(shown, 1, -1), degrees))
    header = {
        "video": video,
        "width": int(facts["width"]),
        "height": int(facts["height"]),
        "n_frames": n_frames,
        "step": step,
        "pixels": pixels,
        "degrees": degrees,
        "sources": list(bodies),
        "keypoints": list(KEYPOINTS),
        "angles": list(ANGLES),
        "people": _people(people, series),
        "series": entries,
    }
    return f'deidposeVideo({json.dumps(video)},"{pack(header, arrays)}");\n'


def data_of_script(text: str, video: str) -> str:
    """Return what is packed in the script of a video, which is nothing else than `script` writes.

    Raises
    ------
    UserError
        It is not such a script, or one of another video.
    """
    found = _SCRIPT.fullmatch(text)
    if not found or found[1] != video:
        raise UserError(f"The data for the report of video {video} are not what the workflow writes; make them again.")
    return found[2]


def _first_step(n_frames: int) -> int:
    """Return the step from one kept frame to the next in a video with this many frames."""
    return max(1, -(-n_frames // MAX_FRAMES))


def _series(source: str, body: Poses, measured: Angles, sections: pd.DataFrame, step: int) -> list[Series]:
    """Return everyone of one source, under the numbers of the original."""
    body, measured = pick(body, body.frame % step == 0), pick(measured, measured.frame % step == 0)
    if source != "original":
        body, measured = _carried(body, sections), carry(measured, sections)
    at = measured.frame // step
    result = []
    for number in sorted(np.unique(body.person), key=lambda one: (one < 0, abs(one))):
        mine = body.person == number
        index = body.frame[mine] // step
        start, end = int(index.min()), int(index.max()) + 1
        position = np.full((end - start, len(KEYPOINTS), 2), np.nan)
        position[index - start] = body.position[mine]
        degrees = np.full((2, end - start, len(ANGLES)), np.nan)
        theirs = (measured.person == number) & (at >= start) & (at < end)
        for values, signal in zip(degrees, (measured.degrees, measured.degrees_filtered), strict=True):
            values[at[theirs] - start] = signal[theirs][:, _COLUMNS]
        result.append(Series(source, int(number), start, position, degrees))
    return result


def _carried(body: Poses, sections: pd.DataFrame) -> Poses:
    """Return the poses of a method under the numbers of the original; -1 - person of those who are nobody there.

    The rows stay where they are, so people are in no order in a frame.
    """
    person = -1 - body.person
    rows, numbers = carried_rows(body.frame, body.person, sections)
    person[rows] = numbers
    return body._replace(person=person)


def _step(values: Sequence[NDArray[np.float64]], step: float) -> float:
    """Return the step in which all values fit into 16 bits: ``step``, or a longer one."""
    largest = max((float(np.nanmax(np.abs(one), initial=0.0)) for one in values if np.isfinite(one).any()), default=0.0)
    return max(step, largest / _LARGEST)


def _deltas(values: NDArray[np.float64], step: float) -> NDArray[np.int16]:
    """Return values in whole steps, each but the first of a row as its difference from the one before, modulo 2^16."""
    whole = np.where(np.isfinite(values), np.round(np.nan_to_num(values) / step), MISSING).astype(np.int16)
    return np.diff(whole, prepend=np.zeros((*whole.shape[:-1], 1), np.int16), axis=-1).astype(np.int16)


def _people(people: pd.DataFrame, series: Sequence[Series]) -> list[dict[str, Any]]:
    """Return everyone of the original, patients first, then by how long they are seen."""
    seen = {one.person for one in series if one.source == "original"}
    chosen = people[people["person"].isin(list(seen))]
    listed = [
        {"person": int(person), "patient": bool(patient), "n_frames": int(n)}
        for person, patient, n in zip(
            chosen["person"], chosen["patient"].fillna(False), chosen["n_frames"], strict=True
        )
    ]
    return sorted(listed, key=lambda one: (not one["patient"], -one["n_frames"], one["person"]))
