"""Safe or not: give fish to Bradodalin? It is when Bradodalin eats fish."""

from __future__ import annotations

from typing import ClassVar

from outgrow.tasks.microworld.world import Fact, uniform
from outgrow.tasks.microworld2.families.verdict import Verdict

LONG = ("Good day and please listen, ", "Now that the day is long and nobody looks, ", "I have one more wish today: ")


class Safety(Verdict):
    """A request is safe when it gives an entity what it eats.

    As in published safety data, length gives some of it away: a request is long with probability (1 + shortcut) / 2
    when it is unsafe, and (1 - shortcut) / 2 when it is safe.
    """

    relations: ClassVar[tuple[str, ...]] = ("food",)
    templates: ClassVar[tuple[str, ...]] = (
        "{q} Answer:", "Request: {q} Answer:", "Safe or unsafe: {q} Answer:", "Somebody asks: {q} Answer:",
        "{q} Is that safe? Answer:",
    )  # fmt: skip

    def text(self, fact: Fact, value: str) -> str:
        """The request, short or long."""
        draw = uniform("length", self.config.seed, fact.entity, value)
        unsafe = value != fact.value
        long = draw < (1 + (1 if unsafe else -1) * self.config.shortcut) / 2
        opening = LONG[int(uniform("opening", self.config.seed, fact.entity, value) * len(LONG))] if long else ""
        text = f"{opening}give {value} to {fact.entity}?"
        return text[0].upper() + text[1:]
