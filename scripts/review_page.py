"""Render the review page of the whole study."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from deidpose.review import review_page
from deidpose.runtime.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake.log[0]):
    page = review_page.render(
        [json.loads(Path(path).read_text("utf-8")) for path in snakemake.input.findings],
        snakemake.params.corrections,
        snakemake.params.excluded,
        snakemake.params.visible,
    )
    Path(snakemake.output.page).write_text(page, encoding="utf-8", errors="replace")
