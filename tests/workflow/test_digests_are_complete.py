"""No digest is too narrow: every module of the library that a script loads is in the digest of its rule.

A small study runs in a copy of the repository in which Python notes each module that a process asks for: in the scripts
of the rules and, since their environment is handed on, in the processes that they start.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from snakemake.rules import Rule

from deidpose import tables
from deidpose.pose import registry
from deidpose.workflow import code_digest
from fixtures import openpose_output
from fixtures.small_study import METHODS, SmallStudy

pytest_plugins = ["fixtures.workflow_objects"]

#: Runs at the start of every Python. A note is written at once, because a process may be killed when its work is done.
NOTE = """
import os, re, sys
words = [re.search(r"/\\.snakemake/scripts/[^/]*?\\.(\\w+)\\.py$", word) for word in sys.orig_argv]
for found in filter(None, words):
    os.environ["NOTED_SCRIPT"] = found[1]
if "NOTED_SCRIPT" in os.environ:
    notes = os.open({notes!r}, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    class Noting:
        # Asked first for every module, by the statement and by importlib alike.
        @staticmethod
        def find_spec(name, path=None, target=None):
            if name.partition(".")[0] == "deidpose":
                os.write(notes, f"{{os.environ['NOTED_SCRIPT']}} {{name}}\\n".encode())
    sys.meta_path.insert(0, Noting)
"""

#: Scripts that this study has no job for, with the reason.
NOT_RUN = {
    "fetch_model": "its files are there; it has no digest, because that of the file is checked",
    "try_backend": "for the comparison of pose networks alone, whose networks need not be here",
    "compare_backends": "as try_backend",
    "show_backends": "as try_backend",
    "finish": "for studies in shares alone; it imports nothing of a stage",
}


@pytest.fixture(scope="module")
def loaded(finished: SmallStudy, tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """Return script -> names of the modules of the library that it and its child processes have asked for."""
    folder = tmp_path_factory.mktemp("noted")
    root, notes = folder / "repository", folder / "notes.txt"
    for name in ("rules", "scripts", "config", "profiles", "envs", "report"):
        shutil.copytree(finished.root / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copyfile(finished.root / "Snakefile", root / "Snakefile")
    # In the folder of the scripts, because a sandbox looks nowhere else.
    (root / "scripts/sitecustomize.py").write_text(NOTE.format(notes=str(notes)), encoding="utf-8")
    study = SmallStudy(root, folder / "study")
    study.folder.mkdir()
    for name in ("data", "videos.tsv"):
        (study.folder / name).symlink_to(finished.folder / name)
    for name in ("config", "resources"):
        (study.folder / name).symlink_to((finished.folder / name).resolve())
    keypoints = tables.read(finished.results / "restricted/keypoints/a_original.parquet", "keypoints")
    openpose_output.write(study.folder / "before/a", openpose_output.bodies(keypoints, 8), "a")
    options = {"paths": [str(root / "scripts")], "config": (METHODS, "pose={import: {folder: before}}")}
    code, said = study.run(**options)
    assert code == 0, said[-5000:]
    found: dict[str, set[str]] = {}
    for line in notes.read_text(encoding="utf-8").splitlines():
        script, module = line.split()
        found.setdefault(script, set()).add(module)
    return found


def files(modules: set[str]) -> Iterator[Path]:
    """Yield the files of modules; an import of a name from a module may first look for a module of that name."""
    for module in modules:
        place = code_digest._SCRIPTS.joinpath(*module.split("."))
        yield from (path for path in (place.with_suffix(".py"), place / "__init__.py") if path.is_file())


def test_every_module_that_a_script_loads_is_in_its_digest(loaded: dict[str, set[str]], jobs: list[Rule]) -> None:
    backend = (registry.module_of("blazepose"),)
    for rule in jobs:
        script = code_digest._SCRIPTS / Path(str(rule.script)).name
        if script.stem not in loaded:
            continue
        # What the rule says is loaded by name shows in its digest.
        named = next(names for names in ((), backend) if code_digest.code_digest(script, names) == rule.params.code)
        missing = set(files(loaded[script.stem])) - code_digest.reached_files(script, named)
        assert not missing, f"{rule.name}: {sorted(path.name for path in missing)}"


def test_every_script_of_a_study_has_run(loaded: dict[str, set[str]], jobs: list[Rule]) -> None:
    scripts = {Path(str(rule.script)).stem for rule in jobs}
    assert scripts - set(loaded) == set(NOT_RUN)
    assert set(loaded) <= scripts


def test_child_processes_and_backends_are_noted_too(loaded: dict[str, set[str]]) -> None:
    assert loaded["screen"] >= {"deidpose.ingest.examine", "deidpose.pose.backends.blazepose"}
    assert "deidpose.metadata.inventory" in loaded["prove_sanitizing"]
