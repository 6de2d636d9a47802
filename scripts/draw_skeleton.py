"""One anonymized video with the skeletons of everyone drawn onto it."""

from typing import TYPE_CHECKING

from deidpose import drawing, keypoints, progress, tables, video
from deidpose.jobs import job
from deidpose.parallel import read_ahead

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake.log[0]):
    timestamps = tables.read(snakemake.input.timestamps, "timestamps")
    pictures = drawing.draw_skeletons(
        progress.followed(read_ahead(video.read_frames(snakemake.input.video), snakemake.threads), len(timestamps)),
        keypoints.read(snakemake.input.keypoints),
    )
    video.encode(
        pictures,
        timestamps,
        video.layout(snakemake.input.video),
        video.Encoding(**snakemake.params.encode),
        snakemake.output.video,
    )
