"""The control: one video through the decoder and the encoder of `anonymize`, with nothing hidden."""

from typing import TYPE_CHECKING

from deidpose import progress, tables, video
from deidpose.jobs import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake.log[0]):
    timestamps = tables.read(snakemake.input.timestamps, "timestamps")
    frames = progress.followed(video.read_frames(snakemake.input.video, timestamps), len(timestamps))
    video.encode(
        (frame.planes for frame in frames),
        timestamps,
        video.layout(snakemake.input.video),
        video.Encoding(**snakemake.params.encode),
        snakemake.output.video,
    )
