"""BODY_25 keypoints of everyone in one video, from its sanitized original or one of its copies."""

import json
import logging
from pathlib import Path
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
    origin = json.dumps(pose.origin(snakemake.input, settings), sort_keys=True)
    logging.info("Poses are estimated with %s", origin)
    keypoints = pose.estimate(
        progress.followed(video.read_frames(snakemake.input.video, listed, snakemake.threads), len(timestamps)),
        video.frame_rate(timestamps),
        snakemake.input,
        settings,
        snakemake.threads,
        frozenset(tables.read(snakemake.input.cuts, "cuts")["frame"]),
    )
    logging.info("%d people", keypoints["person"].nunique())
    tables.write(keypoints, "keypoints", snakemake.output.keypoints)
    Path(snakemake.output.origin).write_text(origin, encoding="utf-8")
