"""Settings and their schema."""

import copy
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from deidpose.errors import UserError
from deidpose.pose import registry
from deidpose.workflow import config, downloads


@pytest.fixture
def schema_path(root: Path) -> Path:
    return root / "config" / "config.schema.yaml"


@pytest.fixture
def defaults(root: Path) -> dict[str, Any]:
    return config.read(root / "config" / "config.yaml")


def paths(values: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from paths(value, f"{prefix}{key}.")
        else:
            yield prefix + key


def changed(defaults: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    values = copy.deepcopy(defaults)
    *groups, key = path.split(".")
    place = values
    for group in groups:
        place = place[group]
    place[key] = value
    return values


def problems(values: dict[str, Any], schema_path: Path) -> list[str]:
    with pytest.raises(UserError) as caught:
        config.validate(values, schema_path)
    return str(caught.value).splitlines()


def test_the_defaults_are_valid(defaults: dict[str, Any], schema_path: Path) -> None:
    config.validate(defaults, schema_path)


def test_the_demo_changes_known_keys_only(root: Path, defaults: dict[str, Any], schema_path: Path) -> None:
    config.validate(defaults | config.read(root / "config" / "demo.yaml"), schema_path)


def test_the_schema_is_a_valid_schema(schema_path: Path) -> None:
    jsonschema.Draft202012Validator.check_schema(config.read(schema_path))


def test_the_schema_has_exactly_the_keys_of_the_defaults(defaults: dict[str, Any], schema_path: Path) -> None:
    schema = config.read(schema_path)
    keys = [path for path, definition in config.leaves(schema) if definition.get("type") != "object"]
    assert keys == list(paths(defaults))


def test_every_key_is_described_and_every_group_closed_and_complete(schema_path: Path) -> None:
    schema = config.read(schema_path)
    assert schema["additionalProperties"] is False
    for path, definition in config.leaves(schema):
        assert len(definition["description"]) > 15, path
        if definition.get("type") == "object":
            assert definition["additionalProperties"] is False, path
            assert definition["required"] == list(definition["properties"]), path


def test_the_backends_are_those_of_the_library_and_their_networks_are_listed(root: Path, schema_path: Path) -> None:
    known = dict(config.leaves(config.read(schema_path)))["pose.backend"]["enum"]
    assert known == list(registry.BACKENDS)
    networks = downloads.load(root / "config" / "models.yaml")
    assert all(network in networks for backend in registry.BACKENDS.values() for network in backend.models)


def test_the_size_of_the_landmark_network_chooses_it_and_no_other(
    root: Path, defaults: dict[str, Any], schema_path: Path
) -> None:
    entries = downloads.load(root / "config" / "models.yaml")
    sizes = dict(config.leaves(config.read(schema_path)))["pose.blazepose.landmarks"]["enum"]
    assert sizes[0] == defaults["pose"]["blazepose"]["landmarks"] == "full"
    files = []
    for size in sizes:
        chosen = registry.networks(defaults["pose"] | {"blazepose": {"landmarks": size}})
        assert list(chosen) == list(registry.BACKENDS["blazepose"].models)
        assert chosen["blazepose_detector"] == "blazepose_detector"
        files.append(entries[chosen["blazepose_landmarks"]]["file"])
    assert files == [f"pose_landmark_{size}.tflite" for size in sizes]
    assert registry.cost(defaults["pose"]) == (0, 0)
    assert min(registry.cost(defaults["pose"] | {"blazepose": {"landmarks": "heavy"}})) > 0


def test_the_readme_holds_the_table_that_the_schema_gives(
    root: Path, defaults: dict[str, Any], schema_path: Path
) -> None:
    readme = (root / "config" / "README.md").read_text(encoding="utf-8")
    table = config.reference(config.read(schema_path), defaults)
    assert f"{config.MARKERS[0]}\n{table}\n{config.MARKERS[1]}" in readme, "run `make config-reference`"


@pytest.mark.parametrize(
    ("path", "near"),
    [
        ("method", "methods"),
        ("face", "faces"),
        ("pose.max_poeple", "pose.max_people"),
        ("track_score", "faces.track_score"),
        ("mask.crf", "encode.crf"),
        ("seed", "study.seed"),
    ],
)
def test_an_unknown_key_is_named_with_the_nearest_right_one(
    path: str, near: str, defaults: dict[str, Any], schema_path: Path
) -> None:
    (problem,) = problems(changed(defaults, path, 1), schema_path)
    assert problem.startswith(f"The setting {path} is unknown: did you mean {near}?")
    assert "config/README.md" in problem


def test_a_name_that_several_groups_have_brings_up_each(defaults: dict[str, Any], schema_path: Path) -> None:
    (problem,) = problems(changed(defaults, "score_threshold", 1), schema_path)
    assert "faces.score_threshold or audit.score_threshold" in problem


def test_a_key_written_with_a_dot_is_told_how_to_write_it(defaults: dict[str, Any], schema_path: Path) -> None:
    (problem,) = problems({**defaults, "pose.backend": "blazepose"}, schema_path)
    assert "write it as the key backend under pose" in problem


def test_a_key_like_no_other_gets_no_guess(defaults: dict[str, Any], schema_path: Path) -> None:
    (problem,) = problems({**defaults, "xyzzy": 1}, schema_path)
    assert problem == "The setting xyzzy is unknown: all keys are explained in config/README.md."


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        ("encode.crf", 60, "must be a whole number from 0 to 51, but 60 was given."),
        ("encode.crf", "18", "must be a whole number from 0 to 51, but the text '18' was given."),
        ("encode.crf", 18.0, "must be a whole number from 0 to 51, but 18.0 was given."),
        ("encode.crf", True, "must be a whole number from 0 to 51, but true was given."),
        ("faces.enlarge", float("nan"), "must be a number from 1 to 4, but NaN was given."),
        ("screen.max_file_gb", 0, "must be a number above 0, up to 10000, but 0 was given."),
        ("dataset", "", "must be text, not empty, but an empty text was given."),
        ("dataset", 7, "must be text, not empty, but 7 was given."),
        ("videos", None, "must be text, but no value at all was given."),
        ("pose", "blazepose", "must be a group of keys, but the text 'blazepose' was given."),
        ("mask.shape", "elipse", "but the text 'elipse' was given. Did you mean ellipse?"),
        ("methods", "blur", "must be a list with one or more of blur, block, pixelate, each once, but the text 'blur'"),
        ("methods", [], "each once, but [] was given."),
        ("methods", ["blur", "blur"], "each once, but [blur, blur] was given."),
        ("methods", ["blurr", "bloc"], "was given. Did you mean blur, block?"),
        ("methods", ["reencode"], "but [reencode] was given."),
        ("audit.withhold", ["review"], "always with fail, but [review] was given."),
    ],
)
def test_a_wrong_value_is_told_with_what_was_expected_and_what_was_given(
    path: str, value: object, sentence: str, defaults: dict[str, Any], schema_path: Path
) -> None:
    (problem,) = problems(changed(defaults, path, value), schema_path)
    assert problem.startswith(f"The setting {path} must be ")
    assert sentence in problem


def test_every_problem_is_told_at_once(defaults: dict[str, Any], schema_path: Path) -> None:
    values = changed(changed(defaults, "encode.crf", 99), "metods", ["blur"])
    del values["dataset"]
    assert len(problems(values, schema_path)) == 3
    assert "The setting dataset is missing." in problems(values, schema_path)


@pytest.mark.parametrize("path", ["encode.crf", "faces.enlarge", "mask.pixelate_cells", "study.confidence_level"])
def test_the_limits_themselves_are_allowed(path: str, defaults: dict[str, Any], schema_path: Path) -> None:
    definition = dict(config.leaves(config.read(schema_path)))[path]
    for limit in ("minimum", "maximum"):
        config.validate(changed(defaults, path, definition[limit]), schema_path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"a: [1\nb: 2\n", "not valid YAML in line 2"),
        (b"- a\n", "must hold keys"),
        (b"", "must hold keys"),
        (b"a: \xff\n", "it is not UTF-8 text"),
    ],
)
def test_a_file_that_is_no_settings_is_refused_in_one_sentence(tmp_path: Path, content: bytes, reason: str) -> None:
    file = tmp_path / "config.yaml"
    file.write_bytes(content)
    with pytest.raises(UserError, match=re.escape(reason)):
        config.read(file)
    with pytest.raises(UserError, match="No such file"):
        config.read(tmp_path / "none.yaml")


def test_texts_from_the_command_line_become_the_numbers_that_they_stand_for(root: Path) -> None:
    schema = root / "config/config.schema.yaml"
    given = {"mask": {"blur_strength": "0.4", "shape": "ellipse"}, "encode": {"crf": "much"}, "dataset": "12"}
    assert config.typed(given, schema) == {
        "mask": {"blur_strength": 0.4, "shape": "ellipse"},
        "encode": {"crf": "much"},
        "dataset": "12",
    }


def test_a_method_goes_by_its_own_strength_alone(defaults: dict[str, Any]) -> None:
    mask = {"shape": "ellipse", "feather": 0.1, "blur_strength": 0.35, "pixelate_cells": 3}
    assert set(mask) == set(defaults["mask"]), "say in config.py which method a new key concerns, and here"
    assert config.mask_of(mask, "blur") == {"shape": "ellipse", "feather": 0.1, "blur_strength": 0.35}
    assert config.mask_of(mask, "block") == {"shape": "ellipse"}
    assert config.mask_of(mask, "pixelate") == {"shape": "ellipse", "pixelate_cells": 3}
