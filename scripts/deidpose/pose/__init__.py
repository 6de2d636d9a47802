"""Pose estimation: one module per backend, all with the same function.

A backend module has ``estimate(frames, frame_rate, models, settings, threads, cuts) -> DataFrame`` which takes the
upright frames of one video (`deidpose.video.Frame`) and returns the table ``keypoints``. `BACKENDS` names the
modules; ``pose.backend`` in the configuration chooses.

The Snakefile imports this package, so it imports a backend only when asked for it.
"""

import importlib
from collections.abc import Mapping
from types import ModuleType
from typing import Any

#: Backend -> the models of ``config/models.yaml`` that it needs.
BACKENDS: dict[str, tuple[str, ...]] = {"blazepose": ("blazepose_detector", "blazepose_landmarks")}


def networks(settings: Mapping[str, Any]) -> dict[str, str]:
    """Return the networks that are needed.

    Parameters
    ----------
    settings : mapping
        ``pose`` of the configuration.

    Returns
    -------
    dict
        Name under which the backend takes the network, as in `BACKENDS` -> entry of ``config/models.yaml``, of which
        the settings may have chosen another than the one of that name.
    """
    chosen = {name: name for name in BACKENDS[settings["backend"]]}
    size = settings["blazepose"]["landmarks"]
    if settings["backend"] == "blazepose" and size != "full":
        chosen["blazepose_landmarks"] = f"blazepose_landmarks_{size}"
    return chosen


def backend(name: str) -> ModuleType:
    """Return the module of a backend, a key of `BACKENDS`."""
    return importlib.import_module(f"deidpose.pose.{name}")
