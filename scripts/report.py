"""The study on one page, from its tables, the screening, the audits and what is shown of each video."""

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from deidpose import corrections, provenance, report, sanitizing, tables
from deidpose.jobs import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake.log[0]):
    page = report.render(
        screening=corrections.leave_out(tables.read(snakemake.input.screening, "screening"), snakemake.params.excluded),
        **{
            name: tables.read(snakemake.input[name], name)
            for name in (
                "choice",
                "summary",
                "equivalence",
                "agreement",
                "effects",
                "keypoint_effects",
                "identities",
                "headcounts",
                "movements",
                "pairs",
            )
        },
        audits=sanitizing.judge(
            [json.loads(Path(path).read_text("utf-8")) for path in snakemake.input.audits],
            [json.loads(Path(path).read_text("utf-8")) for path in snakemake.input.proofs],
        ),
        methods=snakemake.params.methods,
        settings=snakemake.params.settings,
        provenance={"versions": provenance.versions(), "models": snakemake.params.models},
        # Not as text: the carriage returns inside them must stay.
        libraries={name: Path(snakemake.input[name]).read_bytes().decode() for name in report.LIBRARIES},
        payloads={Path(path).stem: path for path in snakemake.input.payloads},
        sentence=Path(snakemake.input.sentence).read_text("utf-8").strip(),
        conditions=snakemake.params.conditions,
    )
    Path(snakemake.output.report).write_text(page.text, encoding="utf-8", errors="replace")
    # The folder is there in any case, so that the release need not ask whether there is one.
    beside = Path(snakemake.output.beside)
    beside.mkdir(parents=True, exist_ok=True)
    for name, path in page.beside.items():
        shutil.copyfile(path, beside / Path(name).name)
