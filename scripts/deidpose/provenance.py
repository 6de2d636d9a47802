"""What a result was made with: digests of files and of code, and versions of packages.

Imports the standard library only, because the Snakefile imports this module and every job on a cluster reads the
Snakefile again.
"""

import ast
import hashlib
import json
import math
import os
import platform
from functools import cache
from importlib import metadata
from pathlib import Path

import deidpose

#: The directory that holds the scripts and, below it, the library.
_SCRIPTS = Path(__file__).resolve().parents[1]

#: Environment variable with the digests that this process or one that has started it has made, and of which files.
_KNOWN = "DEIDPOSE_CODE"

#: Packages that a result can depend on.
_PACKAGES = (
    "snakemake",
    "openvino",
    "av",
    "opencv-python-headless",
    "numpy",
    "pandas",
    "pyarrow",
    "scipy",
    "matplotlib",
)


def file_sha256(path: str | Path) -> str:
    """Return the SHA-256 of a whole file, 64 hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@cache
def code_digest(script: Path) -> str:
    """Return a digest of a script and of the library modules that it imports, directly or through one another.

    By itself, Snakemake runs a job again when the date of its script has changed, and not when a module that the script
    imports has. With this digest among a rule's ``params`` it goes by the content of both, for exactly the rules that
    use the module. Comments, docstrings and blank lines do not count. Imports inside functions do. Where a module is
    reached, so are the files under ``templates`` that have its name.

    To make all of them takes as long as a quarter of Snakemake's start, and every job on a cluster starts Snakemake. So
    they are handed on to processes that this one starts, in their environment, and hold there while no file of the
    library and no script has another size or date.

    Parameters
    ----------
    script : path
        A script under ``scripts/``.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    known = _known()
    if script.name not in known:
        known[script.name] = _code_digest(script)
        os.environ[_KNOWN] = json.dumps([_state(), known])
    return known[script.name]


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


def _code_digest(script: Path) -> str:
    reached = {script.resolve()}
    waiting = set(_imports(script))
    while waiting:
        module = waiting.pop()
        reached.add(module)
        waiting |= set(_imports(module)) - reached
    names = {path.stem for path in reached}
    reached |= {path for path in (_SCRIPTS / "deidpose" / "templates").glob("*") if path.name.split(".")[0] in names}
    digest = hashlib.sha256()
    for path in sorted(reached):
        content = _what_runs(path) if path.suffix == ".py" else path.read_bytes()
        # One line a file, so that content moved from one file to another changes the digest.
        digest.update(f"{path.relative_to(_SCRIPTS).as_posix()} {hashlib.sha256(content).hexdigest()}\n".encode())
    return digest.hexdigest()


def versions() -> dict[str, str]:
    """Return the versions of Python, of deidpose and of the packages that a result can depend on.

    A package that is not installed is left out.
    """
    found = {"python": platform.python_version(), "deidpose": deidpose.__version__}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


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
    """Return the files of the library that one Python file imports."""
    # The package that a relative import starts from; a script is in none.
    folder = path.resolve().parent
    package = folder.relative_to(_SCRIPTS).parts if folder.is_relative_to(_SCRIPTS) else ()
    names: set[str] = set()
    for node in _parsed(path)[1]:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join([*start, *([node.module] if node.module else [])])
            # `from deidpose import angles` may name a module or something that deidpose/__init__.py defines.
            names |= {base} | {f"{base}.{alias.name}" for alias in node.names}
    return frozenset(file for name in names if name.split(".")[0] == "deidpose" for file in _files(name))


def _files(name: str) -> set[Path]:
    """Return the files that importing a dotted name may run: the module, and the packages that it is in."""
    parts = name.split(".")
    candidates = {_SCRIPTS / "deidpose" / "__init__.py", _SCRIPTS.joinpath(*parts).with_suffix(".py")}
    for end in range(2, len(parts) + 1):
        candidates |= set(_SCRIPTS.joinpath(*parts[:end]).glob("**/*.py"))
    return {path for path in candidates if path.is_file()}
