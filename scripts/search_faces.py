"""Search one source of one video for faces with CenterFace, which takes no part in masking."""

import logging
from typing import TYPE_CHECKING

from deidpose import tables
from deidpose.audit import centerface
from deidpose.runtime import progress
from deidpose.runtime.job import job
from deidpose.video import decode

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake.log[0]):
    timestamps = tables.read(snakemake.input.timestamps, "timestamps")
    # The copies keep the exact timestamps of the source; the sanitized original is matched to them.
    listed = timestamps if snakemake.wildcards.source == "original" else None
    found = centerface.search(
        lambda: progress.followed(
            decode.read_frames(snakemake.input.video, listed, snakemake.threads), len(timestamps)
        ),
        snakemake.input.centerface,
        snakemake.params.audit,
        snakemake.threads,
    )
    logging.info("%d faces in %d frames", len(found), found["frame"].nunique())
    tables.write(found, "detections", snakemake.output.searched)
