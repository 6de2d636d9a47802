"""The release: everything that the audit has passed, with a manifest of it and of what is withheld."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from deidpose import corrections, pose, provenance, release, sanitizing, tables
from deidpose.jobs import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake.log[0]):
    restricted = Path(snakemake.input.screening).parent
    release.publish(
        restricted,
        Path(snakemake.output.manifest).parent,
        corrections.leave_out(tables.read(snakemake.input.screening, "screening"), snakemake.params.excluded),
        sanitizing.judge(
            [json.loads(Path(path).read_text("utf-8")) for path in snakemake.input.audits],
            [json.loads(Path(path).read_text("utf-8")) for path in snakemake.input.proofs],
        ),
        release.documents(
            snakemake.input, restricted, json.loads(Path(snakemake.input.beside).read_text(encoding="utf-8"))
        ),
        {
            "settings": snakemake.params.settings,
            "corrections": snakemake.params.corrections,
            "left_visible": snakemake.params.visible,
            "models": snakemake.params.models,
            "poses": pose.one_origin(
                (json.loads(Path(path).read_text("utf-8")) for path in snakemake.input.origins),
                pose.read_imported(snakemake.input.imported),
            ),
            "versions": provenance.versions(),
        },
    )
