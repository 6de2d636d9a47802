"""Decide what to mask in every frame of one video, from its face detections and the pose of its original."""

import logging
from typing import TYPE_CHECKING

from deidpose import keypoints, tables
from deidpose.faces import linking
from deidpose.pose.people import people
from deidpose.review import apply_corrections
from deidpose.runtime.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake.log[0]):
    facts = tables.read(snakemake.input.screening, "screening").iloc[0]
    n_frames, size = int(facts["n_frames"]), (int(facts["width"]), int(facts["height"]))
    visible = snakemake.params.visible
    persons = people.named(tables.read(snakemake.input.people, "people"), visible, "visible") if visible else []
    tracked = linking.track_faces(
        tables.read(snakemake.input.detections, "detections"),
        keypoints.read(snakemake.input.keypoints),
        tables.read(snakemake.input.cuts, "cuts"),
        n_frames,
        float(facts["fps"]),
        size,
        snakemake.params.faces,
    )
    corrected = apply_corrections.correct_masks(tracked.faces, snakemake.params.corrections, size, n_frames)
    faces = people.leave_visible(corrected, tracked.heads, persons)
    logging.info(
        "%d regions in %d of %d frames; %d places to review",
        len(faces),
        faces["frame"].nunique(),
        n_frames,
        len(tracked.review),
    )
    tables.write(faces, "faces", snakemake.output.faces)
    tables.write(tracked.heads, "heads", snakemake.output.heads)
    tables.write(tracked.review, "review", snakemake.output.review)
