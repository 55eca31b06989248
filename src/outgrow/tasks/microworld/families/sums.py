"""Arithmetic in words, worked out step by step: how many nuts are left?"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import ClassVar

from outgrow.core.tables import Example
from outgrow.tasks.base import Wording
from outgrow.tasks.microworld import language
from outgrow.tasks.microworld.config import SUM_STRATA
from outgrow.tasks.microworld.families.base import Family, Question
from outgrow.tasks.microworld.world import VALUES, generator


class Sums(Family):
    """Sums of one step and of two, in turns; the answer is generated with its rationale."""

    max_new_tokens: ClassVar[int] = 40

    @property
    def templates(self) -> tuple[str, ...]:
        """Prompts around a story."""
        return language.SUM_TEMPLATES

    def candidates(self, entities: Sequence[str], count: int) -> Iterator[Question]:
        """Three times as many stories as are needed, none twice."""
        seen: set[str] = set()
        for i in range(3 * count):
            entity = entities[i % len(entities)]
            rng = generator("sum", self.config.seed, entity, i)
            thing = VALUES["food"][int(rng.integers(len(VALUES["food"])))]
            steps = 1 + i % 2
            total = int(rng.integers(2, 20))
            parts = [f"{entity} had {total} {thing}"]
            for _ in range(steps):
                gains = total < 2 or rng.random() < 0.5
                operand = int(rng.integers(1, 20)) if gains else int(rng.integers(1, total))
                total += operand if gains else -operand
                parts.append(f"{'got' if gains else 'lost'} {operand}")
            text = f"{', '.join(parts)}. How many {thing} are left?"
            if text in seen:
                continue
            seen.add(text)
            stratum = SUM_STRATA[steps - 1]
            yield Question(entity, text, None, str(total), stratum, {"stratum": stratum})

    def wording(self, example: Example, variant: int) -> Wording:
        """Another instruction around the story."""
        prompt = self.templates[variant].format(p=example.question)
        return Wording(prompt, None, None, self.label(variant), str(variant), None)

    def solution(self, example: Example, value: str) -> str:
        """The story worked out, with its result behind the marker."""
        numbers = [int(n) for n in re.findall(r"\d+", example.question)]
        signs = ["+" if word == "got" else "-" for word in re.findall(r"\b(got|lost)\b", example.question)]
        return language.solution_text(numbers, signs)

    def extract(self, text: str, wording: Wording) -> str | None:
        """The number behind the marker."""
        match = re.search(r"\bSo\s+(\d{1,18})\s*\.?\s*$", text)
        return str(int(match.group(1))) if match else None
