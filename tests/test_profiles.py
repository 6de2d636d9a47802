"""Profiles: which rules are one job together, and what a chunk of a study is."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from deidpose import status

PROFILES = ("htcondor", "kubernetes", "lsf", "sge", "slurm")


def rules_of_a_video(root: Path) -> set[str]:
    """Rules whose outputs have the wildcard video."""
    found = set()
    for path in (root / "rules").glob("*.smk"):
        for rule in re.split(r"^(?=(?:rule|checkpoint) \w+:)", path.read_text("utf-8"), flags=re.MULTILINE)[1:]:
            output = re.search(r"^    output:\n(.*?)^    \w+:", rule, re.MULTILINE | re.DOTALL)
            if output and "{video}" in output[1]:
                found.add(rule.split()[1].rstrip(":"))
    return found


def read(root: Path, profile: str) -> dict[str, Any]:
    settings: dict[str, Any] = yaml.safe_load((root / f"profiles/{profile}/config.yaml").read_text("utf-8"))
    return settings


@pytest.mark.parametrize("profile", PROFILES)
def test_all_that_is_done_with_a_video_is_in_its_group(root: Path, profile: str) -> None:
    rules = rules_of_a_video(root)
    assert {"screen", "anonymize", "draw_review"} < rules
    settings = read(root, profile)
    assert settings["groups"] == {rule: "screening" if rule == "screen" else "video" for rule in rules}
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


def test_rules_name_no_queue_and_no_retries(root: Path) -> None:
    """Retries of a rule would be applied again inside its job."""
    for path in (root / "Snakefile", *(root / "rules").glob("*.smk")):
        assert not re.search(r"slurm_|lsf_|sge_|retries:|partition|queue", path.read_text("utf-8")), path.name


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
    assert "run snakemake --until screening first" in said.stderr
