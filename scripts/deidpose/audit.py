"""Look for faces in the delivered files with CenterFace, a detector that took no part in masking them."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd

from deidpose import runtime
from deidpose.faces import non_maximum_suppression, under_ellipse
from deidpose.video import Frame, to_bgr

#: Of each detection the output has a cell for four by four pixels (Xu et al. 2019, arXiv 1911.03599).
_STRIDE = 4
_SAME_FACE_IOU = 0.3
#: A face found outside the masks with this score, in any frame, is no accident.
_SURE_SCORE = 0.8
#: At most this many frame numbers are listed; the counts are always complete.
_LISTED_FRAMES = 1000


def audit(
    frames: Iterable[Frame],
    faces: pd.DataFrame,
    size: tuple[int, int, int],
    model: str | Path,
    settings: Mapping[str, Any],
    threads: int = 1,
) -> dict[str, Any]:
    """Search every frame of a masked video for faces and compare them with the masks.

    Parameters
    ----------
    frames : iterable of Frame
        Of the masked file.
    faces : DataFrame
        The table ``faces``: what has been masked.
    size : tuple of int
        Width and height of the picture in pixels, and the number of frames of the source.
    model : path
        ``centerface.onnx``.
    settings : mapping
        ``audit`` of the configuration: score_threshold, max_side_px, sustained_frames.
    threads : int

    Returns
    -------
    dict
        Counts, the frames in which a face was found outside every mask, and the verdict: ``pass`` when there are
        none, ``review`` when they are brief and unsure, ``fail`` when they last, are sure, or when the masks do not
        fit the video.
    """
    width, height, expected = size
    scale = min(1.0, settings["max_side_px"] / max(width, height))
    shape = (round(height * scale), round(width * scale))
    padded = tuple(-(-side // 32) * 32 for side in shape)
    network = runtime.compile_network(model, (1, 3, *padded), threads)
    masks = {int(str(frame)): rows for frame, rows in faces.groupby("frame")}
    n_frames = n_detections = n_inside = 0
    masked_area = 0.0
    outside: dict[int, int] = {}
    surest = 0.0
    for frame in frames:
        n_frames += 1
        picture = np.zeros((*padded, 3), np.uint8)
        picture[: shape[0], : shape[1]] = cv2.resize(to_bgr(frame), shape[::-1], interpolation=cv2.INTER_AREA)
        found = _decode_centerface(network(cv2.dnn.blobFromImage(picture, swapRB=True)), settings["score_threshold"])
        found[:, :4] /= scale
        rows = masks.get(frame.index)
        boxes = np.empty((0, 4)) if rows is None else rows[["x_px", "y_px", "width_px", "height_px"]].to_numpy(float)
        masked_area += _clipped_area(boxes, (width, height))
        n_detections += len(found)
        covered = _covered(found, boxes)
        n_inside += int(covered.sum())
        if not covered.all():
            outside[frame.index] = int((~covered).sum())
            surest = max(surest, float(found[~covered, 4].max()))
    run = _longest_run(sorted(outside))
    verdict, reason = _verdict(outside, run, surest, n_frames == expected, settings["sustained_frames"])
    return {
        "verdict": verdict,
        "reason": reason,
        "n_frames": n_frames,
        "n_frames_masked": len(masks),
        "n_masks": len(faces),
        "masked_area_percent": round(100 * masked_area / max(1, n_frames * width * height), 4),
        "n_detections": n_detections,
        "n_detections_inside_masks": n_inside,
        "n_detections_outside_masks": sum(outside.values()),
        "n_frames_outside_masks": len(outside),
        "longest_run_outside_masks": run,
        "frames_outside_masks": sorted(outside)[:_LISTED_FRAMES],
    }


def _verdict(outside: Mapping[int, int], run: int, surest: float, complete: bool, sustained: int) -> tuple[str, str]:
    if not complete:
        return "fail", "the masked file has not as many frames as its source"
    if not outside:
        return "pass", ""
    found = f"faces outside the masks in {len(outside)} frames, at most {run} in a row, highest score {surest:.2f}"
    return "fail" if run >= sustained or surest >= _SURE_SCORE else "review", found


def _covered(found: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Return for every detection whether its middle, half its width and height, lies under one mask."""
    if not len(found) or not len(boxes):
        return np.zeros(len(found), bool)
    middle = np.column_stack([found[:, :2] + found[:, 2:4] / 4, found[:, 2:4] / 2])
    return np.asarray(under_ellipse(middle[:, None], boxes[None]).any(axis=1))


def _clipped_area(boxes: np.ndarray, size: tuple[int, int]) -> float:
    low = np.clip(boxes[:, :2], 0, size)
    high = np.clip(boxes[:, :2] + boxes[:, 2:4], 0, size)
    return float(np.prod(np.clip(high - low, 0, None), axis=1).sum())


def _longest_run(frames: list[int]) -> int:
    longest = run = 0
    for before, frame in zip([-2, *frames], frames, strict=False):
        run = run + 1 if frame == before + 1 else 1
        longest = max(longest, run)
    return longest


def _decode_centerface(outputs: list[np.ndarray], threshold: float) -> np.ndarray:
    """Turn heat map, sizes and offsets into boxes, shape (n, 5): x, y, width, height, score."""
    heat, size, offset = outputs[0][0, 0], outputs[1][0], outputs[2][0]
    row, column = np.nonzero(heat >= threshold)
    height, width = (np.exp(size[axis, row, column]) * _STRIDE for axis in (0, 1))
    centre_y = (row + offset[0, row, column] + 0.5) * _STRIDE
    centre_x = (column + offset[1, row, column] + 0.5) * _STRIDE
    faces = np.stack(
        [centre_x - width / 2, centre_y - height / 2, width, height, heat[row, column]], axis=1, dtype=float
    )
    return np.asarray(faces[non_maximum_suppression(faces[:, :4], faces[:, 4], _SAME_FACE_IOU)])
