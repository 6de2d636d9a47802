"""One anonymized video with the skeletons of everyone drawn onto it."""

from typing import TYPE_CHECKING

from deidpose import drawing, tables, video
from deidpose.jobs import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake.log[0]):
    pictures = drawing.draw_skeletons(
        video.read_frames(snakemake.input.video), tables.read(snakemake.input.keypoints, "keypoints")
    )
    video.encode(
        pictures,
        tables.read(snakemake.input.timestamps, "timestamps"),
        video.layout(snakemake.input.video),
        video.Encoding(**snakemake.params.encode),
        snakemake.output.video,
    )
