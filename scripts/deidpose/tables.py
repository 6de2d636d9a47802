"""Every table of the workflow: its columns, dtypes and units, checked on reading and on writing.

All tables are long, one observation a row. Coordinates are pixels of the upright picture (rotation applied),
origin top left. ``time_s`` comes from presentation timestamps.
"""

import csv
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

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
_ANGLE = Column("str", "", "name of the joint or segment angle, such as left_knee")
_ORIGINAL_PERSON = Column("int64", "", "identity of the person in the original's keypoints")
_PATIENT = Column("bool", "", "whether this person is taken for the patient")
_SIGNAL = Column("str", "", "unfiltered: as measured; filtered: after post-processing")
_CONDITION = Column("str", "", "condition of the table of videos; all for every video together")
_BASIS = Column("str", "", "raw, or net (the same video's control subtracted)")
_TRACK = Column("int64", "", "identity of the face within this video, from 0")
_READ_BY = Column("str", "", "ffmpeg, or bytes: read byte by byte and without FFmpeg")
_PLACE = Column("str", "", "file, container, track, stream, chapter, packet, frame or coded stream")
_KIND = Column("str", "", "what kind of thing it is, such as tag, sound stream, date or SEI")
_BACKEND = Column("str", "", "pose network, as the setting backends names it; of two, the reference")
_OTHER = Column("str", "", "the pose network that is compared with it")
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
        "keypoint": Column("str", "", "BODY_25 name, or LIndex and RIndex, the knuckles of the index fingers"),
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
    "matches": {
        "method": _METHOD,
        "person": _ORIGINAL_PERSON,
        "method_person": Column("int64", "", "identity of the same person in the method's keypoints"),
        "first_frame": Column("int64", "", "first frame in which the two are the same person"),
        "last_frame": Column("int64", "", "last frame in which the two are the same person"),
    },
    "identities": {
        "video": _VIDEO,
        "method": _METHOD,
        "person": _ORIGINAL_PERSON,
        "patient": _PATIENT,
        "n_original": Column("int64", "frames", "frames in which the original sees the person"),
        "n_both": Column("int64", "frames", "frames in which the original and the method see the person"),
        "n_lost": Column("int64", "frames", "frames in which only the original sees the person"),
        "n_gained": Column("int64", "frames", "frames in which only the method sees the person"),
        "n_mirrored": Column("int64", "frames", "of n_both, frames in which the method exchanges left and right"),
        "n_tracks": Column("int64", "", "identities that the person has in the method"),
        "n_switches": Column("int64", "", "times that the method changes the identity of the person"),
    },
    "headcounts": {
        "video": _VIDEO,
        "method": _METHOD,
        "n_frames": Column("int64", "frames", "frames of the video in which either sees anybody"),
        "n_people_original": Column("int64", "", "people in the original"),
        "n_people_method": Column("int64", "", "identities in the method"),
        "n_people_unmatched": Column("int64", "", "identities in the method that match nobody in the original"),
        "n_frames_fewer": Column("int64", "frames", "frames with fewer people in the method than in the original"),
        "n_frames_more": Column("int64", "frames", "frames with more people in the method than in the original"),
        "n_switches": Column("int64", "", "changes of identity in the method, over all people"),
    },
    "angles": {
        "frame": _FRAME,
        "time_s": _TIME,
        "person": _PERSON,
        "angle": _ANGLE,
        "degrees": Column("float64", "deg", "the angle as measured; empty where a keypoint is missing"),
        "degrees_filtered": Column("float64", "deg", "the angle after post-processing; empty where that has no value"),
        "confidence": Column("float64", "0..1", "the lowest confidence among the keypoints of the angle"),
        "direction": Column("str", "", "side of the picture that the person faces: right or left; front or back"),
    },
    "movements": {
        "video": _VIDEO,
        "source": Column("str", "", "original, or a method"),
        "person": _PERSON,
        "angle": _ANGLE,
        "signal": _SIGNAL,
        "n_frames": Column("int64", "frames", "frames with this angle"),
        "minimum_deg": Column("float64", "deg", "smallest angle"),
        "maximum_deg": Column("float64", "deg", "largest angle: of a joint, peak flexion"),
        "range_of_motion_deg": Column("float64", "deg", "largest minus smallest angle"),
        "time_of_peak_s": Column("float64", "s", "time of the largest angle"),
        "n_cycles": Column("int64", "", "whole cycles of a repeated movement; 0 where none is found"),
        "cycle_time_s": Column("float64", "s", "mean time of a cycle; empty where none is found"),
        "cycle_time_sd_s": Column("float64", "s", "standard deviation of the time of a cycle; empty below 2 cycles"),
    },
    "effects": {
        "video": _VIDEO,
        "method": _METHOD,
        "person": _ORIGINAL_PERSON,
        "patient": _PATIENT,
        "angle": _ANGLE,
        "signal": _SIGNAL,
        "n_original": Column("int64", "frames", "frames with this angle in the original"),
        "n_both": Column("int64", "frames", "frames with this angle in the original and in the method"),
        "n_lost": Column("int64", "frames", "frames with this angle in the original only"),
        "n_gained": Column("int64", "frames", "frames with this angle in the method only"),
        "lost_percent": Column("float64", "%", "100 x n_lost / n_original"),
        "gained_percent": Column("float64", "%", "100 x n_gained / n_original"),
        "bias_deg": Column("float64", "deg", "mean of method minus original"),
        "sd_deg": Column("float64", "deg", "standard deviation of method minus original, n - 1"),
        "loa_low_deg": Column("float64", "deg", "lower limit of agreement: bias - 1.96 x standard deviation"),
        "loa_high_deg": Column("float64", "deg", "upper limit of agreement: bias + 1.96 x standard deviation"),
        "mae_deg": Column("float64", "deg", "mean absolute difference"),
        "rmse_deg": Column("float64", "deg", "root mean square difference"),
        "p95_deg": Column("float64", "deg", "95th percentile of the absolute difference"),
        "percent_difference": Column(
            "float64", "%", "100 x mean absolute difference / mean absolute original angle, frames in both"
        ),
        "icc_2_1": Column("float64", "", "intraclass correlation ICC(2,1): two-way random, absolute agreement, single"),
        "pearson_r": Column("float64", "", "correlation over time of original and method"),
        "range_of_motion_original_deg": Column("float64", "deg", "range of the original, frames in both"),
        "range_of_motion_bias_deg": Column("float64", "deg", "range of the method minus that, frames in both"),
        "peak_bias_deg": Column("float64", "deg", "largest angle of the method minus that of the original"),
        "cycle_time_original_s": Column("float64", "s", "mean time of a cycle in the original"),
        "cycle_time_bias_s": Column("float64", "s", "mean time of a cycle in the method minus that"),
        "confidence_original": Column("float64", "0..1", "mean confidence in the original, frames in both"),
        "confidence_method": Column("float64", "0..1", "mean confidence in the method, frames in both"),
        "confidence_bias": Column("float64", "", "confidence_method minus confidence_original"),
        "lost_percent_net": Column("float64", "%", "lost_percent minus that of the control"),
        "gained_percent_net": Column("float64", "%", "gained_percent minus that of the control"),
        "bias_net_deg": Column("float64", "deg", "bias_deg minus that of the control"),
        "mae_net_deg": Column("float64", "deg", "mae_deg minus that of the control"),
        "rmse_net_deg": Column("float64", "deg", "rmse_deg minus that of the control"),
        "p95_net_deg": Column("float64", "deg", "p95_deg minus that of the control"),
        "percent_difference_net": Column("float64", "%", "percent_difference minus that of the control"),
        "confidence_bias_net": Column("float64", "", "confidence_bias minus that of the control"),
    },
    "keypoint_effects": {
        "video": _VIDEO,
        "method": _METHOD,
        "person": _ORIGINAL_PERSON,
        "patient": _PATIENT,
        "keypoint": Column("str", "", "name; head: nose, eyes and ears together; body: all others together"),
        "n_original": Column("int64", "", "sightings of the keypoint in the original"),
        "n_both": Column("int64", "", "sightings in the original and in the method"),
        "n_lost": Column("int64", "", "sightings in the original only"),
        "n_gained": Column("int64", "", "sightings in the method only"),
        "displacement_mean": Column("float64", "torso length", "mean distance of method and original"),
        "displacement_median": Column("float64", "torso length", "median distance of method and original"),
        "displacement_p95": Column("float64", "torso length", "95th percentile of the distance"),
        "pck_0_2": Column("float64", "0..1", "share of n_original within 0.2 torso lengths; a lost keypoint is not"),
        "oks": Column("float64", "0..1", "object keypoint similarity, mean over n_original; a lost keypoint has 0"),
        "confidence_original": Column("float64", "0..1", "mean confidence in the original, sightings in both"),
        "confidence_method": Column("float64", "0..1", "mean confidence in the method, sightings in both"),
        "confidence_bias": Column("float64", "", "confidence_method minus confidence_original"),
        "displacement_mean_net": Column("float64", "torso length", "displacement_mean minus that of the control"),
        "pck_0_2_net": Column("float64", "", "pck_0_2 minus that of the control"),
        "oks_net": Column("float64", "", "oks minus that of the control"),
        "confidence_bias_net": Column("float64", "", "confidence_bias minus that of the control"),
    },
    "pairs": {
        "video": _VIDEO,
        "method": _METHOD,
        "person": _ORIGINAL_PERSON,
        "patient": _PATIENT,
        "angle": _ANGLE,
        "signal": _SIGNAL,
        "frame": _FRAME,
        "original_deg": Column("float64", "deg", "the angle in the original"),
        "method_deg": Column("float64", "deg", "the same angle of the same person in the method"),
    },
    "summary": {
        "method": _METHOD,
        "condition": _CONDITION,
        "angle": Column("str", "", "name of the angle; joints: mean over joint angles; body: the whole person"),
        "signal": Column("str", "", "unfiltered or filtered; empty for what concerns the whole person"),
        "measure": Column("str", "", "name of the column of the table of effects that is summarised"),
        "basis": _BASIS,
        "n_videos": Column("int64", "", "videos with the measure"),
        "n_units": Column("int64", "", "subjects that the mean is taken over; a video without a subject is one"),
        "mean": Column("float64", "as measure", "mean over units"),
        "sd": Column("float64", "as measure", "standard deviation over units, n - 1"),
        "low": Column("float64", "as measure", "lower end of the cluster bootstrap interval"),
        "high": Column("float64", "as measure", "upper end of the cluster bootstrap interval"),
    },
    "equivalence": {
        "method": _METHOD,
        "condition": _CONDITION,
        "angle": _ANGLE,
        "signal": _SIGNAL,
        "measure": Column("str", "", "bias_deg or mae_deg"),
        "basis": _BASIS,
        "n_units": Column("int64", "", "subjects; a video without a subject is one"),
        "mean": Column("float64", "deg", "mean over units"),
        "sd": Column("float64", "deg", "standard deviation over units, n - 1"),
        "low": Column("float64", "deg", "lower end of the 1 - 2 x alpha confidence interval of the mean (t)"),
        "high": Column("float64", "deg", "upper end of that interval"),
        "margin_deg": Column("float64", "deg", "margin of equivalence, to either side of 0"),
        "p_equivalence": Column("float64", "0..1", "larger p of the two one-sided tests"),
        "p_difference": Column("float64", "0..1", "p of the two-sided t test of the mean against 0"),
        "p_equivalence_adjusted": Column("float64", "0..1", "p_equivalence after Holm's correction"),
        "p_difference_adjusted": Column("float64", "0..1", "p_difference after Holm's correction"),
        "verdict": Column("str", "", "equivalent, different or undecided"),
        "n_needed": Column("Int64", "", "units with which the verdict is expected to be decided; empty where it is"),
    },
    "agreement": {
        "method": _METHOD,
        "condition": _CONDITION,
        "angle": _ANGLE,
        "signal": _SIGNAL,
        "n_units": Column("int64", "", "subjects; a video without a subject is one"),
        "n_pairs": Column("int64", "frames", "frames in both, over all units"),
        "bias_deg": Column("float64", "deg", "mean of method minus original"),
        "sd_between_deg": Column("float64", "deg", "standard deviation of the difference between units"),
        "sd_within_deg": Column("float64", "deg", "standard deviation of the difference within units"),
        "loa_low_deg": Column("float64", "deg", "lower limit of agreement over frames of all units"),
        "loa_high_deg": Column("float64", "deg", "upper limit of agreement over frames of all units"),
        "icc_2_1": Column("float64", "", "mean over units of the ICC(2,1) over frames"),
    },
    "contrasts": {
        "method": _METHOD,
        "other": Column("str", "", "the method that it is compared with"),
        "condition": _CONDITION,
        "signal": _SIGNAL,
        "n_units": Column("int64", "", "subjects with both; a video without a subject is one"),
        "mean": Column("float64", "deg", "mae_deg of method minus other, mean over joint angles, then over units"),
        "sd": Column("float64", "deg", "standard deviation over units, n - 1"),
        "low": Column("float64", "deg", "lower end of the 1 - alpha confidence interval of the mean (t)"),
        "high": Column("float64", "deg", "upper end of that interval"),
        "p": Column("float64", "0..1", "p of the two-sided paired t test"),
        "p_adjusted": Column("float64", "0..1", "p after Holm's correction over the pairs of methods"),
    },
    "choice": {
        "method": _METHOD,
        "rank": Column("int64", "", "1 for the method to choose"),
        "recommended": Column("bool", "", "whether this is the method to choose"),
        "n_videos": Column("int64", "", "videos with an audit"),
        "n_pass": Column("int64", "", "files that the audit has passed"),
        "n_review": Column("int64", "", "files that a person should look at"),
        "n_fail": Column("int64", "", "files that failed the audit"),
        "n_face_frames": Column("int64", "", "faces in frames of the originals; no glimpses, and nothing accepted"),
        "n_leaked_frames": Column("int64", "frames", "frames in which one of them is not covered"),
        "share_covered": Column("float64", "0..1", "share of them that are covered"),
        "mae_net_deg": Column("float64", "deg", "additional mean absolute difference, mean over joint angles"),
        "low": Column("float64", "deg", "lower end of its bootstrap interval"),
        "high": Column("float64", "deg", "upper end of its bootstrap interval"),
        "lost_percent_net": Column("float64", "%", "additional frames lost, mean over joint angles"),
        "n_equivalent": Column("int64", "", "joint angles that are equivalent"),
        "n_different": Column("int64", "", "joint angles that are different"),
        "n_undecided": Column("int64", "", "joint angles that are undecided"),
        "reason": Column("str", "", "why it has this rank, in a sentence"),
    },
    "backends": {
        "backend": _BACKEND,
        "way": Column("str", "", "in which of several ways it was run; empty where there is one"),
        "version": Column("str", "", "what ran it"),
        "licence": Column("str", "", "licence of its networks"),
        "n_videos": Column("int64", "", "videos"),
        "n_frames": Column("int64", "frames", "frames of them"),
        "n_people": Column("int64", "", "identities, over all videos"),
        "n_sightings": Column("int64", "", "people in frames, a keypoint of them seen"),
        "n_frames_empty": Column("int64", "frames", "frames in which nobody is seen"),
        "n_threads": Column("int64", "", "threads of one inference"),
        "frames_per_s": Column("float64", "1/s", "frames by the time that they took, networks loaded"),
        "cpu_ms_per_frame": Column("float64", "ms", "time of processors for a frame, networks loaded"),
        "peak_mb": Column("float64", "10^6 bytes", "most memory of a process, over all videos"),
    },
    "backend_people": {
        "video": _VIDEO,
        "backend": _BACKEND,
        "other": _OTHER,
        "n_backend": Column("int64", "", "people in frames that backend sees"),
        "n_other": Column("int64", "", "people in frames that other sees"),
        "n_both": Column("int64", "", "people in frames that both see"),
        "n_mirrored": Column("int64", "frames", "of those in both, left and right exchanged in other"),
        "n_switches": Column("int64", "", "changes of identity in other, against backend"),
    },
    "backend_keypoints": {
        "video": _VIDEO,
        "backend": _BACKEND,
        "other": _OTHER,
        "keypoint": Column("str", "", "name; head: nose, eyes and ears together; body: all others together"),
        "n_backend": Column("int64", "", "sightings of the keypoint by backend, of people whom both see in the frame"),
        "n_other": Column("int64", "", "the same by other"),
        "n_both": Column("int64", "", "sightings by both"),
        "distance_median": Column("float64", "torso length", "median distance of the two"),
        "distance_p95": Column("float64", "torso length", "95th percentile of the distance"),
        "within_0_1": Column("float64", "0..1", "share of n_both within 0.1 torso lengths"),
        "bias_x": Column("float64", "torso length", "mean of other minus backend, to the right"),
        "bias_y": Column("float64", "torso length", "mean of other minus backend, downwards"),
    },
    "backend_angles": {
        "video": _VIDEO,
        "backend": _BACKEND,
        "other": _OTHER,
        "person": Column("int64", "", "identity of the person in the keypoints of backend"),
        "angle": _ANGLE,
        "signal": _SIGNAL,
        "n_original": Column("int64", "frames", "frames with this angle in backend"),
        "n_both": Column("int64", "frames", "frames with this angle in both"),
        "bias_deg": Column("float64", "deg", "mean of other minus backend"),
        "sd_deg": Column("float64", "deg", "standard deviation of other minus backend, n - 1"),
        "mae_deg": Column("float64", "deg", "mean absolute difference"),
        "icc_2_1": Column("float64", "", "intraclass correlation ICC(2,1): two-way random, absolute agreement, single"),
    },
    "backend_agreement": {
        "backend": _BACKEND,
        "other": _OTHER,
        "angle": _ANGLE,
        "signal": _SIGNAL,
        "n_units": Column("int64", "", "subjects with the angle; a video without a subject is one"),
        "n_pairs": Column("int64", "frames", "frames in both, over all units"),
        "mae_deg": Column("float64", "deg", "mean absolute difference, mean over units"),
        "bias_deg": Column("float64", "deg", "mean of other minus backend, over frames"),
        "loa_low_deg": Column("float64", "deg", "lower limit of agreement over frames of all units"),
        "loa_high_deg": Column("float64", "deg", "upper limit of agreement over frames of all units"),
        "icc_2_1": Column("float64", "", "mean over units of the ICC(2,1) over frames"),
    },
}

#: Rows of a long table that are read at a time.
_BLOCK_ROWS = 100_000
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


def write(table: pd.DataFrame | Iterable[pd.DataFrame], name: str, path: str | Path) -> None:
    """Check a table and write it as Parquet, CSV or TSV, by the ending of ``path``, whole or not at all.

    A long table may be given in blocks, one after the other, so that it is never in memory as a whole.
    """
    blocks = [table] if isinstance(table, pd.DataFrame) else table
    partial = f"{path}.partial"
    try:
        if str(path).endswith(".parquet"):
            _write_parquet(blocks, name, partial)
        else:
            _write_text(blocks, name, partial, "\t" if str(path).endswith(".tsv") else ",")
        os.replace(partial, path)
    finally:
        Path(partial).unlink(missing_ok=True)


def _write_parquet(blocks: Iterable[pd.DataFrame], name: str, path: str) -> None:
    schema = pa.Schema.from_pandas(empty(name), preserve_index=False)
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for block in blocks:
            writer.write_table(pa.Table.from_pandas(check(block, name), schema, preserve_index=False))


def _write_text(blocks: Iterable[pd.DataFrame], name: str, path: str, separator: str) -> None:
    with open(path, "w", encoding="utf-8", newline="") as file:
        file.write(separator.join(TABLES[name]) + "\n")
        for block in blocks:
            check(block, name).round(_DECIMALS).to_csv(
                file, index=False, header=False, sep=separator, lineterminator="\n", quoting=csv.QUOTE_MINIMAL
            )


def read(path: str | Path, name: str) -> pd.DataFrame:
    """Read a table that `write` has written, and check it.

    Raises
    ------
    UserError
        As `check` does; or the file is not a table.
    """
    with _understood(name):
        if str(path).endswith(".parquet"):
            return check(pd.read_parquet(path), name)
        return check(pd.read_csv(path, **_as_written(path, name)), name)


def read_blocks(path: str | Path, name: str) -> Iterator[pd.DataFrame]:
    """Read a table with the column ``frame`` a block at a time, so that it is never in memory as a whole.

    Yields
    ------
    DataFrame
        Rows of the table, checked, a hundred thousand and those of one frame at most; all rows of a frame are in one
        block. A table without rows is one block without rows.

    Raises
    ------
    UserError
        As `check` does; or the file is not a table, or its rows are not in the order of frames.
    """
    held = empty(name)
    with _understood(name), _opened(path, name) as blocks:
        for block in blocks:
            held = pd.concat([held, check(block, name)], ignore_index=True) if len(held) else check(block, name)
            frame = held["frame"].to_numpy()
            if (np.diff(frame) < 0).any():
                raise UserError(f"The rows of the table '{name}' are not in the order of frames; make it again.")
            whole = int(np.searchsorted(frame, frame[-1])) if len(frame) else 0
            if whole:
                yield held.iloc[:whole].reset_index(drop=True)
                held = held.iloc[whole:].reset_index(drop=True)
    yield held


@contextmanager
def _understood(name: str) -> Iterator[None]:
    """Turn what pandas and Arrow say of a file that they cannot read, and of what is in it, into one sentence."""
    try:
        yield
    except (ValueError, OSError) as error:  # so are the errors of both
        if isinstance(error, OSError) and (error.errno is not None or type(error) is not OSError):
            raise  # the file is not there, or the disk cannot be read
        raise UserError(f"The file of the table '{name}' is damaged; remove it and run the workflow again.") from None


@contextmanager
def _opened(path: str | Path, name: str) -> Iterator[Iterator[pd.DataFrame]]:
    """Open a table and give its rows some at a time."""
    if str(path).endswith(".parquet"):
        # Without ``pre_buffer``, or much of the file would be in memory after all.
        with pq.ParquetFile(path, pre_buffer=False) as file:
            yield (batch.to_pandas() for batch in file.iter_batches(_BLOCK_ROWS, use_threads=False))
    else:
        with pd.read_csv(path, chunksize=_BLOCK_ROWS, **_as_written(path, name)) as blocks:
            yield blocks


def _as_written(path: str | Path, name: str) -> dict[str, Any]:
    """Return how pandas has to read the text of a table."""
    return {
        "sep": "\t" if str(path).endswith(".tsv") else ",",
        "dtype": {column: d.dtype for column, d in TABLES[name].items()},
        # Only an empty field is missing: a video may be called "NA".
        "keep_default_na": False,
        "na_values": {c: [""] for c, d in TABLES[name].items() if d.dtype != "str"},
        "encoding": "utf-8",
    }
