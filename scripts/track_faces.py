"""What is to be masked in every frame of one video, from its face detections and the pose of its original."""

import logging
from typing import TYPE_CHECKING

from deidpose import tables, tracking
from deidpose.jobs import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake.log[0]):
    facts = tables.read(snakemake.input.screening, "screening").iloc[0]
    tracked = tracking.track_faces(
        tables.read(snakemake.input.detections, "detections"),
        tables.read(snakemake.input.keypoints, "keypoints"),
        tables.read(snakemake.input.cuts, "cuts"),
        int(facts["n_frames"]),
        float(facts["fps"]),
        (int(facts["width"]), int(facts["height"])),
        snakemake.params.faces,
    )
    logging.info(
        "%d regions in %d of %d frames; %d places to review",
        len(tracked.faces),
        tracked.faces["frame"].nunique(),
        facts["n_frames"],
        len(tracked.review),
    )
    tables.write(tracked.faces, "faces", snakemake.output.faces)
    tables.write(tracked.heads, "heads", snakemake.output.heads)
    tables.write(tracked.review, "review", snakemake.output.review)
