"""Which pose networks can be compared here, by what is there."""

from pathlib import Path
from typing import Any

import pytest

from deidpose.errors import UserError
from deidpose.evaluation import backend_agreement
from deidpose.pose import candidates
from deidpose.workflow import config as config_module
from deidpose.workflow import downloads
from deidpose.workflow.config import read

Chosen = tuple[dict[str, dict[str, Any]], dict[str, str]]


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine with nothing on it: no program, no file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path


def choose(root: Path, settings: dict[str, Any], *asked: str) -> Chosen:
    return candidates.choose_candidates(
        asked, settings["pose"], downloads.load(root / "config/models.yaml"), "resources/models"
    )


def put(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)


def test_without_npm_and_files_only_what_comes_in_wheels_is_compared(root: Path, config: dict[str, Any]) -> None:
    chosen, left_out = choose(root, config)
    assert list(chosen) == ["blazepose_full"]
    assert set(left_out) == set(candidates.CANDIDATES) - {"blazepose_full"}
    assert "install npm, or put the file at resources/offline/pose_landmark_heavy.tflite" in left_out["blazepose_heavy"]
    assert "name it under backends" in left_out["rtmpose"]
    assert "nothing is here to run it" in left_out["openpose"]
    for why in left_out.values():
        assert why.endswith(".")
        assert why.count(". ") == 0


def test_with_npm_the_other_sizes_are_compared(root: Path, config: dict[str, Any], machine: Path) -> None:
    put(machine / "bin/npm")
    chosen, _ = choose(root, config)
    assert list(chosen) == ["blazepose_full", "blazepose_heavy", "blazepose_lite"]
    assert [one["blazepose"]["landmarks"] for one in chosen.values()] == ["full", "heavy", "lite"]
    assert all(one["min_confidence"] == config["pose"]["min_confidence"] for one in chosen.values())


@pytest.mark.parametrize("folder", ["resources/models", "resources/offline"])
def test_networks_that_are_here_are_compared(root: Path, config: dict[str, Any], machine: Path, folder: str) -> None:
    entries = downloads.load(root / "config/models.yaml")
    put(machine / folder / entries["rtmpose_detector"]["file"])
    assert "rtmpose" in choose(root, config)[1]  # one of two
    put(machine / folder / entries["rtmpose_landmarks"]["file"])
    assert choose(root, config)[0]["rtmpose"]["backend"] == "rtmpose"


def test_openpose_is_compared_in_the_way_that_is_there(root: Path, config: dict[str, Any], machine: Path) -> None:
    put(machine / "bin/openpose")
    assert choose(root, config)[0]["openpose"]["backend"] == "openpose"


def test_an_image_counts_where_rules_run_in_containers(root: Path, config: dict[str, Any]) -> None:
    settings = config["pose"] | {"openpose": config["pose"]["openpose"] | {"container": "docker://lab/openpose"}}
    entries = downloads.load(root / "config/models.yaml")
    for with_containers in (False, True):
        chosen, left_out = candidates.choose_candidates([], settings, entries, "resources/models", with_containers)
        assert ("openpose" in chosen) == with_containers
        assert ("openpose" in left_out) != with_containers


def test_what_is_asked_for_is_fetched_from_its_address_and_nothing_else_is_run(
    root: Path, config: dict[str, Any]
) -> None:
    chosen, left_out = choose(root, config, "rtmpose", "blazepose_full")
    assert list(chosen) == ["blazepose_full", "rtmpose"]
    assert left_out["openpose"] == "It was not asked for."


@pytest.mark.parametrize(
    ("asked", "sentence"), [("openpose", "nothing is here to run it"), ("blazepose_lite", "install npm")]
)
def test_what_is_asked_for_and_cannot_be_had_is_an_error(
    root: Path, config: dict[str, Any], asked: str, sentence: str
) -> None:
    with pytest.raises(UserError, match=sentence):
        choose(root, config, asked)


def test_what_is_told_holds_nothing_for_snakemake_to_fill_in() -> None:
    told = candidates.message({"a": 1}, {"b": "There is no {file}."})
    assert told.format() == "Pose networks that are compared: a.\nb is left out. There is no {file}."
    assert "none" in candidates.message({}, {})


def test_the_candidates_are_those_of_the_settings_and_have_titles(root: Path) -> None:
    leaves = dict(config_module.leaves(read(root / "config/config.schema.yaml")))
    assert leaves["backends"]["items"]["enum"] == list(candidates.CANDIDATES) == list(backend_agreement.TITLES)
