"""BODY_25 keypoints of everyone in one video, from its sanitized original or one of its copies."""

import logging
from typing import TYPE_CHECKING

from deidpose import pose, tables, video
from deidpose.jobs import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake.log[0]):
    settings = snakemake.params.pose
    timestamps = tables.read(snakemake.input.timestamps, "timestamps")
    span = float(timestamps["time_s"].iloc[-1] - timestamps["time_s"].iloc[0])
    # The copies keep the exact timestamps of the source; the sanitized original is matched to them.
    listed = timestamps if snakemake.wildcards.source == "original" else None
    keypoints = pose.backend(settings["backend"]).estimate(
        video.read_frames(snakemake.input.video, listed, snakemake.threads),
        (len(timestamps) - 1) / span if span else 25.0,
        snakemake.input,
        settings,
        snakemake.threads,
    )
    logging.info("%d people", keypoints["person"].nunique())
    tables.write(keypoints, "keypoints", snakemake.output.keypoints)
