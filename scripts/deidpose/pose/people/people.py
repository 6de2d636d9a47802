"""List the people of a video: the likeliest patient, the token that names each person, and who is left visible."""

import hashlib
from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from deidpose import skeleton, tables
from deidpose.errors import UserError
from deidpose.keypoints import Poses
from deidpose.labels import BOX

#: Cells across the longer side of the picture in which a path is noted for a token: finer than a body is wide, and
#: coarse enough that the last digits of a position, in which processors differ, hardly ever count.
_CELLS = 32
_TOKEN_DIGITS = 6


def list_people(keypoints: Poses, size: tuple[int, int], n_frames: int, patient: str = "") -> pd.DataFrame:
    """List everybody who is seen in a video, and say who is taken for the patient.

    The patient is, as in SecurePose, the largest, longest and most central person: the one with the largest product
    of three shares, the median height over the height of the picture, the frames in which the person is seen over
    all frames, and the centrality. All three are needed, so none of them has a weight.

    Parameters
    ----------
    keypoints : Poses
        The table ``keypoints`` of the original.
    size : tuple of int
        Width and height of the picture, in pixels.
    n_frames : int
        Length of the video.
    patient : str
        The token of the patient, if a person has named one.

    Returns
    -------
    DataFrame
        The table ``people``, by person. People of whom no keypoint is ever seen are not listed. The heights are of the
        box around all BODY_25 keypoints that are seen; centrality is the mean over frames of 1 minus the distance of
        the middle of that box from the middle of the picture, over half the picture's width or height, whichever is
        larger, and 0 beyond the edge.

    Raises
    ------
    UserError
        Nobody has the token of the patient.
    """
    boxes = body_boxes(keypoints)
    middle = np.array(size) / 2
    centres = boxes[["x_px", "y_px"]].to_numpy() + boxes[["width_px", "height_px"]].to_numpy() / 2
    away = (np.abs(centres - middle) / middle).max(axis=1, initial=0)
    boxes = boxes.assign(centrality=np.clip(1 - away, 0, 1))
    rows = []
    for person, seen in boxes.groupby("person", sort=True):
        rows.append(
            {
                "person": person,
                "first_frame": seen["frame"].iloc[0],
                "last_frame": seen["frame"].iloc[-1],
                "n_frames": len(seen),
                "height_px": seen["height_px"].median(),
                "centrality": seen["centrality"].mean(),
                "patient": False,
                "token": token(int(str(person)), seen, size),
            }
        )
    people = tables.check(pd.DataFrame(rows), "people") if rows else tables.empty("people")
    if patient:
        people["patient"] = people["person"].isin(named(people, [patient], "patient"))
    elif len(people):
        score = people["height_px"] / size[1] * (people["n_frames"] / n_frames) * people["centrality"]
        people["patient"] = people.index == score.idxmax()
    return tables.check(people, "people")


def body_boxes(body: Poses) -> pd.DataFrame:
    """Return the box around all BODY_25 keypoints that are seen, in pixels: a row for each person and frame, in order.

    Columns are person, frame, x_px, y_px, width_px, height_px.
    """
    order = np.lexsort((body.frame, body.person))
    position = body.position[:, : len(skeleton.BODY_25)]
    seen: NDArray[np.bool_] = np.isfinite(position.sum(axis=2))
    order = order[seen[order].any(axis=1)]
    low = np.where(seen[..., None], position, np.inf).min(axis=1)[order]
    sides = np.where(seen[..., None], position, -np.inf).max(axis=1)[order] - low
    corner = {"x_px": low[:, 0], "y_px": low[:, 1], "width_px": sides[:, 0], "height_px": sides[:, 1]}
    return pd.DataFrame({"person": body.person[order], "frame": body.frame[order], **corner})


def token(person: int, boxes: pd.DataFrame, size: tuple[int, int]) -> str:
    """Return the name of a person in tables: the number, and a digest of the path.

    Numbers are given anew whenever poses are estimated anew. The digest changes with the path, so that a token of
    before then names nobody, and not somebody else.

    Parameters
    ----------
    person : int
    boxes : DataFrame
        That person's rows of `body_boxes`.
    size : tuple of int
        Width and height of the picture, in pixels.
    """
    centres = boxes[["x_px", "y_px"]].to_numpy() + boxes[["width_px", "height_px"]].to_numpy() / 2
    cells = np.floor(centres * (_CELLS / max(size))).astype(int)
    path = np.column_stack([boxes["frame"].to_numpy(int), cells])
    text = ";".join(f"{frame},{column},{row}" for frame, column, row in path.tolist())
    return f"{person}-{hashlib.sha256(text.encode()).hexdigest()[:_TOKEN_DIGITS]}"


def named(people: pd.DataFrame, tokens: Sequence[str], column: str) -> list[int]:
    """Return the people whom tokens name.

    Parameters
    ----------
    people : DataFrame
        The table ``people``.
    tokens : sequence of str
    column : str
        Where in the table of videos they stand, for the message.

    Raises
    ------
    UserError
        Nobody has one of the tokens.
    """
    numbers = dict(zip(people["token"], people["person"].tolist(), strict=True))
    for given in tokens:
        if given not in numbers:
            raise UserError(
                f"Nobody in this video has the token {given} of the column {column} in the table of videos, because "
                "poses were estimated anew since or the token is another video's: empty that column, run again, and "
                "look the person up on the review page (restricted/review/index.html)."
            )
    return [numbers[given] for given in tokens]


def leave_visible(faces: pd.DataFrame, heads: pd.DataFrame, persons: Collection[int]) -> pd.DataFrame:
    """Take away the masks of people who are to stay visible, unless that uncovers somebody else.

    A mask goes only in frames in which its middle is in the head of that person. It stays when it is nobody's in
    particular (person -1), when a person has drawn it (origin manual), and when it touches, in the same frame, the mask
    or the head of anybody else.

    Parameters
    ----------
    faces : DataFrame
        The table ``faces``. Left as it is.
    heads : DataFrame
        The table ``heads`` of the same video.
    persons : collection of int
        Who is left visible, from `named`; everybody else stays masked.

    Returns
    -------
    DataFrame
        The table ``faces``. The same table if nobody is left visible.
    """
    chosen = set(persons) - {-1}
    if not chosen:
        return faces
    faces = faces.reset_index(drop=True)
    theirs = faces["person"].isin(chosen) & (faces["origin"] != "manual") & _on_own_head(faces, heads)
    candidates = faces.loc[theirs, ["frame", *BOX]].rename_axis("row").reset_index()
    others = pd.concat([faces.loc[~theirs, ["frame", *BOX]], heads.loc[~heads["person"].isin(chosen), ["frame", *BOX]]])
    pairs = candidates.merge(others, on="frame", suffixes=("", "_other"))
    mine, other = pairs[BOX].to_numpy(float), pairs[[f"{column}_other" for column in BOX]].to_numpy(float)
    removed = theirs & ~faces.index.isin(pairs.loc[_touching(mine, other), "row"])
    return faces[~removed].reset_index(drop=True)


def _on_own_head(faces: pd.DataFrame, heads: pd.DataFrame) -> np.ndarray:
    """Return whether the middle of each mask is in the head of its person in that frame, shape (n,)."""
    own = heads.drop_duplicates(["frame", "person"])[["frame", "person", *BOX]]
    both = faces[["frame", "person", *BOX]].merge(own, on=["frame", "person"], how="left", suffixes=("", "_head"))
    mask, head = both[BOX].to_numpy(float), both[[f"{column}_head" for column in BOX]].to_numpy(float)
    centre = mask[:, :2] + mask[:, 2:] / 2
    return np.asarray(((centre >= head[:, :2]) & (centre <= head[:, :2] + head[:, 2:])).all(axis=1))


def _touching(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return whether box and box, row by row, have a point in common, shape (n,)."""
    return np.asarray(
        ((first[:, :2] <= second[:, :2] + second[:, 2:]) & (second[:, :2] <= first[:, :2] + first[:, 2:])).all(axis=1)
    )
