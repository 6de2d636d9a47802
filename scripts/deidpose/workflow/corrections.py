"""Read a reviewer's decisions from the table of corrections.

Imports the standard library only, because the Snakefile imports this module and every job on a cluster reads the
Snakefile again.
"""

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from deidpose import labels
from deidpose.errors import UserError
from deidpose.workflow import hand_written_tables

#: Columns of the table; all but the last must be there, see ``config/corrections.schema.yaml``.
COLUMNS: tuple[str, ...] = (
    "video", "first_frame", "last_frame", "x", "y", "width", "height", "action", "reviewer", "note"
)  # fmt: skip
_BOX = COLUMNS[3:7]

#: Action -> what it does, in words for messages.
ACTIONS: dict[str, str] = {
    "mask": "hides a region",
    "unmask": "takes masks away from a region",
    "accept": "takes note of what the audit has found",
    "exclude_video": "leaves the video out",
}


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

    `hand_written_tables.read` says what the file may look like, and ``config/corrections.schema.yaml`` what its
    columns may hold.

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
    rows = hand_written_tables.read(path, "corrections")
    return [_correction(line, row, videos, hand_written_tables.where(line, path, "corrections")) for line, row in rows]


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
        problem = misfit(_as_dict(row), (int(facts["width"]), int(facts["height"])), int(facts["n_frames"]))
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


def released(rows: Iterable[Correction]) -> list[dict[str, Any]]:
    """Return what the manifest says of the decisions: neither notes nor regions."""
    columns = ("video", "first_frame", "last_frame", "action", "reviewer")
    return [{column: getattr(row, column) for column in columns} for row in rows]


def _as_dict(row: Correction) -> dict[str, Any]:
    box = row.box or (None, None, None, None)
    return {
        "action": row.action,
        "first_frame": row.first_frame,
        "last_frame": row.last_frame,
        **dict(zip(labels.BOX, box, strict=True)),
    }


def misfit(row: Mapping[str, Any], size: tuple[int, int], n_frames: int) -> str:
    """Return what of a row does not fit a video; nothing if all of it does."""
    if row["last_frame"] is not None and row["last_frame"] >= n_frames:
        return f"its last frame is {row['last_frame']}, but the video has the frames 0 to {n_frames - 1}"
    if row["x_px"] is not None:
        x, y, width, height = (row[column] for column in labels.BOX)
        if x >= size[0] or y >= size[1] or x + width <= 0 or y + height <= 0:
            return f"its region lies outside the picture of {size[0]} x {size[1]} pixels"
    return ""


def _correction(number: int, row: Mapping[str, str], videos: Collection[str], where: str) -> Correction:
    video, action, reviewer = row["video"], row["action"], row["reviewer"]
    if video not in videos:
        near = hand_written_tables.hint(video, videos)
        raise UserError(
            f"{where} is about the video '{hand_written_tables.shown(video)}', which is not in the study.{near}"
        )
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
