"""The networks that find people and their keypoints, behind one protocol."""
