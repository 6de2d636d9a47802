"""Stamp one video, all of whose steps are done, with what it was made with."""

from pathlib import Path
from typing import TYPE_CHECKING

from deidpose.runtime.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake.log[0]):
    Path(snakemake.output.finished).write_text(f"{snakemake.params.stamp}\n", encoding="utf-8")
