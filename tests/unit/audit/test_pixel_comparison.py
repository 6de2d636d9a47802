from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from deidpose.audit.pixel_comparison import Comparison, compare_pixels
from deidpose.faces import linking
from deidpose.ingest import examine
from deidpose.masking import masks
from deidpose.video import decode, encode
from deidpose.video.frames import Frame

N = 8
METHODS = ("blur", "block", "pixelate")
Hide = Callable[..., list[Frame]]


@pytest.fixture(scope="module")
def regions(tracked: linking.Tracked) -> pd.DataFrame:
    return tracked.faces[(tracked.faces["frame"] < N) & (tracked.faces["person"] >= 0)]


@pytest.fixture(scope="module")
def hide(frames: list[Frame], regions: pd.DataFrame, config: dict[str, Any]) -> Hide:
    def run(method: str, where: pd.DataFrame = regions, **strength: Any) -> list[Frame]:
        planes = masks.mask_frames(frames[:N], where, method, masks.Strength(**(config["mask"] | strength)))
        return [frame._replace(planes=shown) for frame, shown in zip(frames[:N], planes, strict=True)]

    return run


@pytest.fixture(scope="module")
def look(frames: list[Frame], regions: pd.DataFrame, config: dict[str, Any]) -> Callable[..., Comparison]:
    def run(shown: list[Frame], method: str, where: pd.DataFrame = regions, **strength: Any) -> Comparison:
        return compare_pixels(frames[:N], shown, where, method, config["mask"] | strength)

    return run


@pytest.mark.parametrize("method", METHODS)
def test_a_masked_file_is_masked_where_it_should_be_and_the_same_elsewhere(
    method: str, hide: Hide, look: Callable[..., Comparison]
) -> None:
    found = look(hide(method), method)
    assert found.not_applied.empty
    assert (found.n_frames, found.n_unlike) == (N, 0)


@pytest.mark.parametrize("method", METHODS)
def test_a_file_that_was_never_masked_has_no_mask_at_all(
    method: str, frames: list[Frame], regions: pd.DataFrame, look: Callable[..., Comparison]
) -> None:
    found = look(frames[:N], method)
    assert len(found.not_applied) == len(regions)
    assert found.not_applied["score"].min() > 0.99
    assert found.n_unlike == 0


@pytest.mark.parametrize("method", METHODS)
def test_a_single_frame_without_its_masks_is_seen(
    method: str, frames: list[Frame], regions: pd.DataFrame, hide: Hide, look: Callable[..., Comparison]
) -> None:
    shown = hide(method)
    shown[5] = frames[5]
    found = look(shown, method)
    assert found.not_applied["frame"].tolist() == [5] * int((regions["frame"] == 5).sum())


@pytest.mark.parametrize("method", METHODS)
def test_masks_somewhere_else_are_not_these(
    method: str, regions: pd.DataFrame, hide: Hide, look: Callable[..., Comparison]
) -> None:
    found = look(hide(method, regions.assign(x_px=regions["x_px"] + 100)), method)
    assert len(found.not_applied) == len(regions)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("crf", [20, 38])
def test_the_encoder_changes_nothing_about_it(
    crf: int,
    method: str,
    frames: list[Frame],
    clip: Path,
    hide: Hide,
    look: Callable[..., Comparison],
    tmp_path: Path,
) -> None:
    _, timestamps = examine.decode_source(clip, examine.Limits(10**9, 10**7, 60, 1000))
    layout = encode.layout(clip.with_suffix(".mkv"))
    for shown, masked in ((hide(method), True), (frames[:N], False)):
        pictures = (frame.planes for frame in shown)
        encoding = encode.Encoding(crf, "superfast")
        encode.encode(pictures, timestamps.iloc[:N], layout, encoding, tmp_path / "masked.mp4")
        found = look(list(decode.read_frames(tmp_path / "masked.mp4")), method)
        assert found.not_applied.empty == masked
        assert found.n_unlike == 0


def test_another_video_under_this_name_is_seen_in_every_frame(
    frames: list[Frame], hide: Hide, look: Callable[..., Comparison]
) -> None:
    other = [
        frame._replace(planes=tuple(np.ascontiguousarray(plane[:, ::-1]) for plane in frame.planes))
        for frame in hide("block")
    ]
    assert look(other, "block").n_unlike == N


def test_a_picture_of_another_size_is_not_this_video(hide: Hide, look: Callable[..., Comparison]) -> None:
    smaller = [frame._replace(planes=tuple(plane[:-2, :-2] for plane in frame.planes)) for frame in hide("block")]
    assert look(smaller, "block").n_unlike == N


@pytest.mark.parametrize(("made", "named"), [("blur", "block"), ("block", "blur"), ("block", "pixelate")])
def test_a_file_of_another_method_is_not_what_its_name_says(
    made: str, named: str, regions: pd.DataFrame, hide: Hide, look: Callable[..., Comparison]
) -> None:
    assert len(look(hide(made), named).not_applied) == len(regions)


@pytest.mark.parametrize(("method", "weak"), [("blur", {"blur_strength": 0.1}), ("pixelate", {"pixelate_cells": 12})])
def test_a_mask_as_weak_as_the_settings_allow_is_one(
    method: str, weak: dict[str, Any], regions: pd.DataFrame, hide: Hide, look: Callable[..., Comparison]
) -> None:
    large = regions.assign(x_px=regions["x_px"] - 50, y_px=regions["y_px"] - 50, width_px=120.0, height_px=120.0)
    assert look(hide(method, large, **weak), method, large, **weak).not_applied.empty


def test_a_region_without_structure_needs_no_mask(
    frames: list[Frame], regions: pd.DataFrame, look: Callable[..., Comparison]
) -> None:
    sky = regions.assign(x_px=10.0, y_px=10.0, width_px=40.0, height_px=40.0)
    assert look(frames[:N], "blur", sky).not_applied.empty


@pytest.mark.parametrize(("n_frames", "expected"), [(N - 1, N - 1), (N + 1, N + 1)])
def test_the_frames_of_the_delivered_file_are_counted(
    n_frames: int, expected: int, hide: Hide, look: Callable[..., Comparison]
) -> None:
    shown = (hide("block") * 2)[:n_frames]
    assert look(shown, "block").n_frames == expected


def test_the_masked_share_is_that_of_the_masks_within_the_picture(look: Callable[..., Comparison], hide: Hide) -> None:
    half_outside = pd.DataFrame(
        {"frame": [0], "track": 0, "x_px": -100.0, "y_px": 0.0, "width_px": 200.0, "height_px": 200.0}
    )
    rectangle = look(hide("block", half_outside), "block", half_outside, shape="rectangle")
    assert rectangle.masked_share == pytest.approx(100 * 200 / (N * 884 * 498), rel=0.05)
    twice = pd.concat([half_outside, half_outside])
    ellipse = look(hide("block", half_outside), "block", twice, shape="ellipse")
    assert ellipse.masked_share == pytest.approx(np.pi / 4 * 100 * 200 / (N * 884 * 498), rel=0.05)


def test_a_video_without_masks_has_nothing_to_compare_but_the_pictures(
    frames: list[Frame], regions: pd.DataFrame, look: Callable[..., Comparison]
) -> None:
    found = look(frames[:N], "blur", regions.iloc[:0])
    assert found.not_applied.empty
    assert list(found.not_applied) == ["frame", "x_px", "y_px", "width_px", "height_px", "score", "source"]
    assert (found.masked_share, found.n_unlike) == (0, 0)
