"""Predict the memory and time of a job from its video.

Imports the standard library only, because the Snakefile imports this module and every job on a cluster reads the
Snakefile again.
"""

import csv
import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple


class Need(NamedTuple):
    """Cost of a rule: megabytes at rest and per megapixel of a frame, seconds to start and per megapixel and frame."""

    base_mb: float
    mb_per_megapixel: float
    start_s: float
    s_per_megapixel_frame: float


#: Measured with one thread of a server processor on frames of 1.8 and 2.1 megapixels with two to four people
#: (the benchmarks of `make demo`), then rounded up.
_NEEDS = {
    "fetch_model": Need(200, 0, 60, 0),
    "fetch_library": Need(200, 0, 60, 0),
    "screen": Need(400, 60, 10, 0.01),
    "collect_screening": Need(200, 0, 60, 0),
    "sanitize": Need(300, 10, 10, 0.002),
    "prove_sanitizing": Need(500, 60, 20, 0.005),
    "find_cuts": Need(300, 60, 10, 0.01),
    "detect_faces": Need(500, 330, 10, 0.09),
    "track_faces": Need(400, 0, 10, 0.005),
    "list_people": Need(400, 0, 10, 0.002),
    "draw_review": Need(700, 100, 10, 0.01),
    "review_page": Need(300, 0, 60, 0),
    "anonymize": Need(450, 150, 10, 0.03),
    "reencode": Need(450, 150, 10, 0.03),
    "search_faces": Need(1300, 60, 10, 0.15),
    "audit": Need(550, 60, 10, 0.03),
    "estimate_pose": Need(600, 300, 10, 0.08),
    "import_pose": Need(450, 100, 10, 0.02),
    "list_imported_people": Need(400, 0, 10, 0.004),
    "draw_skeleton": Need(500, 200, 10, 0.03),
    "match_people": Need(400, 0, 10, 0.004),
    "joint_angles": Need(400, 0, 10, 0.01),
    "compare": Need(500, 0, 10, 0.01),
    "export": Need(500, 0, 10, 0.01),
    "show_video": Need(400, 0, 10, 0.004),
    "finish": Need(200, 0, 10, 0),
    "study": Need(1400, 0, 60, 0),  # its peak is short; the benchmarks look too rarely to see it
    "report": Need(400, 0, 60, 0),
    "publish": Need(300, 0, 60, 0),
    "compare_backends": Need(600, 0, 20, 0.05),
    "show_backends": Need(500, 0, 60, 0),
}
#: A slower machine and a crowded scene are no reason to be killed: ask for this many times the measured time.
_SAFETY = 4.0
#: A video in one job on a cluster asks for the sum of all its steps, 31 with three methods.
_LEAST_MINUTES = 2
#: In a job on a cluster two processes of Snakemake run beside the script, which is none of the measured memory:
#: 137 and 120 MB (proportional set size, Snakemake 9.27.1).
_SNAKEMAKE_MB = 300
#: Memory that grows with the length of a video and not with its size: the steps that hold keypoints and angles of
#: everybody take 0.002 to 0.005 MB a frame and person (`benchmarks/speed.py long`). This is for four people.
_TABLE_MB_PER_FRAME = 0.02
_MB_PER_VIDEO, _S_PER_VIDEO = 2.0, 2.0
#: Every further thread of a job needs this share more: `detect_faces` with two threads took 1.28 times what it takes
#: with one, `search_faces` 1.16 times (`benchmarks/one_step.py`).
_MORE_PER_THREAD = 0.3
#: Before a video is screened only its bytes are known; the densest frame in use is about this long.
_BYTES_PER_FRAME = 10_000
_MEGAPIXELS_UNKNOWN = 8.3


def megabytes(rule: str, job: Mapping[str, str | int], attempt: int, more_mb: float = 0.0, threads: int = 1) -> int:
    """Return the memory to ask for, in megabytes.

    Parameters
    ----------
    rule : str
        Name of a rule.
    job : mapping
        Either ``width``, ``height`` and ``n_frames`` of a screened video, or ``n_bytes`` of a source, or
        ``n_videos`` of a study.
    attempt : int
        1 for the first try; every further one gets as much again.
    more_mb : float
        What the rule needs besides, with these settings.
    threads : int
        Each has results of its own in every layer of a network.
    """
    need = _NEEDS[rule]
    megapixels, n_frames, n_videos = _work(job)
    tables_mb = _TABLE_MB_PER_FRAME * n_frames if "n_frames" in job else 0
    measured = need.base_mb + need.mb_per_megapixel * megapixels + tables_mb + _MB_PER_VIDEO * n_videos
    wanted = _SNAKEMAKE_MB + (measured + more_mb) * (1 + _MORE_PER_THREAD * (threads - 1))
    return round(wanted * attempt)


def minutes(rule: str, job: Mapping[str, str | int], attempt: int, more_s_per_frame: float = 0.0) -> int:
    """Return the time to ask for, in minutes; parameters as `megabytes`, and seconds a frame of any size besides."""
    need = _NEEDS[rule]
    megapixels, n_frames, n_videos = _work(job)
    seconds = need.start_s + need.s_per_megapixel_frame * megapixels * n_frames + _S_PER_VIDEO * n_videos
    seconds += more_s_per_frame * n_frames
    return max(_LEAST_MINUTES, round(seconds * _SAFETY / 60)) * attempt


def _work(job: Mapping[str, str | int]) -> tuple[float, float, int]:
    if "n_frames" in job:
        return int(job["width"]) * int(job["height"]) / 1e6, float(job["n_frames"]), 0
    if "n_bytes" in job:
        return _MEGAPIXELS_UNKNOWN, int(job["n_bytes"]) / _BYTES_PER_FRAME, 0
    return 0.0, 0.0, int(job["n_videos"])


def size(path: str) -> int:
    """Return the size of a file in bytes, 0 if it does not exist."""
    return size_and_date(path)[0]


def size_and_date(path: str) -> tuple[int, int]:
    """Return the size of a file in bytes and its last change in nanoseconds; zeros if it does not exist."""
    try:
        found = os.stat(path)
    except OSError:
        return 0, 0
    return found.st_size, found.st_mtime_ns


def read_screening(path: str) -> dict[str, dict[str, str]]:
    """Return the rows of the table ``screening`` as text, by video; nothing while it does not exist."""
    try:
        changed = os.stat(path).st_mtime_ns
    except OSError:
        return {}
    return _read_screening(path, changed)


@lru_cache(maxsize=2)
def _read_screening(path: str, changed: int) -> dict[str, dict[str, str]]:
    with Path(path).open(encoding="utf-8", newline="") as file:
        return {row["video"]: row for row in csv.DictReader(file, delimiter="\t")}
