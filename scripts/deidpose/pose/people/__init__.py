"""Who is who among the people of one video."""
