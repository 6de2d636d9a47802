"""Where distrusted sources end: they are examined and stripped to their pictures."""
