"""Choose among the ways to run OpenPose's network by what is available on this machine.

Imports the standard library only, because the Snakefile imports it.
"""

import importlib
import importlib.util
import os
import re
import shutil
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from deidpose.errors import UserError

#: Keys of ``pose.openpose`` that hold paths.
FILES = ("model_folder", "binary", "prototxt", "weights")
#: In the order in which they are tried: OpenPose in Python, OpenPose's program, OpenPose's network in OpenCV.
WAYS = ("pyopenpose", "binary", "network")
#: OpenPose's module for Python as it is in its folder build/python/openpose, and as it is where it is installed.
_MODULES = ("pyopenpose", "openpose.pyopenpose")
#: Where an image says, in its environment, that OpenPose's models are in it: `pose.openpose.model_folder` is here.
MODELS_OF_IMAGE = "OPENPOSE_MODEL_FOLDER"
#: Images by address, as Apptainer takes them. Snakemake puts the name of an image into a command as it is.
_ADDRESS = re.compile(r"(docker|library|oras|shub|https)://[\w.:@/+=-]+", re.ASCII)
_PATH = re.compile(r"[\w.@/+=-]+", re.ASCII)


def check(settings: Mapping[str, Any]) -> None:
    """Check ``pose.openpose`` of the configuration before anything runs.

    Raises
    ------
    UserError
        What is needed is not there, or the scales do not fit together. What is in a container is not known here.
    """
    if not container(settings):
        # The machine that hands out jobs may lack the graphics card without which the module does not import.
        choose(settings, importing=False)
    if 1 - (settings["scale_number"] - 1) * settings["scale_gap"] <= 0:
        raise UserError(
            f"The setting pose.openpose.scale_number is {settings['scale_number']} with a scale_gap of "
            f"{settings['scale_gap']}, but the smallest scale has to be above 0: lower one of them."
        )


def container(settings: Mapping[str, Any]) -> str:
    """Return the image that OpenPose is to be run in, empty where there is none.

    Parameters
    ----------
    settings : mapping
        ``pose.openpose`` of the configuration.

    Returns
    -------
    str
        An address, or the whole path of a file or a folder.

    Raises
    ------
    UserError
        It is neither, or is not there.
    """
    image = str(settings.get("container", ""))
    if not image or _ADDRESS.fullmatch(image):
        return image
    if "://" in image:
        raise UserError(
            f"The setting pose.openpose.container is {image}, but an address of an image begins with docker://, "
            "library://, oras://, shub:// or https:// and has neither blanks nor signs that a shell would read."
        )
    path = os.path.abspath(os.path.expanduser(image))
    if not os.path.exists(path):
        raise UserError(f"The setting pose.openpose.container names {path}, which does not exist.")
    if not _PATH.fullmatch(path):
        raise UserError(
            f"The setting pose.openpose.container names {path}, but Snakemake takes no path with other signs than "
            "letters of English, digits and . _ - + = @ in it: move the image, or make a link to it."
        )
    return path


def choose(settings: Mapping[str, Any], importing: bool = True) -> str:
    """Return the way to run OpenPose: the one that is asked for, or the first for which everything is there.

    Parameters
    ----------
    settings : mapping
        ``pose.openpose`` of the configuration. ``way`` is "first" or one of `WAYS`; ``binary`` may be empty, and then a
        program called ``openpose`` is looked for.
    importing : bool
        Whether pyopenpose has to import, and not only to be installed.

    Raises
    ------
    UserError
        What is needed is not there.
    """
    ways = WAYS if settings["way"] == "first" else (settings["way"],)
    there = {
        "pyopenpose": "pyopenpose" in ways and _has_module(importing),
        "binary": program(settings.get("binary", "")) is not None,
        "network": all(os.path.isfile(settings.get(key, "")) for key in ("prototxt", "weights")),
    }
    found = next((way for way in ways if there[way]), None)
    if found is None:
        missing = {
            "pyopenpose": "the Python module pyopenpose",
            "binary": "OpenPose's program (pose.openpose.binary)",
            "network": "the files pose_deploy.prototxt and pose_iter_584000.caffemodel (pose.openpose.prototxt and "
            "pose.openpose.weights)",
        }
        needed = ", or ".join(missing[way] for way in ways)
        raise UserError(
            f"The pose backend openpose cannot be used, because nothing is here to run it: it needs {needed}."
        )
    return found


def _has_module(importing: bool) -> bool:
    if importing:
        return module() is not None
    # A package of that name may be another one: the job will tell.
    return any(importlib.util.find_spec(name.split(".")[0]) for name in _MODULES)


def module() -> ModuleType | None:
    """Return OpenPose's module for Python, None where there is none that imports."""
    for name in _MODULES:
        try:
            return importlib.import_module(name)
        except ImportError:  # not here, built for another Python, or a library of the graphics card is missing
            continue
    return None


def program(path: str) -> str | None:
    """Return the path of OpenPose's program, None where there is none; an empty path means one called openpose."""
    return shutil.which(os.path.abspath(os.path.expanduser(path)) if path else "openpose")


def cost(settings: Mapping[str, Any]) -> tuple[float, float]:
    """Return megabytes, and seconds a frame, that OpenPose's network needs in OpenCV on one thread.

    Measured with random weights in the layers of BODY_25 (104.6 MB of them, as in its own) on one core of a server
    processor, for 656 x 368 pixels: 1.2 s and 1.4 GB with all libraries. Both grow with the pixels. OpenPose
    itself is faster where it has a graphics card; the same is asked for.
    """
    pixels = (settings["net_height"] / 368) ** 2
    sizes = sum((1 - number * settings["scale_gap"]) ** 2 for number in range(settings["scale_number"]))
    return 300 + 700 * pixels, 1.3 * pixels * sizes
