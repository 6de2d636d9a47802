"""The study on one page, from its tables, the screening, the audits and what is to be shown of every video."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from deidpose import corrections, pose, provenance, report, sanitizing, tables
from deidpose.jobs import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

NAMES = (
    "effects", "keypoint_effects", "identities", "headcounts", "movements", "pairs", "summary", "equivalence",
    "agreement", "contrasts", "choice",
)  # fmt: skip

with job(snakemake.log[0]):
    origins = pose.one_origin(
        (json.loads(Path(path).read_text("utf-8")) for path in snakemake.input.origins),
        pose.read_imported(snakemake.input.imported),
    )
    models = snakemake.params.models
    page, beside = report.render(
        screening=corrections.leave_out(tables.read(snakemake.input.screening, "screening"), snakemake.params.excluded),
        **{name: tables.read(snakemake.input[name], name) for name in NAMES},
        audits=sanitizing.judge(
            [json.loads(Path(path).read_text("utf-8")) for path in snakemake.input.audits],
            [json.loads(Path(path).read_text("utf-8")) for path in snakemake.input.proofs],
        ),
        sentence=Path(snakemake.input.sentence).read_text("utf-8").strip(),
        methods=snakemake.params.methods,
        payloads={Path(path).stem: Path(path) for path in snakemake.input.payloads},
        settings=snakemake.params.settings,
        provenance={"versions": provenance.versions(), "models": models | pose.own_networks(origins, models)},
        # Not read as text, which would change the carriage returns inside them.
        libraries={
            name: Path(path).read_bytes().decode("utf-8")
            for name, path in zip(snakemake.params.libraries, snakemake.input.libraries, strict=True)
        },
        conditions=snakemake.params.conditions,
        imported=pose.warning_of_imports(origins, len(snakemake.input.payloads)),
    )
    Path(snakemake.output.report).write_text(page, encoding="utf-8", errors="replace", newline="\n")
    Path(snakemake.output.beside).write_text(json.dumps(beside) + "\n", encoding="utf-8")
