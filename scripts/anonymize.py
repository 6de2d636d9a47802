"""Mask the faces in one video by one method, from the sanitized video and the face tracks."""

from typing import TYPE_CHECKING

from deidpose import tables
from deidpose.masking import masks
from deidpose.runtime import progress
from deidpose.runtime.job import job
from deidpose.runtime.threads import read_ahead
from deidpose.video import decode, encode

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake.log[0]):
    timestamps = tables.read(snakemake.input.timestamps, "timestamps")
    frames = read_ahead(decode.read_frames(snakemake.input.video, timestamps), snakemake.threads)
    pictures = masks.mask_frames(
        progress.followed(frames, len(timestamps)),
        tables.read(snakemake.input.faces, "faces"),
        snakemake.wildcards.method,
        masks.Strength(**snakemake.params.mask),
    )
    encode.encode(
        pictures,
        timestamps,
        encode.layout(snakemake.input.video),
        encode.Encoding(**snakemake.params.encode),
        snakemake.output.video,
    )
