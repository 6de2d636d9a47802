"""Measure how the pose networks agree with one another in one original: people, keypoints and angles."""

from typing import TYPE_CHECKING

from deidpose import keypoints, tables
from deidpose.evaluation import backend_agreement
from deidpose.runtime.job import job
from deidpose.video import frames

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake.log[0]):
    found = {
        backend: keypoints.read(path)
        for backend, path in zip(snakemake.params.backends, snakemake.input.keypoints, strict=True)
    }
    compared = backend_agreement.compare_backends(
        snakemake.wildcards.video,
        found,
        snakemake.params.kinematics,
        frames.frame_rate(tables.read(snakemake.input.timestamps, "timestamps")),
        tables.read(snakemake.input.cuts, "cuts"),
    )
    for name, table in compared.items():
        tables.write(table, name, snakemake.output[name.removeprefix("backend_")])
