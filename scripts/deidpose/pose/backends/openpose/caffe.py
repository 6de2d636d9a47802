"""Run OpenPose's own BODY_25 network without an OpenPose build: OpenCV reads its Caffe files.

The files are the user's: ``pose_deploy.prototxt`` and ``pose_iter_584000.caffemodel`` of the OpenPose project, whose
licence allows non-commercial research only. Pictures come into the network, and keypoints back into the picture, as in
OpenPose (``scaleAndSizeExtractor.cpp``, ``cvMatToOpInput.cpp``, ``openCv.cpp``, ``poseExtractorCaffe.cpp``):
blue-green-red, value / 256 - 0.5, the height that is asked for, the width in proportion and a multiple of 16, black
where the picture does not fill it.
"""

import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from deidpose.errors import UserError
from deidpose.pose.backends.openpose import part_affinity_fields

#: Cells of the network's output are this many pixels of its input.
_STRIDE = 8
_MULTIPLE = 16
#: MD5 of pose_iter_584000.caffemodel (OpenPose's ``CMakeLists.txt``, where it is downloaded).
MD5 = "78287b57cf85fa89c03f1393d368e5b7"


class Network(NamedTuple):
    """A network that is ready to run, and how pictures come into it."""

    net: cv2.dnn.Net
    height: int
    scales: tuple[float, ...]


class _Entry(NamedTuple):
    """How one picture comes into the network at one scale."""

    width: int
    height: int
    factor: float  # pixels of the input for one of the picture; the centres of both first pixels coincide


def load(prototxt: str | Path, weights: str | Path, height: int, scales: Sequence[float] = (1.0,)) -> Network:
    """Read the network; a warning is logged where the weights are not OpenPose's own.

    Parameters
    ----------
    prototxt, weights : path
        OpenPose's files.
    height : int
        Height of the network's input in pixels, a multiple of 16; OpenPose's default is 368.
    scales : sequence of float
        Sizes at which every picture is looked at, 1 being ``height`` and none larger; their maps are averaged.

    Raises
    ------
    UserError
        OpenCV cannot read the files, or they are of another network.
    """
    try:
        found, size = md5(weights), Path(weights).stat().st_size
        net = cv2.dnn.readNetFromCaffe(str(prototxt), str(weights))
        net.setPreferableBackend(cv2.dnn.DNN_BACKEND_OPENCV)
        network = Network(net, height, tuple(scales))
        maps = _run(network, np.zeros((height, height, 3), np.uint8), _Entry(height, height, 1.0))
    except (OSError, cv2.error):
        raise UserError(
            "OpenCV cannot read the files of the OpenPose network: pose.openpose.prototxt and pose.openpose.weights "
            "have to name pose_deploy.prototxt and pose_iter_584000.caffemodel of OpenPose's models/pose/body_25."
        ) from None
    side = height // _STRIDE
    if maps.shape != (part_affinity_fields.N_CHANNELS, side, side):
        raise UserError(
            f"The network of pose.openpose.weights gives {maps.shape[0]} maps of {maps.shape[-1]} cells for {height} "
            f"pixels, and that of BODY_25 gives {part_affinity_fields.N_CHANNELS} of {side}: name the files of "
            "OpenPose's models/pose/body_25."
        )
    if found != MD5:
        logging.warning(
            "The file of pose.openpose.weights is not OpenPose's pose_iter_584000.caffemodel: its MD5 is %s and not "
            "%s, and it has %.1f MB.",
            found,
            MD5,
            size / 1e6,
        )
    return network


def md5(path: str | Path) -> str:
    """Return the MD5 of a file, by which OpenPose names its weights."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


def input_pixels(size: Sequence[int], height: int) -> float:
    """Return how many pixels of the network's input one pixel of a picture is; ``size`` is its width and height."""
    return _entry(size, height, 1.0).factor


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
        x and y in pixels of the picture (its first pixel is centred at 0.5, 0.5, as in what OpenPose writes) and
        confidence, in the order of BODY_25; NaN, NaN, 0 where nothing was found. The surest person comes first.
    """
    size = picture.shape[1::-1]
    base = _entry(size, network.height, 1.0)
    maps = np.zeros((part_affinity_fields.N_CHANNELS, base.height // _STRIDE, base.width // _STRIDE), np.float32)
    for scale in network.scales:
        entry = _entry(size, network.height, scale)
        maps += _aligned(_run(network, picture, entry), entry, base)
    found = part_affinity_fields.people(maps / np.float32(len(network.scales)), _STRIDE)
    # Centres of first pixels lie at 0 in the input of the network, and there at 0.5 of the picture.
    found[..., :2] = found[..., :2] / base.factor + 0.5
    return found


def _entry(size: Sequence[int], height: int, scale: float) -> _Entry:
    """Return how a picture of a width and a height comes into the network."""
    full = (max(1, round(height * size[0] / size[1] / _MULTIPLE)) * _MULTIPLE, height)
    target = [max(_MULTIPLE, round(side * scale) // _MULTIPLE * _MULTIPLE) for side in full]
    factor = min((wanted - 1) / max(1, side - 1) for wanted, side in zip(target, size, strict=True))
    return _Entry(target[0], target[1], factor)


def _run(network: Network, picture: NDArray[np.uint8], entry: _Entry) -> NDArray[np.float32]:
    """Return the maps of one picture at one scale, shape (78, height, width)."""
    matrix = np.array([[entry.factor, 0, 0], [0, entry.factor, 0]])
    how = cv2.INTER_CUBIC if entry.factor > 1 else cv2.INTER_AREA
    shrunk = cv2.warpAffine(picture, matrix, (entry.width, entry.height), flags=how)
    values = shrunk.astype(np.float32) / np.float32(256) - np.float32(0.5)
    network.net.setInput(np.ascontiguousarray(values.transpose(2, 0, 1)[None]))
    return np.asarray(network.net.forward()[0], dtype=np.float32)


def _aligned(maps: NDArray[np.float32], entry: _Entry, base: _Entry) -> NDArray[np.float32]:
    """Return the maps of one scale on the grid of another."""
    if entry == base:
        return maps
    # Cell c has its centre at pixel (c + 0.5) x stride - 0.5 of the input, and pixels go with the factors.
    ratio = entry.factor / base.factor
    shift = (0.5 * (_STRIDE - 1) * (ratio - 1)) / _STRIDE
    matrix = np.array([[ratio, 0, shift], [0, ratio, shift]])
    size = (base.width // _STRIDE, base.height // _STRIDE)
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    planes = [cv2.warpAffine(plane, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE) for plane in maps]
    return np.stack(planes)
