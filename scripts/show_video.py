"""What the report shows of one video, as a script for the page, and the angles of its patient as a figure."""

from pathlib import Path
from typing import TYPE_CHECKING

from deidpose import figures, matching, payload, resources, tables
from deidpose.jobs import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake.log[0]):
    video, sources = snakemake.wildcards.video, snakemake.params.sources
    facts = resources.read_screening(snakemake.input.screening)[video]
    n_frames = int(facts["n_frames"])
    matches = tables.read(snakemake.input.matches, "matches")
    people = tables.read(snakemake.input.people, "people")
    keypoints, angles, patient = {}, {}, {}
    for source, its_keypoints, its_angles in zip(
        sources, snakemake.input.keypoints, snakemake.input.angles, strict=True
    ):
        keypoints[source] = payload.thinned(tables.read(its_keypoints, "keypoints"), n_frames)
        whole = tables.read(its_angles, "angles")
        angles[source] = payload.thinned(whole, n_frames)
        carried = whole if source == "original" else matching.carry(whole, matches[matches["method"] == source])
        patient[source] = carried[carried["person"].isin(people.loc[people["patient"], "person"])]
    text = payload.script(
        video, facts, tables.read(snakemake.input.timestamps, "timestamps"), keypoints, angles, matches, people
    )
    Path(snakemake.output.payload).write_text(text, encoding="ascii")
    figure = figures.traces(patient.pop("original"), patient, snakemake.params.signal, f"Video {video}, patient")
    for path in snakemake.output.traces:
        figures.save(figure, path)
