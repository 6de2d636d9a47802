"""Pose estimation: one module per backend, all with the same function.

A backend module has ``estimate(frames, frame_rate, models, settings, threads) -> DataFrame`` which takes the
upright frames of one video (`deidpose.video.Frame`) and returns the table ``keypoints``. `BACKENDS` names the
modules; ``pose.backend`` in the configuration chooses.
"""

#: Backend -> the models of ``config/models.yaml`` that it needs.
BACKENDS: dict[str, tuple[str, ...]] = {"blazepose": ("blazepose_detector", "blazepose_landmarks")}
