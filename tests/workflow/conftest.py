"""A whole study, run once: real networks on a real clip, beside files that no study should stop at."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]

#: The name of the one good video: everything that a shell, a pattern or a table could stumble over.
HOSTILE_NAME = "-Jane Roe 1953 & \"knee\" 'left'? {video} $(touch hacked)\nüber.mp4"


@pytest.fixture(scope="session")
def snakemake(root: Path) -> Run:
    """Return a function that runs Snakemake in the repository with the given arguments."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "snakemake", "--cores", "2", *arguments]
        return subprocess.run(command, cwd=root, capture_output=True, text=True, errors="replace", check=False)

    return run


@pytest.fixture(scope="session")
def dataset(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with one good video in a folder, and files that are none."""
    folder = tmp_path_factory.mktemp("dataset")
    (folder / "ward 7").mkdir()
    shutil.copy(clip, folder / "ward 7" / HOSTILE_NAME)
    (folder / "text.mov").write_text("This is no video.\n" * 100)
    (folder / "empty.mkv").touch()
    whole = clip.read_bytes()
    (folder / "cut off.mp4").write_bytes(whole[: len(whole) * 6 // 10])
    (folder / "notes.txt").write_text("not a video by its ending: not looked at")
    return folder


@pytest.fixture(scope="session")
def results(dataset: Path, snakemake: Run, models: object, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the results of the whole workflow on the dataset."""
    folder = tmp_path_factory.mktemp("results") / "results"
    done = snakemake("--config", f"dataset={dataset}", f"results_dir={folder}")
    assert done.returncode == 0, done.stderr[-5000:]
    return folder
