"""Joint and segment angles of everyone in one video, in the original and in every copy, and their movements."""

from typing import TYPE_CHECKING

import pandas as pd

from deidpose import angles, filtering, keypoints, movements, tables, video
from deidpose.jobs import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake.log[0]):
    matches = tables.read(snakemake.input.matches, "matches")
    cuts = tables.read(snakemake.input.cuts, "cuts")
    frame_rate = video.frame_rate(tables.read(snakemake.input.timestamps, "timestamps"))
    directions = angles.find_directions(keypoints.read(snakemake.input.keypoints[0]))
    moved = []
    for source, path, output in zip(
        snakemake.params.sources, snakemake.input.keypoints, snakemake.output.angles, strict=True
    ):
        body = keypoints.read(path)
        # Which way somebody faces is a fact of the view and no effect of a method.
        facing = (
            directions
            if source == "original"
            else angles.carry_directions(directions, matches[matches["method"] == source], body)
        )
        measured = angles.joint_angles(body, facing)
        del body
        measured = filtering.filter_angles(measured, snakemake.params.kinematics, frame_rate, cuts)
        tables.write(angles.blocks(measured), "angles", output)
        moved.append(movements.movements(measured, snakemake.wildcards.video, source))
    tables.write(pd.concat(moved), "movements", snakemake.output.movements)
