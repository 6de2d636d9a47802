"""What a file holds besides its pictures."""
