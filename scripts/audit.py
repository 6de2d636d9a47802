"""Faces that CenterFace finds in one masked video, against what was masked."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from deidpose import audit, tables, video
from deidpose.jobs import job
from deidpose.provenance import file_sha256

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake.log[0]):
    facts = tables.read(snakemake.input.screening, "screening").iloc[0]
    found = audit.audit(
        video.read_frames(snakemake.input.video, threads=snakemake.threads),
        tables.read(snakemake.input.faces, "faces"),
        (int(facts["width"]), int(facts["height"]), int(facts["n_frames"])),
        snakemake.input.centerface,
        snakemake.params.audit,
        snakemake.threads,
    )
    verdict = {
        "video": snakemake.wildcards.video,
        "method": snakemake.wildcards.method,
        "sha256": file_sha256(snakemake.input.video),
        **found,
        "detector": {
            "name": "CenterFace",
            "sha256": snakemake.params.model["sha256"],
            "score_threshold": snakemake.params.audit["score_threshold"],
        },
    }
    Path(snakemake.output.audit).write_text(json.dumps(verdict, indent=1) + "\n", encoding="utf-8")
