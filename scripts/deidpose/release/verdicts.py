"""Fail the audit of a masked video whose metadata are not verified."""

from collections.abc import Mapping, Sequence
from typing import Any


def apply_proofs(audits: Sequence[Mapping[str, Any]], proofs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the audits, with the verdict ``fail`` where a file of the pair is not proven to hold pictures alone.

    Parameters
    ----------
    audits : sequence of mappings
        As `publish.publish` takes them.
    proofs : sequence of mappings
        One for each video: ``video`` and ``files``, the proofs of `prove` by method, and by method and ``_skeleton``.

    Returns
    -------
    list of dict
        Each with ``skeleton_sha256``, the digest of the file with skeletons that was measured.
    """
    by_file = {(proof["video"], label): found for proof in proofs for label, found in proof["files"].items()}
    judged = []
    for audit in audits:
        masked, drawn = (by_file.get((audit["video"], f"{audit['method']}{end}")) for end in ("", "_skeleton"))
        entry = {**audit, "skeleton_sha256": drawn["sha256"] if drawn else ""}
        reasons = [found["reason"] for found in (masked, drawn) if found and found["verdict"] != "pass"]
        if masked is None or drawn is None:
            reasons.append("metadata: not measured")
        elif masked["sha256"] != audit["sha256"]:
            reasons.append("metadata: measured on another file")
        if reasons:
            before = [audit["reason"]] if audit["verdict"] != "pass" and audit["reason"] else []
            entry |= {"verdict": "fail", "reason": "; ".join(dict.fromkeys([*before, *reasons]))}
        judged.append(entry)
    return judged
