"""What Snakemake takes for a study of thousands of videos: time until the first job, memory, files of its records.

    python benchmarks/many_videos.py [VIDEOS [WHOLE]]

The steps are stand-ins that write small files; their files for all videos but some are copied from a video that was
done, so that the whole takes minutes and not days. WHOLE is the number of videos that are planned in one piece, to see
what that costs. It prints a table; `make scale` runs it.
"""

import json
import shutil
import sys
import tempfile
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / folder) for folder in ("scripts", "tests", ".")]

from fixtures import stand_in_workflow

#: So many videos are a share, as in docs/cluster.md.
SHARE = 50


def row(what: str, measured: stand_in_workflow.Measured | None, text: str = "") -> None:
    """Print a row of the table."""
    if measured:
        if measured.code not in (0, -9):
            sys.exit(measured.said[-3000:])
        text = f"{measured.wall_s:.0f} s | {measured.processor_s:.0f} s | {measured.memory_mb:,.0f} MB"
    print(f"| {what} | {text} |", flush=True)


def ids(folder: Path) -> list[str]:
    """Return the ids of all videos of the study, from the plan that a run has left."""
    plan = json.loads((folder / "results/restricted/plan.json").read_text())
    videos: list[str] = plan["video"]
    return videos


def main(n_videos: int, n_whole: int) -> None:
    """Measure a study of so many videos, and planning some in one piece."""
    root = Path(__file__).resolve().parents[1]
    everything = Path(tempfile.mkdtemp(prefix="scale-"))
    try:
        measure(root, everything, n_videos, n_whole)
    finally:
        shutil.rmtree(everything)


def measure(root: Path, everything: Path, n_videos: int, n_whole: int) -> None:
    """Measure in a folder that will be removed."""
    print(f"{n_videos:,} videos, stand-ins for the steps\n")
    print("| | on the clock | processor | memory |\n| --- | --- | --- | --- |")
    folder = stand_in_workflow.make(root, everything / "study", n_videos)
    local = ("--cores", "2")

    row(
        "dry run of a new study",
        stand_in_workflow.measure(folder, "--dry-run", "--quiet", "all", *stand_in_workflow.settings()),
    )
    first = stand_in_workflow.measure(
        folder, *local, *stand_in_workflow.settings(), stop_at="results/restricted/screened/*.key.tsv"
    )
    row("new study, until the first job is done", first)
    videos = ids(folder)
    stand_in_workflow.measure(folder, "--unlock", *stand_in_workflow.settings())
    stand_in_workflow.screened(folder, videos)
    row(
        "`--until collect_screening`, when all are screened",
        stand_in_workflow.measure(
            folder, *local, "--ignore-incomplete", "--until", "collect_screening", *stand_in_workflow.settings()
        ),
    )

    share = [f"results/restricted/finished/{video}.txt" for video in sorted(videos)[:SHARE]]
    before = sum(1 for _ in (folder / ".snakemake").rglob("*"))
    first = stand_in_workflow.measure(
        folder,
        *local,
        "--nolock",
        *stand_in_workflow.settings(),
        "--",
        *share,
        stop_at="results/restricted/sanitized/*.mkv",
    )
    row(f"a share of {SHARE} videos, until the first job is done", first)
    stand_in_workflow.measure(folder, *local, "--nolock", *stand_in_workflow.settings(), "--", share[0])
    few = stand_in_workflow.measure(folder, *local, "--nolock", *stand_in_workflow.settings(), "--", *share[:3])
    if few.code:
        sys.exit(few.said[-3000:])
    n_files = sum(1 for _ in (folder / ".snakemake").rglob("*")) - before
    finished = Path(share[0]).stem
    done = {Path(path).stem for path in share[:3]}
    stand_in_workflow.like(folder, finished, [video for video in videos if video not in done])
    only = stand_in_workflow.settings("only_study=true")
    row("`only_study`, dry run, all finished", stand_in_workflow.measure(folder, "--dry-run", "--quiet", "all", *only))
    row(
        "`only_study`, until the first job is done",
        stand_in_workflow.measure(folder, *local, *only, stop_at="results/restricted/study/summary.csv"),
    )
    stand_in_workflow.measure(folder, "--unlock", *only)
    row("`only_study`, all of it", stand_in_workflow.measure(folder, *local, *only))
    row("files under .snakemake for each video", None, f"{n_files / 3:.0f} | | |")

    whole = stand_in_workflow.make(root, everything / "whole", n_whole)
    stand_in_workflow.measure(
        whole, *local, *stand_in_workflow.settings(), stop_at="results/restricted/screened/*.key.tsv"
    )
    stand_in_workflow.measure(whole, "--unlock", *stand_in_workflow.settings())
    stand_in_workflow.screened(whole, ids(whole))
    stand_in_workflow.measure(
        whole, *local, "--ignore-incomplete", "--until", "collect_screening", *stand_in_workflow.settings()
    )
    row(
        f"not in shares, {n_whole:,} videos: until the first job after the screening",
        stand_in_workflow.measure(
            whole, *local, *stand_in_workflow.settings(), stop_at="results/restricted/sanitized/*.mkv"
        ),
    )


if __name__ == "__main__":
    main(*[int(argument) for argument in [*sys.argv[1:], *["10000", "1000"][len(sys.argv) - 1 :]]])
