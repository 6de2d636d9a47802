"""What the steps that work on tables take for a long video: time, and the peak of the memory.

::

    long_video.py make FOLDER FRAMES PEOPLE   make up what these steps read: people who walk on the spot, and one copy
    long_video.py STEP FOLDER           run the script of a step on that, and print its seconds and megabytes as JSON

The scripts run as they are, with a stand-in for what Snakemake gives them. Two hours of video would take days to
decode and search; those steps are measured by `speed.py` on lengths from which their growth can be seen.
"""

import json
import runpy
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

ROOT = Path(__file__).resolve().parents[1]

import numpy as np
import pandas as pd
import yaml

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / folder) for folder in ("scripts", "tests", ".")]

from benchmarks.memory import most_memory
from deidpose import keypoints, labels, tables
from fixtures.report_inputs import walking

FRAMES_A_SECOND = 30
SOURCES = ("original", labels.CONTROL)
#: The steps in the order of the workflow, each of which reads what those before it have written.
STEPS = ("list_people", "track_faces", "match_people", "joint_angles", "compare", "export", "show_video")


def make(folder: Path, n_frames: int, n_people: int) -> None:
    """Write keypoints, detections and the small tables of a made-up video into a folder."""
    folder.mkdir(parents=True)
    frame = np.arange(n_frames)
    time_s = frame / FRAMES_A_SECOND
    for number, source in enumerate(SOURCES):
        tables.write(keypoints.blocks(people(n_frames, n_people, number)), "keypoints", folder / f"{source}.parquet")
    ticks = {"pts": frame, "time_base_numerator": 1, "time_base_denominator": FRAMES_A_SECOND, "time_s": time_s}
    shown = {"frame": frame, **ticks, "container_ms": (1000 * time_s).round().astype(int)}
    tables.write(pd.DataFrame(shown), "timestamps", folder / "timestamps.parquet")
    face = {"x_px": 280.0, "y_px": 90.0, "width_px": 40.0, "height_px": 50.0, "score": 0.9}
    tables.write(pd.DataFrame({"frame": frame, **face}), "detections", folder / "detections.parquet")
    tables.write(tables.empty("cuts"), "cuts", folder / "cuts.parquet")
    facts: dict[str, Any] = dict.fromkeys(tables.TABLES["screening"], 0)
    facts |= {"video": "v", "status": "accepted", "reason": "", "width": 320 * n_people, "height": 480, "codec": ""}
    facts |= {"fps": FRAMES_A_SECOND, "n_frames": n_frames, "duration_s": n_frames / FRAMES_A_SECOND}
    tables.write(pd.DataFrame([facts]), "screening", folder / "screening.tsv")


def people(n_frames: int, n_people: int, seed: int) -> keypoints.Poses:
    """Return people side by side in every frame, each keypoint shaken by two pixels and now and then not seen."""
    random = np.random.default_rng(seed)
    stride = keypoints.poses(walking(range(44), 0, 300, 200))  # two steps: the legs swing by the sine of frame / 7
    frame = np.repeat(np.arange(n_frames), n_people)
    person = np.tile(np.arange(n_people), n_frames)
    position = stride.position[frame % len(stride.frame)]
    position[..., 0] += 320 * person[:, None]
    position += random.normal(0, 2, position.shape)
    position[random.random(position.shape[:2]) < 0.02] = np.nan
    confidence = random.uniform(0.6, 1, position.shape[:2])
    return keypoints.Poses(frame, frame / FRAMES_A_SECOND, person, position, confidence)


class Named(list[Any]):
    """A list some of whose parts have names, as Snakemake's inputs and outputs are."""

    def __init__(self, **parts: Any) -> None:
        super().__init__(parts.values())
        self.__dict__.update(parts)


def job(step: str, folder: Path) -> SimpleNamespace:
    """Return what Snakemake gives to the script of a step."""
    config = yaml.safe_load((ROOT / "config/config.yaml").read_text("utf-8"))
    file = {path.stem: str(path) for path in folder.iterdir()}
    bodies = [f"{folder}/{source}.parquet" for source in SOURCES]
    angles = [f"{folder}/{source}_angles.csv" for source in SOURCES]
    copies = list(SOURCES[1:])

    def new(name: str) -> str:
        return f"{folder}/{name}"

    given: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
        "list_people": ({"keypoints": bodies[0]}, {"people": new("people.csv")}, {"patient": ""}),
        "track_faces": (
            {"keypoints": bodies[0]},
            {"faces": new("faces.parquet"), "heads": new("heads.parquet"), "review": new("review.tsv")},
            {"visible": "", "faces": config["faces"], "corrections": []},
        ),
        "match_people": (
            {"original": bodies[0], "copies": bodies[1:]},
            {name: new(f"{name}.parquet") for name in ("matches", "identities", "headcounts")},
            {"methods": copies},
        ),
        "joint_angles": (
            {"keypoints": bodies},
            {"angles": angles, "movements": new("movements.csv")},
            {"sources": SOURCES, "kinematics": config["kinematics"]},
        ),
        "compare": (
            {
                "original_angles": angles[0],
                "copies_angles": angles[1:],
                "original_keypoints": bodies[0],
                "copies_keypoints": bodies[1:],
            },
            {name: new(f"{name}.parquet") for name in ("effects", "pairs", "keypoint_effects")},
            {"methods": copies, "signal": "filtered"},
        ),
        "export": ({"keypoints": bodies, "angles": angles}, {"folder": new("interchange")}, {"sources": SOURCES}),
        "show_video": (
            {"keypoints": bodies, "angles": angles},
            {"payload": new("v.js"), "traces": [new("traces.png")]},
            {"sources": SOURCES, "signal": "filtered"},
        ),
    }
    inputs, outputs, params = given[step]
    known = ("timestamps", "detections", "cuts", "screening", "people", "matches")
    return SimpleNamespace(
        input=Named(**{name: file[name] for name in known if name in file} | inputs),
        output=Named(**outputs),
        params=SimpleNamespace(**params),
        wildcards=SimpleNamespace(video="v"),
        log=[new(f"{step}.log")],
        threads=1,
    )


def main(what: str, folder: Path, *numbers: str) -> None:
    """Make the video, or do a step."""
    if what == "make":
        make(folder, *map(int, numbers))
        return
    began = time.perf_counter()
    runpy.run_path(str(ROOT / f"scripts/{what}.py"), {"snakemake": job(what, folder)})
    print(json.dumps({"seconds": time.perf_counter() - began, "megabytes": most_memory()}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:])
