"""What the tests share: the fetched networks and clips, and a short real video in as many forms as files have."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import settings

from deidpose import tables
from deidpose.faces import detection, linking
from deidpose.ingest import examine, remux
from deidpose.keypoints import poses
from deidpose.pose import registry
from deidpose.video import decode
from deidpose.video.frames import Frame
from deidpose.workflow import downloads
from fixtures.bodies import estimated
from fixtures.video_files import write_video

# The same examples in every run, and no limit of time for one: machines differ.
settings.register_profile("deidpose", derandomize=True, deadline=None)
settings.load_profile("deidpose")


@pytest.fixture(scope="session")
def root() -> Path:
    """Return the top of the repository."""
    return Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def models(root: Path, config: dict[str, Any]) -> dict[str, Path]:
    """Return name -> path of the networks that the default settings need; fetched where they are not there yet."""
    entries = downloads.load(root / "config/models.yaml")
    names = [*registry.networks(config["pose"]).values(), "yunet", "centerface"]
    paths = {name: root / "resources/models" / entries[name]["file"] for name in names}
    for name, path in paths.items():
        downloads.fetch(entries[name], path)
    return paths


@pytest.fixture(scope="session")
def demo(root: Path) -> Path:
    """Return the directory of the demo clips; fetched where they are not there yet."""
    downloads.fetch_all(downloads.load(root / "config/demo_files.yaml"), root / "resources/demo")
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
def frames(clip: Path) -> list[Frame]:
    """Return the frames of the clip as every step of the workflow gets them."""
    _, timestamps = examine.decode_source(clip, examine.Limits(10**9, 10**7, 60, 1000))
    timestamps = remux.remux(clip, timestamps, clip.with_suffix(".mkv"))
    return list(decode.read_frames(clip.with_suffix(".mkv"), timestamps))


@pytest.fixture(scope="session")
def detections(frames: list[Frame], models: dict[str, Path], config: dict[str, Any]) -> pd.DataFrame:
    """Return the faces that YuNet finds in the clip."""
    return detection.detect_faces(frames, models["yunet"], config["faces"]["score_threshold"], 15)


@pytest.fixture(scope="session")
def keypoints(frames: list[Frame], models: dict[str, Path], config: dict[str, Any]) -> pd.DataFrame:
    """Return the keypoints that BlazePose finds in the clip."""
    return estimated(frames, 30.0, models, config["pose"], 1)


@pytest.fixture(scope="session")
def tracked(detections: pd.DataFrame, keypoints: pd.DataFrame, config: dict[str, Any]) -> linking.Tracked:
    """Return what is masked in the clip."""
    body, cuts = poses(keypoints), tables.empty("cuts")
    return linking.track_faces(detections, body, cuts, 30, 30.0, (884, 498), config["faces"])


@pytest.fixture
def variant(pictures: list[np.ndarray], tmp_path: Path) -> Callable[..., Path]:
    """Return a function (name, pictures=None, **options) -> path that writes a video as `write_video` does."""

    def write(name: str, chosen: Sequence[np.ndarray] | None = None, **options: object) -> Path:
        return write_video(tmp_path / name, pictures[:10] if chosen is None else chosen, **options)

    return write
