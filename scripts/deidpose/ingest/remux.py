"""Copy the coded pictures of a source, without anything else, into a Matroska file."""

import os
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.bitstream
import av.codec.context
import numpy as np
import pandas as pd

from deidpose.errors import UserError
from deidpose.ingest import stripping
from deidpose.runtime import sandbox
from deidpose.video.decode import CONTAINER_TICK_MS, IN_ORDER, open_video


def remux(path: str | Path, timestamps: pd.DataFrame, destination: str | Path) -> pd.DataFrame:
    """Copy the coded pictures of a source, and nothing else, into a Matroska file.

    Left behind are tags, chapters, audio, subtitles, data, attachments, cover pictures, further video streams and
    the units of the video stream that carry no picture. The display matrix stays.

    Parameters
    ----------
    path : path
        The source video.
    timestamps : DataFrame
        From `screen`: the frames that a player shows.
    destination : path
        The file to write, whole or not at all.

    Returns
    -------
    DataFrame
        The table ``timestamps``: the input with the column ``container_ms``.

    Raises
    ------
    UserError
        The codec cannot be stored, or the copy does not hold every listed frame.
    """
    partial = f"{destination}.partial"
    try:
        written = _copy_packets(path, partial)
        stripping.blank_unneeded(partial)
        listed = _match(written, timestamps)
        os.replace(partial, destination)
    except (av.error.FFmpegError, ValueError):
        raise UserError("The pictures cannot be copied: the codec or its timestamps do not fit Matroska.") from None
    finally:
        Path(partial).unlink(missing_ok=True)
    return timestamps.assign(container_ms=listed)


def _copy_packets(path: str | Path, partial: str) -> list[tuple[Fraction, int]]:
    """Copy, and return the source's timestamp in seconds and the copy's in milliseconds, packet by packet."""
    source_times: list[Fraction] = []
    container, stream = open_video(path)
    with container, av.open(partial, "w", format="matroska", options={"fflags": "+bitexact"}) as output:
        # Opaque: PyAV would otherwise look for an encoder of this codec, and there need be none.
        copy = output.add_stream_from_template(stream, opaque=True)
        copy.metadata.clear()
        output.metadata.clear()
        codec = stream.codec_context.codec.canonical_name
        chain = av.bitstream.BitStreamFilterContext(stripping.FILTERS.get(codec, "null"), stream, copy)
        copy.codec_context.codec_tag = "\0\0\0\0"  # a tag of the source's container may not exist in Matroska
        copy.codec_context.extradata = stripping.strip_header(bytes(copy.codec_context.extradata or b""), codec)
        time_base = stream.time_base
        assert time_base is not None
        for packet in container.demux(stream):
            sandbox.tick()
            flush = packet.size == 0
            for unit in chain.filter(None if flush else packet):
                if unit.pts is None:
                    unit.pts = unit.dts
                if unit.pts is None:
                    raise ValueError("a packet has no timestamp")
                source_times.append(unit.pts * time_base)
                # A packet of its own, without the side data that came with this one.
                unit = _replace_content(unit, stripping.strip_packet(bytes(unit), codec))
                unit.time_base = time_base
                unit.stream = copy
                output.mux(unit)
    container, stream = open_video(partial)
    with container:
        times = [round(p.pts * p.time_base * 1000) for p in container.demux(stream) if p.pts is not None]
    if len(times) != len(source_times):
        raise ValueError("the copy lost packets")
    return list(zip(sorted(source_times), sorted(times), strict=True))


def _replace_content(packet: "av.Packet[Any]", content: bytes) -> "av.Packet[Any]":
    copy = av.Packet(content)
    copy.pts, copy.dts, copy.duration = packet.pts, packet.dts, packet.duration
    copy.is_keyframe = packet.is_keyframe
    return copy


def _match(written: list[tuple[Fraction, int]], timestamps: pd.DataFrame) -> list[int]:
    """Return the millisecond at which the copy shows each listed frame, or `IN_ORDER` throughout."""
    if len(written) == len(timestamps):
        return [IN_ORDER] * len(timestamps)
    source = np.array([float(time) for time, _ in written])
    listed = timestamps["time_s"].to_numpy()
    nearest = np.clip(np.searchsorted(source, listed - CONTAINER_TICK_MS / 2000), 0, len(source) - 1)
    if np.any(np.abs(source[nearest] - listed) > CONTAINER_TICK_MS / 1000):
        raise ValueError("a frame has no packet of its own")
    return [written[index][1] for index in nearest]
