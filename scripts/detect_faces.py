"""Every face that YuNet finds in one video, frame by frame."""

from typing import TYPE_CHECKING

from deidpose import faces, progress, tables, video
from deidpose.jobs import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake.log[0]):
    timestamps = tables.read(snakemake.input.timestamps, "timestamps")
    frame_rate = video.frame_rate(timestamps)
    detections = faces.detect(
        progress.followed(video.read_frames(snakemake.input.video, timestamps, snakemake.threads), len(timestamps)),
        snakemake.input.yunet,
        snakemake.params.score_threshold,
        max(1, round(snakemake.params.thorough_interval_s * frame_rate)),
        max(1, round(snakemake.params.search_interval_s * frame_rate)),
        snakemake.threads,
        snakemake.params.precision,
        frozenset(tables.read(snakemake.input.cuts, "cuts")["frame"]),
    )
    tables.write(detections, "detections", snakemake.output.detections)
