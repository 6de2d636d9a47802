"""A cluster that all tests here share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures import slurm_cluster

#: The profile; and what a test need not wait for that a cluster with work for hours may.
ON_SLURM = ("--workflow-profile", "profiles/slurm", "--slurm-init-seconds-before-status-checks", "4")


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return the folder of a running cluster; afterwards nothing is left of it."""
    if reason := slurm_cluster.missing():
        pytest.skip(reason)
    pytest.importorskip("snakemake_executor_plugin_slurm", reason="make setup-slurm installs the plugin.")
    folder = tmp_path_factory.mktemp("cluster")
    slurm_cluster.start(folder)
    yield folder
    slurm_cluster.stop(folder)
    assert not slurm_cluster.CONFIGURATION.is_symlink()
    assert not list((folder / "run").glob("*.pid"))
    assert slurm_cluster.missing() == ""


@pytest.fixture(scope="session")
def on_slurm() -> tuple[str, ...]:
    """Return the arguments with which Snakemake hands its jobs to the cluster."""
    return ON_SLURM
