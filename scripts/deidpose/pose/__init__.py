"""Pose estimation: one module per backend behind one interface; README.md beside this file says how to add one.

`BACKENDS` names the modules; ``pose.backend`` in the configuration chooses. `estimate` makes the table ``keypoints``
with any of them.

The Snakefile imports this package, so it imports what is heavy only when asked for it.
"""

import importlib
import json
import os
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from deidpose.errors import UserError
from deidpose.pose import openpose_ways

if TYPE_CHECKING:
    import pandas as pd

    from deidpose.keypoints import Poses
    from deidpose.pose.interface import Backend
    from deidpose.video import Frame


class Needs(NamedTuple):
    """What has to be there before a backend can run, for the Snakefile, which imports no backend."""

    #: Names in ``config/models.yaml``: fetched by their digests.
    models: tuple[str, ...] = ()
    #: Keys of ``pose.{backend}`` that hold paths of the user's own files and folders, empty where there is none. The
    #: backend gets them among its models as ``{backend}_{key}``.
    files: tuple[str, ...] = ()
    #: Called with ``pose.{backend}``; returns the image of a container to run it in, empty for none.
    container: Callable[[Mapping[str, Any]], str] = lambda _: ""
    #: Called with ``pose.{backend}``; raises `UserError` where something of what it needs is not there.
    check: Callable[[Mapping[str, Any]], None] | None = None
    #: Called with ``pose.{backend}``; returns megabytes, and seconds a frame, that it needs more than BlazePose does by
    #: default.
    cost: Callable[[Mapping[str, Any]], tuple[float, float]] = lambda _: (0.0, 0.0)


def _cost_of_landmarks(settings: Mapping[str, Any]) -> tuple[float, float]:
    """Return what the heavy landmark network costs: 53 MB, 25 to 30 ms a person (measured), for four people."""
    return (80.0, 0.15) if settings["landmarks"] == "heavy" else (0.0, 0.0)


def _cost_of_rtmpose(_: Mapping[str, Any]) -> tuple[float, float]:
    """Return what RTMPose costs for four people: reckoned from the numbers of operations, not measured.

    RTMPose-m has 1.93 thousand million of them and takes 11 ms with four threads (MMPose's table of models), so 44 ms a
    person with one; YOLOX-m has nearly twenty times as many, every half second.
    """
    return 600.0, 0.3


#: Backend, the name of a module of this package -> what it needs.
BACKENDS: dict[str, Needs] = {
    "blazepose": Needs(models=("blazepose_detector", "blazepose_landmarks"), cost=_cost_of_landmarks),
    "openpose": Needs(
        files=openpose_ways.FILES,
        container=openpose_ways.container,
        check=openpose_ways.check,
        cost=openpose_ways.cost,
    ),
    "rtmpose": Needs(models=("rtmpose_detector", "rtmpose_landmarks"), cost=_cost_of_rtmpose),
}


def networks(settings: Mapping[str, Any]) -> dict[str, str]:
    """Return the networks that are needed.

    Parameters
    ----------
    settings : mapping
        ``pose`` of the configuration.

    Returns
    -------
    dict
        Name under which the backend takes the network, as in `BACKENDS` -> entry of ``config/models.yaml``, of which
        the settings may have chosen another than the one of that name.
    """
    chosen = {name: name for name in BACKENDS[settings["backend"]].models}
    size = settings["blazepose"]["landmarks"]
    if settings["backend"] == "blazepose" and size != "full":
        chosen["blazepose_landmarks"] = f"blazepose_landmarks_{size}"
    return chosen


def backend(name: str) -> "Backend":
    """Return the module of a backend, a key of `BACKENDS`."""
    return cast("Backend", importlib.import_module(module_of(name)))


def module_of(name: str) -> str:
    """Return the dotted name of the module of a backend, a key of `BACKENDS`."""
    return f"deidpose.pose.{name}"


def files(settings: Mapping[str, Any]) -> dict[str, str]:
    """Return the user's own files that the chosen backend reads: ``{backend}_{key}`` -> path.

    Parameters
    ----------
    settings : mapping
        ``pose`` of the configuration.

    Raises
    ------
    UserError
        A file is named that is not there, or the backend has nothing to run with.
    """
    name = settings["backend"]
    needs = BACKENDS[name]
    own = settings.get(name, {})
    found = {key: os.path.expanduser(own[key]) for key in needs.files if own[key]}
    for key, path in found.items():
        if not os.path.exists(path):
            raise UserError(f"The setting pose.{name}.{key} names {path}, which does not exist.")
    if needs.check:
        needs.check({**own, **found})
    return {f"{name}_{key}": os.path.abspath(path) for key, path in found.items()}


def container(settings: Mapping[str, Any]) -> str | None:
    """Return the image of the container that the chosen backend is to be run in, None for none; errors as `files`."""
    name = settings["backend"]
    return BACKENDS[name].container(settings.get(name, {})) or None


def told(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``pose`` of the configuration without paths: what a reader of the release may know.

    ``import`` is left out as a whole, for no backend goes by it.
    """
    without = {key: value for key, value in settings.items() if key != "import"}
    for name, needs in BACKENDS.items():
        if needs.files and name in without:
            hidden = {*needs.files, "container"}
            without[name] = {key: value for key, value in without[name].items() if key not in hidden}
    return without


def cost(settings: Mapping[str, Any]) -> tuple[float, float]:
    """Return megabytes, and seconds a frame, that the chosen backend needs more than BlazePose, on one thread."""
    return BACKENDS[settings["backend"]].cost(settings.get(settings["backend"], {}))


def estimate(
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
    following = importlib.import_module("deidpose.pose.following")
    body: Poses = following.estimate(backend(settings["backend"]), frames, frame_rate, models, settings, threads, cuts)
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
        As the backend and `video.read_frames` do.
    """
    if scratch is not None:
        settings = {**settings, "scratch": str(scratch)}
        importlib.import_module("deidpose.pose.scratch").remove(scratch)
    progress, video = importlib.import_module("deidpose.progress"), importlib.import_module("deidpose.video")
    frames = video.read_frames(path, timestamps if is_original else None, threads)
    return estimate(
        watch(progress.followed(frames, len(timestamps))),
        video.frame_rate(timestamps),
        models,
        settings,
        threads,
        frozenset(cuts["frame"]),
    )


def origin(models: Mapping[str, str | Path], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return what poses are estimated with, for the log and the manifest; parameters as `estimate`.

    Returns
    -------
    dict
        ``backend``, ``tracks``, ``licence``, and what the backend's own ``origin`` tells.
    """
    chosen = backend(settings["backend"])
    told_of = {"backend": settings["backend"], "tracks": chosen.TRACKS, "licence": chosen.LICENCE}
    return {**told_of, **chosen.origin(models, settings)}


def one_origin(
    origins: Iterable[Mapping[str, Any]], imported: Mapping[str, Mapping[str, Any]] | None = None
) -> list[dict[str, Any]]:
    """Return the different origins of a study's keypoints.

    Parameters
    ----------
    origins : iterable of mapping
        From `origin`, of what the backend has estimated: every source of every video. They may differ in versions only.
    imported : mapping, optional
        Video -> `origin` of the keypoints that stand in for the backend's in its original. They may differ in versions
        only; the layout is empty where nobody is in them.

    Returns
    -------
    list of dict
        Those of the backend first. Those of imported keypoints have two keys more: ``source``, which is "original",
        and ``videos``.

    Raises
    ------
    UserError
        Some were estimated with other networks, or in another way, than others: what lies between the original and a
        copy could then be either. Or imported keypoints are of several layouts.
    """
    different: list[dict[str, Any]] = []
    for one in origins:
        if dict(one) not in different:
            different.append(dict(one))
    if len(_apart_from(different, "version")) > 1 or any(one["backend"] == "imported" for one in different):
        raise UserError(
            "The keypoints of this study were not all estimated with the same networks in the same way, so that they "
            "cannot be compared: choose one with pose.backend (and pose.openpose.way), remove the folder keypoints "
            "under restricted, and run the workflow again."
        )
    different.sort(key=lambda one: str(one["version"]))
    before: dict[str, dict[str, Any]] = {}
    for video, one in sorted((imported or {}).items()):
        before.setdefault(str(sorted(one.items(), key=str)), {**one, "source": "original", "videos": []})
        before[str(sorted(one.items(), key=str))]["videos"].append(video)
    seen = [one for one in before.values() if one["backend"] != "imported" or one["layout"]]
    if len(_apart_from(seen, "version", "videos")) > 1 or any(one["backend"] != "imported" for one in seen):
        raise UserError(
            "The imported keypoints of this study are not all of one layout, so that its videos cannot be compared: "
            "keep the results of one network under pose.import.folder."
        )
    return different + [before[key] for key in sorted(before)]


def read_imported(paths: Iterable[str | Path]) -> dict[str, dict[str, Any]]:
    """Return the origins of imported keypoints by video, from the files ``{video}_original.json``, for `one_origin`."""
    return {
        Path(path).stem.removesuffix("_original"): json.loads(Path(path).read_text(encoding="utf-8")) for path in paths
    }


def _apart_from(origins: Iterable[Mapping[str, Any]], *keys: str) -> set[str]:
    """Return the different origins as text, without some of their keys."""
    return {str({key: value for key, value in sorted(one.items()) if key not in keys}) for one in origins}


def warning_of_imports(origins: Iterable[Mapping[str, Any]], n_videos: int) -> str:
    """Return what a reader has to know where originals and copies differ in origin; empty where they do not.

    Parameters
    ----------
    origins : iterable of mapping
        From `one_origin`.
    n_videos : int
        Videos of the study.
    """
    before = [one for one in origins if one["backend"] == "imported"]
    if not before:
        return ""
    backend_name = next(one["backend"] for one in origins if one["backend"] != "imported")
    layout = next((one["layout"] for one in before if one["layout"]), "nobody is in them")
    return (
        f"In {sum(len(one['videos']) for one in before)} of {n_videos} videos the keypoints of the original were "
        f"imported ({layout}) and those of the copies are from {backend_name}, so effects there contain the difference "
        "between two networks. It cancels out of the bias net of the control, which has it too. Out of net absolute "
        "differences it does not: they can hide what a mask costs, and call it equivalent."
    )


def own_networks(origins: Iterable[Mapping[str, Any]], known: Collection[str]) -> dict[str, dict[str, str]]:
    """Return what a reader should know of networks that are not in ``config/models.yaml``, from their origins.

    Parameters
    ----------
    origins : iterable of mapping
        From `one_origin`.
    known : collection of str
        Names of networks of which all is known.

    Returns
    -------
    dict
        name -> ``purpose``, ``licence``, ``sha256`` (empty where the file is not known) and ``citation``.
    """
    found: dict[str, dict[str, str]] = {}
    for one in origins:
        purpose = f"finds people and their keypoints, run by {one['version']} ({one.get('way', '')})"
        if one["backend"] == "imported":
            purpose = f"has found the people of {len(one['videos'])} originals before ({one['layout']}, imported)"
        for name, sha256 in (one["models"] or {one["backend"]: ""}).items():
            if name not in known:
                found[name] = {
                    "purpose": purpose,
                    "licence": one["licence"],
                    "sha256": sha256,
                    "citation": one["citation"],
                }
    return found
