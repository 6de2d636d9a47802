"""Re-encode one video as the control: through the decoder and encoder of `anonymize`, with nothing hidden."""

from typing import TYPE_CHECKING

from deidpose import tables
from deidpose.runtime import progress
from deidpose.runtime.job import job
from deidpose.runtime.threads import read_ahead
from deidpose.video import decode, encode

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake.log[0]):
    timestamps = tables.read(snakemake.input.timestamps, "timestamps")
    frames = read_ahead(decode.read_frames(snakemake.input.video, timestamps), snakemake.threads)
    encode.encode(
        (frame.planes for frame in progress.followed(frames, len(timestamps))),
        timestamps,
        encode.layout(snakemake.input.video),
        encode.Encoding(**snakemake.params.encode),
        snakemake.output.video,
    )
