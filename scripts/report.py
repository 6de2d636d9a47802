"""Render the report from the tables of the study, the screening, the audits and the data of every video."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from deidpose import tables
from deidpose.pose.origins import one_origin, own_networks, read_imported, warning_of_imports
from deidpose.release import verdicts, versions
from deidpose.report import report_page
from deidpose.review import apply_corrections
from deidpose.runtime.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

NAMES = (
    "effects", "keypoint_effects", "identities", "headcounts", "movements", "pairs", "summary", "equivalence",
    "agreement", "contrasts", "choice",
)  # fmt: skip

with job(snakemake.log[0]):
    origins = one_origin(
        (json.loads(Path(path).read_text("utf-8")) for path in snakemake.input.origins),
        read_imported(snakemake.input.imported),
    )
    models = snakemake.params.models
    page, beside = report_page.render(
        screening=apply_corrections.leave_out(
            tables.read(snakemake.input.screening, "screening"), snakemake.params.excluded
        ),
        **{name: tables.read(snakemake.input[name], name) for name in NAMES},
        audits=verdicts.apply_proofs(
            [json.loads(Path(path).read_text("utf-8")) for path in snakemake.input.audits],
            [json.loads(Path(path).read_text("utf-8")) for path in snakemake.input.proofs],
        ),
        sentence=Path(snakemake.input.sentence).read_text("utf-8").strip(),
        methods=snakemake.params.methods,
        payloads={Path(path).stem: Path(path) for path in snakemake.input.payloads},
        settings=snakemake.params.settings,
        provenance={"versions": versions.versions(), "models": models | own_networks(origins, models)},
        # Not read as text, which would change the carriage returns inside them.
        libraries={
            name: Path(path).read_bytes().decode("utf-8")
            for name, path in zip(snakemake.params.libraries, snakemake.input.libraries, strict=True)
        },
        conditions=snakemake.params.conditions,
        imported=warning_of_imports(origins, len(snakemake.input.payloads)),
    )
    Path(snakemake.output.report).write_text(page, encoding="utf-8", errors="replace", newline="\n")
    Path(snakemake.output.beside).write_text(json.dumps(beside) + "\n", encoding="utf-8")
