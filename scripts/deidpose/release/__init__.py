"""The only door out."""
