"""Copy the coded pictures of one source video, and nothing else, with the exact times at which they are shown."""

import os
from typing import TYPE_CHECKING

from deidpose import tables
from deidpose.digests import file_sha256
from deidpose.errors import UserError
from deidpose.ingest import remux
from deidpose.runtime.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

# The directory of the dataset is no parameter of the rule, so that a dataset that has moved reruns nothing.
source = os.path.join(os.path.expanduser(snakemake.config["dataset"]), snakemake.params.source)

with job(snakemake.log[0], [source, snakemake.params.source]):
    screened = tables.read(snakemake.input.key, "key")["sha256"].iloc[0]
    if not os.path.exists(source) or file_sha256(source) != screened:
        raise UserError(
            f"The source of {snakemake.wildcards.video} is gone or has changed since it was screened; screen it again: "
            f"snakemake --forcerun screen"
        )
    timestamps = remux.remux(source, tables.read(snakemake.input.timestamps, "timestamps"), snakemake.output.video)
    tables.write(timestamps, "timestamps", snakemake.output.timestamps)
