"""Compare imported people with those that a backend sees, and find the patient among them."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from deidpose.errors import UserError
from deidpose.evaluation import matching
from deidpose.keypoints import Poses
from deidpose.pose.people.people import list_people

#: Fewer sights of people, in frames in which both see somebody, say nothing about whether they are the same people.
_FEWEST_SIGHTS = 10
#: Where fewer of them than this share are of somebody whom the backend sees too, nothing of the video can be compared.
_FEWEST_SHARED = 0.1


class Agreement(NamedTuple):
    """How imported keypoints and a backend's agree in one original."""

    n_sights: int  # imported people in frames, of frames in which the backend sees somebody too
    n_shared: int  # of these, those of a person whom the backend sees there
    n_keypoints: int  # keypoints that both have of them
    median_px: float  # median distance of these keypoints in pixels; NaN without any


def agreement(imported: Poses, backend: Poses, matches: pd.DataFrame) -> Agreement:
    """Measure how imported keypoints and a backend's agree in one original.

    Parameters
    ----------
    imported, backend : Poses
        Tables ``keypoints`` of the same video.
    matches : DataFrame
        From `matching.match_people`, with the backend's keypoints for those of the original.

    Raises
    ------
    UserError
        The imported people are somewhere else than the backend's, so they are not people of this video.
    """
    ours, theirs = (matching.seen(keypoints) for keypoints in (imported, backend))
    n_sights = int(np.isin(ours.frame, theirs.frame).sum())
    carried = matching.carry(ours, matches)
    i, j = matching.same_people(carried, theirs)
    away = np.linalg.norm(carried.position[i] - theirs.position[j], axis=2)
    both = np.isfinite(away)
    n_shared = int(both.any(axis=1).sum())
    if n_sights >= _FEWEST_SIGHTS and n_shared < _FEWEST_SHARED * n_sights:
        raise UserError(
            "The people in OpenPose's results are not where people are seen in the video: the results are of another "
            "video, of pictures of another size (--keypoint_scale), or of pictures turned another way."
        )
    return Agreement(n_sights, n_shared, int(both.sum()), float(np.median(away[both])) if both.any() else float("nan"))


def list_imported(
    imported: Poses,
    people: pd.DataFrame,
    matches: pd.DataFrame,
    size: tuple[int, int],
    n_frames: int,
    is_named: bool,
) -> pd.DataFrame:
    """List everybody in imported keypoints, and say who of them is the patient.

    The patient is who is the backend's patient for the longest time. Where that is nobody, and no one has named the
    patient, it is whom `people.list_people` takes: the files may hold one person alone, and not the backend's patient.

    Parameters
    ----------
    imported : Poses
        The table ``keypoints``.
    people : DataFrame
        The table ``people`` of the backend's keypoints.
    matches : DataFrame
        As `agreement` has them.
    size : tuple of int
        Width and height of the picture, in pixels.
    n_frames : int
        Length of the video.
    is_named : bool
        Whether a person has named the patient in the table of videos.

    Returns
    -------
    DataFrame
        The table ``people``. Its tokens name nobody in the table of videos: those there are of the backend's people.

    Raises
    ------
    UserError
        The patient who is named is not among the imported people.
    """
    listed = list_people(imported, size, n_frames).assign(token="")
    patients = people.loc[people["patient"].fillna(False).astype(bool), "person"]
    theirs = matches[matches["person"].isin(patients)]
    if len(theirs):
        lengths = (theirs["last_frame"] - theirs["first_frame"] + 1).groupby(theirs["method_person"]).sum()
        listed["patient"] = listed["person"] == lengths.idxmax()
    elif is_named and len(listed):
        raise UserError(
            "The patient whom the table of videos names is nobody in OpenPose's results of this video: take the token "
            "or the results away, and run again."
        )
    return listed
