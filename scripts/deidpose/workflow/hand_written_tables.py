"""Read the tables that people write by hand and check them against their schemas.

Each of them, named by what it is a table of, has a JSON schema: ``config/videos.schema.yaml`` and
``config/corrections.schema.yaml``.

Imports the standard library only, because the Snakefile imports this module and every job on a cluster reads the
Snakefile again. The packages for schemas, which the check of the settings needs as well, are imported when a table is
read.
"""

import codecs
import difflib
import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from deidpose.errors import UserError

_SCHEMAS = Path(__file__).resolve().parents[3] / "config"

#: A field and what ends it. A field in quotation marks may contain tabs or line ends, as spreadsheet programs write
#: them, but not both. So a stray mark cannot swallow the rows below it: it ends with its field.
_FIELD = re.compile(
    r"""
    (?P<text>
        [^\S\t\r\n]* " (?: [^"\r\n]++ | "" )*+ " [^\S\t\r\n]*
      | [^\S\t\r\n]* " (?: [^"\t]++ | "" )*+ " [^\S\t\r\n]*
      | [^\t\r\n]*
    )
    (?P<end> \t | \r\n | \r | \n | \Z )
    """,
    re.VERBOSE,
)
_LINE_END = re.compile("\r\n|\r|\n")

#: What is in quotation marks, and what comes after them.
_QUOTED = re.compile('"((?:[^"]++|"")*+)"?(.*)', re.DOTALL)

_SHOWN_LENGTH = 80  # characters of a wrong value that a message shows


class Row(NamedTuple):
    """One row: the number of its (first) line, and column -> text, empty where nothing is given."""

    line: int
    fields: dict[str, str]


def read(path: str | Path, kind: str, other_bytes: bool = False) -> list[Row]:
    """Return the rows of a table with a header, after a check of each field by itself.

    The table is UTF-8 text with tabs between its columns, as spreadsheet programs save it: with or without a byte
    order mark, with line ends of any system, and with quotation marks around some fields. Columns may come in any
    order. Blanks around fields, empty lines and empty fields at the ends of lines do not count.

    Parameters
    ----------
    path : path
        ``~`` is expanded.
    kind : str
        What it is a table of: ``videos`` or ``corrections``.
    other_bytes : bool
        Whether bytes that are not UTF-8 are kept as `os.fsdecode` does, for paths of files.

    Raises
    ------
    UserError
        The table cannot be read or a field does not fit the schema; the sentence names the line and the column.
    """
    lines = _lines(_text(path, kind, other_bytes))
    number, header = next(lines, (1, []))
    columns = schema(kind)["properties"]
    if not header:
        raise UserError(f"The table of {kind} {path} is empty: its first line must name the columns.")
    _check_header(header, kind, where(number, path, kind))
    checks = _checks(kind)
    passed: dict[str, set[str]] = {column: set() for column in header}
    rows = []
    for number, fields in lines:
        if len(fields) > len(header):
            raise UserError(
                f"{where(number, path, kind)} has {len(fields)} fields, but the first line names {len(header)} columns."
            )
        row = dict.fromkeys(columns, "") | dict(zip(header, fields, strict=False))
        for column in header:
            value = row[column]
            # Most columns repeat few values, and a check takes a hundred times as long as a look into a set.
            if value not in passed[column]:
                error = next(checks[column].iter_errors(value), None)
                if error:
                    raise UserError(f"{where(number, path, kind)} {_misfit(column, value, error, columns[column])}")
                passed[column].add(value)
        rows.append(Row(number, row))
    return rows


@cache
def schema(kind: str) -> dict[str, Any]:
    """Return the JSON schema (draft 2020-12) of a row of a table."""
    # Not by `config.read`: the digest of the code of several jobs would count the module config then.
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    content: dict[str, Any] = yaml.load((_SCHEMAS / f"{kind}.schema.yaml").read_text("utf-8"), Loader=loader)
    return content


def where(line: int, path: str | Path, kind: str) -> str:
    """Return the words with which a sentence about a line of a table begins."""
    return f"Line {line} of the table of {kind} {path}"


def hint(given: str, known: Collection[str]) -> str:
    """Return a sentence, after a blank, with the known name that is nearest to a wrong one; empty if none is near."""
    names = {name.lower(): name for name in known}
    near = difflib.get_close_matches(given.lower(), list(names), n=1)
    return f" Did you mean '{shown(names[near[0]])}'?" if near else ""


def shown(text: str) -> str:
    """Return a text, such as the name of a file, that any terminal can print in one line."""
    decoded = os.fsencode(text).decode("utf-8", "replace")
    return "".join(sign if sign.isprintable() else "\ufffd" for sign in decoded)


def _text(path: str | Path, kind: str, other_bytes: bool) -> str:
    try:
        content = Path(os.path.expanduser(path)).read_bytes()
    except OSError as error:
        raise UserError(f"The table of {kind} {path} cannot be read: {error.strerror}.") from None
    # Spreadsheet programs call UTF-16 "Unicode text".
    other_bytes = other_bytes and not content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return content.decode("utf-8-sig", "surrogateescape" if other_bytes else "strict")
    except UnicodeDecodeError as error:
        line = len(_LINE_END.findall(error.object[: error.start].decode("latin-1"))) + 1
        raise UserError(f"{where(line, path, kind)} is not UTF-8 text: save it as that.") from None


def _lines(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the number and the fields of each line that is not empty, without empty fields at its end."""
    fields: list[str] = []
    first = number = 1
    for match in _FIELD.finditer(text):
        field = match["text"].strip()
        if field.startswith('"'):
            number += len(_LINE_END.findall(field))
            field = _QUOTED.sub(lambda parts: parts[1].replace('""', '"') + parts[2], field, count=1).strip()
        fields.append(field)
        if match["end"] != "\t":
            while fields and not fields[-1]:
                fields.pop()
            if fields:
                yield first, fields
            fields = []
            first = number = number + 1


def _check_header(header: Sequence[str], kind: str, place: str) -> None:
    columns, required = schema(kind)["properties"], schema(kind)["required"]
    for position, name in enumerate(header, 1):
        if not name:
            raise UserError(f"{place} must name every column, but column {position} has no name.")
        if name not in columns:
            near = "" if re.search("[,;|]", name) else hint(name, columns)
            known = near or f" The columns, separated by tabs, are {', '.join(columns)}."
            raise UserError(f"{place} names the column '{_cut(name)}', which is unknown.{known}")
        if header.count(name) > 1:
            raise UserError(f"{place} names the column '{name}' twice.")
    missing = [name for name in required if name not in header]
    if missing:
        names = f"column{'s' if len(missing) > 1 else ''} {', '.join(missing)}"
        raise UserError(f"{place} must name the {names} as well, with tabs between the columns.")


@cache
def _checks(kind: str) -> dict[str, Any]:
    """Return what checks a value, by column."""
    import jsonschema

    columns = schema(kind)["properties"]
    return {column: jsonschema.Draft202012Validator(definition) for column, definition in columns.items()}


def _misfit(column: str, value: str, error: Any, definition: Mapping[str, Any]) -> str:
    if error.validator == "maxLength":
        return f"has {len(value)} characters as {column}, but at most {error.validator_value} are allowed."
    near = ""
    if "enum" in definition:
        expected = f"one of {', '.join(definition['enum'])}"
        near = hint(value, definition["enum"]) if value else ""
    else:
        sentence = definition["description"].partition(". ")[0].removesuffix(".")
        expected = sentence[0].lower() + sentence[1:]
    if not value:
        return f"must name its {column}: {expected}."
    return f"has '{_cut(value)}' as {column}, but it must be {expected}.{near}"


def _cut(text: str) -> str:
    text = shown(text)
    return text if len(text) <= _SHOWN_LENGTH else f"{text[: _SHOWN_LENGTH - 1]}…"
