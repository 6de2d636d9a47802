"""Decode video files through PyAV.

Every picture comes out upright: the display matrix of the file (rotation, mirroring) is applied on reading.
"""

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import av.bitstream
import av.codec.context
import numpy as np
import pandas as pd
from av.container import InputContainer
from av.sidedata import sidedata
from av.video.frame import VideoFrame
from av.video.plane import VideoPlane
from av.video.stream import VideoStream

from deidpose.errors import UserError
from deidpose.video.frames import Frame

NO_VIDEO = (
    "The file is not a video that can be read: its content is no MP4, QuickTime, AVI, Matroska or WebM, "
    "or its index is missing because the copy was cut short."
)


#: The only demuxers that may look at a source. Playlists, concat scripts and image sequences, which make FFmpeg
#: open other files or addresses, are not among them; neither are network protocols. What is read to find out what
#: the streams are is bounded (bytes, microseconds, packets), and so is the number of streams.
_OPEN_OPTIONS = {
    "format_whitelist": "mov,mp4,m4a,3gp,3g2,mj2,avi,matroska,webm",
    "protocol_whitelist": "file",
    "enable_drefs": "0",
    "probesize": "5000000",
    "analyzeduration": "5000000",
    "max_probe_packets": "2500",
    "max_streams": "100",
}

CONTAINER_TICK_MS = 1.0  # Matroska, as FFmpeg writes it, counts milliseconds

#: ``container_ms`` of a sanitized video in which every coded picture is shown: frames match by their order.
IN_ORDER = -1


def open_container(path: str | Path, pixels: int | None = None) -> InputContainer:
    """Open a file with every restriction there is; parameters and errors as `open_video`."""
    limit = {} if pixels is None else {"max_pixels": str(pixels)}
    try:
        # "file:" keeps a name such as "http:x.mp4" from being read as an address.
        return av.open(f"file:{os.path.abspath(path)}", options=_OPEN_OPTIONS | limit, metadata_errors="replace")
    except MemoryError:
        raise
    except (av.error.FFmpegError, OSError, ValueError):
        raise UserError(NO_VIDEO) from None


def open_video(path: str | Path, threads: int = 1, pixels: int | None = None) -> tuple[InputContainer, VideoStream]:
    """Open a video file and choose its picture stream: the largest that is neither hidden nor a cover picture.

    Parameters
    ----------
    path : path
    threads : int
        Threads of the decoder.
    pixels : int, optional
        The most pixels of a picture; the decoder refuses more before it takes memory for them.

    Raises
    ------
    UserError
        The content is not one of the accepted containers, or holds no video stream. The sentence names no file.
    """
    container = open_container(path, pixels)
    streams = [s for s in container.streams.video if not _is_cover(s) and s.codec_context is not None]
    if container.format.name.startswith("mov"):
        # Players show the tracks that are enabled; a larger one may be there and hidden.
        streams = [s for s in streams if s.disposition & av.stream.Disposition.default] or streams
    if not streams:
        container.close()
        raise UserError("The file has no video stream.")
    stream = max(streams, key=lambda s: (s.codec_context.width or 0) * (s.codec_context.height or 0))
    if pixels is not None:
        stream.codec_context.options = {"max_pixels": str(pixels)}
    stream.codec_context.thread_count = threads
    stream.codec_context.thread_type = "AUTO"
    # A clip cut out of a longer recording may start before its decoder has "recovered"; players show such frames,
    # and so must we, with or without the recovery messages that sanitizing removes.
    stream.codec_context.flags |= int(av.codec.context.Flags.output_corrupt)
    return container, stream


def _is_cover(stream: VideoStream) -> bool:
    kinds = av.stream.Disposition.attached_pic | av.stream.Disposition.timed_thumbnails
    return bool(stream.disposition & kinds)


def read_frames(path: str | Path, timestamps: pd.DataFrame | None = None, threads: int = 1) -> Iterator[Frame]:
    """Decode a sanitized or an encoded video.

    Parameters
    ----------
    path : path
        A file that `remux` or `encode` has written.
    timestamps : DataFrame, optional
        The table ``timestamps`` of a sanitized video. Its times replace those of the container, which is
        accurate to a millisecond only, and frames that it does not list (those that an edit list hides from
        players) are left out.
    threads : int
        Threads of the decoder.

    Raises
    ------
    UserError
        The video does not decode, or its frames are not those of ``timestamps``.
    """
    for index, time_s, frame, _ in decode_listed(path, timestamps, threads):
        planes, full_range = upright_planes(frame)
        yield Frame(index, time_s, planes, full_range)


def decode_listed(
    path: str | Path, timestamps: pd.DataFrame | None, threads: int
) -> Iterator[tuple[int, float, VideoFrame, VideoStream]]:
    """Yield index, time in seconds, frame as decoded and its stream; parameters and errors as `read_frames`."""
    container, stream = open_video(path, threads)
    times = None if timestamps is None else timestamps["time_s"].tolist()
    container_ms = [] if timestamps is None else timestamps["container_ms"].tolist()
    with container:
        index = 0
        for frame in _decode(container, stream):
            if times is None:
                yield index, _time_s(frame), frame, stream
            else:
                if index == len(times) or not _is_listed(frame, index, container_ms[index]):
                    continue
                yield index, times[index], frame, stream
            index += 1
        if times is not None and index < len(times):
            raise UserError(f"The sanitized video ends at frame {index} of {len(times)}; run the workflow again.")


def _time_s(frame: VideoFrame) -> float:
    assert frame.pts is not None
    assert frame.time_base is not None
    return float(frame.pts * frame.time_base)


def _is_listed(frame: VideoFrame, index: int, expected_ms: int) -> bool:
    """Return whether ``frame`` is the listed frame ``index``, rather than one before it that players hide."""
    if expected_ms == IN_ORDER:
        return True
    late_ms = _time_s(frame) * 1000 - expected_ms
    if late_ms > CONTAINER_TICK_MS:
        raise UserError(f"Frame {index} of the sanitized video is missing; run the workflow again.")
    return late_ms >= -CONTAINER_TICK_MS


def _decode(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    try:
        for packet in container.demux(stream):
            yield from packet.decode()
    except av.error.FFmpegError:
        raise UserError("The video does not decode to its end; run the workflow again from its source.") from None


@classmethod  # type: ignore[misc]  # it becomes one of an enumeration
def _unknown_kind(enumeration: Any, value: object) -> Any:
    kind = object.__new__(enumeration)
    kind._name_, kind._value_ = f"UNKNOWN_{value}", value
    return kind


# FFmpeg knows more kinds of side data than PyAV does, such as Exif and the views of stereo recordings, and PyAV would
# give no side data at all of a frame that has one of them.
sidedata.Type._missing_ = _unknown_kind  # type: ignore[assignment,method-assign]


def side_data(frame: VideoFrame) -> sidedata.SideDataContainer:
    """Return what comes with a decoded frame besides its picture, as ``frame.side_data`` does.

    That attribute would keep what it gives, and what it gives keeps the frame: the memory of frames would then be given
    back only when Python next looks for cycles, hundreds of frames later.
    """
    return sidedata.SideDataContainer(frame)  # type: ignore[call-arg]  # its stub leaves out the frame


def orientation(frame: VideoFrame) -> tuple[bool, bool, bool]:
    """Return whether the picture must be transposed, then flipped left-right, then flipped up-down.

    The display matrix maps a stored point (x, y) to (a x + c y, b x + d y); see FFmpeg, ``display.h``.
    """
    matrix: Any = side_data(frame).get("DISPLAYMATRIX")
    if matrix is None:
        return False, False, False
    a, b, _, c, d, *_ = struct.unpack("=9i", bytes(matrix))
    if abs(b) > abs(a):
        return True, c < 0, b < 0
    return False, a < 0, d < 0


def rotation_deg(frame: VideoFrame) -> int:
    """Return the clockwise rotation, 0, 90, 180 or 270 degrees, that makes the stored picture upright."""
    transpose, _, flip_y = orientation(frame)
    if transpose:
        return 270 if flip_y else 90
    return 180 if flip_y else 0


def _upright(plane: np.ndarray, turn: tuple[bool, bool, bool]) -> np.ndarray:
    transpose, flip_x, flip_y = turn
    if transpose:
        plane = plane.T
    return plane[:: -1 if flip_y else 1, :: -1 if flip_x else 1]


def upright_planes(frame: VideoFrame) -> tuple[tuple[np.ndarray, np.ndarray, np.ndarray], bool]:
    """Return the upright planes of a frame, and whether its luma spans 0..255 instead of 16..235."""
    width, height = frame.width, frame.height
    full_range = int(frame.color_range) == 2 or frame.format.name.startswith("yuvj")
    # 4:2:0 has a chroma sample for two by two pixels, so an odd size needs 4:4:4.
    odd = bool(width % 2 or height % 2)
    target = "yuv444p" if odd else "yuv420p"
    if frame.format.name not in (target, target.replace("yuv", "yuvj")):
        if not frame.format.name.startswith("yuv"):  # RGB and palettes become BT.709, limited range
            frame = frame.reformat(format=target, dst_colorspace="ITU709", dst_color_range="MPEG")
            full_range = False
        else:
            level = "JPEG" if full_range else "MPEG"
            frame = frame.reformat(format=target, src_color_range=level, dst_color_range=level)
    turn = orientation(frame)
    shapes = [(height, width)] + [(height, width) if odd else (height // 2, width // 2)] * 2
    planes = []
    for plane, (rows, columns) in zip(frame.planes, shapes, strict=True):
        stored = plane_samples(plane)[:rows, :columns]
        planes.append(np.ascontiguousarray(_upright(stored, turn)))
    return (planes[0], planes[1], planes[2]), full_range


def plane_samples(plane: VideoPlane) -> np.ndarray:
    """Return the memory of a plane, not a copy of it, shape (rows, line_size): a line may end in padding."""
    # Every plane is a buffer, which its type tells only from Python 3.12 on.
    memory: np.ndarray = np.frombuffer(plane, np.uint8)  # type: ignore[call-overload]
    return memory.reshape(-1, plane.line_size)
