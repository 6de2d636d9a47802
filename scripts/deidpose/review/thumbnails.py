"""Draw thumbnails of findings and people for the review page; they show the original."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import pandas as pd

from deidpose.keypoints import Poses
from deidpose.pose.people.people import body_boxes
from deidpose.review.findings import BOX, box_of, rounded
from deidpose.video.frames import Frame, to_bgr

#: How many findings of a video, the worst ones, and how many of its people have pictures.
MOST_PICTURED = 60
_MOST_PEOPLE = 12
_MOMENTS = 3  # pictures of each person: one alone would not show that two people were taken for one

_TILE_PX = 240
#: Colour at full resolution, for thin lines are mostly colour.
_JPEG = [cv2.IMWRITE_JPEG_QUALITY, 80, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
#: A picture shows the region and this many times its longer side around it; of a person, less.
_CONTEXT = 3.0
_CONTEXT_OF_PERSON = 1.3
_SMALLEST_SIDE_PX = 96  # a face alone says little about where it is
#: Blue, green, red. Cyan and orange differ in brightness too, and the shapes differ.
_MASK, _FINDING, _SHADE = (255, 255, 0), (0, 120, 255), (0, 0, 0)


class Thumbnail(NamedTuple):
    """A part of one frame: the square of ``context`` times the longer side of ``box`` around its middle.

    ``box`` is x, y, width, height in pixels, None for the whole frame; it is outlined if ``outlined``.
    """

    file: str
    frame: int
    box: tuple[float, float, float, float] | None
    context: float
    outlined: bool


def pictures_of_findings(findings: Sequence[dict[str, Any]], n_frames: int) -> list[Thumbnail]:
    """Return the pictures of the worst findings, and note their files as ``pictures`` of each finding.

    Of a cut, the frames before and after it are shown.
    """
    pictures = []
    for number, finding in enumerate(findings):
        finding["pictures"] = []
        if number >= MOST_PICTURED:
            continue
        frames = [finding["frame"] - 1, finding["frame"]] if finding["kind"] == "cut" else [finding["frame"]]
        for index, frame in enumerate(frame for frame in frames if 0 <= frame < n_frames):
            file = f"{number:03d}-{index}.jpg"
            pictures.append(Thumbnail(file, frame, finding["box"], _CONTEXT, finding["box"] is not None))
            finding["pictures"].append(file)
    return pictures


def collect_people(people: pd.DataFrame, keypoints: Poses) -> tuple[list[dict[str, Any]], list[Thumbnail]]:
    """Return the people of one video, the patient first and then the longest seen, and pictures of them.

    Parameters
    ----------
    people : DataFrame
        The table ``people``.
    keypoints : Poses
        The table ``keypoints``.

    Returns
    -------
    people : list of dict
        The columns of the table, and ``pictures``: files, at several moments of the time that the person is seen.
    pictures : list of Picture
    """
    ordered = people.sort_values(["patient", "n_frames", "person"], ascending=[False, False, True])
    boxes = {int(str(person)): seen for person, seen in body_boxes(keypoints).groupby("person")}
    listed: list[dict[str, Any]] = []
    pictures: list[Thumbnail] = []
    for row in ordered.to_dict("records"):
        person = {str(name): value for name, value in row.items()} | {"patient": bool(row["patient"])}
        person |= {"height_px": rounded(row["height_px"]), "centrality": rounded(row["centrality"])}
        seen = boxes.get(int(row["person"]))
        chosen: list[Thumbnail] = []
        if seen is not None and len(listed) < _MOST_PEOPLE:
            # The middle of each third, for instance: the first and the last moment show half a body.
            moments = np.unique(((np.arange(_MOMENTS) + 0.5) * len(seen) / _MOMENTS).astype(int))
            for moment in moments:
                frame, box = int(seen["frame"].iloc[moment]), box_of(seen.iloc[moment])
                chosen.append(
                    Thumbnail(f"person-{row['person']}-{len(chosen)}.jpg", frame, box, _CONTEXT_OF_PERSON, False)
                )
        listed.append(person | {"pictures": [picture.file for picture in chosen]})
        pictures += chosen
    return listed, pictures


def draw_thumbnails(
    frames: Iterable[Frame], pictures: Sequence[Thumbnail], faces: pd.DataFrame, shape: str, folder: str | Path
) -> None:
    """Write pictures as JPEG files, with the outlines of the masks of their frames.

    Parameters
    ----------
    frames : iterable of Frame
        Of the original. No more of them are decoded than are needed.
    pictures : sequence of Picture
    faces : DataFrame
        The table ``faces``.
    shape : str
        "ellipse" or "rectangle": what a mask looks like.
    folder : path
        Made if it is not there.
    """
    Path(folder).mkdir(parents=True, exist_ok=True)
    by_frame: dict[int, list[Thumbnail]] = {}
    for picture in pictures:
        by_frame.setdefault(picture.frame, []).append(picture)
    last = max(by_frame, default=-1)
    masks = {
        int(str(frame)): rows[BOX].to_numpy(float)
        for frame, rows in faces[faces["frame"].isin(by_frame)].groupby("frame")
    }
    if last < 0:
        return
    for frame in frames:
        wanted = by_frame.get(frame.index, [])
        if wanted:
            whole = to_bgr(frame)
        for picture in wanted:
            tile = _tile(whole, picture, masks.get(frame.index, np.empty((0, 4))), shape)
            _, coded = cv2.imencode(".jpg", tile, _JPEG)
            (Path(folder) / picture.file).write_bytes(coded.tobytes())
        if frame.index == last:
            return


def _tile(whole: np.ndarray, picture: Thumbnail, masks: np.ndarray, shape: str) -> np.ndarray:
    """Return a part of a frame, at most _TILE_PX wide and high; black beyond the edge of the frame."""
    height, width = whole.shape[:2]
    box = np.array(picture.box or (0.0, 0.0, width, height))
    # The part inside the picture: regions of masks may reach far beyond it.
    low, high = (np.clip(corner, 0, (width, height)) for corner in (box[:2], box[:2] + box[2:]))
    if picture.box is None:
        left, top, columns, rows = 0, 0, width, height
    else:
        side = round(max(float((high - low).max()) * picture.context, _SMALLEST_SIDE_PX))
        columns = rows = min(side, max(width, height))
        left, top = (round(float(start)) for start in (low + high) / 2 - columns / 2)
    part = np.zeros((rows, columns, 3), np.uint8)
    x0, y0, x1, y1 = max(0, left), max(0, top), min(width, left + columns), min(height, top + rows)
    if x0 < x1 and y0 < y1:
        part[y0 - top : y1 - top, x0 - left : x1 - left] = whole[y0:y1, x0:x1]
    scale = _TILE_PX / max(columns, rows)
    size = (max(1, round(columns * scale)), max(1, round(rows * scale)))
    tile = cv2.resize(part, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    for colour, thickness in ((_SHADE, 4), (_MASK, 2)):
        for mask in masks:
            _outline(tile, (mask - [left, top, 0, 0]) * scale, shape, colour, thickness)
    if picture.outlined:
        for colour, thickness in ((_SHADE, 4), (_FINDING, 2)):
            _outline(tile, (box - [left, top, 0, 0]) * scale, "rectangle", colour, thickness)
    return np.asarray(tile)


def _outline(tile: np.ndarray, box: np.ndarray, shape: str, colour: tuple[int, int, int], thickness: int) -> None:
    # OpenCV counts in 32 bits, of which a few are fractions; far beyond the edge nothing is seen anyway.
    first, last = (np.clip(point, -1e5, 1e5) for point in (box[:2], box[:2] + box[2:]))
    if shape == "rectangle":
        cv2.rectangle(tile, [round(v) for v in first], [round(v) for v in last], colour, thickness, cv2.LINE_AA)
    else:
        centre, axes = [round(v) for v in (first + last) / 2], [round(v) for v in (last - first) / 2]
        cv2.ellipse(tile, centre, axes, 0, 0, 360, colour, thickness, cv2.LINE_AA)
