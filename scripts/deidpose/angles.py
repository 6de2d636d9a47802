"""Joint angles in the picture plane, from BODY_25 keypoints.

Conventions (those of clinical gait analysis and of Sports2D, unsigned): knee and elbow flexion are 0 deg when
the limb is straight; hip flexion is the angle between the thigh and the downward continuation of the trunk,
0 deg when standing upright; shoulder flexion is the angle between the upper arm and the downward trunk, 0 deg
with the arm hanging; ankle dorsiflexion is 90 deg minus the angle between the shank and the foot, 0 deg when the
foot is at right angles to the shank, positive with the toes up. All are two-dimensional: they equal the
anatomical angle only as far as the movement lies in the picture plane.
"""

import numpy as np
import pandas as pd

from deidpose import skeleton

#: Angle name -> ((from, to), (from, to), offset, sign): degrees = offset + sign x angle between the two vectors.
#: Left knee and left elbow come first everywhere: they were the two angles of the one-video prototype.
ANGLES: dict[str, tuple[tuple[str, str], tuple[str, str], float, float]] = {
    f"{side.lower()}_{joint}": (
        (first[0].format(S=side[0]), first[1].format(S=side[0])),
        (second[0].format(S=side[0]), second[1].format(S=side[0])),
        offset,
        sign,
    )
    for joint, side, first, second, offset, sign in (
        (joint, side, *definition)
        for joint, definition in {
            "knee": (("{S}Knee", "{S}Hip"), ("{S}Knee", "{S}Ankle"), 180.0, -1.0),
            "elbow": (("{S}Elbow", "{S}Shoulder"), ("{S}Elbow", "{S}Wrist"), 180.0, -1.0),
            "hip": (("{S}Hip", "{S}Knee"), ("Neck", "MidHip"), 0.0, 1.0),
            "ankle": (("{S}Ankle", "{S}Knee"), ("{S}Heel", "{S}BigToe"), 90.0, -1.0),
            "shoulder": (("{S}Shoulder", "{S}Elbow"), ("Neck", "MidHip"), 0.0, 1.0),
        }.items()
        for side in ("Left", "Right")
    )
}
