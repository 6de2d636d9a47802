"""OpenPose in its three ways, each with a stand-in: a network whose maps are drawn, a program, a module for Python."""

import json
import os
import sys
import time
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deidpose import tables
from deidpose.errors import UserError
from deidpose.ingest import examine
from deidpose.pose import estimate, origins, registry
from deidpose.pose.backends.openpose import caffe, entry, runners
from deidpose.pose.backends.protocol import Backend
from fixtures.bodies import estimated
from fixtures.caffe_files import parameters, write_network
from fixtures.openpose_stand_ins import (
    HEIGHT,
    RATE,
    Datum,
    Drawn,
    Settings,
    VectorDatum,
    WrapperPython,
    film,
    numbers,
    put_program,
    skeleton,
)


@pytest.fixture
def settings(config: Settings) -> Settings:
    return {**config["pose"], "backend": "openpose", "openpose": {**config["pose"]["openpose"], "net_height": HEIGHT}}


@pytest.fixture(autouse=True)
def nothing_of_openpose_is_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whatever this machine has, a test sees only what it puts there."""
    monkeypatch.setenv("PATH", str(tmp_path / "programs"))
    for name in ("pyopenpose", "openpose", "openpose.pyopenpose"):
        monkeypatch.delitem(sys.modules, name, raising=False)


def test_every_backend_has_what_the_interface_asks_for() -> None:
    for name in registry.BACKENDS:
        assert isinstance(registry.load_backend(name), Backend), name


# ------------------------------------------------------------------------------------------------- by OpenCV's network


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Path]:
    """Return the files of a network that draws its maps."""

    def load(prototxt: Path, weights: Path, height: int, scales: list[float]) -> caffe.Network:
        return caffe.Network(Drawn(), height, tuple(scales))

    monkeypatch.setattr(caffe, "load", load)
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(b"")
    return {"openpose_prototxt": tmp_path / "a", "openpose_weights": tmp_path / "b"}


def test_two_people_who_cross_keep_their_numbers(settings: Settings, network: dict[str, Path]) -> None:
    found = estimated(film(41), RATE, network, settings)
    tables.check(found, "keypoints")
    who = numbers(found[found["frame"] != 20])  # there one body hides the other, and joints may go to either
    assert [len(one) for one in who.values()] == [1, 1]
    assert who[0] != who[1]
    for one in who.values():
        seen = found[found["person"] == min(one)]["frame"].unique()
        assert {*range(15), *range(26, 41)} <= set(seen)


def test_every_joint_is_where_it_is_and_what_was_not_found_is_not(settings: Settings, network: dict[str, Path]) -> None:
    found = estimated(film(4), RATE, network, settings)
    assert found["person"].nunique() == 2
    for row in found.itertuples():
        places = [skeleton(person, int(row.frame)).get(str(row.keypoint)) for person in (0, 1)]
        if places[0] is None:
            assert np.isnan(row.x_px)
        else:
            assert min(np.hypot(row.x_px - x, row.y_px - y) for x, y in filter(None, places)) < 1.5


def test_nobody_is_followed_over_a_cut(settings: Settings, network: dict[str, Path]) -> None:
    found = estimated(film(10), RATE, network, settings, 1, {5})
    first, second = (set(found.loc[found["frame"] // 5 == half, "person"]) for half in (0, 1))
    assert len(first) == len(second) == 2
    assert not first & second


def test_no_more_people_than_allowed_are_taken(settings: Settings, network: dict[str, Path]) -> None:
    found = estimated(film(3), RATE, network, {**settings, "max_people": 1})
    assert found.groupby("frame")["person"].nunique().max() == 1


def test_a_real_network_of_caffe_runs_to_the_end_and_finds_nobody(settings: Settings, tmp_path: Path) -> None:
    kernel, bias = parameters()
    prototxt, weights = write_network(tmp_path, 0 * kernel, 0 * bias)
    files = {"openpose_prototxt": prototxt, "openpose_weights": weights}
    found = estimated(film(2), RATE, files, settings)
    tables.check(found, "keypoints")
    assert found.empty
    origin = origins.origin(files, settings)
    assert origin["way"] == "network"
    assert origin["tracks"] is False
    assert "non-commercial" in origin["licence"]
    told = origins.own_networks([origin], {"yunet"})
    assert set(told) == set(origin["models"])
    assert all("non-commercial" in one["licence"] and "Cao" in one["citation"] for one in told.values())
    assert set(origin["models"]) == {"pose_deploy.prototxt", "pose_iter_584000.caffemodel"}
    assert str(tmp_path) not in str(origin)


# ---------------------------------------------------------------------------------------------- by OpenPose's program


def test_openposes_program_is_run_on_all_frames_in_order(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_program(tmp_path)
    monkeypatch.setattr("deidpose.pose.backends.openpose.entry._FRAMES_AT_ONCE", 25)  # the last run has fewer
    found = estimated(film(41), RATE, {}, settings)
    tables.check(found, "keypoints")
    who = numbers(found, 0.01)
    assert [len(one) for one in who.values()] == [1, 1]
    assert who[0] != who[1]
    assert len(found) == 41 * 2 * 27
    flags = json.loads((tmp_path / "flags.json").read_text(encoding="utf-8"))
    given = {name: flags[f"--{name}"] for name in ("display", "render_pose", "net_resolution", "number_people_max")}
    assert given == {"display": "0", "render_pose": "0", "net_resolution": "-1x352", "number_people_max": "20"}
    assert not Path(flags["--image_dir"]).exists()


def test_where_openposes_models_are_is_said_to_its_program(settings: Settings, tmp_path: Path) -> None:
    program = put_program(tmp_path)
    weights = tmp_path / "models/pose/body_25/pose_iter_584000.caffemodel"
    weights.parent.mkdir(parents=True)
    weights.write_bytes(b"weights")
    files = {"openpose_binary": program, "openpose_model_folder": tmp_path / "models"}
    estimate.estimate_frames(film(1), RATE, files, settings)
    assert f'"--model_folder": "{tmp_path}/models/"' in (tmp_path / "flags.json").read_text()
    origin = origins.origin(files, settings)
    assert origin["way"] == "binary"
    assert set(origin["models"]) == {"openpose", "pose_iter_584000.caffemodel"}
    assert str(tmp_path) not in str(origin)


@pytest.mark.parametrize(
    ("before", "sentence"),
    [
        ("pictures = pictures[:-1]", "of 5 frames, but the video has 6"),
        ("pictures = pictures[:2] + pictures[3:]", "no file for frame 2,"),
        ("pictures = []", "write_json"),
        ("sys.exit('Prototxt file not found: models/pose')", "ended with the code 1"),
    ],
)
def test_a_program_that_does_something_else_is_an_error_and_no_shift(
    settings: Settings, tmp_path: Path, before: str, sentence: str, caplog: pytest.LogCaptureFixture
) -> None:
    put_program(tmp_path, before)
    with pytest.raises(UserError, match=sentence) as refused:
        estimate.estimate_frames(film(6), RATE, {}, settings)
    assert str(tmp_path) not in str(refused.value)
    assert ("not found" in caplog.text) == ("sys.exit" in before)


def test_frames_lie_in_the_place_that_is_given_and_nowhere_else(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a job that was killed has left there goes first; nothing is left at the end, whether it works or not."""
    put_program(tmp_path, "assert not (pictures[0].parent.parent / 'left.png').exists()")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    place = tmp_path / "restricted.frames"
    place.mkdir()
    (place / "left.png").write_bytes(b"a face")
    found = estimated(film(3), RATE, {}, {**settings, "scratch": str(place)})
    assert found["frame"].nunique() == 3
    flags = json.loads((tmp_path / "flags.json").read_text(encoding="utf-8"))
    assert flags["--image_dir"] == str(place / "pictures")
    assert not place.exists()
    put_program(tmp_path, "sys.exit(1)")
    with pytest.raises(UserError, match="ended with the code 1"):
        estimate.estimate_frames(film(3), RATE, {}, {**settings, "scratch": str(place)})
    assert not place.exists()


def test_what_a_killed_job_has_left_goes_with_any_backend(
    config: Settings, models: dict[str, Path], clip: Path, tmp_path: Path
) -> None:
    _, timestamps = examine.decode_source(clip, examine.Limits(10**9, 10**7, 60, 1000))
    (tmp_path / "frames").mkdir()
    (tmp_path / "frames/left.png").write_bytes(b"a face")
    estimate.estimate_file(
        clip, timestamps, False, tables.empty("cuts"), models, config["pose"], scratch=tmp_path / "frames"
    )
    assert not (tmp_path / "frames").exists()


def test_a_program_that_hangs_is_stopped_with_all_that_it_has_started(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = tmp_path / "started"
    put_program(tmp_path).write_text(f"#!/bin/sh\n/bin/sleep 600 &\necho $! > '{started}'\nwait\n", encoding="utf-8")
    monkeypatch.setattr("deidpose.pose.backends.openpose.entry._START_S", 4.0)
    monkeypatch.setattr("deidpose.pose.backends.openpose.entry._PATIENCE", 0.0)
    with pytest.raises(UserError, match=r"not ended after 4 seconds, for 2 frames: it hangs"):
        estimate.estimate_frames(film(2), RATE, {}, {**settings, "scratch": str(tmp_path / "frames")})
    assert not (tmp_path / "frames").exists()
    deadline = time.monotonic() + 10
    while alive(int(started.read_text())) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not alive(int(started.read_text()))


def alive(process: int) -> bool:
    """Say whether a process runs; one that has ended and is only waited for does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_openposes_program_gets_time_in_proportion_to_its_work(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_program(tmp_path)
    limits = []
    real = entry._run
    monkeypatch.setattr(entry, "_run", lambda *given: limits.append(given[-1]) or real(*given))
    for height, n_frames in ((176, 2), (352, 2), (352, 4)):
        settings["openpose"]["net_height"] = height
        estimate.estimate_frames(film(n_frames), RATE, {}, settings)
    minutes = [limit / 60 for limit in limits]
    assert minutes[0] > 10
    assert 1.9 < minutes[1] - 10 == pytest.approx(4 * (minutes[0] - 10))
    assert minutes[2] - 10 == pytest.approx(2 * (minutes[1] - 10))


def test_a_program_that_gives_another_skeleton_is_an_error(settings: Settings, tmp_path: Path) -> None:
    put_program(
        tmp_path,
        "written = openpose_stand_ins.written\nopenpose_stand_ins.written = lambda frame: written(frame)[:, :18]",
    )
    with pytest.raises(UserError, match="18 points"):
        estimate.estimate_frames(film(1), RATE, {}, settings)


# ---------------------------------------------------------------------------------------------- by OpenPose's module


@pytest.fixture
def pyopenpose(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("pyopenpose")
    module.__spec__ = __spec__
    module.__dict__.update(Datum=Datum, WrapperPython=WrapperPython, VectorDatum=VectorDatum, __version__="dev")
    monkeypatch.setitem(sys.modules, "pyopenpose", module)
    monkeypatch.setattr(WrapperPython, "state", "new")


@pytest.mark.usefixtures("pyopenpose")
@pytest.mark.parametrize("nobody", [None, np.zeros(0, np.float32)], ids=["none", "of no size"])
def test_openposes_module_is_asked_for_every_frame(
    settings: Settings, tmp_path: Path, nobody: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(WrapperPython, "nobody", nobody)
    (tmp_path / "models").mkdir()
    found = estimated(film(41), RATE, {"openpose_model_folder": tmp_path / "models"}, settings)
    tables.check(found, "keypoints")
    assert set(found["frame"]) == {frame for frame in range(41) if frame % 10 != 9}
    who = numbers(found, 0.01)
    assert [len(one) for one in who.values()] == [1, 1]
    assert who[0] != who[1]
    assert WrapperPython.given["net_resolution"] == "-1x352"
    assert WrapperPython.given["render_pose"] == "0"
    assert WrapperPython.given["model_folder"] == f"{tmp_path}/models/"
    assert WrapperPython.state == "stopped"
    origin = origins.origin({}, settings)
    assert origin["version"] == "pyopenpose dev"
    assert origins.own_networks([origin], {})["openpose"]["sha256"] == ""


# ------------------------------------------------------------------------------------------------------ which way to go


def test_nothing_to_run_openpose_with_is_told_in_a_sentence(settings: Settings) -> None:
    with pytest.raises(
        UserError, match=r"nothing is here to run it: it needs the Python module pyopenpose, or"
    ) as told:
        registry.files(settings)
    assert str(told.value).count(". ") == 0
    settings["openpose"]["way"] = "network"
    with pytest.raises(UserError, match=r"it needs the files pose_deploy\.prototxt and"):
        registry.files(settings)


def test_a_file_that_is_not_there_is_named(settings: Settings, tmp_path: Path) -> None:
    settings["openpose"]["weights"] = str(tmp_path / "none.caffemodel")
    with pytest.raises(UserError, match=r"pose\.openpose\.weights names .*none\.caffemodel, which does not exist"):
        registry.files(settings)


def test_scales_that_come_down_to_nothing_are_an_error(settings: Settings, tmp_path: Path) -> None:
    put_program(tmp_path)
    settings["openpose"] |= {"scale_number": 5, "scale_gap": 0.25}
    with pytest.raises(UserError, match="scale_gap"):
        registry.files(settings)


def test_the_first_way_for_which_everything_is_here_is_gone(
    settings: Settings, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(b"")
    own = settings["openpose"] | {"prototxt": str(tmp_path / "a"), "weights": str(tmp_path / "b")}
    assert runners.choose(own) == "network"
    put_program(tmp_path)
    assert runners.choose(own) == "binary"
    request.getfixturevalue("pyopenpose")
    assert runners.choose(own) == "pyopenpose"
    assert runners.choose({**own, "way": "network"}) == "network"


def test_the_module_is_also_found_where_openpose_installs_it(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "openpose").mkdir()
    (tmp_path / "openpose/__init__.py").write_text("from . import pyopenpose as pyopenpose\n", encoding="utf-8")
    (tmp_path / "openpose/pyopenpose.py").write_text(
        "from fixtures.openpose_stand_ins import Datum, VectorDatum, WrapperPython\n", encoding="utf-8"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(WrapperPython, "state", "new")
    assert registry.files(settings) == {}
    try:
        assert estimated(film(4), RATE, {}, settings)["person"].nunique() == 2
        assert origins.origin({}, settings)["way"] == "pyopenpose"
    finally:
        for name in ("openpose", "openpose.pyopenpose"):
            sys.modules.pop(name, None)


def test_a_module_that_does_not_import_is_none(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pyopenpose.py").write_text("raise ImportError('libcudart.so: no such file')", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert registry.files(settings) == {}  # another machine may import it
    with pytest.raises(UserError, match="nothing is here"):
        runners.choose(settings["openpose"])
    put_program(tmp_path)
    assert runners.choose(settings["openpose"]) == "binary"


@pytest.mark.parametrize(
    "image", ["docker://ghcr.io/lab/openpose:1.7.0", "library://lab/tools/openpose:sha256.0a1b", "oras://lab/openpose"]
)
def test_what_is_in_a_container_is_not_asked_for_here(settings: Settings, image: str) -> None:
    settings["openpose"]["container"] = image
    assert registry.files(settings) == {}
    assert registry.container(settings) == image
    assert "container" not in registry.public_settings(settings)["openpose"]
    assert registry.container({**settings, "backend": "blazepose"}) is None


def test_an_image_on_the_disk_is_a_file_or_a_folder(settings: Settings, tmp_path: Path) -> None:
    for name in ("image.sif", "folder/image"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"")
        settings["openpose"]["container"] = os.path.relpath(path)
        assert registry.container(settings) == str(path)


@pytest.mark.parametrize(
    ("image", "sentence"),
    [
        ("none.sif", "none.sif, which does not exist"),
        ("ftp://lab/image", "begins with docker://"),
        ("docker://lab/image; rm -rf x", "begins with docker://"),
        ("docker://", "begins with docker://"),
        ("two words.sif", "no path with other signs"),
        ("{video}.sif", "no path with other signs"),
    ],
)
def test_an_image_that_cannot_be_one_is_told_in_a_sentence(
    settings: Settings, tmp_path: Path, image: str, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("two words.sif", "{video}.sif"):
        (tmp_path / name).write_bytes(b"")
    settings["openpose"]["container"] = image
    with pytest.raises(UserError, match=sentence):
        registry.files(settings)


@pytest.mark.usefixtures("pyopenpose")
def test_an_image_says_where_its_models_are(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENPOSE_MODEL_FOLDER", "/opt/openpose/models")
    estimate.estimate_frames(film(2), RATE, {}, settings)
    assert WrapperPython.given["model_folder"] == "/opt/openpose/models/"
    monkeypatch.setattr(WrapperPython, "state", "new")
    estimate.estimate_frames(
        film(2), RATE, {"openpose_model_folder": tmp_path}, settings
    )  # what is asked for comes first
    assert WrapperPython.given["model_folder"] == f"{tmp_path}/"


def test_the_users_files_are_inputs_of_jobs_and_no_part_of_what_is_told(settings: Settings, tmp_path: Path) -> None:
    program = put_program(tmp_path)
    settings["openpose"]["binary"] = os.path.relpath(program)
    assert registry.files(settings) == {"openpose_binary": str(program)}
    told = registry.public_settings(settings)
    assert "binary" not in told["openpose"]
    assert told["openpose"]["net_height"] == HEIGHT
    assert registry.files({**settings, "backend": "blazepose"}) == {}


def test_a_study_of_several_networks_or_ways_is_an_error_and_one_of_several_versions_is_not() -> None:
    one = {"backend": "openpose", "way": "network", "version": "OpenCV 4.13", "models": {"a": "1"}}
    assert origins.one_origin([one, {**one, "version": "OpenCV 4.14"}, one]) == [one, {**one, "version": "OpenCV 4.14"}]
    for other in ({"way": "binary"}, {"models": {"a": "2"}}, {"backend": "blazepose"}):
        with pytest.raises(UserError, match=r"pose\.backend"):
            origins.one_origin([one, {**one, **other}])


def test_of_the_networks_of_blazepose_nothing_is_told_twice(config: Settings, models: dict[str, Path]) -> None:
    origin = origins.origin(models, config["pose"])
    assert origin["tracks"] is True
    assert set(origin["models"]) == set(registry.BACKENDS["blazepose"].models)
    assert origins.own_networks([origin], models) == {}


def test_weights_of_another_network_are_refused_before_a_frame_is_read(settings: Settings, tmp_path: Path) -> None:
    kernel, bias = parameters(57)
    prototxt, weights = write_network(tmp_path, kernel, bias)
    with pytest.raises(UserError, match="body_25"):
        estimate.estimate_frames(film(1), RATE, {"openpose_prototxt": prototxt, "openpose_weights": weights}, settings)


def test_a_larger_input_and_more_scales_cost_more(settings: Settings) -> None:
    settings["openpose"]["net_height"] = 368
    usual = registry.cost(settings)
    assert usual == (1000, pytest.approx(1.3))
    settings["openpose"] |= {"net_height": 736, "scale_number": 2}
    assert registry.cost(settings)[1] == pytest.approx(1.3 * 4 * (1 + 0.75**2))
    assert registry.cost({**settings, "backend": "blazepose"}) == (0, 0)
