"""OpenPose's BODY_25 network as a backend, run in the first way that this machine allows (`runners`).

Experimental: no way was ever run with OpenPose's own weights; tests use stand-ins.

Frames are handed over as the other backends get them, upright and in order, and never as a video file: OpenPose decodes
with OpenCV, which may find other frames in a file than we do, and turn them another way.
"""

import logging
import os
import signal
import subprocess
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from deidpose import durations
from deidpose.digests import file_sha256
from deidpose.errors import UserError
from deidpose.pose import layouts
from deidpose.pose.backends import scratch
from deidpose.pose.backends.openpose import caffe, json_files, runners
from deidpose.pose.backends.protocol import Sight
from deidpose.pose.people import appearance
from deidpose.skeleton import BODY_25
from deidpose.video.frames import Frame, to_bgr

#: It gives no numbers over time.
TRACKS = False
LICENCE = "OpenPose, Carnegie Mellon University: academic or non-profit organization, non-commercial research use only"
_CITATION = (
    "Cao et al. 2021, OpenPose: realtime multi-person 2D pose estimation using part affinity fields, IEEE TPAMI "
    "43:172-186, arXiv 1812.08008, https://github.com/CMU-Perceptual-Computing-Lab/openpose"
)
#: Its Neck and MidHip are keypoints of their own.
MIDPOINTS: tuple[tuple[str, str, str], ...] = ()

#: Frames that are given to OpenPose's program at once: it takes seconds to start, and they lie on the disk meanwhile.
_FRAMES_AT_ONCE = 500
#: OpenPose's program is stopped after this much time to start, and so many times what its network takes in OpenCV on
#: one core (1.3 s a frame by default): a processor that is shared takes some seconds, and one that hangs for ever.
_START_S, _PATIENCE = 600.0, 50.0
#: Name of a frame's picture; OpenPose calls its result {name}_keypoints.json.
_STEM = "frame_{:012d}"
#: Of what the program says, the end is enough to see what went wrong.
_LAST_BYTES = 10_000


def people(
    frames: Iterable[Frame],
    frame_rate: float,
    models: Mapping[str, str | Path],
    settings: Mapping[str, Any],
    threads: int = 1,
    cuts: Collection[int] = (),
) -> Iterator[Sight]:
    """Yield everyone in a video, as `protocol.Backend` has it.

    Parameters
    ----------
    frames, frame_rate, threads, cuts
        As `pose.estimate.estimate_frames` has them.
    models : mapping
        Paths of ``openpose_prototxt`` and ``openpose_weights``, or of ``openpose_binary`` and
        ``openpose_model_folder``, those that there are.
    settings : mapping
        ``pose`` of the configuration: max_people, and openpose with way, net_height, scale_number and scale_gap; and
        ``scratch``, see `protocol.Backend`.

    Raises
    ------
    UserError
        OpenPose cannot be run, or gives something else than BODY_25 of every frame.
    """
    way = runners.choose(_with_files(models, settings))
    if way == "network":
        cv2.setNumThreads(threads)  # it takes all otherwise
    run = {"pyopenpose": _by_module, "binary": _by_program, "network": _by_network}[way]
    for frame, picture, bodies in run(frames, models, settings):
        for body in bodies:
            if np.isfinite(body[:, 0]).any():
                yield Sight(frame, body, appearance.colours(picture, body[:, :2]))


def origin(models: Mapping[str, str | Path], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the way, the version of what runs the network, the digests of the user's files, and whom to cite."""
    own = _with_files(models, settings)
    way = runners.choose(own)
    files = {"pose_iter_584000.caffemodel": Path(own["model_folder"]) / "pose/body_25/pose_iter_584000.caffemodel"}
    if way == "network":
        files = {"pose_deploy.prototxt": Path(own["prototxt"]), "pose_iter_584000.caffemodel": Path(own["weights"])}
        version = f"OpenCV {cv2.__version__}"
    elif way == "binary":
        # No option of it tells its version, so the file itself stands for it.
        files["openpose"] = Path(runners.program(own["binary"]) or "")
        version = "OpenPose's program"
    else:
        version = f"pyopenpose {getattr(runners.module(), '__version__', 'of an unknown version')}"
    digests = {name: file_sha256(path) for name, path in files.items() if path.is_file()}
    return {"way": way, "version": version, "models": digests, "citation": _CITATION}


def _with_files(models: Mapping[str, str | Path], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``pose.openpose`` of the configuration with the paths under which the files are now; empty for none."""
    given = {f"openpose_{key}": key for key in runners.FILES}
    files = {key: str(models[name]) for name, key in given.items() if name in models.keys()}  # noqa: SIM118
    # In a container of its own it has models that are nowhere else.
    files.setdefault("model_folder", os.environ.get(runners.MODELS_OF_IMAGE, ""))
    return {**settings["openpose"], **dict.fromkeys(runners.FILES, ""), **files}


def _flags(models: Mapping[str, str | Path], settings: Mapping[str, Any]) -> dict[str, str]:
    """Return OpenPose's flags (``flags.hpp``) for our settings."""
    own = _with_files(models, settings)
    flags = {
        "model_pose": "BODY_25",
        "net_resolution": f"-1x{own['net_height']}",
        "scale_number": str(own["scale_number"]),
        "scale_gap": str(own["scale_gap"]),
        "number_people_max": str(settings["max_people"]),
        "render_pose": "0",
    }
    # OpenPose puts names of files straight behind it.
    return flags | ({"model_folder": f"{own['model_folder'].rstrip('/')}/"} if own["model_folder"] else {})


def _by_network(
    frames: Iterable[Frame], models: Mapping[str, str | Path], settings: Mapping[str, Any]
) -> Iterator[tuple[int, NDArray[np.uint8], NDArray[np.float64]]]:
    """Yield frame, picture and people, shape (people, 25, 3), from the network run by OpenCV."""
    own = _with_files(models, settings)
    scales = [1 - number * own["scale_gap"] for number in range(own["scale_number"])]
    network = caffe.load(own["prototxt"], own["weights"], own["net_height"], scales)
    for frame in frames:
        picture = to_bgr(frame)
        yield frame.index, picture, caffe.people(network, picture)[: settings["max_people"]]


def _by_module(
    frames: Iterable[Frame], models: Mapping[str, str | Path], settings: Mapping[str, Any]
) -> Iterator[tuple[int, NDArray[np.uint8], NDArray[np.float64]]]:
    """Yield frame, picture and people from OpenPose's module for Python (``openpose_python.cpp``)."""
    module: Any = runners.module()
    wrapper = module.WrapperPython()
    wrapper.configure(_flags(models, settings))
    wrapper.start()
    try:
        for frame in frames:
            picture = to_bgr(frame)
            datum = module.Datum()
            datum.cvInputData = picture
            wrapper.emplaceAndPop(module.VectorDatum([datum]))
            # None where nobody is, and in older versions an array of no size.
            found = np.empty(0) if datum.poseKeypoints is None else np.array(datum.poseKeypoints, float)
            yield frame.index, picture, _body_25(found)
    finally:
        wrapper.stop()


def _by_program(
    frames: Iterable[Frame], models: Mapping[str, str | Path], settings: Mapping[str, Any]
) -> Iterator[tuple[int, NDArray[np.uint8], NDArray[np.float64]]]:
    """Yield frame, picture and people from OpenPose's program, run on a few hundred frames at a time."""
    program = runners.program(_with_files(models, settings)["binary"])
    if program is None:
        raise UserError("OpenPose's program (pose.openpose.binary) is not there any more.")
    waiting = iter(frames)
    while some := list(islice(waiting, 1)):
        with scratch.folder(settings.get("scratch")) as folder:
            pictures, results = folder / "pictures", folder / "results"
            pictures.mkdir()
            results.mkdir()
            indices = []
            for number, frame in enumerate((*some, *islice(waiting, _FRAMES_AT_ONCE - 1))):
                indices.append(frame.index)
                # Lossless, and written fast.
                name = str(pictures / f"{_STEM.format(number)}.png")
                if not cv2.imwrite(name, to_bgr(frame), [cv2.IMWRITE_PNG_COMPRESSION, 1]):
                    raise UserError("The frames for OpenPose's program cannot be written: is the disk full?")
            limit_s = _START_S + _PATIENCE * runners.cost(settings["openpose"])[1] * len(indices)
            _run(program, pictures, results, _flags(models, settings), limit_s)
            found = json_files.read_folder(results, len(indices))
            for number, (index, bodies) in enumerate(zip(indices, found, strict=True)):
                picture = cv2.imread(str(pictures / f"{_STEM.format(number)}.png"))
                if picture is None:
                    raise UserError("A frame for OpenPose's program was gone when it was to be read again.")
                yield index, np.asarray(picture, np.uint8), _body_25(bodies)


def _run(program: str, pictures: Path, results: Path, flags: Mapping[str, str], limit_s: float) -> None:
    """Run OpenPose's program on a folder of pictures; it is stopped, with all that it has started, after a while."""
    command = [program, "--image_dir", str(pictures), "--write_json", str(results), "--display", "0"]
    for name, value in flags.items():
        command += [f"--{name}", value]
    # What it says goes into a file: a pipe would be waited for until everything that it has started has ended.
    said = pictures.parent / "said.txt"
    with said.open("wb") as output:
        try:
            child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )
        except OSError as error:
            raise UserError(f"OpenPose's program cannot be started: {error.strerror}.") from None
        try:
            code = child.wait(limit_s)
        except BaseException as interruption:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            if not isinstance(interruption, subprocess.TimeoutExpired):
                raise
            raise UserError(
                f"OpenPose's program was stopped because it had not ended after "
                f"{durations.duration_in_words(limit_s)}, for {len(os.listdir(pictures))} frames: it hangs, or needs a "
                "faster machine or a smaller pose.openpose.net_height."
            ) from None
    if code:
        with said.open("rb") as file:
            file.seek(max(0, said.stat().st_size - _LAST_BYTES))
            lines = file.read().decode(errors="replace").splitlines()
        for line in [line for line in lines if line.strip()][-20:]:
            logging.error("OpenPose: %s", line)
        raise UserError(
            f"OpenPose's program ended with the code {code}; its last words are in the log. If it misses its models, "
            "set pose.openpose.model_folder."
        )


def _body_25(bodies: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return bodies as OpenPose gives them with NaN for what was not found, shape (people, 25, 3)."""
    if not bodies.size:
        return np.empty((0, len(BODY_25), 3))
    if bodies.ndim != 3 or bodies.shape[1:] != (len(BODY_25), 3):
        raise UserError(
            f"OpenPose gives {bodies.shape[1] if bodies.ndim == 3 else 'no'} points a person, and BODY_25 has "
            f"{len(BODY_25)}: its model has to be BODY_25."
        )
    return layouts.to_body_25(bodies, "BODY_25")
