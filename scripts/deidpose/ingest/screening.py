"""Screen a source video: decide whether it can be used, and say why not."""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from deidpose import tables
from deidpose.errors import UserError
from deidpose.ingest.examine import Limits
from deidpose.runtime import sandbox
from deidpose.video import decode
from deidpose.video.frames import Frame

NO_PERSON = "The first frame shows no person."


def screen(
    path: str | Path,
    limits: Mapping[str, Any],
    scratch: str | Path,
    shows_person: Callable[[Frame], bool],
    threads: int = 1,
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Decode a source video to its end, and try what every later step relies on.

    The source is read in a process of its own, so that no content can hang or end this one.

    Parameters
    ----------
    path : path
        The source video.
    limits : mapping
        ``screen`` of the configuration.
    scratch : path
        A file that is written and removed again: the trial of the copy that `remux.remux` will make.
    shows_person : callable
        Gets the first frame and says whether anybody is in it. Pose estimation comes after this step, so the caller
        brings it along.
    threads : int

    Returns
    -------
    row : dict
        The columns of the table ``screening`` but for ``video``; ``status`` is accepted or rejected.
    timestamps : DataFrame
        The table ``timestamps``, empty when rejected.
    """
    try:
        found = examine(path, limits, scratch, threads)
        facts, timestamps = found["facts"], pd.DataFrame(found["timestamps"])
    except UserError as error:
        facts, timestamps = {"reason": str(error)}, pd.DataFrame()
    try:
        if "reason" not in facts:
            first = next(decode.read_frames(scratch, timestamps))
            facts["remark"] = "" if shows_person(first) else NO_PERSON
    finally:
        for ending in ("", ".partial", ".mp4", ".mp4.partial"):
            Path(f"{scratch}{ending}").unlink(missing_ok=True)
    rejected = "reason" in facts
    row = {column: facts.get(column) for column in tables.TABLES["screening"] if column != "video"}
    row["status"] = "rejected" if rejected else "accepted"
    row["reason"] = facts["reason"] if rejected else facts["remark"]
    logging.info("%s. %s", row["status"], row["reason"])
    return row, tables.empty("timestamps") if rejected else timestamps


def examine(path: str | Path, limits: Mapping[str, Any], scratch: str | Path, threads: int) -> dict[str, Any]:
    """Call `examine.examine` in a child process; parameters as `screen`, the result as there.

    Raises
    ------
    UserError
        As `sandbox.run` does.
    """
    arguments = {
        "path": str(path),
        "limits": Limits(
            round(limits["max_file_gb"] * 1e9),
            round(limits["max_megapixels"] * 1e6),
            limits["max_duration_minutes"] * 60,
            limits["max_frames"],
        ),
        "scratch": str(scratch),
        "threads": threads,
    }
    return dict(sandbox.run("deidpose.ingest.examine:examine", arguments, sandbox.bounds(path, limits)))
