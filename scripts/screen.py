"""Screen one source video: its facts, fingerprint and timestamps, or the reason why it cannot be used."""

import os
from typing import TYPE_CHECKING

import pandas as pd

from deidpose import tables
from deidpose.digests import file_sha256
from deidpose.errors import UserError
from deidpose.ingest import screening
from deidpose.pose.estimate import estimate_frames
from deidpose.runtime.job import job
from deidpose.video.frames import Frame

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

# The directory of the dataset is no parameter of the rule, so that a dataset that has moved reruns nothing.
source = os.path.join(os.path.expanduser(snakemake.config["dataset"]), snakemake.params.source)

scratch = f"{snakemake.output.timestamps}.mkv"


def shows_person(frame: Frame) -> bool:
    """Return whether the pose backend finds anybody in a frame."""
    settings = {**snakemake.params.pose, "scratch": f"{scratch}.frames"}
    return len(estimate_frames([frame], 1.0, snakemake.input, settings, snakemake.threads).frame) > 0


with job(snakemake.log[0], [source, snakemake.params.source]):
    row, timestamps = screening.screen(
        source,
        snakemake.params.limits,
        scratch,
        shows_person,
        snakemake.threads,
    )
    try:
        # Of what is too large, or no file, no digest is made: it might never end.
        within = os.path.isfile(source) and os.path.getsize(source) <= snakemake.params.limits["max_file_gb"] * 1e9
        sha256 = file_sha256(source) if within else ""
    except OSError:
        sha256 = ""
    if not sha256 and row["status"] == "accepted":
        raise UserError("The source video disappeared while it was screened; run the workflow again.")
    video = snakemake.wildcards.video
    # A name need not be UTF-8 on Linux; a table is.
    readable = os.fsencode(snakemake.params.source).decode("utf-8", "backslashreplace")
    key = {"video": video, "source": readable, "sha256": sha256}
    tables.write(pd.DataFrame([{"video": video, **row}]), "screening", snakemake.output.screening)
    tables.write(pd.DataFrame([key]), "key", snakemake.output.key)
    tables.write(timestamps, "timestamps", snakemake.output.timestamps)
