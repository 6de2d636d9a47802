"""Make the clips of the corpus from the demo clips: real faces, moved about so that their true boxes are known.

Every clip is a few short shots of demo clips, each frame placed in the new picture by an affine map, and then perhaps
spoilt: covered, blurred, darkened. The true boxes of ``faces.tsv`` take the same map. Nothing is random but the noise,
and its seed is fixed, so that every build gives the same pictures.
"""

import functools
import hashlib
import itertools
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pandas as pd

sys.path[:0] = [str(Path(__file__).resolve().parents[2] / folder) for folder in ("scripts", "tests", ".")]

from benchmarks.corpus import truth
from benchmarks.corpus.truth import Face
from deidpose.video import decode
from deidpose.video.frames import to_bgr
from fixtures import video_files

DEMO = Path(__file__).resolve().parents[2] / "resources/demo"

#: Of a face at least this share of its ellipse is covered when none of it can be recognised.
HIDDEN = 0.9


class Scene(NamedTuple):
    """One picture, blue-green-red, with every face and head in it."""

    picture: np.ndarray
    faces: list[Face]


Scenes = Iterator[Scene]
Place = Callable[[int, int], np.ndarray]


class Clip(NamedTuple):
    """A clip of the corpus: what it is made to test, how its scenes come about, and how it is encoded."""

    about: str
    scenes: Callable[[], Scenes]
    rate: int = 30
    crf: int = 12


# ------------------------------------------------------------------------------------------------------------- placing


def static(x: float, y: float, zoom: float) -> Place:
    """Return the placing that shows the picture from (x, y) on, enlarged by ``zoom``."""
    return lambda step, frame: np.array([[zoom, 0, -zoom * x], [0, zoom, -zoom * y]])


def at(x: float, y: float, zoom: float, to: tuple[float, float], degrees: float = 0.0) -> np.ndarray:
    """Return the map that takes the point (x, y) to ``to``, enlarging by ``zoom`` and turning clockwise."""
    turn = zoom * np.exp(1j * np.radians(degrees))
    linear = np.array([[turn.real, -turn.imag], [turn.imag, turn.real]])
    return np.column_stack([linear, np.array(to) - linear @ [x, y]])


def middle(source: str, face: str, frame: int) -> np.ndarray:
    """Return the middle of a face of a demo clip."""
    box = truth.box_of(source, face, frame)
    return np.asarray(box[:2] + box[2:] / 2)


def show(source: str, frames: Sequence[int], size: tuple[int, int], place: Place, prefix: str = "") -> Scenes:
    """Yield frames of a demo clip in a picture of ``size`` (width, height), each placed by ``place(step, frame)``.

    ``prefix`` comes before the names of the faces.
    """
    for step, (frame, picture) in enumerate(read(source, frames)):
        yield placed(source, frame, picture, size, place(step, frame), prefix)


def placed(
    source: str, frame: int, picture: np.ndarray, size: tuple[int, int], matrix: np.ndarray, prefix: str
) -> Scene:
    """Return one frame of a demo clip, and its faces, under an affine map."""
    faces = [
        Face(prefix + face.face, truth.moved(face.box, matrix), face.visible)
        for face in truth.of_clip(source).get(frame, [])
    ]
    return Scene(warped(picture, matrix, size), faces)


def read(source: str, frames: Sequence[int]) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the wanted frames of a demo clip, in their order, as number and picture."""
    wanted = set(frames)
    for frame in decode.read_frames(DEMO / f"{source}.mp4", threads=2):
        if frame.index in wanted:
            yield frame.index, to_bgr(frame)
        if frame.index >= max(wanted):
            return


def warped(picture: np.ndarray, matrix: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return a picture under an affine map of points; a pixel's middle is half a pixel from its corner."""
    scale = np.sqrt(abs(np.linalg.det(matrix[:, :2])))
    if scale < 1:  # averaged first: the interpolation of an affine map skips pixels when it shrinks
        small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        ratio = np.array(picture.shape[1::-1]) / small.shape[1::-1]
        matrix = np.column_stack([matrix[:, :2] * ratio, matrix[:, 2]])
        picture = small
    offset = matrix[:, :2] @ [0.5, 0.5] - 0.5
    by_index = np.column_stack([matrix[:, :2], matrix[:, 2] + offset])
    return np.asarray(cv2.warpAffine(picture, by_index, size, flags=cv2.INTER_CUBIC, borderValue=(40, 40, 40)))


# ------------------------------------------------------------------------------------------------------------ spoiling


def turned(scenes: Scenes, quarters: int) -> Scenes:
    """Yield scenes turned clockwise by quarter turns, as pixels."""
    for picture, faces in scenes:
        height, width = picture.shape[:2]
        matrix = [
            np.array([[1, 0, 0], [0, 1, 0]]),
            np.array([[0, -1, height], [1, 0, 0]]),
            np.array([[-1, 0, width], [0, -1, height]]),
            np.array([[0, 1, 0], [-1, 0, width]]),
        ][quarters]
        yield Scene(np.rot90(picture, -quarters), [face._replace(box=truth.moved(face.box, matrix)) for face in faces])


def mirrored(scenes: Scenes, suffix: str = "") -> Scenes:
    """Yield scenes with left and right exchanged; ``suffix`` is added to the names of the faces."""
    for picture, faces in scenes:
        matrix = np.array([[-1, 0, picture.shape[1]], [0, 1, 0]])
        yield Scene(
            picture[:, ::-1],
            [Face(face.face + suffix, truth.moved(face.box, matrix), face.visible) for face in faces],
        )


def beside(*columns: Scenes) -> Scenes:
    """Yield scenes side by side; what of a face lies outside its own scene is cut off."""
    for scenes in zip(*columns, strict=True):
        left, faces = 0, []
        for picture, found in scenes:
            height, width = picture.shape[:2]
            for face in found:
                low = np.clip(face.box[:2], 0, (width, height))
                high = np.clip(face.box[:2] + face.box[2:], 0, (width, height))
                share = truth.share_in_picture(face.box, (height, width))
                if share > 0:
                    visible = "behind" if face.visible == "face" and share < truth.SMALLEST_SHARE else face.visible
                    faces.append(
                        Face(face.face, np.concatenate([low, high - low]) + np.array([left, 0, 0, 0]), visible)
                    )
            left += width
        yield Scene(np.hstack([picture for picture, _ in scenes]), faces)


def altered(scenes: Scenes, change: Callable[[np.ndarray, np.random.Generator], np.ndarray]) -> Scenes:
    """Yield scenes with every picture changed in what it shows but not in where."""
    random = np.random.default_rng(1)
    for picture, faces in scenes:
        yield Scene(change(picture, random), faces)


def covered(scenes: Scenes, cover: Callable[[int, Scene], tuple[np.ndarray, np.ndarray]]) -> Scenes:
    """Yield scenes with something before them.

    ``cover(step, scene)`` returns how much of each pixel it takes, shape (height, width), 0..1, and its picture. A face
    of which it leaves nothing to recognise counts as a head.
    """
    for step, scene in enumerate(scenes):
        share, colour = cover(step, scene)
        mixed = scene.picture + share[..., None] * (colour - scene.picture.astype(float))
        yield Scene(np.clip(mixed, 0, 255).round().astype(np.uint8), hidden(scene.faces, share))


def hidden(faces: list[Face], share: np.ndarray) -> list[Face]:
    """Return faces, those wholly under what takes ``share`` of each pixel as heads."""
    seen = []
    for face in faces:
        inside = truth.ellipse(face.box, (share.shape[0], share.shape[1]))
        gone = face.visible == "face" and inside.any() and (share[inside] > 0.5).mean() >= HIDDEN
        seen.append(face._replace(visible="behind") if gone else face)
    return seen


def noisy(deviation: float) -> Callable[[np.ndarray, np.random.Generator], np.ndarray]:
    """Return the change that adds noise of this standard deviation, of 0..255."""
    return lambda picture, random: np.clip(picture + random.normal(0, deviation, picture.shape), 0, 255).astype(
        np.uint8
    )


def darkened(picture: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Return a picture as under little light: a quarter of it is left, above the noise of the sensor."""
    return noisy(3)(picture // 4 + 18, random)


def smeared(length: int, degrees: float) -> Callable[[np.ndarray, np.random.Generator], np.ndarray]:
    """Return the change that blurs along a line of ``length`` pixels, as a moving camera does."""
    kernel = np.zeros((length, length), np.float32)
    kernel[length // 2] = 1
    turn = cv2.getRotationMatrix2D(((length - 1) / 2, (length - 1) / 2), degrees, 1)
    kernel = cv2.warpAffine(kernel, turn, (length, length))
    return lambda picture, random: np.asarray(cv2.filter2D(picture, -1, kernel / kernel.sum()))


def coarse(picture: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Return a picture with a third of its resolution at its old size."""
    small = cv2.resize(picture, None, fx=1 / 3, fy=1 / 3, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, picture.shape[1::-1], interpolation=cv2.INTER_LINEAR))


# --------------------------------------------------------------------------------------------------------------- clips

WALK, ALONE, SEVERAL, PAIR = "park/walk", "lab/alone", "lab/several1", "lab/several2"


def edge() -> Scenes:
    def place(step: int, frame: int) -> np.ndarray:
        x, y = middle(WALK, "woman", frame)
        return at(x, y, 1.5, (8 * np.sin(step / 6), 260 + step))

    return show(WALK, range(60, 110), (640, 720), place)


def upper_edge() -> Scenes:
    def place(step: int, frame: int) -> np.ndarray:
        x, _ = middle(PAIR, "therapist", frame)
        return at(x, 566, 1.5, (360, 10 + 12 * np.sin(step / 8)))

    return show(PAIR, range(50), (720, 720), place)


def tilted() -> Scenes:
    return show(WALK, range(40, 100), (960, 720), lambda step, frame: at(950, 400, 0.8, (480, 360), 35))


def swaying() -> Scenes:
    return show(PAIR, range(60), (720, 720), lambda step, frame: at(400, 640, 0.8, (360, 360), 45 * np.sin(step / 9)))


def approach() -> Scenes:
    """The man comes closer: from 15 to 370 pixels."""

    def place(step: int, frame: int) -> np.ndarray:
        x, y = middle(WALK, "man", frame)
        return at(x, 0.9 * y + 10, 0.35 * 25.0 ** (step / 59), (360, 330))

    return show(WALK, range(60), (720, 720), place)


def leaves_and_returns() -> Scenes:
    def place(step: int, frame: int) -> np.ndarray:
        return at(640, 90, 1.0, (320 + 420 * np.sin(step / 12), 200 + 40 * np.cos(step / 9)))

    return show(WALK, range(78), (640, 480), place)


def bar() -> Scenes:
    def cover(step: int, scene: Scene) -> tuple[np.ndarray, np.ndarray]:
        height, width = scene.picture.shape[:2]
        x = np.arange(width)
        left = 60 + 7 * (step if step < 30 else 59 - step)
        share = np.repeat(((x >= left) & (x < left + 70))[None].astype(float), height, axis=0)
        return share, np.full(scene.picture.shape, 90.0)

    return covered(show(PAIR, range(60), (640, 640), static(0, 320, 0.8)), cover)


def hand() -> Scenes:
    """A blob in the colour of skin moves up over the woman's face, stays, and goes."""

    def cover(step: int, scene: Scene) -> tuple[np.ndarray, np.ndarray]:
        height, width = scene.picture.shape[:2]
        face = next(face for face in scene.faces if face.face == "woman")
        x, y = face.box[:2] + face.box[2:] / 2
        away = np.interp(step, [0, 12, 18, 22, 28, 34, 38, 50], [3, 0.75, 0.55, 0.1, 0.1, 0.6, 0.7, 3])
        centre = (round(x - 2), round(y + away * face.box[3]))
        share = np.zeros((height, width), np.float32)
        cv2.ellipse(share, centre, (round(face.box[2] * 0.62), round(face.box[3] * 0.55)), 15, 0, 360, 1.0, -1)
        for finger in range(4):
            tip = (centre[0] + round((finger - 1.5) * face.box[2] * 0.27), centre[1] - round(face.box[3] * 0.75))
            cv2.line(share, centre, tip, 1.0, max(2, round(face.box[2] * 0.2)))
        shade = 1 + 0.08 * np.sin(np.arange(width) / 3)[None, :, None]
        colour = np.array([118.0, 140.0, 186.0]) * np.broadcast_to(shade, (height, width, 1))
        return cv2.GaussianBlur(share, (0, 0), 1.2), colour

    return covered(show(WALK, range(60, 120), (960, 640), static(640, 300, 1.0)), cover)


def cuts() -> Scenes:
    """Hard cuts every 6 to 15 frames between clips, rooms, sizes and people."""
    size = (640, 640)
    return itertools.chain(
        show(WALK, range(45, 57), size, static(1100, 380, 1.0)),
        show(PAIR, range(0, 20, 2), size, static(80, 400, 1.2)),
        show(WALK, range(57, 66), size, static(500, 0, 1.6)),
        show(ALONE, range(70, 100, 2), size, static(380, 380, 1.1)),
        show(PAIR, range(60, 72, 2), size, static(190, 470, 3.2)),
        show(SEVERAL, range(0, 20, 2), size, static(0, 220, 1.4)),
        show(WALK, range(100, 112), size, static(560, 380, 0.9)),
    )


def recrops() -> Scenes:
    """One walk without a pause in time, and another part of the picture or another size every 8 to 12 frames."""
    size = (720, 720)
    return itertools.chain(
        show(WALK, range(70, 80), size, static(840, 274, 1.0)),
        show(WALK, range(80, 88), size, static(1000, 440, 2.0)),
        show(WALK, range(88, 98), size, static(500, 0, 0.9)),
        show(WALK, range(98, 110), size, static(780, 400, 1.6)),
        show(WALK, range(110, 120), size, static(300, 0, 0.72)),
        show(WALK, range(120, 130), size, static(560, 10, 1.4)),
    )


@functools.cache
def empty_park() -> np.ndarray:
    """Return the park without the walker: the median over the clip."""
    pictures = np.array([picture for _, picture in read(WALK, range(0, 230, 10))])
    pictures.partition(len(pictures) // 2, axis=0)
    return pictures[len(pictures) // 2]


def crossing() -> Scenes:
    """The walker meets her mirror image, which passes in front of her."""
    size, place = (1280, 720), static(244, 274, 1.0)
    frames = range(84, 140)
    background = warped(empty_park(), place(0, 0), size).astype(float)
    plain = show(WALK, frames, size, place)
    for (picture, faces), (front, in_front) in zip(plain, show(WALK, frames, size, place), strict=True):
        walker = next(face for face in in_front if face.face == "woman")
        x, y = walker.box[:2] + walker.box[2:] / 2
        share = (np.abs(front - background).max(axis=2) > 16).astype(np.uint8)
        share[:, : max(0, round(x - 110))] = 0
        share[:, round(x + 130) :] = 0
        share[: max(0, round(y - 60))] = 0
        share = cv2.morphologyEx(share, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
        share = cv2.morphologyEx(share, cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
        soft = cv2.GaussianBlur(share.astype(np.float32), (0, 0), 1.5)
        # A little lower, as who is nearer: the two would otherwise be one when they meet.
        shift = np.array([[-1, 0, size[0]], [0, 1, 12]], float)
        soft, image = warped(soft, shift, size), warped(front, shift, size)
        soft[:12] = 0
        mixed = picture + soft[..., None].clip(0, 1) * (image.astype(float) - picture)
        passing = Face("woman mirrored", truth.moved(walker.box, shift), walker.visible)
        yield Scene(np.clip(mixed, 0, 255).round().astype(np.uint8), [*hidden(faces, soft), passing])


def crowd() -> Scenes:
    """Eight views side by side in two rows: about sixteen heads."""

    def view(source: str, frames: range, x: float, y: float, zoom: float, name: str) -> Scenes:
        return show(source, frames, (300, 330), static(x, y, zoom), f"{name} ")

    upper = beside(
        view(WALK, range(60, 100), 440, 0, 0.8, "a"),
        view(PAIR, range(40), 100, 350, 0.7, "b"),
        view(SEVERAL, range(40), 0, 250, 0.6, "c"),
        view(ALONE, range(50, 90), 480, 380, 0.6, "d"),
    )
    lower = beside(
        view(PAIR, range(50, 90), 100, 350, 0.7, "e"),
        view(WALK, range(40), 450, 0, 1.0, "f"),
        view(WALK, range(140, 180), 130, 400, 0.65, "g"),
        view(ALONE, range(40), 650, 420, 1.0, "h"),
    )
    for (above, faces), (below, others) in zip(upper, lower, strict=True):
        lowered = [face._replace(box=face.box + np.array([0, above.shape[0], 0, 0])) for face in others]
        yield Scene(np.vstack([above, below]), [*faces, *lowered])


#: Name -> clip. The name is the id of the clip in the study, too.
CLIPS: dict[str, Clip] = {
    "plain": Clip("the walk at half its size", lambda: show(WALK, range(30, 90), (884, 498), static(0, 0, 0.5))),
    "edge": Clip("a face half outside the left edge", edge),
    "upper-edge": Clip("a face cut by the upper edge", upper_edge, 60),
    "rotated-90": Clip(
        "turned clockwise as pixels",
        lambda: turned(show(WALK, range(90, 150), (884, 496), static(0, 0, 0.5)), 1),
    ),
    "rotated-180": Clip("upside down", lambda: turned(show(PAIR, range(60), (652, 900), static(0, 200, 0.6)), 2), 60),
    "rotated-270": Clip(
        "turned counter-clockwise as pixels",
        lambda: turned(show(ALONE, range(40, 100), (648, 800), static(0, 200, 0.6)), 3),
        60,
    ),
    "tilted": Clip("the camera tilted by 35 degrees", tilted),
    "swaying": Clip("the camera swaying by 45 degrees to either side", swaying, 60),
    "mirrored": Clip(
        "left and right exchanged", lambda: mirrored(show(WALK, range(150, 204), (884, 498), static(0, 0, 0.5)))
    ),
    "mirror": Clip(
        "a person and the mirror image",
        lambda: beside(
            show(WALK, range(60, 100), (480, 600), static(950, 360, 1.0)),
            mirrored(show(WALK, range(60, 100), (480, 600), static(950, 360, 1.0)), " mirrored"),
        ),
    ),
    "tiny": Clip("faces 12 pixels high, outdoors", lambda: show(WALK, range(40, 110), (494, 278), static(0, 0, 0.28))),
    "tiny-lab": Clip(
        "faces 12 pixels high, indoors", lambda: show(PAIR, range(60), (180, 320), static(0, 0, 0.166)), 60
    ),
    "close": Clip("a face 370 pixels high", lambda: show(PAIR, range(60), (1000, 1000), static(170, 480, 5.0)), 60),
    "approach": Clip("a face growing from 15 to 370 pixels", approach),
    "bar": Clip("a bar passing before a face", bar, 60),
    "hand": Clip("a hand before a face", hand),
    "cuts": Clip("shot cuts between places and people", cuts),
    "recrops": Clip("shot cuts within one walk", recrops),
    "motion-blur": Clip(
        "blurred along 13 pixels",
        lambda: altered(show(WALK, range(100, 160), (960, 640), static(240, 0, 0.9)), smeared(13, 20)),
    ),
    "dark": Clip(
        "a quarter of the light",
        lambda: altered(show(WALK, range(40, 100), (884, 498), static(0, 0, 0.5)), darkened),
    ),
    "noisy": Clip(
        "noise with a deviation of 28 of 255",
        lambda: altered(show(PAIR, range(30, 90), (652, 720), static(0, 250, 0.6)), noisy(28)),
        60,
        18,
    ),
    "low-resolution": Clip(
        "a third of the resolution, strongly compressed",
        lambda: altered(show(WALK, range(150, 205), (1152, 648), static(0, 300, 0.95)), coarse),
        30,
        33,
    ),
    "leaves-and-returns": Clip("a face leaving the picture and coming back, twice", leaves_and_returns),
    "crossing": Clip("two people crossing, one before the other", crossing),
    "crowd": Clip("sixteen heads in eight views", crowd),
    "somersault": Clip(
        "a head turning over against the sun, hidden, seen from behind, then in profile",
        lambda: show(WALK, range(140, 230), (1280, 800), static(440, 0, 0.97)),
    ),
    "turning-away": Clip(
        "a profile turning away, another person passing before that head",
        lambda: show(PAIR, range(100), (652, 720), static(0, 200, 0.6)),
        60,
    ),
    "uncovered-once": Clip(
        "a pixelated face bare for one frame, a seated man coming into view",
        lambda: show(ALONE, range(50, 100), (1080, 720), static(0, 300, 1.0)),
        60,
    ),
    "uncovered-aside": Clip(
        "the same man filmed from the side, bare for one frame",
        lambda: show(SEVERAL, range(60, 100), (1088, 900), static(0, 220, 1.0)),
        60,
    ),
}


def build(name: str, folder: Path) -> pd.DataFrame:
    """Write ``{name}.mp4`` into a folder and return its true faces, the table of `truth.COLUMNS`."""
    clip = CLIPS[name]
    pictures, rows = [], []
    for frame, (picture, faces) in enumerate(clip.scenes()):
        pictures.append(cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_BGR2RGB))
        rows += [truth.row(name, frame, face, (picture.shape[0], picture.shape[1])) for face in faces]
    options = {"crf": str(clip.crf), "preset": "veryfast"}
    video_files.write_video(
        folder / f"{name}.mp4", pictures, rate=Fraction(clip.rate), sound=None, tags={}, options=options
    )
    return pd.DataFrame([row for row in rows if row], columns=truth.COLUMNS)


def build_all(folder: Path, names: Sequence[str] = tuple(CLIPS)) -> None:
    """Write clips, ``truth/{name}.tsv`` (their true faces) and ``videos.tsv`` (their ids) into a folder.

    Clips that are there are kept, unless the code or the annotations have changed since: then all are made anew.
    """
    stamp, now = folder / "code.sha256", digest()
    if not stamp.exists() or stamp.read_text("utf-8") != now:
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "truth").mkdir(parents=True)
        stamp.write_text(now, "utf-8")
    for name in names:
        table = folder / "truth" / f"{name}.tsv"
        if not table.exists():
            build(name, folder).to_csv(table, sep="\t", index=False)
    there = [name for name in CLIPS if (folder / "truth" / f"{name}.tsv").exists()]
    lines = ["source\tvideo\tsubject\tcondition", *(f"{name}.mp4\t{name}\t\t" for name in there)]
    (folder / "videos.tsv").write_text("\n".join(lines) + "\n", "utf-8")


def digest() -> str:
    """Return the SHA-256 of everything that the clips follow from, but the demo video_files."""
    sources = [Path(__file__), Path(truth.__file__), truth.KEY_FRAMES, Path(video_files.__file__)]
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()
