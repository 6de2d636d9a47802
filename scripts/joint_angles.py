"""Compute the joint and segment angles and the movements of everyone in one video, in the original and every copy."""

from typing import TYPE_CHECKING

import pandas as pd

from deidpose import keypoints, tables
from deidpose.kinematics import angles, filtering, movement_summary
from deidpose.kinematics.facing import carry_directions, find_directions
from deidpose.runtime.job import job
from deidpose.video import frames

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake.log[0]):
    matches = tables.read(snakemake.input.matches, "matches")
    cuts = tables.read(snakemake.input.cuts, "cuts")
    frame_rate = frames.frame_rate(tables.read(snakemake.input.timestamps, "timestamps"))
    directions = find_directions(keypoints.read(snakemake.input.keypoints[0]))
    moved = []
    for source, path, output in zip(
        snakemake.params.sources, snakemake.input.keypoints, snakemake.output.angles, strict=True
    ):
        body = keypoints.read(path)
        # Which way somebody faces is a fact of the view and no effect of a method.
        facing = (
            directions
            if source == "original"
            else carry_directions(directions, matches[matches["method"] == source], body)
        )
        measured = angles.joint_angles(body, facing)
        del body
        measured = filtering.filter_angles(measured, snakemake.params.kinematics, frame_rate, cuts)
        tables.write(angles.blocks(measured), "angles", output)
        moved.append(movement_summary.movements(measured, snakemake.wildcards.video, source))
    tables.write(pd.concat(moved), "movements", snakemake.output.movements)
