"""What a mask does to the pose of one video: before against after."""
