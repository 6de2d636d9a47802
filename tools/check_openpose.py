"""Check that OpenPose's network gives here what OpenPose gives: python tools/check_openpose.py --weights file.

It runs the Caffe files by OpenCV on a video, as the workflow does with pose.backend openpose. The result is compared
with OpenPose's own JSON of the same video, and with OpenPose's module for Python and its program, where they are here.
"""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

from deidpose.errors import UserError
from deidpose.pose.backends.openpose import caffe, check, entry, runners
from deidpose.video import decode
from deidpose.workflow import config

_ROOT = Path(__file__).resolve().parents[1]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the check, print a table and a verdict, and return the exit code: 0 when everything agrees."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add = parser.add_argument
    add("--weights", default="", help="pose_iter_584000.caffemodel of OpenPose")
    add("--prototxt", default="", help="pose_deploy.prototxt (default: the one beside the weights)")
    add("--video", default=str(_ROOT / "resources/demo/park/walk.mp4"), help="a video with people (default: the demo)")
    add("--json", default="", help="folder with OpenPose's JSON of the whole video, from --write_json")
    add("--binary", default="", help="OpenPose's program (default: one called openpose)")
    add("--model-folder", default="", help="OpenPose's folder models, for its program and its module")
    add("--frames", type=int, default=100, help="frames to compare, from the first; 0: all (default: %(default)s)")
    add("--net-height", type=int, default=368, help="as in OpenPose's --net_resolution -1x368 (default: %(default)s)")
    add("--any-weights", action="store_true", help="take weights of another training, whose MD5 is another")
    try:
        return _check(parser.parse_args(arguments))
    except UserError as error:
        print(error, file=sys.stderr)
        return 1


def _check(given: argparse.Namespace) -> int:
    if not given.weights:
        raise UserError(
            "Name the weights of OpenPose's network: make check-openpose WEIGHTS=path/to/pose_iter_584000.caffemodel"
        )
    if given.net_height < 16 or given.net_height % 16:
        raise UserError(f"The height of the network's input is {given.net_height}, but has to be a multiple of 16.")
    prototxt = given.prototxt or str(Path(given.weights).with_name("pose_deploy.prototxt"))
    check.check_weights(prototxt, given.weights, given.any_weights)
    if not Path(given.video).is_file():
        raise UserError(f"The video {given.video} does not exist; python tools/fetch_demo.py fetches the demo's.")
    n_all, size = _measure(given.video)
    n_frames = min(n_all, given.frames or n_all)
    others: dict[str, check.Bodies] = {}
    if given.json:  # before anything that takes long
        others["OpenPose's JSON"] = check.read_json(given.json, n_all, size)[:n_frames]
    own = {"prototxt": prototxt, "weights": given.weights, "binary": given.binary, "model_folder": given.model_folder}
    settings = _settings(own, given.net_height)
    found = _run("network", given.video, n_frames, settings)
    for way, title in (("pyopenpose", "OpenPose's module pyopenpose"), ("binary", "OpenPose's program")):
        try:
            runners.choose({**settings["openpose"], "way": way})
        except UserError:
            if way == "binary" and given.binary:
                raise
            print(f"Not compared with {title}, which is not here.")
            continue
        others[title] = _run(way, given.video, n_frames, settings)
    return _judge(found, others, caffe.input_pixels(size, given.net_height))


def _measure(path: str) -> tuple[int, tuple[int, int]]:
    """Return the number of frames of a video, and the width and height of its upright pictures."""
    count, size = 0, (0, 0)
    for count, frame in enumerate(decode.read_frames(path), 1):
        if count == 1:
            size = (frame.planes[0].shape[1], frame.planes[0].shape[0])
    if not count:
        raise UserError(f"The video {path} holds no picture.")
    return count, size


def _settings(own: dict[str, str], net_height: int) -> dict[str, Any]:
    """Return ``pose`` of the configuration that comes with the workflow, with these files."""
    settings: dict[str, Any] = config.read(_ROOT / "config/config.yaml")["pose"]
    return {**settings, "openpose": {**settings["openpose"], **own, "net_height": net_height}}


def _run(way: str, path: str, n_frames: int, settings: dict[str, Any]) -> check.Bodies:
    """Return the people of the first frames, found in one way, and print how long that took."""
    models = {f"openpose_{key}": settings["openpose"][key] for key in runners.FILES if settings["openpose"][key]}
    own = {**settings, "openpose": {**settings["openpose"], "way": way}}
    start = time.monotonic()
    sights = entry.people(islice(decode.read_frames(path), n_frames), 30.0, models, own, os.cpu_count() or 1)
    found = check.by_frame(sights, n_frames)
    seconds = (time.monotonic() - start) / n_frames
    n_people = sum(map(len, found))
    print(f"{way}: {n_frames} frames, {n_people} people in them, {seconds:.2f} seconds a frame", flush=True)
    return found


def _judge(found: check.Bodies, others: dict[str, check.Bodies], scale: float) -> int:
    """Print tables and the verdict, and return the exit code."""
    if not others:
        if not any(map(len, found)):
            print("Verdict: fails. The network runs and finds nobody.")
            return 1
        print("Verdict: the network runs and finds people; whether OpenPose finds the same was not compared.")
        return 0
    fails = False
    for title, bodies in others.items():
        table = check.agreement(found, bodies, scale)
        print(f"\nThe network run here (first) and {title} (second); px: of the network's input\n{_shown(table)}")
        differences = check.disagreements(table)
        fails |= bool(differences)
        print(f"Verdict: {'differs.' if differences else 'agrees.'}", *differences, sep="\n  ")
    if fails:
        print(
            "If the files are OpenPose's own, other settings may explain it: --net_resolution, --scale_number, "
            "--number_people_max, or a video that was decoded in another way."
        )
    return int(fails)


def _shown(table: pd.DataFrame) -> str:
    shown = table[(table["n_first"] > 0) | (table["n_second"] > 0) | (table["keypoint"] == "all")]
    return shown.to_string(index=False, float_format=lambda value: f"{value:.3f}", na_rep="-")


if __name__ == "__main__":
    sys.exit(main())
