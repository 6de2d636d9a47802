"""A person's decisions in a running study: what is done again, and what is not, for two short videos."""

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

import snakemake_logger_plugin_jobs as planned
from deidpose import tables
from deidpose.workflow import corrections
from fixtures.video_files import write_video

Run = Callable[..., subprocess.CompletedProcess[str]]
PAGE = "restricted/review/index.html"


class Study(NamedTuple):
    """A study whose review page is made; its two videos have the ids ``a`` and ``b``."""

    folder: Path
    snakemake: Run

    @property
    def results(self) -> Path:
        return self.folder / "results"

    def decide(self, *rows: str) -> None:
        lines = ["\t".join(corrections.COLUMNS), *rows]
        (self.folder / "corrections.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")

    def name(self, patient: str = "", visible: str = "") -> None:
        lines = ["source\tvideo\tpatient\tvisible", f"a.mp4\ta\t{patient}\t{visible}", "b.mp4\tb\t\t"]
        (self.folder / "videos.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        folder = self.folder
        settings = [f"dataset={folder / 'data'}", f"results_dir={self.results}", "methods=[block]"]
        settings += [f"videos={folder / 'videos.tsv'}", f"corrections={folder / 'corrections.tsv'}"]
        return self.snakemake(*arguments, "--config", *settings)

    def plan(self, target: str = PAGE) -> set[str]:
        """Return the jobs that would be run for a target, such as ``track_faces/a``."""
        done = self.run(f"{self.results}/{target}", "--dry-run", "--logger", "jobs")
        assert done.returncode == 0, done.stdout[-3000:]
        return set(planned.read(done.stderr))


@pytest.fixture(scope="module")
def made(pictures: list[np.ndarray], snakemake: Run, models: object, tmp_path_factory: pytest.TempPathFactory) -> Study:
    study = Study(tmp_path_factory.mktemp("corrections"), snakemake)
    (study.folder / "data").mkdir()
    write_video(study.folder / "data/a.mp4", pictures[:8])
    shutil.copy(study.folder / "data/a.mp4", study.folder / "data/b.mp4")
    study.decide()
    study.name()
    done = study.run(f"{study.results}/{PAGE}")
    assert done.returncode == 0, done.stderr[-5000:]
    return study


@pytest.fixture
def study(made: Study) -> Study:
    made.decide()
    made.name()
    return made


MASK = "a\t2\t5\t10\t10\t40\t40\tmask\tEM\t"
OF_MASKS = {"track_faces", "anonymize", "audit", "draw_review"}


def jobs(plan: set[str], video: str) -> set[str]:
    return {job.split("/")[0] for job in plan if re.search(rf"/{video}(_|$)", job)}


def test_the_page_shows_both_videos_and_loads_only_pictures_that_are_there(study: Study) -> None:
    page = (study.results / PAGE).read_text(encoding="utf-8")
    sources = re.findall(r'src="([^"]+)"', page)
    assert {source.split("/")[0] for source in sources} == {"a", "b"}
    for source in sources:
        assert (study.results / "restricted/review" / source).is_file()
    for video in ("a", "b"):
        assert f'data-video="{video}"' in page
        for token in tables.read(study.results / f"restricted/people/{video}.csv", "people")["token"]:
            assert token in page
    assert study.plan() == set()


def test_a_decision_about_a_mask_runs_again_what_depends_on_that_mask_alone(study: Study) -> None:
    study.decide(MASK)
    plan = study.plan()
    assert jobs(plan, "a") >= OF_MASKS
    assert jobs(plan, "b") == set()
    assert not {"screen", "sanitize", "detect_faces", "estimate_pose", "list_people"} & jobs(plan, "a")


def test_what_a_reviewer_accepts_runs_no_mask_again(study: Study) -> None:
    study.decide(MASK.replace("mask", "accept"))
    plan = study.plan()
    assert not {"track_faces", "anonymize"} & jobs(plan, "a")
    assert jobs(plan, "b") == set()


def test_a_video_that_a_reviewer_leaves_out_is_planned_nowhere(study: Study) -> None:
    study.decide("a\t\t\t\t\t\t\texclude_video\tEM\t")
    plan = study.plan("release/manifest.json")
    assert jobs(plan, "a") == set()
    assert "estimate_pose" in jobs(plan, "b")
    assert {"report", "publish"} <= plan


def test_another_patient_runs_the_list_of_people_again_and_no_mask(study: Study) -> None:
    people = tables.read(study.results / "restricted/people/a.csv", "people")
    assert len(people) >= 2
    study.name(patient=people.loc[~people["patient"], "token"].iloc[0])
    plan = study.plan()
    assert jobs(plan, "a") == {"list_people", "draw_review"}
    assert jobs(plan, "b") == set()


def test_a_token_that_names_nobody_stops_the_job_in_a_sentence_and_there_are_no_masks(
    study: Study, tmp_path: Path
) -> None:
    copy = Study(tmp_path / "copy", study.snakemake)
    shutil.copytree(study.folder, copy.folder)
    masks = copy.results / "restricted/faces/a.parquet"
    masks.unlink()
    copy.name(visible="0-000000")
    done = copy.run(str(masks))
    assert done.returncode != 0
    told = (copy.results / "logs/track_faces/a.log").read_text(encoding="utf-8")
    assert told.startswith("ERROR Nobody in this video has the token 0-000000")
    assert "Traceback" not in done.stderr
    assert not masks.exists()


def test_somebody_who_is_named_is_left_visible_and_nobody_else(study: Study, tmp_path: Path) -> None:
    copy = Study(tmp_path / "copy", study.snakemake)
    shutil.copytree(study.folder, copy.folder)
    path = copy.results / "restricted/faces/a.parquet"
    before = tables.read(path, "faces")
    person = int(before.loc[before["person"] >= 0, "person"].mode()[0])
    people = tables.read(copy.results / "restricted/people/a.csv", "people").set_index("person")
    path.unlink()
    copy.name(visible=people.loc[person, "token"])
    done = copy.run(str(path))
    assert done.returncode == 0, done.stderr[-3000:]
    after = tables.read(path, "faces")
    assert (after["person"] == person).sum() < (before["person"] == person).sum()
    others = before[before["person"] != person].reset_index(drop=True)
    pd.testing.assert_frame_equal(after[after["person"] != person].reset_index(drop=True), others)


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (MASK.replace("a\t", "c\t", 1), "Line 2 of the table of corrections .* which is not in the study"),
        (MASK.replace("\t5\t", "\t8\t", 1), "its last frame is 8, but the video has the frames 0 to 7"),
    ],
)
def test_a_wrong_row_is_told_in_a_sentence_before_anything_runs(study: Study, row: str, sentence: str) -> None:
    study.decide(row)
    done = study.run(f"{study.results}/{PAGE}", "--dry-run")
    told = done.stdout + done.stderr
    assert done.returncode != 0
    assert re.search(sentence, told)
    assert "Traceback" not in told
