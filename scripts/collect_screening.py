"""Collect the screening of every video into one table, and the sources into another."""

from typing import TYPE_CHECKING

import pandas as pd

from deidpose import tables
from deidpose.runtime.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake.log[0]):
    for name in ("screening", "key"):
        rows = pd.concat([tables.read(path, name) for path in snakemake.input[name]])
        tables.write(rows.sort_values("video"), name, snakemake.output[name])
