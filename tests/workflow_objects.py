"""The workflow as Snakemake's own objects, loaded once on a dataset of one empty file, as `make lint` does.

A module of tests gets the fixtures by ``pytest_plugins = ["workflow_objects"]``.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from snakemake.api import SnakemakeApi, Workflow
from snakemake.iocontainers import InputFiles, Wildcards
from snakemake.rules import Rule
from snakemake.settings.types import ConfigSettings, OutputSettings, ResourceSettings


@pytest.fixture(scope="session")
def workflow(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Workflow:
    """Return the workflow as Snakemake has read it; no graph of jobs is built and nothing runs."""
    folder = tmp_path_factory.mktemp("workflow")
    (folder / "data").mkdir()
    (folder / "data/video.mp4").touch()
    config = {"dataset": str(folder / "data"), "results_dir": str(folder / "results")}
    with SnakemakeApi(OutputSettings(enable_file_logging=False)) as api:
        loaded = api.workflow(
            ResourceSettings(cores=1),
            config_settings=ConfigSettings(config=config),
            snakefile=root / "Snakefile",
            workdir=root,
        )
        # The only access to rule objects: public methods of the API print what they find.
        return loaded._workflow


@pytest.fixture(scope="session")
def rules(workflow: Workflow) -> list[Rule]:
    """Return all rules and checkpoints, in the order in which the Snakefile includes them."""
    return list(workflow.rules)


@pytest.fixture(scope="session")
def jobs(rules: list[Rule]) -> list[Rule]:
    """Return the rules that run a script; the others only name targets and have nothing to log or to measure."""
    return [rule for rule in rules if rule.is_script]


@pytest.fixture(scope="session")
def wildcards_of_a_job(workflow: Workflow) -> Callable[[Rule], Wildcards]:
    """Return a function (rule) -> wildcards with which the rule could have a job."""
    names = workflow.globals
    values = {"video": "VIDEOS", "method": "METHODS", "source": "SOURCES", "backend": "COMPARED"}
    files = {"fetch_model": "MODEL_FILES", "fetch_library": "LIBRARY_FILES"}

    def choose(rule: Rule) -> Wildcards:
        lists = values | {"file": files.get(rule.name)}
        return Wildcards(fromdict={name: next(iter(names[lists[name]])) for name in rule.wildcard_names})

    return choose


@pytest.fixture(scope="session")
def resources_of_a_job(wildcards_of_a_job: Callable[[Rule], Wildcards]) -> Callable[..., dict[str, Any]]:
    """Return a function (rule, attempt=1) -> what a job of the rule asks for, by the name of the resource."""

    def ask(rule: Rule, attempt: int = 1) -> dict[str, Any]:
        return dict(rule.expand_resources(wildcards_of_a_job(rule), InputFiles(), attempt).items())

    return ask
