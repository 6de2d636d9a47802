"""Draw the findings in one video and the people in it, with pictures from the original."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from deidpose import keypoints, tables
from deidpose.review import findings, thumbnails
from deidpose.runtime.job import job
from deidpose.video import decode

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake.log[0]):
    timestamps = tables.read(snakemake.input.timestamps, "timestamps")
    faces = tables.read(snakemake.input.faces, "faces")
    audits = [json.loads(Path(path).read_text("utf-8")) for path in snakemake.input.audits]
    listed = findings.collect_findings(tables.read(snakemake.input.review, "review"), audits, faces, timestamps)
    pictures = thumbnails.pictures_of_findings(listed, len(timestamps))
    people, of_people = thumbnails.collect_people(
        tables.read(snakemake.input.people, "people"), keypoints.read(snakemake.input.keypoints)
    )
    thumbnails.draw_thumbnails(
        decode.read_frames(snakemake.input.video, timestamps, snakemake.threads),
        [*pictures, *of_people],
        faces,
        snakemake.params.shape,
        snakemake.output.pictures,
    )
    described = {
        "video": snakemake.wildcards.video,
        "n_frames": len(timestamps),
        "duration_s": round(float(timestamps["time_s"].iloc[-1]), 3),
        "verdicts": {audit["method"]: {key: audit[key] for key in ("verdict", "reason")} for audit in audits},
        "findings": listed,
        "people": people,
    }
    Path(snakemake.output.findings).write_text(json.dumps(described, indent=1) + "\n", encoding="utf-8")
