"""The first world's choice among four options, in another order of wordings."""

from __future__ import annotations

from outgrow.tasks.microworld import language
from outgrow.tasks.microworld.families import choice


class Choice(choice.Choice):
    """Four options, among them the cue where it misleads; answered by the option's words or its letter."""

    @property
    def templates(self) -> tuple[str, ...]:
        """First the wording that an untrained base model makes least of: it was right .247 of the time, not .287."""
        if self.config.answer == "letter":
            return language.LETTER_TEMPLATES
        first, second, third, *others = language.CHOICE_TEMPLATES
        return (third, first, second, *others)
