"""OpenPose, run by whichever of its programs and files is there."""
