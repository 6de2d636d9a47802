"""Videos: open, screen, decode, stream-copy and encode, through PyAV.

Pictures are handled as three planes (luma, two chroma), never converted to RGB and back: what is not masked
reaches the encoder bit for bit as the decoder gave it. All pictures are upright: the display matrix of the
file (rotation and mirroring) is applied on reading, and nothing that is written needs one.
"""

import math
import os
import stat
import struct
from collections.abc import Collection, Iterable, Iterator, Sequence
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import av
import av.bitstream
import av.codec.context
import cv2
import numpy as np
import pandas as pd
from av.container import InputContainer
from av.sidedata import sidedata
from av.video.frame import VideoFrame
from av.video.plane import VideoPlane
from av.video.stream import VideoStream

from deidpose import guard, stripping, structure
from deidpose.errors import UserError

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

#: x264 gives other bytes for another number of threads, so the number never follows the machine.
_ENCODER_THREADS = "2"

_LATEST_START_S = 3600  # no cut or delay explains more
_SMALLEST_SIDE_PX = 32  # the smallest picture that every network takes

#: How far the sides of a pixel may differ, as a share. Encoders round the width of a picture that they scale to even
#: pixels, which leaves up to half a percent; a line of the body is then turned by 0.15 degrees at most.
_MOST_STRETCHED = 0.005

#: Packets may be compressed in the file, but not by much; and a small file has a header of its own.
_MOST_REPEATED, _PACKED_BYTES = 4, 1_000_000

_CONTAINER_TICK_MS = 1.0  # Matroska, as FFmpeg writes it, counts milliseconds

#: ``container_ms`` of a sanitized video in which every coded picture is shown: frames match by their order.
IN_ORDER = -1


class Frame(NamedTuple):
    """One decoded frame, upright.

    ``index`` counts from 0 in presentation order; ``planes`` are three uint8 arrays, luma of shape
    (height, width), chroma of half that (4:2:0) or the same (4:4:4).
    """

    index: int  # type: ignore[assignment]  # hides tuple.index, which nobody wants here
    time_s: float
    planes: tuple[np.ndarray, np.ndarray, np.ndarray]
    full_range: bool


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


# ---------------------------------------------------------------------------------------------- open and decode


def open_container(path: str | Path, pixels: int | None = None) -> InputContainer:
    """Open a file with every restriction there is; parameters and errors as `open_video`."""
    limit = {} if pixels is None else {"max_pixels": str(pixels)}
    try:
        # "file:" keeps a name such as "http:x.mp4" from being read as an address.
        return av.open(f"file:{os.path.abspath(path)}", options=_OPEN_OPTIONS | limit, metadata_errors="replace")
    except MemoryError:
        raise
    except (av.error.FFmpegError, OSError, ValueError):
        raise UserError(structure.NO_VIDEO) from None


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
    for index, time_s, frame, _ in _decode_listed(path, timestamps, threads):
        planes, full_range = _planes(frame)
        yield Frame(index, time_s, planes, full_range)


class Picture:
    """A frame as networks take it: ``index``, and ``bgr``, the array of `to_bgr`, made when it is first asked for."""

    def __init__(self, frame: Frame) -> None:
        self.index = frame.index
        self._frame = frame

    @cached_property
    def bgr(self) -> np.ndarray:
        """The picture, shape (height, width, 3), uint8, blue-green-red."""
        return to_bgr(self._frame)

    def forget(self) -> None:
        """Give back the memory of the array; it is made anew when it is asked for again."""
        self.__dict__.pop("bgr", None)


def converted(frame: Frame) -> Picture:
    """Return the picture of a frame, converted here and now: by the thread that reads ahead, say."""
    picture = Picture(frame)
    _ = picture.bgr
    return picture


Indexed = TypeVar("Indexed", Frame, Picture)


def chunks(frames: Iterable[Indexed], length: int, cuts: Collection[int] = ()) -> Iterator[list[Indexed]]:
    """Yield frames in lists of at most ``length``, none of them over a cut (the first frame of a new shot)."""
    chunk: list[Indexed] = []
    for frame in frames:
        if chunk and (len(chunk) == length or frame.index in cuts):
            yield chunk
            chunk = []
        chunk.append(frame)
    if chunk:
        yield chunk


def frame_rate(timestamps: pd.DataFrame) -> float:
    """Return the mean frames per second of a table ``timestamps``; 25 for a single frame."""
    span = float(timestamps["time_s"].iloc[-1] - timestamps["time_s"].iloc[0])
    return (len(timestamps) - 1) / span if span else 25.0


def _decode_listed(
    path: str | Path, timestamps: pd.DataFrame | None, threads: int
) -> Iterator[tuple[int, float, VideoFrame, VideoStream]]:
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
    if late_ms > _CONTAINER_TICK_MS:
        raise UserError(f"Frame {index} of the sanitized video is missing; run the workflow again.")
    return late_ms >= -_CONTAINER_TICK_MS


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


def _planes(frame: VideoFrame) -> tuple[tuple[np.ndarray, np.ndarray, np.ndarray], bool]:
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
        stored = _samples(plane)[:rows, :columns]
        planes.append(np.ascontiguousarray(_upright(stored, turn)))
    return (planes[0], planes[1], planes[2]), full_range


def _samples(plane: VideoPlane) -> np.ndarray:
    """Return the memory of a plane, not a copy of it, shape (rows, line_size): a line may end in padding."""
    # Every plane is a buffer, which its type tells only from Python 3.12 on.
    memory: np.ndarray = np.frombuffer(plane, np.uint8)  # type: ignore[call-overload]
    return memory.reshape(-1, plane.line_size)


def to_bgr(frame: Frame) -> np.ndarray:
    """Return the picture of a frame, shape (height, width, 3), uint8, blue-green-red, as networks take it.

    The standard-definition matrix (BT.601) of OpenCV stands in for every colour matrix: networks do not see
    the difference, and it is the fastest.
    """
    luma, chroma_b, chroma_r = frame.planes
    if luma.shape == chroma_b.shape:
        if not frame.full_range:  # OpenCV takes separate planes for full range ...
            luma = cv2.LUT(luma, _WIDER_LUMA)
            chroma_b, chroma_r = cv2.LUT(chroma_b, _WIDER_CHROMA), cv2.LUT(chroma_r, _WIDER_CHROMA)
        return np.asarray(cv2.cvtColor(cv2.merge([luma, chroma_r, chroma_b]), cv2.COLOR_YCrCb2BGR))
    if frame.full_range:  # ... and packed ones for limited range
        luma = cv2.LUT(luma, _NARROWER_LUMA)
        chroma_b, chroma_r = cv2.LUT(chroma_b, _NARROWER_CHROMA), cv2.LUT(chroma_r, _NARROWER_CHROMA)
    height, width = luma.shape
    packed = np.empty((height * 3 // 2, width), np.uint8)
    packed[:height] = luma
    packed[height:].reshape(2, -1)[0] = chroma_b.ravel()
    packed[height:].reshape(2, -1)[1] = chroma_r.ravel()
    return np.asarray(cv2.cvtColor(packed, cv2.COLOR_YUV2BGR_I420))


def crop(frame: Frame, left: float, top: float, right: float, bottom: float) -> tuple[Frame, np.ndarray]:
    """Return the part of a frame that holds a rectangle, as far as it is in the picture, and the part's corner.

    Edges go outward to even pixels, so that a part has the chroma samples of all its pixels; its planes share the
    memory of the frame's. A part outside the picture has no pixels.
    """
    height, width = frame.planes[0].shape
    first = [min(max(0, math.floor(start / 2) * 2), end) for start, end in ((left, width), (top, height))]
    last = [min(max(0, math.ceil(stop / 2) * 2), end) for stop, end in ((right, width), (bottom, height))]
    steps = (1, *(1 if plane.shape == (height, width) else 2 for plane in frame.planes[1:]))
    luma, chroma_b, chroma_r = (
        plane[first[1] // step : last[1] // step, first[0] // step : last[0] // step]
        for plane, step in zip(frame.planes, steps, strict=True)
    )
    return frame._replace(planes=(luma, chroma_b, chroma_r)), np.array(first)


def _levels(scale: float, pivot: int, offset: int) -> np.ndarray:
    return np.clip(np.round((np.arange(256) - pivot) * scale + offset), 0, 255).astype(np.uint8)


# ITU-T H.273: limited range has 219 steps of luma from 16 on and 224 of chroma about 128, full range 255 of each.
_WIDER_LUMA, _WIDER_CHROMA = _levels(255 / 219, 16, 0), _levels(255 / 224, 128, 128)
_NARROWER_LUMA, _NARROWER_CHROMA = _levels(219 / 255, 0, 16), _levels(224 / 255, 128, 128)


# ------------------------------------------------------------------------------------------------------- screen


class Limits(NamedTuple):
    """The largest video that is taken."""

    file_bytes: int
    pixels: int
    duration_s: float
    frames: int


def screen(path: str | Path, limits: Limits, threads: int = 1) -> tuple[dict[str, Any], pd.DataFrame]:
    """Decode a whole source video and return its facts and its timestamps.

    Parameters
    ----------
    path : path
        The source video. Everything about it is distrusted.
    limits : Limits
        What is too large; checked from the headers before anything is decoded, then against what is decoded.

    Returns
    -------
    facts : dict
        The columns of the table ``screening`` from ``width`` on; those not known before a rejection are absent.
        ``reason`` is there, a sentence, when the video cannot be used.
    timestamps : DataFrame
        Columns frame, pts, time_base_numerator, time_base_denominator, time_s; empty when rejected.
    """
    facts: dict[str, Any] = {}
    try:
        timestamps = _screen(path, limits, threads, facts)
    except UserError as error:
        facts["reason"] = str(error)
        timestamps = pd.DataFrame()
    return facts, timestamps


def examine(path: str, limits: Sequence[float], scratch: str, threads: int) -> dict[str, Any]:
    """Try on a source everything that the workflow will do with its content, in a process of its own (see `guard`).

    Parameters
    ----------
    path, limits, threads
        As `screen` takes them.
    scratch : path
        A file for the trial of the copy. It stays when the video is accepted.

    Returns
    -------
    dict
        ``facts`` as `screen` returns them, of the upright copy, and the columns of ``timestamps`` as lists.
    """
    facts, timestamps = screen(path, Limits(*limits), threads)  # type: ignore[arg-type]
    if "reason" not in facts:
        try:
            timestamps = remux(path, timestamps, scratch)
            first = next(read_frames(scratch, timestamps, threads))
            facts["height"], facts["width"] = first.planes[0].shape
            _count_again(scratch, timestamps, threads)
            _try_encoder(first, timestamps, layout(scratch), f"{scratch}.mp4")
        except UserError as error:
            facts["reason"] = str(error)
    if "reason" in facts:
        Path(scratch).unlink(missing_ok=True)
        timestamps = pd.DataFrame()
    return {"facts": facts, "timestamps": timestamps.to_dict("list")}


def _count_again(copy: str, timestamps: pd.DataFrame, threads: int) -> None:
    """Decode the copy to its end in the way of every later step, which must find the frames that screening found."""
    try:
        for _ in _decode_listed(copy, timestamps, threads):
            guard.tick()
    except UserError:
        raise UserError(
            "The frames of the video cannot be counted reliably, as happens when a video was cut or slowed down "
            "without being encoded again: packets before time zero are left in it, which players skip. Export it again."
        ) from None


def _try_encoder(first: Frame, timestamps: pd.DataFrame, look: Layout, scratch: str) -> None:
    """Encode a picture at the times that are hardest to store: the first ones, the longest pause, the last ones."""
    longest = int(np.argmax(np.diff(timestamps["pts"]))) if len(timestamps) > 1 else 0
    chosen = sorted(
        {0, 1, longest, longest + 1, len(timestamps) - 2, len(timestamps) - 1} & set(range(len(timestamps)))
    )
    try:
        encode([first.planes] * len(chosen), timestamps.iloc[chosen], look, Encoding(51, "ultrafast"), scratch)
    except MemoryError:
        raise
    except (av.error.FFmpegError, ValueError, OverflowError):
        raise UserError(
            "The pictures cannot be stored as H.264 in MP4, because of their form or of a pause between them; export "
            "the video again."
        ) from None
    finally:
        Path(scratch).unlink(missing_ok=True)


def _screen(path: str | Path, limits: Limits, threads: int, facts: dict[str, Any]) -> pd.DataFrame:
    try:
        status = os.stat(path)
        with open(path, "rb") if stat.S_ISREG(status.st_mode) else open(os.devnull, "rb"):
            pass
    except OSError:
        raise UserError("The file cannot be read; check that it exists and that you may read it.") from None
    size = status.st_size
    if not stat.S_ISREG(status.st_mode):  # a directory, or a pipe or a device, which may never end
        raise UserError("The file cannot be read: it is no regular file.")
    if size == 0:
        raise UserError("The file is empty (0 bytes); copy it again.")
    if size > limits.file_bytes:
        raise UserError(f"The file is {size / 1e9:.1f} GB, over the limit screen.max_file_gb.")
    built = structure.check(path, limits.pixels, limits.frames)
    container, stream = open_video(path, threads, limits.pixels)
    with container:
        _read_header(container, stream, facts)
        _check_size(stream.codec_context.width, stream.codec_context.height, limits)
        _check_pixels_are_square(stream)
        stated_s = (container.duration or 0) / av.time_base
        if stated_s > limits.duration_s:
            raise UserError(f"The video lasts {stated_s / 60:.0f} minutes, over screen.max_duration_minutes.")
        expected = built.n_frames.get(stream.id if built.kind == "matroska" else stream.index, 0)
        pts = _decode_all(container, stream, limits, size, expected, facts)
        _check_pixels_are_square(stream)  # the coded pictures may say more than the header of the file
        time_base = stream.time_base
    assert time_base is not None
    filled = _increasing(pts)
    if filled[0] < 0:
        raise UserError("The video starts before time zero, which MP4 cannot store; export it again.")
    if filled[0] * time_base > _LATEST_START_S:
        # Cameras that stream count from 1970: the date would stand in every table of the release.
        raise UserError("The timestamps begin with a date instead of zero; export the video again.")
    times = np.array([float(p * time_base) for p in filled])
    steps = np.diff(times)
    step = float(np.median(steps)) if len(steps) else 1 / facts.get("fps", 25.0)
    duration_s = float(times[-1] - times[0]) + step
    if duration_s > limits.duration_s:
        raise UserError(f"The video lasts {duration_s / 60:.0f} minutes, over screen.max_duration_minutes.")
    facts["fps"] = (len(times) - 1) / float(times[-1] - times[0]) if len(steps) else 1 / step
    facts["duration_s"] = duration_s
    # Containers round to their own tick, a millisecond in Matroska: only more than that is a varying rate.
    facts["variable_frame_rate"] = bool(len(steps) and np.ptp(steps) > max(0.0025, 0.1 * step))
    return pd.DataFrame(
        {
            "frame": np.arange(len(filled)),
            "pts": filled,
            "time_base_numerator": time_base.numerator,
            "time_base_denominator": time_base.denominator,
            "time_s": times,
        }
    )


def _read_header(container: InputContainer, stream: VideoStream, facts: dict[str, Any]) -> None:
    others = [s for s in container.streams if s is not stream and s.type != "audio"]
    tags = [*container.metadata, *(tag for s in container.streams for tag in s.metadata)]
    tags += [tag for chapter in container.chapters() for tag in chapter["metadata"]]
    facts["codec"] = stream.codec_context.codec.canonical_name
    facts["width"], facts["height"] = stream.codec_context.width, stream.codec_context.height
    facts["n_audio_streams"] = len(container.streams.audio)
    facts["n_other_streams"] = len(others)
    facts["n_metadata_tags"] = len(tags)
    if stream.average_rate:
        facts["fps"] = float(stream.average_rate)


def _check_size(width: int, height: int, limits: Limits) -> None:
    if min(width, height) < _SMALLEST_SIDE_PX:
        raise UserError(f"The picture is less than {_SMALLEST_SIDE_PX} pixels wide or high.")
    if width * height > limits.pixels:
        megapixels = width * height / 1e6
        raise UserError(f"The picture has {megapixels:.1f} megapixels, over the limit screen.max_megapixels.")


def _check_pixels_are_square(stream: VideoStream) -> None:
    """Reject pixels that are wider than high or higher than wide: every angle between slanted lines would be wrong."""
    for ratio in (stream.sample_aspect_ratio, stream.codec_context.sample_aspect_ratio):
        if ratio and not 1 - _MOST_STRETCHED <= ratio <= 1 + _MOST_STRETCHED:
            raise UserError(
                f"The pixels are not square ({ratio.numerator}:{ratio.denominator}), so joint angles measured in the "
                "stored picture would be wrong; export the video with square pixels."
            )


def _decode_all(
    container: InputContainer,
    stream: VideoStream,
    limits: Limits,
    file_bytes: int,
    n_expected: int,
    facts: dict[str, Any],
) -> list[int | None]:
    pts: list[int | None] = []
    dts: list[int | None] = []
    promised: set[int | None] = set()
    n_packets = n_damaged = n_bytes = 0
    is_clean = False
    size: tuple[int, int] | None = None
    try:
        for packet in container.demux(stream):
            guard.tick()
            if packet.size > 0:
                n_packets += 1
                n_bytes += packet.size
                dts.append(packet.dts)
                promised |= set() if packet.is_discard else {packet.pts}
            if n_bytes > _MOST_REPEATED * file_bytes + _PACKED_BYTES:
                raise UserError("The file gives the same data over and over, more than it holds; export it again.")
            if n_packets > 2 * limits.frames:  # two fields may make a frame
                raise UserError(f"The video has more than {limits.frames} frames, the limit screen.max_frames.")
            try:
                frames = packet.decode()
            except MemoryError:
                raise
            except av.error.FFmpegError:
                _check_size(stream.codec_context.width, stream.codec_context.height, limits)
                n_damaged += 1
                continue
            n_damaged += bool(packet.is_corrupt)
            for frame in frames:
                if not pts:
                    facts["rotation_deg"] = rotation_deg(frame)
                    size = (frame.width, frame.height)
                    _check_size(*size, limits)  # the stream may be larger than its container says
                    turned = orientation(frame)[0]
                    facts["width"], facts["height"] = size[::-1] if turned else size
                if (frame.width, frame.height) != size:
                    raise UserError(f"The size of the picture changes at frame {len(pts)}; cut the video there.")
                pts.append(frame.pts)
                # The first frames of a clip that was cut out of a longer one may lack what they refer to.
                n_damaged += frame.is_corrupt and (is_clean or frame.key_frame)
                is_clean |= not frame.is_corrupt
            if len(pts) > limits.frames:
                raise UserError(f"The video has more than {limits.frames} frames, the limit screen.max_frames.")
    except MemoryError:
        raise
    except av.error.FFmpegError:
        n_damaged += 1
    facts["n_frames"] = len(pts)
    if not pts:
        raise UserError("The video has no frames that decode.")
    n_damaged += max(0, n_expected - n_packets) + _n_lost(promised, pts, stream) + (not is_clean)
    if n_damaged:
        n_packets = max(n_packets, n_expected, n_damaged)
        raise UserError(
            f"The video does not decode: {n_damaged} of its {n_packets} packets are damaged; copy it again."
        )
    # AVI stores when a packet comes, not when its frame is shown, and a decoder's guesses at that go wrong: the
    # frames are shown in order, one whenever a packet comes.
    return dts if container.format.name == "avi" and len(dts) == len(pts) else pts


#: Codecs of which each packet shows a frame, so that one without a frame is a loss that the decoder keeps quiet about.
#: H.264 is not among them, since each of the two fields of a frame may be a packet.
_ONE_FRAME_A_PACKET = {"hevc", "av1", "prores"}


def _n_lost(promised: set[int | None], shown: list[int | None], stream: VideoStream) -> int:
    """Return how many packets after the first frame have given none, where that can be told from their times."""
    if stream.codec_context.codec.canonical_name not in _ONE_FRAME_A_PACKET or None in promised or None in shown:
        return 0
    first = min(p for p in shown if p is not None)
    return sum(p is not None and p > first for p in promised - set(shown))


def _increasing(pts: list[int | None]) -> list[int]:
    """Fill missing timestamps and move repeated ones on by a tick: an encoder needs them strictly increasing."""
    filled: list[int] = []
    known = [p for p in pts if p is not None]
    step = max(1, int(np.median(np.diff(known)))) if len(known) > 1 else 1
    for p in pts:
        following = filled[-1] + step if filled else 0
        value = following if p is None else p
        filled.append(value if not filled or value > filled[-1] else filled[-1] + 1)
    return filled


# -------------------------------------------------------------------------------------------------- stream copy


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
            guard.tick()
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
    nearest = np.clip(np.searchsorted(source, listed - _CONTAINER_TICK_MS / 2000), 0, len(source) - 1)
    if np.any(np.abs(source[nearest] - listed) > _CONTAINER_TICK_MS / 1000):
        raise ValueError("a frame has no packet of its own")
    return [written[index][1] for index in nearest]


# ------------------------------------------------------------------------------------------------------- encode


def layout(path: str | Path) -> Layout:
    """Return what an encoder must know of a sanitized video, from its first frame."""
    _, _, frame, stream = next(_decode_listed(path, None, 1))
    transpose = orientation(frame)[0]
    size = (frame.width, frame.height)
    width, height = size[::-1] if transpose else size
    ratio = stream.codec_context.sample_aspect_ratio or Fraction(1)
    is_yuv = frame.format.name.startswith("yuv")
    _, full_range = _planes(frame)
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
        target = _samples(plane)
        target[: source.shape[0], : source.shape[1]] = source
    frame.color_range = look.color_range
    frame.colorspace = look.colorspace
    return frame
