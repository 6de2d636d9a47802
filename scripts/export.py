"""Keypoints and angles of one video, every source, in the files that other tools read."""

from typing import TYPE_CHECKING

from deidpose import angles, interchange, keypoints, tables, video
from deidpose.jobs import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake.log[0]):
    timestamps = tables.read(snakemake.input.timestamps, "timestamps")
    for source, its_keypoints, its_angles in zip(
        snakemake.params.sources, snakemake.input.keypoints, snakemake.input.angles, strict=True
    ):
        interchange.export(
            keypoints.read(its_keypoints),
            angles.read(its_angles),
            timestamps["time_s"].to_numpy(dtype=float),
            video.frame_rate(timestamps),
            snakemake.wildcards.video,
            source,
            snakemake.output.folder,
        )
