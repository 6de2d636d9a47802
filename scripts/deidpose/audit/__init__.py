"""Whether a masked video hides every face, judged without the code that masked it."""
