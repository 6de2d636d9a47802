"""Compute nodes often have no network: once the networks are fetched, nothing else may need one."""

import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import snakemake_logger_plugin_jobs as jobs
from fixtures.video_files import write_video

#: Tries to reach an address that is reserved for documentation (RFC 5737).
REACH = "import socket; print(socket.socket().connect_ex(('192.0.2.1', 80)))"


@pytest.fixture(scope="module")
def alone() -> list[str]:
    """Return what a command is preceded by, to run in a network namespace that has no route."""
    if os.geteuid() or not shutil.which("unshare"):
        pytest.skip("A network namespace takes root, and unshare of util-linux.")
    if subprocess.run(["unshare", "--net", "true"], capture_output=True, check=False).returncode:
        pytest.skip("This machine lets not even root make a network namespace.")
    return ["unshare", "--net"]


def test_in_the_namespace_no_network_is_reachable(alone: list[str]) -> None:
    done = subprocess.run([*alone, sys.executable, "-c", REACH], capture_output=True, text=True, check=True)
    assert int(done.stdout) == errno.ENETUNREACH


def test_after_the_target_models_a_whole_study_runs_without_a_network(
    alone: list[str],
    root: Path,
    pictures: list[np.ndarray],
    snakemake: Callable[..., subprocess.CompletedProcess[str]],
    tmp_path: Path,
) -> None:
    dataset, results = tmp_path / "dataset", tmp_path / "results"
    dataset.mkdir()
    write_video(dataset / "walk.mp4", pictures[:10])
    settings = ["--config", f"dataset={dataset}", f"results_dir={results}", "methods=[block]"]
    fetched = snakemake("models", *settings)
    assert fetched.returncode == 0, fetched.stderr[-3000:]
    assert not (results / "restricted/screening.tsv").exists()
    command = [*alone, sys.executable, "-m", "snakemake", "--cores", "2", "--logger", "jobs", *settings]
    environment = {**os.environ, "PYTHONPATH": str(root / "tests")}  # for --logger jobs
    done = subprocess.run(
        command, cwd=root, env=environment, capture_output=True, text=True, errors="replace", check=False
    )
    assert done.returncode == 0, done.stderr[-5000:]
    rules = {job.split("/")[0] for job in jobs.read(done.stderr)}
    assert "publish" in rules
    assert not rules & {"fetch_model", "fetch_library"}
    manifest = json.loads((results / "release/manifest.json").read_text(encoding="utf-8"))
    assert [video["status"] for video in manifest["videos"]] == ["accepted"]
