"""Keypoints of everyone as arrays, with the length by which people are measured in the picture.

Arrays take a third of the memory of the long table, which says frame, person and name anew for every keypoint. What
works on long videos reads them with `read`, block by block, and writes them with `blocks`.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from deidpose import tables
from deidpose.errors import UserError
from deidpose.skeleton import INDEX, KEYPOINTS

#: A person bent towards the camera has a short torso in the picture; below this part of their median it is not
#: a measure of their size any more.
_SHORTEST_TORSO = 0.5


class Poses(NamedTuple):
    """The table ``keypoints`` as arrays, one row for each frame and person, in that order."""

    frame: NDArray[np.int64]  # shape (n,)
    time_s: NDArray[np.float64]  # shape (n,), s
    person: NDArray[np.int64]  # shape (n,)
    position: NDArray[np.float64]  # shape (n, 27, 2), px, in the order of `KEYPOINTS`; NaN where one is not seen
    confidence: NDArray[np.float64]  # shape (n, 27), 0..1; NaN where the table has no such keypoint


#: Arrays with a row for each frame and person: `Poses`, or `kinematics.angles.Angles`.
Rows = TypeVar("Rows", bound=tuple[Any, ...])

#: Pairs of frame and person in one block of a long table.
_BLOCK = 10_000


def poses(keypoints: pd.DataFrame) -> Poses:
    """Turn the long table ``keypoints``, its rows in any order, into arrays.

    Raises
    ------
    UserError
        A keypoint is not one of `KEYPOINTS`, or stands in the table twice for the same frame and person.
    """
    first, row, column = places(keypoints, "keypoint", KEYPOINTS, "make it again")
    position = np.full((len(first), len(KEYPOINTS), 2), np.nan)
    position[row, column] = keypoints[["x_px", "y_px"]].to_numpy(dtype=float)
    confidence = np.full((len(first), len(KEYPOINTS)), np.nan)
    confidence[row, column] = keypoints["confidence"].to_numpy(dtype=float)
    frame, person = (keypoints[key].to_numpy(dtype=np.int64)[first] for key in ("frame", "person"))
    return Poses(frame, keypoints["time_s"].to_numpy(dtype=float)[first], person, position, confidence)


def read(path: str | Path) -> Poses:
    """Read a file of the table ``keypoints``, whose rows are in the order of frames, as `poses` returns it.

    Raises
    ------
    UserError
        As `poses` and `tables.read_blocks` do.
    """
    return one_after_another(poses(block) for block in tables.read_blocks(path, "keypoints"))


def blocks(body: Poses) -> Iterator[pd.DataFrame]:
    """Yield the table ``keypoints``, a row for each of `KEYPOINTS`, frame and person, in blocks for `tables.write`."""
    for part in parts(body):
        values = {
            "x_px": part.position[..., 0].ravel(),
            "y_px": part.position[..., 1].ravel(),
            "confidence": part.confidence.ravel(),
        }
        yield tables.check(pd.DataFrame(keys(part, KEYPOINTS, "keypoint") | values), "keypoints")


# ------------------------------------------------------------------------------------- for every table of this kind


def places(
    table: pd.DataFrame, column: str, names: Sequence[str], what_to_do: str
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Return where the rows of a long table go, of which each is one name of one frame and person.

    Parameters
    ----------
    table : DataFrame
        With the columns frame and person.
    column : str
        The column of the names.
    names : sequence of str
        All that may stand there.
    what_to_do : str
        For the message.

    Returns
    -------
    first : array, shape (m,)
        For each frame and person, in that order, the first of their rows.
    row, column : array, shape (n,)
        Which of these, and which of the names, each row of the table belongs to.

    Raises
    ------
    UserError
        A name is not one of them, or stands in the table twice for the same frame and person.
    """
    at = pd.Index(names).get_indexer(pd.Index(table[column]))
    if (at < 0).any():
        raise UserError(f"The table '{column}s' holds a name that is no {column} of this workflow; {what_to_do}.")
    frame, person = (table[key].to_numpy(dtype=np.int64) for key in ("frame", "person"))
    # One number for each frame and person, in the order of both.
    people, number = np.unique(person, return_inverse=True)
    _, first, row = np.unique(frame * max(len(people), 1) + number, return_index=True, return_inverse=True)
    if len(row) and np.bincount(row * len(names) + at).max() > 1:
        raise UserError(f"The table '{column}s' holds the same {column} twice for one frame and person; {what_to_do}.")
    return first, row, at


def keys(part: Rows, names: Sequence[str], column: str) -> dict[str, Any]:
    """Return the columns that say what a row is: frame, time_s and person, and in ``column`` each of the names."""
    frame, time_s, person = part[:3]
    repeated = {"frame": frame, "time_s": time_s, "person": person}
    name = pd.array(list(names), dtype="str").take(np.tile(np.arange(len(names)), len(frame)))
    return {key: np.repeat(values, len(names)) for key, values in repeated.items()} | {column: name}


def pick(arrays: Rows, rows: NDArray[Any] | slice) -> Rows:
    """Return some rows of `Poses` or `Angles`, by number, by truth value or as a slice."""
    return type(arrays)(*(values[rows] for values in arrays))


def parts(arrays: Rows) -> Iterator[Rows]:
    """Yield the rows of `Poses` or `Angles` in parts that are small as long tables; one part where there are none."""
    for start in range(0, max(len(arrays[0]), 1), _BLOCK):
        yield pick(arrays, slice(start, start + _BLOCK))


def one_after_another(parts_of: Iterable[Rows]) -> Rows:
    """Return the rows of several `Poses` or `Angles`, at least one, as one; they are taken one at a time."""
    source = iter(parts_of)
    first = next(source)
    columns = [np.array(values, order="C") for values in first]  # `resize` goes by the order in memory
    for part in source:
        for column, values in zip(columns, part, strict=True):
            n = len(column)
            # In place: a list of all parts would be in memory together with what is made of them.
            column.resize((n + len(values), *column.shape[1:]), refcheck=False)
            column[n:] = values
    return type(first)(*columns)


def torso_lengths(body: Poses) -> NDArray[np.float64]:
    """Return the torso length (Neck to MidHip) in px for each frame and person, shape (n,).

    Where the trunk is not seen, or is foreshortened, it is taken from the person's median. A person whose trunk is
    never seen is measured by the diagonal of the box around the keypoints that are; 0 where there are none.
    """
    torso = np.linalg.norm(body.position[:, INDEX["Neck"]] - body.position[:, INDEX["MidHip"]], axis=1)
    seen = np.isfinite(body.position)
    high = np.where(seen, body.position, -np.inf).max(axis=1)
    low = np.where(seen, body.position, np.inf).min(axis=1)
    diagonal = np.where(seen.any(axis=(1, 2)), np.linalg.norm(np.maximum(high - low, 0.0), axis=1), 0.0)
    lengths = pd.DataFrame({"person": body.person, "torso": torso, "diagonal": diagonal})
    median = lengths.groupby("person")["torso"].transform("median")
    lengths["torso"] = lengths["torso"].fillna(median).clip(lower=_SHORTEST_TORSO * median)
    return lengths["torso"].fillna(lengths["diagonal"]).to_numpy(dtype=float)
