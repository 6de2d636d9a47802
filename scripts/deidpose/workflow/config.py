"""Check the settings against their schema, with errors that a user can act on, and list them for the README.

Run as a command (``PYTHONPATH=scripts python -m deidpose.workflow.config``, or ``make config-reference``) it brings
the table of keys in ``config/README.md`` up to date.
"""

import difflib
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from deidpose.errors import UserError

#: The lines of config/README.md between which the table of keys stands.
MARKERS = ("<!-- keys: begin (made by `make config-reference`) -->", "<!-- keys: end -->")

#: JSON Schema itself lets 1.0 pass as an integer and NaN as a number within any limits.
_Validator: Any = jsonschema.validators.extend(  # type: ignore[no-untyped-call]
    jsonschema.Draft202012Validator,
    type_checker=jsonschema.Draft202012Validator.TYPE_CHECKER.redefine_many(
        {
            "integer": lambda _, value: isinstance(value, int) and not isinstance(value, bool),
            "number": lambda _, value: (
                isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
            ),
        }
    ),
)

#: Keys of ``mask`` that concern one method of masking alone.
_MASKED_BY = {"feather": "blur", "blur_strength": "blur", "pixelate_cells": "pixelate"}

_TYPES = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "object": "a group of keys",
}


def validate(config: Mapping[str, Any], schema_path: str | Path) -> None:
    """Check the settings.

    Parameters
    ----------
    config : mapping
        The merged settings, as Snakemake hands them over.
    schema_path : path
        JSON schema (draft 2020-12) in YAML.

    Raises
    ------
    UserError
        Something is wrong; the message has one line, a sentence or two, for each problem.
    """
    schema = read(schema_path)
    problems: dict[str, None] = {}  # a dict, for it keeps the order and drops repetitions
    errors = _Validator(schema).iter_errors(dict(config))
    for error in sorted(errors, key=lambda error: [str(part) for part in error.absolute_path]):
        # Report errors inside a list against the list itself.
        parts = [part for part in error.absolute_path if isinstance(part, str)]
        if error.validator == "additionalProperties":
            known = set(error.schema["properties"])
            unknown = [key for key in error.instance if key not in known]
            problems |= {_unknown(".".join([*parts, str(key)]), schema): None for key in unknown}
        elif error.validator == "required":
            absent = [key for key in error.validator_value if key not in error.instance]
            problems |= {f"The setting {'.'.join([*parts, key])} is missing.": None for key in absent}
        else:
            problems |= {_misfit(parts, config, schema): None}
    if problems:
        raise UserError("\n".join(problems))


def typed(config: Mapping[str, Any], schema_path: str | Path) -> dict[str, Any]:
    """Return the settings with numbers and truth values for the texts that stand for them.

    Snakemake hands over ``--config mask={blur_strength: 0.4}`` with the text "0.4". Texts where the schema wants
    something else, and that are not its text either, stay as they are, for `validate` to tell.
    """

    def convert(value: Any, definition: Mapping[str, Any]) -> Any:
        if isinstance(value, Mapping):
            known = definition.get("properties", {})
            return {key: convert(item, known.get(key, {})) for key, item in value.items()}
        if isinstance(value, str) and definition.get("type") in ("number", "integer", "boolean"):
            try:
                return yaml.safe_load(value)
            except yaml.YAMLError:
                return value
        return value

    return {str(key): value for key, value in convert(config, read(schema_path)).items()}


def mask_of(mask: Mapping[str, Any], method: str) -> dict[str, Any]:
    """Return the part of ``mask`` that one method depends on, so that a change of the rest reruns nothing of it."""
    return {key: value for key, value in mask.items() if _MASKED_BY.get(key, method) == method}


def read(path: str | Path) -> dict[str, Any]:
    """Return the content of a YAML file that holds a mapping.

    Raises
    ------
    UserError
        The file is missing, is not YAML, or holds something else.
    """
    try:
        # The parser written in C, where PyYAML has it, is ten times as fast.
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        content = yaml.load(Path(path).read_text(encoding="utf-8"), Loader=loader)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise UserError(f"The file {path} cannot be read: {reason}.") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark else ""
        raise UserError(f"The file {path} is not valid YAML{where}.") from None
    if not isinstance(content, dict):
        raise UserError(f"The file {path} must hold keys with values, but it holds something else.")
    return content


def leaves(schema: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the dotted path and the schema of every group of keys and of every key, groups first."""
    for key, definition in schema["properties"].items():
        yield prefix + key, definition
        if definition.get("type") == "object":
            yield from leaves(definition, f"{prefix}{key}.")


def expectation(definition: Mapping[str, Any]) -> str:
    """Return in words what a key may hold, such as "a whole number from 0 to 51"."""
    if "enum" in definition:
        choices = [str(choice) for choice in definition["enum"]]
        return " or ".join(choices) if len(choices) < 3 else _one_of(choices)
    kind = definition["type"]
    if kind == "array":
        always = f", always with {definition['contains']['const']}" if "contains" in definition else ""
        least = "one" if definition.get("minItems") else "none"
        return f"a list with {least} or more of {', '.join(definition['items']['enum'])}, each once{always}"
    words = _TYPES[kind]
    if definition.get("minLength"):
        words += ", not empty"
    if "minimum" in definition:
        words += f" from {definition['minimum']} to {definition['maximum']}"
    if "multipleOf" in definition:
        words += f", a multiple of {definition['multipleOf']}"
    if "exclusiveMinimum" in definition:
        words += f" above {definition['exclusiveMinimum']}, up to {definition['maximum']}"
    return words


def reference(schema: Mapping[str, Any], defaults: Mapping[str, Any]) -> str:
    """Return a Markdown table with every key, what it may hold, its default and its meaning."""
    lines = ["| key | holds | default | meaning, and when to change it |", "| --- | --- | --- | --- |"]
    for path, definition in leaves(schema):
        if definition.get("type") == "object":
            lines.append(f"| **`{path}`** | | | {definition['description']} |")
        else:
            default = json.dumps(_at(defaults, path.split("."))).replace('"', "")
            lines.append(f"| `{path}` | {expectation(definition)} | {_code(default)} | {definition['description']} |")
    return "\n".join(lines)


def _unknown(path: str, schema: Mapping[str, Any]) -> str:
    known = [name for name, _ in leaves(schema)]
    same_name = [name for name in known if name.rsplit(".", 1)[-1] == path.rsplit(".", 1)[-1]]
    siblings = [name for name in known if name.rpartition(".")[0] == path.rpartition(".")[0]]
    near = (
        same_name
        or difflib.get_close_matches(path, siblings, n=1, cutoff=0.6)
        or difflib.get_close_matches(path, known, n=1, cutoff=0.5)
    )
    hint = f"did you mean {' or '.join(near)}? All keys" if near else "all keys"
    if path in known:  # written with a dot instead of indented
        group, _, key = path.partition(".")
        hint = f"write it as the key {key} under {group}. All keys"
    return f"The setting {path} is unknown: {hint} are explained in config/README.md."


def _misfit(parts: list[str], config: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    path = ".".join(parts)
    definition = dict(leaves(schema))[path]
    given = _at(config, parts)
    choices = definition.get("enum", definition.get("items", {}).get("enum", []))
    values = given if isinstance(given, list) else [given]
    near = [
        match
        for value in values
        if isinstance(value, str) and value not in choices
        for match in difflib.get_close_matches(value, choices, n=1)
    ]
    hint = f" Did you mean {', '.join(near)}?" if near else ""
    return f"The setting {path} must be {expectation(definition)}, but {_shown(given)} was given.{hint}"


def _shown(value: object) -> str:
    if value is None:
        return "no value at all"
    if value == "":
        return "an empty text"
    if isinstance(value, str):
        return f"the text '{value}'"
    if isinstance(value, dict):
        return "a group of keys"
    return json.dumps(value, default=str, ensure_ascii=False).replace('"', "")


def _one_of(choices: list[str]) -> str:
    return f"one of {', '.join(choices)}"


def _code(text: str) -> str:
    return f"`{text}`" if text else "empty"


def _at(values: Any, parts: list[str]) -> Any:
    for part in parts:
        values = values[part]
    return values


def main() -> None:
    """Bring the table of keys in config/README.md up to date."""
    folder = Path(__file__).resolve().parents[3] / "config"
    readme = folder / "README.md"
    before, _, rest = readme.read_text(encoding="utf-8").partition(MARKERS[0])
    table = reference(read(folder / "config.schema.yaml"), read(folder / "config.yaml"))
    after = rest.partition(MARKERS[1])[2]
    readme.write_text(f"{before}{MARKERS[0]}\n{table}\n{MARKERS[1]}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
