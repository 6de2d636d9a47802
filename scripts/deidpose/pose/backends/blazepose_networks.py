"""Choose the networks of BlazePose.

Imports nothing heavy, because the registry imports this module, and the Snakefile imports the registry.
"""

from collections.abc import Mapping
from typing import Any

#: The names under which the backend takes its networks.
NAMES = ("blazepose_detector", "blazepose_landmarks")


def choose_networks(settings: Mapping[str, Any]) -> dict[str, str]:
    """Return the entries of ``config/models.yaml`` that stand behind the names.

    Parameters
    ----------
    settings : mapping
        ``pose.blazepose`` of the configuration; ``landmarks`` is the size of the landmark network.

    Returns
    -------
    dict
        Name, as in `NAMES` -> entry.
    """
    size = settings["landmarks"]
    chosen = {name: name for name in NAMES}
    return chosen if size == "full" else chosen | {"blazepose_landmarks": f"blazepose_landmarks_{size}"}


def cost(settings: Mapping[str, Any]) -> tuple[float, float]:
    """Return what the heavy landmark network costs: 53 MB, 25 to 30 ms a person (measured), for four people.

    Megabytes, and seconds a frame, more than with the default network.
    """
    return (80.0, 0.15) if settings["landmarks"] == "heavy" else (0.0, 0.0)
