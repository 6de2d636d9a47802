"""Tables that commands write into pages of docs/."""

from pathlib import Path


def markers(command: str) -> tuple[str, str]:
    """Return the two lines of a page between which stands what a command makes."""
    return f"<!-- tables: begin (made by `{command}`) -->", "<!-- tables: end -->"


def write_between(page: Path, command: str, content: str) -> None:
    """Put content between the `markers` of a page."""
    begin, end = markers(command)
    before, _, rest = page.read_text("utf-8").partition(begin)
    after = rest.partition(end)[2]
    page.write_text(f"{before}{begin}\n{content}\n{end}{after}", "utf-8")
