"""What the tests share: the fetched networks and clips, and a short real video in as many forms as files have."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import settings

from deidpose import faces, video
from deidpose import models as fetched
from deidpose.pose import blazepose

# The same examples in every run, and no limit of time for one: machines differ.
settings.register_profile("deidpose", derandomize=True, deadline=None)
settings.load_profile("deidpose")

#: What a phone writes into a file besides the pictures. Every value can be searched for in the bytes of a result.
TAGS = {
    "title": "Erika Mustermann",
    "creation_time": "2019-08-07T06:05:04.000000Z",
    "location": "+48.1372+011.5755/",
    "comment": "left knee, 2nd visit",
}

#: Display matrices of FFmpeg by what they do to the stored picture.
TURNS = {
    "clockwise": (0, 1, -1, 0),
    "upside down": (-1, 0, 0, -1),
    "counter-clockwise": (0, -1, 1, 0),
    "mirrored": (-1, 0, 0, 1),
    "flipped": (1, 0, 0, -1),
    "transposed": (0, 1, 1, 0),
}


@pytest.fixture(scope="session")
def root() -> Path:
    """Return the top of the repository."""
    return Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def models(root: Path) -> dict[str, Path]:
    """Return name -> path of the networks; fetched where they are not there yet."""
    entries = fetched.load(root / "config/models.yaml")
    paths = {name: root / "resources/models" / entry["file"] for name, entry in entries.items()}
    for name, path in paths.items():
        fetched.fetch(entries[name], path)
    return paths


@pytest.fixture(scope="session")
def demo(root: Path) -> Path:
    """Return the directory of the demo clips; fetched where they are not there yet."""
    fetched.fetch_all(fetched.load(root / "config/demo_files.yaml"), root / "resources/demo")
    return root / "resources/demo"


@pytest.fixture(scope="session")
def pictures(demo: Path) -> list[np.ndarray]:
    """Return 30 pictures, shape (498, 884, 3), red-green-blue: two people in a park, their faces in view."""
    chosen = []
    with av.open(str(demo / "park/walk.mp4")) as container:
        container.streams.video[0].thread_type = "AUTO"
        for index, frame in enumerate(container.decode(video=0)):
            if 95 <= index < 125:
                picture = cv2.resize(frame.to_ndarray(format="rgb24"), (884, 498), interpolation=cv2.INTER_AREA)
                chosen.append(picture)
            if index == 124:
                break
    return chosen


@pytest.fixture(scope="session")
def clip(pictures: list[np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return those pictures as H.264 in MP4 at 30 frames per second, with sound and tags, as from a phone."""
    return write_video(tmp_path_factory.mktemp("clip") / "clip.mp4", pictures)


@pytest.fixture(scope="session")
def config(root: Path) -> dict[str, Any]:
    """Return the settings that come with the workflow."""
    settings: dict[str, Any] = yaml.safe_load((root / "config/config.yaml").read_text("utf-8"))
    return settings


@pytest.fixture(scope="session")
def frames(clip: Path) -> list[video.Frame]:
    """Return the frames of the clip as every step of the workflow gets them."""
    _, timestamps = video.screen(clip, video.Limits(10**9, 10**7, 60, 1000))
    timestamps = video.remux(clip, timestamps, clip.with_suffix(".mkv"))
    return list(video.read_frames(clip.with_suffix(".mkv"), timestamps))


@pytest.fixture(scope="session")
def detections(frames: list[video.Frame], models: dict[str, Path], config: dict[str, Any]) -> pd.DataFrame:
    """Return the faces that YuNet finds in the clip."""
    return faces.detect(frames, models["yunet"], config["faces"]["score_threshold"])


@pytest.fixture(scope="session")
def keypoints(frames: list[video.Frame], models: dict[str, Path], config: dict[str, Any]) -> pd.DataFrame:
    """Return the keypoints that BlazePose finds in the clip."""
    return blazepose.estimate(frames, 30.0, models, config["pose"], 1)


@pytest.fixture
def variant(pictures: list[np.ndarray], tmp_path: Path) -> Callable[..., Path]:
    """Return a function (name, pictures=None, **options) -> path that writes a video as `write_video` does."""

    def write(name: str, chosen: Sequence[np.ndarray] | None = None, **options: object) -> Path:
        return write_video(tmp_path / name, pictures[:10] if chosen is None else chosen, **options)

    return write


def write_video(
    path: Path,
    pictures: Sequence[np.ndarray],
    *,
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    container: str | None = None,
    rate: Fraction = Fraction(30),
    time_base: Fraction | None = None,
    pts: Sequence[int] | None = None,
    turn: str | None = None,
    full_range: bool = False,
    sound: str | None = "aac",
    tags: dict[str, str] = TAGS,
    options: dict[str, str] | None = None,
    muxer: dict[str, str] | None = None,
    first_shown: int | None = None,
) -> Path:
    """Write a video with every property given, by PyAV itself and nothing of the library under test.

    Parameters
    ----------
    pictures : sequence of arrays, shape (height, width, 3), red-green-blue
        As stored; ``turn``, a key of `TURNS`, is what a player does to them.
    codec, pixel_format, container, options, muxer
        As FFmpeg names them; the container is guessed from the name of the file.
    rate, time_base, pts
        Constant rate, or timestamps in units of a time base.
    sound : str, optional
        Codec of a stream with a tone of 440 hertz; it lasts as long as the pictures.
    first_shown : int, optional
        Move time zero to this frame, so that an MP4 hides the frames before by its edit list.
    """
    time_base = time_base or 1 / Fraction(rate)
    pts = list(range(len(pictures))) if pts is None else list(pts)
    zero = 0 if first_shown is None else pts[first_shown]
    height, width = pictures[0].shape[:2]
    with av.open(str(path), "w", format=container, options=muxer or {}) as output:
        stream = output.add_stream(codec, rate=rate, options=options or {})
        stream.width, stream.height, stream.pix_fmt = width, height, pixel_format
        context = stream.codec_context
        context.time_base = time_base
        context.color_range = 2 if full_range else 1
        context.thread_count = 2
        if turn is not None:
            a, b, c, d = (value << 16 for value in TURNS[turn])
            stream.set_display_matrix([a, b, 0, c, d, 0, 0, 0, 1 << 30])
        voice = output.add_stream(sound, rate=48000) if sound else None
        output.metadata.update(tags)
        for index, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame = frame.reformat(format=pixel_format, dst_color_range="JPEG" if full_range else "MPEG")
            frame.color_range = 2 if full_range else 1
            frame.pts, frame.time_base = pts[index], time_base
            _mux(output, stream.encode(frame), zero * time_base)
        _mux(output, stream.encode(None), zero * time_base)
        if voice is not None:
            _add_tone(output, voice, float((pts[-1] - pts[0]) * time_base))
    return path


def _mux(output: av.container.OutputContainer, packets: list[av.Packet], zero_s: Fraction) -> None:
    for packet in packets:
        shift = round(zero_s / packet.time_base)
        packet.pts -= shift
        packet.dts -= shift
        output.mux(packet)


def _add_tone(output: av.container.OutputContainer, voice: av.AudioStream, duration_s: float) -> None:
    time = np.arange(round(duration_s * 48000)) / 48000
    tone = (np.sin(2 * np.pi * 440 * time) * 8000).astype(np.int16)[None]
    frame = av.AudioFrame.from_ndarray(tone, format="s16", layout="mono")
    frame.sample_rate, frame.pts = 48000, 0
    resampler = av.AudioResampler(format=voice.codec_context.format, layout="stereo", rate=48000)
    for part in [*resampler.resample(frame), None]:
        for packet in voice.encode(part):
            output.mux(packet)
