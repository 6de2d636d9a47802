from pathlib import Path

import numpy as np
import openvino
import openvino.opset13
import pytest

from deidpose import runtime


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    return np.random.default_rng(3).random((1, 256, 256, 3), np.float32)


def test_a_network_gives_the_same_numbers_every_time(models: dict[str, Path], picture: np.ndarray) -> None:
    network = runtime.compile_network(models["blazepose_landmarks"])
    first = [output.copy() for output in network(picture)]
    again = network(picture)
    for one, two in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, two)


def test_only_the_outputs_that_are_asked_for_are_given(models: dict[str, Path], picture: np.ndarray) -> None:
    every = [output.copy() for output in runtime.compile_network(models["blazepose_landmarks"])(picture)]
    some = runtime.compile_network(models["blazepose_landmarks"], outputs=(1, 0))(picture)
    assert [output.shape for output in some] == [every[1].shape, every[0].shape]
    np.testing.assert_allclose(some[1], every[0], rtol=1e-3, atol=1e-2)


def test_the_input_takes_the_shape_that_is_asked_for(models: dict[str, Path]) -> None:
    network = runtime.compile_network(models["yunet"], (1, 3, 96, 160))
    outputs = network(np.zeros((1, 3, 96, 160), np.float32))
    assert outputs[0].shape[1] == (96 // 8) * (160 // 8)


def test_the_number_of_threads_does_not_change_the_numbers(models: dict[str, Path], picture: np.ndarray) -> None:
    one, two = (
        [o.copy() for o in runtime.compile_network(models["blazepose_landmarks"], threads=threads)(picture)]
        for threads in (1, 2)
    )
    for first, second in zip(one, two, strict=True):
        np.testing.assert_allclose(first, second, rtol=1e-4, atol=1e-3)


def test_the_shape_of_the_input_is_that_of_the_file_with_minus_one_for_what_is_open(
    models: dict[str, Path], tmp_path: Path
) -> None:
    assert runtime.input_shape(models["blazepose_landmarks"]) == (1, 256, 256, 3)
    given = openvino.opset13.parameter([-1, 3, 640, -1], np.float32)
    openvino.save_model(openvino.Model([openvino.opset13.relu(given)], [given]), tmp_path / "open.xml")
    assert runtime.input_shape(tmp_path / "open.xml") == (-1, 3, 640, -1)
