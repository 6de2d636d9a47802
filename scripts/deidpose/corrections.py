"""Decisions of a person who has looked at the videos: read from a table, checked, and brought into the masks.

Imports the standard library only, because the Snakefile imports this module and every job on a cluster reads the
Snakefile again; what works on tables of pandas imports it when it is called.
"""

import logging
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from deidpose import tsv_tables
from deidpose.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

#: Columns of the table; all but the last must be there, see ``config/corrections.schema.yaml``.
COLUMNS: tuple[str, ...] = (
    "video", "first_frame", "last_frame", "x", "y", "width", "height", "action", "reviewer", "note"
)  # fmt: skip
_BOX = COLUMNS[3:7]
#: The same four in the tables of the workflow.
_BOX_COLUMNS = ("x_px", "y_px", "width_px", "height_px")

#: Action -> what it does, in words for messages.
ACTIONS: dict[str, str] = {
    "mask": "hides a region",
    "unmask": "takes masks away from a region",
    "accept": "takes note of what the audit has found",
    "exclude_video": "leaves the video out",
}

#: The status of a video that a reviewer has left out, where others are accepted or rejected.
LEFT_OUT = "left out"

#: A region that a person has marked is a rectangle, and the least that a mask guarantees to hide is the ellipse
#: inscribed in its box: a box this many times as large has an ellipse that goes through the corners of the rectangle.
_AROUND_CORNERS = math.sqrt(2)
#: A mask lies in a region when at least this share of its box does.
INSIDE = 0.5


class Correction(NamedTuple):
    """One decision: ``box`` is x, y, width, height in pixels of the upright picture, None for the whole picture.

    ``first_frame`` and ``last_frame`` (which counts) are None for ``exclude_video``. Notes are not kept: they may hold
    names, and what was never read cannot be released.
    """

    line: int
    video: str
    first_frame: int | None
    last_frame: int | None
    box: tuple[float, float, float, float] | None
    action: str
    reviewer: str


def read(path: str | Path, videos: Collection[str]) -> list[Correction]:
    """Return the rows of a table of corrections.

    `tsv_tables.read` says what the file may look like, and ``config/corrections.schema.yaml`` what its columns may
    hold.

    Parameters
    ----------
    path : path
        ``~`` is expanded. Empty for no corrections.
    videos : collection of str
        The ids of the study.

    Raises
    ------
    UserError
        The table cannot be read or a row cannot be meant as it is written; the sentence names the line.
    """
    if not path:
        return []
    rows = tsv_tables.read(path, "corrections")
    return [_correction(line, row, videos, tsv_tables.where(line, path, "corrections")) for line, row in rows]


def usable(rows: Iterable[Correction], screening: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Return the videos that can be used and that no reviewer has left out, in the order of the screening.

    Parameters
    ----------
    rows : iterable of Correction
        Each is compared with its video, now that it is known how large and how long that is.
    screening : mapping
        Video -> ``status``, ``width``, ``height`` and ``n_frames``, as `resources.read_screening` gives them.

    Raises
    ------
    UserError
        A row names frames that its video has not, or a region outside its picture.
    """
    accepted_videos = {video: facts for video, facts in screening.items() if facts["status"] == "accepted"}
    left_out = set()
    for row in rows:
        facts = accepted_videos.get(row.video)
        if facts is None:
            continue
        problem = _misfit(_as_dict(row), (int(facts["width"]), int(facts["height"])), int(facts["n_frames"]))
        if problem:
            raise UserError(f"Line {row.line} of the table of corrections does not fit its video: {problem}.")
        if row.action == "exclude_video":
            left_out.add(row.video)
    return [video for video in accepted_videos if video not in left_out]


def of_masks(rows: Iterable[Correction], video: str) -> list[dict[str, Any]]:
    """Return what `apply` needs of one video's rows: a change of anything else reruns no mask."""
    return [_as_dict(row) for row in rows if row.video == video and row.action in ("mask", "unmask")]


def accepted(rows: Iterable[Correction], video: str) -> list[dict[str, Any]]:
    """Return what a reviewer has accepted in one video, for the verdict of its audits.

    Returns
    -------
    list of dict
        ``first_frame``, ``last_frame`` (which counts), and ``x_px``, ``y_px``, ``width_px``, ``height_px``: the region
        in pixels, or None each for the whole picture.
    """
    return [
        {key: value for key, value in _as_dict(row).items() if key != "action"}
        for row in rows
        if row.video == video and row.action == "accept"
    ]


def excluded(rows: Iterable[Correction]) -> dict[str, str]:
    """Return video -> reviewers of the videos that are left out."""
    reviewers: dict[str, dict[str, None]] = {}
    for row in rows:
        if row.action == "exclude_video":
            reviewers.setdefault(row.video, {})[row.reviewer] = None
    return {video: ", ".join(names) for video, names in reviewers.items()}


def leave_out(screening: "pd.DataFrame", reviewers: Mapping[str, str]) -> "pd.DataFrame":
    """Return the table ``screening`` with the status and the reason of videos that a reviewer has left out.

    Parameters
    ----------
    screening : DataFrame
        Left as it is.
    reviewers : mapping
        From `excluded`. Videos that were rejected anyway stay rejected.
    """
    left_out = screening["video"].isin(list(reviewers)) & (screening["status"] == "accepted")
    reasons = screening["video"].map(lambda video: f"Left out by a reviewer ({reviewers.get(video, '')}).")
    return screening.assign(
        status=screening["status"].mask(left_out, LEFT_OUT), reason=screening["reason"].mask(left_out, reasons)
    )


def released(rows: Iterable[Correction]) -> list[dict[str, Any]]:
    """Return what the manifest says of the decisions: neither notes nor regions."""
    columns = ("video", "first_frame", "last_frame", "action", "reviewer")
    return [{column: getattr(row, column) for column in columns} for row in rows]


def apply(
    faces: "pd.DataFrame", rows: Sequence[Mapping[str, Any]], size: tuple[int, int], n_frames: int
) -> "pd.DataFrame":
    """Bring a person's decisions into what is masked.

    Whatever is in doubt stays masked:

    - ``mask`` hides the whole of the marked rectangle, whatever the shape of the masks: the box is made larger.
      Nothing takes it away again.
    - ``unmask`` takes away the masks of a track only if, in every frame of the range in which the track has one, at
      least half of its box lies in the region: somebody who walks through stays masked.
    - ``unmask`` leaves a mask alone that touches, in the same frame, a region that a ``mask`` hides.

    Parameters
    ----------
    faces : DataFrame
        The table ``faces``. Left as it is.
    rows : sequence of mappings
        From `of_masks`, in any order: the result does not depend on it but for the numbers of new tracks.
    size : tuple of int
        Width and height of the picture, in pixels.
    n_frames : int
        Length of the video.

    Returns
    -------
    DataFrame
        The table ``faces``, with rows of origin ``manual`` for every ``mask``. The same table if there are no rows.

    Raises
    ------
    UserError
        A row names frames that the video has not, or a region outside the picture.
    """
    if not rows:
        return faces
    import numpy as np
    import pandas as pd

    from deidpose import tables
    from deidpose.faces import covered_share

    for row in rows:
        problem = _misfit(row, size, n_frames)
        if problem:
            raise UserError(f"A correction does not fit its video: {problem}.")
    masks = [row for row in rows if row["action"] == "mask"]
    boxes = faces[list(_BOX_COLUMNS)].to_numpy(float)
    protected = (faces["origin"] == "manual").to_numpy()
    for row in masks:
        touching = covered_share(boxes, _around_corners(row)[None])[:, 0] > 0
        protected = protected | (_in_range(faces, row) & touching)
    removed = np.zeros(len(faces), bool)
    for row in rows:
        if row["action"] == "unmask":
            chosen = _in_range(faces, row)
            region = np.array([[row[column] for column in _BOX_COLUMNS]], float)
            passing = faces.loc[chosen & (covered_share(boxes, region)[:, 0] < INSIDE), "track"]
            chosen = chosen & ~faces["track"].isin(passing).to_numpy() & ~protected
            if not chosen.any():
                frames = (row["first_frame"], row["last_frame"])
                logging.warning("The correction unmask of frames %d to %d takes no mask away.", *frames)
            removed = removed | chosen
    first_track = int(faces["track"].max()) + 1 if len(faces) else 0
    parts = [faces[~removed], *(_drawn(row, track) for track, row in enumerate(masks, first_track))]
    corrected = pd.concat([part for part in parts if len(part)] or parts)
    return tables.check(corrected.sort_values(["frame", "track"], kind="stable"), "faces")


def _drawn(row: Mapping[str, Any], track: int) -> "pd.DataFrame":
    """Return the rows of the table ``faces`` for a region that a person has marked."""
    import pandas as pd

    frames = range(row["first_frame"], row["last_frame"] + 1)
    box = dict(zip(_BOX_COLUMNS, _around_corners(row).tolist(), strict=True))
    return pd.DataFrame({"frame": frames}).assign(track=track, person=-1, **box, score=1.0, origin="manual")


def _in_range(faces: "pd.DataFrame", row: Mapping[str, Any]) -> Any:
    return faces["frame"].between(row["first_frame"], row["last_frame"]).to_numpy()


def _around_corners(row: Mapping[str, Any]) -> Any:
    """Return the box, shape (4,), whose inscribed ellipse covers the marked rectangle."""
    import numpy as np

    x, y, width, height = (float(row[column]) for column in _BOX_COLUMNS)
    grown = np.array([width, height]) * _AROUND_CORNERS
    return np.concatenate([[x + width / 2, y + height / 2] - grown / 2, grown])


def _as_dict(row: Correction) -> dict[str, Any]:
    box = row.box or (None, None, None, None)
    return {
        "action": row.action,
        "first_frame": row.first_frame,
        "last_frame": row.last_frame,
        **dict(zip(_BOX_COLUMNS, box, strict=True)),
    }


def _misfit(row: Mapping[str, Any], size: tuple[int, int], n_frames: int) -> str:
    """Return what of a row does not fit a video; nothing if all of it does."""
    if row["last_frame"] is not None and row["last_frame"] >= n_frames:
        return f"its last frame is {row['last_frame']}, but the video has the frames 0 to {n_frames - 1}"
    if row["x_px"] is not None:
        x, y, width, height = (row[column] for column in _BOX_COLUMNS)
        if x >= size[0] or y >= size[1] or x + width <= 0 or y + height <= 0:
            return f"its region lies outside the picture of {size[0]} x {size[1]} pixels"
    return ""


def _correction(number: int, row: Mapping[str, str], videos: Collection[str], where: str) -> Correction:
    video, action, reviewer = row["video"], row["action"], row["reviewer"]
    if video not in videos:
        near = tsv_tables.hint(video, videos)
        raise UserError(f"{where} is about the video '{tsv_tables.shown(video)}', which is not in the study.{near}")
    given = [name for name in COLUMNS[1:7] if row[name]]
    if action == "exclude_video":
        if given:
            raise UserError(f"{where} leaves out the whole video, so {', '.join(given)} must be empty.")
        return Correction(number, video, None, None, None, action, reviewer)
    missing = [name for name in COLUMNS[1:3] if not row[name]]
    if missing:
        raise UserError(f"{where} {ACTIONS[action]}, so it needs the number of a frame as {' and as '.join(missing)}.")
    first, last = (int(row[name]) for name in COLUMNS[1:3])
    if first > last:
        raise UserError(f"{where} begins at frame {first}, after its end at frame {last}.")
    missing = [name for name in _BOX if not row[name]]
    if missing and (action != "accept" or len(missing) < len(_BOX)):
        rest = ", or of all four for the whole picture" if action == "accept" else ""
        raise UserError(f"{where} {ACTIONS[action]}, so it needs a value of {', '.join(missing)}{rest}.")
    box = None if missing else _region(row, where)
    return Correction(number, video, first, last, box, action, reviewer)


def _region(row: Mapping[str, str], where: str) -> tuple[float, float, float, float]:
    x, y, width, height = (float(row[name]) for name in _BOX)
    if width <= 0 or height <= 0:
        raise UserError(f"{where} has a region without extent: width and height must be above 0.")
    return x, y, width, height
