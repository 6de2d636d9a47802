"""Measure what one source held besides its pictures, and what each file made from it holds."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from deidpose import tables
from deidpose.metadata import verification
from deidpose.metadata.inventory import inventory
from deidpose.runtime.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

# The directory of the dataset is no parameter of the rule, so that a dataset that has moved reruns nothing.
source = os.path.join(os.path.expanduser(snakemake.config["dataset"]), snakemake.params.source)

with job(snakemake.log[0], [source, snakemake.params.source]):
    video = snakemake.wildcards.video
    before = verification.inventory_of_source(source, snakemake.params.limits)
    after = {"sanitized": inventory(snakemake.input.sanitized)}
    proofs = {}
    for path in [*snakemake.input.masked, *snakemake.input.skeletons]:
        label = Path(path).stem.removeprefix(f"{video}_")
        after[label], proofs[label] = verification.prove(path)
    for released, path in ((False, snakemake.output.inventory), (True, snakemake.output.table)):
        tables.write(verification.compare_inventories(video, before, after, released), "sanitizing", path)
    proof = {"video": video, "files": proofs}
    Path(snakemake.output.proof).write_text(json.dumps(proof, indent=1) + "\n", encoding="utf-8")
