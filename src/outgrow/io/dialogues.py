r"""Two dialogues in one text each, as Anthropic's hh-rlhf holds them: `\n\nHuman: ...\n\nAssistant: ...`."""

from __future__ import annotations

from typing import NamedTuple

TURN = "\n\nAssistant:"


class Parted(NamedTuple):
    """What two answers share, and the answers."""

    prompt: str
    chosen: str
    rejected: str


def part_dialogues(chosen: str, rejected: str) -> Parted | None:
    """The dialogue up to the last turn of the assistant that both begin, and how each goes on; no blanks around.

    Returns:
        None where they do not begin alike up to such a turn.
    """
    alike = next((i for i, (a, b) in enumerate(zip(chosen, rejected, strict=False)) if a != b), len(chosen))
    end = chosen[:alike].rfind(TURN)
    if end < 0:
        return None
    end += len(TURN)
    return Parted(chosen[:end].strip(), chosen[end:].strip(), rejected[end:].strip())
