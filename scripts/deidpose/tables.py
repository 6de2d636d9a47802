"""Every table of the workflow: its columns, dtypes and units, checked on the way in and on the way out.

All tables are long, one observation a row. Coordinates are pixels of the upright picture (rotation applied),
origin top left. ``time_s`` comes from presentation timestamps.
"""

import csv
import os
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from deidpose.errors import UserError


class Column(NamedTuple):
    """One column: pandas dtype, unit ("" where there is none) and what it holds."""

    dtype: str
    unit: str
    description: str


_VIDEO = Column("str", "", "pseudonymous id of the video")
_METHOD = Column("str", "", "blur, block, pixelate, or reencode (the control)")
_FRAME = Column("int64", "", "index of the frame in presentation order, from 0")
_TIME = Column("float64", "s", "presentation time of the frame")
_PERSON = Column("int64", "", "identity of the person within this video and source, from 0")
_ANGLE = Column("str", "", "name of the joint angle, such as left_knee")
_TRACK = Column("int64", "", "identity of the face within this video, from 0")
_READ_BY = Column("str", "", "ffmpeg, or bytes: read byte by byte and without FFmpeg")
_PLACE = Column("str", "", "file, container, track, stream, chapter, packet, frame or coded stream")
_KIND = Column("str", "", "what kind of thing it is, such as tag, sound stream, date or SEI")
_CATEGORY = Column("str", "", "letters of 45 CFR 164.514(b)(2)(i) that it can touch; empty: none")

#: Table name -> column name -> definition. The order is the order in the files.
TABLES: dict[str, dict[str, Column]] = {
    "key": {
        "video": _VIDEO,
        "source": Column("str", "", "path of the source video inside the dataset"),
        "sha256": Column("str", "", "SHA-256 of the source video"),
    },
    "screening": {
        "video": _VIDEO,
        "status": Column("str", "", "accepted or rejected"),
        "reason": Column("str", "", "why it was rejected, or a remark on an accepted video"),
        "width": Column("Int64", "px", "width of the upright picture"),
        "height": Column("Int64", "px", "height of the upright picture"),
        "fps": Column("float64", "1/s", "mean frame rate over the decoded frames"),
        "n_frames": Column("Int64", "", "frames that decode"),
        "duration_s": Column("float64", "s", "from the first frame to the end of the last"),
        "codec": Column("str", "", "codec of the video stream"),
        "rotation_deg": Column("Int64", "deg", "clockwise rotation that makes the picture upright"),
        "variable_frame_rate": Column("boolean", "", "whether the time between frames varies"),
        "n_audio_streams": Column("Int64", "", "audio streams in the source"),
        "n_other_streams": Column("Int64", "", "further video, subtitle, data and attachment streams"),
        "n_metadata_tags": Column("Int64", "", "tags of the container, its streams and its chapters"),
    },
    "inventory": {
        "read_by": _READ_BY,
        "place": _PLACE,
        "kind": _KIND,
        "key": Column("str", "", "its name in the file; of a stream its codec"),
        "category": _CATEGORY,
        "n": Column("int64", "", "how many there are"),
        "size_bytes": Column("int64", "byte", "what they hold together, as far as that is known"),
    },
    "sanitizing": {
        "video": _VIDEO,
        "file": Column("str", "", "sanitized (not released), a method, or a method and _skeleton"),
        "category": _CATEGORY,
        "read_by": _READ_BY,
        "place": _PLACE,
        "kind": _KIND,
        "key": Column("str", "", "its name in the file; other where that is not well known"),
        "n_before": Column("int64", "", "how many there are in the source"),
        "n_after": Column("int64", "", "how many there are in the file"),
    },
    "timestamps": {
        "frame": _FRAME,
        "pts": Column("int64", "time base", "presentation timestamp in the source's time base"),
        "time_base_numerator": Column("int64", "s", "numerator of the source's time base"),
        "time_base_denominator": Column("int64", "", "denominator of the source's time base"),
        "time_s": _TIME,
        "container_ms": Column("int64", "ms", "timestamp of the same frame in the sanitized file"),
    },
    "keypoints": {
        "frame": _FRAME,
        "time_s": _TIME,
        "person": _PERSON,
        "keypoint": Column("str", "", "BODY_25 name"),
        "x_px": Column("float64", "px", "horizontal position; empty where the keypoint is not seen"),
        "y_px": Column("float64", "px", "vertical position; empty where the keypoint is not seen"),
        "confidence": Column("float64", "0..1", "the backend's own confidence, not comparable between backends"),
    },
    "detections": {
        "frame": _FRAME,
        "x_px": Column("float64", "px", "left edge of the face box"),
        "y_px": Column("float64", "px", "top edge of the face box"),
        "width_px": Column("float64", "px", "width of the face box"),
        "height_px": Column("float64", "px", "height of the face box"),
        "score": Column("float64", "0..1", "score of the face detector"),
    },
    "cuts": {
        "frame": Column("int64", "", "first frame of a new shot"),
    },
    "heads": {
        "frame": _FRAME,
        "person": _PERSON,
        "x_px": Column("float64", "px", "left edge of the square around the head"),
        "y_px": Column("float64", "px", "top edge of the square around the head"),
        "width_px": Column("float64", "px", "width of the square around the head"),
        "height_px": Column("float64", "px", "height of the square around the head"),
        "score": Column("float64", "0..1", "mean confidence of the keypoints that the head is placed by"),
        "placed_by": Column(
            "str", "", "what the head is placed by: head, neck, or body (the upper part of what is seen)"
        ),
        "from_behind": Column("bool", "", "whether the head is seen from behind, so that no face shows"),
    },
    "faces": {
        "frame": _FRAME,
        "track": _TRACK,
        "person": Column(
            "int64", "", "person of the original's keypoints whose face it is; -1 where no body supports it"
        ),
        "x_px": Column("float64", "px", "left edge of the region to mask"),
        "y_px": Column("float64", "px", "top edge of the region to mask"),
        "width_px": Column("float64", "px", "width of the region to mask"),
        "height_px": Column("float64", "px", "height of the region to mask"),
        "score": Column("float64", "0..1", "detector score, or keypoint confidence where origin is pose"),
        "origin": Column("str", "", "detected, interpolated, pose or manual"),
    },
    "review": {
        "kind": Column("str", "", "not_masked, no_head, unsure, unsupported, no_face or cut"),
        "first_frame": Column("int64", "", "first frame of the range"),
        "last_frame": Column("int64", "", "last frame of the range"),
        "frame": Column("int64", "", "the frame of the range to look at"),
        "track": Column("int64", "", "face track that it is about; -1 for none"),
        "person": Column("int64", "", "person that it is about; -1 for none"),
        "x_px": Column("float64", "px", "left edge of the region in that frame"),
        "y_px": Column("float64", "px", "top edge of the region in that frame"),
        "width_px": Column("float64", "px", "width of the region in that frame"),
        "height_px": Column("float64", "px", "height of the region in that frame"),
        "score": Column("float64", "0..1", "highest score in the range"),
        "reason": Column("str", "", "what a person should look at"),
    },
    "people": {
        "person": Column("int64", "", "person of the original's keypoints"),
        "first_frame": Column("int64", "", "first frame in which a keypoint of the person is seen"),
        "last_frame": Column("int64", "", "last frame in which a keypoint of the person is seen"),
        "n_frames": Column("int64", "", "frames in which a keypoint of the person is seen"),
        "height_px": Column("float64", "px", "median height of the box around all keypoints that are seen"),
        "centrality": Column("float64", "0..1", "mean nearness to the middle of the picture; 1 in the middle"),
        "patient": Column("boolean", "", "whether this person is taken for the patient"),
        "token": Column("str", "", "name of the person in the columns patient and visible of the table of videos"),
    },
    "angles": {
        "frame": _FRAME,
        "time_s": _TIME,
        "person": _PERSON,
        "angle": _ANGLE,
        "degrees": Column("float64", "deg", "joint angle; empty where a keypoint is missing"),
        "confidence": Column("float64", "0..1", "the lowest confidence among the keypoints of the angle"),
    },
    "effects": {
        "video": _VIDEO,
        "method": _METHOD,
        "person": Column("int64", "", "identity of the person in the original's keypoints"),
        "angle": _ANGLE,
        "n_original": Column("int64", "frames", "frames with this angle in the original"),
        "n_both": Column("int64", "frames", "frames with this angle in the original and in the method"),
        "n_lost": Column("int64", "frames", "frames with this angle in the original only"),
        "n_gained": Column("int64", "frames", "frames with this angle in the method only"),
        "bias_deg": Column("float64", "deg", "mean of method minus original"),
        "mae_deg": Column("float64", "deg", "mean absolute difference"),
        "rmse_deg": Column("float64", "deg", "root mean square difference"),
        "p95_deg": Column("float64", "deg", "95th percentile of the absolute difference"),
        "percent_difference": Column(
            "float64", "%", "100 x mean absolute difference / mean absolute original angle, frames in both"
        ),
        "pearson_r": Column("float64", "", "correlation over time of original and method"),
        "confidence_original": Column("float64", "0..1", "mean confidence in the original, frames in both"),
        "confidence_method": Column("float64", "0..1", "mean confidence in the method, frames in both"),
        "confidence_bias": Column("float64", "", "confidence_method minus confidence_original"),
    },
    "summary": {
        "method": _METHOD,
        "angle": _ANGLE,
        "measure": Column(
            "str", "", "bias_deg, mae_deg, percent_difference, lost_percent, gained_percent or confidence_bias"
        ),
        "basis": Column("str", "", "raw, or net (the same video's control subtracted)"),
        "n_videos": Column("int64", "", "videos that the mean is taken over"),
        "mean": Column("float64", "as measure", "mean over videos"),
        "low": Column("float64", "as measure", "lower end of the bootstrap interval over videos"),
        "high": Column("float64", "as measure", "upper end of the bootstrap interval over videos"),
    },
}

_DECIMALS = 6  # a micrometre of a pixel: enough for every use, and the same text on every machine


def check(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return ``table`` with exactly the columns and dtypes that ``TABLES[name]`` states, in that order.

    Raises
    ------
    UserError
        A column is missing or unknown, or a value does not fit its dtype.
    """
    columns = TABLES[name]
    missing = [column for column in columns if column not in table.columns]
    unknown = [column for column in table.columns if column not in columns]
    if missing or unknown:
        raise UserError(
            f"The table '{name}' has the wrong columns: missing {missing or 'none'}, unknown {unknown or 'none'}."
        )
    checked = table[list(columns)].reset_index(drop=True)
    for column, definition in columns.items():
        try:
            checked[column] = checked[column].astype(pd.api.types.pandas_dtype(definition.dtype))
        except (TypeError, ValueError):
            raise UserError(
                f"The column '{column}' of the table '{name}' holds values that are not {definition.dtype}."
            ) from None
    return checked


def empty(name: str) -> pd.DataFrame:
    """Return the table ``name`` with no rows."""
    return pd.DataFrame({column: pd.Series(dtype=d.dtype) for column, d in TABLES[name].items()})


def write(table: pd.DataFrame, name: str, path: str | Path) -> None:
    """Check ``table`` and write it as Parquet, CSV or TSV, by the ending of ``path``, whole or not at all."""
    checked = check(table, name)
    partial = f"{path}.partial"
    if str(path).endswith(".parquet"):
        checked.to_parquet(partial, index=False, compression="zstd")
    else:
        rounded = checked.round(_DECIMALS)
        separator = "\t" if str(path).endswith(".tsv") else ","
        rounded.to_csv(
            partial,
            index=False,
            sep=separator,
            lineterminator="\n",
            quoting=csv.QUOTE_MINIMAL,
            encoding="utf-8",
        )
    os.replace(partial, path)


def read(path: str | Path, name: str) -> pd.DataFrame:
    """Read a table that `write` has written, and check it.

    Raises
    ------
    UserError
        As `check` does.
    """
    if str(path).endswith(".parquet"):
        return check(pd.read_parquet(path), name)
    separator = "\t" if str(path).endswith(".tsv") else ","
    table = pd.read_csv(
        path,
        sep=separator,
        dtype={column: d.dtype for column, d in TABLES[name].items()},
        # Only an empty field is missing: a video may be called "NA".
        keep_default_na=False,
        na_values={c: [""] for c, d in TABLES[name].items() if d.dtype != "str"},
        encoding="utf-8",
    )
    return check(table, name)
