"""BODY_25 keypoints of everyone in one video, from its sanitized original or one of its copies."""

import logging
from typing import TYPE_CHECKING

from deidpose import pose, progress, tables, video
from deidpose.jobs import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake.log[0]):
    settings = snakemake.params.pose
    timestamps = tables.read(snakemake.input.timestamps, "timestamps")
    # The copies keep the exact timestamps of the source; the sanitized original is matched to them.
    listed = timestamps if snakemake.wildcards.source == "original" else None
    keypoints = pose.backend(settings["backend"]).estimate(
        progress.followed(video.read_frames(snakemake.input.video, listed, snakemake.threads), len(timestamps)),
        video.frame_rate(timestamps),
        snakemake.input,
        settings,
        snakemake.threads,
        frozenset(tables.read(snakemake.input.cuts, "cuts")["frame"]),
    )
    logging.info("%d people", keypoints["person"].nunique())
    tables.write(keypoints, "keypoints", snakemake.output.keypoints)
