"""Estimate the keypoints in one sanitized original with one of several pose networks, and measure the cost."""

import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from deidpose import keypoints, tables
from deidpose.pose import estimate, origins
from deidpose.runtime import profiling
from deidpose.runtime.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake.log[0]):
    settings = snakemake.params.pose
    origin = origins.origin(snakemake.input, settings)
    logging.info("Poses are estimated with %s", json.dumps(origin, sort_keys=True))
    meter = profiling.Meter()
    body = estimate.estimate_file(
        snakemake.input.video,
        tables.read(snakemake.input.timestamps, "timestamps"),
        True,
        tables.read(snakemake.input.cuts, "cuts"),
        snakemake.input,
        settings,
        snakemake.threads,
        meter.watch,
        f"{snakemake.output.keypoints}.frames",
    )
    cost = {"origin": origin, "threads": snakemake.threads, **meter.read()}
    tables.write(keypoints.blocks(body), "keypoints", snakemake.output.keypoints)
    Path(snakemake.output.cost).write_text(json.dumps(cost, sort_keys=True), encoding="utf-8")
