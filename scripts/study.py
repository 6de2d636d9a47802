"""Answer for the whole dataset: the effects of every video, their statistics, and the figures."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from deidpose import tables
from deidpose.release import verdicts
from deidpose.report import plotting, study_figures
from deidpose.runtime.job import job
from deidpose.statistics import recommendation
from deidpose.statistics.study import contrasts, equivalence, limits_of_agreement, summarize

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def together(name: str, paths: list[str], methods: list[str], people: str) -> pd.DataFrame:
    """Return a table of every video in one, by video and, where it has methods, in their order."""
    parts = (tables.read(path, name) for path in paths)
    if name == "pairs" and people == "patient":  # by far the longest table, and only drawn
        parts = (part[part["patient"]] for part in parts)
    table = pd.concat([tables.empty(name), *parts])
    if "method" not in table:
        return table.sort_values("video", kind="stable")
    rank = table["method"].map({method: rank for rank, method in enumerate(methods)})
    return table.assign(rank=rank).sort_values(["video", "rank"], kind="stable").drop(columns="rank")


with job(snakemake.log[0]):
    settings, signal, methods = snakemake.params.study, snakemake.params.signal, snakemake.params.methods
    rows = [(video, subject, condition) for video, (subject, condition) in snakemake.params.videos.items()]
    videos = pd.DataFrame(rows, columns=["video", "subject", "condition"], dtype="str")
    found = {
        name: together(name, snakemake.input[name], methods, settings["people"])
        for name in ("effects", "keypoint_effects", "identities", "headcounts", "movements", "pairs")
    }
    audits = verdicts.apply_proofs(
        [json.loads(Path(path).read_text("utf-8")) for path in snakemake.input.audits],
        [json.loads(Path(path).read_text("utf-8")) for path in snakemake.input.proofs],
    )
    found["summary"] = summarize(found["effects"], found["keypoint_effects"], found["identities"], videos, settings)
    found["equivalence"] = equivalence(found["effects"], videos, settings)
    found["agreement"] = limits_of_agreement(found["effects"], videos, settings)
    found["contrasts"] = contrasts(found["effects"], videos, settings)
    found["choice"] = recommendation.recommend(
        audits,
        found["summary"],
        found["equivalence"],
        found["contrasts"],
        settings,
        signal,
        snakemake.params.withhold,
    )
    for name, table in found.items():
        tables.write(table, name, snakemake.output[name])
    Path(snakemake.output.sentence).write_text(recommendation.sentence(found["choice"]) + "\n", encoding="utf-8")

    drawn = {name: table for name, table in found.items() if name in plotting.Study._fields}
    study = plotting.Study(
        **drawn,
        signal=signal,
        people=settings["people"],
        level=settings["confidence_level"],
        margin_deg=settings["margin_deg"],
        alpha=settings["alpha"],
    )
    for path in map(Path, snakemake.output.figures):
        figure = study_figures.STUDY[path.stem](study)
        for ending in (".svg", ".pdf", ".png"):
            plotting.save(figure, path.with_suffix(ending))
