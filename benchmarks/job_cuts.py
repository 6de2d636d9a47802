"""What a study costs by how it is cut into jobs: measured on a small Slurm cluster, with stand-ins for the steps.

    python benchmarks/job_cuts.py [RESULTS]

The steps do nothing, so all that is measured is what the cut costs: jobs, time of processors for each video, and how
long the videos took. With the results of a study that was done for real, such as results/demo, it also computes what
studies of some sizes cost: the time of the steps for each frame, from their benchmarks, and what was measured here for
each video. It takes root and Slurm, as `make test-cluster` does; `make cuts` runs it.
"""

import csv
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / folder) for folder in ("scripts", "tests", ".")]

from fixtures import slurm_cluster, stand_in_workflow

N_VIDEOS = 4
FRAMES_A_SECOND = 30
ON_SLURM = ("--workflow-profile", "profiles/slurm")
#: How the videos are cut into jobs -> arguments that say so besides the profile, and how many videos are done.
CUTS: dict[str, tuple[tuple[str, ...], int]] = {
    "every step a job": (("--groups", "screen=screening"), 1),
    "a job a video": ((), 4),
    "a job for two videos": (("--group-components", "screening=10", "video=2"), 4),
}
CHUNKS = "a chunk of two videos"


class Cost(NamedTuple):
    """What videos took: how many they are, their jobs, seconds of allocated processors, seconds on the clock."""

    n_videos: int
    n_jobs: int
    processor_s: float
    wall_s: float


@contextmanager
def cluster() -> Iterator[Path]:
    """Start a cluster, and stop it; its folder is removed."""
    if reason := slurm_cluster.missing():
        sys.exit(reason)
    folder = Path(tempfile.mkdtemp(prefix="cuts-"))
    try:
        slurm_cluster.start(folder / "cluster")
        yield folder
        slurm_cluster.stop(folder / "cluster")
    finally:
        shutil.rmtree(folder)


def run(folder: Path, *arguments: str) -> str:
    """Run Snakemake in the folder of a copy; return what it said."""
    done = stand_in_workflow.measure(folder, *arguments)
    if done.code:
        sys.exit(done.said[-3000:])
    return done.said


def cost(n_videos: int, jobs: list[dict[str, str]], wall_s: float) -> Cost:
    """Return what jobs took together."""
    if {job["state"] for job in jobs} != {"COMPLETED"}:
        sys.exit(f"Not all jobs have succeeded: {jobs}")
    processor_s = sum((float(job["ended"]) - float(job["began"])) * int(job["cpus"]) for job in jobs)
    return Cost(n_videos, len(jobs), processor_s, wall_s)


def by_plugin(folder: Path, arguments: Sequence[str], n_videos: int) -> Cost:
    """Do videos of a screened study by jobs of the plugin."""
    videos = screened(folder)[:n_videos]
    began = time.monotonic()
    said = run(folder, *ON_SLURM, *arguments, *stand_in_workflow.settings(), "--", *videos)
    wall_s = time.monotonic() - began
    are_done(folder, videos)
    return cost(n_videos, slurm_cluster.jobs(re.findall(r"SLURM run ID: (\S+)", said)[-1]), wall_s)


def by_chunks(folder: Path) -> Cost:
    """Do them by chunks of two videos, each on one processor."""
    began = time.monotonic()
    name = f"chunks{os.getpid()}"
    command = ["sbatch", "--wait", f"--job-name={name}", f"--array=1-{N_VIDEOS // 2}", "--mem=2G", "--output=/dev/null"]
    command += ["profiles/slurm/chunk.sh", "results", *stand_in_workflow.settings()]
    environment = {**os.environ, "STAND_IN_READS": "0", "SNAKEMAKE": str(Path(sys.executable).with_name("snakemake"))}
    subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
    wall_s = time.monotonic() - began
    are_done(folder, screened(folder))
    return cost(N_VIDEOS, slurm_cluster.jobs(name), wall_s)


def screened(folder: Path) -> list[str]:
    """Return the last file of every video."""
    rows = (folder / "results/restricted/screening.tsv").read_text().splitlines()[1:]
    return [f"results/restricted/finished/{row.split()[0]}.txt" for row in rows]


def are_done(folder: Path, videos: Sequence[str]) -> None:
    """End with a sentence unless the last files of the videos are there."""
    if missing := [path for path in videos if not (folder / path).exists()]:
        sys.exit(f"{len(missing)} of {len(videos)} videos are not done.")


def seconds_of_frame(results: Path) -> float:
    """Return what the steps of a real study took for each frame of its videos, by their benchmarks."""
    with (results / "restricted/screening.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    n_frames = sum(int(row["n_frames"]) for row in rows if row["status"] == "accepted")
    total = 0.0
    for path in (results / "benchmarks").glob("*/*.tsv"):
        if not path.parent.name.startswith("fetch"):
            total += float(path.read_text().splitlines()[1].split("\t")[0])
    return total / n_frames


def main() -> None:
    """Measure every cut, then compute."""
    root = Path(__file__).resolve().parents[1]
    costs: dict[str, Cost] = {}
    with cluster() as folder:
        study = stand_in_workflow.make(root, folder / "study", N_VIDEOS)
        run(study, "--cores", "2", "--until", "collect_screening", *stand_in_workflow.settings())
        for cut, (arguments, n_videos) in CUTS.items():
            copy = folder / f"study{len(costs)}"
            shutil.copytree(study, copy, symlinks=True)
            costs[cut] = by_plugin(copy, arguments, n_videos)
        costs[CHUNKS] = by_chunks(study)
    print("Three methods, steps that do nothing, two nodes of two cores\n")
    print("| | videos | jobs | processor for each video | on the clock |\n| --- | --- | --- | --- | --- |")
    for cut, found in costs.items():
        lost_s = found.processor_s / found.n_videos
        print(f"| {cut} | {found.n_videos} | {found.n_jobs} | {lost_s:.0f} s | {found.wall_s:.0f} s |")
    if len(sys.argv) > 1:
        compute(costs, seconds_of_frame(Path(sys.argv[1])))


def compute(costs: dict[str, Cost], step_s: float) -> None:
    """Print what studies cost: core hours, and the share of them that is not steps."""
    print(
        f"\nThe steps take {step_s:.2f} s a frame ({FRAMES_A_SECOND} frames a second): core hours, and the share lost\n"
    )
    print("| | " + " | ".join(costs) + " |\n" + "| --- " * (len(costs) + 1) + "|")
    for seconds, length in ((10, "10 s"), (60, "1 min"), (600, "10 min")):
        work_s = step_s * FRAMES_A_SECOND * seconds
        for n_videos in (10, 100, 1000):
            cells = []
            for found in costs.values():
                lost_s = found.processor_s / found.n_videos
                hours = n_videos * (work_s + lost_s) / 3600
                cells.append(f"{hours:,.1f}, {lost_s / (work_s + lost_s):.0%}")
            print(f"| {n_videos:,} clips of {length} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
