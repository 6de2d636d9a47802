"""Check that OpenPose's network gives the same people at the same places here as in OpenPose itself.

Two ways to run the same network on the same pictures are compared frame by frame. Lengths are pixels of the network's
input, since it is there that both place keypoints; a picture that is three times as high has three times as many.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from deidpose.errors import UserError
from deidpose.pose import layouts
from deidpose.pose.backends.openpose import caffe, json_files
from deidpose.pose.backends.protocol import Sight
from deidpose.skeleton import BODY_25

#: Median distance of a keypoint, pixels of the input. OpenPose takes the centre of gravity of 7 x 7 pixels around a
#: peak, and `part_fields` the top of a parabola through three: up to half a pixel to either side, 0.7 along the
#: diagonal. The rest is for decoders and for the arithmetic of another library.
MEDIAN_PX = 1.0
#: A keypoint is the same one within a cell of the maps, pixels of the input: peaks cannot lie closer.
CELL_PX = 8.0
#: Share of the keypoints of either that have to be in the other. Some are so weak that rounding decides about them.
SAME_SHARE = 0.95
#: Median difference of the confidence. Both read the same map at the same peak, enlarged by kernels that differ.
CONFIDENCE = 0.05
#: Two people are one when their keypoints lie nearer than this in the median, pixels of the input.
_PERSON_PX = 2 * CELL_PX
#: The median of fewer sightings of a keypoint says little.
_FEWEST_SIGHTINGS = 20

#: For each frame everybody, shape (people, 25, 3): x and y in pixels of the picture, NaN where not seen, confidence.
Bodies = Sequence[NDArray[np.float64]]


def check_weights(prototxt: str | Path, weights: str | Path, any_weights: bool = False) -> None:
    """Check that the files of the network are there and that the weights are OpenPose's own.

    Parameters
    ----------
    prototxt, weights : path
    any_weights : bool
        Take weights of another training too.

    Raises
    ------
    UserError
        A file is not there, or the weights are others.
    """
    for name, path in (("the description of the network", prototxt), ("the weights", weights)):
        if not Path(path).is_file():
            raise UserError(f"The file with {name}, {path}, does not exist.")
    found = caffe.md5(weights)
    if found != caffe.MD5 and not any_weights:
        raise UserError(
            f"The weights are not OpenPose's pose_iter_584000.caffemodel: their MD5 is {found} and should be "
            f"{caffe.MD5}, and they have {Path(weights).stat().st_size / 1e6:.1f} MB where about 100 are "
            "expected, so the download may be broken or of another network."
        )


def by_frame(sights: Iterable[Sight], n_frames: int) -> list[NDArray[np.float64]]:
    """Return the people of each frame from what a backend has seen in frames 0 to ``n_frames`` - 1."""
    bodies: list[list[NDArray[np.float64]]] = [[] for _ in range(n_frames)]
    for sight in sights:
        bodies[sight.frame].append(sight.keypoints)
    return [np.stack(people) if people else np.empty((0, len(BODY_25), 3)) for people in bodies]


def read_json(folder: str | Path, n_frames: int, size: Sequence[int]) -> list[NDArray[np.float64]]:
    """Return what OpenPose has written of a video, checked to fit it.

    Parameters
    ----------
    folder : path
        The files that ``--write_json`` has written.
    n_frames : int
        Frames of the whole video.
    size : sequence of int
        Width and height of its pictures, px.

    Raises
    ------
    UserError
        The files are not those of such a video, or not of BODY_25 in pixels.
    """
    if not Path(folder).is_dir():
        raise UserError(f"The folder with OpenPose's JSON, {folder}, does not exist.")
    frames = list(json_files.read_folder(folder, n_frames))
    some = [bodies for bodies in frames if len(bodies)]
    counts = {bodies.shape[1] for bodies in some}
    if counts - {len(BODY_25)}:
        raise UserError(
            f"OpenPose's JSON has {max(counts)} points a person, and BODY_25 has {len(BODY_25)}: run OpenPose with "
            "--model_pose BODY_25."
        )
    if some and _is_25b(np.concatenate(some)):
        raise UserError("OpenPose's JSON is of BODY_25B, whose points stand in another order: run it with BODY_25.")
    found = [layouts.to_body_25(bodies, "BODY_25") if len(bodies) else _nobody() for bodies in frames]
    points = np.concatenate([_nobody(), *found])[..., :2].reshape(-1, 2)
    points = points[np.isfinite(points).all(axis=1)]
    if len(points) and np.abs(points).max() <= 1:
        raise UserError("OpenPose's JSON is not in pixels of the picture: run OpenPose without --keypoint_scale.")
    outside = ((points < 0) | (points > np.asarray(size))).any(axis=1)
    if len(points) and outside.mean() > 0.01:
        raise UserError(
            f"In OpenPose's JSON {100 * outside.mean():.0f} % of the keypoints lie outside the picture of {size[0]} x "
            f"{size[1]} pixels: it is of another video, or of the same in another size or turned."
        )
    return found


def _is_25b(bodies: NDArray[np.float64]) -> bool:
    try:
        return layouts.recognize(bodies) == "BODY_25B"
    except UserError:  # too few to tell; the distances will
        return False


def _nobody() -> NDArray[np.float64]:
    return np.empty((0, len(BODY_25), 3))


def agreement(first: Bodies, second: Bodies, scale: float) -> pd.DataFrame:
    """Compare two results of the same frames.

    Parameters
    ----------
    first, second : sequence of array, shape (people, 25, 3)
    scale : float
        Pixels of the network's input for one of the picture, from `caffe.input_pixels`.

    Returns
    -------
    DataFrame
        A row for each keypoint, and one, ``all``, for all of them: n_first and n_second, sightings; n_both, in both of
        the same person; n_same, of these within `CELL_PX`; median_px and p95_px, their distances in pixels of the
        input; confidence, the median absolute difference.
    """
    n_first = sum((_seen(bodies).sum(axis=0) for bodies in first), np.zeros(len(BODY_25), int))
    n_second = sum((_seen(bodies).sum(axis=0) for bodies in second), np.zeros(len(BODY_25), int))
    apart, difference = [_nobody()[..., 0]], [_nobody()[..., 0]]
    for here, there in zip(first, second, strict=True):
        i, j = _same_people(here, there, scale)
        apart.append(np.linalg.norm(here[i, :, :2] - there[j, :, :2], axis=2) * scale)
        difference.append(np.abs(here[i, :, 2] - there[j, :, 2]))
    distance, confidence = np.concatenate(apart), np.concatenate(difference)
    columns = {name: [index] for index, name in enumerate(BODY_25)} | {"all": list(range(len(BODY_25)))}
    rows = []
    for name, chosen in columns.items():
        both = np.isfinite(distance[:, chosen])
        known = distance[:, chosen][both]
        rows.append(
            {
                "keypoint": name,
                "n_first": int(n_first[chosen].sum()),
                "n_second": int(n_second[chosen].sum()),
                "n_both": len(known),
                "n_same": int((known <= CELL_PX).sum()),
                "median_px": float(np.median(known)) if len(known) else np.nan,
                "p95_px": float(np.percentile(known, 95)) if len(known) else np.nan,
                "confidence": float(np.median(confidence[:, chosen][both])) if len(known) else np.nan,
            }
        )
    return pd.DataFrame(rows)


def _seen(bodies: NDArray[np.float64]) -> NDArray[np.bool_]:
    return np.asarray(np.isfinite(bodies[..., :2]).all(axis=2))


def _same_people(
    here: NDArray[np.float64], there: NDArray[np.float64], scale: float
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return which of the people of a frame are the same: those for whom the sum of distances is smallest."""
    if not len(here) or not len(there):
        return np.empty(0, np.intp), np.empty(0, np.intp)
    distance = np.linalg.norm(here[:, None, :, :2] - there[None, :, :, :2], axis=3) * scale
    shared = np.isfinite(distance).any(axis=2)
    cost = np.full(shared.shape, _PERSON_PX)
    cost[shared] = np.minimum(np.nanmedian(distance[shared], axis=1), _PERSON_PX)
    i, j = linear_sum_assignment(cost)
    near = cost[i, j] < _PERSON_PX
    return i[near], j[near]


def disagreements(table: pd.DataFrame) -> list[str]:
    """Return in which respects two results of `agreement` differ more than two ways to run one network do."""
    of_all = table.set_index("keypoint").loc["all"]
    if not max(of_all["n_first"], of_all["n_second"]):
        return ["Neither finds anybody, so there is nothing to compare: take a video with people."]
    found = []
    for column, which in (("n_first", "network run here"), ("n_second", "other")):
        share = of_all["n_same"] / of_all[column] if of_all[column] else 0.0
        if share < SAME_SHARE:
            found.append(
                f"Of the keypoints of the {which}, {100 * share:.1f} % are found by both within a cell of the maps; at "
                f"least {100 * SAME_SHARE:.0f} % should be."
            )
    often = table[(table["n_both"] >= _FEWEST_SIGHTINGS) | (table["keypoint"] == "all")]
    far = often[often["median_px"] > MEDIAN_PX]
    if len(far):
        listed = ", ".join(f"{row.keypoint} {row.median_px:.2f}" for row in far.itertuples())
        found.append(
            f"Median distances are above {MEDIAN_PX:g} pixel of the network's input for these keypoints: {listed}."
        )
    if of_all["confidence"] > CONFIDENCE:
        found.append(f"Confidences differ by {of_all['confidence']:.3f} in the median, more than {CONFIDENCE:g}.")
    return found
