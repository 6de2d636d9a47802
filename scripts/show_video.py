"""What the report shows of one video: skeletons and angles of every source, as a script for the page."""

from pathlib import Path
from typing import TYPE_CHECKING

from deidpose import payload, resources, tables
from deidpose.jobs import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake.log[0]):
    sources = snakemake.params.sources
    text = payload.script(
        snakemake.wildcards.video,
        resources.read_screening(snakemake.input.screening)[snakemake.wildcards.video],
        keypoints={
            source: tables.read(path, "keypoints")
            for source, path in zip(sources, snakemake.input.keypoints, strict=True)
        },
        angles={
            source: tables.read(path, "angles") for source, path in zip(sources, snakemake.input.angles, strict=True)
        },
        matches=tables.read(snakemake.input.matches, "matches"),
        people=tables.read(snakemake.input.people, "people"),
    )
    Path(snakemake.output.payload).write_text(text, encoding="ascii")
