"""The delivered file: every coded picture in it has the mask, and there is nothing in it but those pictures."""

import struct
from collections import Counter
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.bitstream
import numpy as np
import pandas as pd
import pytest
from av.video.frame import PictureType

from deidpose.masking import masks
from deidpose.video import encode
from deidpose.video.frames import Frame

#: Units of H.264 (ITU-T H.264, table 7-1): slices of a picture, of one that all can start from, and parameter sets.
SLICE, KEY_SLICE, SEQUENCE, PICTURE = 1, 5, 7, 8


@pytest.fixture(scope="module")
def regions(frames: list[Frame]) -> pd.DataFrame:
    """Return two regions that move, one of them out of the picture, and that are missing from no frame."""
    height, width = frames[0].planes[0].shape
    index = np.arange(len(frames))
    first = pd.DataFrame({"frame": index, "x_px": 500.0 - 3 * index, "y_px": 240.0, "width_px": 80.0})
    second = pd.DataFrame({"frame": index, "x_px": width - 60.0 + 2 * index, "y_px": height - 50.0, "width_px": 64.0})
    return pd.concat([first, second]).assign(height_px=lambda rows: rows["width_px"])


@pytest.fixture(scope="module")
def delivered(
    frames: list[Frame], regions: pd.DataFrame, config: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    path = tmp_path_factory.mktemp("delivered") / "block.mp4"
    count, (height, width) = len(frames), frames[0].planes[0].shape
    times = {"frame": range(count), "pts": range(count), "time_base_numerator": 1, "time_base_denominator": 30}
    table = pd.DataFrame({**times, "time_s": np.arange(count) / 30, "container_ms": 0})
    pictures = masks.mask_frames(frames, regions, "block", masks.Strength(**config["mask"]))
    look = encode.Layout(width, height, "yuv420p", 1, 1, 1, 1, Fraction(1))
    encode.encode(pictures, table, look, encode.Encoding(**config["encode"]), path)
    return path


@pytest.mark.parametrize("loop_filter", ["default", "all"])
def test_a_block_is_black_in_every_picture_of_every_kind(
    delivered: Path, regions: pd.DataFrame, loop_filter: str
) -> None:
    """With the decoder's smoothing of block edges and, in a second pass, without it ("all": left out for all)."""
    kinds: Counter[str] = Counter()
    with av.open(str(delivered)) as container:
        stream = container.streams.video[0]
        stream.codec_context.options = {"skip_loop_filter": loop_filter}
        for index, frame in enumerate(container.decode(stream)):
            kind = PictureType(frame.pict_type).name
            kinds[kind] += 1
            luma = frame.to_ndarray()[: frame.height].astype(int)
            rows, columns = np.indices(luma.shape) + 0.5
            for row in regions[regions["frame"] == index].itertuples():
                half = row.width_px / 2
                # Two pixels inside the edge, where the encoder has bright pixels in the same block of four.
                inside = np.hypot(columns - row.x_px - half, rows - row.y_px - half) < half - 2
                if inside.any():
                    assert np.abs(luma[inside] - 16).max() <= 24, (index, kind)
                    assert np.abs(luma[inside] - 16).mean() < 1.5
    assert sum(kinds.values()) == 30
    assert {"I", "P", "B"} <= set(kinds)


def units(path: Path) -> list[bytes]:
    """Return the units of the coded stream, parameter sets included."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        chain = av.bitstream.BitStreamFilterContext("h264_mp4toannexb", stream)
        content = b"".join(
            bytes(part) for packet in container.demux(stream) for part in chain.filter(packet if packet.size else None)
        )
    parts = content.replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1")
    assert not parts[0]
    return parts[1:]


def test_the_coded_stream_holds_one_picture_for_each_frame_and_nothing_else(
    delivered: Path, frames: list[Frame]
) -> None:
    """No auxiliary or redundant picture, no second view, no messages (types 19, 20, 14, 6 and others)."""
    found = units(delivered)
    assert {unit[0] & 0x1F for unit in found} == {SLICE, KEY_SLICE, SEQUENCE, PICTURE}
    assert len({unit for unit in found if unit[0] & 0x1F in (SEQUENCE, PICTURE)}) == 2
    # A slice begins with the number of its first macroblock; a set bit says 0, which is where a picture begins.
    begun = [unit for unit in found if unit[0] & 0x1F in (SLICE, KEY_SLICE) and unit[1] & 0x80]
    assert len(begun) == len(frames)


def boxes(content: bytes) -> dict[str, bytes]:
    """Return the boxes of a piece of MP4 by name, each of which is there once (ISO 14496-12, 4.2)."""
    found: dict[str, bytes] = {}
    offset = 0
    while offset < len(content):
        length, name = struct.unpack(">I4s", content[offset : offset + 8])
        assert length >= 8
        assert name.decode() not in found
        found[name.decode()] = content[offset + 8 : offset + length]
        offset += length
    return found


def test_the_file_holds_one_stream_no_cover_and_no_bytes_beside_its_pictures(delivered: Path) -> None:
    with av.open(str(delivered)) as container:
        assert [stream.type for stream in container.streams] == ["video"]
        assert not container.streams.video[0].disposition & av.stream.Disposition.attached_pic
        size = sum(packet.size for packet in container.demux(video=0))
    outer = boxes(delivered.read_bytes())
    assert set(outer) <= {"ftyp", "moov", "mdat", "free"}
    inner = boxes(outer["moov"])
    assert set(inner) == {"mvhd", "trak", "udta"}
    assert inner["udta"].endswith(b"\0\0\0\x08ilst")  # a list of tags with none in it
    assert len(outer["mdat"]) == size
    assert not any(outer.get("free", b""))
