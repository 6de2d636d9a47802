"""What changes pixels: masks on faces, and skeletons drawn on pictures."""
