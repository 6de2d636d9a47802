"""From frames to the keypoints of everyone in them."""
