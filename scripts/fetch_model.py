"""One network, or one library of the report's page, from the first source that has it, with its digest checked."""

from typing import TYPE_CHECKING

from deidpose.runtime.job import job
from deidpose.workflow import downloads

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake.log[0]):
    downloads.fetch(snakemake.params.entry, snakemake.output[0])
