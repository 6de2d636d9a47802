"""Import the BODY_25 keypoints of everyone in the original of one video from existing JSON of OpenPose."""

import json
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

from deidpose import keypoints, tables
from deidpose.pose import estimate, origins
from deidpose.pose.backends import imported
from deidpose.runtime import progress
from deidpose.runtime.job import job
from deidpose.video import decode, frames
from deidpose.workflow import keypoint_imports

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

# The folder of the import is no parameter of the rule, so that one that has moved reruns nothing.
top, inside = keypoint_imports.root(snakemake.config["pose"]), snakemake.params.folder
folder = os.path.join(top, inside)

with job(snakemake.log[0], [folder, inside, top]):
    facts = tables.read(snakemake.input.screening, "screening").iloc[0]
    timestamps = tables.read(snakemake.input.timestamps, "timestamps")
    n_frames, size = len(timestamps), (int(facts["width"]), int(facts["height"]))
    found = imported.examine(folder, n_frames, size, snakemake.params.pose["layout"])
    settings = {**snakemake.params.pose, "backend": "imported", "n_frames": n_frames, "import": found._asdict()}
    models = {"imported": folder}
    origin = json.dumps(origins.origin(models, settings), sort_keys=True)
    logging.info("Poses of the original are imported: %s", origin)
    body = estimate.estimate_frames(
        progress.followed(decode.read_frames(snakemake.input.video, timestamps, snakemake.threads), n_frames),
        frames.frame_rate(timestamps),
        models,
        settings,
        snakemake.threads,
        frozenset(tables.read(snakemake.input.cuts, "cuts")["frame"]),
    )
    logging.info("%d people", len(set(body.person.tolist())))
    tables.write(keypoints.blocks(body), "keypoints", snakemake.output.keypoints)
    Path(snakemake.output.origin).write_text(origin, encoding="utf-8")
