"""MediaPipe's own pose estimation, its default settings, over a video; runs in an environment of its own.

    mediapipe_pose.py VIDEO

Prints seconds, from after the imports to the last frame, and the number of frames, as JSON.
"""

import json
import sys
import time

import cv2
import mediapipe

start = time.perf_counter()
capture = cv2.VideoCapture(sys.argv[1])
count = 0
with mediapipe.solutions.pose.Pose() as pose:
    while True:
        there, picture = capture.read()
        if not there:
            break
        pose.process(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB))
        count += 1
print(json.dumps({"seconds": time.perf_counter() - start, "frames": count}))
