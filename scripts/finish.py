"""A stamp: what one video, of which every step is done, was made with."""

from pathlib import Path
from typing import TYPE_CHECKING

from deidpose.runtime.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake.log[0]):
    Path(snakemake.output.finished).write_text(f"{snakemake.params.stamp}\n", encoding="utf-8")
