"""Joint angles of everyone in one video, from the keypoints of one source."""

from typing import TYPE_CHECKING

from deidpose import angles, tables
from deidpose.jobs import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake.log[0]):
    keypoints = tables.read(snakemake.input.keypoints, "keypoints")
    tables.write(angles.joint_angles(keypoints), "angles", snakemake.output.angles)
