"""OpenPose's network in OpenCV: a network of one layer, written here, against the same arithmetic in NumPy."""

import logging
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from deidpose.errors import UserError
from deidpose.pose.backends.openpose import caffe, part_affinity_fields
from deidpose.skeleton import INDEX
from fixtures.bodies import STANDING
from fixtures.caffe_files import Array, parameters, write_network
from fixtures.openpose_maps import drawn


def convolved(image: Array, kernel: Array, bias: Array) -> Array:
    """Return the convolution of an image, shape (3, height, width), by sums over its squares of 8 x 8 pixels."""
    _, height, width = image.shape
    squares = image.reshape(3, height // 8, 8, width // 8, 8)
    return np.asarray(np.einsum("cyixj,ocij->oyx", squares, kernel) + bias[:, None, None], np.float32)


def seen_maps(monkeypatch: pytest.MonkeyPatch) -> list[Array]:
    """Return a list that gets the maps from which people are told."""
    seen: list[Array] = []

    def note(maps: Array, scale: int) -> NDArray[np.float64]:
        seen.append(maps)
        return np.empty((0, 25, 3))

    monkeypatch.setattr(part_affinity_fields, "people", note)
    return seen


@pytest.mark.parametrize(
    ("height", "width", "net_height", "net_width"), [(60, 100, 48, 80), (61, 100, 48, 80), (30, 41, 64, 80)]
)
def test_pictures_come_into_the_network_as_in_openpose(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, height: int, width: int, net_height: int, net_width: int
) -> None:
    """Every pixel of the input is computed here from its definition: bilinear where it shrinks, black outside."""
    kernel, bias = parameters()
    network = caffe.load(*write_network(tmp_path, kernel, bias), net_height)
    y, x = np.mgrid[0:height, 0:width]
    picture = np.stack([x * 2, y * 3, 40 + x + y], axis=2).astype(np.uint8)
    seen = seen_maps(monkeypatch)
    caffe.people(network, picture)
    factor = min((net_width - 1) / (width - 1), (net_height - 1) / (height - 1))
    # The picture is linear in x and y, so that any interpolation between pixels gives the same.
    y, x = np.mgrid[0:net_height, 0:net_width] / factor
    inside = (x <= width - 1 + 1e-6) & (y <= height - 1 + 1e-6)
    linear = np.stack([x * 2, y * 3, 40 + x + y]) * inside
    expected = convolved((linear / 256 - 0.5).astype(np.float32), kernel, bias)
    (maps,) = seen
    assert maps.shape == (78, net_height // 8, net_width // 8)
    # Pixels are rounded to whole values on the way, and the cell at the edge may mix the picture and the black.
    whole = maps.shape[1] - 1, maps.shape[2] - 1
    assert np.abs(maps - expected)[:, : whole[0], : whole[1]].max() < 0.03
    assert np.abs(expected).max() > 1


def test_what_the_picture_does_not_fill_is_black(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel, bias = parameters()
    network = caffe.load(*write_network(tmp_path, kernel, bias), 64)
    seen = seen_maps(monkeypatch)
    caffe.people(network, np.full((64, 75, 3), 255, np.uint8))  # the input is 80 pixels wide
    mixed = np.full((3, 8, 8), -0.5, np.float32)
    mixed[:, :, :3] = 255 / 256 - 0.5  # columns 72, 73 and 74 are of the picture
    np.testing.assert_allclose(seen[0][:, 3, -1], convolved(mixed, kernel, bias)[:, 0, 0], atol=1e-4)


class _Maps:
    """A network whose output is drawn: people of known skeletons, in the picture of a given size."""

    def __init__(self, places: list[dict[str, tuple[float, float]]], size: tuple[int, int]) -> None:
        self.places, self.size = places, size

    def setInput(self, blob: Array) -> None:  # noqa: N802
        self.shape = blob.shape

    def forward(self) -> Array:
        height, width = self.shape[2:]
        factor = min((width - 1) / (self.size[0] - 1), (height - 1) / (self.size[1] - 1))
        bodies = [
            {name: ((x - 0.5) * factor, (y - 0.5) * factor) for name, (x, y) in person.items()}
            for person in self.places
        ]
        return drawn(*bodies, height=height // 8, width=width // 8)[None]


@pytest.mark.parametrize("scales", [(1.0,), (1.0, 0.75)])
def test_keypoints_come_back_into_the_picture(scales: tuple[float, ...]) -> None:
    size = (1000, 562)
    person = {name: (400 + 1.9 * x, 230 + 1.9 * y) for name, (x, y) in STANDING.items()}
    network = caffe.Network(_Maps([person], size), 368, scales)
    (found,) = caffe.people(network, np.zeros((size[1], size[0], 3), np.uint8))
    away = [np.hypot(*(found[INDEX[name], :2] - place)) for name, place in person.items()]
    assert np.mean(away) < 1.0
    assert max(away) < 2.0


def test_files_that_are_no_caffe_network_are_told_in_a_sentence(tmp_path: Path) -> None:
    prototxt, weights = write_network(tmp_path, *parameters())
    weights.write_bytes(b"nothing")
    with pytest.raises(UserError, match=r"pose\.openpose\.weights"):
        caffe.load(prototxt, weights, 64)
    with pytest.raises(UserError, match=r"pose\.openpose\.prototxt"):
        caffe.load(tmp_path / "none", weights, 64)


@pytest.mark.parametrize(("outputs", "side"), [(57, 8), (78, 4)])
def test_another_network_is_refused(tmp_path: Path, outputs: int, side: int) -> None:
    files = write_network(tmp_path, *parameters(outputs, side), stride=side)
    with pytest.raises(UserError, match="body_25"):
        caffe.load(*files, 64)


def test_weights_that_are_not_openposes_own_are_said_to_be_others(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        caffe.load(*write_network(tmp_path, *parameters()), 64)
    assert "78287b57cf85fa89c03f1393d368e5b7" in caplog.text
    assert str(tmp_path) not in caplog.text
