"""List everybody seen in one video and the likeliest patient."""

from typing import TYPE_CHECKING

from deidpose import keypoints, tables
from deidpose.pose.people import people
from deidpose.runtime.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake.log[0]):
    facts = tables.read(snakemake.input.screening, "screening").iloc[0]
    listed = people.list_people(
        keypoints.read(snakemake.input.keypoints),
        (int(facts["width"]), int(facts["height"])),
        int(facts["n_frames"]),
        snakemake.params.patient,
    )
    tables.write(listed, "people", snakemake.output.people)
