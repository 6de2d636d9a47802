"""How long the assembly of people from OpenPose's maps takes: nothing of a network, and no test.

`python benchmarks/openpose_parser.py` prints it; a benchmark may call `parser_times`.
"""

import sys
import time
from pathlib import Path

from fixtures.openpose_maps import SCALE, drawn, standing

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / folder) for folder in ("scripts", "tests", ".")]

from deidpose.pose.backends.openpose import part_affinity_fields

#: Height and width of OpenPose's usual input for a video of 16:9, in pixels.
SIZE = (368, 656)
PEOPLE = (1, 2, 4, 8)


def parser_times(repeats: int = 5) -> dict[str, float]:
    """Return seconds a frame for maps of so many people, each the fastest of some repeats.

    Parameters
    ----------
    repeats : int
        The fastest is what the machine can do; the others were disturbed.

    Returns
    -------
    dict
        "1 person", "2 people", "4 people", "8 people" -> seconds.
    """
    height, width = (side // SCALE for side in SIZE)
    times = {}
    for n_people in PEOPLE:
        step = SIZE[1] / n_people
        skeletons = [standing((number + 0.5) * step, 180.0, 1.0) for number in range(n_people)]
        maps = drawn(*skeletons, height=height, width=width)
        if len(part_affinity_fields.people(maps, SCALE)) != n_people:
            raise AssertionError(f"of {n_people} people not all were found, so their time says nothing")
        taken = []
        for _ in range(repeats):
            start = time.perf_counter()
            part_affinity_fields.people(maps, SCALE)
            taken.append(time.perf_counter() - start)
        times["1 person" if n_people == 1 else f"{n_people} people"] = min(taken)
    return times


if __name__ == "__main__":
    for name, seconds in parser_times().items():
        print(f"{name:<10}{1000 * seconds:8.1f} ms a frame")
