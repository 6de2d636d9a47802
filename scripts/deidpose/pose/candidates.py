"""Choose the pose networks that `snakemake backends` compares among those that this machine can run.

Imports the standard library only, because the Snakefile imports it, and asks for nothing that takes time: whether files
are there, and programs.
"""

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from deidpose.errors import UserError
from deidpose.pose import registry

#: Name -> what it sets under ``pose`` of the configuration. The order is that of tables and figures; of two that are
#: compared the former is the reference.
CANDIDATES: dict[str, dict[str, Any]] = {
    "blazepose_full": {"backend": "blazepose", "blazepose": {"landmarks": "full"}},
    "blazepose_heavy": {"backend": "blazepose", "blazepose": {"landmarks": "heavy"}},
    "blazepose_lite": {"backend": "blazepose", "blazepose": {"landmarks": "lite"}},
    "rtmpose": {"backend": "rtmpose"},
    "openpose": {"backend": "openpose"},
}


def choose_candidates(
    asked: Sequence[str],
    settings: Mapping[str, Any],
    entries: Mapping[str, Mapping[str, Any]],
    folder: str | Path,
    with_containers: bool = False,
) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """Return the candidates to compare, and why the others are left out.

    Parameters
    ----------
    asked : sequence of str
        Names in `CANDIDATES`; empty for all that can be run here without fetching from an address on the internet.
    settings : mapping
        ``pose`` of the configuration.
    entries : mapping
        ``config/models.yaml``, as `downloads.load` returns it.
    folder : path
        Where fetched networks are.
    with_containers : bool
        Whether Snakemake runs rules in the containers that they name.

    Returns
    -------
    chosen : dict
        Name -> ``pose`` of the configuration with this candidate, in the order of `CANDIDATES`.
    left_out : dict
        Name -> a sentence that says what is missing; of those that were asked for there is none.

    Raises
    ------
    UserError
        One that was asked for cannot be run here.
    """
    chosen: dict[str, dict[str, Any]] = {}
    left_out: dict[str, str] = {}
    for name, changes in CANDIDATES.items():
        if asked and name not in asked:
            left_out[name] = "It was not asked for."
            continue
        own = {**settings, **changes}
        if not with_containers:
            own["openpose"] = {**own["openpose"], "container": ""}
        try:
            for network in registry.networks(own).values():
                _obtainable(entries[network], Path(folder), bool(asked))
            registry.files(own)
        except UserError as error:
            if asked:
                raise
            left_out[name] = str(error)
            continue
        chosen[name] = own
    return chosen, left_out


def message(chosen: Mapping[str, Any], left_out: Mapping[str, str]) -> str:
    """Return what `choose` has chosen as lines for the terminal, in which Snakemake finds nothing to fill in."""
    lines = [f"Pose networks that are compared: {', '.join(chosen) or 'none'}."]
    lines += [f"{name} is left out. {why}" for name, why in left_out.items()]
    return "\n".join(lines).replace("{", "{{").replace("}", "}}")


def _obtainable(entry: Mapping[str, Any], folder: Path, by_address: bool) -> None:
    """Raise `UserError` where a network is not here and cannot be had; whether it comes in the end is not tried."""
    if (folder / entry["file"]).is_file():
        return
    for source in entry["sources"]:
        if "path" in source and os.path.isfile(os.path.expanduser(source["path"])):
            return
        if "wheel" in source or ("npm" in source and shutil.which("npm")) or ("url" in source and by_address):
            return
    kinds = {kind for source in entry["sources"] for kind in source}
    how = "install npm" if "npm" in kinds else "name it under backends in the settings to fetch it from its address"
    paths = [source["path"] for source in entry["sources"] if "path" in source]
    raise UserError(
        f"Its network {entry['file']} is not here: {how}, or put the file at {paths[0] if paths else folder}."
    )
