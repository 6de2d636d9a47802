"""The study on one page, from its tables, the screening, the audits and what is shown of each video."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from deidpose import corrections, provenance, report, sanitizing, tables
from deidpose.jobs import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

NAMES = (
    "choice", "summary", "equivalence", "agreement", "effects", "keypoint_effects", "identities", "headcounts",
    "movements", "pairs",
)  # fmt: skip

with job(snakemake.log[0]):
    page = report.render(
        screening=corrections.leave_out(tables.read(snakemake.input.screening, "screening"), snakemake.params.excluded),
        **{name: tables.read(snakemake.input[name], name) for name in NAMES},
        audits=sanitizing.judge(
            [json.loads(Path(path).read_text("utf-8")) for path in snakemake.input.audits],
            [json.loads(Path(path).read_text("utf-8")) for path in snakemake.input.proofs],
        ),
        sentence=Path(snakemake.input.sentence).read_text("utf-8").strip(),
        conditions=snakemake.params.conditions,
        methods=snakemake.params.methods,
        settings=snakemake.params.settings,
        provenance={"versions": provenance.versions(), "models": snakemake.params.models},
        # Not read as text: the carriage returns inside them must stay.
        libraries={
            name: Path(path).read_bytes().decode()
            for name, path in zip(snakemake.params.libraries, snakemake.input.libraries, strict=True)
        },
        payloads={Path(path).stem: Path(path) for path in snakemake.input.payloads},
    )
    Path(snakemake.output.report).write_text(page.text, encoding="utf-8", errors="replace")
    beside = sorted(path.name for path in page.beside.values())
    Path(snakemake.output.beside).write_text(json.dumps(beside) + "\n", encoding="utf-8")
