"""What the report shows of one video, as a script for the page, and the angles of its patient as a figure."""

from pathlib import Path
from typing import TYPE_CHECKING

from deidpose import figures, matching, payload, resources, tables
from deidpose.jobs import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake.log[0]):
    video, sources = snakemake.wildcards.video, snakemake.params.sources
    keypoints, angles = (
        {source: tables.read(path, name) for source, path in zip(sources, paths, strict=True)}
        for name, paths in (("keypoints", snakemake.input.keypoints), ("angles", snakemake.input.angles))
    )
    matches = tables.read(snakemake.input.matches, "matches")
    people = tables.read(snakemake.input.people, "people")
    facts = resources.read_screening(snakemake.input.screening)[video]
    Path(snakemake.output.payload).write_text(
        payload.script(video, facts, keypoints, angles, matches, people), encoding="ascii"
    )

    patients = people.loc[people["patient"], "person"]
    carried = {source: matching.carry(angles[source], matches[matches["method"] == source]) for source in sources[1:]}
    original, copies = (
        {source: table[table["person"].isin(patients)] for source, table in group.items()}
        for group in ({"original": angles["original"]}, carried)
    )
    figure = figures.traces(original["original"], copies, snakemake.params.signal, f"Video {video}, patient")
    for path in snakemake.output.traces:
        figures.save(figure, path)
