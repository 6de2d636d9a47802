"""What the report shows of one video: skeletons and angles of every source, as a script for the page."""

from pathlib import Path
from typing import TYPE_CHECKING

from deidpose import payload, resources, tables
from deidpose.jobs import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake.log[0]):
    video, sources = snakemake.wildcards.video, snakemake.params.sources
    facts = resources.read_screening(snakemake.input.screening)[video]
    n_frames = int(facts["n_frames"])
    text = payload.script(
        video,
        facts,
        tables.read(snakemake.input.timestamps, "timestamps"),
        keypoints={
            source: payload.thinned(tables.read(path, "keypoints"), n_frames)
            for source, path in zip(sources, snakemake.input.keypoints, strict=True)
        },
        angles={
            source: payload.thinned(tables.read(path, "angles"), n_frames)
            for source, path in zip(sources, snakemake.input.angles, strict=True)
        },
        matches=tables.read(snakemake.input.matches, "matches"),
        people=tables.read(snakemake.input.people, "people"),
    )
    Path(snakemake.output.payload).write_text(text, encoding="ascii")
