"""Where the faces and heads of a video are, frame by frame."""
