"""What a result was made with: digests of files and of code, and versions of packages.

Imports the standard library only, because the Snakefile imports this module and every job on a cluster reads the
Snakefile again.
"""

import ast
import hashlib
import platform
from functools import cache
from importlib import metadata
from pathlib import Path

import deidpose

#: The directory that holds the scripts and, below it, the library.
_SCRIPTS = Path(__file__).resolve().parents[1]

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
    """Return a digest of the library modules that a script imports, directly or through one another.

    Snakemake runs a job again when its script has changed, but not when a module that the script imports has. With
    this digest among a rule's ``params`` it does, for exactly the rules that use the module. The script itself is
    not part of the digest. Imports inside functions count. Where a module is reached, so are the files under
    ``templates`` that have its name.

    Parameters
    ----------
    script : path
        A script under ``scripts/``.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    reached: set[Path] = set()
    waiting = set(_imports(script))
    while waiting:
        module = waiting.pop()
        reached.add(module)
        waiting |= set(_imports(module)) - reached
    names = {path.stem for path in reached}
    reached |= {path for path in (_SCRIPTS / "deidpose" / "templates").glob("*") if path.name.split(".")[0] in names}
    digest = hashlib.sha256()
    for path in sorted(reached):
        # One line a file, so that content moved from one file to another changes the digest.
        digest.update(f"{path.relative_to(_SCRIPTS).as_posix()} {file_sha256(path)}\n".encode())
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
def _imports(path: Path) -> frozenset[Path]:
    """Return the files of the library that one Python file imports."""
    # The package that a relative import starts from; a script is in none.
    folder = path.resolve().parent
    package = folder.relative_to(_SCRIPTS).parts if folder.is_relative_to(_SCRIPTS) else ()
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
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
