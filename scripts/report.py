"""The study on one page, from its tables, its figures, the screening and the audits."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from deidpose import corrections, provenance, report, sanitizing, tables
from deidpose.jobs import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake.log[0]):
    page = report.render(
        screening=corrections.leave_out(tables.read(snakemake.input.screening, "screening"), snakemake.params.excluded),
        effects=tables.read(snakemake.input.effects, "effects"),
        summary=tables.read(snakemake.input.summary, "summary"),
        audits=sanitizing.judge(
            [json.loads(Path(path).read_text("utf-8")) for path in snakemake.input.audits],
            [json.loads(Path(path).read_text("utf-8")) for path in snakemake.input.proofs],
        ),
        methods=snakemake.params.methods,
        figures={name: Path(snakemake.input[name]).read_text("utf-8") for name in report.FIGURES},
        traces={path.stem: path.read_text("utf-8") for path in Path(snakemake.input.traces).glob("*.svg")},
        settings=snakemake.params.settings,
        provenance={"versions": provenance.versions(), "models": snakemake.params.models},
    )
    Path(snakemake.output.report).write_text(page, encoding="utf-8", errors="replace")
