import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import openvino
import openvino.opset13
import pytest

from deidpose.runtime import inference


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    return np.random.default_rng(3).random((1, 256, 256, 3), np.float32)


def test_a_network_gives_the_same_numbers_every_time(models: dict[str, Path], picture: np.ndarray) -> None:
    network = inference.compile_network(models["blazepose_landmarks"])
    first = [output.copy() for output in network(picture)]
    again = network(picture)
    for one, two in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, two)


def test_only_the_outputs_that_are_asked_for_are_given(models: dict[str, Path], picture: np.ndarray) -> None:
    every = [output.copy() for output in inference.compile_network(models["blazepose_landmarks"])(picture)]
    some = inference.compile_network(models["blazepose_landmarks"], outputs=(1, 0))(picture)
    assert [output.shape for output in some] == [every[1].shape, every[0].shape]
    np.testing.assert_allclose(some[1], every[0], rtol=1e-3, atol=1e-2)


def test_the_input_takes_the_shape_that_is_asked_for(models: dict[str, Path]) -> None:
    network = inference.compile_network(models["yunet"], (1, 3, 96, 160))
    outputs = network(np.zeros((1, 3, 96, 160), np.float32))
    assert outputs[0].shape[1] == (96 // 8) * (160 // 8)


@pytest.mark.parametrize("threads", [1, 3])  # with one, they wait for each other
def test_several_threads_at_once_get_the_numbers_of_one(
    models: dict[str, Path], picture: np.ndarray, threads: int
) -> None:
    one = inference.compile_network(models["blazepose_landmarks"])
    shared = inference.compile_network(models["blazepose_landmarks"], threads=threads)
    given = [picture * share for share in np.linspace(0.1, 1, 12, dtype=np.float32)]
    expected = [[output.copy() for output in one(each)] for each in given]
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda each: [output.copy() for output in shared(each)], given))
    for first, second in zip(expected, found, strict=True):
        for left, right in zip(first, second, strict=True):
            np.testing.assert_array_equal(left, right)


def test_a_picture_gives_the_numbers_of_its_channels_one_by_one(models: dict[str, Path]) -> None:
    picture = np.random.default_rng(3).integers(0, 256, (1, 96, 160, 3), np.uint8)
    by_channels = inference.compile_network(models["yunet"], (1, 3, 96, 160))
    by_pixels = inference.compile_network(models["yunet"], (1, 3, 96, 160), pictures=True)
    expected = by_channels(np.ascontiguousarray(picture.transpose(0, 3, 1, 2), np.float32))
    for one, two in zip(expected, by_pixels(picture), strict=True):
        np.testing.assert_array_equal(one, two)


def test_two_threads_may_be_the_first_to_run_a_network(models: dict[str, Path], root: Path) -> None:
    """In a process of its own: what only the first inference does was once a trap for the second."""
    words = f"""
import sys, threading
sys.path.insert(0, {str(root / "scripts")!r})
import numpy as np
from deidpose.runtime import inference
network = inference.compile_network({str(models["yunet"])!r}, (1, 3, 64, 64), 2, pictures=True)
start = threading.Barrier(2)
def run():
    start.wait()
    network(np.zeros((1, 64, 64, 3), np.uint8))
threads = [threading.Thread(target=run) for _ in range(2)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
"""
    for _ in range(3):
        subprocess.run([sys.executable, "-c", words], timeout=60, check=True)


def test_the_shape_of_the_input_is_that_of_the_file_with_minus_one_for_what_is_open(
    models: dict[str, Path], tmp_path: Path
) -> None:
    assert inference.input_shape(models["blazepose_landmarks"]) == (1, 256, 256, 3)
    given = openvino.opset13.parameter([-1, 3, 640, -1], np.float32)
    openvino.save_model(openvino.Model([openvino.opset13.relu(given)], [given]), tmp_path / "open.xml")
    assert inference.input_shape(tmp_path / "open.xml") == (-1, 3, 640, -1)
