"""The frames at which one video cuts to another scene."""

from typing import TYPE_CHECKING

from deidpose import shots, tables, video
from deidpose.jobs import job
from deidpose.parallel import read_ahead

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake.log[0]):
    timestamps = tables.read(snakemake.input.timestamps, "timestamps")
    frames = read_ahead(video.read_frames(snakemake.input.video, timestamps, snakemake.threads), snakemake.threads)
    cuts = shots.find_cuts(frames)
    tables.write(cuts, "cuts", snakemake.output.cuts)
