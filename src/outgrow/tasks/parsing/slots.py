"""Slots: the pieces of a spoken command and their types, as JSON (SLURP)."""

from __future__ import annotations

import json
import re
from typing import Any

from outgrow.tasks.splits import normalise_text

_LONGEST = 50_000  # characters
_STARTS = 500  # brackets at which JSON is tried
_DEEPEST = 20  # nested brackets


class _Pairs(list[tuple[str, Any]]):
    """A JSON object whose repeated keys are kept: two slots may have one type."""


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_Pairs, parse_int=str, parse_float=str, parse_constant=_refuse)


def read_slots(text: str) -> str | None:
    """The last slots in a text, in canonical form.

    Read are a list of `{"type": ..., "filler": ...}`, one such object, an object of types and fillers (a filler may be
    a list of several), and any of these under a key "slots". Prose and code fences around the JSON are passed over.
    The order of slots, slots that stand twice, empty fillers, and case and white space in a filler do not count; in a
    type, white space and hyphens are underscores.

    Returns:
        A JSON list of `{"filler", "type"}` objects ordered by type and filler (`[]`: no slots), or None when there are
        no slots to be read or the text is longer than 50,000 characters.
    """
    if len(text) > _LONGEST:
        return None
    place, tries, last = 0, 0, None
    brackets = re.compile(r"[\[{]")
    while tries < _STARTS and (found := brackets.search(text, place)):
        tries += 1
        try:
            value, place = _DECODER.raw_decode(text, found.start())
        except (ValueError, RecursionError):
            place = found.end()
            continue
        slots = _slots(value)
        last = last if slots is None else slots
    if last is None:
        return None
    ordered = [{"filler": filler, "type": kind} for kind, filler in sorted(last)]
    return json.dumps(ordered, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _slots(value: Any, depth: int = 0) -> set[tuple[str, str]] | None:
    """Types and fillers of a JSON value; None when it is something else."""
    if depth > _DEEPEST:
        return None
    if isinstance(value, _Pairs):
        keys = sorted(normalise_text(key) for key, _ in value)
        if keys == ["slots"]:
            return _slots(value[0][1], depth + 1)
        if keys == ["filler", "type"]:
            own = {normalise_text(key): content for key, content in value}
            return _of_type(own["type"], own["filler"])
        parts = [_of_type(kind, filler) for kind, filler in value]
    elif isinstance(value, list):
        parts = [_slots(part, depth + 1) if isinstance(part, _Pairs) else None for part in value]
    else:
        return None
    if any(part is None for part in parts):
        return None
    return {slot for part in parts if part is not None for slot in part}


def _of_type(kind: Any, filler: Any) -> set[tuple[str, str]] | None:
    """The slots of one type; none for an empty filler, None for what is no slot."""
    fillers = filler if type(filler) is list else [filler]
    if not isinstance(kind, str) or not all(part is None or isinstance(part, str) for part in fillers):
        return None
    name = re.sub(r"[\s_-]+", "_", normalise_text(kind)).strip("_")
    said = {normalise_text(part) for part in fillers if part is not None}
    return {(name, part) for part in said if part} if name else None
