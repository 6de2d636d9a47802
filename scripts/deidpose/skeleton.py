"""BODY_25, the skeleton of OpenPose: names, limbs, colours.

Source of the order, the limbs and the colours: OpenPose, ``poseParameters.cpp`` and
``poseParametersRender.hpp`` (Cao et al. 2021, IEEE TPAMI 43:172-186).
"""

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
