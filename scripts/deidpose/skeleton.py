"""BODY_25, the skeleton of OpenPose: names, limbs, colours, and how other layouts map to it and to the hands.

Source of the order, the limbs and the colours: OpenPose, ``poseParameters.cpp`` and
``poseParametersRender.hpp`` (Cao et al. 2021, IEEE TPAMI 43:172-186).
"""

import numpy as np

#: Keypoint names in OpenPose's order.
BODY_25: tuple[str, ...] = (
    "Nose", "Neck", "RShoulder", "RElbow", "RWrist", "LShoulder", "LElbow", "LWrist", "MidHip", "RHip", "RKnee",
    "RAnkle", "LHip", "LKnee", "LAnkle", "REye", "LEye", "REar", "LEar", "LBigToe", "LSmallToe", "LHeel",
    "RBigToe", "RSmallToe", "RHeel",
)  # fmt: skip


#: BODY_25 and, where a backend has them, the knuckles of the index fingers: the wrist angle needs one.
KEYPOINTS: tuple[str, ...] = (*BODY_25, "LIndex", "RIndex")

#: Name -> index in `KEYPOINTS`, and in `BODY_25` for its names.
INDEX: dict[str, int] = {name: index for index, name in enumerate(KEYPOINTS)}

#: Limbs as pairs of keypoints. A limb has the colour of its second keypoint, as in OpenPose.
LIMBS: tuple[tuple[str, str], ...] = (
    ("Neck", "MidHip"), ("Neck", "RShoulder"), ("Neck", "LShoulder"), ("RShoulder", "RElbow"),
    ("RElbow", "RWrist"), ("LShoulder", "LElbow"), ("LElbow", "LWrist"), ("MidHip", "RHip"), ("RHip", "RKnee"),
    ("RKnee", "RAnkle"), ("MidHip", "LHip"), ("LHip", "LKnee"), ("LKnee", "LAnkle"), ("Neck", "Nose"),
    ("Nose", "REye"), ("REye", "REar"), ("Nose", "LEye"), ("LEye", "LEar"), ("LAnkle", "LBigToe"),
    ("LBigToe", "LSmallToe"), ("LAnkle", "LHeel"), ("RAnkle", "RBigToe"), ("RBigToe", "RSmallToe"),
    ("RAnkle", "RHeel"),
)  # fmt: skip

#: Colour of each keypoint of BODY_25, red, green, blue.
COLOURS: tuple[tuple[int, int, int], ...] = (
    (255, 0, 85), (255, 0, 0), (255, 85, 0), (255, 170, 0), (255, 255, 0), (170, 255, 0), (85, 255, 0),
    (0, 255, 0), (255, 0, 0), (0, 255, 85), (0, 255, 170), (0, 255, 255), (0, 170, 255), (0, 85, 255),
    (0, 0, 255), (255, 0, 170), (170, 0, 255), (255, 0, 255), (85, 0, 255), (0, 0, 255), (0, 0, 255),
    (0, 0, 255), (0, 255, 255), (0, 255, 255), (0, 255, 255),
)  # fmt: skip

#: Keypoints that BlazePose does not have: the middle between two that it has.
MIDPOINTS: tuple[tuple[str, str, str], ...] = (("Neck", "LShoulder", "RShoulder"), ("MidHip", "LHip", "RHip"))

#: Name -> BlazePose landmark (Bazarevsky et al. 2020, arXiv 2006.10204, figure 3).
BLAZEPOSE: dict[str, int] = {
    "Nose": 0, "RShoulder": 12, "RElbow": 14, "RWrist": 16, "LShoulder": 11, "LElbow": 13, "LWrist": 15,
    "RHip": 24, "RKnee": 26, "RAnkle": 28, "LHip": 23, "LKnee": 25, "LAnkle": 27, "REye": 5, "LEye": 2,
    "REar": 8, "LEar": 7, "LBigToe": 31, "LHeel": 29, "RBigToe": 32, "RHeel": 30, "LIndex": 19, "RIndex": 20,
}  # fmt: skip


def from_blazepose(landmarks: np.ndarray) -> np.ndarray:
    """Map BlazePose landmarks to BODY_25 and the two knuckles.

    Neck and MidHip are the midpoints of the shoulders and of the hips, with the lower of the two confidences.
    The small toes have no counterpart and are NaN.

    Parameters
    ----------
    landmarks : array, shape (33 or more, 3)
        x, y in pixels and confidence 0..1.

    Returns
    -------
    array, shape (27, 3)
        x, y in pixels and confidence 0..1, in the order of `KEYPOINTS`.
    """
    body = np.full((len(KEYPOINTS), 3), np.nan)
    for name, landmark in BLAZEPOSE.items():
        body[INDEX[name]] = landmarks[landmark]
    for middle, left, right in MIDPOINTS:
        pair = body[[INDEX[left], INDEX[right]]]
        body[INDEX[middle], :2] = pair[:, :2].mean(axis=0)
        body[INDEX[middle], 2] = pair[:, 2].min()
    return body
