"""Find the frames at which one video cuts to another scene."""

from typing import TYPE_CHECKING

from deidpose import tables
from deidpose.runtime.job import job
from deidpose.runtime.threads import read_ahead
from deidpose.video import decode, scene_cuts

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake.log[0]):
    timestamps = tables.read(snakemake.input.timestamps, "timestamps")
    frames = read_ahead(decode.read_frames(snakemake.input.video, timestamps, snakemake.threads), snakemake.threads)
    cuts = scene_cuts.find_cuts(frames)
    tables.write(cuts, "cuts", snakemake.output.cuts)
