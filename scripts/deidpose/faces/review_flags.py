"""List what a person should check in the masks of one video: a row for each range of frames, with the reason."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from deidpose import tables
from deidpose.labels import BOX

#: A track whose centre stays within this many box sides for its whole life, at least so long, never moves.
_STILL_SIDES = 0.5
_STILL_S = 1.0
#: Heads masked by the skeleton alone are listed when no face is detected on them for this long.
_LONG_WITHOUT_FACE_S = 1.0

#: Reasons by kind and case.
REASONS = {
    "pattern": "looks like a face on a body, but larger than the head of that body: not masked",
    "leg": "looks like a face, but keeps to somebody's knee or foot: not masked",
    "glimpse": "large, briefly like a face to the detector, and no body there: not masked",
    "back": "a head seen from behind, its face not seen nearby in time: not masked",
    "phantom": "a skeleton inside the body of somebody else, and no face is ever detected on it: not masked",
    "nothing": "a person is seen, but no keypoint is sure enough to place the head: not masked",
    "body": "a person is seen, but neither head nor neck: the upper body is masked",
    "unsure": "the detector was never sure of this face: masked",
    "still": "never moves, and no body is there, so it may be no face: masked",
    "alone": "no body is there, so it may be no face: masked",
    "skeleton": "a head placed by the skeleton, no face detected on it: masked",
    "cut": "the scene changes here, and nothing is carried over",
}


def find_review_flags(
    faces: pd.DataFrame,
    heads: pd.DataFrame,
    unmasked: Sequence[tuple[str, pd.DataFrame]],
    cuts: pd.DataFrame,
    frame_rate: float,
    size: tuple[int, int],
    settings: Mapping[str, Any],
) -> pd.DataFrame:
    """List what a person should look at.

    Parameters
    ----------
    faces, heads, cuts : DataFrame
        The tables of those names.
    unmasked : sequence of (str, DataFrame)
        Everything that was seen and not masked: case (a key of `REASONS`), and rows with the columns frame, track,
        person, box and score.
    frame_rate : float
    size : tuple of int
        Width and height of the picture, in pixels.
    settings : mapping
        ``faces`` of the configuration: track_score.

    Returns
    -------
    DataFrame
        The table ``review``, the most urgent kinds first.
    """
    whole = dict(zip(BOX, (0.0, 0.0, *map(float, size)), strict=True))
    bodies = heads[heads["placed_by"] == "body"].assign(track=-1)
    shots = cuts.assign(track=-1, person=-1, score=0.0, **whole)
    by_track = faces.groupby("track", sort=True)
    tracks = {int(str(number)): rows for number, rows in by_track}
    listed = [_runs("not_masked", case, rows) for case, rows in unmasked]
    listed.append(_runs("no_head", "body", bodies))
    for kind, chosen in {
        "unsure": {n: "unsure" for n, rows in tracks.items() if _is_unsure(rows, settings["track_score"])},
        "unsupported": {n: _unsupported_case(rows, frame_rate) for n, rows in tracks.items() if _is_unsupported(rows)},
        "no_face": {n: "skeleton" for n, rows in tracks.items() if (rows["origin"] == "pose").all()},
    }.items():
        for number, case in chosen.items():
            runs = _runs(kind, case, tracks[number])
            if kind == "no_face":
                runs = runs[runs["last_frame"] - runs["first_frame"] + 1 >= _LONG_WITHOUT_FACE_S * frame_rate]
            listed.append(runs)
    listed += [_runs("cut", "cut", shots.iloc[[index]]) for index in range(len(shots))]
    return tables.check(pd.concat([tables.empty("review"), *(rows for rows in listed if len(rows))]), "review")


def unplaced(review: pd.DataFrame) -> int:
    """Return in how many frames, by the table ``review``, somebody is seen whose head could not be placed."""
    rows = review[review["reason"] == REASONS["nothing"]]
    spans = rows[["first_frame", "last_frame"]].to_numpy(int).tolist()
    return len({frame for first, last in spans for frame in range(first, last + 1)})


def _is_unsure(rows: pd.DataFrame, track_score: float) -> bool:
    return bool((rows["origin"] == "detected").any() and rows["score"].max() < track_score)


def _is_unsupported(rows: pd.DataFrame) -> bool:
    return bool((rows["person"] < 0).all() and (rows["origin"] == "detected").any())


def _unsupported_case(rows: pd.DataFrame, frame_rate: float) -> str:
    boxes = rows[BOX].to_numpy(float)
    centre = boxes[:, :2] + boxes[:, 2:] / 2
    still = (centre.max(axis=0) - centre.min(axis=0)).max() <= _STILL_SIDES * boxes[:, 2:].max()
    return "still" if still and len(rows) >= _STILL_S * frame_rate else "alone"


def _runs(kind: str, case: str, rows: pd.DataFrame) -> pd.DataFrame:
    """Return the table ``review`` with one row for every unbroken run of frames of every track and person."""
    listed = []
    for (track, person), mine in rows.groupby(["track", "person"], sort=True):
        mine = mine.sort_values("frame", kind="stable")
        run = (mine["frame"].diff() > 1).cumsum()
        for _, part in mine.groupby(run.to_numpy(), sort=True):
            shown = part.iloc[int(np.argmax(part["score"].to_numpy()))]
            listed.append(
                {
                    "kind": kind,
                    "first_frame": part["frame"].iloc[0],
                    "last_frame": part["frame"].iloc[-1],
                    "frame": shown["frame"],
                    "track": track,
                    "person": person,
                    **{side: shown[side] for side in BOX},
                    "score": shown["score"],
                    "reason": REASONS[case],
                }
            )
    return pd.DataFrame(listed, columns=list(tables.TABLES["review"]))
