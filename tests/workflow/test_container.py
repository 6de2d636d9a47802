"""OpenPose in a container of its own: Snakemake and a stand-in for Apptainer, which runs a folder as if it were one.

The stand-in does with its arguments what Apptainer does as far as can be seen from a job: the program `python` is that
of the image, in which alone the module pyopenpose is.
"""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from deidpose import tables
from deidpose.video.frames import to_bgr
from fixtures.openpose_stand_ins import film
from fixtures.small_study import Run
from fixtures.video_files import write_video

APPTAINER = """#!{python}
import json, os, subprocess, sys
arguments = sys.argv[1:]
if arguments == ["--version"]:
    print("apptainer version 1.3.4")
    sys.exit()
assert arguments[-3:-1] == ["bash", "-c"], arguments
image = arguments[-4]
with open({note!r}, "a") as file:
    print(json.dumps(arguments), file=file)
environment = dict(os.environ, PATH=image + "/bin:" + os.environ["PATH"], OPENPOSE_MODEL_FOLDER=image + "/models")
sys.exit(subprocess.run(["bash", "-c", arguments[-1]], env=environment).returncode)
"""


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)


@pytest.fixture
def image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder that is an image with OpenPose in it, on a machine with the stand-in."""
    put(tmp_path / "bin/apptainer", APPTAINER.format(python=sys.executable, note=str(tmp_path / "calls")))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    folder = tmp_path / "image"
    put(folder / "bin/python", f'#!/bin/sh\nPYTHONPATH="{folder}/site:$PYTHONPATH" exec "{sys.executable}" "$@"\n')
    tests = Path(__file__).parents[1]
    put(
        folder / "site/pyopenpose.py",
        f"import sys\nsys.path.append({str(tests)!r})\n"
        "from fixtures.openpose_stand_ins import Datum, VectorDatum, WrapperPython\n",
    )
    put(folder / "models/pose/body_25/pose_iter_584000.caffemodel", "weights")
    return folder


@pytest.fixture
def settings(tmp_path: Path) -> Callable[..., list[str]]:
    """Return a function (image, **more) -> arguments of Snakemake, for a dataset of one video of two people."""
    (tmp_path / "data").mkdir()
    pictures = [to_bgr(frame)[..., ::-1] for frame in film(12)]
    write_video(tmp_path / "data/walk.mp4", pictures, sound=None, options={"crf": "0"})
    (tmp_path / "videos.tsv").write_text("source\tvideo\nwalk.mp4\twalk\n")

    def arguments(image: object, backend: str = "openpose") -> list[str]:
        return [
            "--config",
            f"dataset={tmp_path / 'data'}",
            f"results_dir={tmp_path / 'results'}",
            f"videos={tmp_path / 'videos.tsv'}",
            f"pose={json.dumps({'backend': backend, 'openpose': {'container': str(image)}})}",
        ]

    return arguments


def calls(tmp_path: Path) -> list[list[str]]:
    note = tmp_path / "calls"
    return [json.loads(line) for line in note.read_text().splitlines()] if note.exists() else []


def test_poses_are_estimated_in_the_image_and_nothing_else_is(
    snakemake: Run, settings: Callable[..., list[str]], image: Path, tmp_path: Path
) -> None:
    keypoints = tmp_path / "results/restricted/keypoints/walk_original.parquet"
    done = snakemake(str(keypoints), "--sdm", "apptainer", *settings(image))
    assert done.returncode == 0, done.stderr[-3000:]
    found = tables.read(keypoints, "keypoints")
    assert found["person"].nunique() == 2
    assert set(found["frame"]) == {*range(9), 10, 11}  # the stand-in sees nobody in frame 9
    origin = json.loads(keypoints.with_suffix(".json").read_text())
    assert origin["way"] == "pyopenpose"
    assert set(origin["models"]) == {"pose_iter_584000.caffemodel"}
    assert str(image) not in str(origin)
    asked = calls(tmp_path)
    assert len(asked) == 2  # screen, which looks for a person, and estimate_pose
    assert all(str(image) in call for call in asked)
    for log in (tmp_path / "results/logs").rglob("*.log"):
        assert str(image) not in log.read_text()


def test_pose_networks_are_compared_with_openpose_in_its_image(
    snakemake: Run, settings: Callable[..., list[str]], image: Path, tmp_path: Path, models: object
) -> None:
    """The study has another backend, so that one rule runs in the image for one network and outside for the other."""
    names = "backends=[blazepose_full,openpose]"
    done = snakemake("backends", "--sdm", "apptainer", *settings(image, "blazepose"), names)
    assert done.returncode == 0, done.stderr[-3000:]
    folder = tmp_path / "results/restricted/backends"
    table = tables.read(folder / "backends.csv", "backends").set_index("backend")
    assert list(table.index) == ["blazepose_full", "openpose"]
    assert table.loc["openpose", "way"] == "pyopenpose"
    assert table.loc["openpose", "n_sightings"] == 22
    assert table.loc["openpose", "n_frames_empty"] == 1
    assert len(calls(tmp_path)) == 1
    page = (folder / "backends.md").read_text()
    assert "| OpenPose BODY_25 (pyopenpose) |" in page
    assert {path.name for path in (tmp_path / "results").iterdir()} == {"restricted", "logs", "benchmarks"}


def test_an_image_without_the_option_that_uses_it_is_told_in_a_sentence(
    snakemake: Run, settings: Callable[..., list[str]], image: Path, tmp_path: Path
) -> None:
    done = snakemake("-n", *settings(image))
    assert done.returncode != 0
    assert "--sdm apptainer" in done.stdout + done.stderr
    assert not calls(tmp_path)


def test_an_image_that_is_not_there_is_told_in_a_sentence(
    snakemake: Run, settings: Callable[..., list[str]], tmp_path: Path
) -> None:
    done = snakemake("-n", "--sdm", "apptainer", *settings(tmp_path / "none.sif"))
    assert done.returncode != 0
    assert "none.sif, which does not exist" in done.stdout + done.stderr
