"""The same inputs, settings and versions give the same files, whatever else is different."""

import os
import shutil
from pathlib import Path

import pytest

import snakemake_logger_plugin_jobs as jobs
from fixtures.small_study import SmallStudy, digests

#: Steps that use several threads where they get them.
THREADED = (
    "screen",
    "detect_faces",
    "estimate_pose",
    "anonymize",
    "reencode",
    "search_faces",
    "audit",
    "draw_skeleton",
)


@pytest.mark.timeout(1200)
def test_every_released_file_is_the_same_in_another_folder_time_zone_language_and_number_of_threads(
    finished: SmallStudy, tmp_path: Path
) -> None:
    study = SmallStudy(finished.root, tmp_path / "another folder")
    (study.folder / "data").mkdir(parents=True)
    for name in ("data/a.mp4", "data/none.mp4", "videos.tsv"):
        shutil.copyfile(finished.folder / name, study.folder / name)
        os.utime(study.folder / name, (1_000_000_000, 1_000_000_000))
    for name in ("config", "resources"):
        (study.folder / name).symlink_to(finished.root / name)
    environment = {**os.environ, "TZ": "Asia/Kathmandu", "LC_ALL": "C", "LANG": "C", "PYTHONHASHSEED": "4711"}
    threads = [f"{rule}=3" for rule in THREADED]
    code, said = study.run("--cores", "3", "--logger", "jobs", "--set-threads", *threads, env=environment, umask=0o077)
    assert code == 0, said[-5000:]
    assert {job.split("/")[0] for job, facts in jobs.read(said).items() if facts.threads == 3} == set(THREADED)
    released = digests(finished.results / "release")
    assert len(released) > 50
    assert digests(study.results / "release") == released
