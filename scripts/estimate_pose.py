"""Estimate the BODY_25 keypoints of everyone in one video, in its sanitized original or one of its copies."""

import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from deidpose import keypoints, tables
from deidpose.pose import estimate, origins
from deidpose.runtime.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake.log[0]):
    settings = snakemake.params.pose
    origin = json.dumps(origins.origin(snakemake.input, settings), sort_keys=True)
    logging.info("Poses are estimated with %s", origin)
    body = estimate.estimate_file(
        snakemake.input.video,
        tables.read(snakemake.input.timestamps, "timestamps"),
        snakemake.wildcards.source == "original",
        tables.read(snakemake.input.cuts, "cuts"),
        snakemake.input,
        settings,
        snakemake.threads,
        scratch=f"{snakemake.output.keypoints}.frames",
    )
    logging.info("%d people", len(set(body.person.tolist())))
    tables.write(keypoints.blocks(body), "keypoints", snakemake.output.keypoints)
    Path(snakemake.output.origin).write_text(origin, encoding="utf-8")
