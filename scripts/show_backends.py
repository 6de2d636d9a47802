"""Show how the pose networks compare over all videos: tables, a page in Markdown, and a figure."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from deidpose import keypoints, tables
from deidpose.evaluation import backend_agreement
from deidpose.report import backend_figure, plotting
from deidpose.runtime.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def together(name: str, paths: list[str]) -> pd.DataFrame:
    """Return a table of every video in one."""
    return pd.concat([tables.empty(name), *(tables.read(path, name) for path in paths)], ignore_index=True)


with job(snakemake.log[0]):
    names = snakemake.params.backends
    # Of every video all networks, in their order.
    measured = {name: snakemake.input.costs[index :: len(names)] for index, name in enumerate(names)}
    found = {name: snakemake.input.found[index :: len(names)] for index, name in enumerate(names)}
    cost = backend_agreement.costs(
        {name: [json.loads(Path(path).read_text("utf-8")) for path in paths] for name, paths in measured.items()},
        {name: [backend_agreement.count(keypoints.read(path)) for path in paths] for name, paths in found.items()},
    )
    people = together("backend_people", snakemake.input.people)
    of_keypoints = together("backend_keypoints", snakemake.input.keypoints)
    rows = [(video, subject, "") for video, (subject, _) in snakemake.params.videos.items()]
    videos = pd.DataFrame(rows, columns=["video", "subject", "condition"], dtype="str")
    angles = backend_agreement.agreement(
        together("backend_angles", snakemake.input.angles), videos, snakemake.params.study
    )
    tables.write(cost, "backends", snakemake.output.backends)
    tables.write(people, "backend_people", snakemake.output.people)
    tables.write(of_keypoints, "backend_keypoints", snakemake.output.keypoints)
    tables.write(angles, "backend_agreement", snakemake.output.angles)
    figure = backend_figure.compare_backends(
        cost, backend_agreement.over_videos(of_keypoints), angles, snakemake.params.signal, backend_agreement.TITLES
    )
    for path in (snakemake.output.svg, snakemake.output.pdf, snakemake.output.png):
        plotting.save(figure, path)
    Path(snakemake.output.page).write_text(
        backend_agreement.describe(
            cost, people, of_keypoints, angles, snakemake.params.signal, snakemake.params.left_out
        ),
        encoding="utf-8",
    )
