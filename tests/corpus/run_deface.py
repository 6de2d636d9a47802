"""Write the regions that the package deface would hide, by its own functions and with its own defaults.

This file runs in an environment of its own, in which deface is installed and nothing of the workflow::

    python run_deface.py regions.tsv clip.mp4 ...
"""

import csv
import sys
from pathlib import Path

import imageio
from deface.centerface import CenterFace
from deface.deface import scale_bb

#: The defaults of its command line: --thresh, --mask-scale.
THRESHOLD, MASK_SCALE = 0.2, 1.3


def main(destination: str, clips: list[str]) -> None:
    """Write a row for each region: clip, frame, x_px, y_px, width_px, height_px. deface hides the ellipse in it."""
    detector = CenterFace()
    with open(destination, "w", newline="") as file:
        table = csv.writer(file, delimiter="\t", lineterminator="\n")
        table.writerow(["clip", "frame", "x_px", "y_px", "width_px", "height_px"])
        for clip in clips:
            for index, frame in enumerate(imageio.get_reader(clip).iter_data()):
                for found in detector(frame, threshold=THRESHOLD)[0]:
                    x1, y1, x2, y2 = scale_bb(*found[:4].astype(int), MASK_SCALE)
                    # As its `anonymize_frame` does.
                    y1, y2 = max(0, y1), min(frame.shape[0] - 1, y2)
                    x1, x2 = max(0, x1), min(frame.shape[1] - 1, x2)
                    table.writerow([Path(clip).stem, index, x1, y1, x2 - x1, y2 - y1])


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
