"""Write a duration in words."""


def duration_in_words(seconds: float) -> str:
    """Return a duration in words, in two units at most: "7 seconds", "12 minutes", "3 hours 20 minutes"."""
    whole = round(seconds)
    if whole < 120:
        return f"{whole} second{'s' * (whole != 1)}"
    minutes = round(seconds / 60)
    if minutes < 120:
        return f"{minutes} minutes"
    if minutes < 48 * 60:
        return f"{minutes // 60} hours {minutes % 60} minutes"
    return f"{minutes // (24 * 60)} days {minutes // 60 % 24} hours"
