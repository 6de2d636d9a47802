"""Find the videos that have existing keypoints in the folder of ``pose.import``, and notice when these change.

Imports the standard library only, because the Snakefile imports it.
"""

import hashlib
import os
import posixpath
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deidpose.errors import UserError
from deidpose.workflow import dataset

#: Files of a folder whose content goes into its fingerprint.
_SAMPLED = 16
_ENDING = "_keypoints.json"


def root(settings: Mapping[str, Any]) -> str:
    """Return the folder with the keypoints from before, empty for none; ``pose`` of the configuration."""
    return os.path.expanduser(str(settings["import"]["folder"]))


def public_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``pose.import`` of the configuration without its path: what a reader of the release may know."""
    return {key: value for key, value in settings["import"].items() if key != "folder"}


def within(settings: Mapping[str, Any], directory: str | Path) -> list[str]:
    """Return the folder with the keypoints if it lies inside a dataset, which is then not searched for videos there."""
    folder, above = os.path.realpath(root(settings)), os.path.realpath(os.path.expanduser(directory))
    return [folder] if root(settings) and folder != above and Path(folder).is_relative_to(above) else []


def find(settings: Mapping[str, Any], videos: Mapping[str, str], directory: str | Path) -> dict[str, str]:
    """Return where the files of each video are that has any.

    The folder is laid out like the dataset. The files of ``a/b/walk.mp4`` are in ``a/b/walk``, in ``a/b/walk.mp4``, or
    in ``a/b/walk_json``.

    Parameters
    ----------
    settings : mapping
        ``pose`` of the configuration.
    videos : mapping
        id -> path, from `dataset.scan`.
    directory : path
        The dataset.

    Returns
    -------
    dict
        id -> path inside the folder. Links are followed, as in the dataset.

    Raises
    ------
    UserError
        The folder is not there, has nothing of any video, or has something that could be of several videos, or several
        things that could be of one.
    """
    if not root(settings):
        return {}
    if not os.path.isdir(root(settings)):
        raise UserError(f"The setting pose.import.folder names {root(settings)}, which is not a directory.")
    top = os.path.expanduser(directory)
    sources = {os.path.relpath(path, top): video for video, path in videos.items()}
    # Folders that are there because videos are in them, whatever else they hold.
    parents = {parent for source in sources for parent in _parents(source)}
    listed: dict[str, frozenset[str]] = {}
    found: dict[str, str] = {}
    taken: dict[str, str] = {}
    for source, video in sources.items():
        inside, name = posixpath.split(source)
        if inside not in listed:
            listed[inside] = _folders(os.path.join(root(settings), inside))
        stem = os.path.splitext(name)[0]
        candidates = [posixpath.join(inside, one) for one in (name, stem, f"{stem}_json") if one in listed[inside]]
        candidates = [one for one in candidates if one not in parents or _has_results(root(settings), one)]
        if len(candidates) > 1:
            raise UserError(
                f"Under pose.import.folder, {candidates[0]} and {candidates[1]} can both be of the video {source}: "
                "leave one of them there."
            )
        for folder in candidates:
            if folder in taken:
                raise UserError(
                    f"Under pose.import.folder, {folder} can be of the videos {taken[folder]} and {source}: give it "
                    "the whole name of its video, with its ending."
                )
            taken[folder] = source
            found[video] = folder
    if not found:
        raise UserError(
            f"The setting pose.import.folder names {root(settings)}, which has a folder of no video: the files of "
            "a/walk.mp4 are to be in a/walk, a/walk.mp4 or a/walk_json there."
        )
    return found


def fingerprint(settings: Mapping[str, Any], folder: str) -> str:
    """Return a cheap identity of the files of one video: their names, and size and content of some of them.

    Like `dataset.fingerprint` it stays when they are copied. A change in a single file in between is not seen.

    Parameters
    ----------
    settings : mapping
        ``pose`` of the configuration.
    folder : str
        From `find`.
    """
    path = os.path.join(root(settings), folder)
    try:
        names = sorted(name for name in os.listdir(path) if name.endswith(_ENDING))
    except OSError:
        return ""
    digest = hashlib.sha256(os.fsencode("\0".join(names)))
    places = sorted({round(number * (len(names) - 1) / (_SAMPLED - 1)) for number in range(_SAMPLED)} if names else ())
    for place in places:
        digest.update(f"\n{dataset.fingerprint(os.path.join(path, names[place]))}".encode())
    return f"{len(names)}-{digest.hexdigest()}"


def _parents(source: str) -> list[str]:
    parents = []
    while source := posixpath.dirname(source):
        parents.append(source)
    return parents


def _folders(path: str) -> frozenset[str]:
    """Return the names of the folders in a folder; nothing where it is not there."""
    try:
        with os.scandir(path) as entries:
            return frozenset(entry.name for entry in entries if entry.is_dir())
    except (FileNotFoundError, NotADirectoryError):
        return frozenset()
    except OSError as error:
        raise _unreadable(error) from None


def _has_results(top: str, folder: str) -> bool:
    try:
        with os.scandir(os.path.join(top, folder)) as entries:
            return any(entry.name.endswith(_ENDING) for entry in entries)
    except OSError as error:
        raise _unreadable(error) from None


def _unreadable(error: OSError) -> UserError:
    """Return what to say of a folder that cannot be read: not its name, which may be a source's."""
    return UserError(f"A folder under pose.import.folder cannot be read: {error.strerror}.")
