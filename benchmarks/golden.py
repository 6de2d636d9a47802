"""Whether the demo gives the same results as at an earlier commit: a check for changes that should change nothing.

::

    .venv/bin/python benchmarks/golden.py              run both and compare, as `make golden` does
    .venv/bin/python benchmarks/golden.py --resume     repeat only what Snakemake takes for changed in the working tree
    .venv/bin/python benchmarks/golden.py --compare    run nothing, and compare the results that are there

The demo runs at the baseline, in a worktree of git, and in the working tree, with the same packages and the same
fetched files. Then every file of the two results is compared: videos and figures by their bytes, tables, JSON, arrays
and pages by their values. ``benchmarks/golden_names.yaml`` lists what has been renamed on purpose. What was found is
written to ``benchmarks/golden.md``. The exit code is 1 if anything differs that this list does not explain.

The results of the baseline are kept under ``resources/golden`` and used again. Do not edit the workflow while it runs.
"""

import argparse
import base64
import binascii
import gzip
import hashlib
import io
import json
import math
import os
import re
import shutil
import subprocess
import sys
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import yaml

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "resources/golden"
NAMES = ROOT / "benchmarks/golden_names.yaml"
PAGE = ROOT / "benchmarks/golden.md"

#: The commit whose results are the right ones.
BASELINE = "19e1262"

#: Folders under resources/ with fetched files, which both runs share.
_FETCHED = ("demo", "models", "libraries")

#: Top folders of the results that are compared. Logs and times of jobs are in others.
_COMPARED = ("release", "restricted")

#: Files that are not compared, by pattern: hidden ones of Snakemake, the secret, and those with paths of sources.
_LEFT_OUT = ("*/.*", "restricted/secret.key", "restricted/key.tsv", "restricted/screened/*.key.tsv")

_KINDS = {
    ".mp4": "videos",
    ".mkv": "videos",
    ".csv": "tables",
    ".tsv": "tables",
    ".parquet": "tables",
    ".json": "JSON",
    ".svg": "figures and pictures",
    ".pdf": "figures and pictures",
    ".png": "figures and pictures",
    ".jpg": "figures and pictures",
    ".html": "pages",
    ".js": "data of the report",
    ".npz": "arrays",
    ".npy": "arrays",
    ".nc": "netCDF",
    ".trc": "markers and motions",
    ".mot": "markers and motions",
    ".zip": "archives",
    ".txt": "text",
    ".md": "text",
}

#: So many differences are listed of one file, and of all files together.
_MOST_OF_FILE = 5
_MOST = 400

_SECTIONS: dict[str, tuple[str, ...]] = {
    "files": ("old", "new"),
    "columns": ("in", "old", "new"),
    "values": ("in", "column", "old", "new"),
    "keys": ("in", "old", "new"),
    "texts": ("in", "old", "new"),
    "expected": ("at", "why"),
}

_SHA256 = re.compile(r"[0-9a-f]{64}")
_SCRIPT = re.compile(r"<script\b([^>]*)>(.*?)</script>", re.DOTALL)
_ATTRIBUTE = re.compile(r'([\w-]+)="([^"]*)"')
_PAYLOAD = re.compile(r'deidposeVideo\("([^"]*)","([^"]*)"\);\s*')

#: What a damaged file, or one of another form than its name says, raises when it is read.
_UNREADABLE = (ValueError, KeyError, TypeError, OSError, EOFError, zlib.error, binascii.Error, zipfile.BadZipFile)


class Verdict(StrEnum):
    """What a comparison says of one file."""

    BYTES = "equal by bytes"
    VALUE = "equal by value"
    RENAMED = "renamed"
    EXPECTED = "as expected"
    DIFFERS = "differs"
    ONLY_OLD = "only at the baseline"
    ONLY_NEW = "only in the working tree"
    LEFT_OUT = "not compared"


#: Verdicts that make the check fail.
FAILURES = (Verdict.DIFFERS, Verdict.ONLY_OLD, Verdict.ONLY_NEW)


class Difference(NamedTuple):
    """Where two files differ, as path, ``#`` and place inside, and how."""

    at: str
    text: str


class Result(NamedTuple):
    """What was found of one file: its old and its new path, of which one may be empty, and what differs."""

    old: str
    new: str
    verdict: Verdict
    differences: tuple[Difference, ...] = ()


class Text(NamedTuple):
    """Lines of text, in which parts of a line may have been renamed."""

    lines: list[str]


# --------------------------------------------------------------------------------------------------- what is renamed


def _pattern(pattern: str) -> re.Pattern[str]:
    """Return a regular expression for a pattern in which ``*`` stands for any text."""
    return re.compile("(.*)".join(map(re.escape, pattern.split("*"))), re.DOTALL)


@dataclass(frozen=True)
class Names:
    """The old and new names, and the ones of them that were needed.

    Parameters
    ----------
    entries : mapping
        Section of ``golden_names.yaml`` -> its entries.
    used : set
        Section and position of every entry that has renamed something; filled while names are looked up.
    """

    entries: Mapping[str, Sequence[Mapping[str, str]]] = field(default_factory=dict)
    used: set[tuple[str, int]] = field(default_factory=set)

    @classmethod
    def read(cls, path: Path) -> "Names":
        """Read the list of names.

        Raises
        ------
        ValueError
            The list has a section or an entry that means nothing.
        """
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        for section, entries in content.items():
            if section not in _SECTIONS:
                raise ValueError(f"{path.name}: there is no section {section}; use {', '.join(_SECTIONS)}.")
            needed = set(_SECTIONS[section]) - {"in"}
            for entry in entries or []:
                if not needed <= entry.keys() <= set(_SECTIONS[section]):
                    raise ValueError(f"{path.name}: an entry of {section} has the keys {', '.join(needed)}: {entry}")
                if section == "files" and entry["old"].count("*") != entry["new"].count("*"):
                    raise ValueError(f"{path.name}: old and new path need the same number of *: {entry}")
        return cls({section: entries or [] for section, entries in content.items()})

    def fresh(self) -> "Names":
        """Return the same names, with none of them used."""
        return replace(self, used=set())

    def path(self, path: str) -> str:
        """Return the new path of a file."""
        for number, entry in enumerate(self.entries.get("files", ())):
            if found := _pattern(entry["old"]).fullmatch(path):
                parts = entry["new"].split("*")
                path = "".join(part + text for part, text in zip(parts, (*found.groups(), ""), strict=True))
                self.used.add(("files", number))
        return path

    def column(self, at: str, name: str) -> str:
        """Return the new name of a column of the table at a place."""
        return self._renamed("columns", at, name)

    def key(self, at: str, name: str) -> str:
        """Return the new name of a key of the JSON at a place."""
        return self._renamed("keys", at, name)

    def value(self, at: str, column: str, value: str) -> str:
        """Return the new form of a value of a column, or of a key of JSON."""
        return self._renamed("values", at, value, column)

    def line(self, at: str, line: str) -> str:
        """Return a line with the parts replaced that are renamed, or the new form of the whole line."""
        for number, entry in enumerate(self.entries.get("texts", ())):
            places = (at, at.partition("#")[0])
            if entry["old"] in line and any(_pattern(entry.get("in", "*")).fullmatch(place) for place in places):
                line = line.replace(entry["old"], entry["new"])
                self.used.add(("texts", number))
        return self.value(at, "text", line)

    def expects(self, at: str) -> bool:
        """Return whether a place may differ."""
        for number, entry in enumerate(self.entries.get("expected", ())):
            if _pattern(entry["at"]).fullmatch(at):
                self.used.add(("expected", number))
                return True
        return False

    def unused(self) -> list[str]:
        """Return the entries that have renamed nothing; what is expected may also not come."""
        return [
            f"{section}: {', '.join(f'{key} {value}' for key, value in entry.items())}"
            for section, entries in self.entries.items()
            for number, entry in enumerate(entries)
            if section != "expected" and (section, number) not in self.used
        ]

    def _renamed(self, section: str, at: str, name: str, column: str = "") -> str:
        places = (at, at.partition("#")[0])  # a pattern may name the whole file, or a part of it
        for number, entry in enumerate(self.entries.get(section, ())):
            meant = entry["old"] == name and entry.get("column", "") == column
            if meant and any(_pattern(entry.get("in", "*")).fullmatch(place) for place in places):
                self.used.add((section, number))
                return entry["new"]
        return name


# --------------------------------------------------------------------------------------------------- reading a file


def read(name: str, content: bytes) -> Any:
    """Return what a file says, as mappings, lists, tables, arrays and lines.

    Parameters
    ----------
    name : str
        Its name, of which the ending tells the form.
    content : bytes
        All of it.

    Returns
    -------
    object
        None for a form that is compared by its bytes alone.
    """
    form = Path(name).suffix
    if form in (".csv", ".tsv"):
        return _read_text_table(content, "," if form == ".csv" else "\t")
    if form == ".parquet":
        return pd.read_parquet(io.BytesIO(content))
    if form == ".json":
        return json.loads(content)
    if form == ".html":
        return read_page(content.decode())
    if form == ".js" and (found := _PAYLOAD.fullmatch(content.decode())):
        return {"video": found[1], **unpack(found[2])}
    if form in (".npz", ".npy"):
        loaded = np.load(io.BytesIO(content), allow_pickle=False)
        return loaded if isinstance(loaded, np.ndarray) else dict(loaded.items())
    if form == ".nc":
        return _read_netcdf(content)
    if form in (".trc", ".mot"):
        return _read_motion(content.decode(), form)
    if form == ".zip":
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return {"members": {name: read(name, archive.read(name)) for name in archive.namelist()}}
    if form in (".txt", ".md", ".js"):
        return Text(content.decode().splitlines())
    return None


def unpack(text: str) -> dict[str, Any]:
    """Return the header and the arrays that the library packs for the report, see ``packing.pack``.

    They are read here once more, so that the check does not depend on the code that it checks.
    """
    data = gzip.decompress(base64.b64decode(text))
    start = 4 + int.from_bytes(data[:4], "little")
    header = json.loads(data[4:start])
    arrays = [
        np.frombuffer(data, np.dtype(name).newbyteorder("<"), length, start + offset)
        for name, offset, length in header.pop("arrays")
    ]
    return {"header": header, "arrays": arrays}


def unpack_table(text: str) -> Any:
    """Return a table of the report page: texts in place of their numbers, and numbers as the page shows them."""
    packed = unpack(text)
    columns, arrays = packed["header"].get("columns"), packed["arrays"]
    if columns is None or len(columns) != len(arrays):
        return packed
    return pd.DataFrame(
        {
            column["name"]: np.array(column["texts"], dtype=object)[array]
            if "texts" in column
            else array / column.get("scale", 1)
            for column, array in zip(columns, arrays, strict=True)
        }
    )


def read_page(page: str) -> dict[str, Any]:
    """Return the parts of a page: packed tables, packed videos, libraries, JSON, programs, and the rest as text."""
    parts: dict[str, Any] = {"tables": {}, "videos": {}, "libraries": {}, "json": {}}
    programs: list[str] = []

    def take(found: re.Match[str]) -> str:
        marks, content = dict(_ATTRIBUTE.findall(found[1])), found[2]
        if "data-table" in marks:
            parts["tables"][marks["data-table"]] = unpack_table(content)
        elif "data-video" in marks:
            parts["videos"][marks["data-video"]] = unpack(content)
        elif "data-library" in marks:
            library = gzip.decompress(base64.b64decode(content)).decode()
            parts["libraries"][marks["data-library"]] = Text(library.splitlines())
        elif marks.get("type") == "application/json":
            parts["json"][marks.get("id", "")] = json.loads(content)
        else:
            programs.extend(content.splitlines())
        # That there was one of this kind stays in the text.
        return f"<script{found[1]}></script>"

    rest = _SCRIPT.sub(take, page)
    # The digest of the program is that of lines that are compared themselves.
    rest = re.sub(r"'sha256-[^']*'", "'sha256-'", rest)
    return {**parts, "script": Text(programs), "text": Text(rest.splitlines())}


def _read_text_table(content: bytes, separator: str) -> pd.DataFrame:
    """Return a table of texts as they are, an empty field as an empty text."""
    if not content.strip():
        return pd.DataFrame()
    return pd.read_csv(io.BytesIO(content), sep=separator, dtype=str, keep_default_na=False, na_filter=False)


def _read_motion(text: str, form: str) -> dict[str, Any]:
    """Return the header of a .trc or .mot file, in cells, and its rows."""
    lines = text.splitlines()
    n_header = 5 if form == ".trc" else lines.index("endheader") + 1
    rows = io.StringIO("\n".join(lines[n_header:]))
    table = pd.read_csv(
        rows, sep="\t", header=None if form == ".trc" else 0, dtype=str, keep_default_na=False, na_filter=False
    )
    return {"header": [line.split("\t") for line in lines[:n_header]], "rows": table}


def _read_netcdf(content: bytes) -> dict[str, Any]:
    """Return dimensions, attributes and variables of a file of netCDF 3."""
    from scipy.io import netcdf_file

    with netcdf_file(io.BytesIO(content), "r", mmap=False) as file:
        return {
            "dimensions": dict(file.dimensions),
            "attributes": {name: _plain(value) for name, value in file._attributes.items()},
            "variables": {
                name: {
                    "dimensions": list(variable.dimensions),
                    "attributes": {key: _plain(value) for key, value in variable._attributes.items()},
                    "data": _joined(variable.data.copy()),
                }
                for name, variable in file.variables.items()
            },
        }


def _plain(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value


def _joined(data: Any) -> Any:
    """Return an array of letters as a list of texts, and any other as it is."""
    if data.dtype.kind != "S" or data.ndim != 2:
        return data
    return [b"".join(row).decode().rstrip("\0") for row in data]


# ------------------------------------------------------------------------------------------------------- comparing


@dataclass(frozen=True)
class Context:
    """What comparing two files needs besides them.

    Parameters
    ----------
    names : Names
        What is renamed.
    place : function
        The new form of a text that may be the path of a file of the results, and otherwise the text itself.
    same_file : function
        Whether two different SHA-256 are those of two files that are the same but for what is renamed.
    """

    names: Names = field(default_factory=Names)
    place: Callable[[str], str] = lambda text: text
    same_file: Callable[[str, str], bool] = lambda old, new: False


def differences(old: Any, new: Any, at: str, context: Context, key: str = "") -> Iterator[Difference]:
    """Yield what differs between two things that `read` has returned.

    Parameters
    ----------
    old, new : object
        Of the baseline and of the working tree.
    at : str
        Old path of the file, followed by ``#`` and the place inside, if any.
    context : Context
        Renamed names among it.
    key : str
        Old name of the column or key that the values belong to.
    """
    if isinstance(old, pd.DataFrame) and isinstance(new, pd.DataFrame):
        yield from _of_tables(old, new, at, context)
    elif isinstance(old, np.ndarray) and isinstance(new, np.ndarray):
        yield from _of_arrays(old, new, at)
    elif isinstance(old, Text) and isinstance(new, Text):
        yield from _of_lines(old.lines, new.lines, at, context)
    elif isinstance(old, Mapping) and isinstance(new, Mapping):
        yield from _of_mappings(old, new, at, context)
    elif isinstance(old, list) and isinstance(new, list):
        if len(old) != len(new):
            yield Difference(at, f"{len(new)} entries instead of {len(old)}")
            return
        for index, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from differences(one, other, _inside(at, str(index)), context, key)
    else:
        yield from _of_values(old, new, at, context, key)


def _inside(at: str, part: str) -> str:
    return f"{at}.{part}" if "#" in at else f"{at}#{part}"


def _of_mappings(old: Mapping[str, Any], new: Mapping[str, Any], at: str, context: Context) -> Iterator[Difference]:
    renamed = {key: context.place(context.names.key(at, str(key))) for key in old}
    # What netCDF holds by name is a column elsewhere.
    renamed = {key: name if name in new else context.names.column(at, name) for key, name in renamed.items()}
    for key, name in renamed.items():
        if name not in new:
            yield Difference(_inside(at, str(key)), "missing in the working tree")
        else:
            yield from differences(old[key], new[name], _inside(at, str(key)), context, str(key))
    for name in new.keys() - set(renamed.values()):
        yield Difference(_inside(at, str(name)), "only in the working tree")


def _of_values(old: Any, new: Any, at: str, context: Context, key: str) -> Iterator[Difference]:
    if isinstance(old, str) and isinstance(new, str):
        if old == new:
            return
        if _SHA256.fullmatch(old) and _SHA256.fullmatch(new):
            if not context.same_file(old, new):
                yield Difference(at, "another digest")
            return
        renamed = context.place(context.names.value(at, key, old))
        if renamed != new and context.names.line(at, old) != new:
            yield Difference(at, f"{_shown(new)} instead of {_shown(old)}")
    elif not _same(old, new):
        yield Difference(at, f"{_shown(new)} instead of {_shown(old)}")


def _same(old: Any, new: Any) -> bool:
    """Return whether two single values are the same: 1 and 1.0 are, 1 and true are not."""
    if isinstance(old, bool | np.bool_) != isinstance(new, bool | np.bool_):
        return False
    # Single numbers of netCDF are those of numpy, and a 32-bit one of them is no float of Python.
    if all(isinstance(value, float | np.floating) and math.isnan(value) for value in (old, new)):
        return True
    try:
        return bool(np.all(old == new))
    except ValueError:
        return False


def _of_arrays(old: Any, new: Any, at: str) -> Iterator[Difference]:
    if old.dtype.newbyteorder("=") != new.dtype.newbyteorder("="):
        yield Difference(at, f"numbers of the type {new.dtype} instead of {old.dtype}")
    elif old.shape != new.shape:
        yield Difference(at, f"shape {new.shape} instead of {old.shape}")
    else:
        unequal = (old != new) & ~((old != old) & (new != new))  # a missing number equals another one
        if unequal.any():
            yield Difference(at, f"{int(unequal.sum())} of {old.size} values{_by_how_much(old, new)}")


def _by_how_much(old: Any, new: Any) -> str:
    if old.dtype.kind not in "iuf":
        return ""
    gap = np.abs(new.astype(float) - old.astype(float))
    return f", by {np.nanmax(gap):.3g} at most" if np.isfinite(gap).any() else ""


def _of_lines(old: Sequence[str], new: Sequence[str], at: str, context: Context) -> Iterator[Difference]:
    if list(old) == list(new):
        return
    same = set(new)
    renamed = [line if line in same else context.place(context.names.line(at, line)) for line in old]
    if len(renamed) != len(new):
        yield Difference(at, f"{len(new)} lines instead of {len(renamed)}")
    unequal = [number for number, pair in enumerate(zip(renamed, new, strict=False)) if pair[0] != pair[1]]
    if unequal:
        first = unequal[0]
        text = f"line {first + 1}: {_shown(new[first])} instead of {_shown(renamed[first])}"
        more = f" ({len(unequal)} lines)" if len(unequal) > 1 and len(renamed) == len(new) else ""
        yield Difference(at, text + more)


def _of_tables(old: pd.DataFrame, new: pd.DataFrame, at: str, context: Context) -> Iterator[Difference]:
    former = {context.names.column(at, str(name)): str(name) for name in old.columns}
    renamed = old.set_axis([context.names.column(at, str(name)) for name in old.columns], axis=1)
    new = new.set_axis([str(name) for name in new.columns], axis=1)
    lacking = [name for name in renamed.columns if name not in new.columns]
    added = [name for name in new.columns if name not in renamed.columns]
    for name in lacking:
        yield Difference(f"{_inside(at, former[name])}", "this column is missing in the working tree")
    for name in added:
        yield Difference(f"{_inside(at, name)}", "this column is only in the working tree")
    if not lacking and not added and list(renamed.columns) != list(new.columns):
        yield Difference(_inside(at, "(columns)"), "the same columns in another order")
    if len(renamed) != len(new):
        yield Difference(_inside(at, "(rows)"), f"{len(new)} rows instead of {len(renamed)}")
        return
    shared = [name for name in renamed.columns if name in new.columns]
    for name in shared:
        renamed[name] = _renamed_values(renamed[name], new[name], former[name], at, context)
    found = [one for name in shared for one in _of_columns(renamed[name], new[name], _inside(at, former[name]))]
    if found and _same_rows(renamed[shared], new[shared]):
        found = [Difference(_inside(at, "(rows)"), "the same rows in another order")]
    yield from found


def _renamed_values(old: "pd.Series[Any]", new: "pd.Series[Any]", column: str, at: str, context: Context) -> Any:
    """Return a column of texts with the values renamed that differ, and any other as it is."""
    if pd.api.types.is_numeric_dtype(old.dtype) or old.equals(new):
        return old
    forms = {
        value: context.place(context.names.value(at, column, value)) for value in old.unique() if isinstance(value, str)
    }
    changed = {value: form for value, form in forms.items() if value != form}
    return old.replace(changed) if changed else old


def _of_columns(old: "pd.Series[Any]", new: "pd.Series[Any]", at: str) -> Iterator[Difference]:
    texts = [not pd.api.types.is_numeric_dtype(series.dtype) for series in (old, new)]
    if texts[0] != texts[1] or (not texts[0] and old.dtype != new.dtype):
        yield Difference(at, f"values of the type {new.dtype} instead of {old.dtype}")
        return
    missing = old.isna().to_numpy(), new.isna().to_numpy()
    before, after = (series.astype(object).where(series.notna(), None).to_numpy() for series in (old, new))
    unequal = (missing[0] != missing[1]) | (~missing[0] & ~missing[1] & (before != after))
    for row in np.flatnonzero(unequal):
        unequal[row] = not _same_number(before[row], after[row])
    if unequal.any():
        first = int(np.flatnonzero(unequal)[0])
        text = f"{int(unequal.sum())} of {len(old)} values; in row {first}, {_shown(after[first])}"
        yield Difference(at, f"{text} instead of {_shown(before[first])}{_widest(before[unequal], after[unequal])}")


def _same_number(old: Any, new: Any) -> bool:
    """Return whether two texts say the same number, such as 1.0 and 1.00."""
    if not (isinstance(old, str) and isinstance(new, str)):
        return False
    try:
        return float(old) == float(new)
    except ValueError:
        return False


def _widest(old: Any, new: Any) -> str:
    """Return by how much numbers, or texts of numbers, differ at most; nothing where they are none."""
    try:
        gaps = np.abs(np.array(new, dtype=float) - np.array(old, dtype=float))
    except (ValueError, TypeError):
        return ""
    return f"; by {np.nanmax(gaps):.3g} at most" if np.isfinite(gaps).any() else ""


def _same_rows(old: pd.DataFrame, new: pd.DataFrame) -> bool:
    """Return whether two tables have the same rows, in whatever order."""
    if not len(old.columns):
        return False
    rows = [Counter(table.astype(str).itertuples(index=False, name=None)) for table in (old, new)]
    return rows[0] == rows[1]


def _shown(value: Any) -> str:
    """Return a value for a reader: short, without digests and without paths of this machine."""
    text = str(value) if not isinstance(value, str) else f'"{value}"'
    text = _SHA256.sub("(digest)", text.replace(str(ROOT), ".").replace(str(Path.home()), "~"))
    return text if len(text) <= 100 else f"{text[:97]}..."


class Comparison:
    """Two folders of results, compared file by file.

    Parameters
    ----------
    old, new : path
        The results of the baseline and of the working tree.
    names : Names
        What is renamed.
    """

    def __init__(self, old: Path, new: Path, names: Names) -> None:
        self.old, self.new, self.names = old, new, names
        self.old_files, self.new_files = set(_files(old)), set(_files(new))
        self.pairs = {path: names.path(path) for path in sorted(self.old_files)}
        self._found: dict[str, Result] = {}

    def results(self) -> list[Result]:
        """Return what is found of every file of either side, sorted by path."""
        found = [self.result(path) for path in self.pairs]
        for path in sorted(self.new_files - set(self.pairs.values())):
            found.append(Result("", path, Verdict.LEFT_OUT if _is_left_out(path) else Verdict.ONLY_NEW))
        return sorted(found, key=lambda result: result.old or result.new)

    def result(self, path: str) -> Result:
        """Return what is found of one file, by its path at the baseline."""
        if path not in self._found:
            self._found[path] = self._compare(path)
        return self._found[path]

    def _compare(self, path: str) -> Result:
        place = self.pairs[path]
        if _is_left_out(path):
            return Result(path, place if place in self.new_files else "", Verdict.LEFT_OUT)
        if place not in self.new_files:
            return Result(path, "", Verdict.ONLY_OLD)
        before, after = (self.old / path).read_bytes(), (self.new / place).read_bytes()
        if before == after:
            return Result(path, place, Verdict.BYTES if path == place else Verdict.RENAMED)
        names = self.names.fresh()
        found = self._inside(path, before, after, names)
        unexpected = tuple(one for one in found if not names.expects(one.at))
        self.names.used.update(names.used)
        if unexpected:
            return Result(path, place, Verdict.DIFFERS, unexpected)
        if found:
            return Result(path, place, Verdict.EXPECTED, tuple(found))
        needed = any(section != "expected" for section, _ in names.used)
        return Result(path, place, Verdict.RENAMED if needed or path != place else Verdict.VALUE)

    def _inside(self, path: str, before: bytes, after: bytes, names: Names) -> list[Difference]:
        try:
            old, new = read(path, before), read(self.pairs[path], after)
        except _UNREADABLE as error:
            return [Difference(path, f"cannot be read as its name says ({type(error).__name__}), and its bytes differ")]
        if old is None or new is None:
            return [Difference(path, "its bytes differ")]

        def place(text: str) -> str:
            return self._renamed_place(text, path, names)

        return list(differences(old, new, path, Context(names, place, self._same_file)))

    def _renamed_place(self, text: str, path: str, names: Names) -> str:
        """Return the new form of a text that names a file of the results or a member of the archive at ``path``."""
        outer = f"{path}/"
        renamed = names.path(outer + text) if path.endswith(".zip") else ""
        if renamed.startswith(f"{self.pairs[path]}/"):
            return renamed.removeprefix(f"{self.pairs[path]}/")
        for old, new in (("release/", "release/"), ("restricted/", "restricted/"), _folders(path, self.pairs[path])):
            if (target := self.pairs.get(old + text, "")).startswith(new) and target != old + text:
                names.path(old + text)  # takes note of what it was renamed by
                return target.removeprefix(new)
        return text

    def _same_file(self, old: str, new: str) -> bool:
        """Return whether two digests are those of files that are the same but for what is renamed or expected."""
        new_places = self._new_digests.get(new, ())
        return any(
            self.pairs[path] in new_places and self.result(path).verdict not in FAILURES
            for path in self._old_digests.get(old, ())
        )

    @cached_property
    def _old_digests(self) -> dict[str, list[str]]:
        return _digests(self.old, self.old_files)

    @cached_property
    def _new_digests(self) -> dict[str, list[str]]:
        return _digests(self.new, self.new_files)


def _folders(old: str, new: str) -> tuple[str, str]:
    return old[: old.rfind("/") + 1], new[: new.rfind("/") + 1]


def _files(results: Path) -> Iterator[str]:
    for folder in _COMPARED:
        for path in (results / folder).rglob("*"):
            if path.is_file():
                yield path.relative_to(results).as_posix()


def _is_left_out(path: str) -> bool:
    return any(_pattern(pattern).fullmatch(path) for pattern in _LEFT_OUT)


def _digests(results: Path, files: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for file in sorted(files):
        with (results / file).open("rb") as stream:
            found.setdefault(hashlib.file_digest(stream, "sha256").hexdigest(), []).append(file)
    return found


# ------------------------------------------------------------------------------------------------------- the report


def failed(results: Iterable[Result]) -> bool:
    """Return whether anything differs that the names do not explain."""
    return any(result.verdict in FAILURES for result in results)


def report(results: Sequence[Result], baseline: str, head: str, names: Names) -> str:
    """Return the report in Markdown.

    Parameters
    ----------
    results : sequence of Result
        What was found of every file.
    baseline, head : str
        The two states of the repository, in words.
    names : Names
        After the comparison, so that it is known which of them were needed.
    """
    n_failed = sum(result.verdict in FAILURES for result in results)
    compared = [result for result in results if result.verdict != Verdict.LEFT_OUT]
    verdict = (
        f"**{n_failed} of {len(compared)} files differ, or are at one side only.**"
        if n_failed
        else f"**All {len(compared)} files are the same**, but for what is renamed or expected, if anything."
    )
    lines = [
        "# The demo, before and now",
        "",
        "`make golden` has written this page. It compares the results of the demo at the baseline with those of the",
        "working tree: videos and figures by bytes, everything else by bytes and, where these differ, by value.",
        "[golden_names.yaml](golden_names.yaml) lists what was renamed on purpose.",
        "",
        f"- Baseline: {baseline}",
        f"- Working tree: {head}",
        "",
        verdict,
        "",
        *_counts(results),
    ]
    headings = {
        Verdict.DIFFERS: "What differs",
        Verdict.ONLY_OLD: "Only at the baseline",
        Verdict.ONLY_NEW: "Only in the working tree",
        Verdict.EXPECTED: "What may differ",
        Verdict.RENAMED: "What is renamed",
        Verdict.VALUE: "Same values in other bytes",
    }
    for kind, heading in headings.items():
        listed = [line for result in results if result.verdict == kind for line in _listed(result)]
        if listed:
            lines += ["", f"## {heading}", "", *listed[:_MOST]]
            if len(listed) > _MOST:
                lines.append(f"- and {len(listed) - _MOST} lines more")
    if unused := names.unused():
        lines += ["", "## Names that nothing needs", "", *(f"- {entry}" for entry in unused)]
    return "\n".join(lines) + "\n"


def _counts(results: Iterable[Result]) -> list[str]:
    kinds = Counter((_kind(result.old or result.new), result.verdict) for result in results)
    verdicts = [verdict for verdict in Verdict if any(kind[1] == verdict for kind in kinds)]
    rows = [f"| files | {' | '.join(verdicts)} |", f"| --- |{' --: |' * len(verdicts)}"]
    for kind in sorted({kind for kind, _ in kinds}):
        rows.append(f"| {kind} | {' | '.join(str(kinds[kind, verdict]) for verdict in verdicts)} |")
    sums = [sum(n for (_, found), n in kinds.items() if found == verdict) for verdict in verdicts]
    return [*rows, f"| all | {' | '.join(map(str, sums))} |"]


def _kind(path: str) -> str:
    return _KINDS.get(Path(path).suffix, "others")


def _listed(result: Result) -> Iterator[str]:
    renamed = f" → `{result.new}`" if result.old and result.new and result.old != result.new else ""
    yield f"- `{result.old or result.new}`{renamed}"
    path = result.old or result.new
    for one in result.differences[:_MOST_OF_FILE]:
        inside = one.at.removeprefix(path).removeprefix("#")
        yield f"  - {f'`{inside}`: ' if inside else ''}{one.text}"
    if len(result.differences) > _MOST_OF_FILE:
        yield f"  - and {len(result.differences) - _MOST_OF_FILE} places more"


# ------------------------------------------------------------------------------------------------------ both demos


def _git(*arguments: str, folder: Path = ROOT) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout.strip()


def _snakemake(folder: Path, results: Path, *targets: str) -> None:
    """Run the demo of the repository in a folder."""
    # No digests of the code of the one for the other, and no library but that of the folder.
    environment = {name: value for name, value in os.environ.items() if name not in ("DEIDPOSE_CODE", "PYTHONPATH")}
    settings = [f"results_dir={results}", f"secret_file={FOLDER / 'secret.key'}"]
    command = [sys.executable, "-m", "snakemake", *targets, "--configfile", "config/demo.yaml", "--cores", "all"]
    subprocess.run([*command, "--rerun-incomplete", "--config", *settings], cwd=folder, env=environment, check=True)


def fetch() -> None:
    """Fetch the clips, networks and libraries of the demo, unless they are there."""
    script = ROOT / "tools/fetch_demo.py"
    subprocess.run([sys.executable, script, "--directory", "resources/demo"], cwd=ROOT, check=True)
    _snakemake(ROOT, FOLDER / "head-results", "models")


def run_baseline(commit: str) -> Path:
    """Return the results of a commit; make them unless they are there, whole and made with the same packages."""
    results, worktree, stamp = FOLDER / "baseline-results", FOLDER / "baseline", FOLDER / "baseline.txt"
    packages = hashlib.sha256((ROOT / "requirements.lock").read_bytes()).hexdigest()
    wanted, finished = f"{commit}\n{packages}\n", "finished\n"
    found = stamp.read_text(encoding="utf-8") if stamp.is_file() else ""
    if found == wanted + finished and results.is_dir():
        return results
    if not found.startswith(wanted) or not (worktree / ".git").is_file():
        for folder in (worktree, results):
            shutil.rmtree(folder, ignore_errors=True)
        _git("worktree", "prune")
        _git("worktree", "add", "--detach", str(worktree), commit)
        (worktree / "resources").mkdir(exist_ok=True)
        for name in _FETCHED:
            target = (ROOT / "resources" / name).resolve()
            (worktree / "resources" / name).symlink_to(target, target_is_directory=True)
    stamp.write_text(wanted, encoding="utf-8")
    _snakemake(worktree, results)
    stamp.write_text(wanted + finished, encoding="utf-8")
    return results


def run_head(*, resume: bool) -> Path:
    """Return the results of the working tree, made anew or gone on with."""
    results = FOLDER / "head-results"
    if not resume:
        shutil.rmtree(results, ignore_errors=True)
    _snakemake(ROOT, results)
    return results


def describe_head() -> str:
    """Return the state of the working tree in words."""
    # The page itself changes with every run, and is no part of the workflow.
    changed = _git("status", "--porcelain", "--", ".", f":!{PAGE.relative_to(ROOT).as_posix()}")
    return f"`{_git('rev-parse', '--short=12', 'HEAD')}`" + (", with changes that are not committed" if changed else "")


def main() -> int:
    """Run, compare, write the page and return the exit code."""
    parser = argparse.ArgumentParser(description="Compare the results of the demo with those of an earlier commit.")
    parser.add_argument("--baseline", default=BASELINE, help="the commit to compare with (default: %(default)s)")
    parser.add_argument("--resume", action="store_true", help="repeat only what has changed in the working tree")
    parser.add_argument("--compare", action="store_true", help="run nothing; compare the results that are there")
    chosen = parser.parse_args()
    try:
        names = Names.read(NAMES)
        commit = _git("rev-parse", "--verify", f"{chosen.baseline}^{{commit}}")
        old, new = FOLDER / "baseline-results", FOLDER / "head-results"
        if not chosen.compare:
            fetch()
            old, new = run_baseline(commit), run_head(resume=chosen.resume)
    except (ValueError, subprocess.CalledProcessError) as error:
        print(error, file=sys.stderr)
        return 2
    results = Comparison(old, new, names).results()
    page = report(results, f"`{commit[:12]}`", describe_head(), names)
    PAGE.write_text(page, encoding="utf-8")
    print(page)
    return int(failed(results))


if __name__ == "__main__":
    sys.exit(main())
