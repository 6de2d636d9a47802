"""Export the keypoints and angles of one video, in every source, to the files that other tools read."""

from typing import TYPE_CHECKING

from deidpose import keypoints, tables
from deidpose.kinematics import angles, export
from deidpose.runtime.job import job
from deidpose.video import frames

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake.log[0]):
    timestamps = tables.read(snakemake.input.timestamps, "timestamps")
    for source, its_keypoints, its_angles in zip(
        snakemake.params.sources, snakemake.input.keypoints, snakemake.input.angles, strict=True
    ):
        export.export(
            keypoints.read(its_keypoints),
            angles.read(its_angles),
            timestamps["time_s"].to_numpy(dtype=float),
            frames.frame_rate(timestamps),
            snakemake.wildcards.video,
            source,
            snakemake.output.folder,
        )
