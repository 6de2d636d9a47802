"""The page, its data, and its figures."""
