"""Measure what each method did to the angles and keypoints of one video."""

from typing import TYPE_CHECKING

import pandas as pd

from deidpose import keypoints, tables
from deidpose.evaluation import effects
from deidpose.kinematics import angles
from deidpose.runtime.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake.log[0]):
    video = snakemake.wildcards.video
    methods = snakemake.params.methods
    people = tables.read(snakemake.input.people, "people")
    sections = tables.read(snakemake.input.matches, "matches")
    matches = {method: sections[sections["method"] == method].drop(columns="method") for method in methods}

    # One method at a time: a long video's angles of all of them would not fit into memory together.
    original = angles.read(snakemake.input.original_angles)
    of_angles, of_pairs = [], []
    for method, path in zip(methods, snakemake.input.copies_angles, strict=True):
        copy = {method: angles.read(path)}
        of_angles.append(effects.compare_angles(video, original, copy, matches, people))
        of_pairs.append(effects.pairs(video, original, copy, matches, people, snakemake.params.signal))
        del copy
    del original
    comparison = effects.subtract_control(pd.concat(of_angles), "effects")
    tables.write(comparison, "effects", snakemake.output.effects)
    tables.write(pd.concat(of_pairs), "pairs", snakemake.output.pairs)

    body = keypoints.read(snakemake.input.original_keypoints)
    of_keypoints = []
    for method, path in zip(methods, snakemake.input.copies_keypoints, strict=True):
        of_method = {method: keypoints.read(path)}
        of_keypoints.append(effects.compare_keypoints(video, body, of_method, matches, people))
        del of_method
    comparison = effects.subtract_control(pd.concat(of_keypoints), "keypoint_effects")
    tables.write(comparison, "keypoint_effects", snakemake.output.keypoint_effects)
