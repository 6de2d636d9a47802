"""Record which networks keypoints come from, for logs, manifest and report."""

import json
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deidpose.errors import UserError

if TYPE_CHECKING:
    pass
from deidpose.pose.registry import load_backend


def origin(models: Mapping[str, str | Path], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return what poses are estimated with, for the log and the manifest; parameters as `estimate`.

    Returns
    -------
    dict
        ``backend``, ``tracks``, ``licence``, and what the backend's own ``origin`` tells.
    """
    chosen = load_backend(settings["backend"])
    common = {"backend": settings["backend"], "tracks": chosen.TRACKS, "licence": chosen.LICENCE}
    return {**common, **chosen.origin(models, settings)}


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
