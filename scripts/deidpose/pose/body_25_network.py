"""OpenPose's own BODY_25 network without an OpenPose build: its Caffe files run by OpenCV.

The files are the user's: ``pose_deploy.prototxt`` and ``pose_iter_584000.caffemodel`` of the OpenPose project, whose
licence allows non-commercial research only. Pictures are brought into the network as OpenPose does it (``cvMatToOp
Input.cpp``, ``poseExtractorCaffe.cpp``): blue-green-red, value / 256 - 0.5, the height that is asked for, the width
in proportion and a multiple of 16, the rest padded at the right and below.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from deidpose.errors import UserError
from deidpose.pose import part_fields

#: Cells of the network's output are this many pixels of its input.
_STRIDE = 8
_MULTIPLE = 16


class Network(NamedTuple):
    """A network that is ready to run, and how pictures come into it."""

    net: cv2.dnn.Net
    height: int
    scales: tuple[float, ...]


def load(prototxt: str | Path, weights: str | Path, height: int, scales: tuple[float, ...] = (1.0,)) -> Network:
    """Read the network.

    Parameters
    ----------
    prototxt, weights : path
        OpenPose's files.
    height : int
        Height of the network's input in pixels, a multiple of 16; OpenPose's default is 368.
    scales : tuple of float
        Sizes at which every picture is looked at, 1 being ``height``; their maps are averaged.

    Raises
    ------
    UserError
        OpenCV cannot read the files, or they are of another network.
    """
    try:
        net = cv2.dnn.readNetFromCaffe(str(prototxt), str(weights))
    except cv2.error:
        raise UserError(
            "OpenCV cannot read the files of the OpenPose network: pose.openpose.prototxt and pose.openpose.weights have "
            "to name pose_deploy.prototxt and pose_iter_584000.caffemodel of OpenPose's models/pose/body_25."
        ) from None
    net.setPreferableBackend(cv2.dnn.DNN_BACKEND_OPENCV)
    network = Network(net, height, scales)
    maps = _run(network, np.zeros((height, height, 3), np.uint8))
    if maps.shape[0] != part_fields.N_CHANNELS:
        raise UserError(
            f"The network of pose.openpose.weights gives {maps.shape[0]} maps, and BODY_25 has {part_fields.N_CHANNELS}: "
            "name the files of OpenPose's models/pose/body_25."
        )
    return network


def people(network: Network, picture: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Find everybody in a picture.

    Parameters
    ----------
    network : Network
    picture : array, shape (height, width, 3)
        Blue, green, red.

    Returns
    -------
    array, shape (people, 25, 3)
        x and y in pixels of the picture and confidence, in the order of BODY_25; NaN, NaN, 0 where nothing was found.
    """
    base = _input_size(picture, network.height)
    maps = np.zeros((part_fields.N_CHANNELS, base[1] // _STRIDE, base[0] // _STRIDE), np.float32)
    for scale in network.scales:
        height = max(_MULTIPLE, round(network.height * scale / _MULTIPLE) * _MULTIPLE)
        maps += _resized(_run(network._replace(height=height), picture), maps.shape[2], maps.shape[1])
    found = part_fields.people(maps / len(network.scales), _STRIDE)
    # Centres of pixels: the first has its centre at 0 in the picture and in the input of the network.
    found[..., :2] = (found[..., :2] + 0.5) / _factor(picture, base) - 0.5
    return found


def _run(network: Network, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the maps of one picture at one size, shape (78, height, width)."""
    width, height = _input_size(picture, network.height)
    factor = _factor(picture, (width, height))
    size = tuple(
        max(1, min(limit, round(side * factor)))
        for side, limit in zip(picture.shape[1::-1], (width, height), strict=True)
    )
    shrunk = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC)
    padded = np.zeros((height, width, 3), np.float32)
    padded[: size[1], : size[0]] = shrunk / np.float32(256) - np.float32(0.5)
    network.net.setInput(padded.transpose(2, 0, 1)[None])
    return np.asarray(network.net.forward()[0])


def _input_size(picture: NDArray[np.uint8], height: int) -> tuple[int, int]:
    """Return width and height of the network's input for a picture."""
    width = picture.shape[1] * height / picture.shape[0]
    return max(_MULTIPLE, round(width / _MULTIPLE) * _MULTIPLE), height


def _factor(picture: NDArray[np.uint8], size: tuple[int, int]) -> float:
    return min(size[0] / picture.shape[1], size[1] / picture.shape[0])


def _resized(maps: NDArray[np.float32], width: int, height: int) -> NDArray[np.float32]:
    if maps.shape[1:] == (height, width):
        return maps
    planes = [cv2.resize(plane, (width, height), interpolation=cv2.INTER_CUBIC) for plane in maps]
    return np.stack(planes)
