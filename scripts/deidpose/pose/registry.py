"""Registry of the pose backends: their names and needs.

`BACKENDS` names them; ``pose.backend`` in the configuration chooses. CONTRIBUTING.md says how to add one.
The Snakefile imports this module, so it imports nothing heavy.
"""

import importlib
import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from deidpose.errors import UserError
from deidpose.pose.backends import blazepose_networks
from deidpose.pose.backends.openpose import runners

if TYPE_CHECKING:
    from deidpose.pose.backends.protocol import Backend


class Needs(NamedTuple):
    """What has to be there before a backend can run, for the Snakefile, which imports no backend."""

    #: Names in ``config/models.yaml``: fetched by their digests.
    models: tuple[str, ...] = ()
    #: Keys of ``pose.{backend}`` that hold paths of the user's own files and folders, empty where there is none. The
    #: backend gets them among its models as ``{backend}_{key}``.
    files: tuple[str, ...] = ()
    #: Called with ``pose.{backend}``; returns the image of a container to run it in, empty for none.
    container: Callable[[Mapping[str, Any]], str] = lambda _: ""
    #: Called with ``pose.{backend}``; raises `UserError` where something of what it needs is not there.
    check: Callable[[Mapping[str, Any]], None] | None = None
    #: Called with ``pose.{backend}``; returns megabytes, and seconds a frame, that it needs more than BlazePose does by
    #: default.
    cost: Callable[[Mapping[str, Any]], tuple[float, float]] = lambda _: (0.0, 0.0)


def _cost_of_rtmpose(_: Mapping[str, Any]) -> tuple[float, float]:
    """Return what RTMPose costs for four people: reckoned from the numbers of operations, not measured.

    RTMPose-m has 1.93 thousand million of them and takes 11 ms with four threads (MMPose's table of models), so 44 ms a
    person with one; YOLOX-m has nearly twenty times as many, every half second.
    """
    return 600.0, 0.3


#: Backend -> what it needs.
BACKENDS: dict[str, Needs] = {
    "blazepose": Needs(models=blazepose_networks.NAMES, cost=blazepose_networks.cost),
    "openpose": Needs(
        files=runners.FILES,
        container=runners.container,
        check=runners.check,
        cost=runners.cost,
    ),
    "rtmpose": Needs(models=("rtmpose_detector", "rtmpose_landmarks"), cost=_cost_of_rtmpose),
}

#: Backend -> its module below ``backends``, where that has another name.
_ENTRIES = {"openpose": "openpose.entry"}


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
    if settings["backend"] == "blazepose":
        return blazepose_networks.choose_networks(settings["blazepose"])
    return {name: name for name in BACKENDS[settings["backend"]].models}


def load_backend(name: str) -> "Backend":
    """Import and return the module of a backend, a key of `BACKENDS`."""
    return cast("Backend", importlib.import_module(module_of(name)))


def module_of(name: str) -> str:
    """Return the dotted name of the module of a backend, a key of `BACKENDS`."""
    return f"deidpose.pose.backends.{_ENTRIES.get(name, name)}"


def files(settings: Mapping[str, Any]) -> dict[str, str]:
    """Return the user's own files that the chosen backend reads: ``{backend}_{key}`` -> path.

    Parameters
    ----------
    settings : mapping
        ``pose`` of the configuration.

    Raises
    ------
    UserError
        A file is named that is not there, or the backend has nothing to run with.
    """
    name = settings["backend"]
    needs = BACKENDS[name]
    own = settings.get(name, {})
    found = {key: os.path.expanduser(own[key]) for key in needs.files if own[key]}
    for key, path in found.items():
        if not os.path.exists(path):
            raise UserError(f"The setting pose.{name}.{key} names {path}, which does not exist.")
    if needs.check:
        needs.check({**own, **found})
    return {f"{name}_{key}": os.path.abspath(path) for key, path in found.items()}


def container(settings: Mapping[str, Any]) -> str | None:
    """Return the image of the container that the chosen backend is to be run in, None for none; errors as `files`."""
    name = settings["backend"]
    return BACKENDS[name].container(settings.get(name, {})) or None


def public_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``pose`` of the configuration without paths: what a reader of the release may know.

    ``import`` is left out as a whole, for no backend goes by it.
    """
    without = {key: value for key, value in settings.items() if key != "import"}
    for name, needs in BACKENDS.items():
        if needs.files and name in without:
            hidden = {*needs.files, "container"}
            without[name] = {key: value for key, value in without[name].items() if key not in hidden}
    return without


def cost(settings: Mapping[str, Any]) -> tuple[float, float]:
    """Return megabytes, and seconds a frame, that the chosen backend needs more than BlazePose, on one thread."""
    return BACKENDS[settings["backend"]].cost(settings.get(settings["backend"], {}))
