"""What a study is after its jobs were killed, its workflow was, its disk was full, or a file was lost: the same."""

import os
import random
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from deidpose.workflow import status
from fixtures.small_study import SmallStudy, digests

#: What comes after the tables of the study.
TAIL = {"study", "report", "publish"}


def wait_for(running: "subprocess.Popen[str]", *scripts: str) -> psutil.Process:
    """Wait until a job is there that runs one of the scripts, and return its process."""
    endings = tuple(f".{script}.py" for script in scripts)
    for _ in range(6000):
        for child in psutil.Process(running.pid).children(recursive=True):
            try:
                if any(part.endswith(endings) for part in child.cmdline()):
                    return child
            except psutil.Error:  # it has just ended
                continue
        assert running.poll() is None, f"the workflow was to run {scripts}"
        time.sleep(0.05)
    raise AssertionError(f"{scripts} never came")


def done(study: SmallStudy) -> dict[str, int]:
    """Return when every job has ended that has."""
    folder = study.results / "benchmarks"
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in folder.rglob("*.tsv")}


def test_a_study_that_is_disturbed_again_and_again_ends_as_if_nothing_had_been(
    finished: SmallStudy, tmp_path: Path
) -> None:
    """First a job is killed, then somebody presses Ctrl-C, then all is killed at once."""
    chance = random.Random(5)
    study = finished.copy(tmp_path / "study")
    shutil.rmtree(study.results)
    shutil.rmtree(study.folder / ".snakemake")
    masked = digests(finished.results / "restricted/masked")
    ended: dict[str, int] = {}

    def check(n_in_flight: int) -> None:
        """Find nothing under release/, no half of a video, and nothing done again but what was in flight."""
        assert not (study.results / "release").exists() or not digests(study.results / "release")
        assert digests(study.results / "restricted/masked", "*.mp4").items() <= masked.items()
        now = done(study)
        assert len({job for job, moment in ended.items() if now.get(job) != moment}) <= n_in_flight
        ended.update(now)

    running = study.start()
    job = wait_for(running, "estimate_pose")
    time.sleep(chance.uniform(0.5, 1.5))
    job.kill()
    said, _ = running.communicate(timeout=300)
    assert running.returncode != 0
    assert "release     none yet" in said
    assert "1 accepted, 1 rejected" in said
    assert re.search(r"unfinished +estimate_pose/a_", status.describe(study.results, study.root))
    check(0)

    running = study.start()
    wait_for(running, "anonymize", "match_people")
    time.sleep(chance.uniform(0.5, 1.5))
    os.killpg(running.pid, signal.SIGINT)
    said, _ = running.communicate(timeout=100)
    assert running.returncode != 0
    check(0)

    running = study.start(stdout=subprocess.DEVNULL)
    wait_for(running, "study")
    time.sleep(chance.uniform(0.5, 1.5))
    os.killpg(running.pid, signal.SIGKILL)
    running.wait(60)
    time.sleep(0.2)  # its jobs die with it
    check(2)  # what had ended but was not in Snakemake's records yet

    code, said = study.run("--nolock")  # the killed workflow has left its lock
    assert code == 0, said[-5000:]
    check_again = done(study)
    assert len([job for job, moment in ended.items() if check_again[job] != moment]) <= 2
    assert digests(study.results / "release") == digests(finished.results / "release")
    assert study.plan() == {}
    told = status.describe(study.results, study.root)
    assert "release     complete" in told
    assert "unfinished" not in told


def test_a_full_disk_is_told_and_harms_nothing(
    finished: SmallStudy, tmp_path: Path, small_disk: Callable[..., Path]
) -> None:
    """Full before the run begins, then full in the middle of the study."""
    study = finished.copy(tmp_path / "study")
    shutil.rmtree(study.results)
    size = sum(path.stat().st_size + 8192 for path in finished.results.rglob("*") if path.is_file())
    small_disk(2 * size, study.results)
    shutil.copytree(finished.results, study.results, dirs_exist_ok=True)
    released = digests(study.results / "release")
    for lost in ("restricted/study/summary.csv", "release/manifest.json"):
        (study.results / lost).unlink()
    before = digests(study.results / "release")
    ballast = study.results / "ballast"
    for left, sentence in [(0, "cannot be written: No space left on device"), (100_000, "No space left on device")]:
        with ballast.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(study.results).free - left)
        code, said = study.run()
        assert code != 0
        assert sentence in said
        assert "Traceback" not in said, said[-5000:]
        assert digests(study.results / "release") == before
        ballast.unlink()
    assert set(study.plan()) == TAIL
    code, said = study.run()
    assert code == 0, said[-5000:]
    assert digests(study.results / "release") == released


def test_results_that_may_not_be_written_are_told_and_stay_as_they_are(
    finished: SmallStudy, tmp_path: Path, small_disk: Callable[..., Path]
) -> None:
    study = finished.copy(tmp_path / "study")
    shutil.rmtree(study.results)
    size = sum(path.stat().st_size + 8192 for path in finished.results.rglob("*") if path.is_file())
    small_disk(2 * size, study.results)
    shutil.copytree(finished.results, study.results, dirs_exist_ok=True)
    for lost in ("restricted/study/summary.csv", "release/manifest.json"):
        (study.results / lost).unlink()
    everything = digests(study.results)
    subprocess.run(["mount", "-o", "remount,ro", str(study.results)], check=True)
    code, said = study.run()
    assert code != 0
    # Snakemake's own words where an output is there already, ours where none is.
    assert re.search("Write-protected output files|cannot be written: Read-only file system", said), said[-5000:]
    assert "Traceback" not in said, said[-5000:]
    assert digests(study.results) == everything
    assert "release     none yet" in status.describe(study.results, study.root)
    subprocess.run(["mount", "-o", "remount,rw", str(study.results)], check=True)
    assert set(study.plan()) == TAIL


JOINT = {"match_people/a", "joint_angles/a", "compare/a", "export/a", "show_video/a"}


@pytest.mark.parametrize(
    ("lost", "again"),
    [
        ("restricted/study/figures/tradeoff.png", TAIL),
        ("restricted/study/traces/a.svg", {"show_video/a", "report", "publish"}),
        ("restricted/keypoints/a_reencode.parquet", {"estimate_pose/a_reencode", *JOINT, *TAIL}),
        ("restricted/control/a.mp4", {"publish"}),  # what was made of it is there
    ],
)
def test_only_what_depends_on_a_lost_file_is_made_again(
    finished: SmallStudy, tmp_path: Path, lost: str, again: set[str]
) -> None:
    """A finished study needs none of them; one that has yet to be published needs some."""
    study = finished.copy(tmp_path / "study")
    (study.results / lost).unlink()
    assert study.plan() == {}
    (study.results / "release/manifest.json").unlink()
    assert set(study.plan()) == again


def test_a_file_that_was_lost_from_the_release_is_told(finished: SmallStudy, tmp_path: Path) -> None:
    study = finished.copy(tmp_path / "study")
    assert "release     complete" in status.describe(study.results, study.root)
    (study.results / "release/report.html").unlink()
    told = status.describe(study.results, study.root)
    assert "1 of its" in told
    assert "remove" in told
    (study.results / "release/manifest.json").unlink()
    code, said = study.run()
    assert code == 0, said[-3000:]
    assert digests(study.results / "release") == digests(finished.results / "release")
