"""Estimate the poses in a video with any backend."""

from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deidpose.pose import tracking
from deidpose.pose.backends.scratch import remove
from deidpose.pose.registry import load_backend
from deidpose.runtime.progress import followed
from deidpose.video.decode import read_frames
from deidpose.video.frames import frame_rate

if TYPE_CHECKING:
    import pandas as pd

    from deidpose.keypoints import Poses
    from deidpose.video.frames import Frame


def estimate_frames(
    frames: "Iterable[Frame]",
    frame_rate: float,
    models: Mapping[str, str | Path],
    settings: Mapping[str, Any],
    threads: int = 1,
    cuts: Collection[int] = (),
) -> "Poses":
    """Estimate the keypoints of everyone in a video with the backend of the settings.

    Parameters
    ----------
    frames : iterable of Frame
        In order.
    frame_rate : float
        Mean frames per second.
    models : mapping
        Paths of the backend's networks and of the user's `files`.
    settings : mapping
        ``pose`` of the configuration.
    threads : int
        Tiles or people that are worked on at the same time; the result does not depend on it.
    cuts : collection of int
        First frames of new shots: nobody is followed into one.

    Returns
    -------
    Poses
        The table ``keypoints`` as arrays; `deidpose.keypoints.blocks` makes the table of them. A keypoint with a
        confidence below min_confidence, or outside the picture, has no position.

    Raises
    ------
    UserError
        As the backend does.
    """
    body: Poses = tracking.estimate(
        load_backend(settings["backend"]), frames, frame_rate, models, settings, threads, cuts
    )
    return body


def estimate_file(
    path: str | Path,
    timestamps: "pd.DataFrame",
    is_original: bool,
    cuts: "pd.DataFrame",
    models: Mapping[str, str | Path],
    settings: Mapping[str, Any],
    threads: int = 1,
    watch: "Callable[[Iterable[Frame]], Iterable[Frame]]" = iter,
    scratch: str | Path | None = None,
) -> "Poses":
    """Estimate the keypoints of everyone in a sanitized original or a copy of it, and log how far that is.

    Parameters
    ----------
    path : path
        The video.
    timestamps : DataFrame
        The table ``timestamps`` of the original, which the copies keep exactly.
    is_original : bool
        Whether the video is the sanitized original, whose frames have to be matched to the timestamps.
    cuts : DataFrame
        The table ``cuts``.
    models, settings, threads
        As `estimate` has them.
    watch : callable
        Gets the frames and returns them: it can count them, and tell when the first is asked for.
    scratch : path, optional
        A folder for frames on the disk, faces visible, that nobody else uses; what is there is removed, now and at the
        end. Without one they lie in the folder for temporary files.

    Returns
    -------
    Poses
        As `estimate` returns it.

    Raises
    ------
    UserError
        As the backend and `decode.read_frames` do.
    """
    if scratch is not None:
        settings = {**settings, "scratch": str(scratch)}
        remove(scratch)
    frames = read_frames(path, timestamps if is_original else None, threads)
    return estimate_frames(
        watch(followed(frames, len(timestamps))),
        frame_rate(timestamps),
        models,
        settings,
        threads,
        frozenset(cuts["frame"]),
    )
