"""Count the true faces that masks leave uncovered, and the area that they hide besides.

The table for the results of a run over the corpus, clip by clip::

    .venv/bin/python benchmarks/corpus/measure.py --results results/corpus
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

sys.path[:0] = [str(Path(__file__).resolve().parents[2] / folder) for folder in ("scripts", "tests", ".")]

from benchmarks.corpus import truth
from deidpose.video import decode

#: A face is covered when this share of the ellipse inscribed in its box, as far as it is in the picture, is masked.
COVERED = 0.9
#: The eyes, the nose and the mouth lie within this share of the box's width and height, about its middle.
MIDDLE = 0.5
#: A pixel of a delivered video is masked by `block` when its luma is below this (black is 16, and the encoder
#: rounds), and its chroma is within `_NO_COLOUR` of none.
_BLACK, _NO_COLOUR = 26, 10

#: Frame -> which pixels are masked, shape (height, width).
Masks = Callable[[int], np.ndarray]


class Result(NamedTuple):
    """What masks did to the faces of one clip, or of several.

    Attributes
    ----------
    face_frames : int
        True faces, counted in every frame.
    covered, leaked : int
        Those of which at least `COVERED` is masked, and the others.
    recognisable : int
        Those leaked of which some of the middle (`MIDDLE`) is bare too.
    longest_leak : int
        The most frames in a row in which the same face leaked.
    masked_px, face_px, head_px : int
        Pixels masked outside the boxes of all faces and heads; pixels inside the boxes of faces; pixels inside the
        boxes of faces and heads. Over all frames.
    leaks : dict
        Face -> frames in which it leaked.
    heads, bare_heads : int
        Heads without a face to be seen, counted in every frame, and those of which less than `COVERED` is masked.
        Nobody can be recognised by them; they are no leaks.
    """

    face_frames: int
    covered: int
    leaked: int
    recognisable: int
    longest_leak: int
    masked_px: int
    face_px: int
    head_px: int
    leaks: dict[str, list[int]]
    heads: int
    bare_heads: int

    @property
    def over_masked(self) -> float:
        """Return the area masked outside faces and heads over the area of faces; infinite without a face."""
        return self.masked_px / self.face_px if self.face_px else float("inf")

    @property
    def over_heads(self) -> float:
        """Return the area masked outside faces and heads over the area of both; infinite without any."""
        return self.masked_px / self.head_px if self.head_px else float("inf")


def measure(faces: pd.DataFrame, masks: Masks, n_frames: int, size: tuple[int, int]) -> Result:
    """Compare the masks of one clip with its true faces.

    Parameters
    ----------
    faces : DataFrame
        The columns `truth.COLUMNS`, of this clip alone.
    masks : callable
        Frame -> the masked pixels, shape ``size``, bool.
    n_frames : int
    size : tuple of int
        Height and width of the picture.
    """
    rows = {int(str(frame)): part for frame, part in faces.groupby("frame")}
    counts = dict.fromkeys(
        ("face_frames", "covered", "recognisable", "masked_px", "face_px", "head_px", "heads", "bare_heads"), 0
    )
    leaks: dict[str, list[int]] = {}
    for frame in range(n_frames):
        masked = masks(frame)
        anyone = np.zeros(size, bool)
        faces_alone = np.zeros(size, bool)
        for row in rows[frame].itertuples() if frame in rows else ():
            box = np.array([row.x_px, row.y_px, row.width_px, row.height_px])
            anyone |= truth.rectangle(box, size)
            inside = truth.ellipse(box, size)
            covered = bool(inside.any()) and masked[inside].mean() >= COVERED
            if row.visible != "face":
                counts["heads"] += 1
                counts["bare_heads"] += not covered
                continue
            faces_alone |= truth.rectangle(box, size)
            counts["face_frames"] += 1
            counts["covered"] += covered
            if not covered:
                leaks.setdefault(str(row.face), []).append(frame)
                middle = truth.rectangle(shrunk(box, MIDDLE), size)
                counts["recognisable"] += bool(not masked[middle].all())
        counts["masked_px"] += int((masked & ~anyone).sum())
        counts["face_px"] += int(faces_alone.sum())
        counts["head_px"] += int(anyone.sum())
    return Result(
        **counts,
        leaked=counts["face_frames"] - counts["covered"],
        longest_leak=max((longest_run(frames) for frames in leaks.values()), default=0),
        leaks=leaks,
    )


def total(results: Sequence[Result]) -> Result:
    """Return the result of several clips taken together."""
    summed = {
        field: sum(getattr(result, field) for result in results)
        for field in Result._fields
        if field not in ("longest_leak", "leaks")
    }
    return Result(**summed, longest_leak=max((result.longest_leak for result in results), default=0), leaks={})


def shrunk(box: np.ndarray, share: float) -> np.ndarray:
    """Return the middle of a box: ``share`` of its width and height."""
    return np.concatenate([box[:2] + box[2:] * (1 - share) / 2, box[2:] * share])


def longest_run(frames: Sequence[int]) -> int:
    """Return the length of the longest run of consecutive numbers in an increasing sequence."""
    longest = run = 0
    for index, frame in enumerate(frames):
        run = run + 1 if index and frame == frames[index - 1] + 1 else 1
        longest = max(longest, run)
    return longest


def regions(table: pd.DataFrame, size: tuple[int, int], shape: str = "ellipse") -> Masks:
    """Return the masks that a table of regions stands for.

    Parameters
    ----------
    table : DataFrame
        Columns frame, x_px, y_px, width_px, height_px, such as the table ``faces`` has.
    size : tuple of int
        Height and width of the picture.
    shape : str
        ellipse (inscribed in each region) or rectangle.
    """
    draw = {"ellipse": truth.ellipse, "rectangle": truth.rectangle}[shape]
    boxes = {int(str(frame)): rows[truth.BOX].to_numpy(float) for frame, rows in table.groupby("frame")}

    def masks(frame: int) -> np.ndarray:
        masked = np.zeros(size, bool)
        for box in boxes.get(frame, ()):
            masked |= draw(box, size)
        return masked

    return masks


def blackened(path: Path) -> Masks:
    """Return where a delivered video of the method ``block`` is black. Frames are to be asked for in order."""
    frames = decode.read_frames(path, threads=2)

    def masks(wanted: int) -> np.ndarray:
        frame = next(frames)
        if frame.index != wanted:
            raise ValueError(f"frame {wanted} asked for after frame {frame.index - 1}")
        luma, blue, red = frame.planes
        step = luma.shape[0] // blue.shape[0]
        grey = (np.abs(blue.astype(int) - 128) <= _NO_COLOUR) & (np.abs(red.astype(int) - 128) <= _NO_COLOUR)
        return np.asarray((luma < _BLACK) & grey.repeat(step, axis=0).repeat(step, axis=1))

    return masks


def facts(path: Path) -> tuple[int, tuple[int, int]]:
    """Return the number of frames of a clip, and the height and width of its pictures."""
    n_frames, size = 0, (0, 0)
    for frame in decode.read_frames(path, threads=2):
        n_frames, size = n_frames + 1, (frame.planes[0].shape[0], frame.planes[0].shape[1])
    return n_frames, size


def of_corpus(corpus: Path, masks: Callable[[str, tuple[int, int]], Masks | None]) -> dict[str, Result]:
    """Measure every clip of the corpus for which ``masks(clip, size)`` returns its masks, and not None."""
    measured = {}
    for clip in pd.read_csv(corpus / "videos.tsv", sep="\t")["video"]:
        table = corpus / "truth" / f"{clip}.tsv"
        n_frames, size = facts(corpus / f"{clip}.mp4")
        found = masks(clip, size)
        if found is not None:
            measured[clip] = measure(pd.read_csv(table, sep="\t"), found, n_frames, size)
    return measured


def of_results(results: Path, corpus: Path, delivered: bool = False, shape: str = "ellipse") -> dict[str, Result]:
    """Measure every clip of the corpus that a results directory holds.

    Parameters
    ----------
    results, corpus : path
        ``results_dir`` of a run, and the directory that `corpus.build.build_all` has filled.
    delivered : bool
        Measure the pixels of the masked videos (method ``block``), and not the tables ``faces``.
    shape : str
        ``mask.shape`` of the run.
    """

    def masks(clip: str, size: tuple[int, int]) -> Masks | None:
        table = results / "restricted/faces" / f"{clip}.parquet"
        masked = results / "restricted/masked" / f"{clip}_block.mp4"
        if not (masked if delivered else table).exists():
            return None
        return blackened(masked) if delivered else regions(pd.read_parquet(table), size, shape)

    return of_corpus(corpus, masks)


def report(measured: dict[str, Result]) -> str:
    """Return the table of results as text: a line for each clip, and the total."""
    lines = [
        "clip                  faces  covered  leaked   of these  longest   over-masked:  over-masked:       bare",
        "                                              recognis.     leak     of faces      of heads        heads",
    ]
    for clip, result in [*measured.items(), ("total", total(list(measured.values())))]:
        lines.append(
            f"{clip:20}{result.face_frames:7}{result.covered:9}{result.leaked:8}{result.recognisable:11}"
            f"{result.longest_leak:9}{result.over_masked:13.2f}{result.over_heads:14.2f}"
            f"{f'{result.bare_heads} / {result.heads}':>15}"
        )
        lines += [f"    {face}: {spans(frames)}" for face, frames in result.leaks.items()]
    return "\n".join(lines)


def spans(frames: Sequence[int]) -> str:
    """Return increasing numbers as spans: 3-7, 9."""
    spans: list[list[int]] = []
    for frame in frames:
        if spans and frame == spans[-1][1] + 1:
            spans[-1][1] = frame
        else:
            spans.append([frame, frame])
    return ", ".join(f"{first}-{last}" if last > first else str(first) for first, last in spans)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=Path("results/corpus"), help="results_dir of a run")
    parser.add_argument("--corpus", type=Path, default=Path("resources/corpus"), help="directory of the clips")
    parser.add_argument("--delivered", action="store_true", help="measure the pixels of the masked videos (block)")
    arguments = parser.parse_args()
    print(report(of_results(arguments.results, arguments.corpus, arguments.delivered)))
