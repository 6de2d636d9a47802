"""The whole workflow on a real Slurm cluster, with the profile that comes with it.

Not among the tests of `make test`; `make test-cluster` runs them, and skips them where there can be no cluster.
"""

import hashlib
import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from deidpose.workflow import resources
from fixtures import slurm_cluster
from fixtures.video_files import write_video

Running = subprocess.Popen[bytes]
Start = Callable[..., Running]
Arguments = Callable[..., list[str]]

pytestmark = pytest.mark.timeout(2400)


@pytest.fixture(scope="module")
def dataset(pictures: list[np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with two videos of real people, 8 frames each, and a file that is no video."""
    folder = tmp_path_factory.mktemp("dataset")
    write_video(folder / "first.mp4", pictures[:8])
    write_video(folder / "second.mp4", pictures[10:18])
    (folder / "third.mp4").touch()
    return folder


@pytest.fixture(scope="module")
def study(
    root: Path, dataset: Path, models: object, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., list[str]]:
    """Return a function (results, *arguments) -> arguments of Snakemake, for each results with records of their own.

    All have the same secret, and with it the same ids, and one method, which takes half the time of three.
    """
    secret = tmp_path_factory.mktemp("secret") / "secret.key"

    def study(results: Path, *arguments: str) -> list[str]:
        for name in ("config", "resources"):
            if not (results.parent / name).exists():
                (results.parent / name).symlink_to(root / name)
        places = ["--directory", str(results.parent), "--snakefile", str(root / "Snakefile")]
        settings = [f"dataset={dataset}", f"results_dir={results}", f"secret_file={secret}", "methods=[block]"]
        return [*places, *arguments, "--config", *settings]

    return study


@pytest.fixture(scope="module")
def start(root: Path, study: Arguments) -> Start:
    """Return a function (results, *arguments) that starts Snakemake."""

    def start(results: Path, *arguments: str) -> Running:
        with (results.parent / "said.txt").open("w") as file:
            return subprocess.Popen(
                [sys.executable, "-m", "snakemake", *study(results, *arguments)],
                cwd=root,
                stdout=file,
                stderr=subprocess.STDOUT,
                # What a shell starts in the background, and what this starts in turn, would never see an interrupt.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )

    return start


def said(results: Path) -> str:
    return (results.parent / "said.txt").read_text(encoding="utf-8", errors="replace")


def jobs(results: Path) -> list[dict[str, str]]:
    return slurm_cluster.jobs(re.findall(r"SLURM run ID: (\S+)", said(results))[-1])


def released(results: Path) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads((results / "release/manifest.json").read_text(encoding="utf-8"))
    return manifest


@pytest.fixture(scope="module")
def local(start: Start, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the results of a run without the cluster."""
    results = tmp_path_factory.mktemp("local") / "results"
    assert start(results, "--cores", "2").wait(900) == 0, said(results)[-5000:]
    return results


@pytest.fixture(scope="module")
def results(cluster: Path, start: Start, on_slurm: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the results of a run on the cluster."""
    results = tmp_path_factory.mktemp("slurm") / "results"
    assert start(results, *on_slurm).wait(1500) == 0, said(results)[-5000:]
    return results


def test_the_release_is_the_same_as_from_one_machine(results: Path, local: Path) -> None:
    manifest = released(results)
    assert manifest["files"] == released(local)["files"]
    assert len(manifest["files"]) > 20
    for place, digest in manifest["files"].items():
        assert hashlib.sha256((results / "release" / place).read_bytes()).hexdigest() == digest, place


def test_a_study_is_few_jobs_of_known_size(results: Path) -> None:
    """One job screens all three files, one does all for each good video, and each step of the study is one."""
    done = jobs(results)
    assert {job["state"] for job in done} == {"COMPLETED"}
    assert {job["cpus"] for job in done} == {"1"}
    groups = [job for job in done if "_video_" in job["comment"]]
    assert len(groups) == 2
    assert {job["node"] for job in groups} == set(slurm_cluster.NODES)
    assert len(done) == 1 + 1 + 2 + 4  # screen, collect_screening, the videos; study, report, publish, review_page


def test_a_video_asks_for_the_memory_of_its_largest_step_and_the_time_of_all(results: Path, root: Path) -> None:
    groups = yaml.safe_load((root / "profiles/slurm/config.yaml").read_text("utf-8"))["groups"]
    # Not all rules of the group take part in every study: those that did have logs.
    rules = [rule for rule, group in groups.items() if group == "video" and (results / "logs" / rule).is_dir()]
    times = dict.fromkeys(rules, 1)
    times |= {"estimate_pose": 3, "search_faces": 2}  # the original, the masked copy, and for the first the control
    screened = resources.read_screening(str(results / "restricted/screening.tsv")).values()
    expected = sorted(
        (
            max(resources.megabytes(rule, facts, 1) for rule in times),
            sum(resources.minutes(rule, facts, 1) * count for rule, count in times.items()),
        )
        for facts in screened
        if facts["status"] == "accepted"
    )
    asked = []
    for job in jobs(results):
        if "_video_" in job["comment"]:
            hours, minutes, _ = f"0:{job['limit']}".split(":")[-3:]
            asked.append((int(job["memory"].removesuffix("M")), 60 * int(hours) + int(minutes)))
    assert sorted(asked) == expected


def test_networks_are_fetched_where_snakemake_runs_and_not_by_a_job(results: Path) -> None:
    assert not [job for job in jobs(results) if "fetch" in job["comment"]]


def test_what_slurm_shows_of_a_job_to_everybody_names_no_source(results: Path, dataset: Path) -> None:
    shown = json.dumps(jobs(results))
    assert not [path.name for path in dataset.iterdir() if path.stem in shown]
    assert str(dataset) not in shown


def test_nothing_is_left_to_do(results: Path, start: Start, on_slurm: tuple[str, ...]) -> None:
    assert start(results, *on_slurm).wait(300) == 0
    assert "Nothing to be done" in said(results)
    assert not slurm_cluster.queue()
