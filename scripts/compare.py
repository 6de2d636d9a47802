"""What one method did to the joint angles of one video, from the keypoints and angles before and after it."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from deidpose import effects, tables
from deidpose.jobs import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake.log[0]):
    matches = effects.match_people(
        tables.read(snakemake.input.original_keypoints, "keypoints"),
        tables.read(snakemake.input.method_keypoints, "keypoints"),
    )
    comparison = effects.compare(
        snakemake.wildcards.video,
        snakemake.wildcards.method,
        tables.read(snakemake.input.original_angles, "angles"),
        tables.read(snakemake.input.method_angles, "angles"),
        matches,
    )
    tables.write(comparison, "effects", snakemake.output.effects)
    Path(snakemake.output.matches).write_text(json.dumps(matches) + "\n", encoding="utf-8")
