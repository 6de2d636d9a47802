"""Pose estimation: one module per backend, all with the same function.

A backend module has ``estimate(frames, frame_rate, models, settings, threads, cuts) -> DataFrame`` which takes the
upright frames of one video (`deidpose.video.Frame`) and returns the table ``keypoints``. `BACKENDS` names the
modules; ``pose.backend`` in the configuration chooses.

The Snakefile imports this package, so it imports a backend only when asked for it.
"""

import importlib
from types import ModuleType

#: Backend -> the models of ``config/models.yaml`` that it needs.
BACKENDS: dict[str, tuple[str, ...]] = {"blazepose": ("blazepose_detector", "blazepose_landmarks")}


def backend(name: str) -> ModuleType:
    """Return the module of a backend, a key of `BACKENDS`."""
    return importlib.import_module(f"deidpose.pose.{name}")
