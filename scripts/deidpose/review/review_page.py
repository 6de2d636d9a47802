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
    """What a place is: a heading, what it means, and the actions of the table of corrections that can help."""

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
#: More lines than this about places without pictures would make the page slow.
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
        (method -> ``verdict`` and ``reason``), ``places`` and ``people`` (from `places`), with the files of their
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


def correction_row(video: str, place: Mapping[str, Any], action: str) -> str:
    """Return a row of the table of corrections about a place, its reviewer still to be filled in.

    The region goes out to whole pixels. Where there is none, a mask still needs one.
    """
    region: tuple[object, ...] = ("", "", "", "")
    if place["region"]:
        x, y, width, height = place["region"]
        left, top = math.floor(x), math.floor(y)
        region = (left, top, math.ceil(x + width) - left, math.ceil(y + height) - top)
    fields = (video, place["first_frame"], place["last_frame"], *region, action, "", "")
    return "\t".join(map(str, fields))


def _section(
    video: Mapping[str, Any], corrections: Iterable[Mapping[str, Any]], visible: Collection[str]
) -> dict[str, Any]:
    name = video["video"]
    places = [{**place, **_kind(place["kind"])._asdict(), "rows": _rows(name, place)} for place in video["places"]]
    open_places = [place for place in places if not place["settled"]]
    counts: dict[str, int] = {}
    for place in open_places:
        counts[place["heading"]] = counts.get(place["heading"], 0) + 1
    others = [place for place in places if not place["pictures"]]
    return {
        **video,
        "people": [{**person, "visible": person["token"] in visible} for person in video["people"]],
        "places": places,
        "pictured": [place for place in places if place["pictures"]],
        "others": others[:_MOST_LINES],
        "n_unlisted": max(0, len(others) - _MOST_LINES),
        "counts": counts,
        "kinds": " ".join(dict.fromkeys(place["kind"] for place in open_places)),
        "urgent": any(_rank(place["kind"]) <= _rank("not_applied") for place in open_places),
        "open": False,
        "corrections": [correction for correction in corrections if correction["video"] == name],
        "exclude": "\t".join([name, *[""] * 6, "exclude_video", "", ""]),
    }


def _rows(video: str, place: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what can be decided about a place: labels and rows of the table of corrections."""
    if place["settled"]:
        return []
    # Where it would take the mask of another away too, nobody should copy it without a thought.
    actions = [action for action in _kind(place["kind"]).actions if action != "unmask" or place["alone"]]
    return [(_label(action, place), correction_row(video, place, action)) for action in actions]


def _label(action: str, place: Mapping[str, Any]) -> str:
    if action != "mask" or place["kind"] in ("not_masked", "leak", "glimpse"):
        return ACTIONS[action]
    return _MASK_MORE if place["region"] else _MASK_SOMETHING


def _worst_first(video: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what videos are sorted by: their worst place, then how many they have."""
    ranks = [_rank(place["kind"]) for place in video["places"] if not place["settled"]]
    worst = min(ranks, default=len(KINDS) + 1)
    scores = [
        place["score"] or 0 for place in video["places"] if not place["settled"] and _rank(place["kind"]) == worst
    ]
    return worst, -max(scores, default=0), -len(ranks), video["video"]


def _kind(name: str) -> Kind:
    return KINDS.get(name, _UNKNOWN)


def _rank(name: str) -> int:
    return list(KINDS).index(name) if name in KINDS else 0


def _counted(sections: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return every kind that occurs, with its numbers of videos and of places that are open."""
    videos: dict[str, set[str]] = {}
    n_places: dict[str, int] = {}
    for section in sections:
        for place in section["places"]:
            if not place["settled"]:
                videos.setdefault(place["kind"], set()).add(section["video"])
                n_places[place["kind"]] = n_places.get(place["kind"], 0) + 1
    return [
        {"kind": kind, **_kind(kind)._asdict(), "n_videos": len(videos[kind]), "n_places": n_places[kind]}
        for kind in sorted(n_places, key=lambda kind: (_rank(kind), kind))
    ]
