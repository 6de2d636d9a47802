"""Audit one masked video: compare what was found in it and in its original with what was masked."""

import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from deidpose import tables
from deidpose.audit import evidence, pixel_comparison
from deidpose.audit.verdict import audit_video
from deidpose.digests import file_sha256
from deidpose.faces import review_flags
from deidpose.pose.people import people
from deidpose.runtime import progress
from deidpose.runtime.job import job
from deidpose.runtime.threads import read_ahead
from deidpose.video import decode

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake.log[0]):
    facts = tables.read(snakemake.input.screening, "screening").iloc[0]
    timestamps = tables.read(snakemake.input.timestamps, "timestamps")
    faces = tables.read(snakemake.input.faces, "faces")
    visible = snakemake.params.visible
    persons = people.named(tables.read(snakemake.input.people, "people"), visible, "visible") if visible else []
    compared = pixel_comparison.compare_pixels(
        read_ahead(decode.read_frames(snakemake.input.original, timestamps), snakemake.threads),
        read_ahead(progress.followed(decode.read_frames(snakemake.input.video), len(timestamps)), snakemake.threads),
        faces,
        snakemake.wildcards.method,
        snakemake.params.mask,
    )
    found = audit_video(
        compared,
        faces,
        tables.read(snakemake.input.heads, "heads"),
        tables.read(snakemake.input.detections, "detections"),
        tables.read(snakemake.input.searched_original, "detections"),
        tables.read(snakemake.input.searched, "detections"),
        timestamps["time_s"].to_numpy(),
        (int(facts["width"]), int(facts["height"])),
        snakemake.params.mask["shape"],
        snakemake.params.audit,
        snakemake.params.accepted,
        persons,
        review_flags.unplaced(tables.read(snakemake.input.review, "review")),
    )
    logging.info("%s. %s", found["verdict"], found["reason"])
    verdict = {
        "video": snakemake.wildcards.video,
        "method": snakemake.wildcards.method,
        "sha256": file_sha256(snakemake.input.video),
        **found,
        "detectors": [
            {
                "name": evidence.YUNET,
                "sha256": snakemake.params.models["yunet"]["sha256"],
                "score_threshold": snakemake.params.audit["evidence_score"],
            },
            {
                "name": evidence.CENTERFACE,
                "sha256": snakemake.params.models["centerface"]["sha256"],
                **snakemake.params.search,
            },
        ],
    }
    Path(snakemake.output.audit).write_text(json.dumps(verdict, indent=1) + "\n", encoding="utf-8")
