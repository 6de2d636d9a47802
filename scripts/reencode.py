"""The control: one video through the decoder and the encoder of `anonymize`, with nothing hidden."""

from typing import TYPE_CHECKING

from deidpose import progress, tables, video
from deidpose.jobs import job
from deidpose.parallel import read_ahead

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake.log[0]):
    timestamps = tables.read(snakemake.input.timestamps, "timestamps")
    frames = read_ahead(video.read_frames(snakemake.input.video, timestamps), snakemake.threads)
    video.encode(
        (frame.planes for frame in progress.followed(frames, len(timestamps))),
        timestamps,
        video.layout(snakemake.input.video),
        video.Encoding(**snakemake.params.encode),
        snakemake.output.video,
    )
