import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import long_video, speed
from benchmarks.docs_pages import markers
from deidpose.workflow import resources
from fixtures.video_files import write_video


@pytest.fixture(scope="module")
def folder(pictures: list[np.ndarray], models: object, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with ten frames of two people, prepared as the bench does it."""
    source = write_video(tmp_path_factory.mktemp("bench") / "short.mp4", pictures[:10])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(speed, "FOLDER", source.parent)
        return speed.prepared(source)


def step(root: Path, folder: Path, name: str, source: str) -> dict[str, Any]:
    command = [sys.executable, root / "benchmarks/one_step.py", name, folder, "2", source]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def test_every_step_of_the_chain_is_done_as_the_workflow_does_it_and_its_networks_are_counted(
    root: Path, folder: Path
) -> None:
    told = {(name, source): step(root, folder, name, source) for name, source in speed.CHAIN}
    assert all(each["frames"] == 10 and each["seconds"] > 0 and each["megabytes"] > 50 for each in told.values())
    counted = {name for each in told.values() for name, _, _ in each["networks"]}
    assert counted == {"face_detection_yunet_2023mar.onnx", "centerface.onnx", "pose_detection.tflite",
                       "pose_landmark_full.tflite"}  # fmt: skip
    landmarks = [count for name, _, count in told["estimate_pose", "original"]["networks"] if "landmark" in name]
    assert sum(landmarks) >= 2 * 10  # two people, ten frames
    assert {path.name for path in folder.glob("*.mp4")} == {"masked.mp4", "control.mp4", "skeleton.mp4"}


def test_the_steps_on_tables_stay_within_the_memory_that_is_asked_for(tmp_path: Path) -> None:
    """On made-up keypoints of four people, for whom it is reckoned."""
    n_frames, script = 4000, Path(speed.__file__).with_name("long_video.py")
    subprocess.run([sys.executable, script, "make", tmp_path / "video", str(n_frames), "4"], check=True)
    facts = {"width": 1280, "height": 480, "n_frames": n_frames}
    for name in long_video.STEPS:
        done = subprocess.run(
            [sys.executable, script, name, tmp_path / "video"], capture_output=True, text=True, check=True
        )
        assert json.loads(done.stdout)["megabytes"] < resources.megabytes(name, facts, 1), name


def test_the_page_has_the_tables_of_every_part() -> None:
    page = speed.PAGE.read_text("utf-8")
    begin, end = markers("make bench")
    assert page.count(begin) == page.count(end) == 1
    tables = page.partition(begin)[2].partition(end)[0]
    parts = tables.split("### ")[1:]
    assert [part.partition("\n")[0] for part in parts] == [title for title, _ in speed.PARTS.values()]
    assert all("\n| --- |" in part for part in parts)
