"""Match the people of one video between the original and its copies, and count identity switches and heads."""

from typing import TYPE_CHECKING

import pandas as pd

from deidpose import keypoints, tables
from deidpose.evaluation import identity_switches, matching
from deidpose.runtime.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake.log[0]):
    video = snakemake.wildcards.video
    original = keypoints.read(snakemake.input.original)
    people = tables.read(snakemake.input.people, "people")
    patients = people.loc[people["patient"].fillna(False), "person"].tolist()
    matches, identities, headcounts = [], [], []
    for method, path in zip(snakemake.params.methods, snakemake.input.copies, strict=True):
        copy = keypoints.read(path)
        sections = matching.match_people(original, copy)
        matches.append(sections.assign(method=method))
        identities.append(identity_switches.compare_identities(video, method, original, copy, sections, patients))
        headcounts.append(identity_switches.headcounts(video, method, original, copy, sections))
    tables.write(pd.concat(matches), "matches", snakemake.output.matches)
    tables.write(pd.concat(identities), "identities", snakemake.output.identities)
    tables.write(pd.concat(headcounts), "headcounts", snakemake.output.headcounts)
