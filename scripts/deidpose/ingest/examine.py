"""Examine a source video by doing to it everything that later steps will do.

Runs in a process of its own (see `sandbox`), because everything about a source is distrusted: decode it to its end,
copy its pictures, decode the copy again, encode at its hardest timestamps.
"""

import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import av
import av.bitstream
import av.codec.context
import numpy as np
import pandas as pd
from av.container import InputContainer
from av.video.stream import VideoStream

from deidpose.errors import UserError
from deidpose.ingest import container_checks
from deidpose.ingest.remux import remux
from deidpose.runtime import sandbox
from deidpose.video.decode import decode_listed, open_video, orientation, read_frames, rotation_deg
from deidpose.video.encode import Encoding, Layout, encode, layout
from deidpose.video.frames import Frame

_LATEST_START_S = 3600  # no cut or delay explains more
_SMALLEST_SIDE_PX = 32  # the smallest picture that every network takes

#: How far the sides of a pixel may differ, as a share. Encoders round the width of a picture that they scale to even
#: pixels, which leaves up to half a percent; a line of the body is then turned by 0.15 degrees at most.
_MOST_STRETCHED = 0.005

#: Packets may be compressed in the file, but not by much; and a small file has a header of its own.
_MOST_REPEATED, _PACKED_BYTES = 4, 1_000_000


class Limits(NamedTuple):
    """The largest video that is taken."""

    file_bytes: int
    pixels: int
    duration_s: float
    frames: int


def decode_source(path: str | Path, limits: Limits, threads: int = 1) -> tuple[dict[str, Any], pd.DataFrame]:
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
        timestamps = _decode_source(path, limits, threads, facts)
    except UserError as error:
        facts["reason"] = str(error)
        timestamps = pd.DataFrame()
    return facts, timestamps


def examine(path: str, limits: Sequence[float], scratch: str, threads: int) -> dict[str, Any]:
    """Try on a source everything that the workflow will do with it, in a child process (see `sandbox`).

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
    facts, timestamps = decode_source(path, Limits(*limits), threads)  # type: ignore[arg-type]
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
    """Decode the copy to its end as every later step does, and check that it has the frames that screening found."""
    try:
        for _ in decode_listed(copy, timestamps, threads):
            sandbox.tick()
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


def _decode_source(path: str | Path, limits: Limits, threads: int, facts: dict[str, Any]) -> pd.DataFrame:
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
    built = container_checks.check_container(path, limits.pixels, limits.frames)
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
            sandbox.tick()
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
    """Return how many packets after the first frame gave none, if their times show it."""
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
