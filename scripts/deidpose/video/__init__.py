"""From a file to frames, and from frames to a file."""
