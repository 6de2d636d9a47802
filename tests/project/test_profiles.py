"""Rules and profiles: what every rule declares, which rules are one job together, and what a chunk of a study is."""

import os
import re
import string
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from snakemake.api import Workflow
from snakemake.iocontainers import Wildcards
from snakemake.rules import Rule

from deidpose.workflow import status

pytest_plugins = ["fixtures.workflow_objects"]

PROFILES = ("htcondor", "kubernetes", "lsf", "sge", "slurm")
#: Rules that name targets and run nothing: no log, no benchmark, no environment.
TARGETS = {"all", "models", "backends"}
#: Its further lines list the networks that are left out, and where the user can put their files.
LONG_MESSAGE = "show_backends"


def without_constraints(pattern: str) -> str:
    """Return a pattern with the bare names of its wildcards."""
    return re.sub(r"\{(\w+),[^{}]*\}", r"{\1}", pattern)


def test_only_targets_run_no_script(rules: list[Rule]) -> None:
    assert {rule.name for rule in rules if not rule.is_script} == TARGETS


def test_every_rule_has_a_sentence_as_its_docstring(rules: list[Rule]) -> None:
    for rule in rules:
        assert re.fullmatch(r"[A-Z][^\n]*\.", rule.docstring or ""), rule.name


def test_every_rule_says_what_it_does_in_a_sentence_without_a_path(rules: list[Rule]) -> None:
    for rule in rules:
        sentence, *more = (rule.message or "").splitlines() or [""]
        assert re.fullmatch(r"[A-Z][a-z-]+ing [^/\\~]*\.", sentence), rule.name
        assert not more or rule.name == LONG_MESSAGE, rule.name


def test_a_message_is_filled_in_with_wildcards_of_its_rule_alone(
    rules: list[Rule], wildcards_of_a_job: Callable[[Rule], Wildcards]
) -> None:
    for rule in rules:
        fields = {field for _, field, _, _ in string.Formatter().parse(rule.message) if field is not None}
        assert fields <= {f"wildcards.{name}" for name in rule.wildcard_names}, rule.name
        filled = rule.message.format(wildcards=wildcards_of_a_job(rule))
        assert "{" not in filled.splitlines()[0], rule.name


def test_messages_of_two_jobs_are_never_the_same(rules: list[Rule]) -> None:
    assert len({rule.message for rule in rules}) == len(rules)
    for rule in rules:
        assert all(f"{{wildcards.{name}}}" in rule.message for name in rule.wildcard_names), rule.name


def test_log_and_benchmark_of_every_job_are_named_by_its_rule_and_wildcards(
    workflow: Workflow, jobs: list[Rule]
) -> None:
    """How far a study is, is read from these names; the comparison of pose networks is no part of a study."""
    logs, benchmarks, backends = (workflow.globals[name] for name in ("LOGS", "BENCHMARKS", "BACKENDS"))
    for rule in jobs:
        (log,) = (without_constraints(str(path)) for path in rule.log)
        wildcards = re.findall(r"\{(\w+)\}", log)
        assert set(wildcards) == set(rule.wildcard_names), rule.name
        job = "/".join(filter(None, [rule.name, "_".join(f"{{{name}}}" for name in wildcards)]))
        assert log == f"{logs}/{job}.log"
        folder = benchmarks if Path(rule.snakefile).stem != "backends" else f"{backends}/benchmarks"
        assert without_constraints(str(rule.benchmark)) == f"{folder}/{job}.tsv"


def test_every_job_runs_in_the_environment_of_the_workflow(root: Path, jobs: list[Rule]) -> None:
    for rule in jobs:
        folder = Path(rule.snakefile).parent
        assert (folder / str(rule.conda_env)).resolve() == root / "envs/deidpose.yaml", rule.name


def test_every_job_runs_a_script_that_is_there(jobs: list[Rule]) -> None:
    for rule in jobs:
        assert (Path(rule.snakefile).parent / rule.script).is_file(), rule.name


def read(root: Path, profile: str) -> dict[str, Any]:
    settings: dict[str, Any] = yaml.safe_load((root / f"profiles/{profile}/config.yaml").read_text("utf-8"))
    return settings


@pytest.mark.parametrize("profile", PROFILES)
def test_all_that_is_done_with_a_video_is_in_its_group(root: Path, profile: str, rules: list[Rule]) -> None:
    names = {rule.name for rule in rules if "video" in rule.wildcard_names}
    assert {"screen", "anonymize", "draw_review"} < names
    settings = read(root, profile)
    assert settings["groups"] == {name: "screening" if name == "screen" else "video" for name in names}
    assert settings["group-components"].keys() == {"screening", "video"}


@pytest.mark.parametrize("profile", PROFILES)
def test_a_profile_repeats_what_the_one_for_a_single_machine_says(root: Path, profile: str) -> None:
    default, settings = read(root, "default"), read(root, profile)
    assert {key: settings[key] for key in default if key != "cores"} == {
        key: value for key, value in default.items() if key != "cores"
    }
    assert settings["executor"] == profile


@pytest.mark.parametrize("profile", PROFILES)
def test_only_the_tested_profile_does_not_say_that_it_is_untested(root: Path, profile: str) -> None:
    text = (root / f"profiles/{profile}/config.yaml").read_text("utf-8")
    assert ("UNTESTED" in text) == (profile != "slurm")


def test_rules_name_no_queue_and_no_retries(rules: list[Rule]) -> None:
    """Retries of a rule would be applied again inside its job."""
    for rule in rules:
        own = {name for name in rule.resources if not name.startswith("_")} - {"tmpdir"}
        assert own == (set() if rule.name in TARGETS else {"mem_mb", "runtime"}), rule.name
        assert rule.ruleinfo.retries is None, rule.name
        assert rule.ruleinfo.group is None, rule.name


def chunk(
    root: Path, results: Path, share: int = 1, shares: int = 1, first: int = 1, last: int = 0
) -> subprocess.CompletedProcess[str]:
    environment = {"SLURM_ARRAY_TASK_ID": str(share), "SLURM_ARRAY_TASK_COUNT": str(shares), "SNAKEMAKE": "echo"}
    environment |= {"SLURM_ARRAY_TASK_MIN": str(first), "SLURM_ARRAY_TASK_MAX": str(last or shares)}
    return subprocess.run(
        [root / "profiles/slurm/chunk.sh", results, "--config", "dataset=a b"],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def targets(said: str) -> list[str]:
    return said.partition(" -- ")[2].split()


def test_every_accepted_video_is_in_one_chunk(root: Path, tmp_path: Path) -> None:
    (tmp_path / "restricted").mkdir()
    rows = [f"v{number}\t{'rejected' if number == 3 else 'accepted'}\tx" for number in range(8)]
    table = "\n".join(["video\tstatus\treason", *rows]) + "\n"
    (tmp_path / "restricted/screening.tsv").write_text(table)
    whole = targets(chunk(root, tmp_path).stdout)
    assert {Path(target).stem.split("_")[0] for target in whole} == {f"v{number}" for number in range(8) if number != 3}
    shared = [targets(chunk(root, tmp_path, share, 3).stdout) for share in (1, 2, 3)]
    assert sorted(target for targets_of_one in shared for target in targets_of_one) == sorted(whole)
    assert max(map(len, shared)) <= min(map(len, shared)) + len(whole) // 7
    assert "No videos are left" in chunk(root, tmp_path, 20, 20).stdout


def test_a_video_that_a_reviewer_has_left_out_is_in_no_chunk(root: Path, tmp_path: Path) -> None:
    plan = {"video": ["v1", "v11", "v2"], "excluded": ["v11", "v2"], "only": {}}
    status.write_plan(tmp_path, plan)
    rows = "\n".join(f"{video}\taccepted" for video in plan["video"])
    (tmp_path / "restricted/screening.tsv").write_text(f"video\tstatus\n{rows}\n")
    assert [Path(target).stem for target in targets(chunk(root, tmp_path).stdout)] == ["v1"]


@pytest.mark.parametrize(("share", "shares", "first", "last"), [(7, 1, 7, 7), (3, 2, 3, 7), (1, 20, 1, 39)])
def test_an_array_whose_tasks_are_no_shares_is_refused(
    share: int, shares: int, first: int, last: int, root: Path, tmp_path: Path
) -> None:
    said = chunk(root, tmp_path, share, shares, first, last)
    assert said.returncode == 1
    assert "send it again as --array=1-20" in said.stderr


def test_a_chunk_of_a_study_that_is_not_screened_says_what_to_do(root: Path, tmp_path: Path) -> None:
    said = chunk(root, tmp_path)
    assert said.returncode == 1
    assert "run snakemake --until collect_screening first" in said.stderr
