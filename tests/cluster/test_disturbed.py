"""What is left of a study on a real Slurm cluster whose jobs, daemons, nodes, files or Snakemake were lost.

The steps are stand-ins, which tell how often each has begun. Every study is disturbed while the cluster works on its
videos, as far as the step that finds what is to be masked, and then done to its end on one machine. Its release is a
digest of all that went into it.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from fixtures import slurm_cluster, stand_in_workflow

pytestmark = pytest.mark.timeout(2400)

#: The steps of a video that the cluster does; the third is where it is disturbed.
STEPS = ("sanitize", "find_cuts", "detect_faces", "estimate_pose", "track_faces")
WHERE = "find_cuts"
Running = subprocess.Popen[str]


class Study(NamedTuple):
    """A copy of the workflow with stand-ins, its videos, which are screened, and what hands jobs to Slurm."""

    folder: Path
    videos: list[str]
    on_slurm: tuple[str, ...]

    def start(self, *arguments: str, targets: Iterable[str] = ()) -> Running:
        """Start Snakemake."""
        with (self.folder / "said.txt").open("w") as file:
            return subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "snakemake",
                    *arguments,
                    *stand_in_workflow.settings("methods=[block]"),
                    "--",
                    *targets,
                ],
                cwd=self.folder,
                text=True,
                stdout=file,
                stderr=subprocess.STDOUT,
                # What a shell starts in the background, and what this starts in turn, would never see an interrupt.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )

    def on_cluster(self, *arguments: str) -> Running:
        """Start Snakemake on the cluster, for the steps above."""
        targets = [f"results/restricted/faces/{video}.parquet" for video in self.videos]
        return self.start(*self.on_slurm, *arguments, targets=targets)

    def said(self) -> str:
        return (self.folder / "said.txt").read_text(encoding="utf-8", errors="replace")

    def tell(self, **told: object) -> None:
        (self.folder / "told.json").write_text(json.dumps(told))

    def begun(self) -> Counter[str]:
        return Counter(stand_in_workflow.begun(self.folder))

    def wait_for(self, running: Running, *steps: str) -> None:
        """Wait until steps have begun."""
        end = time.monotonic() + 900
        while not set(steps) <= self.begun().keys():
            assert running.poll() is None, self.said()[-3000:]
            assert time.monotonic() < end, self.said()[-3000:]
            time.sleep(0.2)
        time.sleep(0.5)

    def times(self, video: str) -> dict[str, int]:
        """Return how often each step of a video has begun that the cluster does."""
        begun = self.begun()
        return {step: begun[f"{step} {video}" + (" original" if step == "estimate_pose" else "")] for step in STEPS}

    def jobs(self) -> list[dict[str, str]]:
        run = self.said().partition("SLURM run ID: ")[2].split()[0]
        return slurm_cluster.jobs(run)

    def finish(self, whole: "Study") -> None:
        """Do the rest on one machine, and find the same release as without a disturbance; every other step once."""
        self.tell()
        done_before = self.begun()
        assert not (self.folder / "results/release").exists()
        assert self.start("--cores", "2").wait(900) == 0, self.said()[-3000:]
        begun = self.begun()
        assert begun.keys() == whole.begun().keys()
        assert {step for step in done_before if begun[step] != done_before[step]} == set()
        assert {begun[step] for step in begun.keys() - done_before.keys()} == {1}
        assert stand_in_workflow.manifest(self.folder) == stand_in_workflow.manifest(whole.folder)


ONCE = dict.fromkeys(STEPS, 1)


@pytest.fixture(scope="module")
def screened(root: Path, on_slurm: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Return a study of two videos that are screened. Copy it before you touch it."""
    folder = stand_in_workflow.make(root, tmp_path_factory.mktemp("screened") / "study", 2)
    study = Study(folder, [], on_slurm)
    assert study.start("--cores", "2", "--until", "collect_screening").wait(600) == 0, study.said()[-3000:]
    rows = (folder / "results/restricted/screening.tsv").read_text().splitlines()[1:]
    return study._replace(videos=[row.split("\t")[0] for row in rows])


@pytest.fixture
def study(cluster: Path, screened: Study, tmp_path: Path) -> Study:
    """Return a copy of that study; at the end no job of it is left."""
    shutil.copytree(screened.folder, tmp_path / "study", symlinks=True)
    return screened._replace(folder=tmp_path / "study")


@pytest.fixture(scope="module")
def whole(screened: Study, tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Return the same study, done on one machine without a disturbance."""
    folder = tmp_path_factory.mktemp("whole") / "study"
    shutil.copytree(screened.folder, folder, symlinks=True)
    study = screened._replace(folder=folder)
    assert study.start("--cores", "2").wait(900) == 0, study.said()[-3000:]
    assert set(study.begun().values()) == {1}
    return study


def wait_for_end_of_jobs() -> None:
    end = time.monotonic() + 600
    while any(state in ("PENDING", "RUNNING", "COMPLETING") for state in slurm_cluster.queue()):
        assert time.monotonic() < end
        time.sleep(0.5)


def process_of(study: Study, step: str, video: str) -> psutil.Process:
    """Return the process that runs a step of a video."""
    number = (study.folder / f"results/logs/{step}/{video}.log").read_text().split()[-1]
    return psutil.Process(int(number))


def test_a_job_that_is_killed_is_repeated_by_the_same_run_and_the_other_video_is_not(
    study: Study, whole: Study
) -> None:
    first, second = study.videos
    study.tell(sleep={f"{WHERE} {first}": 900})
    running = study.on_cluster()
    study.wait_for(running, f"{WHERE} {first}")
    study.tell()
    process_of(study, WHERE, first).kill()
    assert running.wait(900) == 0, study.said()[-3000:]
    assert {job["state"] for job in study.jobs()} == {"COMPLETED", "FAILED"}
    assert study.times(second) == ONCE
    assert study.times(first) == {**ONCE, "sanitize": 2, WHERE: 2}
    study.finish(whole)


def test_jobs_go_on_while_the_daemons_of_their_nodes_are_dead(cluster: Path, study: Study, whole: Study) -> None:
    study.tell(sleep={f"{WHERE} {video}": 15 for video in study.videos})
    running = study.on_cluster()
    study.wait_for(running, *(f"{WHERE} {video}" for video in study.videos))
    for node in slurm_cluster.NODES:
        slurm_cluster.kill_slurmd(cluster, node, with_jobs=False)
    time.sleep(2)
    for node in slurm_cluster.NODES:
        slurm_cluster.start_slurmd(node)
    assert running.wait(900) == 0, study.said()[-3000:]
    assert [study.times(video) for video in study.videos] == [ONCE, ONCE]
    study.finish(whole)


def test_a_node_that_dies_with_its_jobs_costs_what_they_were_doing(cluster: Path, study: Study, whole: Study) -> None:
    """Slurm itself gives the jobs to a node again, once it has noticed."""
    first, second = study.videos
    study.tell(sleep={f"{WHERE} {first}": 900})
    running = study.on_cluster()
    study.wait_for(running, f"{WHERE} {first}")
    study.tell()
    time.sleep(15)  # before that, Slurm takes a job that a node does not know for one that has just been sent
    node = process_of(study, WHERE, first).environ()["SLURMD_NODENAME"]
    slurm_cluster.kill_slurmd(cluster, node, with_jobs=True)
    slurm_cluster.start_slurmd(node)
    assert running.wait(1500) == 0, study.said()[-3000:]
    assert study.times(second) == ONCE
    times = study.times(first)
    assert times[WHERE] == 2
    assert {times[step] for step in STEPS[2:]} == {1}
    study.finish(whole)


def test_jobs_go_on_without_snakemake_and_are_not_done_again(study: Study, whole: Study) -> None:
    study.tell(sleep={f"{WHERE} {video}": 5 for video in study.videos})
    running = study.on_cluster()
    study.wait_for(running, *(f"{WHERE} {video}" for video in study.videos))
    running.kill()
    running.wait(60)
    wait_for_end_of_jobs()
    assert [study.times(video) for video in study.videos] == [ONCE, ONCE]
    assert study.on_cluster().wait(300) == 1
    assert "--unlock" in study.said()
    assert study.start("--unlock").wait(300) == 0, study.said()[-3000:]
    study.finish(whole)


def test_a_file_that_a_node_sees_late_is_waited_for(study: Study, whole: Study) -> None:
    """As on a shared file system under load. No step may begin before it, and none is repeated for it."""
    study.tell(late={f"{WHERE} {study.videos[0]}": 8})
    assert study.on_cluster().wait(900) == 0, study.said()[-3000:]
    assert [study.times(video) for video in study.videos] == [ONCE, ONCE]
    study.finish(whole)


def test_a_step_that_fails_ends_the_run_with_its_reason_and_the_other_video_is_done(study: Study, whole: Study) -> None:
    first, second = study.videos
    study.tell(fail=[f"{WHERE} {first}"])
    running = study.on_cluster("--retries", "0")
    assert running.wait(900) == 1
    assert f"{WHERE}/{first}.log" in study.said()
    assert "as it was told" in study.said()
    assert study.times(second) == ONCE
    assert study.times(first) == {**dict.fromkeys(STEPS, 0), "sanitize": 1, WHERE: 1}
    study.tell()
    assert study.start("--cores", "2").wait(900) == 0, study.said()[-3000:]
    assert study.times(second) == ONCE
    assert stand_in_workflow.manifest(study.folder) == stand_in_workflow.manifest(whole.folder)


def test_an_interrupt_cancels_the_jobs_and_the_next_run_goes_on(study: Study, whole: Study) -> None:
    study.tell(sleep={f"{WHERE} {video}": 900 for video in study.videos})
    running = study.on_cluster()
    study.wait_for(running, *(f"{WHERE} {video}" for video in study.videos))
    running.send_signal(signal.SIGINT)
    cancelled = time.monotonic()
    while slurm_cluster.queue() and time.monotonic() - cancelled < 120:
        if not any(state in ("PENDING", "RUNNING", "COMPLETING") for state in slurm_cluster.queue()):
            break
        time.sleep(0.2)
    # It ends when it would have looked at its jobs the next time.
    assert running.wait(300) != 0
    assert {job["state"] for job in study.jobs()} == {"CANCELLED"}
    study.tell()
    assert study.start("--cores", "2").wait(900) == 0, study.said()[-3000:]
    assert all(count == 1 for step, count in study.begun().items() if step.split()[0] not in STEPS[:2])
    assert stand_in_workflow.manifest(study.folder) == stand_in_workflow.manifest(whole.folder)


def test_chunks_leave_nothing_but_the_study_to_do(study: Study, whole: Study, tmp_path: Path) -> None:
    command = ["sbatch", "--wait", "--array=1-2", "--cpus-per-task=2", "--mem=4G", f"--output={tmp_path}/chunk-%a.txt"]
    command += ["profiles/slurm/chunk.sh", "results", *stand_in_workflow.settings("methods=[block]")]
    environment = {**os.environ, "SNAKEMAKE": str(Path(sys.executable).with_name("snakemake"))}
    done = subprocess.run(command, cwd=study.folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, "".join(path.read_text(errors="replace")[-3000:] for path in tmp_path.glob("chunk-*"))
    before = study.begun()
    assert before.keys() >= {f"{STEPS[-1]} {video}" for video in study.videos}
    assert study.start("--cores", "2").wait(900) == 0, study.said()[-3000:]
    assert (study.begun() - before).keys() == {"study", "report", "review_page", "publish"}
    assert set(study.begun().values()) == {1}
    assert stand_in_workflow.manifest(study.folder) == stand_in_workflow.manifest(whole.folder)


def test_with_copies_on_the_disks_of_the_nodes_the_release_is_the_same_and_logs_alone_stay(
    study: Study, whole: Study, tmp_path: Path
) -> None:
    pytest.importorskip("snakemake_storage_plugin_fs", reason="make setup-slurm installs the plugin.")
    if shutil.which("rsync") is None:
        pytest.skip("The plugin copies with rsync, which is not here.")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    running = study.on_cluster("--profile", "profiles/scratch", "--remote-job-local-storage-prefix", str(scratch))
    assert running.wait(900) == 0, study.said()[-3000:]
    assert [study.times(video) for video in study.videos] == [ONCE, ONCE]
    copied = [path.relative_to(scratch) for path in scratch.rglob("*") if path.is_file()]
    assert copied
    assert [path for path in copied if not {"logs", "benchmarks"} & set(path.parts)] == []
    study.finish(whole)
