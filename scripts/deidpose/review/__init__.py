"""What a person should look at, and what follows from their decisions."""
