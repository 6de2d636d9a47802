"""Digest the code that a result is made with.

Imports the standard library only, because the Snakefile imports this module and every job on a cluster reads the
Snakefile again.
"""

import ast
import hashlib
import json
import math
import os
import re
from functools import cache
from pathlib import Path

#: The directory that holds the scripts and, below it, the library.
_SCRIPTS = Path(__file__).resolve().parents[2]

#: Environment variable with the digests that this process or one that has started it has made, and of which files.
_KNOWN = "DEIDPOSE_CODE"

#: A module in a text, alone or with the name of something in it.
_MODULE_NAME = re.compile(r"deidpose(\.\w+)+(:\w+)?")


@cache
def code_digest(script: Path, loaded: tuple[str, ...] = ()) -> str:
    """Return a digest of a script and of the library modules that it imports, directly or through one another.

    By itself, Snakemake reruns a job when the date of its script changes, but not when a module changes that the script
    imports. With this digest among the ``params`` of a rule, Snakemake goes by the content of both, for exactly the
    rules that use the module.

    - Comments, docstrings and blank lines do not count, and neither do imports for type checkers alone.
    - Imports inside functions count, and so does a module whose dotted name stands in the code as a text, such as
      ``"deidpose.ingest.examine:examine"``.
    - A module brings along the packages that it is in, and the files in the folder ``templates`` beside it that have
      its name. It does not bring along its siblings.

    Making all digests takes a quarter of Snakemake's start, and every job on a cluster starts Snakemake. So this
    process hands its digests on to the processes that it starts, in their environment. They hold there as long as no
    file of the library and no script changes in size or date.

    Parameters
    ----------
    script : path
        A script under ``scripts/``.
    loaded : tuple of str
        Dotted names of modules that the script loads by a name that it puts together, such as the pose backend of the
        settings.

    Returns
    -------
    str
        64 hexadecimal digits.

    Raises
    ------
    ValueError
        A name in ``loaded`` is that of no module.
    """
    known = _known()
    key = " ".join([script.name, *loaded])
    if key not in known:
        known[key] = _code_digest(script, loaded)
        os.environ[_KNOWN] = json.dumps([_state(), known])
    return known[key]


def reached_files(script: Path, loaded: tuple[str, ...] = ()) -> set[Path]:
    """Return the files that `code_digest` counts; parameters and errors as there."""
    reached = {script.resolve()}
    waiting = set(_imports(script))
    for name in loaded:
        if not _SCRIPTS.joinpath(*name.split(".")).with_suffix(".py").is_file():
            raise ValueError(f"There is no module {name}.")
        waiting |= _files(name)
    while waiting:
        module = waiting.pop()
        reached.add(module)
        waiting |= set(_imports(module)) - reached
    return reached | {path for module in reached for path in (module.parent / "templates").glob(f"{module.stem}.*")}


@cache
def _known() -> dict[str, str]:
    """Return the digests that were handed on, by name of script; none where the files are others by now."""
    try:
        state, digests = json.loads(os.environ.get(_KNOWN, ""))
    except ValueError:
        return {}
    return digests if state == _state() else {}


@cache
def _state() -> str:
    """Return a digest of the names, sizes and dates of all scripts and of all files of the library."""
    facts = [str(_SCRIPTS)]
    for folder, names, files in os.walk(_SCRIPTS):
        names[:] = [name for name in names if name != "__pycache__"]
        for name in files:
            if name.startswith("."):  # among them, Snakemake's copies of running scripts
                continue
            path = os.path.join(folder, name)
            found = os.stat(path)
            facts.append(f"{path} {found.st_size} {found.st_mtime_ns}")
    return hashlib.sha256("\n".join(sorted(facts)).encode(errors="surrogateescape")).hexdigest()


def _code_digest(script: Path, loaded: tuple[str, ...]) -> str:
    digest = hashlib.sha256()
    for path in sorted(reached_files(script, loaded)):
        content = _what_runs(path) if path.suffix == ".py" else path.read_bytes()
        # One line a file, so that content moved from one file to another changes the digest.
        digest.update(f"{path.relative_to(_SCRIPTS).as_posix()} {hashlib.sha256(content).hexdigest()}\n".encode())
    return digest.hexdigest()


@cache
def _parsed(path: Path) -> tuple[bytes, list[ast.AST]]:
    """Return the source of a Python file and all nodes of its syntax tree."""
    source = path.read_bytes()
    return source, list(ast.walk(ast.parse(source)))


@cache
def _what_runs(path: Path) -> bytes:
    """Return a Python file without its comments, docstrings and blank lines.

    The rest stays as it is written, so that the answer is the same in every version of Python. What is in doubt, such
    as a comment between the parts of one text, stays too.
    """
    source, nodes = _parsed(path)
    lines = source.splitlines()
    texts = [node for node in nodes if isinstance(node, ast.Constant | ast.JoinedStr) and _is_text(node)]
    # Lines of texts, by their numbers from 0: blank ones among them stay.
    within = {number for text in texts for number in range(text.lineno - 1, text.end_lineno or text.lineno)}
    for node in nodes:
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.body:
            first = node.body[0]
            if not (isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and _is_text(first.value)):
                continue
            start, end = first.lineno - 1, first.end_lineno or first.lineno
            indent, rest = lines[start][: first.col_offset], lines[end - 1][first.end_col_offset :]
            if not (indent + rest).strip():  # nothing else is in its lines
                lines[start:end] = [b""] * (end - start)
                within -= set(range(start, end))
                if len(node.body) == 1:
                    lines[start] = indent + b"..."
    spans: dict[int, list[tuple[int, float]]] = {number: [] for number, line in enumerate(lines) if b"#" in line}
    for text in texts:
        start, end = text.lineno - 1, (text.end_lineno or text.lineno) - 1
        for number in spans.keys() & range(start, end + 1):
            right = text.end_col_offset if number == end and text.end_col_offset else math.inf
            spans[number].append((text.col_offset if number == start else 0, right))
    for number, inside in spans.items():
        line = lines[number]
        for column in (index for index, letter in enumerate(line) if letter == ord("#")):
            if not any(left <= column < right for left, right in inside):
                lines[number] = line[:column].rstrip()
                break
    return b"\n".join(line for number, line in enumerate(lines) if line.strip() or number in within)


def _is_text(node: ast.Constant | ast.JoinedStr) -> bool:
    return isinstance(node, ast.JoinedStr) or isinstance(node.value, str | bytes)


@cache
def _imports(path: Path) -> frozenset[Path]:
    """Return the files of the library that one Python file imports, or names in its texts."""
    # The package that a relative import starts from; a script is in none.
    folder = path.resolve().parent
    package = folder.relative_to(_SCRIPTS).parts if folder.is_relative_to(_SCRIPTS) else ()
    names: set[str] = set()
    nodes = _parsed(path)[1]
    unread = {id(child) for node in nodes if _is_for_type_checkers(node) for child in ast.walk(node)}
    for node in nodes:
        if id(node) in unread:
            continue
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join([*start, *([node.module] if node.module else [])])
            # `from deidpose import angles` may name a module or something that deidpose/__init__.py defines.
            names |= {base} | {f"{base}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and _MODULE_NAME.fullmatch(node.value):
            names.add(node.value.partition(":")[0])
    return frozenset(file for name in names if name.split(".")[0] == "deidpose" for file in _files(name))


def _is_for_type_checkers(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


@cache
def _files(name: str) -> frozenset[Path]:
    """Return the files that importing a dotted name runs: the module, and the ``__init__.py`` of its packages."""
    parts = name.split(".")
    packages = (_SCRIPTS.joinpath(*parts[:end], "__init__.py") for end in range(1, len(parts) + 1))
    candidates = {_SCRIPTS.joinpath(*parts).with_suffix(".py"), *packages}
    return frozenset(path for path in candidates if path.is_file())
