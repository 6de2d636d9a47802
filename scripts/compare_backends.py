"""How every pose network agrees with every other in one original: people, keypoints and angles."""

from typing import TYPE_CHECKING

from deidpose import backends, keypoints, tables, video
from deidpose.jobs import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake.log[0]):
    found = {
        backend: keypoints.read(path)
        for backend, path in zip(snakemake.params.backends, snakemake.input.keypoints, strict=True)
    }
    compared = backends.compare(
        snakemake.wildcards.video,
        found,
        snakemake.params.kinematics,
        video.frame_rate(tables.read(snakemake.input.timestamps, "timestamps")),
        tables.read(snakemake.input.cuts, "cuts"),
    )
    for name, table in compared.items():
        tables.write(table, name, snakemake.output[name.removeprefix("backend_")])
