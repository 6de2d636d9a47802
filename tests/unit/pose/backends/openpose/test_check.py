"""`make check-openpose`: the network of OpenPose against JSON as OpenPose writes it, both with stand-ins."""

import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from deidpose.errors import UserError
from deidpose.pose.backends.openpose import caffe
from deidpose.pose.backends.openpose.check import agreement, disagreements, read_json
from deidpose.skeleton import INDEX
from deidpose.video.frames import to_bgr
from fixtures import foreign_skeletons
from fixtures.caffe_files import parameters, write_network
from fixtures.openpose_stand_ins import HEIGHT, WIDTH, Drawn, film, put_program, surely, written
from fixtures.video_files import write_video

N_FRAMES = 24
Check = Callable[..., tuple[int, str]]


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a video of two people, whose frames can be told apart after encoding."""
    pictures = [to_bgr(frame)[..., ::-1] for frame in film(N_FRAMES)]
    return write_video(tmp_path_factory.mktemp("walk") / "walk.mp4", pictures, sound=None, options={"crf": "0"})


@pytest.fixture
def tiny(tmp_path: Path) -> tuple[Path, Path]:
    """Return the files of a real network of Caffe that finds nobody."""
    kernel, bias = parameters()
    return write_network(tmp_path, 0 * kernel, 0 * bias)


@pytest.fixture
def script(root: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("check_openpose", root / "tools/check_openpose.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def check(
    script: ModuleType,
    tiny: tuple[Path, Path],
    walk: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Check:
    """Return a function that checks a network whose maps are drawn: (further arguments) -> exit code and output."""
    monkeypatch.setenv("PATH", str(tmp_path / "programs"))
    monkeypatch.setattr(caffe, "load", lambda *given: caffe.Network(Drawn(), HEIGHT, (1.0,)))

    def run(*further: object) -> tuple[int, str]:
        files = ["--weights", tiny[1], "--prototxt", tiny[0], "--video", walk, "--any-weights"]
        code = script.main([str(one) for one in (*files, "--net-height", HEIGHT, *further)])
        captured = capsys.readouterr()
        return code, captured.out + captured.err

    return run


def write_json(folder: Path, people: Callable[[int], NDArray[np.float32]], n_frames: int = N_FRAMES) -> Path:
    folder.mkdir()
    for frame in range(n_frames):
        bodies = [{"pose_keypoints_2d": [float(value) for value in one.ravel()]} for one in people(frame)]
        (folder / f"walk_{frame:012d}_keypoints.json").write_text(json.dumps({"version": 1.3, "people": bodies}))
    return folder


def shifted(x: float, y: float) -> Callable[[int], NDArray[np.float32]]:
    def people(frame: int) -> NDArray[np.float32]:
        bodies = written(frame).copy()
        bodies[bodies[..., 2] > 0, :2] += (x, y)
        return bodies

    return people


def test_the_same_people_at_the_same_places_agree(check: Check, tmp_path: Path) -> None:
    code, said = check("--json", write_json(tmp_path / "json", surely))
    assert "Verdict: agrees." in said
    assert code == 0
    assert "Not compared with OpenPose's program, which is not here." in said
    assert f"network: {N_FRAMES} frames, {2 * N_FRAMES} people" in said


@pytest.mark.parametrize(
    ("people", "sentence"),
    [
        (shifted(4, 0), "Median distances are above 1 pixel"),
        (shifted(40, 0), "Of the keypoints of the network run here, 0.0 %"),
        (lambda frame: surely(frame)[:1], "Of the keypoints of the network run here, "),
        (lambda frame: surely((frame + 3) % N_FRAMES), "Of the keypoints of the"),
        (written, "Confidences differ by 0.0"),
    ],
    ids=["four pixels", "far away", "one missing", "three frames later", "less sure"],
)
def test_what_differs_is_told_and_the_check_fails(
    check: Check, tmp_path: Path, people: Callable[[int], NDArray[np.float32]], sentence: str
) -> None:
    code, said = check("--json", write_json(tmp_path / "json", people))
    assert code == 1
    assert "Verdict: differs." in said
    assert sentence in said


def test_only_as_many_frames_as_are_asked_for_are_run_and_the_json_is_of_all(check: Check, tmp_path: Path) -> None:
    code, said = check("--json", write_json(tmp_path / "json", surely), "--frames", 5)
    assert code == 0
    assert "network: 5 frames, 10 people" in said


def test_openposes_program_is_compared_where_it_is(check: Check, tmp_path: Path) -> None:
    program = put_program(tmp_path, "openpose_stand_ins.written = openpose_stand_ins.surely")
    code, said = check("--binary", program)
    assert code == 0
    assert f"binary: {N_FRAMES} frames, {2 * N_FRAMES} people" in said
    assert "OpenPose's program (second)" in said
    assert "Verdict: agrees." in said


def test_without_anything_to_compare_with_the_verdict_says_so(check: Check) -> None:
    code, said = check()
    assert code == 0
    assert "whether OpenPose finds the same was not compared" in said


# --------------------------------------------------------------------------------------------------------- mistakes


def outside(frame: int) -> NDArray[np.float32]:
    return shifted(WIDTH, 0)(frame)


def normalized(frame: int) -> NDArray[np.float32]:
    return np.asarray(written(frame) / (WIDTH, HEIGHT, 1), np.float32)


@pytest.mark.parametrize(
    ("people", "n_frames", "sentence"),
    [
        (written, N_FRAMES - 2, f"of {N_FRAMES - 2} frames, but the video has {N_FRAMES}"),
        (lambda frame: written(frame)[:, :18], N_FRAMES, "18 points a person"),
        (outside, N_FRAMES, "of another video, or of the same in another size"),
        (normalized, N_FRAMES, "without --keypoint_scale"),
    ],
    ids=["frames", "points", "outside", "scale"],
)
def test_json_that_does_not_fit_is_told_in_a_sentence_before_the_network_runs(
    check: Check, tmp_path: Path, people: Callable[[int], NDArray[np.float32]], n_frames: int, sentence: str
) -> None:
    code, said = check("--json", write_json(tmp_path / "json", people, n_frames))
    assert code == 1
    assert sentence in said
    assert "network:" not in said


@pytest.mark.parametrize(
    ("further", "sentence"),
    [
        (["--video", "none.mp4"], "The video none.mp4 does not exist"),
        (["--json", "none"], "The folder with OpenPose's JSON, none, does not exist"),
        (["--weights", "none"], "The file with the weights, none, does not exist"),
        (["--net-height", "360"], "has to be a multiple of 16"),
        (["--binary", "none"], "it needs OpenPose's program"),
    ],
)
def test_a_mistake_is_told_in_a_sentence(check: Check, further: list[str], sentence: str) -> None:
    code, said = check(*further)
    assert code == 1
    assert sentence in said


def test_a_video_that_is_none_is_told_in_a_sentence(check: Check, tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("This is no video.")
    code, said = check("--video", tmp_path / "text.mp4")
    assert code == 1
    assert len(said.strip().splitlines()) == 1


def run(root: Path, *arguments: object) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(root / "tools/check_openpose.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_weights_of_another_training_are_refused_with_both_digests(
    root: Path, tiny: tuple[Path, Path], walk: Path
) -> None:
    done = run(root, "--weights", tiny[1], "--prototxt", tiny[0], "--video", walk)
    assert done.returncode == 1
    assert caffe.MD5 in done.stderr
    assert caffe.md5(tiny[1]) in done.stderr
    assert "Traceback" not in done.stderr
    assert not done.stdout


def test_a_network_that_runs_and_finds_nobody_fails(root: Path, tiny: tuple[Path, Path], walk: Path) -> None:
    """The Caffe files are real here, and the network is one of a single layer."""
    done = run(root, "--weights", tiny[1], "--prototxt", tiny[0], "--video", walk, "--any-weights", "--frames", 2)
    assert "network: 2 frames, 0 people" in done.stdout
    assert "finds nobody" in done.stdout
    assert done.returncode == 1


def test_without_weights_a_sentence_says_how_to_name_them(root: Path) -> None:
    done = run(root)
    assert done.returncode == 1
    assert "make check-openpose WEIGHTS=" in done.stderr


# ------------------------------------------------------------------------------------------------------- arithmetic


def test_distances_are_pixels_of_the_networks_input_and_people_are_matched_in_any_order() -> None:
    first = [np.asarray(written(0), float), np.asarray(written(1), float)]
    for bodies in first:
        bodies[bodies[..., 2] == 0] = np.nan
    second = [bodies[::-1] + np.array([3.0, 4.0, 0.01]) for bodies in first]
    table = agreement(first, second, 0.2).set_index("keypoint")
    assert table.loc["all", "median_px"] == pytest.approx(5 * 0.2)
    assert table.loc["all", "confidence"] == pytest.approx(0.01)
    assert table.loc["all", "n_both"] == table.loc["all", "n_first"] == table.loc["all", "n_same"] == 2 * 2 * 19
    assert table.loc["LBigToe", "n_first"] == 0
    assert np.isnan(table.loc["LBigToe", "median_px"])


def test_two_results_without_people_do_not_agree() -> None:
    nobody: list[Any] = [np.empty((0, 25, 3))] * 3
    (sentence,) = disagreements(agreement(nobody, nobody, 1.0))
    assert "Neither finds anybody" in sentence


def test_body_25b_is_refused(tmp_path: Path) -> None:
    bodies = foreign_skeletons.people("BODY_25B", 8)

    def of_frame(frame: int) -> NDArray[np.float32]:
        return np.asarray(bodies, np.float32)

    with pytest.raises(UserError, match="BODY_25B"):
        read_json(write_json(tmp_path / "json", of_frame, 2), 2, (2000, 2000))


def test_one_keypoint_that_lies_elsewhere_is_named() -> None:
    first = [np.asarray(written(frame), float) for frame in range(15)]
    for bodies in first:
        bodies[bodies[..., 2] == 0] = np.nan
    second = [bodies.copy() for bodies in first]
    for bodies in second:
        bodies[:, INDEX["RKnee"], 0] += 3
    (sentence,) = disagreements(agreement(first, second, 1.0))
    assert "RKnee 3.00" in sentence
    assert "LKnee" not in sentence
