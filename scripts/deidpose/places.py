"""The places in one video that a person should look at, and their pictures, which show the original."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import pandas as pd

from deidpose.corrections import INSIDE
from deidpose.faces import covered_share, intersection_over_union, under_ellipse
from deidpose.keypoints import Poses
from deidpose.people import body_boxes
from deidpose.video import Frame, to_bgr

#: What a place may be, worst first: a face that may be seen, a mask that may be wrong, and what is worth a look.
KINDS = (
    "not_masked", "leak", "not_applied", "residual", "glimpse", "no_head", "unsure", "unsupported", "no_face", "cut"
)  # fmt: skip
#: Of these the surest is the worst, of the others the longest.
_FACE_SEEN = ("not_masked", "leak", "not_applied", "residual", "glimpse")
_ABOUT_A_MASK = ("no_head", "unsure", "unsupported", "no_face")
_FINDING = "leak"  # the kind of a finding of the audit that states none

#: So many places of a video, the worst ones, and so many of its people have pictures.
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
_MASK, _PLACE, _SHADE = (255, 255, 0), (0, 120, 255), (0, 0, 0)

#: Findings of several audits with boxes that overlap by more than this, in frames that do, are the same.
_SAME_IOU = 0.3
_BOX = ["x_px", "y_px", "width_px", "height_px"]


class Picture(NamedTuple):
    """A part of one frame: the square of ``context`` times the longer side of ``box`` around its middle.

    ``box`` is x, y, width, height in pixels, None for the whole frame; it is outlined if ``outlined``.
    """

    file: str
    frame: int
    box: tuple[float, float, float, float] | None
    context: float
    outlined: bool


def collect(
    review: pd.DataFrame, audits: Sequence[Mapping[str, Any]], faces: pd.DataFrame, timestamps: pd.DataFrame
) -> list[dict[str, Any]]:
    """Return everything in one video that a person should look at, worst first; what is settled comes last.

    Parameters
    ----------
    review, faces, timestamps : DataFrame
        The tables of these names.
    audits : sequence of mappings
        The audits of all methods. What several have found is listed once.

    Returns
    -------
    list of dict
        ``kind`` (of `KINDS`), ``first_frame``, ``last_frame``, ``frame`` (the one to look at), ``first_s``,
        ``last_s``, ``box`` (x, y, width, height in pixels, None for the whole picture), ``score`` (None if there is
        none), ``reason``, ``methods``, ``track``, ``person`` (-1 for none), ``region`` (the box that a decision is
        best about: around all findings that are listed as one, or around the masks of the track over the range),
        ``alone`` (whether taking the masks in that region away takes those of no other track) and ``settled``: what
        has been done about it since, "" for nothing.
    """
    places = [
        {
            "kind": row["kind"],
            **{name: int(row[name]) for name in ("first_frame", "last_frame", "frame", "track", "person")},
            "box": None if row["kind"] == "cut" else _box(row),
            "score": _rounded(row["score"]),
            "reason": row["reason"],
            "methods": [],
            "settled": "",
        }
        for row in review.to_dict("records")
    ]
    places = [*_joined(places), *_findings(audits)]
    manual = faces[faces["origin"] == "manual"]
    times = timestamps["time_s"].to_numpy()
    for place in places:
        for end in ("first", "last"):
            place[f"{end}_s"] = round(float(times[min(place[f"{end}_frame"], len(times) - 1)]), 3)
        place.setdefault("region", place["box"])
        place["alone"] = place["kind"] not in _ABOUT_A_MASK
        if place["kind"] in _ABOUT_A_MASK:
            place |= _region_of_mask(place, faces)
        place["settled"] = place["settled"] or _settled(place, faces, manual)
    return sorted(places, key=_severity)


def _joined(places: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return places with all that is said of one mask at one place, whose kind is the worst of them."""
    joined: dict[tuple[Any, ...], dict[str, Any]] = {}
    for place in sorted(places, key=_severity):
        about_a_mask = place["kind"] in _ABOUT_A_MASK and place["track"] >= 0
        key = tuple(place[name] for name in ("track", "first_frame", "last_frame")) if about_a_mask else (id(place),)
        first = joined.setdefault(key, place)
        if first is not place and place["reason"] not in first["reason"]:
            first["reason"] += "; " + place["reason"]
    return list(joined.values())


def _region_of_mask(place: Mapping[str, Any], faces: pd.DataFrame) -> dict[str, Any]:
    """Return the region that takes the masks of a place's track away and no others; where there is none, its box."""
    masks = faces[faces["frame"].between(place["first_frame"], place["last_frame"]) & (faces["origin"] != "manual")]
    boxes, tracks = masks[_BOX].to_numpy(float), masks["track"].to_numpy()
    regions = [place["box"]]
    mine = boxes[tracks == place["track"]]
    if len(mine):
        low, high = mine[:, :2].min(axis=0), (mine[:, :2] + mine[:, 2:]).max(axis=0)
        regions.insert(0, tuple(np.concatenate([low, high - low]).round(2).tolist()))
    for region in filter(None, regions):
        # As `corrections.apply` chooses; the row that is copied goes out to whole pixels.
        outward = np.array(region) + np.array([-1.0, -1.0, 2.0, 2.0])
        stays = pd.Series(covered_share(boxes, outward[None])[:, 0] >= INSIDE).groupby(tracks).all()
        if set(stays[stays].index) == {place["track"]}:
            return {"region": region, "alone": True}
    return {"region": place["box"], "alone": False}


def _findings(audits: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    merged: list[dict[str, Any]] = []
    for audit in audits:
        for finding in audit.get("findings", []):
            place = {
                "kind": finding.get("kind") or _FINDING,
                **{name: int(finding[name]) for name in ("first_frame", "last_frame", "frame")},
                "track": -1,
                "person": -1,
                "box": _box(finding),
                "region": _box(finding),
                "score": _rounded(finding.get("score")),
                "reason": f"found by {finding['source']}" if finding.get("source") else "",
                "methods": [audit["method"]],
                "settled": "accepted by a reviewer" if finding.get("accepted") else "",
            }
            same = next((other for other in merged if _is_same(place, other)), None)
            if same is None:
                merged.append(place)
            else:
                _merge(same, place)
    return merged


def _is_same(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    if first["kind"] != second["kind"] or first["settled"] != second["settled"]:
        return False
    if first["first_frame"] > second["last_frame"] or second["first_frame"] > first["last_frame"]:
        return False
    # What one audit tells apart are two faces, however near to each other.
    if set(first["methods"]) & set(second["methods"]):
        return False
    if first["box"] is None or second["box"] is None:
        return first["box"] is second["box"]
    overlap = intersection_over_union(np.array([first["box"]]), np.array([second["box"]]))
    return bool(overlap[0, 0] > _SAME_IOU)


def _merge(place: dict[str, Any], other: Mapping[str, Any]) -> None:
    """Bring another finding of the same face into ``place``; the surer one of the two is shown."""
    if (other["score"] or 0) > (place["score"] or 0):
        place |= {key: other[key] for key in ("frame", "box", "score", "reason")}
    place["first_frame"] = min(place["first_frame"], other["first_frame"])
    place["last_frame"] = max(place["last_frame"], other["last_frame"])
    place["methods"] = [*place["methods"], *other["methods"]]
    if place["region"] and other["region"]:
        corners = np.array([place["region"], other["region"]])
        low, high = corners[:, :2].min(axis=0), (corners[:, :2] + corners[:, 2:]).max(axis=0)
        place["region"] = tuple(np.concatenate([low, high - low]).round(2).tolist())


def _settled(place: Mapping[str, Any], faces: pd.DataFrame, manual: pd.DataFrame) -> str:
    """Return what a person's decisions have done about a place, "" for nothing."""
    if place["kind"] in _FACE_SEEN:
        if place["box"] is None or not len(manual):
            return ""
        masks = manual[manual["frame"].between(place["first_frame"], place["last_frame"])]
        throughout = masks["frame"].nunique() == place["last_frame"] - place["first_frame"] + 1
        there = masks.loc[masks["frame"] == place["frame"], _BOX].to_numpy(float)
        hidden = under_ellipse(np.array([place["box"]]), there).any()
        return "masked by a reviewer in the frame shown" if throughout and hidden else ""
    if place["kind"] in _ABOUT_A_MASK and place["track"] >= 0:
        masks = faces[faces["track"] == place["track"]]
        left = masks["frame"].between(place["first_frame"], place["last_frame"]).any()
        return "" if left else "no longer masked"
    return ""


def _severity(place: Mapping[str, Any]) -> tuple[Any, ...]:
    kind = KINDS.index(place["kind"]) if place["kind"] in KINDS else 0
    n_frames = place["last_frame"] - place["first_frame"] + 1
    worst = (place["score"] or 0, n_frames) if place["kind"] in _FACE_SEEN else (n_frames, place["score"] or 0)
    return bool(place["settled"]), kind, -worst[0], -worst[1], place["first_frame"], place["box"] or ()


def pictures_of_places(places: Sequence[dict[str, Any]], n_frames: int) -> list[Picture]:
    """Return the pictures of the worst places, and note their files as ``pictures`` of each place.

    Of a cut, the frames before and after it are shown.
    """
    pictures = []
    for number, place in enumerate(places):
        place["pictures"] = []
        if number >= MOST_PICTURED:
            continue
        frames = [place["frame"] - 1, place["frame"]] if place["kind"] == "cut" else [place["frame"]]
        for index, frame in enumerate(frame for frame in frames if 0 <= frame < n_frames):
            file = f"{number:03d}-{index}.jpg"
            pictures.append(Picture(file, frame, place["box"], _CONTEXT, place["box"] is not None))
            place["pictures"].append(file)
    return pictures


def collect_people(people: pd.DataFrame, keypoints: Poses) -> tuple[list[dict[str, Any]], list[Picture]]:
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
    pictures: list[Picture] = []
    for row in ordered.to_dict("records"):
        person = {str(name): value for name, value in row.items()} | {"patient": bool(row["patient"])}
        person |= {"height_px": _rounded(row["height_px"]), "centrality": _rounded(row["centrality"])}
        seen = boxes.get(int(row["person"]))
        chosen: list[Picture] = []
        if seen is not None and len(listed) < _MOST_PEOPLE:
            # The middle of each third, for instance: the first and the last moment show half a body.
            moments = np.unique(((np.arange(_MOMENTS) + 0.5) * len(seen) / _MOMENTS).astype(int))
            for moment in moments:
                frame, box = int(seen["frame"].iloc[moment]), _box(seen.iloc[moment])
                chosen.append(
                    Picture(f"person-{row['person']}-{len(chosen)}.jpg", frame, box, _CONTEXT_OF_PERSON, False)
                )
        listed.append(person | {"pictures": [picture.file for picture in chosen]})
        pictures += chosen
    return listed, pictures


def draw(
    frames: Iterable[Frame], pictures: Sequence[Picture], faces: pd.DataFrame, shape: str, folder: str | Path
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
    by_frame: dict[int, list[Picture]] = {}
    for picture in pictures:
        by_frame.setdefault(picture.frame, []).append(picture)
    last = max(by_frame, default=-1)
    masks = {
        int(str(frame)): rows[_BOX].to_numpy(float)
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


def _tile(whole: np.ndarray, picture: Picture, masks: np.ndarray, shape: str) -> np.ndarray:
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
        for colour, thickness in ((_SHADE, 4), (_PLACE, 2)):
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


def _box(row: Mapping[Any, Any]) -> tuple[float, float, float, float] | None:
    values = [row.get(name) for name in _BOX]
    if any(value is None or not np.isfinite(value) for value in values):
        return None
    x, y, width, height = (round(float(value), 2) for value in values if value is not None)
    return x, y, width, height


def _rounded(value: float | None) -> float | None:
    return None if value is None or pd.isna(value) else round(float(value), 3)
