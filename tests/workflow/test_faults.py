"""What `anonymize` leaves behind when it is killed or fails at any moment: nothing unmasked, and nothing half done.

A copy of the study of this session is used, so that nothing done to it reaches other tests.
"""

import contextlib
import itertools
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import av
import cv2
import numpy as np
import pandas as pd
import pytest
import yaml

from deidpose import tables
from fixtures.small_study import digests

#: Runs the script of the rule as Snakemake does, with a fault built in.
SCRIPT = """
import json, os, runpy, signal, sys, types
from deidpose import tables
from deidpose.masking import masks

job = json.loads(sys.argv[1])
plain_mask, plain_read, plain_replace = masks.mask, tables.read, os.replace

def killed(moment):
    if job["fault"] == f"killed {moment}":
        os.kill(os.getpid(), signal.SIGKILL)

def mask(frame, *rest):
    killed(f"at frame {frame.index}")
    if job["fault"] == "the mask fails" and frame.index == 15:
        raise RuntimeError("no mask for /home/somebody/film.mp4")
    return plain_mask(frame, *rest)

def replace(source, destination):
    killed("before it has its name")
    plain_replace(source, destination)
    killed("once it has its name")

def read(path, name):
    table = plain_read(path, name)
    if job["fault"] == "the encoder fails" and name == "timestamps":
        table.loc[15, "pts"] = table.loc[14, "pts"]  # no container takes two pictures for one moment
    if job["fault"] == "a region has no place" and name == "faces":
        table.loc[len(table) // 2, "x_px"] = float("nan")
    return table

masks.mask, tables.read, os.replace = mask, read, replace
groups = {name: types.SimpleNamespace(**job[name]) for name in ("input", "output", "params", "wildcards")}
runpy.run_path(job["script"], {"snakemake": types.SimpleNamespace(log=[job["log"]], threads=1, **groups)})
"""

FAULTS = ("the mask fails", "the encoder fails", "a region has no place")
Running = subprocess.Popen[str]


class Study(NamedTuple):
    """A finished study: where it is, its one video, and the digests of what it has released and masked."""

    root: Path
    results: Path
    dataset: Path
    video: str
    released: dict[str, str]
    masked: dict[str, str]

    def output(self, method: str) -> Path:
        return self.results / f"restricted/masked/{self.video}_{method}.mp4"

    def anonymize(self, method: str, output: Path | None = None, fault: str = "", **options: Any) -> Running:
        """Start the script of the rule; its output is removed first, as Snakemake does."""
        output = output or self.output(method)
        output.unlink(missing_ok=True)
        settings = yaml.safe_load((self.root / "config/config.yaml").read_text(encoding="utf-8"))
        restricted = self.results / "restricted"
        job = {
            "script": str(self.root / "scripts/anonymize.py"),
            "log": str(self.results / "logs/anonymize/fault.log"),
            "input": {
                "video": f"{restricted}/sanitized/{self.video}.mkv",
                "timestamps": f"{restricted}/timestamps/{self.video}.parquet",
                "faces": f"{restricted}/faces/{self.video}.parquet",
            },
            "output": {"video": str(output)},
            "params": {"mask": settings["mask"], "encode": settings["encode"]},
            "wildcards": {"method": method},
            "fault": fault,
        }
        options = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **options}
        environment = {**os.environ, "PYTHONPATH": str(self.root / "scripts")}
        return subprocess.Popen([sys.executable, "-c", SCRIPT, json.dumps(job)], env=environment, text=True, **options)

    def snakemake(self, folder: Path, *arguments: str, **options: Any) -> Running:
        """Start Snakemake in a folder of its own, so that the records of a killed run do not outlive the test."""
        for name in ("config", "resources"):
            if not (folder / name).exists():
                (folder / name).symlink_to(self.root / name)
        command = [sys.executable, "-m", "snakemake", "--cores", "2", "--nolock", "--directory", str(folder)]
        command += ["--snakefile", str(self.root / "Snakefile"), *arguments]
        command += ["--config", f"dataset={self.dataset}", f"results_dir={self.results}"]
        options = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **options}
        return subprocess.Popen(command, text=True, start_new_session=True, **options)

    def check(self) -> None:
        """Find nothing under release/ but what the finished study has there, and no half of a masked video."""
        assert digests(self.results / "release").items() <= self.released.items()
        assert digests(self.results / "restricted/masked", "*.mp4").items() <= self.masked.items()


@pytest.fixture(scope="module")
def study(root: Path, results: Path, dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Study:
    copy = tmp_path_factory.mktemp("faults") / "results"
    shutil.copytree(results, copy)  # with the dates of the files, by which Snakemake goes
    screening = tables.read(copy / "restricted/screening.tsv", "screening")
    (video,) = screening.loc[screening["status"] == "accepted", "video"]
    released, masked = digests(copy / "release"), digests(copy / "restricted/masked", "*.mp4")
    assert len(masked) == 3
    return Study(root, copy, dataset, str(video), released, masked)


@pytest.fixture(autouse=True)
def whole_again(study: Study) -> Iterator[None]:
    """Look at the study after each test, and put back what the test has removed."""
    before = study.results.parent / "before"
    shutil.rmtree(before, ignore_errors=True)
    shutil.copytree(study.results / "restricted/masked", before)
    yield
    study.check()
    shutil.rmtree(study.results / "restricted/masked")
    shutil.copytree(before, study.results / "restricted/masked")


def luma(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="gray").astype(float) for frame in container.decode(video=0)]


def test_the_release_that_all_is_compared_with_shows_no_face(
    study: Study, clip: Path, detections: pd.DataFrame
) -> None:
    source = luma(clip)
    sure = detections[detections["score"] >= 0.6]
    assert len(sure) >= 20
    videos = list((study.results / "release").rglob("*.mp4"))
    assert len(videos) == 6
    for path in videos:
        pictures = luma(path)
        for row in sure.itertuples():
            x, y, width, height = (int(value) for value in (row.x_px, row.y_px, row.width_px, row.height_px))
            before, after = (shown[row.frame][y : y + height, x : x + width] for shown in (source, pictures))
            fine = [(part - cv2.GaussianBlur(part, (0, 0), width / 10)).ravel() for part in (before, after)]
            energy = np.linalg.norm(fine[0]) * np.linalg.norm(fine[1])
            assert fine[0] @ fine[1] < 0.5 * energy or energy == 0, (path.name, row.frame)


def test_a_kill_at_any_moment_leaves_no_masked_video_that_is_not_whole(study: Study) -> None:
    """Known moments first, of which each is a kill; then any, of which one that is late hits nothing."""
    methods = ["blur", "block", "pixelate"]
    n_frames = len(tables.read(study.results / f"restricted/timestamps/{study.video}.parquet", "timestamps"))
    moments = ["at frame 0", "at frame 15", f"at frame {n_frames - 1}", "before it has its name"]
    for moment, method in zip([*moments, "once it has its name"], itertools.cycle(methods)):
        assert study.anonymize(method, fault=f"killed {moment}").wait(60) == -signal.SIGKILL
        assert study.output(method).exists() == (moment not in moments)
        study.check()
    for seed in range(8):
        chance = random.Random(seed)
        method = chance.choice(methods)
        partial = Path(f"{study.output(method)}.partial")
        partial.unlink(missing_ok=True)
        running = study.anonymize(method)
        if seed % 2:  # at any moment; otherwise once it is writing
            time.sleep(chance.uniform(0.2, 2.0))
        else:
            while not partial.exists() and running.poll() is None:
                time.sleep(0.002)
            time.sleep(chance.uniform(0, 0.4))
        running.kill()
        assert running.wait(60) in (0, -signal.SIGKILL)
        study.check()
    for method in methods:
        assert study.anonymize(method).wait(60) == 0
    assert digests(study.results / "restricted/masked") == study.masked


@pytest.mark.parametrize("share", [0.01, 0.5, 0.97])
def test_a_file_that_may_not_grow_is_no_masked_video(study: Study, share: float) -> None:
    size = study.output("block").stat().st_size
    limit = round(size * share)
    running = study.anonymize("block", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
    assert running.wait(60) not in (0, -signal.SIGXFSZ)
    assert not list(study.output("block").parent.glob(f"{study.output('block').name}*"))


def test_a_full_disk_leaves_nothing_behind(study: Study, small_disk: Callable[[int], Path]) -> None:
    size = study.output("block").stat().st_size
    for share in (0.2, 0.9):
        disk = small_disk(round(size * share) // 4096 * 4096)
        assert study.anonymize("block", disk / "masked.mp4").wait(60) != 0
        assert not list(disk.iterdir())
    disk = small_disk(2 * size)
    assert study.anonymize("block", disk / "masked.mp4").wait(60) == 0
    assert digests(disk)["masked.mp4"] == study.masked[study.output("block").name]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_failure_in_the_middle_leaves_nothing_but_a_log_without_paths(study: Study, fault: str) -> None:
    assert study.anonymize("pixelate", fault=fault).wait(60) == 1
    assert not list(study.output("pixelate").parent.glob(f"{study.output('pixelate').name}*"))
    log = (study.results / "logs/anonymize/fault.log").read_text(encoding="utf-8")
    assert log.startswith("ERROR")
    assert "/home" not in log
    assert str(study.results) not in log
    study.check()


@pytest.mark.parametrize(("fault", "succeeds"), [("", True), ("the mask fails", False)])
def test_it_does_not_matter_whether_anybody_reads_what_it_says(study: Study, fault: str, succeeds: bool) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    running = study.anonymize("pixelate", fault=fault, stdout=writer, stderr=writer)
    os.close(writer)
    assert (running.wait(60) == 0) == succeeds
    assert study.output("pixelate").exists() == succeeds


def written(path: Path) -> set[int]:
    """Return when a file was last written; nothing when it is not there."""
    with contextlib.suppress(FileNotFoundError):
        return {path.stat().st_mtime_ns}
    return set()


def test_a_study_whose_workflow_is_killed_ends_as_if_nothing_had_been(study: Study, tmp_path: Path) -> None:
    """Twice killed while it masks, once beside an earlier release; once with nobody to read what it says."""
    output = study.output("blur")
    partial = Path(f"{output}.partial")
    for seed, arguments in enumerate([("--forcerun", str(output)), ()]):
        if not arguments:
            shutil.rmtree(study.results / "release")
            output.unlink(missing_ok=True)
        partial.unlink(missing_ok=True)
        before = written(output)
        running = study.snakemake(tmp_path, *arguments)
        while not partial.exists() and written(output) <= before and running.poll() is None:
            time.sleep(0.005)
        time.sleep(random.Random(seed).uniform(0, 0.3))
        assert running.poll() is None, "it was to be killed in the middle"
        os.killpg(running.pid, signal.SIGKILL)
        running.wait(60)
        time.sleep(0.1)  # its job dies with it
        study.check()
        assert digests(study.results / "release") == (study.released if arguments else {})
    reader, writer = os.pipe()
    os.close(reader)
    study.snakemake(tmp_path, stdout=writer, stderr=writer).wait(300)
    os.close(writer)
    study.check()
    assert study.snakemake(tmp_path).wait(300) == 0
    assert digests(study.results / "release") == study.released
