"""Over all videos: means, intervals, tests, agreement, and the recommendation."""
