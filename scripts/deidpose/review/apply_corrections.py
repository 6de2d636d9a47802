"""Apply a reviewer's decisions to the tables of the workflow."""

import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from deidpose import tables
from deidpose.boxes import covered_share
from deidpose.errors import UserError
from deidpose.labels import BOX
from deidpose.workflow.corrections import misfit

#: The status of a video that a reviewer has left out, where others are accepted or rejected.
LEFT_OUT = "left out"

#: A region that a person has marked is a rectangle, and the least that a mask guarantees to hide is the ellipse
#: inscribed in its box: a box this many times as large has an ellipse that goes through the corners of the rectangle.
_AROUND_CORNERS = math.sqrt(2)
#: A mask lies in a region when at least this share of its box does.
INSIDE = 0.5


def leave_out(screening: pd.DataFrame, reviewers: Mapping[str, str]) -> pd.DataFrame:
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


def correct_masks(
    faces: pd.DataFrame, rows: Sequence[Mapping[str, Any]], size: tuple[int, int], n_frames: int
) -> pd.DataFrame:
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
    for row in rows:
        problem = misfit(row, size, n_frames)
        if problem:
            raise UserError(f"A correction does not fit its video: {problem}.")
    masks = [row for row in rows if row["action"] == "mask"]
    boxes = faces[BOX].to_numpy(float)
    protected = (faces["origin"] == "manual").to_numpy()
    for row in masks:
        touching = covered_share(boxes, _around_corners(row)[None])[:, 0] > 0
        protected = protected | (_in_range(faces, row) & touching)
    removed = np.zeros(len(faces), bool)
    for row in rows:
        if row["action"] == "unmask":
            chosen = _in_range(faces, row)
            region = np.array([[row[column] for column in BOX]], float)
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


def _drawn(row: Mapping[str, Any], track: int) -> pd.DataFrame:
    """Return the rows of the table ``faces`` for a region that a person has marked."""
    frames = range(row["first_frame"], row["last_frame"] + 1)
    box = dict(zip(BOX, _around_corners(row).tolist(), strict=True))
    return pd.DataFrame({"frame": frames}).assign(track=track, person=-1, **box, score=1.0, origin="manual")


def _in_range(faces: pd.DataFrame, row: Mapping[str, Any]) -> Any:
    return faces["frame"].between(row["first_frame"], row["last_frame"]).to_numpy()


def _around_corners(row: Mapping[str, Any]) -> Any:
    """Return the box, shape (4,), whose inscribed ellipse covers the marked rectangle."""
    x, y, width, height = (float(row[column]) for column in BOX)
    grown = np.array([width, height]) * _AROUND_CORNERS
    return np.concatenate([[x + width / 2, y + height / 2] - grown / 2, grown])
