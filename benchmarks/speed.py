"""Time this workflow beside others and beside what it cannot do without, and write it into docs/benchmarks.md.

::

    .venv/bin/python benchmarks/speed.py              all of it, as `make bench` does
    .venv/bin/python benchmarks/speed.py peers        one part, printed and not written: peers, floors, parser,
                                                     growth, long or videos

Whatever is compared runs in turn, one process after another, several times; of the times of each the median counts,
from after its imports to its finished output. Only the ratios say something: machines differ, and so do hours.
"""

import argparse
import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent

import cv2
import numpy as np

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / folder) for folder in ("scripts", "tests", ".")]

from benchmarks import long_video
from benchmarks.corpus import peers
from benchmarks.docs_pages import write_between
from benchmarks.openpose_parser import parser_times
from deidpose import tables
from deidpose.ingest import examine, remux
from deidpose.runtime.inference import compile_network
from deidpose.video import decode, encode
from deidpose.video.frames import to_bgr
from deidpose.workflow import downloads
from fixtures import stand_in_workflow
from fixtures.video_files import write_video

PAGE = ROOT / "docs/benchmarks.md"
FOLDER = ROOT / "resources/bench"
DEMO = ROOT / "resources/demo"
NETWORKS = {entry["file"] for entry in downloads.load(ROOT / "config/models.yaml").values()}

#: Both of the two cores that most laptops and all of the measured machines have at least.
THREADS = 2
ROUNDS = 3
#: The face path, and all that is done with one masked copy of a video, in order: step, source.
FACE_PATH = [("detect_faces", "original"), ("track_faces", "original"), ("anonymize", "original")]
CHAIN = [
    ("find_cuts", "original"),
    ("estimate_pose", "original"),
    *FACE_PATH,
    ("reencode", "original"),
    ("estimate_pose", "masked"),
    ("search_faces", "original"),
    ("search_faces", "masked"),
    ("audit", "masked"),
    ("draw_skeleton", "masked"),
]
#: How often a step decodes a video, and whether it encodes one.
DECODES = {"audit": 2, "track_faces": 0}
ENCODES = ("anonymize", "reencode", "draw_skeleton")

Told = dict[str, Any]


# --------------------------------------------------------------------------------------------------------------- clips


def park(first: int, last: int) -> list[np.ndarray]:
    """Return frames of the clip in the park, red-green-blue: one person is there up to frame 35, then two."""
    frames = decode.read_frames(DEMO / "park/walk.mp4", threads=THREADS)
    return [cv2.cvtColor(to_bgr(frame), cv2.COLOR_BGR2RGB) for frame in frames if first <= frame.index <= last]


def to_and_fro(pictures: Sequence[np.ndarray], count: int) -> list[np.ndarray]:
    """Return so many pictures, forward, backward, forward again, so that nobody jumps."""
    there_and_back = [*pictures, *pictures[-2:0:-1]]
    return [there_and_back[index % len(there_and_back)] for index in range(count)]


def in_a_row(n_people: int, n_frames: int) -> list[np.ndarray]:
    """Return pictures of so many people side by side, all the same man, 256 pixels wide and 318 high for each."""
    alone = [cv2.resize(picture[:, 500:1300], (256, 318), interpolation=cv2.INTER_AREA) for picture in park(0, 35)]
    return [np.hstack([picture] * n_people) for picture in to_and_fro(alone, n_frames)]


def clip(name: str, pictures: Callable[[], Sequence[np.ndarray]]) -> Path:
    """Return a clip of pictures, H.264 at 30 frames a second, made where it is not there yet."""
    path = FOLDER / "clips" / f"{name}.mp4"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f"partial-{path.name}")
        write_video(partial, pictures(), sound=False)
        partial.replace(path)
    return path


def prepared(source: Path) -> Path:
    """Return a folder with the sanitized copy of a video, as `one_step.py` takes it."""
    folder = FOLDER / "prepared" / source.stem
    if not (folder / "timestamps.parquet").exists():
        folder.mkdir(parents=True, exist_ok=True)
        _, timestamps = examine.decode_source(source, examine.Limits(10**10, 10**7, 3600, 10**6), THREADS)
        timestamps = remux.remux(source, timestamps, folder / "sanitized.mkv")
        tables.write(timestamps, "timestamps", folder / "timestamps.parquet")
    return folder


# ------------------------------------------------------------------------------------------------------------- running


def run(*command: str | Path) -> Told:
    """Run a program and return what it tells in its last line."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))} has failed:\n{done.stderr[-2000:]}")
    told: Told = json.loads(done.stdout.splitlines()[-1])
    return told


def step(name: str, folder: Path, source: str = "original", threads: int = THREADS) -> Told:
    """Run one step of this workflow."""
    return run(sys.executable, HERE / "one_step.py", name, folder, str(threads), source)


def in_turn(rounds: int, **candidates: Callable[[], float]) -> dict[str, float]:
    """Return the median of the seconds of each candidate, all of them run one after another in every round."""
    times: dict[str, list[float]] = {name: [] for name in candidates}
    for number in range(rounds):
        for name, candidate in candidates.items():
            print(f"round {number + 1} of {rounds}: {name}", file=sys.stderr)
            times[name].append(candidate())
    return {name: statistics.median(each) for name, each in times.items()}


def row(*cells: object) -> str:
    """Return a line of a table."""
    return f"| {' | '.join(map(str, cells))} |"


# --------------------------------------------------------------------------------------------------------------- parts


def of_peers(rounds: int) -> Iterator[str]:
    """Yield the tables of the face path and of the pose path beside others."""
    deface = peers.installed(ROOT / "resources/peers/deface")
    mediapipe = peers.installed(ROOT / "resources/peers/mediapipe", HERE / "mediapipe.txt")
    yunet = ROOT / "resources/models/face_detection_yunet_2023mar.onnx"
    output = FOLDER / "output.mp4"
    yield "**The face path**: find, follow and blur faces, and encode; frames a second on two cores."
    yield ""
    yield row("clip", "frames", "this workflow", "plain loop", "deface", "over plain loop", "over deface")
    yield row(*["---"] * 7)
    for source in (DEMO / "park/walk.mp4", DEMO / "lab/several1.mp4"):
        folder = prepared(source)
        frames = [step("find_cuts", folder), step("estimate_pose", folder)][0]["frames"]
        seconds = in_turn(
            rounds,
            ours=lambda folder=folder: sum(step(*each[:1], folder, each[1])["seconds"] for each in FACE_PATH),
            plain=lambda source=source: run(sys.executable, HERE / "plain_loop.py", yunet, source, output)["seconds"],
            deface=lambda source=source: run(deface, HERE / "deface_whole.py", source, output)["seconds"],
        )
        rates = [frames / seconds[name] for name in ("ours", "plain", "deface")]
        ratios = [f"**{rates[0] / other:.1f}**" for other in rates[1:]]
        name = f"{source.parent.name}/{source.name}, {_size(folder)}"
        yield row(name, frames, *(f"{rate:.1f}" for rate in rates), *ratios)
    yield ""
    yield "**The pose path**: keypoints of everyone; MediaPipe follows one person, however many there are."
    yield ""
    yield row("clip", "frames", "this workflow", "MediaPipe", "over MediaPipe")
    yield row(*["---"] * 5)
    for n_people, pictures in (
        (1, lambda: to_and_fro(park(0, 35), 230)),
        (2, lambda: to_and_fro(park(36, 168), 230)),
    ):
        source = clip(f"people-{n_people}", pictures)
        folder = prepared(source)
        frames = step("find_cuts", folder)["frames"]
        seconds = in_turn(
            rounds,
            ours=lambda folder=folder: step("estimate_pose", folder)["seconds"],
            mediapipe=lambda source=source: run(mediapipe, HERE / "mediapipe_pose.py", source)["seconds"],
        )
        rates = [frames / seconds[name] for name in ("ours", "mediapipe")]
        name = f"{n_people} {'person' if n_people == 1 else 'people'}, {_size(folder)}"
        yield row(name, frames, *(f"{rate:.1f}" for rate in rates), f"**{rates[0] / rates[1]:.2f}**")


def of_floors(rounds: int) -> Iterator[str]:
    """Yield the table of every step beside what it cannot do without."""
    folder = prepared(DEMO / "park/walk.mp4")
    yield "Milliseconds a frame on two cores, clip park/walk.mp4."
    yield ""
    yield row("step", "takes", "decoding", "networks", "encoding", "floor", "over its floor", "memory, MB")
    yield row(*["---"] * 8)
    for name, source in CHAIN:  # what a step needs comes from the one before
        step(name, folder, source)
    bare: dict[tuple[str, tuple[int, ...]], float] = {}
    took_all = floor_all = 0.0
    for name, source in CHAIN:
        told: list[Told] = []

        def takes(name: str = name, source: str = source, told: list[Told] = told) -> float:
            told.append(step(name, folder, source))
            return float(told[-1]["seconds"])

        parts: dict[str, Callable[[], float]] = {name: takes}
        if DECODES.get(name, 1):
            parts["decoding"] = lambda source=source: step("decode", folder, source)["seconds"]
        if name in ENCODES:
            parts["encoding"] = lambda: step("encode", folder)["seconds"]
        seconds = in_turn(rounds, **parts)
        inference = 0.0
        for file, shape, count in told[-1]["networks"]:
            key = (file, tuple(shape))
            bare[key] = bare.get(key) or bare_seconds(*key)
            inference += count * bare[key]
        decoding = DECODES.get(name, 1) * seconds.get("decoding", 0.0)
        floor = decoding + inference + seconds.get("encoding", 0.0)
        frames = told[-1]["frames"]
        took_all, floor_all = took_all + seconds[name], floor_all + floor
        cells = [
            1000 * each / frames for each in (seconds[name], decoding, inference, seconds.get("encoding", 0), floor)
        ]
        yield row(
            f"`{name}`{' of the copy' if source == 'masked' and name not in ('audit', 'draw_skeleton') else ''}",
            *(f"{cell:.1f}" if cell else "–" for cell in cells),
            f"**{seconds[name] / floor:.2f}**" if floor else "–",
            f"{told[-1]['megabytes']:.0f}",
        )
    yield row("all", f"{1000 * took_all / frames:.1f}", "", "", "", f"{1000 * floor_all / frames:.1f}",
              f"**{took_all / floor_all:.2f}**", "")  # fmt: skip


def bare_seconds(file: str, shape: tuple[int, ...]) -> float:
    """Return seconds for one inference of a network when two threads run it all the time."""
    wants_pictures = file.endswith(".onnx") and shape[1] == 3
    network = compile_network(ROOT / "resources/models" / file, shape, THREADS, pictures=wants_pictures)
    given = np.zeros((shape[0], *shape[2:], 3), np.uint8) if wants_pictures else np.zeros(shape, np.float32)
    times = []
    with ThreadPoolExecutor(THREADS) as pool:
        for _ in range(4):
            start = time.perf_counter()
            count = 4 * THREADS
            list(pool.map(network, [given] * count))
            times.append((time.perf_counter() - start) / count)
    return min(times)


def of_parser(_: int) -> Iterator[str]:
    """Yield how long OpenPose's people are put together from its maps, by our own code, without the network."""
    yield row("people", "ms a frame")
    yield row("---", "---")
    for name, seconds in parser_times().items():
        yield row(name, f"{1000 * seconds:.1f}")


def of_growth(_: int) -> Iterator[str]:
    """Yield how time and memory grow with frames and with people."""
    steps = ("detect_faces", "estimate_pose", "anonymize", "search_faces")
    yield "One thread; the man of the clip in the park in a picture 256 pixels wide."
    yield ""
    yield row("frames", *(f"`{name}`, ms a frame | MB" for name in steps))
    yield row(*["---"] * (1 + 2 * len(steps)))
    for frames in (100, 800, 4800):
        folder = prepared(clip(f"frames-{frames}", lambda frames=frames: in_a_row(1, frames)))
        yield row(frames, *_grown(folder, steps))
    yield ""
    yield "The same man so many times side by side, 100 frames; the picture is 256 pixels wide for each."
    yield ""
    yield row("people", *(f"`{name}`, ms a frame | MB" for name in steps))
    yield row(*["---"] * (1 + 2 * len(steps)))
    for n_people in (1, 2, 4, 8):
        folder = prepared(clip(f"row-{n_people}", lambda n_people=n_people: in_a_row(n_people, 100)))
        yield row(n_people, *_grown(folder, steps))


def _grown(folder: Path, steps: Sequence[str]) -> Iterator[str]:
    step("find_cuts", folder)
    for name in steps:
        if name == "anonymize":
            step("track_faces", folder)
        told = step(name, folder, threads=1)
        yield f"{1000 * told['seconds'] / told['frames']:.1f}"
        yield f"{told['megabytes']:.0f}"


def of_long(_: int) -> Iterator[str]:
    """Yield what the steps that work on tables take for a video of two hours."""
    columns = {"12 minutes": (21_600, 1), "two hours": (216_000, 1), "12 minutes, 4 people": (21_600, 4)}
    yield "Made-up keypoints, 30 frames a second, of one person unless it says otherwise; the original and one copy."
    yield ""
    yield row("step", *(f"{name}: s | MB" for name in columns))
    yield row(*["---"] * (1 + 2 * len(columns)))
    cells: dict[str, list[str]] = {name: [] for name in long_video.STEPS}
    for frames, n_people in columns.values():
        with tempfile.TemporaryDirectory(prefix="bench-") as temporary:
            folder = f"{temporary}/video"
            command = [sys.executable, HERE / "long_video.py", "make", folder, str(frames), str(n_people)]
            subprocess.run(command, check=True)
            for name in long_video.STEPS:
                told = run(sys.executable, HERE / "long_video.py", name, folder)
                cells[name] += [f"{told['seconds']:.0f}", f"{told['megabytes']:.0f}"]
    for name, each in cells.items():
        yield row(f"`{name}`", *each)


def of_videos(_: int) -> Iterator[str]:
    """Yield what Snakemake takes for each video, with steps that do nothing."""
    yield "Steps that do nothing, one method, two cores: what is left is Snakemake, and starting Python for each step."
    yield ""
    yield row("videos", "steps", "s a video", "memory of Snakemake, MB")
    yield row(*["---"] * 4)
    for n_videos in (1, 10, 100):
        with tempfile.TemporaryDirectory(prefix="bench-") as temporary:
            folder = stand_in_workflow.make(ROOT, Path(temporary) / "study", n_videos)
            done = stand_in_workflow.measure(
                folder, "--cores", str(THREADS), *stand_in_workflow.settings("methods=[blur]")
            )
            if done.code:
                sys.exit(done.said[-2000:])
            steps = len(stand_in_workflow.begun(folder))
            yield row(f"{n_videos}", f"{steps:,}", f"{done.wall_s / n_videos:.1f}", f"{done.memory_mb:.0f}")


def _size(folder: Path) -> str:
    look = encode.layout(folder / "sanitized.mkv")
    return f"{look.width} × {look.height}"


PARTS: dict[str, tuple[str, Callable[[int], Iterator[str]]]] = {
    "peers": ("Beside others", of_peers),
    "floors": ("Beside what no step can do without", of_floors),
    "parser": ("OpenPose's people from its maps", of_parser),
    "growth": ("With length and with people", of_growth),
    "long": ("Tables of a long video", of_long),
    "videos": ("With the number of videos", of_videos),
}


def machine(rounds: int) -> str:
    """Return a sentence on what this was measured with, and in how many rounds."""
    cpu = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), cpu)
    packages = ("openvino", "av", "opencv-python-headless")
    versions = ", ".join(f"{package} {importlib.metadata.version(package)}" for package in packages)
    needed = [*peers.REQUIREMENTS.read_text("utf-8").splitlines(), *(HERE / "mediapipe.txt").read_text().splitlines()]
    others = ", ".join(line.replace("==", " ") for line in needed if line.startswith(("deface", "mediapipe")))
    return (
        f"Measured on {cpu}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}, "
        f"{versions}; others: {others}. Rounds of each comparison: {rounds}."
    )


def main() -> None:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="part", help=", ".join(PARTS))
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"of each comparison ({ROUNDS})")
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.parts) - set(PARTS))
    if unknown:
        parser.error(f"there is no part {', '.join(unknown)}; there are {', '.join(PARTS)}")
    downloads.fetch_all(downloads.load(ROOT / "config/demo_files.yaml"), DEMO)
    wanted = downloads.load(ROOT / "config/models.yaml")
    used = ("yunet", "centerface", "blazepose_detector", "blazepose_landmarks")
    downloads.fetch_all({name: wanted[name] for name in used}, ROOT / "resources/models")
    lines = []
    for name in arguments.parts or PARTS:
        title, make = PARTS[name]
        lines += [f"### {title}", ""]
        for line in make(arguments.rounds):
            print(line)
            lines.append(line)
        lines.append("")
    if not arguments.parts:
        write_between(PAGE, "make bench", "\n".join([*lines, machine(arguments.rounds)]))
        print(f"\nThe tables are in {PAGE.relative_to(ROOT)}.")


if __name__ == "__main__":
    main()
