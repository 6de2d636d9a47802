"""A study whose original has keypoints from before: what they change, and what they must never change."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from deidpose import tables
from deidpose.skeleton import BODY_25
from fixtures import openpose_output
from fixtures.small_study import METHODS, SmallStudy, digests

IMPORT = (METHODS, "pose={import: {folder: before}}")
NAME = "Erika Mustermann"
#: What decides what is masked, and what is masked.
OF_MASKS = (
    "faces", "heads", "detections", "people", "masked", "skeleton", "control", "searched", "review", "audit",
    "keypoints",
)  # fmt: skip
OF_KINEMATICS = {"match_people", "joint_angles", "compare", "export", "show_video"}
OF_STUDY = {"study", "report", "publish"}
#: OpenPose's joints lie elsewhere than ours.
SHIFT_PX = 3.0


def masks(study: SmallStudy) -> dict[str, str]:
    found: dict[str, str] = {}
    for folder in OF_MASKS:
        found |= {f"{folder}/{name}": sha for name, sha in digests(study.results / "restricted" / folder).items()}
    return {name: sha for name, sha in found.items() if ".snakemake_timestamp" not in name}


def patient_of(study: SmallStudy) -> int:
    people = tables.read(study.results / "restricted/people/a.csv", "people")
    return int(people.loc[people["patient"], "person"].iloc[0])


def alone(study: SmallStudy) -> list[np.ndarray]:
    """Return what OpenPose would have found: the patient alone, as with --number_people_max 1, and without a face."""
    keypoints = tables.read(study.results / "restricted/keypoints/a_original.parquet", "keypoints")
    frames = openpose_output.bodies(keypoints[keypoints["person"] == patient_of(study)], 8)
    for bodies in frames:
        seen = bodies[..., 2] > 0
        bodies[seen, 0] += SHIFT_PX
        bodies[:, [0, 15, 16, 17, 18]] = 0
    return frames


@pytest.fixture(scope="module")
def imported(finished: SmallStudy, tmp_path_factory: pytest.TempPathFactory) -> SmallStudy:
    """Return the finished study, run on with keypoints from before."""
    study = finished.copy(tmp_path_factory.mktemp("imported") / "study")
    openpose_output.write(study.folder / "before/a", alone(study), NAME, version=NAME)
    plan = set(study.plan(config=IMPORT))
    assert {job.split("/")[0] for job in plan} == {
        "import_pose", "list_imported_people", *OF_KINEMATICS, *OF_STUDY,
    }  # fmt: skip
    code, said = study.run(config=IMPORT)
    assert code == 0, said[-5000:]
    assert said.count("keypoints of the original: imported for 1, from the backend for none\n") == 1
    assert said.count("keypoints of the original: imported for 1\n") == 1
    return study


def test_masks_are_byte_for_byte_those_without_an_import(imported: SmallStudy, finished: SmallStudy) -> None:
    before = masks(finished)
    assert len(before) > 20
    assert masks(imported) == before


def test_masks_are_those_without_an_import_when_a_study_begins_with_one(
    imported: SmallStudy, finished: SmallStudy, tmp_path: Path
) -> None:
    study = SmallStudy(imported.root, tmp_path / "study")
    study.folder.mkdir()
    for name in ("data", "before", "videos.tsv", "config", "resources"):
        source = imported.folder / name
        (study.folder / name).symlink_to(source.resolve())
    masked = study.results / "restricted/masked"
    code, said = study.run(
        *(f"results/restricted/masked/a_{method}.mp4" for method in ("blur", "block")), config=IMPORT
    )
    assert code == 0, said[-3000:]
    assert digests(masked, "*.mp4") == digests(finished.results / "restricted/masked", "*.mp4")


def test_the_kinematics_are_those_of_the_imported_keypoints(imported: SmallStudy) -> None:
    release = imported.results / "release"
    found = tables.read(release / "keypoints/a_original.parquet", "keypoints")
    assert found["person"].nunique() == 1
    expected = alone(imported)
    for name in ("LKnee", "RHip", "Neck", "Nose"):
        here = found[found["keypoint"] == name].set_index("frame")
        for frame, bodies in enumerate(expected):
            x, y, confidence = bodies[0, BODY_25.index(name)]
            if confidence:
                assert np.allclose(here.loc[frame, ["x_px", "y_px"]].astype(float), (x, y), atol=1e-3)
            else:
                assert np.isnan(here.loc[frame, "x_px"])
    effects = tables.read(release / "effects/a.csv", "effects")
    assert set(effects["person"]) == {0}
    assert effects["patient"].all()
    keypoints = tables.read(release / "keypoint_effects/a.csv", "keypoint_effects")
    control = keypoints[(keypoints["method"] == "reencode") & (keypoints["keypoint"] == "LHip")].iloc[0]
    assert control["displacement_median"] > 0.02  # torso lengths; the shift is about 0.04 of them
    originals = pd.read_csv(release / "angles/a_original.csv")
    assert set(originals["person"]) == {0}
    assert originals["degrees"].notna().any()


def test_manifest_report_and_logs_say_where_keypoints_come_from(imported: SmallStudy) -> None:
    manifest = json.loads((imported.results / "release/manifest.json").read_text("utf-8"))
    backend, before = manifest["poses"]
    assert backend["backend"] == "blazepose"
    assert before["backend"] == "imported"
    assert before["layout"] == "BODY_25"
    assert before["videos"] == ["a"]
    assert "non-commercial" in before["licence"]
    assert manifest["settings"]["pose"]["import"] == {"layout": "auto"}
    page = (imported.results / "release/report.html").read_text("utf-8")
    answer = page[page.index('id="answer"') : page.index('id="about"')]
    assert "In 1 of 1 videos the keypoints of the original were imported (BODY_25)" in answer
    assert "imported" in (imported.results / "logs/import_pose/a.log").read_text("utf-8")
    assert "are of the same people" in (imported.results / "logs/list_imported_people/a.log").read_text("utf-8")


def test_nothing_in_release_or_logs_tells_what_the_files_were_called(imported: SmallStudy) -> None:
    for folder in ("release", "logs"):
        for path in (imported.results / folder).rglob("*"):
            content = path.read_bytes() if path.is_file() else b""
            assert NAME.encode() not in content, path
            assert b"/before" not in content, path


@pytest.fixture
def study(imported: SmallStudy, tmp_path: Path) -> SmallStudy:
    return imported.copy(tmp_path / "study")


def put_elsewhere(folder: Path) -> None:
    shutil.copytree(folder, folder.with_name("copied"), copy_function=shutil.copyfile)
    shutil.rmtree(folder)
    folder.with_name("copied").rename(folder)


def change(folder: Path) -> None:
    path = sorted(folder.iterdir())[-1]
    path.write_text(path.read_text().replace("1", "2", 1))


def drop(folder: Path) -> None:
    sorted(folder.iterdir())[-1].unlink()


@pytest.mark.parametrize(
    ("act", "first"), [(put_elsewhere, set()), (change, {"import_pose/a"}), (drop, {"import_pose/a"})]
)
def test_changed_files_are_imported_again_and_copied_ones_are_not(
    study: SmallStudy, act: Callable[[Path], None], first: set[str]
) -> None:
    act(study.folder / "before/a")
    plan = study.plan(config=IMPORT)
    assert {job for job, reason in plan.items() if "Params have changed" in reason} == first
    assert not {"track_faces/a", "estimate_pose/a_original", "screen/a", "list_people/a"} & set(plan)
    assert bool(plan) == bool(first)


def test_without_the_files_the_backend_is_measured_again_and_nothing_is_masked_anew(study: SmallStudy) -> None:
    plan = {job.split("/")[0] for job in study.plan()}
    assert plan == OF_KINEMATICS | OF_STUDY


def test_files_that_do_not_fit_the_video_are_an_error_in_a_sentence_without_their_name(study: SmallStudy) -> None:
    drop(study.folder / "before/a")
    code, said = study.run("results/restricted/imported/a_original.parquet", config=IMPORT)
    assert code != 0
    log = (study.results / "logs/import_pose/a.log").read_text("utf-8")
    assert "are of 7 frames, but the video has 8" in log
    assert "Traceback" not in said
    assert NAME not in log
