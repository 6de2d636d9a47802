"""From keypoints to joint angles and movements."""
