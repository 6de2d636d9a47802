"""Count identity switches: how often a method loses people, exchanges them or changes their number."""

from collections.abc import Collection

import numpy as np
import pandas as pd

from deidpose import tables
from deidpose.evaluation.matching import PAIRS_AT_A_TIME, carry, same_people, seen, straight_and_mirrored
from deidpose.keypoints import Poses, torso_lengths

#: The method has exchanged the left and the right of a body when its keypoints lie nearer to the original's with them
#: exchanged back, on average by more than this, in torso lengths. Our choice: in somebody seen from the side both lie
#: close together, and nothing can be said.
MIRRORED_LIMIT = 0.1


def compare_identities(
    video: str,
    method: str,
    original_keypoints: Poses,
    method_keypoints: Poses,
    matches: pd.DataFrame,
    patients: Collection[int],
) -> pd.DataFrame:
    """Count, for each person of the original, the frames lost and gained and the changes of identity.

    A switch is a change of ``method_person`` from one section of a person to the next. That is the mismatch of CLEAR
    MOT (Bernardin & Stiefelhagen 2008, EURASIP J Image Video Process 246309), with two differences. The reference is
    the original's own tracks and not a ground truth, so where the original changes the number of somebody whom the
    method follows on, nobody has switched. And it is counted from section to section and not from frame to frame, so a
    track that leaps away for a moment has not switched either. An exchange of two people counts once for each of them.

    Parameters
    ----------
    video, method : str
        What to write in these columns.
    original_keypoints, method_keypoints : Poses
        Tables ``keypoints`` of the same video. Somebody is seen in a frame when a keypoint of theirs has a position.
    matches : DataFrame
        What `match_people` returns for the two.
    patients : collection of int
        People of the original who are taken for the patient.

    Returns
    -------
    DataFrame
        The table ``identities``: a row for every person of the original of whom a keypoint is ever seen, by person.
    """
    original, method_poses = seen(original_keypoints), seen(method_keypoints)
    sightings = _sightings(original)
    carried = carry(method_poses, matches)
    turned = _mirrored(original, carried)
    both = sightings.merge(_sightings(carried), how="outer", on=["frame", "person"], indicator="seen_by")
    # Whom the original never sees has no section, so the outer join brings in nobody.
    counts = pd.crosstab(both["person"], both["seen_by"].astype(str))
    counts = counts.reindex(columns=["left_only", "right_only", "both"], fill_value=0)
    ordered = matches.sort_values(["person", "first_frame"])
    tracks = ordered.groupby("person")["method_person"]
    changed = (tracks.diff().fillna(0) != 0).groupby(ordered["person"]).sum()
    table = pd.DataFrame(
        {
            "video": video,
            "method": method,
            "person": counts.index,
            "patient": counts.index.isin(list(patients)),
            "n_original": counts["left_only"] + counts["both"],
            "n_both": counts["both"],
            "n_lost": counts["left_only"],
            "n_gained": counts["right_only"],
            "n_mirrored": turned.reindex(counts.index, fill_value=0),
            "n_tracks": tracks.nunique().reindex(counts.index, fill_value=0),
            "n_switches": changed.reindex(counts.index, fill_value=0),
        }
    )
    return tables.check(table, "identities")


def headcounts(
    video: str,
    method: str,
    original_keypoints: Poses,
    method_keypoints: Poses,
    matches: pd.DataFrame,
) -> pd.DataFrame:
    """Count the people of one video in the original and in a method.

    Parameters
    ----------
    video, method : str
        What to write in these columns.
    original_keypoints, method_keypoints : Poses
        Tables ``keypoints`` of the same video. Somebody is seen in a frame when a keypoint of theirs has a position.
    matches : DataFrame
        What `match_people` returns for the two.

    Returns
    -------
    DataFrame
        The table ``headcounts``, one row.
    """
    original, method_poses = seen(original_keypoints), seen(method_keypoints)
    before, after = _sightings(original), _sightings(method_poses)
    counts = pd.DataFrame({"before": before["frame"].value_counts(), "after": after["frame"].value_counts()}).fillna(0)
    who = compare_identities(video, method, original, method_poses, matches, ())
    row = {
        "video": video,
        "method": method,
        "n_frames": len(counts),
        "n_people_original": before["person"].nunique(),
        "n_people_method": after["person"].nunique(),
        "n_people_unmatched": len(set(after["person"]) - set(matches["method_person"])),
        "n_frames_fewer": (counts["after"] < counts["before"]).sum(),
        "n_frames_more": (counts["after"] > counts["before"]).sum(),
        "n_switches": who["n_switches"].sum(),
    }
    return tables.check(pd.DataFrame([row]), "headcounts")


def _mirrored(original: Poses, method: Poses) -> pd.Series:
    """Return, by person of the original, in how many frames the method, carried, exchanges left and right."""
    first, second = same_people(original, method)
    turned = np.zeros(len(first), bool)
    size = torso_lengths(original)
    for start in range(0, len(first), PAIRS_AT_A_TIME):
        i, j = first[start : start + PAIRS_AT_A_TIME], second[start : start + PAIRS_AT_A_TIME]
        straight, mirrored = straight_and_mirrored(original.position[i], method.position[j], size[i])
        turned[start : start + PAIRS_AT_A_TIME] = straight - mirrored > MIRRORED_LIMIT
    return pd.Series(turned, dtype="int64").groupby(original.person[first]).sum()


def _sightings(body: Poses) -> pd.DataFrame:
    """Return frame and person of everybody."""
    return pd.DataFrame({"frame": body.frame, "person": body.person})
