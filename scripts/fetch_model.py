"""Fetch one network, or one library of the report page, from the first source that has it, and check its digest."""

from typing import TYPE_CHECKING

from deidpose.runtime.job import job
from deidpose.workflow import downloads

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake.log[0]):
    downloads.fetch(snakemake.params.entry, snakemake.output[0])
