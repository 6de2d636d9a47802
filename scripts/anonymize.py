"""One video with its faces hidden by one method, from the sanitized video and the face tracks."""

from typing import TYPE_CHECKING

from deidpose import masks, progress, tables, video
from deidpose.jobs import job
from deidpose.parallel import read_ahead

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake.log[0]):
    timestamps = tables.read(snakemake.input.timestamps, "timestamps")
    frames = read_ahead(video.read_frames(snakemake.input.video, timestamps), snakemake.threads)
    pictures = masks.mask_frames(
        progress.followed(frames, len(timestamps)),
        tables.read(snakemake.input.faces, "faces"),
        snakemake.wildcards.method,
        masks.Strength(**snakemake.params.mask),
    )
    video.encode(
        pictures,
        timestamps,
        video.layout(snakemake.input.video),
        video.Encoding(**snakemake.params.encode),
        snakemake.output.video,
    )
