"""Keypoints as OpenPose writes them with ``--write_json``: a file for each frame, read as what it is or refused."""

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deidpose.errors import UserError

#: What OpenPose calls the file of a frame: {name of the video}_{frame}_keypoints.json.
_NAME = re.compile(r"(?P<stem>.*)_(?P<frame>\d{12})_keypoints\.json")
#: A frame with a hundred people of 135 points takes about a megabyte; more is not what OpenPose writes.
_MAX_BYTES = 20_000_000
_MAX_PEOPLE = 1000


def read_folder(folder: str | Path, n_frames: int) -> Iterator[NDArray[np.float64]]:
    """Yield everybody in each frame, in order, from the files of one video.

    Parameters
    ----------
    folder : path
        Holds the files of one video, and of no other.
    n_frames : int
        Frames of the video. There has to be a file for each, numbered from 0: OpenPose's decoder may have counted
        others than ours, and then nobody knows which file is of which frame.

    Yields
    ------
    array, shape (people, points, 3)
        x, y in the unit of the file (pixels by default) and confidence; (0, 3, points) becomes (0, 0, 3) where nobody
        was seen.

    Raises
    ------
    UserError
        Files are missing, too many, of several videos, or malformed.
    """
    files = frames(folder, n_frames)
    for path in files:
        yield read_file(path)


def frames(folder: str | Path, n_frames: int) -> list[Path]:
    """Return the file of every frame of one video, in order; the arguments and errors are those of `read_folder`."""
    found = [(match, path) for path in sorted(Path(folder).iterdir()) if (match := _NAME.fullmatch(path.name))]
    if not found:
        raise UserError(
            "The folder with OpenPose's results holds no file named as OpenPose names them, ..._000000000000_"
            "keypoints.json: run OpenPose with --write_json."
        )
    if len({match["stem"] for match, _ in found}) > 1:
        raise UserError(
            "The folder with OpenPose's results holds files of several videos: give each a folder of its own."
        )
    numbers = [int(match["frame"]) for match, _ in found]
    missing = next((index for index, number in enumerate(numbers) if index != number), None)
    if missing is not None:
        raise UserError(
            f"OpenPose's results have no file for frame {missing}, although later frames have one: run OpenPose again, "
            "without --frame_step and --frame_first."
        )
    if len(numbers) != n_frames:
        raise UserError(
            f"OpenPose's results are of {len(numbers)} frames, but the video has {n_frames}: OpenPose has decoded "
            "another file or in another way, so nobody can tell which result is of which frame. Run OpenPose on the "
            "sanitized copy."
        )
    return [path for _, path in found]


def read_file(path: str | Path) -> NDArray[np.float64]:
    """Return everybody in one file, shape (people, points, 3); see `read_folder`."""
    file = Path(path)
    try:
        if file.stat().st_size > _MAX_BYTES:
            raise ValueError
        content = json.loads(file.read_bytes(), parse_constant=_refuse)
        bodies = [_body(person["pose_keypoints_2d"]) for person in content["people"]]
        if len(bodies) > _MAX_PEOPLE or len({len(body) for body in bodies}) > 1:
            raise ValueError
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        match = _NAME.fullmatch(file.name)
        frame = f" of frame {int(match['frame'])}" if match else ""
        raise UserError(
            f"The file{frame} among OpenPose's results is not what OpenPose writes with --write_json."
        ) from None
    return np.stack(bodies) if bodies else np.empty((0, 0, 3))


def _body(numbers: Any) -> NDArray[np.float64]:
    """Return one person, shape (points, 3)."""
    if not isinstance(numbers, list) or not numbers or len(numbers) % 3 or not all(map(_is_number, numbers)):
        raise ValueError
    return np.array(numbers, dtype=float).reshape(-1, 3)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and abs(value) < 1e9


def _refuse(constant: str) -> float:
    raise ValueError(constant)  # NaN and Infinity are no JSON
