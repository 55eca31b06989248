"""What families of the second world share."""

from __future__ import annotations

from outgrow.core.tables import Example
from outgrow.tasks.base import Wording
from outgrow.tasks.microworld.families.base import Family, Question
from outgrow.tasks.microworld2.config import Microworld2Config
from outgrow.tasks.microworld2.world import World


class SecondFamily(Family):
    """A family of questions about the second world; its answers are generated unless it says otherwise."""

    config: Microworld2Config
    world: World

    def wording(self, example: Example, variant: int) -> Wording:
        """The question in another frame."""
        prompt = self.templates[variant].format(q=example.question)
        return Wording(prompt, None, None, self.label(variant), str(variant), None)


__all__ = ["Question", "SecondFamily"]
