"""Keypoints and angles of one video, every source, in the files that other tools read."""

from typing import TYPE_CHECKING

from deidpose import interchange, tables, video
from deidpose.jobs import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake.log[0]):
    timestamps = tables.read(snakemake.input.timestamps, "timestamps")
    for source, keypoints, angles in zip(
        snakemake.params.sources, snakemake.input.keypoints, snakemake.input.angles, strict=True
    ):
        interchange.export(
            tables.read(keypoints, "keypoints"),
            tables.read(angles, "angles"),
            timestamps["time_s"].to_numpy(dtype=float),
            video.frame_rate(timestamps),
            snakemake.wildcards.video,
            source,
            snakemake.output.folder,
        )
