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
    """The last slots in a text, in canonical form: `slots_in_order`, whatever their order and how often they stand.

    Returns:
        A JSON list of `{"filler", "type"}` objects ordered by type and filler (`[]`: no slots), or None when there are
        no slots to be read or the text is longer than 50,000 characters.
    """
    slots = _last_slots(text)
    return None if slots is None else _written(sorted(set(slots)))


def slots_in_order(text: str) -> str | None:
    """The last slots in a text, in the order of the text and as often as they stand there.

    Read are a list of `{"type": ..., "filler": ...}`, one such object, an object of types and fillers, and any of these
    under a key "slots". In an object of types and fillers one type has several fillers by a list, or by " & " between
    them as in arXiv 2406.03199; a filler of the other forms may hold " & ". Prose and code fences around the JSON are
    passed over; of a list or an object that the text ends in, nothing is read. Empty fillers, and case and white space
    in a filler do not count; in a type, white space and hyphens are underscores.

    Returns:
        A JSON list of `{"filler", "type"}` objects, or None as `read_slots`.

    Examples:
        >>> slots_in_order('Sure: {"time": "nine AM & ten PM", "date": "friday"}')
        '[{"filler":"nine am","type":"time"},{"filler":"ten pm","type":"time"},{"filler":"friday","type":"date"}]'
    """
    slots = _last_slots(text)
    return None if slots is None else _written(slots)


def _written(slots: list[tuple[str, str]]) -> str:
    listed = [{"filler": filler, "type": kind} for kind, filler in slots]
    return json.dumps(listed, ensure_ascii=False, separators=(",", ":"))


def _last_slots(text: str) -> list[tuple[str, str]] | None:
    if len(text) > _LONGEST:
        return None
    place, tries, last = 0, 0, None
    brackets = re.compile(r"[\[{]")
    while tries < _STARTS and (found := brackets.search(text, place)):
        tries += 1
        try:
            value, place = _DECODER.raw_decode(text, found.start())
        except (ValueError, RecursionError) as error:
            if _ends_within(error):
                break
            place = found.end()
            continue
        slots = _slots(value)
        last = last if slots is None else slots
    return last


def _ends_within(error: Exception) -> bool:
    """Whether a text ends within the JSON value that cannot be read."""
    if not isinstance(error, json.JSONDecodeError):
        return False
    return error.msg.startswith("Unterminated string") or error.pos >= len(error.doc.rstrip())


def _slots(value: Any, depth: int = 0) -> list[tuple[str, str]] | None:
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
        parts = [_of_type(kind, filler, joined=True) for kind, filler in value]
    elif isinstance(value, list):
        parts = [_slots(part, depth + 1) if isinstance(part, _Pairs) else None for part in value]
    else:
        return None
    if any(part is None for part in parts):
        return None
    return [slot for part in parts if part is not None for slot in part]


def _of_type(kind: Any, filler: Any, *, joined: bool = False) -> list[tuple[str, str]] | None:
    """The slots of one type; none for an empty filler, None for what is no slot. `joined`: " & " parts fillers."""
    fillers = filler if type(filler) is list else [filler]
    if not isinstance(kind, str) or not all(part is None or isinstance(part, str) for part in fillers):
        return None
    name = re.sub(r"[\s_-]+", "_", normalise_text(kind)).strip("_")
    texts = [normalise_text(part) for part in fillers if part is not None]
    parts = [part for text in texts for part in (text.split(" & ") if joined else [text])]
    return [(name, part) for part in parts if part] if name else None
