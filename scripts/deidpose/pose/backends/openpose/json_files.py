"""Read keypoints as OpenPose writes them with ``--write_json``, one file for each frame; refuse what is not that."""

import json
import math
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deidpose.errors import UserError

#: What OpenPose calls the file of a frame: {name of the video}_{frame}_keypoints.json.
_NAME = re.compile(r"(?P<stem>.*)_(?P<frame>\d{12})_keypoints\.json")
#: A frame with a hundred people, their hands and faces takes about a megabyte; more is not what OpenPose writes. Python
#: takes twenty times as much for what is made to exhaust it.
_MAX_BYTES = 5_000_000
_MAX_PEOPLE = 1000
#: Files beyond twice the frames of a video after which the rest is not counted.
_MANY_MORE = 1000


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
    for path in frames(folder, n_frames):
        yield read_file(path)


def frames(folder: str | Path, n_frames: int) -> list[Path]:
    """Return the file of every frame of one video, in order; the arguments and errors are those of `read_folder`."""
    found: list[tuple[re.Match[str], Path]] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if match := _NAME.fullmatch(entry.name):
                    found.append((match, Path(entry.path)))
                    if len(found) > 2 * n_frames + _MANY_MORE:  # a folder may hold more names than fit into memory
                        raise UserError(
                            f"The folder with OpenPose's results holds files of more than {2 * n_frames} frames, but "
                            f"the video has {n_frames}: they are of another video."
                        )
    except OSError as error:
        raise UserError(f"The folder with OpenPose's results cannot be read: {error.strerror}.") from None
    found.sort(key=lambda one: one[1].name)
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
        bodies = [_body(person["pose_keypoints_2d"]) for person in _content(file)["people"]]
        if len(bodies) > _MAX_PEOPLE or len({len(body) for body in bodies}) > 1:
            raise ValueError
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        match = _NAME.fullmatch(file.name)
        frame = f" of frame {int(match['frame'])}" if match else ""
        raise UserError(
            f"The file{frame} among OpenPose's results is not what OpenPose writes with --write_json."
        ) from None
    return np.stack(bodies) if bodies else np.empty((0, 0, 3))


def read_version(path: str | Path) -> str:
    """Return the version of the format that a file states, such as "1.3"; "unknown" where it states no number."""
    try:
        version = _content(Path(path))["version"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return "unknown"
    # It is released: a text could be anything, somebody's name for instance.
    return f"{version:.6g}" if _is_number(version) and 0 <= version < 100 else "unknown"


def _content(file: Path) -> Any:
    # Opening a named pipe would wait for ever.
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as stream:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError
        text = stream.read(_MAX_BYTES + 1)
    if len(text) > _MAX_BYTES:
        raise ValueError
    return json.loads(text, parse_constant=_refuse)


def _body(numbers: Any) -> NDArray[np.float64]:
    """Return one person, shape (points, 3)."""
    if not isinstance(numbers, list) or not numbers or len(numbers) % 3 or not all(map(_is_number, numbers)):
        raise ValueError
    return np.array(numbers, dtype=float).reshape(-1, 3)


def _is_number(value: Any) -> bool:
    # Its size first: a whole number of hundreds of digits is larger than any floating-point number.
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e9 and math.isfinite(value)


def _refuse(constant: str) -> float:
    raise ValueError(constant)  # NaN and Infinity are no JSON
