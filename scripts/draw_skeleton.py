"""Draw the skeletons of everyone onto one masked video."""

from typing import TYPE_CHECKING

from deidpose import keypoints, tables
from deidpose.masking import skeleton_overlay
from deidpose.runtime import progress
from deidpose.runtime.job import job
from deidpose.runtime.threads import read_ahead
from deidpose.video import decode, encode

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake.log[0]):
    timestamps = tables.read(snakemake.input.timestamps, "timestamps")
    pictures = skeleton_overlay.draw_skeletons(
        progress.followed(read_ahead(decode.read_frames(snakemake.input.video), snakemake.threads), len(timestamps)),
        keypoints.read(snakemake.input.keypoints),
    )
    encode.encode(
        pictures,
        timestamps,
        encode.layout(snakemake.input.video),
        encode.Encoding(**snakemake.params.encode),
        snakemake.output.video,
    )
