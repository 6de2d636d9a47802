"""Who is who between the original of one video and its copies, and what the copies do to identities and head counts."""

from typing import TYPE_CHECKING

import pandas as pd

from deidpose import matching, tables
from deidpose.jobs import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake.log[0]):
    video = snakemake.wildcards.video
    original = tables.read(snakemake.input.original, "keypoints")
    people = tables.read(snakemake.input.people, "people")
    patients = people.loc[people["patient"].fillna(False), "person"].tolist()
    matches, identities, headcounts = [], [], []
    for method, path in zip(snakemake.params.methods, snakemake.input.copies, strict=True):
        keypoints = tables.read(path, "keypoints")
        sections = matching.match_people(original, keypoints)
        matches.append(sections.assign(method=method))
        identities.append(matching.identities(video, method, original, keypoints, sections, patients))
        headcounts.append(matching.headcounts(video, method, original, keypoints, sections))
    tables.write(pd.concat(matches), "matches", snakemake.output.matches)
    tables.write(pd.concat(identities), "identities", snakemake.output.identities)
    tables.write(pd.concat(headcounts), "headcounts", snakemake.output.headcounts)
