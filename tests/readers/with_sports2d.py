"""Read a folder of files with the functions of Pose2Sim and Sports2D, and keep what was read.

Runs in .venv-readers: python with_sports2d.py folder read.npz

The functions are taken one by one from the source files of the packages: to import these needs the windows, the
pose estimation and the video library of the whole programs.
"""

import ast
import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd


def take(package: str, file: str, *names: str) -> list[Any]:
    """Return functions and constants of an installed package by their names."""
    source = Path(importlib.util.find_spec(package).submodule_search_locations[0]) / file
    chosen = [
        node
        for node in ast.parse(source.read_text(encoding="utf-8")).body
        if (isinstance(node, ast.FunctionDef) and node.name in names)
        or (isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id in names)
    ]
    scope: dict[str, Any] = {"np": np, "pd": pd, "json": json, "Path": Path}
    exec(compile(ast.Module(chosen, []), str(source), "exec"), scope)
    return [scope[name] for name in names]


read_trc, read_mot, angle_dict = take("Pose2Sim", "common.py", "read_trc", "read_mot", "angle_dict")
(read_json,) = take("Pose2Sim", "personAssociation.py", "read_json")
load_pose_file, make_trc, make_mot = take(
    "Sports2D", "process.py", "load_pose_file", "make_trc_with_trc_data", "make_mot_with_angles"
)

folder, answer = Path(sys.argv[1]), {}
for path in sorted(folder.glob("*.trc")):
    data, frames, times, markers, header = read_trc(path)
    (pixels, _) = load_pose_file(data)
    # The same numbers, written by Sports2D.
    again = folder / "again" / path.name
    make_trc(pd.concat([times.rename("time"), data], axis=1), again, fps=float(header[2].split("\t")[0]))
    their_data, their_frames, their_times, _, their_header = read_trc(again)
    pd.testing.assert_frame_equal(their_data, data)
    pd.testing.assert_series_equal(their_frames, frames)
    pd.testing.assert_series_equal(their_times, times)
    answer |= {f"{path.name}/pixels": pixels[:, 0], f"{path.name}/z": data.to_numpy()[:, 2::3]}
    answer |= {f"{path.name}/frames": frames, f"{path.name}/times": times, f"{path.name}/markers": markers}
    answer |= {f"{path.name}/header": header, f"{path.name}/their_header": their_header}
for path in sorted(folder.glob("*.mot")):
    data, times, header = read_mot(path)
    again = folder / "again" / path.name
    make_mot(data.copy(), times, again)
    their_data, their_times, their_header = read_mot(again)
    pd.testing.assert_frame_equal(their_data, data)
    pd.testing.assert_series_equal(their_times, times)
    answer |= {f"{path.name}/degrees": data, f"{path.name}/times": times, f"{path.name}/names": list(data.columns)}
    answer |= {f"{path.name}/header": header, f"{path.name}/their_header": their_header}
frames = sorted(folder.glob("*_keypoints.json"))
people = [read_json(path) for path in frames]
answer |= {"people/n": [len(some) for some in people], "people/values": [values for some in people for values in some]}
answer |= {"angle_names": list(angle_dict), "angle_keypoints": sorted({p for a in angle_dict.values() for p in a[0]})}
np.savez(sys.argv[2], **{name: np.asarray(values) for name, values in answer.items()})
