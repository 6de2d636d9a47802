"""The loop that everyone writes first: read a video, find faces in each frame, blur them, write it with x264.

    plain_loop.py MODEL VIDEO OUTPUT

Prints seconds, from after the imports to the finished file, and the number of frames, as JSON.
"""

import json
import sys
import time

import av
import cv2

model, source, output = sys.argv[1:]
start = time.perf_counter()
capture = cv2.VideoCapture(source)
size = (int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)))
detector = cv2.FaceDetectorYN.create(model, "", size, 0.6)
count = 0
with av.open(output, "w") as container:
    stream = container.add_stream("libx264", rate=30, options={"crf": "20", "preset": "superfast"})
    stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
    while True:
        there, picture = capture.read()
        if not there:
            break
        _, faces = detector.detect(picture)
        for face in () if faces is None else faces:
            left, top, width, height = (int(value) for value in face[:4])
            part = picture[max(0, top) : top + height, max(0, left) : left + width]
            if part.size:
                part[:] = cv2.GaussianBlur(part, (0, 0), max(width, height) * 0.35)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        count += 1
    container.mux(stream.encode(None))
print(json.dumps({"seconds": time.perf_counter() - start, "frames": count}))
