"""Prepare what the report shows of one video: a script for the page, and a figure of the patient's angles."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from deidpose import keypoints, tables
from deidpose.evaluation import matching
from deidpose.kinematics import angles
from deidpose.report import plotting, video_data, video_figures
from deidpose.runtime.job import job
from deidpose.workflow import resources

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake.log[0]):
    video, sources = snakemake.wildcards.video, snakemake.params.sources
    facts = resources.read_screening(snakemake.input.screening)[video]
    n_frames = int(facts["n_frames"])
    matches = tables.read(snakemake.input.matches, "matches")
    people = tables.read(snakemake.input.people, "people")
    patients = people.loc[people["patient"], "person"].to_numpy()
    bodies: dict[str, keypoints.Poses] = {}
    measured: dict[str, angles.Angles] = {}
    of_patient: dict[str, angles.Angles] = {}
    for source, its_keypoints, its_angles in zip(
        sources, snakemake.input.keypoints, snakemake.input.angles, strict=True
    ):
        bodies[source] = video_data.thinned(keypoints.read(its_keypoints), n_frames)
        whole = angles.read(its_angles)
        measured[source] = video_data.thinned(whole, n_frames)
        if source != "original":
            whole = matching.carry(whole, matches[matches["method"] == source])
        shown = np.isin(whole.person, patients)
        if source != "original":
            start, end = video_figures.trace_span(of_patient["original"], snakemake.params.signal)
            shown &= (whole.time_s >= start) & (whole.time_s <= end)
        of_patient[source] = keypoints.pick(whole, shown)
    text = video_data.script(
        video, facts, tables.read(snakemake.input.timestamps, "timestamps"), bodies, measured, matches, people
    )
    Path(snakemake.output.payload).write_text(text, encoding="ascii")
    figure = video_figures.traces(
        of_patient.pop("original"), of_patient, snakemake.params.signal, f"Video {video}, patient"
    )
    for path in snakemake.output.traces:
        plotting.save(figure, path)
