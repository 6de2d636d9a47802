"""A whole study, run once: real networks on a real clip, beside files that no study should stop at."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from fixtures.small_study import Run, SmallStudy
from fixtures.video_files import write_video

#: The name of the one good video: everything that a shell, a pattern or a table could stumble over.
HOSTILE_NAME = "-Jane Roe 1953 & \"knee\" 'left'? {video} $(touch hacked)\nüber.mp4"


@pytest.fixture(scope="session")
def snakemake(root: Path) -> Run:
    """Return a function that runs Snakemake in the repository with the given arguments."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "snakemake", "--cores", "2", *arguments]
        environment = {**os.environ, "PYTHONPATH": str(root / "tests")}  # for --logger jobs
        return subprocess.run(
            command, cwd=root, env=environment, capture_output=True, text=True, errors="replace", check=False
        )

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


@pytest.fixture(scope="session")
def finished(
    root: Path, pictures: list[np.ndarray], models: object, tmp_path_factory: pytest.TempPathFactory
) -> SmallStudy:
    """Return a study of one video, ``a``, and of one that is none, run to its end. Copy it before you touch it."""
    study = SmallStudy(root, tmp_path_factory.mktemp("small") / "study")
    (study.folder / "data").mkdir(parents=True)
    write_video(study.folder / "data/a.mp4", pictures[:8])
    (study.folder / "data/none.mp4").write_text("This is no video.")
    (study.folder / "videos.tsv").write_text("source\tvideo\na.mp4\ta\nnone.mp4\tnone\n")
    for name in ("config", "resources"):
        (study.folder / name).symlink_to(root / name)
    code, said = study.run()
    assert code == 0, said[-5000:]
    return study


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """Return a function (bytes, place=None) that makes a disk of so many bytes, in the given empty folder."""
    if os.geteuid():
        pytest.skip("a full disk takes root, who alone may mount one")
    mounted = []

    def make(size: int, place: Path | None = None) -> Path:
        place = place or tmp_path / f"disk{len(mounted)}"
        place.mkdir(exist_ok=True)
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)], capture_output=True, check=False
        )
        if done.returncode:
            pytest.skip("a full disk takes a machine on which one may be mounted; this one does not let root")
        mounted.append(place)
        return place

    yield make
    for place in mounted:
        subprocess.run(["umount", str(place)], check=True)
