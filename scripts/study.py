"""The dataset-wide answer, as tables and figures, from the effects of every video and method."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from deidpose import figures, stats, tables
from deidpose.jobs import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def by_video(paths: list[str]) -> dict[str, dict[str, str]]:
    """Group files named {video}_{source} by video, then by source; both in the order of the files."""
    grouped: dict[str, dict[str, str]] = {}
    for path in paths:
        video, source = Path(path).stem.rsplit("_", 1)
        grouped.setdefault(video, {})[source] = path
    return grouped


with job(snakemake.log[0]):
    methods = [*snakemake.params.methods, stats.CONTROL]
    effects = pd.concat([tables.empty("effects"), *(tables.read(path, "effects") for path in snakemake.input.effects)])
    rank = effects["method"].map({method: rank for rank, method in enumerate(methods)})
    effects = effects.assign(rank=rank).sort_values(["video", "rank"], kind="stable").drop(columns="rank")
    tables.write(effects, "effects", snakemake.output.effects)

    summary = stats.summarize(effects, snakemake.params.samples, snakemake.params.level, snakemake.params.seed)
    tables.write(summary, "summary", snakemake.output.summary)

    for name, draw in figures.STUDY.items():
        figure = draw(summary)
        figures.save(figure, snakemake.output[name])
        figures.save(figure, Path(snakemake.output[name]).with_suffix(".png"))

    folder = Path(snakemake.output.traces)
    folder.mkdir(parents=True, exist_ok=True)
    matches = by_video(snakemake.input.matches)
    for video, paths in list(by_video(snakemake.input.angles).items())[: snakemake.params.trace_videos]:
        angles = {source: tables.read(path, "angles") for source, path in paths.items()}
        original = angles.pop("original")
        people = {
            method: {int(person): tracks for person, tracks in json.loads(Path(path).read_text("utf-8")).items()}
            for method, path in matches[video].items()
        }
        ordered = {method: angles[method] for method in methods}
        figures.save(figures.traces_of_video(video, original, ordered, people), folder / f"{video}.svg")
