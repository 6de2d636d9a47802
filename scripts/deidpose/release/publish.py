"""Publish the release: build it beside its place from audited files only, then move it there in one step."""

import json
import os
import shutil
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from deidpose.digests import file_sha256
from deidpose.errors import UserError

#: Named outputs of earlier steps -> the folder of the release that they go to, under their own name.
_FOLDERS = {
    "keypoints": "keypoints",
    "angles": "angles",
    "movements": "movements",
    "identities": "identities",
    "effects": "effects",
    "keypoint_effects": "keypoint_effects",
    "interchange": "interchange",
    "audits": "privacy",
    "sanitizing": "privacy",
    "study": "study",
    "figures": "study/figures",
    "pictures": "study/figures",
    "traces": "study/traces",
    "report": "",
    "payloads": "report",
}


def documents(inputs: Mapping[str, Any], restricted: Path, beside: Collection[str]) -> dict[str, Path]:
    """Return what is released whatever the audit says, for it holds no picture: place in the release -> file.

    Parameters
    ----------
    inputs : mapping
        Named paths of files and folders of this study; names that are not of documents are passed over.
    restricted : path
        Folder that they all have to be in.
    beside : collection of str
        Names of the payloads of the report that go out beside its page; the others are inside it.

    Raises
    ------
    UserError
        A path lies elsewhere.
    """
    placed: dict[str, Path] = {}
    for name, folder in _FOLDERS.items():
        paths = [inputs[name]] if isinstance(inputs[name], str) else inputs[name]
        if name == "payloads":
            paths = [path for path in paths if Path(path).name in beside]
        for path in map(Path, paths):
            # Snakemake leaves a hidden file with the time of the job in every folder that a job has made.
            inside = sorted(file for file in path.iterdir() if not file.name.startswith(".")) if path.is_dir() else []
            files = {f"{path.name}/{file.name}": file for file in inside} if path.is_dir() else {path.name: path}
            for place, file in files.items():
                if not file.resolve().is_relative_to(restricted.resolve()):
                    raise UserError(
                        f"A file to be released as {name} does not come from this study; nothing was released."
                    )
                placed[f"{folder}/{place}".lstrip("/")] = file
    return placed


def publish(
    restricted: Path,
    release: Path,
    screening: pd.DataFrame,
    audits: Sequence[Mapping[str, Any]],
    placed: Mapping[str, Path],
    made_with: Mapping[str, Any],
) -> None:
    """Fill the release with the documents and with the videos that the audit has passed, and write its manifest.

    Parameters
    ----------
    restricted, release : path
        Folders of the results, on one file system. An earlier release is replaced as a whole.
    screening : DataFrame
        The table ``screening``; videos that a reviewer has left out are marked by `apply_corrections.leave_out`.
    audits : sequence of dict
        What `verdict.audit_video` has found, with ``video``, ``method`` and the ``sha256`` of the audited file, after
        `verdicts.apply_proofs`.
    placed : mapping
        From `documents`.
    made_with : mapping
        ``settings`` (without paths), ``corrections`` (from `corrections.released`), ``models``, ``poses`` and
        ``versions``, for the manifest.

    Raises
    ------
    UserError
        A masked video is not the one that was audited. The earlier release, if any, stays as it is.
    """
    staging, retired = restricted / "release.staging", restricted / "release.retired"
    if retired.exists() and not _holds_files(release):
        # An earlier run was killed between its two renames; Snakemake has since made an empty folder.
        shutil.rmtree(release, ignore_errors=True)
        os.replace(retired, release)
    for folder in (staging, retired):
        if folder.exists():
            shutil.rmtree(folder)
    # What may go out is named, and not what may not: a verdict that nobody has thought of stays in.
    free = {"pass", "review"} - set(made_with["settings"]["audit"]["withhold"])
    withheld = []
    videos: dict[str, Path] = {}
    digests: dict[str, str] = {}
    for audit in audits:
        stem = f"{audit['video']}_{audit['method']}"
        pair = {
            f"videos/{stem}.mp4": restricted / "masked" / f"{stem}.mp4",
            f"videos/{stem}_skeleton.mp4": restricted / "skeleton" / f"{stem}_skeleton.mp4",
        }
        if audit["verdict"] not in free:
            withheld += [{"file": place, "verdict": audit["verdict"], "reason": audit["reason"]} for place in pair]
            continue
        digests[f"videos/{stem}.mp4"] = audit["sha256"]
        digests[f"videos/{stem}_skeleton.mp4"] = audit["skeleton_sha256"]
        videos |= pair
    files = {}
    for place, source in sorted({**placed, **videos}.items()):
        target = staging / place
        target.parent.mkdir(parents=True, exist_ok=True)
        _link(source, target)
        files[place] = file_sha256(target)
        if place in digests and files[place] != digests[place]:
            shutil.rmtree(staging)
            raise UserError(f"{Path(place).name} has changed since its audit; run the workflow again.")
    manifest = {
        "files": files,
        "withheld": withheld,
        "videos": _videos(screening),
        **made_with,
    }
    (staging / "manifest.json").write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    found = {path.relative_to(staging).as_posix() for path in staging.rglob("*") if path.is_file()}
    if found != {*files, "manifest.json"}:
        raise UserError("The folder of the new release holds files that do not belong there; nothing was released.")
    # Two renames: at every moment the release is the old one, missing, or the new one, and always whole.
    if release.exists():
        os.replace(release, retired)
    os.replace(staging, release)
    shutil.rmtree(retired, ignore_errors=True)


def _holds_files(folder: Path) -> bool:
    return any(path.is_file() for path in folder.rglob("*"))


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        shutil.copyfile(source, target)


def _videos(screening: pd.DataFrame) -> list[dict[str, str]]:
    columns: Iterable[str] = ("video", "status", "reason")
    return [{str(key): str(value) for key, value in row.items()} for row in screening[list(columns)].to_dict("records")]
