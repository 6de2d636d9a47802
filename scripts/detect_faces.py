"""Detect the faces in one video with YuNet, frame by frame."""

from typing import TYPE_CHECKING

from deidpose import tables
from deidpose.faces import detection
from deidpose.runtime import progress
from deidpose.runtime.job import job
from deidpose.video import decode, frames

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake.log[0]):
    timestamps = tables.read(snakemake.input.timestamps, "timestamps")
    frame_rate = frames.frame_rate(timestamps)
    detections = detection.detect_faces(
        progress.followed(decode.read_frames(snakemake.input.video, timestamps, snakemake.threads), len(timestamps)),
        snakemake.input.yunet,
        snakemake.params.score_threshold,
        max(1, round(snakemake.params.thorough_interval_s * frame_rate)),
        max(1, round(snakemake.params.search_interval_s * frame_rate)),
        snakemake.threads,
        snakemake.params.precision,
        frozenset(tables.read(snakemake.input.cuts, "cuts")["frame"]),
    )
    tables.write(detections, "detections", snakemake.output.detections)
