"""Digests of files and of code."""

import ast
import hashlib
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import deidpose
from deidpose.digests import file_sha256
from deidpose.release import versions as versions_module
from deidpose.workflow import code_digest

LIBRARY = {
    "angles.py": "from deidpose import skeleton\n",
    "skeleton.py": "X = 1\n",
    "masks.py": "def blur():\n    from deidpose.pixels import kernel\n    return kernel\n",
    "pixels.py": "kernel = 1\n",
    "report.py": "import deidpose.angles\n",
    "templates/report.html": "<html>",
    "templates/other.html": "<html>",
    "pose/__init__.py": "from . import common\n",
    "pose/common.py": "from ..skeleton import X\n",
    "pose/blazepose.py": "from .common import X\n",
    "pose/chosen_by_name.py": "from deidpose.pose import common\n",
    "pose/sibling.py": "",
    "pose/protocol.py": "",
    "child.py": 'def run():\n    return __import__("importlib").import_module("deidpose.pose.sibling")\n',
    "sandbox.py": 'TASK = "deidpose.child:run"\n',
    "unused.py": "",
}

SCRIPTS = {
    "angles_job.py": "from deidpose import angles\nfrom deidpose.errors import UserError\n",
    "mask_job.py": "import deidpose.masks as masks\n",
    "report_job.py": "from deidpose import report\n",
    "pose_job.py": "from deidpose.pose import blazepose\n",
    "chosen_job.py": (
        "from typing import TYPE_CHECKING\nfrom importlib import import_module\n"
        "if TYPE_CHECKING:\n    from deidpose.pose.protocol import X\n"
        "import_module(f'deidpose.pose.{name}')\n"
    ),
    "sandbox_job.py": "from deidpose import sandbox\n",
    "plain_job.py": "import json\nfrom deidpose import __version__\n",
}


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    """Return a directory of scripts with a small library of the same shape as ours."""
    folder = tmp_path / "scripts"
    library = folder / "deidpose"
    for name, text in LIBRARY.items():
        (library / name).parent.mkdir(parents=True, exist_ok=True)
        (library / name).write_text(text)
    for name, text in SCRIPTS.items():
        (folder / name).write_text(text)
    (library / "workflow").mkdir()
    for name in ("__init__.py", "errors.py", "workflow/__init__.py", "workflow/code_digest.py"):
        shutil.copy(Path(deidpose.__file__).parent / name, library / name)
    return folder


def digests(scripts: Path) -> dict[str, str]:
    """Return the digest of every script, from a fresh process, as a run of the workflow would see it."""
    code = (
        "import sys; from pathlib import Path; from deidpose.workflow.code_digest import code_digest\n"
        "for script in sorted(Path(sys.argv[1]).glob('*.py')):\n"
        "    loaded = ('deidpose.pose.chosen_by_name',) if script.name == 'chosen_job.py' else ()\n"
        "    print(script.name, code_digest(script, loaded))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code, str(scripts)],
        env={**os.environ, "PYTHONPATH": str(scripts)},
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(line.split() for line in answer.stdout.splitlines())  # type: ignore[misc]


@pytest.mark.parametrize(
    ("edited", "outdated"),
    [
        ("skeleton.py", {"angles_job.py", "report_job.py", "pose_job.py", "chosen_job.py", "sandbox_job.py"}),
        ("errors.py", {"angles_job.py"}),
        ("pixels.py", {"mask_job.py"}),
        ("templates/report.html", {"report_job.py"}),
        ("templates/other.html", set()),
        ("pose/__init__.py", {"pose_job.py", "chosen_job.py", "sandbox_job.py"}),
        ("pose/common.py", {"pose_job.py", "chosen_job.py", "sandbox_job.py"}),
        ("pose/blazepose.py", {"pose_job.py"}),
        ("pose/chosen_by_name.py", {"chosen_job.py"}),
        ("pose/protocol.py", set()),
        ("child.py", {"sandbox_job.py"}),
        ("pose/sibling.py", {"sandbox_job.py"}),
        ("__init__.py", set(SCRIPTS)),
        ("unused.py", set()),
    ],
)
def test_an_edit_outdates_exactly_the_scripts_that_use_the_module(
    scripts: Path, edited: str, outdated: set[str]
) -> None:
    before = digests(scripts)
    with (scripts / "deidpose" / edited).open("a") as file:
        file.write("edited = True\n")
    after = digests(scripts)
    assert {script for script in SCRIPTS if before[script] != after[script]} == outdated


def test_an_edit_of_a_script_outdates_that_script_alone_and_a_date_none(scripts: Path) -> None:
    before = digests(scripts)
    os.utime(scripts / "mask_job.py")
    os.utime(scripts / "deidpose/masks.py")
    assert digests(scripts) == before
    with (scripts / "mask_job.py").open("a") as file:
        file.write("print()\n")
    after = digests(scripts)
    assert {script for script in SCRIPTS if before[script] != after[script]} == {"mask_job.py"}


#: A module, written with care, and edits of it: what is replaced, by what, and whether a job can notice.
MODULE = '''"""What the module is about. # 1"""

# A comment.
import math  # another


class Shape(ValueError):
    """It has a docstring alone."""


def area(radius, text="# no comment"):
    """Return it.

    In square pixels. # 2
    """
    wanted = """first

# third
"""
    r"""No docstring."""
    return f"{math.pi * radius**2:#x} # {wanted}"
'''
EDITS = [
    ("What the module is about. # 1", "Other words.", False),
    ("In square pixels. # 2", "In square\n\n    pixels.", False),
    ("It has a docstring alone.", "Others do too.", False),
    ("# A comment.\n", "", False),
    ("# A comment.", "# A 'comment with \"quotes", False),
    ("  # another", "", False),
    ("math  # another", "math  # ünlike", False),
    ("\n\ndef area", "\n\n\n\ndef area", False),
    ("# no comment", "# a comment", True),
    ("first\n\n", "first\n", True),
    ("# third", "# fourth", True),
    ("No docstring", "No text", True),
    (":#x} #", ":#x} ##", True),
    ("radius**2", "radius", True),
    ("    return", "    if wanted:\n        return", True),
]


@pytest.mark.parametrize(("old", "new", "counts"), EDITS)
def test_only_what_runs_counts(scripts: Path, old: str, new: str, counts: bool) -> None:
    module = scripts / "deidpose/pixels.py"
    module.write_text(MODULE, encoding="utf-8")
    before = digests(scripts)
    assert MODULE.count(old) == 1
    module.write_text(MODULE.replace(old, new), encoding="utf-8")
    assert (digests(scripts) != before) == counts


@pytest.mark.parametrize("module", sorted(Path(deidpose.__file__).parent.rglob("*.py")), ids=lambda path: path.stem)
def test_nothing_but_docstrings_is_left_out_of_a_module(module: Path) -> None:
    def tree(source: bytes) -> str:
        parsed = ast.parse(source)
        for node in ast.walk(parsed):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
                node.body = node.body[1:] or [ast.Expr(ast.Constant(...))]
        return ast.dump(parsed)

    assert tree(code_digest._what_runs(module)) == tree(module.read_bytes())


def test_the_digest_does_not_depend_on_where_the_code_lies(scripts: Path, tmp_path: Path) -> None:
    shutil.copytree(scripts, tmp_path / "elsewhere")
    assert digests(scripts) == digests(tmp_path / "elsewhere")


def test_digests_are_handed_on_to_processes_and_forgotten_after_an_edit(scripts: Path) -> None:
    """The second process could not make one itself."""
    first = (
        "import os, sys; from pathlib import Path; from deidpose.workflow import code_digest\n"
        "scripts = sorted(Path(sys.argv[1]).glob('[a-z]*.py'))\n"
        "for script in scripts: print(script.name, code_digest.code_digest(script))\n"
        "print(os.environ['DEIDPOSE_CODE'], file=sys.stderr)"
    )
    second = first.replace("code_digest\n", "code_digest; code_digest._code_digest = lambda *_: 'made anew'\n")

    def run(code: str, handed_on: str) -> tuple[str, str]:
        environment = {**os.environ, "PYTHONPATH": str(scripts), "DEIDPOSE_CODE": handed_on}
        done = subprocess.run(
            [sys.executable, "-c", code, scripts], env=environment, capture_output=True, text=True, check=True
        )
        return done.stdout, done.stderr

    made, handed_on = run(first, "")
    assert run(second, handed_on)[0] == made
    assert "made anew" in run(second, "no digests")[0]
    (scripts / ".snakemake.x1.script.py").touch()
    assert run(second, handed_on)[0] == made
    with (scripts / "deidpose/unused.py").open("a") as file:
        file.write("edited = True\n")
    assert run(second, handed_on)[0].count("made anew") == len(SCRIPTS)
    assert run(first, handed_on)[0] == made


def test_every_script_of_the_workflow_has_a_digest(root: Path) -> None:
    scripts = sorted((root / "scripts").glob("*.py"))
    assert scripts
    assert all(len(code_digest.code_digest(script)) == 64 for script in scripts)


def test_the_digest_of_a_file_is_its_sha256(tmp_path: Path) -> None:
    content = os.urandom(3_000_000)
    (tmp_path / "file").write_bytes(content)
    assert file_sha256(tmp_path / "file") == hashlib.sha256(content).hexdigest()


def test_versions_are_those_installed() -> None:
    versions = versions_module.versions()
    assert versions["python"] == platform.python_version()
    assert versions["deidpose"] == deidpose.__version__
    import numpy

    assert versions["numpy"] == numpy.__version__


def test_a_module_that_is_loaded_by_name_and_not_there_is_a_mistake(root: Path) -> None:
    with pytest.raises(ValueError, match=r"no module deidpose\.nothing"):
        code_digest.code_digest(root / "scripts/screen.py", ("deidpose.nothing",))
