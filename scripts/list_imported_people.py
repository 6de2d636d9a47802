"""Find the patient among the imported people of one video, and compare them with those that the backend sees."""

import logging
from typing import TYPE_CHECKING

from deidpose import keypoints, tables
from deidpose.evaluation import imported_people, matching
from deidpose.runtime.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake.log[0]):
    facts = tables.read(snakemake.input.screening, "screening").iloc[0]
    imported, backend = (keypoints.read(snakemake.input[name]) for name in ("imported", "backend"))
    matches = matching.match_people(backend, imported)
    agreed = imported_people.agreement(imported, backend, matches)
    logging.info(
        "Of %d sights of imported people in frames in which the backend sees somebody, %d are of the same people; "
        "their %d keypoints lie a median of %.1f pixels from the backend's",
        *agreed,
    )
    listed = imported_people.list_imported(
        imported,
        tables.read(snakemake.input.people, "people"),
        matches,
        (int(facts["width"]), int(facts["height"])),
        int(facts["n_frames"]),
        snakemake.params.is_named,
    )
    if not listed["patient"].any():
        logging.warning("Nobody in the imported keypoints is taken for the patient.")
    tables.write(listed, "people", snakemake.output.people)
