"""Render the page on which a person reviews the findings and fills in the table of corrections.

It shows faces of the originals, so it is for the group's own eyes. It loads its own pictures, nothing else.
"""

import base64
import hashlib
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jinja2

from deidpose.workflow.corrections import COLUMNS

_TEMPLATES = Path(__file__).parent / "templates"


class Kind(NamedTuple):
    """What a finding is: a heading, what it means, and the actions of the table of corrections that can help."""

    heading: str
    meaning: str
    actions: tuple[str, ...]


#: In the order of `findings.KINDS`, worst first.
KINDS: dict[str, Kind] = {
    "not_masked": Kind("Not masked", "The face detector saw something here that was not masked.", ("mask",)),
    "leak": Kind("Audit: leak", "The audit found a face that no mask covers.", ("mask", "accept")),
    "not_applied": Kind("Audit: not applied", "The file does not show the mask that was planned.", ()),
    "residual": Kind("Audit: in a mask", "The audit still found a face inside a mask.", ("accept",)),
    "glimpse": Kind("Audit: glimpse", "For a moment, one detector was unsure of a face here.", ("mask", "accept")),
    "no_head": Kind("No head placed", "A person is seen and no head: the upper body was masked.", ("mask", "unmask")),
    "unsure": Kind("Unsure", "Masked with a low certainty.", ("unmask", "mask")),
    "unsupported": Kind("No body", "Masked, though no body supports that a face is here.", ("unmask",)),
    "no_face": Kind("No face found", "Masked by the skeleton alone.", ("mask", "unmask")),
    "cut": Kind("Cut", "A new shot begins: masks must fit on both sides.", ("mask",)),
}
_UNKNOWN = Kind("Other", "", ("mask", "accept"))

#: What the buttons say.
ACTIONS = {
    "mask": "Mask this region",
    "unmask": "Take the mask away",
    "accept": "Accept the finding",
    "exclude_video": "Leave the video out",
}
_MASK_MORE = "Mask a larger region"
_MASK_SOMETHING = "Mask a region: fill it in"

#: So many videos with a face that may be seen are open from the start; all others open on a click.
_MOST_OPEN = 10
#: More lines than this about findings without pictures would make the page slow.
_MOST_LINES = 500


def render(
    videos: Sequence[Mapping[str, Any]],
    corrections: Sequence[Mapping[str, Any]],
    excluded: Mapping[str, str],
    visible: Mapping[str, Collection[str]],
) -> str:
    """Write the page.

    Parameters
    ----------
    videos : sequence of mappings
        One for each video, as `draw_review` writes them: ``video``, ``n_frames``, ``duration_s``, ``verdicts``
        (method -> ``verdict`` and ``reason``), ``findings`` and ``people`` (from `findings`), with the files of their
        ``pictures``, which lie in a folder of the video's name beside the page.
    corrections : sequence of mappings
        The decisions that are in force, from `corrections.released`.
    excluded : mapping
        Video -> reviewer, of the videos that are left out.
    visible : mapping
        Video -> tokens of the people who are left without a mask.

    Returns
    -------
    str
        HTML.
    """
    script = (_TEMPLATES / "review_page.js").read_text(encoding="utf-8")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"time": time_in_words}
    sections = [
        _section(video, corrections, visible.get(video["video"], ())) for video in sorted(videos, key=_worst_first)
    ]
    for section in [section for section in sections if section["urgent"]][:_MOST_OPEN]:
        section["open"] = True
    return environment.get_template("review_page.html.j2").render(
        script=script,
        # Only this script may run: nothing that a table holds can become one.
        script_digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        columns="\t".join(COLUMNS),
        sections=sections,
        kinds=_counted(sections),
        excluded=excluded,
        exclude=ACTIONS["exclude_video"],
    )


def time_in_words(seconds: float) -> str:
    """Return a time as players show it, with tenths: 75.25 -> "1:15.2"."""
    tenths = math.floor(seconds * 10 + 1e-6)
    return f"{tenths // 600}:{tenths // 10 % 60:02d}.{tenths % 10}"


def correction_row(video: str, finding: Mapping[str, Any], action: str) -> str:
    """Return a row of the table of corrections about a finding, its reviewer still to be filled in.

    The region goes out to whole pixels. Where there is none, a mask still needs one.
    """
    region: tuple[object, ...] = ("", "", "", "")
    if finding["region"]:
        x, y, width, height = finding["region"]
        left, top = math.floor(x), math.floor(y)
        region = (left, top, math.ceil(x + width) - left, math.ceil(y + height) - top)
    fields = (video, finding["first_frame"], finding["last_frame"], *region, action, "", "")
    return "\t".join(map(str, fields))


def _section(
    video: Mapping[str, Any], corrections: Iterable[Mapping[str, Any]], visible: Collection[str]
) -> dict[str, Any]:
    name = video["video"]
    findings = [
        {**finding, **_kind(finding["kind"])._asdict(), "rows": _rows(name, finding)} for finding in video["findings"]
    ]
    open_findings = [finding for finding in findings if not finding["settled"]]
    counts: dict[str, int] = {}
    for finding in open_findings:
        counts[finding["heading"]] = counts.get(finding["heading"], 0) + 1
    others = [finding for finding in findings if not finding["pictures"]]
    return {
        **video,
        "people": [{**person, "visible": person["token"] in visible} for person in video["people"]],
        "findings": findings,
        "pictured": [finding for finding in findings if finding["pictures"]],
        "others": others[:_MOST_LINES],
        "n_unlisted": max(0, len(others) - _MOST_LINES),
        "counts": counts,
        "kinds": " ".join(dict.fromkeys(finding["kind"] for finding in open_findings)),
        "urgent": any(_rank(finding["kind"]) <= _rank("not_applied") for finding in open_findings),
        "open": False,
        "corrections": [correction for correction in corrections if correction["video"] == name],
        "exclude": "\t".join([name, *[""] * 6, "exclude_video", "", ""]),
    }


def _rows(video: str, finding: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what can be decided about a finding: labels and rows of the table of corrections."""
    if finding["settled"]:
        return []
    # Where it would take the mask of another away too, nobody should copy it without a thought.
    actions = [action for action in _kind(finding["kind"]).actions if action != "unmask" or finding["alone"]]
    return [(_label(action, finding), correction_row(video, finding, action)) for action in actions]


def _label(action: str, finding: Mapping[str, Any]) -> str:
    if action != "mask" or finding["kind"] in ("not_masked", "leak", "glimpse"):
        return ACTIONS[action]
    return _MASK_MORE if finding["region"] else _MASK_SOMETHING


def _worst_first(video: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what videos are sorted by: their worst finding, then how many they have."""
    ranks = [_rank(finding["kind"]) for finding in video["findings"] if not finding["settled"]]
    worst = min(ranks, default=len(KINDS) + 1)
    scores = [
        finding["score"] or 0
        for finding in video["findings"]
        if not finding["settled"] and _rank(finding["kind"]) == worst
    ]
    return worst, -max(scores, default=0), -len(ranks), video["video"]


def _kind(name: str) -> Kind:
    return KINDS.get(name, _UNKNOWN)


def _rank(name: str) -> int:
    return list(KINDS).index(name) if name in KINDS else 0


def _counted(sections: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return every kind that occurs, with its numbers of videos and of findings that are open."""
    videos: dict[str, set[str]] = {}
    n_findings: dict[str, int] = {}
    for section in sections:
        for finding in section["findings"]:
            if not finding["settled"]:
                videos.setdefault(finding["kind"], set()).add(section["video"])
                n_findings[finding["kind"]] = n_findings.get(finding["kind"], 0) + 1
    return [
        {"kind": kind, **_kind(kind)._asdict(), "n_videos": len(videos[kind]), "n_findings": n_findings[kind]}
        for kind in sorted(n_findings, key=lambda kind: (_rank(kind), kind))
    ]
