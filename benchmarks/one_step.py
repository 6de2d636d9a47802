"""One step of the workflow on one prepared video, as its script does it, in a process of its own.

    step.py STEP VIDEO THREADS [SOURCE]

VIDEO is a folder that `run.py` has prepared. The step's outputs go there too, as the next step's inputs. Prints as
JSON: seconds, from after the imports to the written output; frames; the peak of the memory in megabytes; and how often
each network was run at which size.
"""

import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import yaml

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / folder) for folder in ("scripts", "tests", ".")]

from benchmarks.memory import most_memory
from deidpose import keypoints, tables
from deidpose.audit import centerface, pixel_comparison
from deidpose.faces import detection, linking
from deidpose.masking import masks, skeleton_overlay
from deidpose.pose import estimate
from deidpose.runtime import inference
from deidpose.runtime.threads import read_ahead
from deidpose.video import decode, encode, scene_cuts
from deidpose.video.frames import frame_rate
from deidpose.workflow import config, downloads

ROOT = Path(__file__).resolve().parents[1]


CONFIG: dict[str, Any] = yaml.safe_load((ROOT / "config/config.yaml").read_text("utf-8"))
FILES = {
    name: ROOT / "resources/models" / entry["file"]
    for name, entry in downloads.load(ROOT / "config/models.yaml").items()
}
METHOD = "blur"

#: (file of a network, shape of its input) -> how often it was run.
runs: Counter[tuple[str, tuple[int, ...]]] = Counter()


def counting(compile_network: Any) -> Any:
    """Return `inference.compile_network` with every run of its networks counted."""

    def compile_and_count(path: Path, shape: Any = None, *arguments: Any, **more: Any) -> inference.Network:
        network = compile_network(path, shape, *arguments, **more)
        key = (Path(path).name, shape or inference.input_shape(path))

        def run(*inputs: Any) -> Any:
            runs[key] += 1
            return network(*inputs)

        return run

    return compile_and_count


def do(step: str, folder: Path, threads: int, source: str = "original") -> int:
    """Do one step and return the number of frames."""
    timestamps = tables.read(folder / "timestamps.parquet", "timestamps")
    rate = frame_rate(timestamps)
    original, masked = folder / "sanitized.mkv", folder / "masked.mp4"
    encoding = encode.Encoding(**CONFIG["encode"])

    def of_source(n_threads: int = threads) -> Any:
        listed = timestamps if source == "original" else None
        return decode.read_frames(original if source == "original" else masked, listed, n_threads)

    def cuts() -> Any:
        return frozenset(tables.read(folder / "cuts.parquet", "cuts")["frame"])

    if step == "find_cuts":
        tables.write(scene_cuts.find_cuts(read_ahead(of_source(), threads)), "cuts", folder / "cuts.parquet")
    elif step == "estimate_pose":
        body = estimate.estimate_frames(of_source(), rate, FILES, CONFIG["pose"], threads, cuts())
        tables.write(keypoints.blocks(body), "keypoints", folder / f"keypoints_{source}.parquet")
    elif step == "detect_faces":
        given = CONFIG["faces"]
        thorough, search = (max(1, round(given[key] * rate)) for key in ("thorough_interval_s", "search_interval_s"))
        found = detection.detect_faces(
            of_source(),
            FILES["yunet"],
            given["score_threshold"],
            thorough,
            search,
            threads,
            CONFIG["pose"]["precision"],
            cuts(),
        )
        tables.write(found, "detections", folder / "detections.parquet")
    elif step == "track_faces":
        look = encode.layout(original)
        found = linking.track_faces(
            tables.read(folder / "detections.parquet", "detections"),
            keypoints.read(folder / "keypoints_original.parquet"),
            tables.read(folder / "cuts.parquet", "cuts"),
            len(timestamps),
            rate,
            (look.width, look.height),
            CONFIG["faces"],
        )
        tables.write(found.faces, "faces", folder / "faces.parquet")
    elif step == "anonymize":
        strength = masks.Strength(**config.mask_of(CONFIG["mask"], METHOD))
        regions = tables.read(folder / "faces.parquet", "faces")
        pictures = masks.mask_frames(read_ahead(of_source(1), threads), regions, METHOD, strength)
        encode.encode(pictures, timestamps, encode.layout(original), encoding, masked)
    elif step == "reencode":
        pictures = (frame.planes for frame in read_ahead(of_source(1), threads))
        encode.encode(pictures, timestamps, encode.layout(original), encoding, folder / "control.mp4")
    elif step == "search_faces":
        found = centerface.search(of_source, FILES["centerface"], CONFIG["audit"], threads)
        tables.write(found, "detections", folder / f"searched_{source}.parquet")
    elif step == "audit":
        pixel_comparison.compare_pixels(
            read_ahead(decode.read_frames(original, timestamps), threads),
            read_ahead(decode.read_frames(masked), threads),
            tables.read(folder / "faces.parquet", "faces"),
            METHOD,
            config.mask_of(CONFIG["mask"], METHOD),
        )
    elif step == "draw_skeleton":
        frames = read_ahead(decode.read_frames(masked), threads)
        drawn = skeleton_overlay.draw_skeletons(frames, keypoints.read(folder / "keypoints_masked.parquet"))
        encode.encode(drawn, timestamps, encode.layout(masked), encoding, folder / "skeleton.mp4")
    # What nothing can do without: the floors.
    elif step == "decode":
        for _ in of_source():
            pass
    elif step == "encode":
        planes = [frame.planes for frame in of_source()]
        global start
        start = time.perf_counter()
        encode.encode(planes, timestamps, encode.layout(original), encoding, folder / "encoded.mp4")
    else:
        raise SystemExit(f"There is no step {step}.")
    return len(timestamps)


if __name__ == "__main__":
    inference.compile_network = counting(inference.compile_network)
    start = time.perf_counter()
    n_frames = do(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:])
    told = {
        "seconds": time.perf_counter() - start,
        "frames": n_frames,
        "megabytes": most_memory(),
        "networks": [[name, list(shape), count] for (name, shape), count in runs.items()],
    }
    print(json.dumps(told))
