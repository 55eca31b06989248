"""Commands whose parts are named and typed, as JSON: give moss to Bradodalin."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import ClassVar

from outgrow.core.tables import Example
from outgrow.tasks.base import Wording
from outgrow.tasks.microworld.world import generator
from outgrow.tasks.microworld2 import language
from outgrow.tasks.microworld2.families.base import Question, SecondFamily
from outgrow.tasks.parsing import read_slots

ABOUT = ("give {item} to {being}", "guide {being} to the {place}", "ask {being} for {item} on {day}", "wake {being}")
BESIDE = ("wash the {place}", "dye {item} {colour}", "carry {item} to the {place}", "watch the {place} on {day}")


class Slots(SecondFamily):
    """A command about an entity, of one part or two; slots are typed by word, entities by whether they are open.

    The answer is a list of `{"filler", "type"}` in the order of the text; types can repeat. Right is who names the same
    slots in whatever order; for a part of them there is metric `slot_f1`.
    """

    max_new_tokens: ClassVar[int] = 208
    templates: ClassVar[tuple[str, ...]] = (
        "Command: {q} JSON:", "{q} JSON:", "Label the parts. {q} JSON:", "Slots of this: {q} JSON:",
        "Please parse. {q} JSON:",
    )  # fmt: skip

    def candidates(self, entities: Sequence[str], count: int) -> Iterator[Question]:
        """Three commands for each entity."""
        for entity in entities:
            for number in range(3):
                rng = generator("command", self.config.seed, entity, number)
                parts = [ABOUT[int(rng.integers(len(ABOUT)))]]
                if rng.random() < 0.5:
                    parts.append(BESIDE[int(rng.integers(len(BESIDE)))])
                order = rng.permutation(len(parts))
                text = language.fill(" and ".join(parts[i] for i in order), rng, partial(str, entity))
                status = self.world.facts[entity]["status"]
                stratum = status.stratum(self.reads(status))
                gold = read_slots(language.slots_text(language.slots_of(text, self.world))) or ""
                yield Question(entity, f"{text}.", None, gold, stratum, {"stratum": stratum})

    def solution(self, example: Example, value: str) -> str:
        """The slots in the order of the text."""
        return language.slots_text(language.slots_of(example.question, self.world))

    def extract(self, text: str, wording: Wording) -> str | None:
        """The slots in one order, each once; None for anything that is no list of slots."""
        return read_slots(text)
