"""Short videos in as many forms as files have, written by PyAV itself and nothing of the library under test."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

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
    pixel_aspect: Fraction | None = None,
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
    pixel_aspect : Fraction, optional
        Width of a stored pixel over its height.
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
        if pixel_aspect is not None:
            context.sample_aspect_ratio = pixel_aspect
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
