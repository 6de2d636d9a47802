"""Whether a source video can be used: what `video.screen` finds, and whether its pictures copy and show a person."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from deidpose import pose, tables, video
from deidpose.errors import UserError

NO_PERSON = "The first frame shows no person."


def screen(
    path: str | Path,
    limits: Mapping[str, Any],
    models: Mapping[str, str],
    pose_settings: Mapping[str, Any],
    scratch: str | Path,
    threads: int = 1,
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Decode a source video to its end, and try what every later step relies on.

    Parameters
    ----------
    path : path
        The source video.
    limits : mapping
        ``screen`` of the configuration: max_file_gb, max_megapixels, max_duration_minutes, max_frames.
    models, pose_settings : mapping
        Networks and settings of the pose backend, which looks for a person in the first frame.
    scratch : path
        A file that is written and removed again: the trial of the copy that `video.remux` will make.
    threads : int

    Returns
    -------
    row : dict
        The columns of the table ``screening`` but for ``video``; ``status`` is accepted or rejected.
    timestamps : DataFrame
        The table ``timestamps``, empty when rejected.
    """
    bounds = video.Limits(
        round(limits["max_file_gb"] * 1e9),
        round(limits["max_megapixels"] * 1e6),
        limits["max_duration_minutes"] * 60,
        limits["max_frames"],
    )
    facts, timestamps = video.screen(path, bounds, threads)
    if "reason" not in facts:
        try:
            timestamps = video.remux(path, timestamps, scratch)
            first = next(video.read_frames(scratch, timestamps))
            facts["remark"] = (
                ""
                if len(pose.backend(pose_settings["backend"]).estimate([first], 1.0, models, pose_settings, threads))
                else NO_PERSON
            )
        except UserError as error:
            facts["reason"] = str(error)
        finally:
            Path(scratch).unlink(missing_ok=True)
    rejected = "reason" in facts
    row = {column: facts.get(column) for column in tables.TABLES["screening"] if column != "video"}
    row["status"] = "rejected" if rejected else "accepted"
    row["reason"] = facts["reason"] if rejected else facts["remark"]
    logging.info("%s. %s", row["status"], row["reason"])
    return row, tables.empty("timestamps") if rejected else timestamps
