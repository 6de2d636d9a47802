"""Write the regions that the package deface hides, found by its own functions with its own defaults.

`corpus.peers` runs this file in an environment of its own, which holds deface and nothing of the workflow::

    python deface_regions.py destination/ clip.mp4 ...
"""

import csv
import sys
from pathlib import Path

import imageio
from deface.centerface import CenterFace
from deface.deface import scale_bb

#: The defaults of its command line: --thresh and --mask-scale.
THRESHOLD, MASK_SCALE = 0.2, 1.3


def write_regions(detector: CenterFace, clip: Path, destination: Path) -> None:
    """Write a row for each region of a clip: frame, x_px, y_px, width_px, height_px; deface blurs the ellipse in it."""
    with destination.open("w", newline="") as file:
        table = csv.writer(file, delimiter="\t", lineterminator="\n")
        table.writerow(["frame", "x_px", "y_px", "width_px", "height_px"])
        for index, frame in enumerate(imageio.get_reader(clip).iter_data()):
            for found in detector(frame, threshold=THRESHOLD)[0]:
                x1, y1, x2, y2 = scale_bb(*found[:4].astype(int), MASK_SCALE)
                # The next two lines are those of its `anonymize_frame`.
                y1, y2 = max(0, y1), min(frame.shape[0] - 1, y2)
                x1, x2 = max(0, x1), min(frame.shape[1] - 1, x2)
                table.writerow([index, x1, y1, x2 - x1, y2 - y1])


if __name__ == "__main__":
    center_face = CenterFace()
    for name in sys.argv[2:]:
        write_regions(center_face, Path(name), Path(sys.argv[1]) / f"{Path(name).stem}.tsv")
