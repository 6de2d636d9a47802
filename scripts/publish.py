"""Publish everything that the audit has passed, with a manifest of that and of what is withheld."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from deidpose import tables
from deidpose.pose import origins
from deidpose.release import publish, verdicts, versions
from deidpose.review import apply_corrections
from deidpose.runtime.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake.log[0]):
    restricted = Path(snakemake.input.screening).parent
    publish.publish(
        restricted,
        Path(snakemake.output.manifest).parent,
        apply_corrections.leave_out(tables.read(snakemake.input.screening, "screening"), snakemake.params.excluded),
        verdicts.apply_proofs(
            [json.loads(Path(path).read_text("utf-8")) for path in snakemake.input.audits],
            [json.loads(Path(path).read_text("utf-8")) for path in snakemake.input.proofs],
        ),
        publish.documents(
            snakemake.input, restricted, json.loads(Path(snakemake.input.beside).read_text(encoding="utf-8"))
        ),
        {
            "settings": snakemake.params.settings,
            "corrections": snakemake.params.corrections,
            "left_visible": snakemake.params.visible,
            "models": snakemake.params.models,
            "poses": origins.one_origin(
                (json.loads(Path(path).read_text("utf-8")) for path in snakemake.input.origins),
                origins.read_imported(snakemake.input.imported),
            ),
            "versions": versions.versions(),
        },
    )
