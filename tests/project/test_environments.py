"""Lists of packages, and the commands that install them."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import deidpose

LOCKS = ("requirements.lock", "requirements-dev.lock", "requirements-slurm.lock")

#: Module -> package, where the names differ.
PACKAGES = {"yaml": "pyyaml", "cv2": "opencv-python-headless"}


@pytest.fixture
def project(root: Path) -> dict[str, Any]:
    project: dict[str, Any] = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return project


def locked(path: Path) -> dict[str, tuple[str, frozenset[str]]]:
    """Return package -> version and hashes."""
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    packages: dict[str, tuple[str, frozenset[str]]] = {}
    for line in lines:
        name, version = re.match(r"([a-z0-9.-]+)==(\S+)", line).groups()  # type: ignore[union-attr]
        assert name not in packages, f"{name} has several versions"
        packages[name] = version, frozenset(re.findall(r"--hash=(sha256:[0-9a-f]{64})", line))
    return packages


@pytest.mark.parametrize("name", [*LOCKS, "requirements-readers.lock"])
def test_a_lock_has_a_hash_for_everything_and_no_address_or_path(root: Path, name: str) -> None:
    assert all(hashes for _, hashes in locked(root / name).values())
    for line in (root / name).read_text(encoding="utf-8").splitlines():
        assert not re.search(r"://|[-]-(extra-)?index-url|[-]-find-links|(^|[\s=@])/|\bfile:", line), line


@pytest.mark.parametrize("name", LOCKS[1:])
def test_the_other_locks_hold_what_a_run_needs_in_the_same_versions(root: Path, name: str) -> None:
    assert locked(root / LOCKS[0]).items() <= locked(root / name).items()


def test_the_locks_hold_what_the_project_asks_for(root: Path, project: dict[str, Any]) -> None:
    extras = project["optional-dependencies"]
    for asked, name in zip((project["dependencies"], extras["dev"], extras["slurm"]), LOCKS, strict=True):
        packages = locked(root / name)
        for requirement in map(Requirement, asked):
            version, _ = packages[canonicalize_name(requirement.name)]
            assert requirement.specifier.contains(version), requirement


def test_the_conda_environment_has_the_versions_of_the_lock(root: Path, project: dict[str, Any]) -> None:
    environment = yaml.safe_load((root / "envs" / "deidpose.yaml").read_text(encoding="utf-8"))
    (pins,) = [part["pip"] for part in environment["dependencies"] if isinstance(part, dict)]
    packages = locked(root / LOCKS[0])
    direct = [Requirement(asked).name for asked in project["dependencies"]]
    assert pins == [f"{name}=={packages[canonicalize_name(name)][0]}" for name in direct]


def test_what_the_code_imports_is_asked_for(root: Path, project: dict[str, Any]) -> None:
    imported: set[str] = set()
    for path in (root / "scripts").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                imported.add(node.module.split(".")[0])
    foreign = imported - sys.stdlib_module_names - {"deidpose"}
    direct = {canonicalize_name(Requirement(asked).name) for asked in project["dependencies"]}
    assert {PACKAGES.get(name, name) for name in foreign} <= direct


def test_the_version_is_the_same_everywhere(root: Path, project: dict[str, Any]) -> None:
    citation = yaml.safe_load((root / "CITATION.cff").read_text(encoding="utf-8"))
    changelog = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    assert project["version"] == citation["version"] == deidpose.__version__
    assert f"## {deidpose.__version__}" in changelog


LIGHT = [
    "errors",
    *(f"workflow.{path.stem}" for path in sorted((Path(deidpose.__file__).parent / "workflow").glob("[a-z]*.py"))),
    "pose.registry",
    "pose.candidates",
]


@pytest.mark.parametrize("module", LIGHT)
def test_what_the_snakefile_imports_is_light(root: Path, module: str) -> None:
    code = f"import sys, deidpose.{module}; print(*sys.modules)"
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=root / "scripts", capture_output=True, text=True, check=True
    )
    assert not {"numpy", "pandas", "cv2", "openvino", "av", "matplotlib", "scipy"} & set(answer.stdout.split())


@pytest.fixture
def copy(root: Path, tmp_path: Path) -> Path:
    """Return a directory with the Makefile and the locks alone."""
    for name in ("Makefile", *LOCKS):
        shutil.copy(root / name, tmp_path / name)
    return tmp_path


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # As typed by hand: the tests themselves may have been started by make.
    environment = {
        name: value for name, value in os.environ.items() if not re.fullmatch("M(AKE)?FLAGS|MAKELEVEL", name)
    }
    return subprocess.run(
        ["make", *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_make_alone_lists_every_target(copy: Path) -> None:
    declared = re.search(r"^\.PHONY: (.*)$", (copy / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert declared
    answer = make(copy)
    assert answer.returncode == 0
    assert [line.split()[1] for line in answer.stdout.splitlines()] == declared[1].split()


def test_make_tells_when_there_is_no_python(copy: Path) -> None:
    answer = make(copy, "setup", "PYTHON=no-such-python")
    assert answer.returncode != 0
    assert "There is no no-such-python: install Python 3.11 or later" in answer.stderr
    assert not (copy / ".venv").exists()


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        ('[ "$1" = -V ] && echo "Python 3.9.1"; [ "$1" = -V ]', "deidpose needs Python 3.11 or later, but"),
        ('case "$*" in *ensurepip*) exit 1;; esac', "install the package python3-venv"),
    ],
)
def test_make_tells_when_python_is_too_old_or_lacks_venv(copy: Path, script: str, sentence: str) -> None:
    python = copy / "python"
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)
    answer = make(copy, "setup", f"PYTHON={python}")
    assert answer.returncode != 0
    assert sentence in answer.stderr
    assert not (copy / ".venv").exists()
