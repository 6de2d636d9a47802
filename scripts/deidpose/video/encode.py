"""Encode pictures as H.264 in MP4."""

import os
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import av
import av.bitstream
import av.codec.context
import numpy as np
import pandas as pd
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from deidpose.errors import UserError
from deidpose.video.decode import decode_listed, open_video, orientation, plane_samples, upright_planes

#: x264 gives other bytes for another number of threads, so the number never follows the machine.
_ENCODER_THREADS = "2"


class Layout(NamedTuple):
    """What an encoder must know of a video besides its pictures. Colour codes are those of ITU-T H.273."""

    width: int
    height: int
    pixel_format: str
    colorspace: int
    primaries: int
    transfer: int
    color_range: int
    sample_aspect_ratio: Fraction


class Encoding(NamedTuple):
    """Settings of the H.264 encoder: constant rate factor (0..51, lower is better) and x264 preset."""

    crf: int
    preset: str


def layout(path: str | Path) -> Layout:
    """Return what an encoder must know of a sanitized video, from its first frame."""
    _, _, frame, stream = next(decode_listed(path, None, 1))
    transpose = orientation(frame)[0]
    size = (frame.width, frame.height)
    width, height = size[::-1] if transpose else size
    ratio = stream.codec_context.sample_aspect_ratio or Fraction(1)
    is_yuv = frame.format.name.startswith("yuv")
    _, full_range = upright_planes(frame)
    return Layout(
        width,
        height,
        "yuv444p" if width % 2 or height % 2 else "yuv420p",
        int(frame.colorspace) if is_yuv else 1,
        int(frame.color_primaries),
        int(frame.color_trc),
        2 if full_range else 1,
        1 / ratio if transpose and ratio else ratio,
    )


def encode(
    pictures: Iterable[tuple[np.ndarray, np.ndarray, np.ndarray]],
    timestamps: pd.DataFrame,
    look: Layout,
    settings: Encoding,
    destination: str | Path,
) -> None:
    """Encode pictures as H.264 in MP4 at exactly the given timestamps.

    The file has one stream and no tags, no encoder messages and no clock time. It appears under its name only
    when it is whole and its timestamps have been read back and are those of the source.

    Parameters
    ----------
    pictures : iterable of three arrays
        Planes as in `Frame`, one triple for every row of ``timestamps``.
    timestamps : DataFrame
        The table ``timestamps``.
    look, settings : Layout, Encoding
    destination : path

    Raises
    ------
    UserError
        There are fewer or more pictures than timestamps, or the file does not keep the timestamps.
    """
    partial = f"{destination}.partial"
    time_base = Fraction(
        int(timestamps["time_base_numerator"].iloc[0]), int(timestamps["time_base_denominator"].iloc[0])
    )
    pts = [int(p) for p in timestamps["pts"]]
    try:
        _encode(pictures, pts, time_base, look, settings, partial)
        container, stream = open_video(partial)
        with container:
            times = sorted(p.pts * p.time_base for p in container.demux(stream) if p.pts is not None)
        if times != [p * time_base for p in pts]:
            raise UserError("The encoded file does not keep the timestamps of the source; it was discarded.")
        os.replace(partial, destination)
    finally:
        Path(partial).unlink(missing_ok=True)


def _encode(
    pictures: Iterable[tuple[np.ndarray, np.ndarray, np.ndarray]],
    pts: list[int],
    time_base: Fraction,
    look: Layout,
    settings: Encoding,
    partial: str,
) -> None:
    muxer = {
        "fflags": "+bitexact",
        "movflags": "+faststart",
        "empty_hdlr_name": "1",
        "video_track_timescale": str(time_base.denominator),
        # The edit list, which holds the time of the first frame, is in this unit: milliseconds if nothing is said.
        "movie_timescale": str(time_base.denominator),
    }
    span = (pts[-1] - pts[0]) * time_base
    rate = Fraction(len(pts) - 1) / span if span else Fraction(25)
    with av.open(partial, "w", format="mp4", options=muxer) as output:
        stream = output.add_stream(
            "libx264",
            rate=rate.limit_denominator(1001 * 60),
            options={"crf": str(settings.crf), "preset": settings.preset, "threads": _ENCODER_THREADS},
        )
        stream.width, stream.height, stream.pix_fmt = look.width, look.height, look.pixel_format
        context = stream.codec_context
        context.time_base = time_base
        context.sample_aspect_ratio = look.sample_aspect_ratio
        context.colorspace, context.color_primaries = look.colorspace, look.primaries
        context.color_trc, context.color_range = look.transfer, look.color_range
        output.start_encoding()
        # x264 writes its version and settings into the stream as user data.
        without_messages = av.bitstream.BitStreamFilterContext("filter_units=remove_types=6", stream)
        index = -1
        for index, planes in enumerate(pictures):
            if index >= len(pts):
                raise UserError(f"There are more pictures than the {len(pts)} timestamps; the file was discarded.")
            frame = _frame(planes, look)
            frame.pts, frame.time_base = pts[index], time_base
            for packet in stream.encode(frame):
                _mux(output, stream, without_messages.filter(packet))
        if index + 1 != len(pts):
            raise UserError(f"There are {index + 1} pictures for {len(pts)} timestamps; the file was discarded.")
        for packet in stream.encode(None):
            _mux(output, stream, without_messages.filter(packet))
        _mux(output, stream, without_messages.filter(None))


def _mux(output: Any, stream: VideoStream, packets: "list[av.Packet[VideoStream]]") -> None:
    for packet in packets:
        packet.stream = stream
        output.mux(packet)


def _frame(planes: tuple[np.ndarray, np.ndarray, np.ndarray], look: Layout) -> VideoFrame:
    frame = VideoFrame(look.width, look.height, look.pixel_format)
    for plane, source in zip(frame.planes, planes, strict=True):
        target = plane_samples(plane)
        target[: source.shape[0], : source.shape[1]] = source
    frame.color_range = look.color_range
    frame.colorspace = look.colorspace
    return frame
