"""Read existing keypoints of an original, JSON in OpenPose's form, like a backend that does not track.

They go into the kinematics alone. Masks are placed from what a backend sees in the original; docs/design.md says why.
"""

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from deidpose.errors import UserError
from deidpose.pose import layouts
from deidpose.pose.backends.openpose import json_files
from deidpose.pose.backends.protocol import Sight
from deidpose.pose.people import appearance
from deidpose.video.frames import Frame, to_bgr

#: The files have no numbers over time.
TRACKS = False
LICENCE = (
    "that of whatever found them, which the files do not say; OpenPose's own allows academic or non-profit, "
    "non-commercial research only"
)
_CITATION = (
    "Cao et al. 2021, OpenPose: realtime multi-person 2D pose estimation using part affinity fields, IEEE TPAMI "
    "43:172-186, arXiv 1812.08008, if it was OpenPose"
)
#: Those of layouts without Neck or MidHip are made by `layouts.to_body_25` from points that lie in the picture.
MIDPOINTS: tuple[tuple[str, str, str], ...] = ()

#: A layout is told from the people in so many frames at most, evenly over those that show any.
_FRAMES_LOOKED_AT = 2000
#: OpenPose places points in the picture and nowhere else; other networks go beyond its edges by this share at times.
_BEYOND = 0.05
#: More points outside than this share are no exceptions: the pictures had another size, or were turned another way.
_FEW = 0.01
#: OpenPose's confidences go a little above 1 at times; far above, they are something else.
_HIGHEST_CONFIDENCE = 1.5


class Found(NamedTuple):
    """What the files of one video are: the ``layout``, empty where nobody is in them, and the format's ``version``."""

    layout: str
    version: str


def examine(folder: str | Path, n_frames: int, size: tuple[int, int], layout: str = "auto") -> Found:
    """Read all files of one video once and find out their layout and version.

    Parameters
    ----------
    folder : path
        Holds the files of the video, and of no other.
    n_frames : int
        Frames of the video.
    size : tuple of int
        Width and height of the upright picture, in pixels.
    layout : str
        "auto", or a key of `layouts.LAYOUTS` where it cannot be told.

    Raises
    ------
    UserError
        The files are not one for each frame, are malformed, of no known layout or of several, or their coordinates are
        not pixels of such a picture.
    """
    files = json_files.frames(folder, n_frames)
    n_with_points, step = 0, 1  # frames; one in so many of them is in the sample
    sample: list[NDArray[np.float64]] = []
    counts: set[int] = set()
    n_seen, n_outside, n_outside_turned = 0, 0, 0
    furthest = 0.0
    for path in files:
        bodies = json_files.read_file(path)
        if not len(bodies):
            continue
        counts.add(bodies.shape[1])
        if len(counts) > 1:
            raise UserError("OpenPose's results have another number of points a person in some frames than in others.")
        points = bodies[(bodies[..., 2] > 0) & (bodies[..., :2] != 0).any(axis=2)]
        if points[:, 2].max(initial=0.0) > _HIGHEST_CONFIDENCE:
            raise UserError("OpenPose's results hold confidences far above 1, so they are not OpenPose's.")
        n_seen += len(points)
        n_outside += _outside(points, size)
        n_outside_turned += _outside(points, size[::-1])
        furthest = max(furthest, float(np.abs(points[:, :2]).max(initial=0.0)))
        if not len(points):
            continue
        if n_with_points % step == 0:
            sample.append(bodies)
        n_with_points += 1
        if len(sample) > _FRAMES_LOOKED_AT:
            sample, step = sample[::2], 2 * step
    version = json_files.read_version(files[0])
    if not n_seen:
        return Found("", version)
    _check_unit(n_seen, n_outside, n_outside_turned, furthest, size)
    return Found(layouts.recognize(np.concatenate(sample), "" if layout == "auto" else layout), version)


def _outside(points: NDArray[np.float64], size: tuple[int, int]) -> int:
    """Return how many points, shape (n, 3), lie clearly outside a picture of a width and height."""
    inside = (points[:, :2] >= -_BEYOND * np.array(size)) & (points[:, :2] <= (1 + _BEYOND) * np.array(size))
    return int((~inside.all(axis=1)).sum())


def _check_unit(n_seen: int, n_outside: int, n_outside_turned: int, furthest: float, size: tuple[int, int]) -> None:
    if furthest <= 1:
        raise UserError(
            "OpenPose's results are in shares of the picture and not in pixels: run OpenPose with --keypoint_scale 0."
        )
    if n_outside <= _FEW * n_seen:
        return
    picture = f"the picture, which has {size[0]} x {size[1]} pixels when it is upright"
    if n_outside_turned <= _FEW * n_seen:
        raise UserError(
            f"OpenPose's results lie outside {picture}, and inside when it lies on its side: OpenPose has not turned "
            "the pictures as the video asks for. Run it on upright pictures."
        )
    raise UserError(
        f"OpenPose's results lie outside {picture}: they were made from a larger copy of the video, or another one."
    )


def people(
    frames: Iterable[Frame],
    frame_rate: float,
    models: Mapping[str, str | Path],
    settings: Mapping[str, Any],
    threads: int = 1,
    cuts: Collection[int] = (),
) -> Iterator[Sight]:
    """Yield everyone in the files of a video, as `protocol.Backend` has it.

    Parameters
    ----------
    frames
        As `pose.estimate.estimate_frames` has them; the colours that people wear are in them.
    frame_rate, threads, cuts
        Not used.
    models : mapping
        ``imported``, the folder of the files.
    settings : mapping
        ``pose`` of the configuration, with ``n_frames`` and, under ``import``, ``layout``, from `examine`.

    Raises
    ------
    UserError
        As `examine`.
    """
    files = json_files.frames(models["imported"], settings["n_frames"])
    most = int(settings["max_people"])
    n_left_out = 0
    for frame, path in zip(frames, files, strict=True):
        bodies = json_files.read_file(path)
        # Without a layout there is no point of anybody in any file.
        if not len(bodies) or not settings["import"]["layout"]:
            continue
        if len(bodies) > most:
            # Those of whom it is surest, in the order of the file.
            bodies = bodies[np.sort(np.argsort(-bodies[..., 2].sum(axis=1), kind="stable")[:most])]
            n_left_out += 1
        picture = to_bgr(frame)
        bodies[_is_beyond(bodies, picture)] = 0
        bodies[..., 2] = np.clip(bodies[..., 2], 0, 1)
        for body in layouts.to_body_25(bodies, settings["import"]["layout"]):
            if np.isfinite(body[:, 0]).any():
                yield Sight(frame.index, body, appearance.colours(picture, body[:, :2]))
    if n_left_out:
        logging.warning(
            "In %d frames the imported keypoints are of more than pose.max_people people; the others are left out.",
            n_left_out,
        )


def _is_beyond(bodies: NDArray[np.float64], picture: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return whether each point lies outside the picture, shape (people, points): no middle is made with it."""
    return np.asarray(((bodies[..., :2] < 0) | (bodies[..., :2] > picture.shape[1::-1])).any(axis=2))


def origin(models: Mapping[str, str | Path], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the layout, the version of the files' format, and whom to cite; parameters as `people`."""
    own = settings["import"]
    return {"layout": own["layout"], "version": f"JSON {own['version']}", "models": {}, "citation": _CITATION}
